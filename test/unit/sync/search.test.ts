/**
 * search.test.ts: a node with one address of another region finds its like there: through other partitions, replicas,
 * failovers and nodes that do not tell the truth.
 */
import { describe, expect, it } from 'vitest'
import { Mesh } from '../../../sync/mesh.ts'
import type { Identity } from '../../../sync/ports.ts'
import { SYNC_DEFAULTS } from '../../../sync/settings.ts'
import { ManualClock } from '../../harness/manual-clock.ts'
import { MemoryHost } from '../../harness/memory-host.ts'
import { MemoryNetwork } from '../../harness/memory-transport.ts'

interface Node {
  readonly host: MemoryHost
  readonly mesh: Mesh
  readonly place: string
}

class World {
  readonly clock = new ManualClock(1)
  readonly network = new MemoryNetwork(this.clock)
  /** Who is dialed, in order. */
  readonly dialed: string[] = []
  /** Nothing answers there, and it takes long to find that out. */
  readonly silent = new Set<string>()

  async node(
    place: string,
    region: string,
    what: Partial<Identity>,
    seeds: readonly string[],
    secret = 's',
  ): Promise<Node> {
    const host = new MemoryHost(this.clock, region, region === 'A' ? 1 : region === 'B' ? 2 : 3)
    host.identity = { ...host.identity, nodeId: place, ...what }
    const transport = this.network.transport(place)
    const dial = transport.dial.bind(transport)
    transport.dial = (url, opened, failed) => {
      this.dialed.push(`${place}>${url}`)
      if (this.silent.has(url)) this.clock.after(5000, () => failed('no answer'))
      else dial(url, opened, failed)
    }
    const peers = seeds.map((seed) => ({ name: region === 'A' ? 'B' : 'A', url: `ws://${seed}:1` }))
    const mesh = new Mesh(host, transport, this.clock, { ...SYNC_DEFAULTS, secret, peers })
    await mesh.start()
    return { host, mesh, place }
  }

  /** Four nodes of region B: two partitions, each with a replica. All know all. */
  async partitioned(): Promise<Node[]> {
    const nodes = [
      await this.node('b1', 'B', { partitions: 2, partition: 0 }, ['a1']),
      await this.node('b2', 'B', { partitions: 2, partition: 1 }, ['a1']),
      await this.node('b3', 'B', { partitions: 2, partition: 0, role: 'replica' }, ['a1']),
      await this.node('b4', 'B', { partitions: 2, partition: 1, role: 'replica' }, ['a1']),
    ]
    for (const { host, place } of nodes)
      host.replication.nodesOf = (partition) =>
        nodes
          .filter((one) => one.place !== place && one.host.identity.partition === partition)
          .sort((a, b) => (a.host.identity.role < b.host.identity.role ? -1 : 1))
          .map((one) => `ws://${one.place}:1`)
    return nodes
  }
}

/** That node is primary from now on, or a replica. */
function become({ host, mesh }: Node, role: 'primary' | 'replica', term: number): void {
  host.identity = { ...host.identity, role, term }
  if (role === 'primary') mesh.lead()
  else mesh.leave()
}

const pullOf = ({ mesh }: Node, region: string) => mesh.links().find((link) => link.region === region)

