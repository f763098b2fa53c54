/**
 * run-case.ts: plays one case against regions, whatever they are: processes, or nodes in the simulator.
 *
 * A wrong answer ends the case with a message that tells the whole story up to it.
 */
import type { Reply } from '../../region-node/resp/parse-reply.ts'
import { REGION_NAMES, type RegionName } from '../harness/three-regions.ts'
import { type CommandStep, type ConflictCase, isCommand } from './case.ts'
import { satisfies, shown } from './expectation.ts'

/** Regions at the beginning of a case: empty databases, all links cut. */
export interface CaseRegions {
  /** Runs a command over the region's one connection. */
  command(region: RegionName, words: readonly string[]): Promise<Reply>
  /** Heals the links among `names`, waits until their vectors are equal, cuts again. */
  sync(names: readonly RegionName[]): Promise<void>
  cutAll(): Promise<void>
  /** Lets `ms` go by. */
  pass(ms: number): Promise<void>
  /** Called before each step; `previous` is the one before it. */
  beforeStep?(
    step: ConflictCase['steps'][number],
    previous: ConflictCase['steps'][number] | undefined,
  ): Promise<void>
}

/** Between any two steps: concurrent writes are told apart by their clocks. */
const STEP_MS_MIN = 5

/** @throws with the steps so far when a reply is not the expected one */
export async function runCase(conflictCase: ConflictCase, regions: CaseRegions): Promise<void> {
  const names = REGION_NAMES.slice(0, conflictCase.regions)
  const answers = new Map<string, Reply>()
  const story: string[] = [`${conflictCase.id}: ${conflictCase.rule}`]
  const { steps } = conflictCase
  for (const [i, step] of steps.entries()) {
    if (i > 0) await regions.pass(STEP_MS_MIN)
    await regions.beforeStep?.(step, steps[i - 1])
    if (isCommand(step)) {
      const reply = await regions.command(step.at, step.cmd)
      story.push(`  ${step.at}> ${shown([...step.cmd])} -> ${shown(reply)}`)
      answers.set(answerName(step.at, step), reply)
      const last = (region: string): Reply | undefined => answers.get(answerName(region, step))
      if (!satisfies(reply, step.expect, last)) {
        throw new Error(`${story.join('\n')}\n  expected: ${JSON.stringify(step.expect)}`)
      }
    } else if ('sync' in step) {
      const synced = step.sync === true ? names : step.sync
      story.push(`  sync ${synced.join(' ')}`)
      await regions.sync(synced)
    } else if ('sleep' in step) {
      await regions.pass(step.sleep)
    } else {
      await regions.cutAll()
    }
  }
}

function answerName(region: string, { cmd }: CommandStep): string {
  return JSON.stringify([region, ...cmd])
}
