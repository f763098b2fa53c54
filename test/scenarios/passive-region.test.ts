/**
 * passive-region.test.ts: regions whose clients only read: what they apply and refuse, when one is promoted, and
 * what its mode outlives.
 */
import { describe, expect, it } from 'vitest'
import type { SettingValues } from '../../region-node/config.ts'
import { type Reply, RespError } from '../../region-node/resp/parse-reply.ts'
import { SimClient } from '../harness/sim-client.ts'
import { SimMesh } from '../harness/sim-mesh.ts'

const PASSIVE = /^READONLY This region is passive/

/** Regions that take writes. @param more  replicas */
async function regions(
  names: string,
  settings: Partial<SettingValues> = {},
  more: readonly string[] = [],
): Promise<SimMesh> {
  const mesh = new SimMesh(names, settings, 1, undefined, more)
  await mesh.start([...names, ...more])
  mesh.until(() => [...names].every((name) => mesh.core(name).engine.refusal === undefined))
  for (const name of names) mesh.run(name, 'set', name, 'at first')
  mesh.settle([...names, ...more])
  return mesh
}

function line(reply: Reply | undefined): string {
  expect(reply).toBeInstanceOf(RespError)
  return (reply as RespError).line
}

function demote(mesh: SimMesh, name: string): void {
  expect(mesh.run(name, 'crdt.region', 'demote')).toContain('is passive: it applies')
}

function promote(mesh: SimMesh, name: string, ...force: string[]): Reply | undefined {
  return mesh.run(name, 'crdt.region', 'promote', ...force)
}

/** Which mode each of these nodes knows the regions to have. */
function modes(mesh: SimMesh, nodes: Iterable<string>, ids: readonly number[]): string[] {
  return [...nodes].map((name) => ids.map((id) => mesh.core(name).membership.modeOf(id)).join())
}

/** One row of CRDT.REGION LIST. */
function row(mesh: SimMesh, at: string, region: string): Map<Reply, Reply> {
  const rows = mesh.run(at, 'crdt.region', 'list') as Reply[][]
  const pairs = rows.find(([, name]) => name === region)!
  return new Map(pairs.flatMap((_, i) => (i % 2 === 0 ? [[pairs[i]!, pairs[i + 1]!] as const] : [])))
}

function save(mesh: SimMesh, name: string): void {
  const made = mesh.core(name).snapshotter.count
  mesh.run(name, 'bgsave')
  mesh.until(() => mesh.core(name).snapshotter.count > made)
}

describe('a passive region', () => {
  it('applies everything, serves reads, and refuses writes, whichever way they come', async () => {
    const mesh = await regions('AB')
    demote(mesh, 'B')
    expect(row(mesh, 'B', 'B').get('mode')).toBe('passive')
    mesh.run('A', 'set', 'k', 'v')
    mesh.settle('AB')
    expect(mesh.run('B', 'get', 'k')).toBe('v')
    expect(line(mesh.run('B', 'set', 'k', 'w'))).toMatch(PASSIVE)
    expect(line(mesh.run('B', 'eval', "return redis.call('set', 'k', 'w')", '0'))).toMatch(PASSIVE)
    mesh.run('B', 'multi')
    expect(line(mesh.run('B', 'incr', 'n'))).toMatch(PASSIVE)
    mesh.run('B', 'discard')
    expect(mesh.run('B', 'publish', 'c', 'm')).toBe(0)
    expect(row(mesh, 'A', 'B').get('mode')).toBe('passive')
    expect(mesh.run('A', 'set', 'k', 'w')).toBe('OK')
    mesh.settle('AB')
    expect(mesh.digest('B')).toBe(mesh.digest('A'))
  })

  it('tells clients that wait to write, and lets those that wait to read wait on', async () => {
    const mesh = await regions('AB')
    const [writer, reader] = [0, 1].map(() => new SimClient(mesh.node('B'), () => {}))
    const [blpop] = writer!.send([['blpop', 'list', '0']])
    const [xread] = reader!.send([['xread', 'block', '0', 'streams', 's', '$']])
    mesh.pass(100)
    demote(mesh, 'B')
    mesh.pass(100)
    expect(line(blpop!.reply)).toMatch(/^UNBLOCKED /)
    mesh.run('A', 'rpush', 'list', 'x')
    mesh.run('A', 'xadd', 's', '*', 'f', 'v')
    mesh.settle('AB')
    mesh.pass(100)
    expect(xread!.reply).toBeInstanceOf(Array)
    expect(mesh.run('B', 'lrange', 'list', '0', '-1')).toEqual(['x'])
  })

  it('leaves the removal of due keys to the others, and holds the cut back for nobody', async () => {
    const mesh = await regions('AB')
    mesh.run('B', 'set', 'due', 'v', 'px', '2000')
    mesh.settle('AB')
    demote(mesh, 'B')
    mesh.settle('AB')
    mesh.pass(3000)
    expect(mesh.run('B', 'get', 'due')).toBe(null)
    mesh.until(() => mesh.core('B').engine.keyspace.get(0, 'due') === undefined)
    expect([mesh.core('A').engine.expiredCount, mesh.core('B').engine.expiredCount]).toEqual([1, 0])
    mesh.until(() => mesh.core('A').mesh.cut.cut.covers(mesh.core('A').applied))
  })

  it('keeps due keys, hidden, while all regions are passive', async () => {
    const mesh = await regions('AB')
    mesh.run('A', 'set', 'due', 'v', 'px', '2000')
    for (const name of 'AB') demote(mesh, name)
    mesh.settle('AB')
    mesh.pass(60_000)
    expect(mesh.run('A', 'get', 'due')).toBe(null)
    expect(mesh.core('A').engine.keyspace.get(0, 'due')).toBeDefined()
    promote(mesh, 'A')
    mesh.until(() => mesh.core('B').engine.keyspace.get(0, 'due') === undefined)
  })

  it('may be so from the start', async () => {
    const mesh = new SimMesh('ABC')
    for (const [name, other] of ['AB', 'BA'])
      mesh.node(name!).configure({ peer: [{ name: other!, url: `memory:${other}` }] })
    await mesh.start('ABC')
    mesh.until(() => mesh.core('A').engine.refusal === undefined)
    mesh.run('A', 'set', 'k', 'v')
    mesh.core('A').changeRegion(3, 'C', 'memory:C', 'member', 'passive')
    mesh.until(() => mesh.core('C').engine.refusal === undefined)
    expect(mesh.run('C', 'get', 'k')).toBe('v')
    expect(line(mesh.run('C', 'set', 'k', 'w'))).toMatch(PASSIVE)
    expect(modes(mesh, 'ABC', [1, 2, 3])).toEqual(Array(3).fill('active,active,passive'))
    mesh.settle('ABC')
    expect(promote(mesh, 'C')).toBe("Region 'C' is active: its clients may write")
    expect(mesh.run('C', 'set', 'k', 'w')).toBe('OK')
  })
})

