/**
 * neighbours.test.ts: what is published at one node is heard at every other one, once and in order: two regions of two
 * partitions, each with a primary and a replica.
 */
import { beforeEach, describe, expect, it } from 'vitest'
import { Mesh } from '../../../sync/mesh.ts'
import type { Publication } from '../../../sync/ports.ts'
import { SYNC_DEFAULTS, type SyncSettings } from '../../../sync/settings.ts'
import { ManualClock } from '../../harness/manual-clock.ts'
import { MemoryHost } from '../../harness/memory-host.ts'
import { MemoryNetwork } from '../../harness/memory-transport.ts'

const channel = (message: string): Publication => ({ kind: 'channel', channel: 'news', message })
const shard = (message: string): Publication => ({ kind: 'shard', channel: 'news', message })

interface Node {
  readonly name: string
  readonly region: string
  readonly partition: number
  readonly host: MemoryHost
  readonly mesh: Mesh
}

/** `a0` is the primary of partition 0 of region A, `a0r` its replica. */
const NAMES = ['a0', 'a0r', 'a1', 'a1r', 'b0', 'b0r', 'b1', 'b1r'] as const

class World {
  readonly clock = new ManualClock(1)
  readonly network: MemoryNetwork
  readonly nodes: Node[] = []
  readonly #settings: Partial<SyncSettings>

  constructor(settings: Partial<SyncSettings> = {}, bytesPerMs = Number.POSITIVE_INFINITY) {
    this.#settings = settings
    this.network = new MemoryNetwork(this.clock, { bytesPerMs })
  }

  async start(): Promise<this> {
    for (const name of NAMES) await this.launch(name)
    this.clock.advance(200)
    return this
  }

