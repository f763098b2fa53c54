/**
 * given-words.test.ts: what a node may say of whom it does not hear, once others may have acted upon its word.
 */
import { describe, expect, it } from 'vitest'
import { GivenWords, type HeardMember } from '../../../region-node/given-words.ts'

const LIMIT_MS = 10_000
const BINDS_MS = 25_000
const VALID_MS = 5000

/** A region that was last heard at one moment, as it is heard at another. */
function heard(regionId: number, heardMs: number, nowMs: number, epoch = 0): HeardMember {
  return { regionId, darkMs: nowMs - heardMs, epoch }
}

/** A node that said at 20,000 that it does not hear region 1, while it heard region 2. */
function spokenAgainst1(): GivenWords {
  const words = new GivenWords(VALID_MS)
  expect(words.say([heard(1, 0, 20_000), heard(2, 20_000, 20_000)], LIMIT_MS, BINDS_MS, 20_000)).toEqual([
    [1, 20_000],
    [2, 0],
  ])
  return words
}

describe('a word that was given', () => {
  it('is not given against the region that it was given to', () => {
    const words = spokenAgainst1()
    expect(words.binds(2)).toBe(true)
    // Region 1 is heard again, and 2 is not: it may have suspended 1 before.
    expect(
      words.say([heard(1, 40_000, 40_000), heard(2, 20_000, 40_000)], LIMIT_MS, BINDS_MS, 40_000),
    ).toEqual([
      [1, 0],
      [2, LIMIT_MS],
    ])
  })

  it('binds no more when the other region is suspended here as well', () => {
    const words = spokenAgainst1()
    expect(words.say([heard(2, 20_000, 40_000)], LIMIT_MS, BINDS_MS, 40_000)).toEqual([[2, 20_000]])
    expect(words.binds(2)).toBe(false)
  })

  it('binds no more when the other region went and came back', () => {
    const words = spokenAgainst1()
    words.say([heard(1, 40_000, 40_000, 2), heard(2, 20_000, 40_000)], LIMIT_MS, BINDS_MS, 40_000)
    expect(words.binds(2)).toBe(false)
  })

  it('binds until both were heard when it was too old to count', () => {
    const words = spokenAgainst1()
    const say = (nowMs: number, heard2Ms: number) =>
      words.say([heard(1, nowMs, nowMs), heard(2, heard2Ms, nowMs)], LIMIT_MS, BINDS_MS, nowMs)
    say(30_000, 30_000)
    expect(words.binds(2)).toBe(true)
    say(50_000, 30_000 + VALID_MS)
    expect(words.binds(2)).toBe(true)
    say(50_000, 30_001 + VALID_MS)
    expect(words.binds(2)).toBe(false)
  })

  it('binds no more when the region that it was given to may be gone for good', () => {
    const words = spokenAgainst1()
    words.say([heard(1, 45_000, 45_000), heard(2, 20_000, 45_000)], LIMIT_MS, BINDS_MS, 45_000)
    expect(words.binds(2)).toBe(true)
    const said = words.say([heard(1, 45_001, 45_001), heard(2, 20_000, 45_001)], LIMIT_MS, BINDS_MS, 45_001)
    expect(said).toEqual([
      [1, 0],
      [2, 25_001],
    ])
  })

  it('is not given to a region that was not heard itself', () => {
    const words = new GivenWords(VALID_MS)
    words.say([heard(1, 0, 20_000), heard(2, 14_000, 20_000)], LIMIT_MS, BINDS_MS, 20_000)
    expect(words.binds(2)).toBe(false)
  })
})