describe('a promotion', () => {
  it('moves the writes from one region to another, with nothing left behind', async () => {
    const mesh = await regions('AB')
    demote(mesh, 'B')
    for (let i = 0; i < 100; i++) mesh.send('A', 'incr', 'n')
    demote(mesh, 'A')
    mesh.until(() => !(promote(mesh, 'B') instanceof RespError))
    expect(mesh.run('B', 'incr', 'n')).toBe(101)
    expect(line(mesh.run('A', 'incr', 'n'))).toMatch(PASSIVE)
  })

  it('is refused, with the figures, while others have announced what is not here yet', async () => {
    const mesh = await regions('ABC')
    demote(mesh, 'B')
    mesh.settle('ABC')
    // A has the ops of C, and says so to B long before it relays them.
    mesh.network.stall('C', 'B')
    for (let i = 0; i < 5; i++) mesh.run('C', 'incr', 'n')
    mesh.until(() => row(mesh, 'B', 'A').get('behind-ops') === 5)
    expect(line(promote(mesh, 'B'))).toContain(
      "Region 'B' stays passive: region 'A' has announced ops that are not applied here: 5",
    )
    expect(line(mesh.run('B', 'incr', 'n'))).toMatch(PASSIVE)
    mesh.settle('BC')
    mesh.until(() => promote(mesh, 'B') === "Region 'B' is active: its clients may write")
    expect(mesh.run('B', 'incr', 'n')).toBe(6)
  })

  it('is refused while a region is not heard, and may be forced; what that one held comes when it is back', async () => {
    const mesh = await regions('AB')
    demote(mesh, 'B')
    mesh.settle('AB')
    mesh.network.cut('A', 'B')
    mesh.run('A', 'incrby', 'n', '10')
    mesh.until(() => mesh.core('A').durable.covers(mesh.core('A').applied))
    mesh.crash('A', 'kill')
    mesh.pass(20_000)
    expect(line(promote(mesh, 'B'))).toMatch(/region 'A' was last heard 2\d s ago, .* or say FORCE/)
    expect(promote(mesh, 'B', 'force')).toMatch(
      /is active: its clients may write\. Still to come: region 'A' was/,
    )
    expect(mesh.run('B', 'incr', 'n')).toBe(1)
    mesh.network.heal('A', 'B')
    await mesh.start('A')
    mesh.settle('AB')
    expect(mesh.run('B', 'get', 'n')).toBe('11')
    expect(modes(mesh, 'AB', [1, 2])).toEqual(['active,active', 'active,active'])
  })
})

