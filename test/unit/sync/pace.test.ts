/**
 * pace.test.ts: how long work that nobody waits for rests.
 */
import { describe, expect, it } from 'vitest'
import {
  BESIDE_SHARE,
  CATCH_UP_MS,
  CATCH_UP_REST_MS_MAX,
  CATCH_UP_SHARE,
  CatchUpPace,
  REST_MS_MAX,
  restMs,
  runSlice,
  SLICE_MS,
} from '../../../sync/pace.ts'

it('takes its share of the time, and no more', () => {
  for (const tookMs of [0.05, 1, 1.3, 1.6]) {
    expect(tookMs / (tookMs + restMs(tookMs))).toBeCloseTo(BESIDE_SHARE)
  }
})

it('goes on at once where no time has passed, and soon after the longest slice', () => {
  expect(restMs(0)).toBe(0)
  expect(restMs(60_000)).toBe(REST_MS_MAX)
})

describe('who catches up', () => {
  /** Work and rest of so many pieces, milliseconds. */
  function spend(pace: CatchUpPace, pieces: number, tookMs: number) {
    let restedMs = 0
    for (let i = 0; i < pieces; i++) restedMs += pace.restMs(tookMs)
    return { workedMs: pieces * tookMs, restedMs }
  }

  it('takes its first share at first, and rests no longer than it should', () => {
    const { workedMs, restedMs } = spend(new CatchUpPace(), 100, 1)
    expect(workedMs / (workedMs + restedMs)).toBeCloseTo(CATCH_UP_SHARE, 2)
    expect(new CatchUpPace().restMs(60_000)).toBe(CATCH_UP_REST_MS_MAX)
  })

  it('takes all of it in the end, having lost less than half of the time until then', () => {
    const pace = new CatchUpPace()
    const { restedMs } = spend(pace, CATCH_UP_MS, 1)
    expect(restedMs).toBeGreaterThan(0.2 * CATCH_UP_MS)
    expect(restedMs).toBeLessThan(0.5 * CATCH_UP_MS)
    expect(pace.restMs(1)).toBe(0)
  })

  it.each([0.2, 0.6, 0.9, 0.99])('comes to the end where what arrives takes %d of the time', (arriving) => {
    const pace = new CatchUpPace()
    let leftMs = 2000
    let tookMs = 0
    while (leftMs > 0 && tookMs < 10_000_000) {
      const stepMs = 1 + pace.restMs(1)
      tookMs += stepMs
      leftMs += stepMs * arriving - 1
    }
    const unpacedMs = 2000 / (1 - arriving)
    expect(tookMs).toBeLessThan(unpacedMs + (0.5 * CATCH_UP_MS) / (1 - arriving))
  })
})

describe('a slice', () => {
  function slice(stepMs: number, stepsLeft: number) {
    let nowMs = 0
    let steps = 0
    const env = { monoMs: () => nowMs }
    const result = runSlice(env, () => {
      nowMs += stepMs
      return ++steps === stepsLeft
    })
    return { ...result, steps, tookMs: nowMs }
  }

  it('ends when its time is over, and rests for what it took', () => {
    const { isOver, steps, tookMs, restMs: rest } = slice(0.3 * SLICE_MS, 100)
    expect({ isOver, steps }).toEqual({ isOver: false, steps: 4 })
    expect(rest).toBeCloseTo(restMs(tookMs))
  })

  it('ends when nothing is left', () => {
    expect(slice(0.3, 2)).toMatchObject({ isOver: true, steps: 2 })
    expect(slice(5, 1)).toMatchObject({ isOver: true, steps: 1 })
    expect(slice(0, 1000)).toMatchObject({ isOver: true, steps: 1000 })
  })
})
