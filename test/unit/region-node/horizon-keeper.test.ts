/**
 * horizon-keeper.test.ts: what nodes decide about the horizon: real engines and meshes in virtual time.
 */
import { describe, expect, it } from 'vitest'
import { TAG } from '../../../crdt/effects/effect.ts'
import { Membership } from '../../../crdt/membership.ts'
import type { Origin } from '../../../crdt/origin.ts'
import { VersionVector } from '../../../crdt/version-vector.ts'
import { DARK_MAX_MS, HorizonNode } from '../../harness/horizon-node.ts'
import { ManualClock } from '../../harness/manual-clock.ts'
import { MemoryNetwork } from '../../harness/memory-transport.ts'

const NAMES = ['A', 'B', 'C', 'D']

class World {
  readonly clock = new ManualClock()
  readonly network = new MemoryNetwork(this.clock, {})
  readonly nodes = new Map<string, HorizonNode>()
  readonly #names: readonly string[]

  constructor(count: number) {
    this.#names = NAMES.slice(0, count)
  }

  /** Starts a node; one that ran before begins with the first `recordCount` records of its log. */
  async start(name: string, lacking = false, recordCount = Number.POSITIVE_INFINITY): Promise<HorizonNode> {
    const log = this.nodes.get(name)?.records.slice(0, recordCount) ?? []
    const peers = this.#names.filter((other) => other !== name)
    const id = NAMES.indexOf(name) + 1
    const node = new HorizonNode(this.clock, this.network, name, id, peers, lacking, log)
    this.nodes.set(name, node)
    return await node.start()
  }

