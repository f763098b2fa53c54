/**
 * regressions.test.ts: what the simulation found, each as the shortest road to it.
 */
import { describe, expect, it } from 'vitest'
import type { FsyncPolicy } from '../../region-node/persistence/op-log.ts'
import { MemoryNetwork } from '../harness/memory-transport.ts'
import { Prng } from '../harness/prng.ts'
import { SimClient } from '../harness/sim-client.ts'
import { SimClock } from '../harness/sim-clock.ts'
import { SimDisk } from '../harness/sim-disk.ts'
import { SimWallClock } from '../harness/sim-env.ts'
import { SimMesh } from '../harness/sim-mesh.ts'
import { quietObserver, SimNode, type SimNodeObserver } from '../harness/sim-node.ts'

const SYNC_MS = 5

/** One region alone. */
function lonelyNode({ segmentBytes = 1024 * 1024, policy = 'always' as FsyncPolicy, seed = 1 } = {}) {
  const clock = new SimClock()
  const prng = new Prng(seed)
  const faults = {
    syncMsMin: SYNC_MS,
    syncMsMax: SYNC_MS,
    slowSyncChance: 0,
    slowSyncMs: 0,
    syncErrorChance: 0,
    pageBytes: 64,
  }
  const disk = new SimDisk(clock, prng, faults)
  const network = new MemoryNetwork({
    after: (delayMs, task) => clock.after(delayMs, task),
    monoMs: () => clock.nowMs,
    random: () => prng.random(),
  })
  const broken: Error[] = []
  const observer: SimNodeObserver = { ...quietObserver, broke: (_, error) => broken.push(error) }
  const settings = {
    region: 'r1',
    'region-id': 1,
    dir: '/data',
    appendfsync: policy,
    'log-segment-bytes': segmentBytes,
  } as const
  const machine = { clock, network, disk, wall: new SimWallClock(clock, 0, 1), prng }
  const node = new SimNode(settings, machine, observer)
  const client = new SimClient(node, () => {})
  return { clock, disk, node, client, broken }
}

/** Stops a node; undefined when it had not come to an end after a second. */
async function stopped(node: SimNode, clock: SimClock): Promise<true | undefined> {
  const endMs = clock.nowMs + 1000
  let isOver: true | undefined
  const stopping = node
    .stop(() => {
      if (clock.nowMs < endMs) clock.advance(1)
    })
    .then(() => {
      isOver = true
    })
  for (let i = 0; i < 2000 && isOver === undefined; i++) await Promise.resolve()
  if (isOver) await stopping
  else node.crash('kill')
  return isOver
}

