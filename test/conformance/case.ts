/**
 * case.ts: the conformance cases: what two or three regions must answer after concurrent writes.
 *
 * cases.json is the contract; this module only reads it. A case that uses a command which the command
 * table does not have is pending, and becomes live by itself when the command is there.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { commandTable } from '../../region-node/commands/families.ts'
import { PROJECT_ROOT } from '../harness/project-root.ts'
import type { RegionName } from '../harness/three-regions.ts'
import type { Expectation } from './expectation.ts'

export interface CommandStep {
  readonly at: RegionName
  readonly cmd: readonly string[]
  readonly expect: Expectation
}

export type CaseStep =
  | CommandStep
  /** Heals the links among those (or all), waits for equal vectors, cuts again. */
  | { readonly sync: true | readonly RegionName[] }
  /** Milliseconds. */
  | { readonly sleep: number }
  /** Cuts all links, which are cut already. */
  | { readonly partition: true }

export interface ConflictCase {
  readonly id: string
  readonly type: string
  readonly rule: string
  readonly regions: 2 | 3
  /** Database settings that the case needs. */
  readonly config?: Readonly<Record<string, string>>
  /** Abilities that the runner must have. */
  readonly requires?: readonly string[]
  readonly steps: readonly CaseStep[]
}

export const cases: readonly ConflictCase[] = JSON.parse(
  readFileSync(join(PROJECT_ROOT, 'test', 'conformance', 'cases.json'), 'utf8'),
)

export function isCommand(step: CaseStep): step is CommandStep {
  return 'cmd' in step
}

/** The step only reads: it can be asked again, and after a restart. */
export function isRead(step: CaseStep): boolean {
  return isCommand(step) && (commandTable.get(step.cmd[0]!)?.flags.includes('readonly') ?? false)
}

/** Why a case cannot run. */
export interface Pending {
  readonly reason: string
  /** What would have to be there. */
  readonly missing: readonly string[]
}

/** @param abilities  what the runner can do beyond commands and syncs */
export function pendingOf(
  { steps, requires = [] }: ConflictCase,
  abilities: ReadonlySet<string>,
): Pending | undefined {
  const commands = new Set<string>()
  for (const step of steps) {
    if (isCommand(step) && commandTable.get(step.cmd[0]!) === undefined)
      commands.add(step.cmd[0]!.toUpperCase())
  }
  if (commands.size > 0) {
    const missing = [...commands].sort()
    return { reason: `no command ${missing.join(', ')} yet`, missing }
  }
  const missing = requires.filter((ability) => !abilities.has(ability))
  return missing.length > 0 ? { reason: `this runner lacks: ${missing.join(', ')}`, missing } : undefined
}

/** The case reads while a WATCH or MULTI is open: a restart there would end the transaction. */
export function readsInTransaction({ steps }: ConflictCase): boolean {
  const open = new Set<RegionName>()
  for (const step of steps) {
    if (!isCommand(step)) continue
    const name = step.cmd[0]!.toUpperCase()
    if (name === 'MULTI' || name === 'WATCH') open.add(step.at)
    else if (name === 'EXEC' || name === 'DISCARD' || name === 'UNWATCH') open.delete(step.at)
    // A restart is for all regions, so a transaction open anywhere counts.
    else if (isRead(step) && open.size > 0) return true
  }
  return false
}
