/**
 * mesh.test.ts: meshes of fake hosts on a manual clock: convergence, cuts, relays, waits, limits.
 */
import { describe, expect, it } from 'vitest'
import { TAG } from '../../../crdt/effects/effect.ts'
import type { SyncSettings } from '../../../sync/settings.ts'
import { ManualClock } from '../../harness/manual-clock.ts'
import { MemoryHost, type MemoryNode, memoryNode } from '../../harness/memory-host.ts'
import { MemoryNetwork, type MemoryNetworkOptions } from '../../harness/memory-transport.ts'

const NAMES = ['A', 'B', 'C', 'D', 'E']

interface World {
  readonly clock: ManualClock
  readonly network: MemoryNetwork
  readonly nodes: MemoryNode[]
}

async function world(
  count: number,
  settings: Partial<SyncSettings> = {},
  seed = 1,
  options: Partial<MemoryNetworkOptions> = {},
): Promise<World> {
  const clock = new ManualClock(seed)
  const network = new MemoryNetwork(clock, options)
  const names = NAMES.slice(0, count)
  const nodes = names.map((name, i) =>
    memoryNode(
      clock,
      network,
      new MemoryHost(clock, name, i + 1),
      names.filter((other) => other !== name),
      settings,
    ),
  )
  for (const { mesh } of nodes) await mesh.start()
  return { clock, network, nodes }
}

function linkOf({ mesh }: MemoryNode, region: string) {
  return mesh.links().find((link) => link.region === region)!
}

function expectAgreement(nodes: readonly MemoryNode[]): void {
  const [first, ...others] = nodes
  for (const { host } of others) expect(host.applied.toWire()).toEqual(first!.host.applied.toWire())
}

