/**
 * restart.test.ts: every case again, every region being restarted from its disk before a read.
 *
 * Half of the restarts, chosen by a seed, are orderly and half are kill -9. Reads that follow each other
 * share one restart: nothing happened in between that a disk could have lost. The processes and folders
 * are kept from case to case (process-regions.ts says why that is as good as empty ones), so that later
 * cases also restart from a log that holds the cases before.
 */
import { afterAll } from 'vitest'
import { Prng } from '../harness/prng.ts'
import { type CaseStep, isRead, readsInTransaction } from './case.ts'
import { PROCESS_ABILITIES, type ProcessRegions, RegionPool } from './process-regions.ts'
import { registerCases } from './register.ts'
import type { CaseRegions } from './run-case.ts'

const SEED = 1

const pool = new RegionPool()
afterAll(() => pool.dispose())

const prng = new Prng(SEED)

function restarting(regions: ProcessRegions): CaseRegions {
  return {
    command: (region, words) => regions.command(region, words),
    sync: (names) => regions.sync(names),
    cutAll: () => regions.cutAll(),
    pass: (ms) => regions.pass(ms),
    async beforeStep(step: CaseStep, previous: CaseStep | undefined) {
      if (!isRead(step) || (previous !== undefined && isRead(previous))) return
      await regions.restart(prng.chance(0.5) ? 'stop' : 'kill')
    },
  }
}

registerCases({
  title: `conformance: every region restarted before reads (seed ${SEED})`,
  abilities: PROCESS_ABILITIES,
  timeoutMs: 120_000,
  refuses: (conflictCase) =>
    readsInTransaction(conflictCase)
      ? {
          reason: 'a restart would end its open transaction',
          missing: ['a transaction that outlives a restart'],
        }
      : undefined,
  async run(conflictCase, play) {
    const regions = await pool.take(conflictCase)
    try {
      await play(restarting(regions))
      await regions.close()
    } catch (error) {
      await pool.discard(conflictCase)
      throw error
    }
  },
})