  async startAll(lacking = false): Promise<HorizonNode[]> {
    const started: HorizonNode[] = []
    for (const name of this.#names) started.push(await this.start(name, lacking))
    return started
  }

  cut(from: string, ...others: string[]): void {
    for (const other of others) this.network.cut(from, other)
  }

  advance(ms: number): void {
    this.clock.advance(ms)
  }
}

const REFUSED = /^-/

function statuses({ membership }: HorizonNode, count: number): string[] {
  return Array.from({ length: count }, (_, i) => membership.statusOf(i + 1))
}

describe('a node with a late tail', () => {
  it('mints nothing else before it', async () => {
    const world = new World(1)
    const a = await world.start('A')
    a.hasLateTail = true
    a.keeper.judge()
    expect(a.run('SET', 'k', 'v')).toMatch(/^-BEHIND .*comes first/)
    world.advance(10_000)
    expect(a.applied.opCount).toBe(0)
    a.hasLateTail = false
    a.keeper.judge()
    expect(a.run('SET', 'k', 'v')).toBe('+OK\r\n')
  })
})

describe('a node that may lack what its region acknowledged', () => {
  it('mints nothing, and serves reads, until a peer has let it in and it has what that one had', async () => {
    const world = new World(2)
    const a = await world.start('A')
    a.run('SET', 'k', 'v')
    const b = await world.start('B', true)
    expect(b.run('SET', 'l', 'v')).toMatch(REFUSED)
    expect(b.run('GET', 'k')).toBe('$-1\r\n')
    expect(b.applied.opCount).toBe(0)
    world.advance(3000)
    expect(b.run('GET', 'k')).toBe('$1\r\nv\r\n')
    expect(b.run('SET', 'l', 'v')).toBe('+OK\r\n')
    expect([b.keeper.lacking, b.settledAt]).toEqual([false, [1]])
  })

  it('waits as long as nobody can be asked', async () => {
    const world = new World(2)
    const b = await world.start('B', true)
    world.advance(100_000)
    expect(b.run('SET', 'l', 'v')).toMatch(REFUSED)
    expect(b.settledAt).toEqual([])
  })

  it('does not hold up a mesh in which all are new', async () => {
    const world = new World(3)
    const nodes = await world.startAll(true)
    world.advance(3000)
    for (const node of nodes) expect(node.run('SET', 'k', 'v')).toBe('+OK\r\n')
  })

  it('catches up with its own lost past before it mints', async () => {
    const world = new World(2)
    const [a, b] = await world.startAll()
    world.advance(2000)
    for (let i = 0; i < 20; i++) a!.run('INCR', 'n')
    world.advance(2000)
    await a!.crash()
    const restored = await world.start('A', true, 3)
    expect(restored.run('GET', 'n')).toBe('$1\r\n3\r\n')
    expect(restored.run('INCR', 'n')).toMatch(REFUSED)
    world.advance(10_000)
    expect(restored.settledAt).toEqual([20])
    expect(restored.run('INCR', 'n')).toBe(':21\r\n')
    world.advance(1000)
    expect(b!.run('GET', 'n')).toBe('$2\r\n21\r\n')
  })

  it('asks one that was suspended when its folder was copied: it may have come back since', async () => {
    const world = new World(2)
    const [a] = await world.startAll()
    world.advance(2000)
    world.cut('A', 'B')
    world.advance(2 * DARK_MAX_MS)
    expect(statuses(a!, 2)).toEqual(['member', 'suspended'])
    await a!.crash()
    const restored = await world.start('A', true)
    world.advance(10_000)
    expect(restored.run('SET', 'k', 'v')).toMatch(REFUSED)
  })

  it('is alone without peers, and mints', async () => {
    const a = await new World(1).start('A', true)
    expect(a.run('SET', 'k', 'v')).toBe('+OK\r\n')
  })
})

describe('a former origin', () => {
  it('is fenced and sealed at the end by its region, and the cut moves on', async () => {
    const world = new World(3)
    const [a, b, c] = await world.startAll()
    world.advance(2000)
    a!.run('SET', 'k', '1')
    const former = a!.engine.origin.id
    world.advance(2000)
    await a!.crash()
    const restarted = await world.start('A')
    world.advance(2000)
    restarted.run('SET', 'k', '2')
    world.advance(500)
    // Within three seconds of the start nothing is fenced: a crash loop leaves nothing behind.
    expect(b!.membership.fences.size + b!.membership.seals.size).toBe(0)
    world.advance(10_000)
    for (const node of [restarted, b!, c!]) {
      const { membership, origins, applied } = node
      expect(membership.sealOf(origins.intern(former))?.end).toBe(1)
      expect(membership.fences.size).toBe(0)
      expect(node.mesh.cut.cut.get(origins.intern(restarted.engine.origin.id))).toBeGreaterThan(0)
      expect(node.mesh.cut.cut.equals(applied)).toBe(true)
    }
  })

  it('is not sealed while a member has not answered, and holds the cut back', async () => {
    const world = new World(3)
    const [a, b, c] = await world.startAll()
    world.advance(2000)
    a!.run('SET', 'k', '1')
    const former = a!.engine.origin.id
    world.advance(2000)
    world.cut('C', 'A', 'B')
    await a!.crash()
    const restarted = await world.start('A')
    world.advance(20_000)
    restarted.run('SET', 'k', '2')
    world.advance(5000)
    expect(b!.membership.fences.size).toBe(1)
    expect(b!.membership.seals.size).toBe(0)
    for (const other of ['A', 'B']) world.network.heal('C', other)
    world.advance(20_000)
    for (const node of [restarted, b!, c!]) {
      expect(node.membership.sealOf(node.origins.intern(former))?.end).toBe(1)
      expect(node.mesh.cut.cut.equals(node.applied)).toBe(true)
    }
  })

  it('ends at the most that anybody has of it, and everybody gets the rest', async () => {
    const world = new World(3)
    const [a, b, c] = await world.startAll()
    world.advance(2000)
    a!.run('SET', 'k', '1')
    world.advance(1000)
    world.cut('A', 'C')
    world.cut('B', 'C')
    a!.run('SET', 'k', '2')
    a!.run('SET', 'k', '3')
    world.advance(1000)
    const former = a!.engine.origin.id
    await a!.crash()
    // A comes back without its last two ops; B alone has them.
    for (const [x, y] of [
      ['A', 'C'],
      ['B', 'C'],
    ] as const)
      world.network.heal(x, y)
    const restarted = await world.start('A', true, 1)
    world.advance(30_000)
    for (const node of [restarted, b!, c!]) {
      const origin = node.origins.intern(former)
      expect([node.membership.sealOf(origin)?.end, node.applied.get(origin)]).toEqual([3, 3])
      expect(node.run('GET', 'k')).toBe('$1\r\n3\r\n')
    }
  })

  it('is not reported as fenced by a member before its fence is durable there', async () => {
    const world = new World(2)
    const [a, b] = await world.startAll()
    world.advance(2000)
    a!.run('SET', 'k', '1')
    world.advance(1000)
    await a!.crash()
    // B fsyncs nothing any more.
    b!.sync = () => {}
    await world.start('A')
    world.advance(20_000)
    expect(b!.membership.fences.size).toBe(1)
    expect(world.nodes.get('A')!.membership.seals.size).toBe(0)
  })
})

describe('a dark member', () => {
  it('is suspended by the others, its origins end, and the cut moves on', async () => {
    const world = new World(3)
    const [a, b, c] = await world.startAll()
    world.advance(2000)
    c!.run('SET', 'k', 'seen')
    world.advance(1000)
    world.cut('C', 'A', 'B')
    c!.run('SET', 'k', 'in the dark')
    world.advance(DARK_MAX_MS - 2000)
    expect(statuses(a!, 3)).toEqual(['member', 'member', 'member'])
    world.advance(30_000)
    a!.run('SET', 'l', 'x')
    world.advance(3000)
    for (const node of [a!, b!]) {
      expect(statuses(node, 3)).toEqual(['member', 'member', 'suspended'])
      expect(node.membership.sealOf(node.origins.intern(c!.engine.origin.id))?.end).toBe(1)
      expect(node.mesh.cut.cut.equals(node.applied)).toBe(true)
    }
    expect([a!.reports.length, b!.reports.length]).toEqual([1, 0])
    // It goes on alone: it cannot know.
    expect(statuses(c!, 3)).toEqual(['member', 'member', 'member'])
    expect(c!.run('SET', 'k', 'still')).toBe('+OK\r\n')
  })

  it('ends at the answer of the one that has most of it, and the others get the rest', async () => {
    const world = new World(4)
    const [a, b, c, d] = await world.startAll()
    world.advance(2000)
    world.cut('D', 'A', 'B')
    world.cut('C', 'A', 'B')
    d!.run('SET', 'k', 'v')
    world.advance(500)
    await d!.crash()
    world.advance(DARK_MAX_MS - 1000)
    for (const other of ['A', 'B']) world.network.heal('C', other)
    const { id } = d!.engine.origin
    const origin = a!.origins.intern(id)
    // A suspends D before C has brought what it has of it.
    for (let waitedMs = 0; !a!.membership.fences.has(origin); waitedMs += 10) {
      expect(waitedMs).toBeLessThan(DARK_MAX_MS)
      world.advance(10)
    }
    expect(a!.membership.fences.get(origin)?.limit).toBe(0)
    world.advance(20_000)
    for (const node of [a!, b!, c!]) {
      expect(statuses(node, 4)).toEqual(['member', 'member', 'member', 'suspended'])
      expect(node.membership.sealOf(node.origins.intern(id))?.end).toBe(1)
      expect(node.run('GET', 'k')).toBe('$1\r\nv\r\n')
      expect(node.mesh.cut.cut.equals(node.applied)).toBe(true)
    }
  })

  it('is suspended sooner when the log that is kept for it grows too large', async () => {
    const world = new World(3)
    const nodes = await world.startAll()
    for (const node of nodes) node.darkMaxMs = 86_400_000
    world.advance(2000)
    world.cut('C', 'A', 'B')
    world.advance(120_000)
    expect(statuses(nodes[0]!, 3)).toEqual(['member', 'member', 'member'])
    nodes[0]!.logIsTooLong = true
    world.advance(5000)
    expect(statuses(nodes[1]!, 3)).toEqual(['member', 'member', 'suspended'])
  })

  it('is not suspended when another one hears it', async () => {
    const world = new World(3)
    const [a] = await world.startAll()
    world.advance(2000)
    world.cut('A', 'C')
    world.advance(3 * DARK_MAX_MS)
    expect(statuses(a!, 3)).toEqual(['member', 'member', 'member'])
  })

  it('of two is suspended by the lower region, never the lower one by the higher', async () => {
    const world = new World(2)
    const [a, b] = await world.startAll()
    world.advance(2000)
    world.cut('A', 'B')
    world.advance(2 * DARK_MAX_MS)
    expect(statuses(a!, 2)).toEqual(['member', 'suspended'])
    expect(statuses(b!, 2)).toEqual(['member', 'member'])
  })

  it('two halves never suspend each other', async () => {
    const world = new World(4)
    const [a, b, c, d] = await world.startAll()
    world.advance(2000)
    world.cut('A', 'C', 'D')
    world.cut('B', 'C', 'D')
    world.advance(2 * DARK_MAX_MS)
    expect(statuses(a!, 4)).toEqual(['member', 'member', 'suspended', 'suspended'])
    expect(statuses(b!, 4)).toEqual(['member', 'member', 'suspended', 'suspended'])
    for (const node of [c!, d!]) expect(new Set(statuses(node, 4))).toEqual(new Set(['member']))
  })

  /** A suspends C, and the op does not reach B any more: B’s links with A break, those with C work again. */
  async function shrunk() {
    const world = new World(3)
    const [a, b, c] = await world.startAll()
    world.advance(2000)
    world.cut('A', 'C')
    world.cut('B', 'C')
    for (let waitedMs = 0; a!.membership.statusOf(3) === 'member'; waitedMs += 10) {
      expect(waitedMs).toBeLessThan(2 * DARK_MAX_MS)
      world.advance(10)
      if (a!.membership.statusOf(3) !== 'member') world.cut('A', 'B')
    }
    world.network.heal('B', 'C')
    return { world, a: a!, b: b!, c: c! }
  }

  it('nor does one soon suspend another that it gave its word against a third', async () => {
    const { world, a, b, c } = await shrunk()
    world.advance(1.5 * DARK_MAX_MS)
    for (const node of [b, c]) expect(node.membership.statusOf(1)).toBe('member')
    world.network.heal('A', 'B')
    world.advance(2000)
    for (const node of [a, b]) expect(statuses(node, 3)).toEqual(['member', 'member', 'suspended'])
  })

  it('nor do they when one has shrunk and the other has not heard so', async () => {
    const { world, a, b, c } = await shrunk()
    world.advance(3 * DARK_MAX_MS)
    const byA = a.membership.statusOf(2)
    const byB = b.membership.statusOf(1)
    expect([byA, byB]).not.toEqual(['suspended', 'suspended'])
    // B and C are most of the regions that all know of; A alone is not.
    expect([byA, byB, c.membership.statusOf(1)]).toEqual(['member', 'suspended', 'suspended'])
  })

  it('comes back when it is heard and all its origins are applied to their ends', async () => {
    const world = new World(2)
    const [a] = await world.startAll()
    world.advance(2000)
    world.cut('A', 'B')
    world.advance(2 * DARK_MAX_MS)
    expect(statuses(a!, 2)).toEqual(['member', 'suspended'])
    world.network.heal('A', 'B')
    world.advance(10_000)
    expect(statuses(a!, 2)).toEqual(['member', 'member'])
    expect(a!.membership.epochOf(2)).toBe(2)
  })
})

describe('a suspended region', () => {
  it('is called back by nobody who is in the dark itself', async () => {
    const world = new World(4)
    const [a, , c] = await world.startAll()
    world.advance(2000)
    world.cut('D', 'A', 'B', 'C')
    world.advance(DARK_MAX_MS + 20_000)
    expect(statuses(c!, 4)).toEqual(['member', 'member', 'member', 'suspended'])
    // It reaches C alone, which nobody else hears.
    world.cut('C', 'A', 'B')
    world.network.heal('C', 'D')
    world.advance(DARK_MAX_MS / 2)
    expect(c!.membership.epochOf(4)).toBe(1)
    world.network.heal('A', 'D')
    world.network.heal('A', 'C')
    world.advance(20_000)
    expect(a!.membership.statusOf(4)).toBe('member')
    expect(c!.membership.epochOf(4)).toBe(2)
  })

  it('waits until all know that it is back, but for one that is coming back itself', async () => {
    const world = new World(3)
    const [a, , c] = await world.startAll()
    world.advance(2000)
    c!.run('SET', 'k', 'v')
    const caller = c!.origins.intern(a!.engine.origin.id)
    const called = new Membership()
    for (const [i, name] of ['B', 'C'].entries()) {
      const at = { origin: caller, seq: 5 + i, index: 0, hlcHigh: 0, hlcLow: 0 }
      const effect = { tag: TAG.REGION, regionId: 2 + i, name, url: '', status: 'member', epoch: 2 } as const
      called.apply(effect, at, c!.applied)
    }
    const stands = (regionId: number, origin: Origin, seq: number): void => {
      const durable = new VersionVector(c!.origins)
      durable.advance(caller, seq)
      c!.mesh.cut.heard({
        regionId,
        origin,
        durable,
        fences: new Map(),
        heardMs: world.clock.monoMs(),
        clockMs: 0,
      })
    }
    const other = c!.origins.intern('2-00000000000b')
    stands(1, caller, 5)
    stands(2, other, 4)
    expect(c!.keeper.mayReturn(called)).toBe(false)
    // A knows. B does not know of its own return: it waits for the same.
    stands(1, caller, 6)
    expect(c!.keeper.mayReturn(called)).toBe(true)
    stands(2, other, 5)
    expect(c!.keeper.mayReturn(called)).toBe(false)
    stands(2, other, 6)
    expect(c!.keeper.mayReturn(called)).toBe(true)
  })

  it('waits for one that it suspended itself, and not for one that it added, in the dark', async () => {
    const world = new World(3)
    const [a, , c] = await world.startAll()
    world.advance(2000)
    c!.keeper.change(2, 'B', '', 'suspended')
    c!.keeper.change(4, 'D', 'ws://d', 'member')
    const caller = c!.origins.intern(a!.engine.origin.id)
    const called = new Membership()
    const at = { origin: caller, seq: 5, index: 0, hlcHigh: 0, hlcLow: 0 }
    const back = { tag: TAG.REGION, regionId: 3, name: 'C', url: '', status: 'member', epoch: 2 } as const
    called.apply(back, at, c!.applied)
    const durable = new VersionVector(c!.origins)
    durable.advance(caller, 5)
    const heard = { durable, fences: new Map(), heardMs: world.clock.monoMs(), clockMs: 0 }
    c!.mesh.cut.heard({ ...heard, regionId: 1, origin: caller })
    expect(c!.keeper.mayReturn(called)).toBe(false)
    c!.mesh.cut.heard({ ...heard, regionId: 2, origin: c!.origins.intern('2-00000000000b') })
    expect(c!.keeper.mayReturn(called)).toBe(true)
  })
})

describe('a region that is back', () => {
  it('decides nothing about origins and regions before it has what those had who knew of its return', async () => {
    const { world, b, former, durable } = await calledBack()
    world.advance(3000)
    expect(b.membership.fences.size).toBe(0)
    b.applied.join(durable)
    world.advance(3000)
    expect([...b.membership.fences.keys()]).toEqual([former])
  })

  it('nor waits for what one had that is suspended by now: it may never come', async () => {
    const { world, b, former, caller } = await calledBack()
    const gone = { tag: TAG.REGION, regionId: 1, name: 'A', url: '', status: 'suspended', epoch: 1 } as const
    b.membership.apply(gone, { origin: b.engine.origin, seq: 1, index: 0, hlcHigh: 0, hlcLow: 0 }, b.applied)
    world.advance(3000)
    expect([...b.membership.seals.keys()]).toEqual(expect.arrayContaining([former, caller]))
  })

  it('may name any marker until it says under which origin it goes on', async () => {
    const world = new World(2)
    const [a, b] = await world.startAll()
    world.advance(4000)
    const markers = new VersionVector(a!.origins)
    markers.advance(a!.engine.origin, 1)
    const known = a!.origins.intern(b!.engine.origin.id)
    for (const origin of [a!.engine.origin, known]) {
      const at = { origin, seq: 1, index: 0, hlcHigh: 0, hlcLow: 0 }
      a!.membership.apply({ tag: TAG.CUT, ends: [...markers.entries()] }, at, a!.applied)
    }
    expect(a!.keeper.announced()?.toWire()).toEqual(markers.toWire())
    const at = { origin: a!.engine.origin, seq: 2, index: 0, hlcHigh: 0, hlcLow: 0 }
    a!.membership.apply({ tag: TAG.SEAL, origin: known, end: 0 }, at, a!.applied)
    expect(a!.keeper.announced()).toBeUndefined()
  })
})

/** A has called B back, and had seen a former origin of B then, which is to be fenced. B knows, and has none of it. */
async function calledBack() {
  const world = new World(2)
  const [a, b] = (await world.startAll()) as [HorizonNode, HorizonNode]
  world.advance(4000)
  world.cut('A', 'B')
  const caller = b.origins.intern(a.engine.origin.id)
  const at = { origin: caller, seq: 5, index: 0, hlcHigh: 0, hlcLow: 0 }
  const back = { tag: TAG.REGION, regionId: 2, name: 'B', url: '', status: 'member', epoch: 2 } as const
  b.membership.apply(back, at, b.applied)
  const former = b.origins.intern('2-0000000000ff')
  const durable = new VersionVector(b.origins)
  durable.advance(caller, 6)
  durable.advance(former, 1)
  b.mesh.cut.heard({
    regionId: 1,
    origin: caller,
    durable,
    fences: new Map(),
    heardMs: world.clock.monoMs(),
    clockMs: 0,
  })
  return { world, b, former, caller, durable }
}

describe('an operator', () => {
  it('removes a region: its origins end, the cut goes on without it, and it mints nothing more', async () => {
    const world = new World(3)
    const [a, b, c] = await world.startAll()
    world.advance(2000)
    c!.run('SET', 'k', 'v')
    world.advance(1000)
    a!.keeper.change(3, 'C', '', 'left')
    a!.engine.endBatch()
    world.advance(30_000)
    for (const node of [a!, b!]) {
      expect(statuses(node, 3)).toEqual(['member', 'member', 'left'])
      expect(node.mesh.links().map(({ region }) => region)).not.toContain('C')
      expect(node.mesh.cut.cut.equals(node.applied)).toBe(true)
      expect(node.run('GET', 'k')).toBe('$1\r\nv\r\n')
    }
  })

  it('removes a region from within: the others can go on with what has seen that', async () => {
    const world = new World(3)
    const [a, b, c] = await world.startAll()
    world.advance(2000)
    c!.run('SET', 'k', 'v')
    c!.keeper.change(3, 'C', '', 'left')
    c!.engine.endBatch()
    world.advance(2000)
    expect(c!.run('SET', 'k', 'w')).toMatch(REFUSED)
    a!.run('SET', 'l', 'v')
    world.advance(30_000)
    expect(b!.run('MGET', 'k', 'l')).toBe('*2\r\n$1\r\nv\r\n$1\r\nv\r\n')
    for (const node of [a!, b!]) {
      const origin = node.origins.intern(c!.engine.origin.id)
      expect(node.membership.sealOf(origin)?.end).toBe(node.applied.get(origin))
      expect(node.mesh.cut.cut.equals(node.applied)).toBe(true)
    }
  })
})
