/**
 * meters.test.ts: lag and the settled expiry clock against what they claim to measure.
 */
import { describe, expect, it } from 'vitest'
import { OriginTable } from '../../../crdt/origin.ts'
import { VersionVector } from '../../../crdt/version-vector.ts'
import { LagMeter } from '../../../sync/lag-meter.ts'
import { SettledClock } from '../../../sync/settled-clock.ts'

describe('settled clock', () => {
  const origins = new OriginTable()
  const at = (seq: number, other = 0): VersionVector =>
    VersionVector.fromWire(origins, [
      ['2-00000000000b', seq],
      ['3-00000000000c', other],
    ])

  it('settles when the ops of that region are here, whatever else the peer had', () => {
    const clock = new SettledClock()
    expect(clock.settledMs(2, at(9))).toBe(Number.NEGATIVE_INFINITY)
    clock.announce(at(5, 100), at(0), 1000, 10)
    expect(clock.settledMs(2, at(4))).toBe(Number.NEGATIVE_INFINITY)
    expect(clock.behindSinceMs(2, at(4))).toBe(10)
    expect(clock.settledMs(2, at(5))).toBe(1000)
    expect(clock.behindSinceMs(2, at(5))).toBeUndefined()
  })

  it('knows what the peer had fsynced when it announced the settled clock', () => {
    const clock = new SettledClock()
    const third = origins.intern('3-00000000000c')
    expect(clock.hadFsynced(third, 1)).toBe(false)
    clock.announce(at(5, 10), at(4, 7), 1000, 10)
    clock.announce(at(6, 10), at(6, 9), 2000, 20)
    clock.settledMs(2, at(5))
    expect([clock.hadFsynced(third, 7), clock.hadFsynced(third, 8)]).toEqual([true, false])
    clock.settledMs(2, at(6))
    expect(clock.hadFsynced(third, 9)).toBe(true)
  })

  it('learns nothing of what a peer has fsynced that cannot tell its clock', () => {
    const clock = new SettledClock()
    clock.announce(at(5, 10), at(4, 7), 1000, 10)
    clock.announce(at(5, 10), at(4, 9), 0, 20)
    expect(clock.settledMs(2, at(5))).toBe(1000)
    expect(clock.hadFsynced(origins.intern('3-00000000000c'), 9)).toBe(false)
  })

  it('goes on under steady load, though the newest announcement is never covered', () => {
    const clock = new SettledClock()
    for (let i = 1; i <= 100; i++) {
      clock.announce(at(i), at(i), 1000 + i, i)
      clock.settledMs(2, at(i - 3))
    }
    expect(clock.settledMs(2, at(97))).toBeGreaterThan(1090)
    expect(clock.settledMs(2, at(97))).toBeLessThanOrEqual(1097)
  })
})

describe('lag meter', () => {
  it('tells the age of the oldest op that is lacking', () => {
    const meter = new LagMeter()
    expect(meter.lagMs(0)).toBe(0)
    meter.minted(10, 100, 20)
    meter.minted(20, 110, 20)
    meter.minted(30, 200, 20)
    expect(meter.lagMs(300)).toBe(200)
    meter.applied(10)
    expect(meter.lagMs(300)).toBe(100)
    meter.applied(30)
    expect(meter.lagMs(300)).toBe(0)
  })

  it('keeps the oldest note through a long cut', () => {
    const meter = new LagMeter()
    for (let i = 1; i <= 10_000; i++) meter.minted(i, i * 100, 20)
    expect(meter.lagMs(1_000_000)).toBe(1_000_000 - 100)
    meter.applied(5000)
    expect(meter.lagMs(1_000_000)).toBeLessThanOrEqual(500_000)
    expect(meter.lagMs(1_000_000)).toBeGreaterThan(0)
  })
})