  async launch(name: string): Promise<Node> {
    const { clock, network } = this
    const region = name[0]!.toUpperCase()
    const partition = Number(name[1])
    const isReplica = name.endsWith('r')
    const host = new MemoryHost(clock, region, region === 'A' ? 1 : 2)
    const role = isReplica ? 'replica' : 'primary'
    host.identity = { ...host.identity, nodeId: name, partitions: 2, partition, role }
    const other = region === 'A' ? 'B' : 'A'
    const peers = [{ name: other, url: `ws://${other.toLowerCase()}${partition}:1` }]
    const settings = { ...SYNC_DEFAULTS, secret: 's', peers, ...this.#settings }
    const mesh = new Mesh(host, network.transport(name), clock, settings)
    host.onLog = (opCount) => mesh.logAdvanced(opCount)
    await mesh.start()
    if (isReplica) mesh.follow(`ws://${name.slice(0, 2)}:1`)
    const node = { name, region, partition, host, mesh }
    const known = this.nodes.findIndex((one) => one.name === name)
    if (known < 0) this.nodes.push(node)
    else this.nodes[known] = node
    return node
  }

  node(name: string): Node {
    return this.nodes.find((node) => node.name === name)!
  }

  /** As the coordinator of each region would tell it. @param names  who is registered */
  meet(names: readonly string[] = NAMES): void {
    for (const { name, region, mesh } of this.nodes) {
      const others = this.nodes.filter((one) => one.region === region && one.name !== name)
      const registered = others.filter((one) => names.includes(one.name))
      mesh.neighbours.meet(registered.map((one) => ({ nodeId: one.name, url: `ws://${one.name}:1` })))
    }
    this.clock.advance(200)
  }

  /** What each node has heard since it was asked last, by name. */
  heard(): Record<string, string[]> {
    return Object.fromEntries(
      this.nodes.map(({ name, host }) => [name, host.publications.splice(0).map(({ message }) => message)]),
    )
  }
}

/** Everybody but one hears these. */
function allBut(name: string, messages: readonly string[], names: readonly string[] = NAMES) {
  return Object.fromEntries(NAMES.map((one) => [one, one === name || !names.includes(one) ? [] : messages]))
}

describe('what is published', () => {
  let world: World
  beforeEach(async () => {
    world = await new World().start()
    world.meet()
  })

  it.each(NAMES)('at %s is heard once at every node of all regions', (name) => {
    for (let round = 0; round < 3; round++) {
      world.node(name).mesh.publish(channel(`m${round}`))
      world.clock.advance(50)
      expect(world.heard()).toEqual(allBut(name, [`m${round}`]))
    }
  })

  it.each(NAMES)('to a shard channel at %s is heard once at the nodes of its partition', (name) => {
    world.node(name).mesh.publish(shard('m'))
    world.clock.advance(50)
    expect(world.heard()).toEqual(
      allBut(
        name,
        ['m'],
        NAMES.filter((one) => one[1] === name[1]),
      ),
    )
  })

  it('keeps the order of each publisher, whatever else is on its way', () => {
    const publishers = ['a0', 'a0r', 'b1r']
    for (let i = 0; i < 60; i++) {
      for (const name of publishers) {
        if (name === 'a0') world.node(name).host.write(1, 500)
        world.node(name).mesh.publish(channel(`${name} ${i}`))
      }
      world.clock.advance(i % 3)
    }
    world.clock.advance(500)
    const heard = world.heard()
    for (const name of publishers)
      for (const at of NAMES) {
        if (at === name) continue
        const own = heard[at]!.filter((message) => message.startsWith(`${name} `))
        expect(own, `${name} at ${at}`).toEqual(Array.from({ length: 60 }, (_, i) => `${name} ${i}`))
      }
  })

  it('is not told in its partition before the writes that it follows', async () => {
    // Each link has its own way, and that of the message is free.
    const slow = await new World({}, 10).start()
    slow.meet()
    const [a0, a0r, a1] = [slow.node('a0'), slow.node('a0r'), slow.node('a1')]
    const appliedWhenTold: number[] = []
    a0r.host.published = () => appliedWhenTold.push(a0r.host.applied.opCount)
    a0.host.write(1, 3000)
    slow.clock.advance(20)
    a0.mesh.publish(channel('after'))
    slow.clock.advance(100)
    expect([a1.host.publications.length, a0r.host.applied.opCount, appliedWhenTold]).toEqual([1, 0, []])
    slow.clock.advance(500)
    expect(appliedWhenTold).toEqual([1])
  })

  it('is heard over links that stay when they are quiet', () => {
    world.clock.advance(60_000)
    for (let i = 0; i < 100; i++) {
      world.node('a1').mesh.publish(channel('m'))
      world.clock.advance(300)
    }
    world.clock.advance(50)
    for (const [name, messages] of Object.entries(world.heard()))
      expect(messages.length, name).toBe(name === 'a1' ? 0 : 100)
  })

  it('stays in its region while the others are cut off, and is not heard later', () => {
    world.node('a0').mesh.setLink('ALL', false)
    world.node('a0r').mesh.publish(channel('m'))
    world.clock.advance(100)
    expect(world.heard()).toEqual(allBut('a0r', ['m'], ['a0', 'a1', 'a1r']))
    world.node('a0').mesh.setLink('ALL', true)
    world.clock.advance(2000)
    expect(world.heard()).toEqual(allBut('', []))
  })

  it('goes on while nobody is registered, but not to a node that comes then', async () => {
    world.meet([])
    world.node('a1').mesh.publish(channel('m'))
    world.clock.advance(50)
    expect(world.heard()).toEqual(allBut('a1', ['m']))
    world.network.crash('a0r')
    await world.launch('a0r')
    world.clock.advance(3000)
    world.node('a1').mesh.publish(channel('n'))
    world.clock.advance(50)
    expect(world.heard().a0r).toEqual([])
    world.meet()
    world.node('a1').mesh.publish(channel('o'))
    world.clock.advance(50)
    expect(world.heard().a0r).toEqual(['o'])
  })

  it('is heard again when a node has been restarted', async () => {
    world.network.crash('a1')
    world.clock.advance(100)
    await world.launch('a1')
    world.meet()
    world.clock.advance(6000)
    world.heard()
    for (const name of ['a1', 'a0r', 'b1']) {
      world.node(name).mesh.publish(channel(name))
      world.clock.advance(50)
      expect(world.heard()).toEqual(allBut(name, [name]))
    }
  })

  it('is heard after a change of roles, by messages that wait for nothing that is gone', () => {
    const [a0, a0r] = [world.node('a0'), world.node('a0r')]
    // What the former primary wrote last never comes.
    world.network.stall('a0', 'a0r')
    a0.host.write()
    a0.mesh.publish(channel('lost'))
    world.clock.advance(20)
    a0.host.identity = { ...a0.host.identity, role: 'idle' }
    a0.mesh.leave()
    a0r.host.identity = { ...a0r.host.identity, role: 'primary', term: 1 }
    a0r.mesh.lead()
    world.network.unstall('a0', 'a0r')
    world.clock.advance(500)
    // It waits for nothing any more, and holds up nothing behind it.
    expect(world.heard().a0r).toEqual([])
    expect(a0r.mesh.publications.dropped).toBe(1)
    a0r.mesh.publish(channel('m'))
    world.clock.advance(50)
    expect(world.heard()).toEqual(allBut('a0r', ['m'], ['a0', 'a1', 'a1r']))
  })

  it('is dropped and counted for a node that is too slow, and the others hear it', async () => {
    const small = await new World({ unsentBytesMax: 1000, publicationBytesMax: 3000 }).start()
    small.meet()
    small.network.stall('a0', 'a1')
    for (let i = 0; i < 20; i++) {
      small.node('a0').mesh.publish(channel('x'.repeat(500)))
      small.clock.advance(20)
    }
    expect(small.node('a0').mesh.publications.dropped).toBeGreaterThan(10)
    const heard = small.heard()
    expect([heard.a1!.length, heard.a1r!.length, heard.a0r!.length]).toEqual([0, 20, 20])
    small.network.unstall('a0', 'a1')
    small.clock.advance(50)
    expect(small.heard().a1!.length).toBeLessThan(10)
  })
})

describe('without a coordinator', () => {
  it('a primary tells its replicas by the links by which they follow', async () => {
    const world = await new World().start()
    world.node('a0').mesh.publish(channel('m'))
    world.clock.advance(50)
    expect(world.heard()).toEqual(allBut('a0', ['m'], ['a0r', 'b0', 'b0r']))
  })

  it('or by the others, whichever there are: never by both', async () => {
    const world = await new World().start()
    const [a0r] = [world.node('a0r')]
    a0r.mesh.neighbours.meet([{ nodeId: 'a0', url: 'ws://a0:1' }])
    world.clock.advance(200)
    world.node('a0').mesh.publish(channel('m'))
    world.clock.advance(50)
    expect(world.heard().a0r).toEqual(['m'])
  })

  it('a node that has taken the address of another one is not heard in its name', async () => {
    const world = await new World().start()
    const a0 = world.node('a0')
    a0.mesh.neighbours.meet([
      { nodeId: 'a1', url: 'ws://a1:1' },
      { nodeId: 'gone', url: 'ws://a1:1' },
    ])
    for (let i = 0; i < 100; i++) {
      world.clock.advance(100)
      world.node('a1').mesh.publish(channel('m'))
    }
    world.clock.advance(50)
    expect(world.heard().a0).toHaveLength(100)
    expect([a0.mesh.neighbours.heardCount, world.node('a1').mesh.neighbours.linkCount]).toEqual([1, 1])
  })

  it('a link on which nothing is heard any more is opened anew', async () => {
    const world = await new World().start()
    world.meet()
    for (const [from, to] of [
      ['a0', 'a1'],
      ['a1', 'a0'],
    ] as const)
      world.network.stall(from, to)
    world.clock.advance(15_000)
    expect(world.node('a0').mesh.neighbours.heardCount).toBe(2)
    world.network.unstall('a0', 'a1')
    world.network.unstall('a1', 'a0')
    world.clock.advance(11_000)
    world.heard()
    world.node('a1').mesh.publish(channel('m'))
    world.clock.advance(50)
    expect(world.heard()).toEqual(allBut('a1', ['m']))
  })
})

describe('a neighbour that is silent', () => {
  it('is told of once it has been so for too long, and no other one is', async () => {
    const world = await new World().start()
    world.meet()
    const silent: string[] = []
    world.node('a0').mesh.neighbours.silent = (nodeId) => silent.push(nodeId)
    // One that ends says so, and one whose link breaks is dialed again.
    await world.node('a1r').mesh.stop('over')
    world.network.drop('a0', 'a0r')
    world.clock.advance(20_000)
    expect(silent).toEqual([])
    for (const [from, to] of [
      ['a0', 'a1'],
      ['a1', 'a0'],
    ] as const)
      world.network.stall(from, to)
    world.clock.advance(SYNC_DEFAULTS.silenceMsMax - 2000)
    expect(silent).toEqual([])
    world.clock.advance(5000)
    expect(silent).toEqual(['a1'])
  })
})
