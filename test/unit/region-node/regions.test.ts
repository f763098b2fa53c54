/**
 * regions.test.ts: what a node tells of the regions and of the horizon between them: whole nodes in virtual
 * time, so that hours of silence cost nothing.
 */
import { describe, expect, it } from 'vitest'
import { Session } from '../../../region-node/commands/session.ts'
import type { NodeCore } from '../../../region-node/core.ts'
import { describeHoldup, duration, horizonOf, regionsOf } from '../../../region-node/regions.ts'
import { MemoryNetwork } from '../../harness/memory-transport.ts'
import { Prng } from '../../harness/prng.ts'
import { SimClock } from '../../harness/sim-clock.ts'
import { type DiskFaults, SimDisk } from '../../harness/sim-disk.ts'
import { SimWallClock } from '../../harness/sim-env.ts'
import { quietObserver, SimNode } from '../../harness/sim-node.ts'

const HOUR_MS = 3_600_000
const DARK_MAX_MS = 2 * HOUR_MS

const HEALTHY_DISK: DiskFaults = {
  syncMsMin: 1,
  syncMsMax: 2,
  slowSyncChance: 0,
  slowSyncMs: 0,
  syncErrorChance: 0,
  pageBytes: 4096,
}

class World {
  readonly clock = new SimClock()
  readonly network: MemoryNetwork
  readonly nodes = new Map<string, SimNode>()
  readonly #prng = new Prng(7)

  constructor() {
    const chance = this.#prng.fork('network')
    this.network = new MemoryNetwork({
      after: (delayMs, task) => this.clock.after(delayMs, task),
      monoMs: () => this.clock.nowMs,
      random: () => chance.random(),
    })
  }

  async start(name: string, id: number, peers: readonly string[]): Promise<void> {
    const prng = this.#prng.fork(name)
    const settings = {
      region: name,
      'region-id': id,
      dir: '/data',
      'sync-port': 1,
      'sync-secret': 'secret',
      'peer-dark-max-ms': DARK_MAX_MS,
      peer: peers.map((peer) => ({ name: peer, url: `memory:${peer}` })),
    }
    const { clock, network } = this
    const wall = new SimWallClock(clock, 0, 1)
    const disk = new SimDisk(clock, prng.fork('disk'), HEALTHY_DISK)
    const node = new SimNode(settings, { clock, network, disk, wall, prng }, quietObserver)
    this.nodes.set(name, node)
    await node.start()
  }

  core(name: string): NodeCore {
    return this.nodes.get(name)!.core!
  }

  run(name: string, ...words: string[]): void {
    const session = new Session(1, '127.0.0.1:1', '127.0.0.1:2', 0)
    this.core(name).open(session)
    this.core(name).execute(session, words)
  }

  /** Nobody hears a region, nor it anybody. */
  isolate(name: string): void {
    for (const other of this.nodes.keys()) if (other !== name) this.network.cut(name, other)
  }
}

/** Regions a, b and c, at rest, each with a key of its own. */
async function three(): Promise<World> {
  const world = new World()
  const names = ['a', 'b', 'c']
  for (const [i, name] of names.entries()) {
    await world.start(
      name,
      i + 1,
      names.filter((other) => other !== name),
    )
  }
  world.clock.advance(5000)
  for (const name of names) world.run(name, 'SET', name, '1')
  world.clock.advance(10_000)
  return world
}