describe('replication', () => {
  it('brings ops both ways within linger and delay', async () => {
    const { clock, nodes } = await world(2)
    clock.advance(50)
    nodes[0]!.host.write(3)
    nodes[1]!.host.write(2)
    clock.advance(1 + 3 + 1)
    expectAgreement(nodes)
    expect(nodes[0]!.host.applied.opCount).toBe(5)
    expect(linkOf(nodes[0]!, 'B')).toMatchObject({
      pull: 'streaming',
      serve: 'streaming',
      opsIn: 2,
      opsOut: 3,
    })
  })

  it('sends as many ops as are company enough without waiting for more', async () => {
    const { clock, nodes } = await world(2, { lingerMs: 1000, lingerOpsMax: 5 })
    clock.advance(50)
    nodes[0]!.host.write(1)
    clock.advance(3)
    expectAgreement(nodes)
    nodes[0]!.host.write(4)
    clock.advance(100)
    expect(nodes[1]!.host.applied.opCount).toBe(1)
    nodes[0]!.host.write(1)
    clock.advance(3)
    expectAgreement(nodes)
    nodes[0]!.host.write(4)
    clock.advance(100)
    expect(nodes[1]!.host.applied.opCount).toBe(6)
    clock.advance(1000)
    expectAgreement(nodes)
  })

  it('does not send back to a peer what the peer delivered', async () => {
    const { clock, nodes } = await world(2)
    clock.advance(50)
    for (let i = 0; i < 20; i++) {
      nodes[0]!.host.write()
      clock.advance(5)
    }
    clock.advance(3000)
    expect(linkOf(nodes[1]!, 'A')).toMatchObject({ opsIn: 20, opsOut: 0 })
  })

  it('after a cut sends the missing ops and nothing else', async () => {
    const { clock, network, nodes } = await world(2)
    clock.advance(50)
    for (let i = 0; i < 100; i++) nodes[0]!.host.write(1, 1000)
    clock.advance(100)
    network.cut('A', 'B')
    clock.advance(10)
    const missing = nodes[0]!.host.write(1, 1000)
    const { bytesIn, opsIn } = linkOf(nodes[1]!, 'A')
    network.heal('A', 'B')
    clock.advance(6000)
    expectAgreement(nodes)
    const after = linkOf(nodes[1]!, 'A')
    expect(after.opsIn - opsIn).toBe(1)
    // The rest is handshake and some seconds of heartbeats.
    expect(after.bytesIn - bytesIn).toBeLessThan(missing.length + 3000)
  })

  it('gives a node that lost its last ops in a crash what the others have of them', async () => {
    const { clock, network, nodes } = await world(3)
    clock.advance(50)
    const [a, b, c] = nodes as [MemoryNode, MemoryNode, MemoryNode]
    a.host.write(4)
    clock.advance(50)
    network.crash('A')
    const reborn = new MemoryHost(clock, 'A', 1)
    const restarted = memoryNode(clock, network, reborn, ['B', 'C'])
    await restarted.mesh.start()
    clock.advance(6000)
    reborn.write()
    clock.advance(50)
    expectAgreement([restarted, b, c])
    expect(reborn.applied.get(reborn.origins.intern(a.host.origin.id))).toBe(4)
  })

  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'converges under cuts, stalls, drops and crashes (seed %i)',
    async (seed) => {
      const count = 3 + (seed % 2)
      // Every other run has limits so low that they are reached all the time.
      const settings: Partial<SyncSettings> =
        seed % 2 === 0
          ? {}
          : { causalBufferBytesMax: 4000, unsentBytesMax: 500, sliceBytesMax: 100, releaseBytesMax: 300 }
      const { clock, network, nodes } = await world(count, settings, seed, { delayMsMin: 1, delayMsMax: 80 })
      const pick = (n: number): number => Math.floor(clock.random() * n)
      const names = NAMES.slice(0, count)
      for (let step = 0; step < 400; step++) {
        const [a, b] = [names[pick(count)]!, names[pick(count)]!]
        const dice = clock.random()
        if (dice < 0.5) nodes[pick(count)]!.host.write(1 + pick(3), pick(200))
        else if (dice < 0.6 && a !== b) network.cut(a, b)
        else if (dice < 0.75) network.heal(a, b)
        else if (dice < 0.78 && a !== b) network.stall(a, b)
        else if (dice < 0.82) network.unstall(a, b)
        else if (dice < 0.85 && a !== b) network.drop(a, b)
        else if (dice < 0.86) {
          network.crash(a)
          const { host } = nodes[names.indexOf(a)]!
          const left = host.restarted(Math.ceil(host.log.records.length * (0.7 + clock.random() * 0.3)))
          const others = names.filter((other) => other !== a)
          nodes[names.indexOf(a)] = memoryNode(clock, network, left, others, settings)
          await nodes[names.indexOf(a)]!.mesh.start()
        }
        clock.advance(pick(60))
      }
      for (const a of names) {
        for (const b of names) {
          network.heal(a, b)
          network.unstall(a, b)
        }
      }
      clock.advance(30_000)
      expectAgreement(nodes)
      for (const { mesh } of nodes) {
        expect(mesh.expiry.settledClockMs()).toBeGreaterThan(clock.wallMs() - 1500)
        for (const link of mesh.links()) {
          expect(link).toMatchObject({
            pull: 'streaming',
            serve: 'streaming',
            lagOps: 0,
            lagMs: 0,
            behindOps: 0,
          })
          expect(link.relays).toEqual([])
        }
      }
    },
  )
})

describe('relay', () => {
  it('goes through a third region while two cannot reach each other, and ends when they can', async () => {
    const { clock, network, nodes } = await world(3)
    const [a, b, c] = nodes as [MemoryNode, MemoryNode, MemoryNode]
    clock.advance(1500)
    network.cut('A', 'C')
    clock.advance(200)
    expect(linkOf(c, 'B').relays).toEqual([1])
    a.host.write(5)
    clock.advance(20)
    expectAgreement(nodes)
    network.heal('A', 'C')
    clock.advance(6000)
    expect(linkOf(c, 'B').relays).toEqual([])
    const before = linkOf(b, 'C').opsOut
    a.host.write(5)
    clock.advance(50)
    expectAgreement(nodes)
    expect(linkOf(b, 'C').opsOut).toBe(before)
  })

  it('serves a region that was never reached directly', async () => {
    const clock = new ManualClock()
    const network = new MemoryNetwork(clock)
    const a = memoryNode(clock, network, new MemoryHost(clock, 'A', 1), ['B'])
    const b = memoryNode(clock, network, new MemoryHost(clock, 'B', 2), ['A', 'C'])
    const c = memoryNode(clock, network, new MemoryHost(clock, 'C', 3), ['B'])
    for (const { mesh } of [a, b, c]) await mesh.start()
    a.host.write(2)
    c.host.write(3)
    clock.advance(4000)
    expectAgreement([a, b, c])
    expect(a.host.applied.opCount).toBe(5)
  })
})

