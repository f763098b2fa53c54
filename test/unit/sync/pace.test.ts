/**
 * pace.test.ts: how long work that nobody waits for rests.
 */
import { describe, expect, it } from 'vitest'
import { BESIDE_SHARE, REST_MS_MAX, restMs, runSlice, SLICE_MS } from '../../../sync/pace.ts'

it('takes its share of the time, and no more', () => {
  for (const tookMs of [0.05, 1, 1.3, 5]) {
    expect(tookMs / (tookMs + restMs(tookMs))).toBeCloseTo(BESIDE_SHARE)
  }
})

it('goes on at once where no time has passed, and soon after the longest slice', () => {
  expect(restMs(0)).toBe(0)
  expect(restMs(60_000)).toBe(REST_MS_MAX)
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
