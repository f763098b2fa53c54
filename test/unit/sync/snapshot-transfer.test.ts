/**
 * snapshot-transfer.test.ts: snapshots between fake hosts on a manual clock: who gets one, what goes on
 * meanwhile, and what happens when something breaks on the way.
 */
import { describe, expect, it } from 'vitest'
import { TAG } from '../../../crdt/effects/effect.ts'
import { VersionVector } from '../../../crdt/version-vector.ts'
import type { SyncSettings } from '../../../sync/settings.ts'
import { ManualClock } from '../../harness/manual-clock.ts'
import { MemoryHost, type MemoryNode, memoryNode } from '../../harness/memory-host.ts'
import { MemoryNetwork } from '../../harness/memory-transport.ts'

const MIB = 1024 * 1024

interface World {
  readonly clock: ManualClock
  readonly network: MemoryNetwork
  readonly nodes: Record<string, MemoryNode>
}

/** Regions A, B, ... none of them started. */
function world(names: string, bytesPerMs = Number.POSITIVE_INFINITY): World {
  const clock = new ManualClock()
  const network = new MemoryNetwork(clock, { bytesPerMs })
  const settings: Partial<SyncSettings> = { relayAfterMs: 100 }
  const nodes: Record<string, MemoryNode> = {}
  for (const [i, name] of [...names].entries()) {
    const others = [...names].filter((other) => other !== name)
    nodes[name] = memoryNode(clock, network, new MemoryHost(clock, name, i + 1), others, settings)
  }
  return { clock, network, nodes }
}

async function start({ nodes }: World): Promise<void> {
  for (const { mesh } of Object.values(nodes)) await mesh.start()
}

function linkOf({ mesh }: MemoryNode, region: string) {
  return mesh.links().find((link) => link.region === region)!
}

function expectEqual(...nodes: readonly MemoryNode[]): void {
  const [first, ...others] = nodes.map(({ host }) => host.applied.toWire())
  for (const other of others) expect(other).toEqual(first)
}

describe('a region whose ops were trimmed', () => {
  it('gets a snapshot that is made for it, and then the ops behind it', async () => {
    const all = world('AB')
    const { clock, nodes } = all
    const { A: a, B: b } = nodes as Record<string, MemoryNode>
    a!.host.write(5)
    a!.host.log.trim(a!.host.applied)
    await start(all)
    clock.advance(200)
    a!.host.write(3)
    clock.advance(200)
    expectEqual(a!, b!)
    expect(a!.host.snapshots.made).toBe(1)
    expect(b!.host.snapshots.results).toEqual(['adopted'])
    expect(linkOf(b!, 'A')).toMatchObject({ pull: 'streaming', lastError: undefined, opsIn: 3 })
    expect(linkOf(b!, 'A').snapshotIn).toBeUndefined()
    clock.advance(1500)
    expect(linkOf(a!, 'B').snapshotOut).toBeUndefined()
    expect(a!.host.snapshots.leases).toBe(0)
  })

  it('gets the newest one when there is one that the log goes on from', async () => {
    const all = world('AB')
    const { clock, nodes } = all
    const { A: a, B: b } = nodes as Record<string, MemoryNode>
    a!.host.write(5)
    a!.host.snapshots.make()
    a!.host.log.trim(a!.host.applied)
    a!.host.write(2)
    await start(all)
    clock.advance(200)
    expectEqual(a!, b!)
    expect(a!.host.snapshots.made).toBe(1)
    expect(linkOf(b!, 'A').opsIn).toBe(2)
  })

  it('gets a new one when the log does not go on from the newest', async () => {
    const all = world('AB')
    const { clock, nodes } = all
    const { A: a, B: b } = nodes as Record<string, MemoryNode>
    a!.host.snapshots.make()
    a!.host.write(5)
    a!.host.log.trim(a!.host.applied)
    await start(all)
    clock.advance(200)
    expectEqual(a!, b!)
    expect(a!.host.snapshots.made).toBe(2)
  })

  it('is trimmed while it reads: the link goes on, with a snapshot', async () => {
    const all = world('AB', 10)
    const { clock, nodes } = all
    const { A: a, B: b } = nodes as Record<string, MemoryNode>
    for (let i = 0; i < 3000; i++) a!.host.write(1, 1000)
    await start(all)
    clock.advance(2000)
    const before = b!.host.applied.opCount
    a!.host.log.trim(a!.host.applied)
    clock.advance(300_000)
    expect(before).toBeLessThan(2000)
    expectEqual(a!, b!)
    expect(b!.host.snapshots.results).toEqual(['adopted'])
  })

  it('takes ops of other regions meanwhile, and fetches from one peer only', async () => {
    const all = world('ABC', 1000)
    const { clock, nodes } = all
    const { A: a, B: b, C: c } = nodes as Record<string, MemoryNode>
    await a!.mesh.start()
    await b!.mesh.start()
    a!.host.write(5)
    b!.host.write(5)
    clock.advance(500)
    for (const { host } of [a!, b!]) {
      host.log.trim(host.applied)
      host.snapshots.padding = 4 * MIB
    }
    await c!.mesh.start()
    clock.advance(1000)
    const progress = [linkOf(c!, 'A').snapshotIn, linkOf(c!, 'B').snapshotIn]
    expect(progress.filter((one) => one !== undefined)).toMatchObject([{ phase: 'receiving' }])
    const giver = progress[0] === undefined ? b! : a!
    expect(linkOf(giver, 'C').snapshotOut).toMatchObject({ phase: 'sending' })
    clock.advance(20_000)
    expectEqual(a!, b!, c!)
    expect(a!.host.snapshots.made + b!.host.snapshots.made).toBe(1)
    expect(c!.host.snapshots.results).toEqual(['adopted'])
  })
})