describe('a mode', () => {
  it('that two regions change at once is known alike to both', async () => {
    const mesh = await regions('ABC')
    mesh.network.cut('A', 'B')
    mesh.network.cut('A', 'C')
    demote(mesh, 'A')
    demote(mesh, 'B')
    expect(modes(mesh, 'AB', [1, 2])).toEqual(['passive,active', 'active,passive'])
    mesh.network.heal('A', 'B')
    mesh.network.heal('A', 'C')
    mesh.settle('ABC')
    expect(modes(mesh, 'ABC', [1, 2, 3])).toEqual(Array(3).fill('passive,passive,active'))
    promote(mesh, 'A', 'force')
    promote(mesh, 'B', 'force')
    mesh.settle('ABC')
    expect(modes(mesh, 'ABC', [1, 2, 3])).toEqual(Array(3).fill('active,active,active'))
  })

  it('that two primaries of one region change at once is the one that was changed more often', async () => {
    const mesh = await regions('AB', {}, ['A2'])
    for (const other of ['A2', 'B']) mesh.network.cut('A', other)
    demote(mesh, 'A')
    mesh.run('A2', 'replicaof', 'no', 'one')
    mesh.until(() => mesh.core('A2').engine.refusal === undefined)
    demote(mesh, 'A2')
    promote(mesh, 'A2', 'force')
    for (const other of ['A2', 'B']) mesh.network.heal('A', other)
    mesh.run('A', 'replicaof', 'A2', '1')
    mesh.settle(['A', 'A2', 'B'])
    expect(modes(mesh, ['A', 'A2', 'B'], [1])).toEqual(['active', 'active', 'active'])
    expect(mesh.run('A2', 'set', 'k', 'v')).toBe('OK')
  })

  it('outlives restarts, from the log and from a snapshot', async () => {
    const mesh = await regions('AB')
    demote(mesh, 'B')
    mesh.crash('B', 'power')
    await mesh.start('B')
    expect(line(mesh.run('B', 'set', 'k', 'v'))).toMatch(PASSIVE)
    save(mesh, 'B')
    mesh.crash('B', 'power')
    await mesh.start('B')
    expect(mesh.core('B').store.newest).toBeDefined()
    expect(line(mesh.run('B', 'set', 'k', 'v'))).toMatch(PASSIVE)
    mesh.until(() => !(promote(mesh, 'B') instanceof RespError))
    mesh.crash('B', 'power')
    await mesh.start('B')
    mesh.until(() => mesh.run('B', 'set', 'k', 'v') === 'OK')
  })

  it('outlives the disk: the others know it', async () => {
    const mesh = await regions('AB')
    demote(mesh, 'B')
    mesh.settle('AB')
    mesh.crash('B', 'power')
    mesh.node('B').machine.disk.replaceAll(new Map())
    await mesh.start('B')
    expect(line(mesh.run('B', 'set', 'k', 'v'))).toMatch(/^BEHIND /)
    mesh.until(() => mesh.core('B').engine.refusal === undefined)
    expect(line(mesh.run('B', 'set', 'k', 'v'))).toMatch(PASSIVE)
  })

  it('comes with a snapshot to a replica, which is passive when it is promoted', async () => {
    const mesh = new SimMesh('AB', { 'log-segment-bytes': 65_536 }, 1, undefined, ['A2'])
    await mesh.start('AB')
    mesh.until(() => [...'AB'].every((name) => mesh.core(name).engine.refusal === undefined))
    demote(mesh, 'A')
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 150; i++) mesh.run('B', 'set', `k${i}`, 'x'.repeat(5000))
      mesh.settle('AB')
      save(mesh, 'A')
    }
    mesh.pass(20_000)
    expect(mesh.core('A').log.start).toBeGreaterThan(0)
    await mesh.start(['A2'])
    mesh.settle(['A', 'A2', 'B'])
    expect(line(mesh.run('A2', 'set', 'k', 'v'))).toMatch(/^READONLY You can't write against a read only/)
    mesh.crash('A', 'power')
    mesh.run('A2', 'replicaof', 'no', 'one')
    mesh.until(() => mesh.core('A2').engine.refusal === undefined)
    expect(line(mesh.run('A2', 'set', 'k', 'v'))).toMatch(PASSIVE)
    mesh.settle(['A2', 'B'])
    mesh.until(() => !(promote(mesh, 'A2') instanceof RespError))
    expect(mesh.run('A2', 'set', 'k', 'v')).toBe('OK')
  })

  it('that was changed in the dark counts when the region is back', async () => {
    const mesh = await regions('ABC', { 'peer-dark-max-ms': 30_000 })
    for (const other of 'AB') mesh.network.cut('C', other)
    mesh.run('C', 'set', 'dark', 'v')
    demote(mesh, 'C')
    mesh.until(() => mesh.core('A').membership.statusOf(3) === 'suspended')
    expect(modes(mesh, 'ABC', [3])).toEqual(['active', 'active', 'passive'])
    for (const other of 'AB') mesh.network.heal('C', other)
    mesh.until(() => mesh.core('C').lateTail.mintedCount > 0)
    mesh.settle('ABC')
    expect(mesh.run('A', 'get', 'dark')).toBe('v')
    expect(modes(mesh, 'ABC', [3])).toEqual(['passive', 'passive', 'passive'])
    expect(line(mesh.run('C', 'set', 'k', 'v'))).toMatch(PASSIVE)
  })
})
