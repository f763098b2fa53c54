/**
 * lease-clock.test.ts: lease time passes as fast as the faster of the two clocks, whatever either of them does.
 */
import { describe, expect, it } from 'vitest'
import { LeaseClock } from '../../region-node/cluster/lease-clock.ts'
import { Prng } from '../harness/prng.ts'

class TwoClocks {
  mono = 1000
  /** What the wall clock is ahead. */
  ahead = 1_700_000_000_000

  monoMs = (): number => this.mono
  wallMs = (): number => Math.floor(this.mono + this.ahead)

  pass(ms: number): void {
    this.mono += ms
  }
}

describe('lease time', () => {
  it('is monotonic time while both clocks agree, however often it is read', () => {
    const clocks = new TwoClocks()
    const clock = new LeaseClock(clocks)
    const startMs = clock.nowMs()
    for (let i = 0; i < 100_000; i++) {
      clocks.pass(0.1)
      clock.nowMs()
    }
    expect(clock.nowMs() - startMs).toBeCloseTo(10_000, 3)
  })

  it('goes on while the machine sleeps and the monotonic clock stands still', () => {
    const clocks = new TwoClocks()
    const clock = new LeaseClock(clocks)
    const startMs = clock.nowMs()
    clocks.ahead += 5000
    expect(clock.nowMs() - startMs).toBeGreaterThanOrEqual(4999)
  })

  it('goes on when the wall clock is set back', () => {
    const clocks = new TwoClocks()
    const clock = new LeaseClock(clocks)
    const startMs = clock.nowMs()
    clocks.pass(1000)
    clocks.ahead -= 600_000
    clock.nowMs()
    clocks.ahead += 600_000
    clocks.pass(1000)
    expect(clock.nowMs() - startMs).toBeGreaterThanOrEqual(2000)
  })

  it('of a past moment does not know of what came after it', () => {
    const clocks = new TwoClocks()
    const clock = new LeaseClock(clocks)
    const before = clocks.mono
    const beforeMs = clock.nowMs()
    clocks.pass(10)
    clocks.ahead += 5000
    clock.nowMs()
    expect(clock.atMs(before)).toBeLessThanOrEqual(beforeMs)
    expect(clock.nowMs() - clock.atMs(before)).toBeGreaterThanOrEqual(5009)
    expect(clock.atMs(clocks.mono)).toBe(clock.nowMs())
    expect(clock.atMs(before - 1)).toBe(Number.NEGATIVE_INFINITY)
  })

  it('is never behind either clock since any reading, and a past moment is never put too late', () => {
    const prng = new Prng(7)
    const wrong: string[] = []
    for (let run = 0; run < 200; run++) {
      const clocks = new TwoClocks()
      const clock = new LeaseClock(clocks)
      const readings: { leaseMs: number; mono: number; wall: number }[] = []
      for (let step = 0; step < 40; step++) {
        clocks.pass(prng.random() * 500)
        if (prng.chance(0.2)) clocks.ahead += (prng.random() * 2 - 1) * 10_000
        const reading = { leaseMs: clock.nowMs(), mono: clocks.mono, wall: clocks.wallMs() }
        for (const before of readings) {
          const passedMs = reading.leaseMs - before.leaseMs
          if (passedMs < reading.mono - before.mono - 1e-6)
            wrong.push(`run ${run}: behind the monotonic clock`)
          if (passedMs < reading.wall - before.wall - 2) wrong.push(`run ${run}: behind the wall clock`)
          if (clock.atMs(before.mono) > before.leaseMs + 1e-6) wrong.push(`run ${run}: the past is too late`)
        }
        readings.push(reading)
      }
    }
    expect(wrong).toEqual([])
  })
})
