/**
 * inbox.test.ts: which received batches count: limits of ended origins, regions that may not mint, and what
 * waits when that changes. That nothing comes too early, twice or with a gap is `memory-host.ts`'s to judge.
 */
import { describe, expect, it } from 'vitest'
import type { BatchReader } from '../../../crdt/codec/batch.ts'
import { TAG } from '../../../crdt/effects/effect.ts'
import type { RegionStatus } from '../../../crdt/effects/horizon-effects.ts'
import type { Origin } from '../../../crdt/origin.ts'
import { Inbox, type Source } from '../../../sync/inbox.ts'
import { encodeOps } from '../../../sync/messages.ts'
import { SYNC_DEFAULTS } from '../../../sync/settings.ts'
import { ManualClock } from '../../harness/manual-clock.ts'
import { MemoryHost } from '../../harness/memory-host.ts'

/** A host that takes of a batch what the limit of its origin allows, as the engine does. */
class Receiver extends MemoryHost {
  override apply(record: Uint8Array, batch: BatchReader): void {
    const { origin, firstSeq, opCount } = batch.header
    const last = Math.min(firstSeq + opCount - 1, this.membership.limitOf(origin))
    if (last === firstSeq + opCount - 1) super.apply(record, batch)
    else this.applied.advance(origin, last)
  }
}

class World {
  readonly clock = new ManualClock()
  readonly receiver = new Receiver(this.clock, 'A', 1)
  readonly b = new MemoryHost(this.clock, 'B', 2)
  readonly c = new MemoryHost(this.clock, 'C', 3)
  readonly inbox: Inbox<Source> = new Inbox(
    this.receiver,
    { ...SYNC_DEFAULTS, secret: '', peers: [] },
    { admits: () => true },
  )
  appliedCount = 0
  readonly source: Source = {
    delivered: () => {},
    applied: (count) => {
      this.appliedCount += count
    },
    accused: (why) => {
      throw new Error(why.sentence)
    },
  }

  take(...records: readonly Uint8Array[]): void {
    this.inbox.take(encodeOps(records), this.source)
  }

  /** The receiver's name for an origin of another host. */
  mine({ id }: Origin): Origin {
    return this.receiver.origins.intern(id)
  }

  get #by() {
    return { origin: this.receiver.origin, seq: 1, index: 0, hlcHigh: 0, hlcLow: 0 }
  }

  seal(origin: Origin, end: number): void {
    const { membership, applied } = this.receiver
    membership.apply({ tag: TAG.SEAL, origin: this.mine(origin), end }, this.#by, applied)
    this.inbox.reconsider()
  }

  fence(origin: Origin): void {
    const { membership, applied } = this.receiver
    membership.apply({ tag: TAG.FENCE, origin: this.mine(origin) }, this.#by, applied)
    this.inbox.reconsider()
  }

  status(regionId: number, status: RegionStatus, epoch: number): void {
    const { membership, applied } = this.receiver
    membership.apply({ tag: TAG.REGION, regionId, name: '', url: '', status, epoch }, this.#by, applied)
    this.inbox.reconsider()
  }

  /** C applies what B has. */
  bringToC(record: Uint8Array): void {
    const { origins, applied, log } = this.c
    const origin = origins.intern(this.b.origin.id)
    applied.join(this.c.applied)
    applied.advance(origin, this.b.applied.get(this.b.origin))
    log.append({ bytes: record, span: { partition: 0, origin, firstSeq: 1, opCount: 1 } })
  }

  has({ id }: Origin): number {
    return this.receiver.applied.get(this.receiver.origins.intern(id))
  }
}

describe('an ended origin', () => {
  it('is applied up to its end, also in the middle of a batch', () => {
    const world = new World()
    world.seal(world.b.origin, 3)
    world.take(world.b.write(2), world.b.write(2), world.b.write(1))
    expect(world.has(world.b.origin)).toBe(3)
    expect(world.appliedCount).toBe(3)
    expect(world.inbox.waitingBatches).toBe(0)
  })

  it('is not applied beyond a fence, and further again once the end is known', () => {
    const world = new World()
    const [first, second, third] = [world.b.write(), world.b.write(), world.b.write()]
    world.take(first)
    world.fence(world.b.origin)
    world.take(second, third)
    expect(world.has(world.b.origin)).toBe(1)
    expect(world.inbox.waitingBatches).toBe(0)
    world.seal(world.b.origin, 2)
    world.take(second, third)
    expect(world.has(world.b.origin)).toBe(2)
  })

  it('lets go of what waits behind its end, and of what has seen that', () => {
    const world = new World()
    const [first, second] = [world.b.write(), world.b.write()]
    world.bringToC(second)
    const stranded = world.c.write()
    world.take(second, stranded)
    expect(world.inbox.waitingBatches).toBe(2)
    world.seal(world.b.origin, 1)
    expect(world.inbox.waitingBatches).toBe(0)
    world.take(first, second, stranded)
    expect(world.has(world.b.origin)).toBe(1)
    expect(world.has(world.c.origin)).toBe(0)
    expect(world.inbox.waitingBatches).toBe(0)
  })

  it('holds nothing up: what waits and has seen no more than the end is applied', () => {
    const world = new World()
    const first = world.b.write()
    world.bringToC(first)
    const follows = world.c.write()
    world.take(follows)
    world.seal(world.b.origin, 1)
    expect(world.inbox.waitingBatches).toBe(1)
    world.take(first)
    world.inbox.release(1000)
    expect(world.has(world.c.origin)).toBe(1)
  })
})

describe('a region that may not mint', () => {
  it.each(['suspended', 'left'] as const)(
    'because it is %s still has what a member took of it before',
    (status) => {
      const world = new World()
      world.status(2, status, 1)
      const record = world.b.write()
      world.bringToC(record)
      world.take(world.c.write(), record)
      world.inbox.release(1000)
      expect([world.has(world.b.origin), world.has(world.c.origin)]).toEqual([1, 1])
    },
  )

  it('goes on with an origin that was known, up to its end', () => {
    const world = new World()
    world.take(world.b.write())
    world.status(2, 'suspended', 1)
    world.take(world.b.write())
    expect(world.has(world.b.origin)).toBe(2)
  })

  it('and is back has what others took of its former origins, once their end is known', () => {
    const world = new World()
    world.status(2, 'member', 2)
    const record = world.b.write()
    world.seal(world.b.origin, 1)
    world.take(record)
    expect(world.has(world.b.origin)).toBe(1)
  })

  it('begins anew with ops that have seen it come back', () => {
    const world = new World()
    world.status(2, 'member', 2)
    world.take(world.b.write())
    expect(world.has(world.b.origin)).toBe(0)
    const record = world.receiver.write()
    const { origin } = world.receiver
    world.b.newOrigin()
    world.b.applied.advance(world.b.origins.intern(origin.id), 1)
    world.take(world.b.write())
    expect(record.length).toBeGreaterThan(0)
    // It has seen the op that brought it back, but also an op of its own that was never taken here.
    expect(world.has(world.b.origin)).toBe(0)
    const fresh = new MemoryHost(world.clock, 'B', 2)
    fresh.applied.advance(fresh.origins.intern(origin.id), 1)
    world.take(fresh.write())
    expect(world.has(fresh.origin)).toBe(1)
  })
})
