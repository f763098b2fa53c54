/**
 * mutant-run.ts: applies one mutant to a copy of the compiled project and lets the simulation look for it.
 */
import { type SpawnSyncReturns, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PROJECT_ROOT } from '../harness/project-root.ts'
import type { Mutant, Patch } from './mutants.ts'

/** What the simulation imports, below `dist/`. */
const ROOMS = ['crdt', 'sync', 'region-node', 'test/harness', 'test/simulation']
const RUN_MS_MAX = 240_000

/** What a simulation looks for a mutant with, below `dist/`. */
const PROGRAM = 'test/simulation/simulate.js'

/** A mutant, whatever simulation looks for it. */
interface Findable extends Omit<Mutant, 'focus' | 'without'> {
  readonly focus?: readonly string[]
  readonly without?: readonly string[]
}

/**
 * What the simulation said of a mutant: its finding, or undefined when it noticed nothing.
 * @param of  the program of another simulation
 */
export function findingOf(
  { patches, firstSeed = 1, seeds, focus = [], without = [] }: Findable,
  of = PROGRAM,
): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'causeway-mutant-'))
  try {
    copyProject(folder)
    for (const patch of patches) apply(patch, join(folder, 'dist'))
    const program = join(folder, 'dist', of)
    const words = [program, '--seed', String(firstSeed), '--seeds', String(seeds), '--focus', focus.join()]
    if (without.length > 0) words.push('--without', without.join())
    const run = spawnSync(process.execPath, words, { encoding: 'utf8', timeout: RUN_MS_MAX })
    return verdict(run)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function copyProject(folder: string): void {
  const dist = join(PROJECT_ROOT, 'dist')
  if (!existsSync(join(dist, PROGRAM))) {
    throw new Error('nothing is built yet: npm test builds first, or run npm run build')
  }
  for (const room of ROOMS) cpSync(join(dist, room), join(folder, 'dist', room), { recursive: true })
  cpSync(join(PROJECT_ROOT, 'package.json'), join(folder, 'package.json'))
  symlinkSync(join(PROJECT_ROOT, 'node_modules'), join(folder, 'node_modules'))
}

/** Puts a patch in. @throws Error when the code no longer has the text that it replaces, or has it twice */
function apply({ file, find, replace }: Patch, dist: string): void {
  const path = join(dist, file)
  const text = readFileSync(path, 'utf8')
  const places = text.split(find).length - 1
  if (places !== 1)
    throw new Error(`${file} has ${places} places for the patch of '${find}': adapt the mutant`)
  writeFileSync(
    path,
    text.replace(find, () => replace),
  )
}

function verdict({ status, stdout, stderr, error }: SpawnSyncReturns<string>): string | undefined {
  if (error !== undefined) throw error
  if (status === 0) return undefined
  const finding = /^FINDING (.*)$/m.exec(stderr)?.[1]
  if (finding === undefined) throw new Error(`the simulation did not run: ${stdout}${stderr}`)
  return finding
}
