/**
 * catch-up.test.ts: when a node that catches up applies, rests and reads on.
 */
import { describe, expect, it } from 'vitest'
import { CatchUp } from '../../../sync/catch-up.ts'
import { CATCH_UP_MS, CATCH_UP_REST_MS_MAX, CATCH_UP_SHARE } from '../../../sync/pace.ts'
import { SYNC_DEFAULTS } from '../../../sync/settings.ts'
import { ManualClock } from '../../harness/manual-clock.ts'

const { sliceBytesMax, releaseBytesMax } = SYNC_DEFAULTS
/** What a slice of ops takes to be applied. */
const SLICE_COST_MS = 1
/** For a millisecond of work, at first. */
const REST_MS = 1 / CATCH_UP_SHARE - 1

/** A clock that also moves while something runs. */
class WorkingClock extends ManualClock {
  #workedMs = 0

  override monoMs(): number {
    return super.monoMs() + this.#workedMs
  }

  work(ms: number): void {
    this.#workedMs += ms
  }
}

class World {
  readonly clock = new WorkingClock()
  readonly host = { isJoining: true }
  /** Bytes that may be applied. */
  readyBytes = 0
  readonly releases: number[] = []
  readonly events: string[] = []
  readonly link = {
    pause: () => void this.events.push('pause'),
    resume: () => void this.events.push('resume'),
  }
  readonly catchUp: CatchUp

  constructor() {
    const world = this
    this.catchUp = new CatchUp({
      host: this.host,
      env: this.clock,
      settings: SYNC_DEFAULTS,
      inbox: {
        get hasReady() {
          return world.readyBytes > 0
        },
        release: (bytesMax) => this.#release(bytesMax),
      },
      released: () => this.catchUp.releaseSoon(),
    })
  }

  #release(bytesMax: number): void {
    this.releases.push(bytesMax)
    this.readyBytes = Math.max(0, this.readyBytes - bytesMax)
    this.clock.work((bytesMax / sliceBytesMax) * SLICE_COST_MS)
  }

  take(tookMs: number): void {
    this.catchUp.run(() => this.clock.work(tookMs))
    this.catchUp.releaseSoon()
    this.catchUp.rest(this.link)
  }
}

describe('a node that takes writes', () => {
  it('applies at once what is ready', () => {
    const world = new World()
    world.host.isJoining = false
    world.readyBytes = 3 * releaseBytesMax
    world.take(100)
    expect(world.catchUp.restMs).toBe(0)
    world.clock.advance(0)
    expect(world.releases).toEqual([releaseBytesMax, releaseBytesMax, releaseBytesMax])
  })

  it('lets its clients have a turn after some milliseconds in a row, and only then', () => {
    const world = new World()
    world.host.isJoining = false
    for (let i = 0; i < 7; i++) world.take(1)
    expect(world.events).toEqual([])
    world.take(1)
    expect(world.events).toEqual(['pause'])
    world.clock.advance(0)
    expect(world.events).toEqual(['pause', 'resume'])
    for (let i = 0; i < 7; i++) world.take(1)
    // Others had a turn meanwhile.
    world.clock.advance(2)
    for (let i = 0; i < 7; i++) world.take(1)
    expect(world.events).toEqual(['pause', 'resume'])
  })
})

describe('a node that joins', () => {
  it('reads no more while it rests for its work, then goes on', () => {
    const world = new World()
    world.take(3)
    expect(world.catchUp.restMs).toBeCloseTo(3 * REST_MS)
    world.clock.advance(3 * REST_MS - 0.1)
    expect(world.events).toEqual(['pause'])
    world.clock.advance(0.2)
    expect(world.events).toEqual(['pause', 'resume'])
  })

  it('does not rest for what takes no time', () => {
    const world = new World()
    world.take(0)
    expect(world.events).toEqual([])
  })

  it('applies what is ready in slices with rests between them, before it reads on', () => {
    const world = new World()
    world.readyBytes = 10 * sliceBytesMax
    world.take(1)
    world.clock.advance(5 * REST_MS)
    expect(world.releases.length).toBeLessThan(10)
    expect(world.events).toEqual(['pause'])
    world.clock.advance(20 * REST_MS)
    expect(world.releases).toEqual(Array.from({ length: 10 }, () => sliceBytesMax))
    expect(world.events).toEqual(['pause', 'resume'])
  })

  it('has all its links go on at once', () => {
    const world = new World()
    const other: string[] = []
    world.take(3)
    world.catchUp.run(() => world.clock.work(1))
    world.catchUp.rest({ pause: () => other.push('pause'), resume: () => other.push('resume') })
    world.clock.advance(10 * REST_MS)
    expect([world.events, other]).toEqual([
      ['pause', 'resume'],
      ['pause', 'resume'],
    ])
  })

  it('rests no more when it takes writes', () => {
    const world = new World()
    world.readyBytes = 10 * sliceBytesMax
    world.take(10)
    world.host.isJoining = false
    expect(world.catchUp.restMs).toBe(0)
    world.clock.advance(CATCH_UP_REST_MS_MAX + 1)
    expect(world.readyBytes).toBe(0)
    expect(world.events).toEqual(['pause', 'resume'])
  })

  it('rests no more when it did not catch up in time', () => {
    const world = new World()
    for (let ms = 0; ms < CATCH_UP_MS; ms++) world.catchUp.run(() => world.clock.work(1))
    world.clock.advance(CATCH_UP_MS)
    world.take(1)
    expect(world.events).toEqual([])
  })

  it('leaves no link paused when it stops', () => {
    const world = new World()
    world.take(5)
    world.catchUp.stop()
    expect(world.events).toEqual(['pause', 'resume'])
    world.clock.advance(100)
    expect(world.events).toEqual(['pause', 'resume'])
  })
})
