/**
 * schedules.test.ts: agents in a region where everything goes wrong that can: cuts, crashes, lost disks, stalls, sleep,
 * clocks that jump, leases that are revoked, a coordinator that halts or is restored from a backup.
 *
 * What must hold is in `judge.ts`; after all is healed somebody answers, and all are in sync. `sweep.ts` runs more.
 */
import { describe, expect, it } from 'vitest'
import { runSchedule } from './schedule.ts'

const BLOCKS = 10
const SCHEDULES_EACH = 10

describe('schedules of trouble', () => {
  it.each(Array.from({ length: BLOCKS }, (_, block) => 1 + block * SCHEDULES_EACH))(
    'from seed %i',
    (first) => {
      for (let seed = first; seed < first + SCHEDULES_EACH; seed++) {
        const { faults, notes } = runSchedule(seed)
        expect(faults, `seed ${seed}:\n${notes.join('\n')}`).toEqual([])
      }
    },
  )

  it('are the same each time', () => {
    expect(runSchedule(42).notes).toEqual(runSchedule(42).notes)
  })
})
