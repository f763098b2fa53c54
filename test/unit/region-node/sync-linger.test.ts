/**
 * sync-linger.test.ts: ops wait longer for company while the node is busy, and only then.
 */
import { describe, expect, it } from 'vitest'
import { SyncLinger } from '../../../region-node/sync-linger.ts'

const BASE_MS = 2
const BUSY_MS = 32

describe('the linger before a send', () => {
  it('is the one that was set while the node has time to spare', () => {
    const linger = new SyncLinger({ busyShare: () => 0.5 }, () => BASE_MS)
    for (let send = 0; send < 100; send++) expect(linger.next()).toBe(BASE_MS)
  })

  it('is longer while the node is busy, and short again soon after', () => {
    let share = 1
    const linger = new SyncLinger({ busyShare: () => share }, () => BASE_MS)
    for (let send = 0; send < 20; send++) linger.next()
    expect(linger.next()).toBe(BUSY_MS)
    share = 0.2
    for (let send = 0; send < 20; send++) linger.next()
    expect(linger.next()).toBe(BASE_MS)
  })

  it('takes a single burst for no load', () => {
    let share = 0.3
    const linger = new SyncLinger({ busyShare: () => share }, () => BASE_MS)
    for (let send = 0; send < 20; send++) linger.next()
    share = 1
    expect(linger.next()).toBe(BASE_MS)
    expect(linger.next()).toBe(BASE_MS)
  })

  it('follows the setting, and may be none', () => {
    let baseMs = 0
    const linger = new SyncLinger({ busyShare: () => 1 }, () => baseMs)
    for (let send = 0; send < 20; send++) expect(linger.next()).toBe(0)
    baseMs = BASE_MS
    expect(linger.next()).toBe(BUSY_MS)
  })
})