describe('refusals, by name', () => {
  async function refused(change: (host: MemoryHost) => void, settings: Partial<SyncSettings> = {}) {
    const clock = new ManualClock()
    const network = new MemoryNetwork(clock)
    const a = memoryNode(clock, network, new MemoryHost(clock, 'A', 1), ['B'])
    const hostB = new MemoryHost(clock, 'B', 2)
    change(hostB)
    const b = memoryNode(clock, network, hostB, ['A'], settings)
    // Before listening under the new name, so that only the identity differs.
    await a.mesh.start()
    await b.mesh.start()
    clock.advance(2000)
    a.host.write()
    clock.advance(1000)
    expect(hostB.applied.opCount).toBe(0)
    return { a: a.mesh.links()[0]!, b: b.mesh.links()[0]! }
  }

  it('wrong-secret', async () => {
    const { a, b } = await refused(() => {}, { secret: 'other' })
    expect(b.lastError?.code).toBe('wrong-secret')
    expect(a.lastError?.code).toBe('wrong-secret')
    expect(b.lastError?.sentence).not.toContain('other')
  })

  it('duplicate-region-id', async () => {
    const { b } = await refused((host) => {
      host.identity = { ...host.identity, regionId: 1 }
    })
    expect(b.lastError?.code).toBe('duplicate-region-id')
    expect(b.lastError?.sentence).toContain('region-id 1')
  })

  it('partition-count', async () => {
    const { b } = await refused((host) => {
      host.identity = { ...host.identity, partitions: 4 }
    })
    expect(b.lastError?.code).toBe('partition-count')
    expect(b.lastError?.sentence).toMatch(/1 in region A and 4 in region B|4 in region B and 1 in region A/)
  })

  it('configuration names the setting and both values', async () => {
    const { a, b } = await refused((host) => {
      host.identity = { ...host.identity, configuration: { 'stream-id-mode': 'liberal' } }
    })
    for (const link of [a, b]) {
      expect(link.lastError?.code).toBe('configuration')
      expect(link.lastError?.sentence).toContain('stream-id-mode')
      expect(link.lastError?.sentence).toContain("'strict' in region A")
      expect(link.lastError?.sentence).toContain("'liberal' in region B")
    }
  })

  it('same-node: a copied data folder', async () => {
    const { b } = await refused((host) => {
      host.identity = { ...host.identity, nodeId: 'node-A' }
    })
    expect(b.lastError?.code).toBe('same-node')
  })

  it('unknown-region: a puller that is not configured', async () => {
    const clock = new ManualClock()
    const network = new MemoryNetwork(clock)
    const a = memoryNode(clock, network, new MemoryHost(clock, 'A', 1), [])
    const b = memoryNode(clock, network, new MemoryHost(clock, 'B', 2), ['A'])
    await a.mesh.start()
    await b.mesh.start()
    clock.advance(100)
    expect(b.mesh.links()[0]!.lastError).toMatchObject({ code: 'unknown-region' })
  })

  it('duplicate-region-id: two regions of a mesh that never link with each other', async () => {
    const clock = new ManualClock()
    const network = new MemoryNetwork(clock)
    const a = memoryNode(clock, network, new MemoryHost(clock, 'A', 1), ['B', 'C'])
    const b = memoryNode(clock, network, new MemoryHost(clock, 'B', 2), ['A'])
    const c = memoryNode(clock, network, new MemoryHost(clock, 'C', 2), ['A'])
    await a.mesh.start()
    await b.mesh.start()
    clock.advance(1000)
    await c.mesh.start()
    clock.advance(1000)
    expect(c.mesh.links()[0]!.lastError).toMatchObject({ code: 'duplicate-region-id' })
    expect(a.mesh.links()[0]).toMatchObject({ pull: 'streaming', serve: 'streaming' })
  })

  it('log-unavailable: the log cannot be read', async () => {
    const clock = new ManualClock()
    const network = new MemoryNetwork(clock)
    const a = memoryNode(clock, network, new MemoryHost(clock, 'A', 1), ['B'])
    a.host.write(3)
    a.host.log.read = () => {
      throw new Error('input/output error')
    }
    const b = memoryNode(clock, network, new MemoryHost(clock, 'B', 2), ['A'])
    await a.mesh.start()
    await b.mesh.start()
    clock.advance(500)
    expect(b.mesh.links()[0]!.lastError).toMatchObject({ code: 'log-unavailable' })
  })
})