describe('a link that breaks on the way', () => {
  it('goes on where it was when it is back', async () => {
    const all = world('AB', 1000)
    const { clock, network, nodes } = all
    const { A: a, B: b } = nodes as Record<string, MemoryNode>
    a!.host.write(5)
    a!.host.log.trim(a!.host.applied)
    a!.host.snapshots.padding = 8 * MIB
    await start(all)
    clock.advance(4000)
    const staged = b!.host.snapshots.stagedBytes
    expect(staged).toBeGreaterThan(2 * MIB)
    network.drop('A', 'B')
    network.deliveredBytes = 0
    clock.advance(20_000)
    expectEqual(a!, b!)
    expect(b!.host.snapshots.results).toEqual(['adopted'])
    expect(network.deliveredBytes).toBeLessThan(8.2 * MIB - staged)
    expect(a!.host.snapshots.leases).toBe(0)
  })

  it('begins anew with another one when the first is gone', async () => {
    const all = world('AB', 1000)
    const { clock, network, nodes } = all
    const { A: a, B: b } = nodes as Record<string, MemoryNode>
    a!.host.write(5)
    a!.host.log.trim(a!.host.applied)
    a!.host.snapshots.padding = 4 * MIB
    await start(all)
    clock.advance(2000)
    network.drop('A', 'B')
    a!.host.write(2)
    a!.host.snapshots.make()
    clock.advance(20_000)
    expectEqual(a!, b!)
    expect(b!.host.snapshots.results).toEqual(['adopted'])
  })

  it('asks another region when the first stays away', async () => {
    const all = world('ABC', 1000)
    const { clock, network, nodes } = all
    const { A: a, B: b, C: c } = nodes as Record<string, MemoryNode>
    await a!.mesh.start()
    await b!.mesh.start()
    a!.host.write(5)
    b!.host.write(5)
    clock.advance(500)
    for (const { host } of [a!, b!]) {
      host.log.trim(host.applied)
      host.snapshots.padding = 4 * MIB
    }
    await c!.mesh.start()
    clock.advance(1500)
    const giver = linkOf(c!, 'A').snapshotIn === undefined ? 'B' : 'A'
    network.cut(giver, 'C')
    clock.advance(60_000)
    expectEqual(a!, b!, c!)
    expect(c!.host.snapshots.results).toEqual(['adopted'])
  })
})

