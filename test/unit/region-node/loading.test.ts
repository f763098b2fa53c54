/**
 * loading.test.ts: recovery in slices: others have their turn, progress is told, an error or a stop ends it.
 */
import { describe, expect, it } from 'vitest'
import { Loading } from '../../../region-node/loading.ts'
import type { RecoveryProgress } from '../../../region-node/persistence/recovery.ts'

/** A machine on which a step takes as long as the test says. */
function machine() {
  let nowMs = 1000
  const turns: (() => void)[] = []
  const reports: string[] = []
  const loading = new Loading({
    env: { monoMs: () => nowMs, wallMs: () => 5_000_000 + nowMs, defer: (task) => turns.push(task) },
    report: (sentence) => reports.push(sentence),
  })
  return {
    loading,
    reports,
    pass: (ms: number) => {
      nowMs += ms
    },
    /** Runs the next turn. @returns whether there was one */
    turn: () => {
      const task = turns.shift()
      task?.()
      return task !== undefined
    },
  }
}

function* steps(
  pass: (ms: number) => void,
  count: number,
  stepMs: number,
  phase: RecoveryProgress['phase'] = 'replaying',
): Generator<RecoveryProgress> {
  for (let i = 1; i <= count; i++) {
    pass(stepMs)
    yield { phase, bytesDone: i * 10, bytesTotal: count * 10 }
  }
}

describe('loading', () => {
  it('runs long enough to get on, and lets others have their turn', async () => {
    const { loading, pass, turn } = machine()
    const done = loading.run(steps(pass, 20, 10))
    const percents: number[] = []
    while (turn()) percents.push(loading.percent)
    expect(percents).toEqual([25, 50, 75, 100, 100])
    expect(await done).toBe(true)
  })

  it('says how far it is and how long it will take, for the phase it is in', () => {
    const { loading, pass, turn, reports } = machine()
    expect(loading.startedWallMs).toBe(5_001_000)
    expect(loading.etaSeconds).toBe(1)
    void loading.run(steps(pass, 10, 1000, 'loading'))
    turn()
    expect(loading.sentence).toBe('loading the snapshot, 10.0 %')
    turn()
    turn()
    turn()
    expect(loading.percent).toBe(40)
    // The phase is told with its first step, so its clock shows 3 s: 3 × 60 / 41.
    expect(loading.etaSeconds).toBe(4)
    expect(reports).toEqual([])
    turn()
    expect(reports).toEqual(['loading the snapshot, 50.0 %'])
    turn()
    expect(reports).toHaveLength(1)
  })

  it('ends with what a step throws', async () => {
    const { loading, turn } = machine()
    const done = loading.run(failing())
    turn()
    expect(turn()).toBe(false)
    await expect(done).rejects.toThrow('the log is damaged')
  })

  it('ends before the next slice when the node is to stop', async () => {
    const { loading, pass, turn } = machine()
    const done = loading.run(steps(pass, 20, 10))
    turn()
    loading.cancel()
    turn()
    expect(turn()).toBe(false)
    expect(await done).toBe(false)
    expect(loading.percent).toBe(25)
  })
})

function failing(): Iterator<RecoveryProgress> {
  return {
    next() {
      throw new Error('the log is damaged')
    },
  }
}
