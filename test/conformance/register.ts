/**
 * register.ts: makes a test of every case, for one way of running them.
 */
import { afterAll, describe } from 'vitest'
import { itUnless } from '../harness/pending.ts'
import { type ConflictCase, cases, type Pending, pendingOf } from './case.ts'
import { type CaseRegions, runCase } from './run-case.ts'
import { Score } from './score.ts'

export interface Way {
  readonly title: string
  readonly abilities: ReadonlySet<string>
  readonly timeoutMs: number
  /** Further reason not to run a case. */
  refuses?(conflictCase: ConflictCase): Pending | undefined
  /** Runs `play` with regions prepared for the case; may do so several times. */
  run(conflictCase: ConflictCase, play: (regions: CaseRegions) => Promise<void>): Promise<void>
}

export function registerCases(way: Way): void {
  const score = new Score(way.title)
  describe(way.title, () => {
    afterAll(() => {
      console.log(score.table())
    })
    for (const conflictCase of cases) {
      const { id, type } = conflictCase
      const pending = pendingOf(conflictCase, way.abilities) ?? way.refuses?.(conflictCase)
      if (pending !== undefined) score.pending(type, id, pending)
      const run = async (): Promise<void> => {
        try {
          await way.run(conflictCase, (regions) => runCase(conflictCase, regions))
          score.passed(type)
        } catch (error) {
          score.failed(type)
          throw error
        }
      }
      itUnless(pending?.reason, id, run, way.timeoutMs)
    }
  })
}