describe('a snapshot that cannot be made', () => {
  it('is asked for again', async () => {
    const all = world('AB')
    const { clock, nodes } = all
    const { A: a, B: b } = nodes as Record<string, MemoryNode>
    a!.host.write(5)
    a!.host.log.trim(a!.host.applied)
    a!.host.snapshots.failure = 'the disk is full'
    await start(all)
    clock.advance(8000)
    expect(b!.host.applied.opCount).toBe(0)
    a!.host.snapshots.failure = undefined
    clock.advance(8000)
    expectEqual(a!, b!)
  })

  it('is not needed any more when ops have come another way', async () => {
    const all = world('ABC')
    const { clock, network, nodes } = all
    const { A: a, B: b, C: c } = nodes as Record<string, MemoryNode>
    network.cut('A', 'C')
    await start(all)
    clock.advance(500)
    network.cut('B', 'C')
    a!.host.write(5)
    clock.advance(500)
    a!.host.log.trim(a!.host.applied)
    a!.host.snapshots.failure = 'the disk is full'
    network.heal('A', 'C')
    clock.advance(2000)
    expect(c!.host.applied.opCount).toBe(0)
    network.heal('B', 'C')
    clock.advance(20_000)
    expectEqual(a!, b!, c!)
    a!.host.write(2)
    clock.advance(100)
    expectEqual(a!, b!, c!)
    expect(linkOf(c!, 'A')).toMatchObject({ opsIn: 2, relays: [] })
  })

  it('is not fetched twice when it was of no use: the next one is new', async () => {
    const all = world('AB')
    const { clock, nodes } = all
    const { A: a, B: b } = nodes as Record<string, MemoryNode>
    a!.host.write(5)
    a!.host.log.trim(a!.host.applied)
    a!.host.snapshots.make()
    a!.host.write(2)
    b!.host.snapshots.refusal = 'it tells of a return that counts no more'
    await start(all)
    clock.advance(3000)
    expect(b!.host.snapshots.results).toEqual([{ failure: 'it tells of a return that counts no more' }])
    b!.host.snapshots.refusal = undefined
    clock.advance(8000)
    expect([a!.host.snapshots.made, b!.host.snapshots.results.at(-1)]).toEqual([2, 'adopted'])
    expectEqual(a!, b!)
  })

  it('is fetched from another region when that of the first was of no use', async () => {
    const all = world('ABC')
    const { clock, nodes } = all
    const { A: a, B: b, C: c } = nodes as Record<string, MemoryNode>
    await a!.mesh.start()
    await b!.mesh.start()
    a!.host.write(5)
    b!.host.write(5)
    clock.advance(500)
    for (const { host } of [a!, b!]) host.log.trim(host.applied)
    c!.host.snapshots.refusal = 'not every region knows of the return that it tells of'
    await c!.mesh.start()
    while (c!.host.snapshots.results.length < 2) clock.advance(1000)
    expect([a!.host.snapshots.made, b!.host.snapshots.made]).toEqual([1, 1])
    // Then from the first again: it may know by now.
    c!.host.snapshots.refusal = undefined
    while (c!.host.snapshots.results.length < 3) clock.advance(1000)
    expect(c!.host.snapshots.results[2]).toBe('adopted')
  })

  it('does not have to hold what lies behind the end of an origin', async () => {
    const all = world('AB')
    const { clock, nodes } = all
    const { A: a, B: b } = nodes as Record<string, MemoryNode>
    // B came to more of it by a snapshot than those who ended it hold.
    const id = '3-00000000000c'
    const held = new VersionVector(b!.host.origins)
    held.advance(b!.host.origins.intern(id), 9)
    b!.host.takeOver(held)
    const by = { origin: a!.host.origin, seq: 1, index: 0, hlcHigh: 0, hlcLow: 0 }
    const seal = { tag: TAG.SEAL, origin: a!.host.origins.intern(id), end: 0 } as const
    a!.host.membership.apply(seal, by, a!.host.applied)
    a!.host.write(5)
    a!.host.log.trim(a!.host.applied)
    await start(all)
    clock.advance(8000)
    expect(b!.host.snapshots.results).toEqual(['adopted'])
  })

  it('does not have to hold what a region that comes back has alone: that one takes it as it is', async () => {
    const all = world('AB')
    const { clock, nodes } = all
    const { A: a, B: b } = nodes as Record<string, MemoryNode>
    const alone = new VersionVector(b!.host.origins)
    alone.advance(b!.host.origins.intern('3-00000000000c'), 9)
    b!.host.takeOver(alone)
    const by = { origin: a!.host.origin, seq: 1, index: 0, hlcHigh: 0, hlcLow: 0 }
    const back = { tag: TAG.REGION, regionId: 2, name: 'B', url: '', status: 'member', epoch: 2 } as const
    a!.host.membership.apply(back, by, a!.host.applied)
    a!.host.write(5)
    await start(all)
    clock.advance(8000)
    expect(b!.host.snapshots.results[0]).toBe('adopted')
  })

  it('shows on both sides that it is being made', async () => {
    const all = world('AB')
    const { clock, nodes } = all
    const { A: a, B: b } = nodes as Record<string, MemoryNode>
    a!.host.write(5)
    a!.host.log.trim(a!.host.applied)
    a!.host.snapshots.makeMs = 12_000
    await start(all)
    clock.advance(3000)
    expect(linkOf(a!, 'B').snapshotOut).toEqual({ phase: 'preparing', done: 500, total: 1000 })
    expect(linkOf(b!, 'A').snapshotIn).toEqual({ phase: 'preparing', done: 500, total: 1000 })
    clock.advance(12_000)
    expectEqual(a!, b!)
    expect(b!.host.snapshots.informed.some((sentence) => sentence.includes('preparing, 50 %'))).toBe(true)
    expect(a!.host.snapshots.informed).toContain('snapshot for region B: preparing, 50 %')
  })
})

