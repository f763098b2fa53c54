/**
 * replicas.test.ts: how late a replica is, as its primary counts it, and what all in sync have.
 */
import { describe, expect, it } from 'vitest'
import { OriginTable } from '../../../crdt/origin.ts'
import { VersionVector } from '../../../crdt/version-vector.ts'
import type { Identity } from '../../../sync/ports.ts'
import { Replicas } from '../../../sync/replicas.ts'
import type { ServerLink } from '../../../sync/server-link.ts'

const ORIGIN = '1-00000000000a'

/** A primary that mints an op each millisecond, and one replica. */
class Primary {
  readonly #origins = new OriginTable()
  readonly #applied = VersionVector.fromWire(this.#origins, [[ORIGIN, 1]])
  readonly #link = {
    identity: { nodeId: 'n1' },
    connection: { remote: 'n1:1' },
    hasAll: () => {},
  } as unknown as ServerLink
  readonly replicas: Replicas
  nowMs = 1
  end = Number.POSITIVE_INFINITY

  constructor() {
    this.replicas = new Replicas({
      applied: this.#applied,
      offered: () => this.#applied,
      durable: () => this.#applied,
      endOf: () => this.end,
      nowMs: () => this.nowMs,
      changed: () => {},
    })
    this.replicas.accepted(this.#link, { nodeId: 'n1', host: 'n1', port: 1 } as Identity)
  }

  /** @param lateMs  how old what the replica acknowledges is; undefined: it acknowledges nothing */
  pass(ms: number, lateMs?: number): void {
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; ) {
      this.nowMs++
      this.#applied.advance(this.#origins.intern(ORIGIN), this.nowMs)
      if (this.nowMs % 1000 === 0) this.replicas.beat(this.nowMs)
      if (lateMs !== undefined) this.acknowledge(Math.max(1, this.nowMs - lateMs))
    }
  }

  acknowledge(upTo: number): void {
    const wire = [[ORIGIN, upTo]] as const
    this.replicas.acknowledged(this.#link, {
      ...{ type: 'ack', applied: wire, durable: wire, clockMs: 0, wallMs: 0, echoMs: 0, sentMs: 0 },
      ...{ origin: ORIGIN, fences: [] },
    })
  }

  get lateMs(): number {
    const [replica] = this.replicas.all
    return replica!.behindSinceMs === undefined ? 0 : this.nowMs - replica!.behindSinceMs
  }
}

describe('what the region acknowledges', () => {
  it('is what was fsynced when a member came in sync, until that one has more', () => {
    const primary = new Primary()
    const { replicas } = primary
    replicas.nameInSync(new Set())
    replicas.nameInSync(new Set(['n1']))
    // Nobody asks before the next fsync.
    primary.pass(50)
    expect(replicas.common.toWire()).toEqual([[ORIGIN, 1]])
    primary.acknowledge(20)
    expect(replicas.common.toWire()).toEqual([[ORIGIN, 20]])
    replicas.nameInSync(new Set())
    expect(replicas.common.toWire()).toEqual([[ORIGIN, 51]])
    replicas.nameInSync(new Set(['n1', 'n2']))
    primary.pass(10)
    expect(replicas.common.toWire()).toEqual([[ORIGIN, 51]])
  })

  it('is not known after a failover before those that were in sync have said what they have fsynced', () => {
    const primary = new Primary()
    const { replicas } = primary
    primary.pass(50)
    const [replica] = replicas.all
    replicas.nameInSync(new Set(['n1', 'n2']))
    expect(replicas.isCommonKnown).toBe(false)
    primary.acknowledge(20)
    expect(replicas.isCommonKnown).toBe(false)
    expect(replicas.common.toWire()).toEqual([])
    expect(replicas.isDurable(replica!)).toBe(false)
    // One that does not come is put out of sync. What the other one had is what the former primary may have acknowledged.
    replicas.nameInSync(new Set(['n1']))
    expect(replicas.isCommonKnown).toBe(true)
    expect(replicas.common.toWire()).toEqual([[ORIGIN, 20]])
  })

  it('is nothing less for one that wants to come in sync before it is known', () => {
    const primary = new Primary()
    const { replicas } = primary
    primary.pass(50)
    replicas.nameInSync(new Set(['n2']))
    replicas.nameInSync(new Set(['n1', 'n2']))
    primary.acknowledge(20)
    replicas.nameInSync(new Set(['n1']))
    expect(replicas.common.toWire()).toEqual([[ORIGIN, 51]])
    const [replica] = replicas.all
    expect(replicas.isDurable(replica!)).toBe(false)
  })
})

describe('an origin that is about to end', () => {
  it('may end when nobody in sync holds more, and nobody is in sync who was not heard', () => {
    const primary = new Primary()
    const { replicas } = primary
    const [origin] = [...replicas.common.entries()][0]!
    expect(replicas.mayEnd(origin, 1)).toBe(true)
    replicas.nameInSync(new Set(['n1']))
    expect(replicas.mayEnd(origin, 20)).toBe(false)
    primary.acknowledge(20)
    expect(replicas.mayEnd(origin, 20)).toBe(true)
    expect(replicas.mayEnd(origin, 19)).toBe(false)
    replicas.nameInSync(new Set())
    expect(replicas.mayEnd(origin, 19)).toBe(true)
  })

  it('leaves those who hold more to be rebuilt', () => {
    const primary = new Primary()
    const { replicas } = primary
    primary.acknowledge(20)
    const [replica] = replicas.all
    const [origin] = [...replica!.applied!.entries()][0]!
    expect(replicas.isBeyondEnd(replica!)).toBe(false)
    replicas.ending = new Map([[origin, 19]])
    expect(replicas.isBeyondEnd(replica!)).toBe(true)
    replicas.ending = new Map()
    expect(replicas.isBeyondEnd(replica!)).toBe(false)
    primary.end = 19
    expect(replicas.isBeyondEnd(replica!)).toBe(true)
  })
})

describe('a replica', () => {
  it('is as late as what it lacks is old, however long it has lacked the last few ops', () => {
    const primary = new Primary()
    primary.pass(60_000, 5)
    expect(primary.lateMs).toBeLessThan(50)
    primary.pass(10_000, 300)
    expect(primary.lateMs).toBeGreaterThan(250)
    expect(primary.lateMs).toBeLessThan(350)
    primary.acknowledge(primary.nowMs)
    expect(primary.lateMs).toBe(0)
  })

  it('is late that has acknowledged nothing for long, also after a long rest', () => {
    const primary = new Primary()
    primary.acknowledge(1)
    primary.nowMs = 100_000
    primary.replicas.beat(primary.nowMs)
    expect(primary.lateMs).toBe(0)
    primary.pass(5000)
    expect(primary.lateMs).toBeGreaterThan(3900)
  })

  it('stays late until it has come to what is new, when it was away for minutes', () => {
    const primary = new Primary()
    primary.pass(300_000)
    for (const share of [0.01, 0.1, 0.5, 0.9]) {
      primary.acknowledge(Math.round(primary.nowMs * share))
      expect(primary.lateMs).toBeGreaterThan((1 - share) * primary.nowMs - 5000)
    }
    primary.acknowledge(primary.nowMs)
    expect(primary.lateMs).toBe(0)
  })
})
