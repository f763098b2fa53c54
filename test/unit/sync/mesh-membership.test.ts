/**
 * mesh-membership.test.ts: what a mesh does when regions join, are suspended, come back or leave.
 */
import { describe, expect, it } from 'vitest'
import { TAG } from '../../../crdt/effects/effect.ts'
import type { RegionStatus } from '../../../crdt/effects/horizon-effects.ts'
import { ManualClock } from '../../harness/manual-clock.ts'
import { MemoryHost, type MemoryNode, memoryNode } from '../../harness/memory-host.ts'
import { MemoryNetwork } from '../../harness/memory-transport.ts'

const NAMES = ['A', 'B', 'C']

class World {
  readonly clock = new ManualClock()
  readonly network = new MemoryNetwork(this.clock, {})

  async node(name: string, peers: readonly string[], epoch = 0): Promise<MemoryNode> {
    const host = new MemoryHost(this.clock, name, NAMES.indexOf(name) + 1)
    host.identity = { ...host.identity, epoch }
    const node = memoryNode(this.clock, this.network, host, peers)
    host.membership.onChange = () => node.mesh.membershipChanged()
    await node.mesh.start()
    return node
  }
}

/** A node learns of a change, by an op of its own. */
function change({ host }: MemoryNode, name: string, status: RegionStatus, epoch: number, url = ''): void {
  const regionId = NAMES.indexOf(name) + 1
  const at = { origin: host.origin, seq: host.applied.get(host.origin) + 1, index: 0, hlcHigh: 0, hlcLow: 0 }
  host.membership.apply({ tag: TAG.REGION, regionId, name, url, status, epoch }, at, host.applied)
  host.write()
}

function peersOf({ mesh }: MemoryNode): string[] {
  return mesh.links().map(({ region }) => region)
}

function linkOf({ mesh }: MemoryNode, region: string) {
  return mesh.links().find((link) => link.region === region)
}

describe('a region that joins', () => {
  it('is dialed at its address, counts for the cut, and is let in', async () => {
    const world = new World()
    const a = await world.node('A', [])
    const b = await world.node('B', ['A'], 1)
    world.clock.advance(2000)
    expect(linkOf(b, 'A')).toMatchObject({ lastError: { code: 'unknown-region' } })
    change(a, 'B', 'member', 1, 'memory:B')
    // It has not been reached, and holds the cut already.
    expect([...a.mesh.cutMembers()]).toEqual([{ name: 'B', regionId: 2 }])
    expect(a.mesh.updateCut()).toMatchObject({ name: 'B', heardMsAgo: undefined })
    world.clock.advance(10_000)
    b.host.write()
    world.clock.advance(2000)
    expect(linkOf(a, 'B')).toMatchObject({ pull: 'streaming', serve: 'streaming' })
    expect(a.host.applied.toWire()).toEqual(b.host.applied.toWire())
    expect(a.mesh.updateCut()).not.toMatchObject({ heardMsAgo: undefined })
  })
})

describe('a region that leaves', () => {
  it('is cut off, told so, and let in no more', async () => {
    const world = new World()
    const [a, b] = [await world.node('A', ['B']), await world.node('B', ['A'])]
    world.clock.advance(2000)
    change(a, 'B', 'left', 1)
    expect(peersOf(a)).toEqual([])
    expect([...a.mesh.cutMembers()]).toEqual([])
    expect(a.mesh.cut.standing(2)).toBeUndefined()
    world.clock.advance(20_000)
    expect(linkOf(b, 'A')).toMatchObject({ pull: 'waiting', lastError: { code: 'region-left' } })
    expect(peersOf(a)).toEqual([])
  })
})

describe('a suspended region', () => {
  it('is told that it is behind, and what it says counts for nothing', async () => {
    const world = new World()
    const [a, b] = [await world.node('A', ['B']), await world.node('B', ['A'])]
    world.clock.advance(2000)
    const heardMs = a.mesh.cut.standing(2)?.heardMs
    expect(heardMs).toBeGreaterThan(0)
    change(a, 'B', 'suspended', 1)
    expect([...a.mesh.cutMembers()]).toEqual([])
    b.host.write()
    world.clock.advance(10_000)
    expect(linkOf(a, 'B')).toMatchObject({ pull: 'waiting', lastError: { code: 'region-behind' } })
    expect(a.host.applied.get(a.host.origins.intern(b.host.origin.id))).toBe(0)
    expect(a.mesh.cut.standing(2)?.heardMs).toBe(heardMs)
    expect([...a.mesh.returning()]).toEqual([2])
  })

  it('stays behind when it is back, until it knows so itself', async () => {
    const world = new World()
    const [a, b] = [await world.node('A', ['B']), await world.node('B', ['A'])]
    world.clock.advance(2000)
    change(a, 'B', 'suspended', 1)
    world.clock.advance(1000)
    change(a, 'B', 'member', 2)
    world.clock.advance(10_000)
    expect(linkOf(a, 'B')?.pull).toBe('waiting')
    expect([...a.mesh.returning()]).toEqual([])
    b.host.identity = { ...b.host.identity, epoch: 2 }
    b.mesh.membershipChanged()
    world.clock.advance(20_000)
    expect(linkOf(a, 'B')).toMatchObject({ pull: 'streaming', serve: 'streaming' })
    expect(a.mesh.cut.standing(2)?.heardMs).toBeGreaterThan(20_000)
  })
})

describe('a region that knows of a later change of its own', () => {
  it('is not behind: it was called back after this folder was copied', async () => {
    const world = new World()
    const a = await world.node('A', ['B'])
    change(a, 'B', 'suspended', 1)
    const b = await world.node('B', ['A'], 2)
    b.host.write()
    world.clock.advance(2000)
    expect(linkOf(a, 'B')).toMatchObject({ pull: 'streaming', lastError: undefined })
    expect(a.host.applied.get(a.host.origins.intern(b.host.origin.id))).toBe(1)
  })
})

describe('standings', () => {
  it('reach a region by way of another one', async () => {
    const world = new World()
    const [a, b, c] = [
      await world.node('A', ['B', 'C']),
      await world.node('B', ['A', 'C']),
      await world.node('C', ['A', 'B']),
    ]
    world.clock.advance(2000)
    world.network.cut('A', 'C')
    world.clock.advance(5000)
    for (const { host } of [a, b, c]) {
      host.write()
      world.clock.advance(100)
    }
    for (let i = 0; i < 5; i++) {
      for (const { host } of [a, b, c]) host.sync()
      world.clock.advance(3000)
    }
    expect(a.mesh.updateCut()).toBeUndefined()
    expect(a.mesh.cut.cut.opCount).toBe(3)
    // Through B, at the pace of heartbeats.
    const { heardMs } = a.mesh.cut.standing(3)!
    expect(world.clock.monoMs() - heardMs).toBeLessThan(3000)
  })
})