describe('a resync', () => {
  it('brings what the peer holds now, though nothing is missing, and ops flow meanwhile', async () => {
    const all = world('AB', 1000)
    const { clock, nodes } = all
    const { A: a, B: b } = nodes as Record<string, MemoryNode>
    await start(all)
    a!.host.write(5)
    clock.advance(500)
    a!.host.snapshots.make()
    a!.host.snapshots.padding = 2 * MIB
    a!.host.write(5)
    clock.advance(2000)
    expect(b!.mesh.resync('A')).toBeUndefined()
    clock.advance(1500)
    expect(linkOf(b!, 'A').snapshotIn).toMatchObject({ phase: 'receiving' })
    expect(b!.mesh.resync('A')).toMatch(/^a snapshot from region A is under way \(receiving, /)
    a!.host.write(4)
    clock.advance(600)
    // Not behind the snapshot but between its parts, though those before them take a second.
    expect(linkOf(b!, 'A').snapshotIn).toBeDefined()
    clock.advance(1000)
    expectEqual(a!, b!)
    clock.advance(10_000)
    // The one that was there does not hold what the peer holds now.
    expect(a!.host.snapshots.made).toBe(2)
    expect(b!.host.snapshots.results).toEqual(['adopted'])
  })

  it('is refused without a link, and given up when an operator cuts it', async () => {
    const all = world('AB', 1000)
    const { clock, nodes } = all
    const { A: a, B: b } = nodes as Record<string, MemoryNode>
    expect(b!.mesh.resync('A')).toBe('there is no link to region A to fetch a snapshot by')
    expect(b!.mesh.resync('X')).toBe('region X is no peer')
    await start(all)
    clock.advance(100)
    a!.host.write(1)
    a!.host.snapshots.padding = 4 * MIB
    expect(b!.mesh.resync('A')).toBeUndefined()
    clock.advance(2000)
    expect(b!.host.snapshots.stagedBytes).toBeGreaterThan(0)
    b!.mesh.setLink('A', false)
    expect(b!.host.snapshots.stagedBytes).toBe(0)
    expect(linkOf(b!, 'A').snapshotIn).toBeUndefined()
    b!.mesh.setLink('A', true)
    clock.advance(20_000)
    expectEqual(a!, b!)
    expect(b!.host.snapshots.results).toEqual([])
  })

  it('waits until the peer holds what is no longer in the own log', async () => {
    const all = world('AB')
    const { clock, network, nodes } = all
    const { B: b } = nodes as Record<string, MemoryNode>
    await start(all)
    clock.advance(100)
    network.stall('B', 'A')
    // The first one is on its way; the others wait for company.
    b!.host.write(1)
    b!.host.write(3)
    b!.host.log.trim(b!.host.applied)
    expect(b!.mesh.resync('A')).toBeUndefined()
    clock.advance(100)
    network.unstall('B', 'A')
    clock.advance(100)
    // It was refused: the peer could not give what it did not have.
    expect(b!.host.snapshots.results).toEqual([])
    expect(linkOf(b!, 'A').snapshotIn).toBeUndefined()
  })
})

describe('ops that came by a snapshot', () => {
  it('are in no log: who lacks them gets a snapshot in turn', async () => {
    const all = world('ABC')
    const { clock, network, nodes } = all
    const { A: a, B: b, C: c } = nodes as Record<string, MemoryNode>
    network.cut('A', 'C')
    await start(all)
    clock.advance(500)
    network.cut('A', 'B')
    a!.host.write(5)
    clock.advance(500)
    a!.host.log.trim(a!.host.applied)
    network.heal('A', 'B')
    clock.advance(20_000)
    expectEqual(a!, b!, c!)
    expect(b!.host.snapshots.results).toEqual(['adopted'])
    expect(c!.host.snapshots.results).toEqual(['adopted'])
    a!.host.write(2)
    clock.advance(5000)
    expectEqual(a!, b!, c!)
    expect(c!.host.snapshots.results).toEqual(['adopted'])
  })

  it('let go what waited for them', async () => {
    const all = world('ABC')
    const { clock, network, nodes } = all
    const { A: a, B: b, C: c } = nodes as Record<string, MemoryNode>
    network.cut('A', 'C')
    await a!.mesh.start()
    await b!.mesh.start()
    a!.host.write(5)
    clock.advance(500)
    a!.host.log.trim(a!.host.applied)
    b!.host.log.trim(b!.host.applied)
    // Depends on what C can only get inside a snapshot.
    b!.host.write(1)
    await c!.mesh.start()
    clock.advance(20_000)
    expectEqual(a!, b!, c!)
    expect(c!.mesh.waiting.batches).toBe(0)
  })
})
