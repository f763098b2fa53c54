/**
 * live.test.ts: every case against three real processes over real sockets, syncing by ops.
 */
import { afterAll } from 'vitest'
import { PROCESS_ABILITIES, RegionPool } from './process-regions.ts'
import { registerCases } from './register.ts'

const pool = new RegionPool()
afterAll(() => pool.dispose())

registerCases({
  title: 'conformance: real processes, synced by ops',
  abilities: PROCESS_ABILITIES,
  timeoutMs: 60_000,
  async run(conflictCase, play) {
    const regions = await pool.take(conflictCase)
    try {
      await play(regions)
      await regions.close()
    } catch (error) {
      await pool.discard(conflictCase)
      throw error
    }
  },
})