describe('the horizon', () => {
  it('moves, with nothing above the cut, while all are heard', async () => {
    const world = await three()
    for (const name of ['a', 'b', 'c']) {
      expect(horizonOf(world.core(name))).toMatchObject({
        cutOps: 0,
        cutLagMs: 0,
        cutState: 'moves',
        lacking: false,
        fences: 0,
        suspended: [],
      })
    }
  })

  it('waits for a region that is dark, and goes on without it after a while', async () => {
    const world = await three()
    world.isolate('c')
    world.clock.advance(1000)
    world.run('a', 'SET', 'k', 'v')
    world.clock.advance(HOUR_MS)
    world.clock.advance(60_000)
    const before = horizonOf(world.core('a'))
    expect(before).toMatchObject({
      cutOps: 1,
      cutState: 'waits for region c, last heard 1 h ago',
      suspended: [],
    })
    expect(Math.abs(before.cutLagMs - HOUR_MS - 60_000)).toBeLessThan(2000)
    world.clock.advance(1.5 * HOUR_MS)
    expect(horizonOf(world.core('b'))).toMatchObject({ cutOps: 0, cutState: 'moves', suspended: ['c'] })
    const [self, b, c] = regionsOf(world.core('a'))
    expect(self).toMatchObject({ name: 'a', regionId: 1, status: 'self', lacking: false })
    expect(b).toMatchObject({ name: 'b', regionId: 2, status: 'member', lagOps: 0 })
    expect(b!.heardMsAgo).toBeLessThan(2500)
    expect(c).toMatchObject({ name: 'c', regionId: 3, status: 'suspended', epoch: 1 })
    expect(c!.heardMsAgo! / HOUR_MS).toBeCloseTo(2.5, 1)
  })

  it('knows after a restart which region is dark, and does not wait for one that is suspended', async () => {
    const world = await three()
    world.isolate('c')
    world.clock.advance(2.5 * HOUR_MS)
    world.nodes.get('a')!.crash('kill')
    await world.nodes.get('a')!.start()
    world.clock.advance(60_000)
    expect(horizonOf(world.core('a'))).toMatchObject({ cutOps: 0, cutState: 'moves', suspended: ['c'] })
    world.run('a', 'SET', 'k', 'v', 'PX', '1000')
    expect(world.core('a').engine.keyspace.get(0, 'k')).toBeDefined()
    world.clock.advance(20_000)
    expect(world.core('a').engine.keyspace.get(0, 'k')).toBeUndefined()
  })

  it('names the member that an ended origin waits for', async () => {
    const world = await three()
    world.isolate('c')
    world.nodes.get('b')!.crash('kill')
    const ended = world
      .core('a')
      .origins.intern([...world.core('a').applied.entries()].find(([o]) => o.region === 2)![0].id)
    await world.nodes.get('b')!.start()
    world.clock.advance(3000)
    world.run('b', 'SET', 'b', '2')
    world.clock.advance(600_000)
    expect(horizonOf(world.core('a'))).toMatchObject({
      fences: 1,
      cutState: `waits for region c to end origin ${ended.id}, last heard 10 min ago`,
    })
  })
})

describe('regions', () => {
  it('are shown from the first word to the last', async () => {
    const world = await three()
    await world.start('d', 4, ['a', 'b', 'c'])
    world.clock.advance(2000)
    expect(horizonOf(world.core('d')).lacking).toBe(true)
    world.core('b').changeRegion(4, 'd', 'memory:d', 'member')
    world.clock.advance(30_000)
    expect(regionsOf(world.core('a')).at(-1)).toMatchObject({
      name: 'd',
      regionId: 4,
      url: 'memory:d',
      status: 'member',
      epoch: 1,
    })
    expect(regionsOf(world.core('d'))[0]).toMatchObject({ name: 'd', status: 'self', lacking: false })
    world.run('d', 'SET', 'd', '1')
    world.clock.advance(5000)
    world.core('c').changeRegion(4, 'd', '', 'left')
    world.clock.advance(30_000)
    for (const name of ['a', 'b', 'c']) {
      expect(regionsOf(world.core(name)).at(-1)).toMatchObject({
        name: 'd',
        status: 'left',
        lagOps: undefined,
      })
      expect(horizonOf(world.core(name))).toMatchObject({ cutOps: 0, cutState: 'moves', fences: 0, seals: 1 })
    }
    // Nobody brings it the op that says so; that it is refused is enough.
    expect(world.core('d').engine.refusal?.code).toBe('BEHIND')
  })

  it('of the configuration may be removed too, and are after a restart', async () => {
    const world = await three()
    world.core('a').changeRegion(3, 'c', '', 'left')
    world.clock.advance(30_000)
    world.nodes.get('b')!.crash('kill')
    await world.nodes.get('b')!.start()
    world.clock.advance(30_000)
    for (const name of ['a', 'b']) {
      expect(
        world
          .core(name)
          .mesh.links()
          .map(({ region }) => region),
      ).toEqual([name === 'a' ? 'b' : 'a'])
      expect(regionsOf(world.core(name)).at(-1)).toMatchObject({ name: 'c', regionId: 3, status: 'left' })
      expect(horizonOf(world.core(name)).cutState).toBe('moves')
    }
    expect(world.core('c').engine.refusal?.code).toBe('BEHIND')
  })
})

describe('words', () => {
  it.each([
    [0, '0 s'],
    [59_999, '59 s'],
    [60_000, '1 min'],
    [3 * HOUR_MS + 1, '3 h'],
    [72 * HOUR_MS, '3 d'],
  ])('%d ms are %s', (ms, text) => {
    expect(duration(ms)).toBe(text)
  })

  it('say of a region that was not heard that it was not', () => {
    const holdup = { regionId: undefined, name: 'c', origin: undefined, heardMsAgo: undefined }
    expect(describeHoldup(holdup, 'c')).toBe('waits for region c, not heard since this node started')
  })
})
