/**
 * sync-linger.test.ts: ops wait longer for company while the node is busy, and only then.
 */
import { beforeEach, describe, expect, it } from 'vitest'
import { SyncLinger } from '../../../region-node/sync-linger.ts'

const BASE_MS = 2
const BUSY_MS = 32

let nowMs: number
/** How busy the node is from the last look at it on. */
let share: number
let baseMs: number
let linger: SyncLinger

beforeEach(() => {
  nowMs = 0
  share = 0
  baseMs = BASE_MS
  linger = new SyncLinger({ busyShare: () => share, monoMs: () => nowMs }, () => baseMs)
})

/** Sends every millisecond. @returns the linger behind each */
function sendFor(ms: number): Set<number> {
  const all = new Set<number>()
  for (const endMs = nowMs + ms; nowMs < endMs; nowMs++) all.add(linger.next())
  return all
}

describe('the linger after a send', () => {
  it('is the one that was set while the node has time to spare', () => {
    share = 0.6
    expect(sendFor(5000)).toEqual(new Set([BASE_MS]))
  })

  it('is longer while the node is busy, and short again soon after', () => {
    share = 0.9
    sendFor(1000)
    expect(sendFor(1000)).toEqual(new Set([BUSY_MS]))
    share = 0.2
    sendFor(1000)
    expect(sendFor(1000)).toEqual(new Set([BASE_MS]))
  })

  it('does not change by a burst: a share is asked for twice a second at most', () => {
    let asked = 0
    const counting = { busyShare: () => ++asked, monoMs: () => nowMs }
    linger = new SyncLinger(counting, () => baseMs)
    sendFor(499)
    expect(asked).toBe(0)
    sendFor(9501)
    expect(asked).toBe(19)
  })

  it('follows the setting, and may be none', () => {
    share = 1
    baseMs = 0
    expect(sendFor(2000)).toEqual(new Set([0]))
    baseMs = BASE_MS
    expect(linger.next()).toBe(BUSY_MS)
  })
})