describe('setLink', () => {
  it('cuts both directions, shows it at both ends, and heals at once', async () => {
    const { clock, nodes } = await world(2)
    const [a, b] = nodes as [MemoryNode, MemoryNode]
    clock.advance(1500)
    expect(a.mesh.setLink('nowhere', false)).toBe(false)
    expect(a.mesh.setLink('B', false)).toBe(true)
    clock.advance(20_000)
    a.host.write()
    b.host.write()
    clock.advance(10_000)
    expect(a.host.applied.opCount).toBe(1)
    expect(linkOf(a, 'B')).toMatchObject({ paused: true, pull: 'stopped', serve: 'absent', lagOps: 1 })
    expect(linkOf(a, 'B').lagMs).toBeGreaterThan(9000)
    expect(linkOf(b, 'A')).toMatchObject({ paused: false, lastError: { code: 'link-down' } })
    a.mesh.setLink('ALL', true)
    clock.advance(50)
    expectAgreement(nodes)
    expect(a.host.applied.opCount).toBe(2)
  })
})

describe('awaitDurable', () => {
  it('makes the peers hurry and counts them', async () => {
    const { clock, nodes } = await world(3)
    const [a, b] = nodes as [MemoryNode, MemoryNode]
    clock.advance(1500)
    a.host.write()
    const counts: number[] = []
    a.mesh.awaitDurable(a.host.applied.copy(), 1000, (count) => counts.push(count))
    clock.advance(12)
    expect(counts).toEqual([2])
    expect(b.host.hurries).toBe(1)
    a.mesh.awaitDurable(a.host.applied.copy(), 1000, (count) => counts.push(count))
    expect(counts).toEqual([2])
    clock.advance(1)
    expect(counts).toEqual([2, 2])
  })

  it('gives up at the timeout, does not wait for who is gone, and can be cancelled', async () => {
    const { clock, network, nodes } = await world(3)
    const [a] = nodes as [MemoryNode]
    clock.advance(1500)
    network.stall('A', 'B')
    a.host.write()
    const counts: number[] = []
    const note = (count: number): number => counts.push(count)
    a.mesh.awaitDurable(a.host.applied.copy(), 100, note)
    a.mesh.awaitDurable(a.host.applied.copy(), 0, note)
    a.mesh.awaitDurable(a.host.applied.copy(), 50, note).cancel()
    clock.advance(99)
    expect(counts).toEqual([])
    clock.advance(1)
    expect(counts).toEqual([1])
    network.cut('A', 'B')
    clock.advance(1)
    expect(counts).toEqual([1, 1])
  })
})