describe('with one address of the other region', () => {
  it.each(['b1', 'b2', 'b3', 'b4'])('a node finds its partition at once: %s', async (seed) => {
    const world = new World()
    await world.partitioned()
    const a = await world.node('a2', 'A', { partitions: 2, partition: 1 }, [seed])
    // Some messages, and no pause.
    world.clock.advance(45)
    expect(pullOf(a, 'B')).toMatchObject({ pull: 'streaming', url: 'ws://b2:1' })
    expect(world.dialed.filter((one) => one.startsWith('a2')).length).toBeLessThanOrEqual(2)
  })

  it('follows a partition from node to node, also when the seed is gone for good', async () => {
    const world = new World()
    const [, b2, , b4] = await world.partitioned()
    const a = await world.node('a2', 'A', { partitions: 2, partition: 1 }, ['b2'])
    world.clock.advance(3000)
    world.network.crash('b2')
    become(b4!, 'primary', 2)
    world.clock.advance(200)
    expect(pullOf(a, 'B')).toMatchObject({ pull: 'streaming', url: 'ws://b4:1' })
    expect(b2!.host.identity.role).toBe('primary')
  })

  it('goes back to a node that was primary before', async () => {
    const world = new World()
    const [, b2, , b4] = await world.partitioned()
    const a = await world.node('a2', 'A', { partitions: 2, partition: 1 }, ['b2'])
    world.clock.advance(3000)
    for (let term = 1; term <= 4; term++) {
      const [to, from] = term % 2 === 1 ? [b4!, b2!] : [b2!, b4!]
      become(from, 'replica', term)
      become(to, 'primary', term)
      world.clock.advance(1500)
      expect(pullOf(a, 'B')).toMatchObject({ pull: 'streaming', url: `ws://${to.place}:1` })
    }
  })

  it('is redialed where it now is when it has reached this node, not where nobody answers', async () => {
    const world = new World()
    const [, b2, , b4] = await world.partitioned()
    const a = await world.node('a1', 'A', { partitions: 2, partition: 1 }, ['b2'])
    world.clock.advance(3000)
    // Its machine is gone without a word, and the others still name it.
    world.network.crash('b2')
    world.silent.add('ws://b2:1')
    world.clock.advance(2000)
    expect(pullOf(a, 'B')).toMatchObject({ pull: 'dialing', url: 'ws://b2:1' })
    become(b2!, 'replica', 2)
    become(b4!, 'primary', 2)
    world.clock.advance(200)
    expect(pullOf(a, 'B')).toMatchObject({ pull: 'streaming', url: 'ws://b4:1' })
  })
})

describe('a node that names the wrong ones', () => {
  it('without end costs some dials a round, and the seeds are tried all the same', async () => {
    const world = new World()
    const liar = await world.node('b9', 'B', { partitions: 2, partition: 0 }, [])
    let n = 0
    liar.host.replication.nodesOf = () => Array.from({ length: 8 }, () => `ws://nobody${n++}:1`)
    await world.partitioned()
    const a = await world.node('a2', 'A', { partitions: 2, partition: 1 }, ['b9', 'b1'])
    world.clock.advance(1000)
    expect(pullOf(a, 'B')).toMatchObject({ pull: 'streaming', url: 'ws://b2:1' })
    expect(world.dialed.filter((one) => one.startsWith('a2')).length).toBeLessThanOrEqual(20)
  })

  it('never leads to another region, partition or database', async () => {
    const world = new World()
    const liar = await world.node('b9', 'B', { partitions: 2, partition: 0 }, [])
    await world.node('c1', 'C', { partitions: 2, partition: 1 }, [])
    await world.node('x1', 'B', { partitions: 4, partition: 1 }, [])
    await world.node('y1', 'B', { partitions: 2, partition: 1, regionId: 7 }, [], 'another secret')
    const wrong = ['ws://c1:1', 'ws://x1:1', 'ws://y1:1', 'ws://a2:1', 'ws://b9:1']
    liar.host.replication.nodesOf = () => wrong
    const a = await world.node('a2', 'A', { partitions: 2, partition: 1 }, ['b9'])
    world.clock.advance(10_000)
    expect(pullOf(a, 'B')).toMatchObject({ pull: expect.not.stringMatching('streaming') })
    expect(a.mesh.links().map(({ region }) => region)).toEqual(['B'])
    // Rounds of six, further and further apart.
    const dials = world.dialed.filter((one) => one.startsWith('a2')).length
    expect(dials).toBeGreaterThan(10)
    expect(dials).toBeLessThan(80)
    // It is found as soon as somebody tells the truth.
    await world.node('b5', 'B', { partitions: 2, partition: 1 }, ['nobody'])
    liar.host.replication.nodesOf = () => ['ws://b5:1']
    world.clock.advance(6000)
    expect(pullOf(a, 'B')).toMatchObject({ pull: 'streaming', url: 'ws://b5:1' })
  })

  it('is not listened to when it does not know the secret', async () => {
    const world = new World()
    const stranger = await world.node('b9', 'B', { partitions: 2, partition: 0 }, [], 'another secret')
    stranger.host.replication.nodesOf = () => ['ws://nobody:1']
    await world.node('a2', 'A', { partitions: 2, partition: 1 }, ['b9'])
    world.clock.advance(3000)
    expect(world.dialed).not.toContain('a2>ws://nobody:1')
  })
})