describe('once wrong', () => {
  it('a stop in the middle of a sync never ended when the last turn had nothing to write', async () => {
    const { clock, node, client } = lonelyNode()
    await node.start()
    client.send([['SET', 'k', 'v']])
    clock.advance(1)
    expect(await stopped(node, clock)).toBe(true)
  })

  it('a stop with a full disk was refused, when all that could not be written was a note of the stop', async () => {
    const { clock, disk, node, client } = lonelyNode()
    await node.start()
    client.send([['SET', 'k', 'v']])
    clock.advance(100)
    disk.isFull = true
    expect(await stopped(node, clock)).toBe(true)
    disk.isFull = false
    await node.start()
    expect([...node.vector.values()]).toEqual([1])
  })

  it('a segment whose header was lost with the power was taken for damage, for a mark about older ones', async () => {
    for (let seed = 1; seed <= 30; seed++) {
      const { clock, node, client } = lonelyNode({ segmentBytes: 1, policy: 'everysec', seed })
      await node.start()
      client.send([['SET', 'k', 'v']])
      // Synced after a second, and a new segment is begun.
      clock.advance(1100)
      client.send([['SET', 'k', 'w']])
      clock.advance(10)
      node.crash('power')
      await node.start()
      expect(node.vector.size).toBe(1)
      node.crash('kill')
    }
  })

  it('a log that could not begin its next segment went on writing, and ended the node when it could wait', async () => {
    const { clock, disk, node, client, broken } = lonelyNode({ segmentBytes: 1 })
    await node.start()
    client.send([['SET', 'k', 'v']])
    clock.advance(SYNC_MS + 2)
    // The write is done, its sync under way, another turn waits: the disk is full when the sync is done.
    client.send([['SET', 'k', 'w']])
    clock.advance(1)
    disk.isFull = true
    clock.advance(100)
    expect(node.core?.log.isFull).toBe(true)
    disk.isFull = false
    clock.advance(200)
    expect(node.core?.log.isFull).toBe(false)
    expect(node.core?.durable.opCount).toBe(2)
    expect(broken).toEqual([])
  })

  it('a late tail that was minted in the moment of a start was minted before anybody watched', async () => {
    const seen: string[] = []
    const observer: SimNodeObserver = {
      ...quietObserver,
      recovered: ({ name }) => seen.push(`${name} starts`),
      minted: ({ name }, _, { origin, firstSeq }) => seen.push(`${name} mints ${origin.id}:${firstSeq}`),
    }
    const mesh = new SimMesh('ABC', { 'peer-dark-max-ms': 10_000, appendfsync: 'always' }, 1, observer)
    await mesh.start('ABC')
    mesh.until(() => [...'ABC'].every((name) => mesh.core(name).engine.refusal === undefined))
    for (const other of 'AB') mesh.network.cut(other, 'C')
    mesh.run('C', 'SET', 'own', 'of C')
    mesh.until(() => [...'AB'].every((name) => mesh.core(name).membership.statusOf(3) === 'suspended'))
    // It comes back, and there is no room to note in the log that it has switched to a snapshot.
    const { log } = mesh.core('C')
    const { disk } = mesh.node('C').machine
    const rebase = log.rebase.bind(log)
    log.rebase = (vector) => {
      disk.isFull = true
      rebase(vector)
    }
    for (const other of 'AB') mesh.network.heal(other, 'C')
    mesh.until(() => mesh.node('C').core === undefined)
    disk.isFull = false
    await mesh.start('C')
    expect(seen.slice(-2)).toEqual(['C starts', `C mints ${mesh.core('C').origin.id}:1`])
    mesh.settle('ABC')
    expect(mesh.run('A', 'GET', 'own')).toBe('of C')
  })

  it('two regions that had suspended each other waited for each other for ever', async () => {
    const mesh = new SimMesh('ABC', { 'peer-dark-max-ms': 10_000, appendfsync: 'always' })
    await mesh.start('ABC')
    mesh.until(() => [...'ABC'].every((name) => mesh.core(name).engine.refusal === undefined))
    const statusOf = (id: number, at: string) => mesh.core(at).membership.statusOf(id)
    // A suspends B by C's word, and is cut off before anybody hears of it.
    for (const other of 'AC') mesh.network.cut('B', other)
    mesh.pass(7000)
    mesh.network.stall('A', 'C')
    mesh.until(() => statusOf(2, 'A') === 'suspended')
    mesh.network.cut('A', 'C')
    mesh.run('A', 'SET', 'of A', 'in the dark')
    // Nobody waits for A for ever: B and C go on without it.
    mesh.network.heal('B', 'C')
    mesh.until(() => [...'BC'].every((name) => statusOf(1, name) === 'suspended'))
    mesh.run('B', 'SET', 'of B', 'meanwhile')
    // Nor has C to be there when A is back.
    mesh.settle('BC')
    mesh.pass(2000)
    mesh.crash('C', 'kill')
    mesh.until(() => statusOf(3, 'B') === 'suspended')
    mesh.network.unstall('A', 'C')
    for (const other of 'BC') mesh.network.heal('A', other)
    mesh.until(() => [...'AB'].every((at) => statusOf(1, at) === 'member' && statusOf(2, at) === 'member'))
    mesh.settle('AB')
    await mesh.start('C')
    mesh.settle('ABC')
    for (const name of 'ABC')
      expect(mesh.run(name, 'MGET', 'of A', 'of B')).toEqual(['in the dark', 'meanwhile'])
  })

  it('a due key was removed by a deadline that its region lost with its power, and could then extend', async () => {
    const mesh = new SimMesh('AB', { appendfsync: 'no' })
    await mesh.start('AB')
    mesh.until(() => [...'AB'].every((name) => mesh.core(name).engine.refusal === undefined))
    mesh.run('A', 'SET', 'k', 'v', 'PX', '3600000')
    mesh.pass(40_000)
    // Known in both regions within milliseconds, and on no disk for a while.
    mesh.run('B', 'PEXPIRE', 'k', '50')
    mesh.pass(10_000)
    expect(mesh.run('A', 'EXISTS', 'k')).toBe(0)
    mesh.crash('B', 'power')
    await mesh.start('B')
    expect(mesh.run('B', 'PERSIST', 'k')).toBe(1)
    mesh.settle('AB')
    expect([...'AB'].map((name) => mesh.run(name, 'GET', 'k'))).toEqual(['v', 'v'])
    mesh.run('A', 'PEXPIRE', 'k', '50')
    mesh.until(() => [...'AB'].every((name) => mesh.core(name).engine.keyspace.get(0, 'k') === undefined))
  })

  it('a due key was removed by a clock that its region had announced, and forgot with its disk', async () => {
    const mesh = new SimMesh('AB', { appendfsync: 'always' })
    await mesh.start('AB')
    mesh.until(() => [...'AB'].every((name) => mesh.core(name).engine.refusal === undefined))
    // B's clock runs ahead for a moment. What it hides goes by that from then on.
    const { wall } = mesh.node('B').machine
    wall.offsetMs += 60_000
    mesh.pass(2000)
    wall.offsetMs -= 60_000
    mesh.run('A', 'SET', 'k', 'v', 'PX', '5000')
    mesh.settle('AB')
    // B says so, with what it has on disk and with that clock.
    mesh.pass(1000)
    mesh.crash('B', 'power')
    mesh.node('B').machine.disk.replaceAll(new Map())
    await mesh.start('B')
    mesh.until(() => mesh.core('B').engine.refusal === undefined)
    mesh.network.stall('B', 'A')
    expect(mesh.run('A', 'GET', 'k')).toBe('v')
    expect(mesh.run('B', 'GETEX', 'k', 'PERSIST')).toBe(null)
    mesh.pass(6000)
    expect(mesh.core('A').engine.keyspace.get(0, 'k')).toBeUndefined()
    mesh.network.unstall('B', 'A')
    mesh.settle('AB')
    expect([...'AB'].map((name) => mesh.run(name, 'GET', 'k'))).toEqual([null, null])
  })

  it('ops of an origin that nobody had heard of were taken below the cut, when its folder was put back', async () => {
    const mesh = new SimMesh('AB', { appendfsync: 'always' })
    const ready = async (names: string) => {
      await mesh.start(names)
      mesh.until(() => [...names].every((name) => mesh.core(name).engine.refusal === undefined))
    }
    await ready('AB')
    mesh.run('B', 'SET', 'first', '1')
    mesh.settle('AB')
    // A mints under an origin that B never hears of, and forgets it with its disk.
    mesh.crash('A', 'kill')
    mesh.network.cut('A', 'B')
    await ready('A')
    const unheard = mesh.core('A').origin.id
    mesh.run('A', 'INCR', 'count')
    mesh.run('A', 'PFADD', 'hll', 'a')
    mesh.pass(1000)
    mesh.crash('A', 'power')
    const { disk } = mesh.node('A').machine
    const copy = disk.copy()
    disk.replaceAll(new Map())
    mesh.network.heal('A', 'B')
    await ready('A')
    mesh.run('A', 'INCR', 'count')
    mesh.settle('AB')
    // Nor had A minted anything under the origin by which B knew it, and still B's cut does not wait for that for ever.
    const { id } = mesh.core('A').origin
    mesh.until(() => mesh.core('B').mesh.cut.cut.get(mesh.core('B').origins.intern(id)) > 0)
    mesh.crash('A', 'power')
    disk.replaceAll(copy)
    await ready('A')
    mesh.settle('AB')
    for (const name of 'AB') {
      const { membership, origins } = mesh.core(name)
      expect(membership.sealOf(origins.intern(unheard))?.end).toBe(0)
      expect(mesh.run(name, 'GET', 'count')).toBe('2')
      expect(mesh.run(name, 'PFCOUNT', 'hll')).toBe(1)
    }
    expect(mesh.digest('A')).toBe(mesh.digest('B'))
  })

  it('what only a suspended region held of one that had left was lost', async () => {
    const mesh = new SimMesh('ABCD', { 'peer-dark-max-ms': 10_000, appendfsync: 'always' })
    await mesh.start('ABCD')
    mesh.until(() => [...'ABCD'].every((name) => mesh.core(name).engine.refusal === undefined))
    const statusOf = (id: number, at: string) => mesh.core(at).membership.statusOf(id)
    for (const a of 'AD') for (const b of 'BC') mesh.network.cut(a, b)
    mesh.run('C', 'INCRBY', 'count', '7')
    mesh.run('C', 'SADD', 'set', 'of C')
    mesh.settle('BC')
    mesh.pass(1000)
    // All that C has is at B, so C may go; but A and D go on without B.
    mesh.crash('C', 'power')
    for (const at of 'BA') mesh.core(at).changeRegion(3, 'C', '', 'left')
    mesh.until(() => [...'AD'].every((at) => statusOf(2, at) === 'suspended' && statusOf(3, at) === 'left'))
    for (const other of 'AD') mesh.network.heal('B', other)
    mesh.until(() => [...'ABD'].every((at) => statusOf(2, at) === 'member'))
    mesh.settle('ABD')
    for (const name of 'ABD') {
      expect(mesh.run(name, 'GET', 'count')).toBe('7')
      expect(mesh.run(name, 'SMEMBERS', 'set')).toEqual(['of C'])
    }
  })

  it('a due key was removed while a region had not heard that its life had been shortened', async () => {
    const mesh = new SimMesh('ABC', { appendfsync: 'always' })
    await mesh.start('ABC')
    mesh.until(() => [...'ABC'].every((name) => mesh.core(name).engine.refusal === undefined))
    mesh.run('A', 'SET', 'k', 'v', 'PX', '1000')
    mesh.settle('ABC')
    // A and B write apart. C hears B alone, and then B does not hear C.
    mesh.network.stall('A', 'B')
    mesh.network.stall('A', 'C')
    mesh.network.stall('B', 'A')
    mesh.run('A', 'PEXPIRE', 'k', '300')
    mesh.run('B', 'PERSIST', 'k')
    mesh.pass(50)
    mesh.network.stall('C', 'B')
    expect(mesh.run('C', 'PEXPIRE', 'k', '100')).toBe(1)
    mesh.network.unstall('A', 'B')
    mesh.network.unstall('A', 'C')
    mesh.network.unstall('B', 'A')
    mesh.pass(2000)
    expect(mesh.run('A', 'EXISTS', 'k')).toBe(0)
    expect(mesh.run('B', 'PEXPIRE', 'k', '60000')).toBe(1)
    mesh.network.unstall('C', 'B')
    mesh.settle('ABC')
    expect([...'ABC'].map((name) => mesh.run(name, 'GET', 'k'))).toEqual(['v', 'v', 'v'])
  })

  it('a due key was removed by the clock of a region that did not know yet what it had lost with its disk', async () => {
    const mesh = new SimMesh('ABC', { appendfsync: 'always' })
    await mesh.start('ABC')
    mesh.until(() => [...'ABC'].every((name) => mesh.core(name).engine.refusal === undefined))
    mesh.run('C', 'SET', 'k', 'v', 'PX', '2000')
    mesh.settle('ABC')
    // B holds the extension back: it does not hear C, and A has written after C.
    mesh.network.stall('C', 'B')
    mesh.network.stall('A', 'C')
    mesh.run('C', 'SET', 'before', 'of C')
    mesh.pass(50)
    expect(mesh.run('A', 'GET', 'before')).toBe('of C')
    expect(mesh.run('A', 'PERSIST', 'k')).toBe(1)
    mesh.pass(50)
    mesh.crash('A', 'power')
    mesh.node('A').machine.disk.replaceAll(new Map())
    mesh.network.unstall('A', 'C')
    mesh.network.stall('B', 'A')
    await mesh.start('A')
    mesh.pass(4000)
    mesh.network.unstall('C', 'B')
    mesh.pass(500)
    mesh.network.unstall('B', 'A')
    mesh.settle('ABC')
    expect([...'ABC'].map((name) => mesh.run(name, 'GET', 'k'))).toEqual(['v', 'v', 'v'])
  })
})