describe('clocks', () => {
  it('settles when the peers were heard and their ops are here', async () => {
    const { clock, network, nodes } = await world(3)
    const [a, b] = nodes as [MemoryNode, MemoryNode]
    expect(a.mesh.expiry.settledClockMs()).toBe(Number.NEGATIVE_INFINITY)
    clock.advance(3000)
    expect(a.mesh.expiry.settledClockMs()).toBeGreaterThan(clock.wallMs() - 1100)
    network.cut('A', 'B')
    network.cut('B', 'C')
    b.host.write()
    const cutMs = clock.wallMs()
    clock.advance(20_000)
    expect(a.mesh.expiry.settledClockMs()).toBeLessThanOrEqual(cutMs)
    network.heal('A', 'B')
    network.heal('B', 'C')
    clock.advance(8000)
    expect(a.mesh.expiry.settledClockMs()).toBeGreaterThan(clock.wallMs() - 1100)
  })

  it('go on after a while without a member that nobody hears, and wait for it again when it is heard', async () => {
    const { clock, network, nodes } = await world(3, { expireTakeoverMs: 60_000 })
    const [a, b, c] = nodes as [MemoryNode, MemoryNode, MemoryNode]
    clock.advance(3000)
    network.cut('A', 'C')
    clock.advance(70_000)
    // B hears C, and says so: C is not unheard, and may extend what A would remove.
    expect(a.mesh.expiry.settledClockMs()).toBeLessThan(clock.wallMs() - 60_000)
    expect(a.mesh.expiry.isDurableEverywhere(c.host.origin, 1)).toBe(false)
    network.cut('B', 'C')
    const cutMs = clock.wallMs()
    clock.advance(55_000)
    expect(a.mesh.expiry.settledClockMs()).toBeLessThan(cutMs)
    clock.advance(10_000)
    expect(a.mesh.expiry.settledClockMs()).toBeGreaterThan(clock.wallMs() - 1100)
    a.host.write()
    clock.advance(3000)
    for (const { host } of [a, b]) host.sync()
    clock.advance(3000)
    expect(a.mesh.expiry.settledClockMs()).toBeGreaterThan(clock.wallMs() - 1100)
    expect(a.mesh.expiry.isDurableEverywhere(a.host.origin, 1)).toBe(true)
    network.heal('A', 'C')
    network.heal('B', 'C')
    clock.advance(8000)
    c.host.write()
    network.stall('C', 'A')
    network.stall('C', 'B')
    const stalledMs = clock.wallMs()
    clock.advance(8000)
    expect(a.mesh.expiry.settledClockMs()).toBeLessThanOrEqual(stalledMs)
  })

  it('count an op when it is on every disk, their own among them', async () => {
    const { clock, nodes } = await world(2)
    const [a, b] = nodes as [MemoryNode, MemoryNode]
    clock.advance(50)
    a.host.write()
    const countedAfter = (step: () => void): boolean[] => {
      step()
      clock.advance(3000)
      return [a, b].map(({ host, mesh }) => {
        expect(mesh.expiry.settledClockMs()).toBeGreaterThan(clock.wallMs() - 1100)
        return mesh.expiry.isDurableEverywhere(host.origins.intern(a.host.origin.id), 1)
      })
    }
    expect(countedAfter(() => {})).toEqual([false, false])
    expect(countedAfter(() => b.host.sync())).toEqual([false, false])
    expect(countedAfter(() => a.host.sync())).toEqual([true, true])
  })

  it('wait for no disk where a region is alone', async () => {
    const { nodes } = await world(1)
    const [a] = nodes as [MemoryNode]
    a.host.write()
    expect(a.mesh.expiry.isDurableEverywhere(a.host.origin, 1)).toBe(true)
  })

  it('wait for a member never heard as long as for one that fell silent', async () => {
    const { clock, network, nodes } = await world(2, { expireTakeoverMs: 60_000 })
    network.cut('A', 'B')
    clock.advance(59_000)
    expect(nodes[0]!.mesh.expiry.settledClockMs()).toBe(Number.NEGATIVE_INFINITY)
    clock.advance(2000)
    expect(nodes[0]!.mesh.expiry.settledClockMs()).toBe(Number.POSITIVE_INFINITY)
  })

  it.each(['suspended', 'left'] as const)('do not wait for a region that is %s', async (status) => {
    const { clock, network, nodes } = await world(3)
    const [a] = nodes as [MemoryNode]
    clock.advance(3000)
    network.cut('A', 'C')
    network.cut('B', 'C')
    clock.advance(20_000)
    expect(a.mesh.expiry.settledClockMs()).toBeLessThan(clock.wallMs() - 19_000)
    const at = { origin: a.host.origin, seq: 1, index: 0, hlcHigh: 0, hlcLow: 0 }
    const effect = { tag: TAG.REGION, regionId: 3, name: 'C', url: '', status, epoch: 1 } as const
    a.host.membership.apply(effect, at, a.host.applied)
    a.mesh.membershipChanged()
    expect(a.mesh.expiry.settledClockMs()).toBeGreaterThan(clock.wallMs() - 1100)
  })

  it('goes on when a peer lost in a crash what it had announced', async () => {
    const { clock, network, nodes } = await world(2)
    const [a, b] = nodes as [MemoryNode, MemoryNode]
    clock.advance(1500)
    network.stall('B', 'A')
    // In B's memory and in its announcements, never in its log.
    b.host.applied.advance(b.host.origin, 7)
    clock.advance(1200)
    network.unstall('B', 'A')
    clock.advance(1200)
    network.crash('B')
    const lostMs = clock.wallMs()
    const reborn = memoryNode(clock, network, new MemoryHost(clock, 'B', 2), ['A'])
    await reborn.mesh.start()
    clock.advance(8000)
    expect(a.mesh.expiry.settledClockMs()).toBeGreaterThan(lostMs)
  })

  it('measures skew and round trip', async () => {
    const { clock, nodes } = await world(2, {}, 1, { delayMsMin: 40, delayMsMax: 40 })
    clock.advance(4000)
    const link = linkOf(nodes[0]!, 'B')
    expect(link.roundTripMs).toBe(80)
    expect(Math.abs(link.skewMs!)).toBeLessThanOrEqual(1)
  })
})

describe('limits', () => {
  it('reads no more of the log than a slow link takes', async () => {
    const { clock, network, nodes } = await world(2, { unsentBytesMax: 10_000, sliceBytesMax: 4000 })
    const [a] = nodes as [MemoryNode]
    clock.advance(1500)
    network.stall('A', 'B')
    for (let i = 0; i < 1000; i++) a.host.write(1, 1000)
    const before = a.host.log.readCount
    clock.advance(5000)
    expect(a.host.log.readCount - before).toBeLessThan(20)
    network.unstall('A', 'B')
    clock.advance(5000)
    expectAgreement(nodes)
  })

  it('closes a link whose ops have to wait beyond the limit, and still gets everything', async () => {
    const settings = { causalBufferBytesMax: 30_000, relayAfterMs: 60_000, relayBehindMs: 60_000 }
    const { clock, network, nodes } = await world(3, settings)
    const [a, b, c] = nodes as [MemoryNode, MemoryNode, MemoryNode]
    clock.advance(1500)
    network.cut('A', 'C')
    a.host.write()
    clock.advance(20)
    // Everything B writes depends on A's op, which C cannot get from A.
    const reasons = new Set<string | undefined>()
    for (let i = 0; i < 100; i++) {
      b.host.write(1, 1000)
      clock.advance(5)
      reasons.add(linkOf(c, 'B').lastError?.code)
    }
    clock.advance(10_000)
    expect(reasons).toContain('buffer-full')
    expectAgreement([b, c])
    network.heal('A', 'C')
    clock.advance(10_000)
    expectAgreement(nodes)
  })

  it('refuses a batch larger than the peer takes, by name', async () => {
    const { clock, nodes } = await world(2, { frameBytesMax: 5000 })
    const [a, b] = nodes as [MemoryNode, MemoryNode]
    clock.advance(1500)
    for (let i = 0; i < 20; i++) a.host.write(1, 1000)
    clock.advance(50)
    expectAgreement(nodes)
    a.host.write(1, 6000)
    clock.advance(50)
    expect(linkOf(b, 'A').lastError).toMatchObject({ code: 'record-too-large' })
  })

  it('ends a link that is silent, and comes back', async () => {
    const { clock, network, nodes } = await world(2)
    clock.advance(1500)
    network.stall('A', 'B')
    clock.advance(13_000)
    expect(linkOf(nodes[1]!, 'A').lastError?.code).toMatch(/silent|lost|handshake/)
    network.unstall('A', 'B')
    clock.advance(25_000)
    nodes[0]!.host.write()
    clock.advance(50)
    expectAgreement(nodes)
  })

  it('says nothing more after stop', async () => {
    const { clock, network, nodes } = await world(2)
    clock.advance(1500)
    nodes[0]!.host.write()
    await nodes[0]!.mesh.stop('maintenance')
    clock.advance(100)
    // What lingered was sent before the goodbye.
    expect(nodes[1]!.host.applied.opCount).toBe(1)
    expect(linkOf(nodes[1]!, 'A').lastError?.code).toMatch(/stopping|lost/)
    const { deliveredBytes } = network
    clock.advance(60_000)
    expect(network.deliveredBytes).toBe(deliveredBytes)
  })
})
