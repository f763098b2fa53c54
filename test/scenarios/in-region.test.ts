/**
 * in-region.test.ts: replicas inside a region, without a coordinator: what they hold, what they refuse, and what
 * becomes of a former primary's writes.
 */
import { describe, expect, it } from 'vitest'
import type { SettingValues } from '../../region-node/config.ts'
import { type Reply, RespError } from '../../region-node/resp/parse-reply.ts'
import { SimMesh } from '../harness/sim-mesh.ts'

async function region(
  settings: Partial<SettingValues> = {},
  names = 'A',
  more: readonly string[] = ['A2'],
): Promise<SimMesh> {
  const mesh = new SimMesh(names, settings, 1, undefined, more)
  await mesh.start([...names, ...more])
  mesh.until(() => more.every((name) => mesh.core(name).replication.state().primary?.link === 'connected'))
  mesh.until(() => [...names].every((name) => mesh.core(name).engine.refusal === undefined))
  return mesh
}

function line(reply: Reply | undefined): string {
  expect(reply).toBeInstanceOf(RespError)
  return (reply as RespError).line
}

/** Takes the place of a primary that is gone. */
function promote(mesh: SimMesh, name: string): void {
  mesh.run(name, 'replicaof', 'no', 'one')
}

function isolate(mesh: SimMesh, name: string, others: readonly string[]): void {
  for (const other of others) mesh.network.cut(name, other)
}

function rejoin(mesh: SimMesh, name: string, others: readonly string[]): void {
  for (const other of others) mesh.network.heal(name, other)
}

describe('a replica', () => {
  it('has what its primary has, serves reads and refuses writes', async () => {
    const mesh = await region()
    mesh.run('A', 'set', 'k', 'v')
    mesh.settle(['A', 'A2'])
    expect(mesh.run('A2', 'get', 'k')).toBe('v')
    expect(line(mesh.run('A2', 'set', 'k', 'w'))).toMatch(/^READONLY /)
    expect(mesh.core('A2').engine.mintedCount).toBe(0)
    expect(mesh.digest('A2')).toBe(mesh.digest('A'))
  })

  it('gets the ops of other regions from its primary, and links with none of them', async () => {
    const mesh = await region({}, 'AB')
    mesh.settle('AB')
    mesh.run('B', 'set', 'k', 'from B')
    mesh.settle(['A', 'B', 'A2'])
    expect(mesh.run('A2', 'get', 'k')).toBe('from B')
    expect(
      mesh
        .core('A2')
        .mesh.links()
        .every(({ pull, serve }) => pull === 'stopped' && serve === 'absent'),
    ).toBe(true)
  })

  it('begins with a snapshot where the log of its primary does not reach back', async () => {
    const mesh = new SimMesh('A', { 'log-segment-bytes': 65_536 }, 1, undefined, ['A2'])
    await mesh.start('A')
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 40; i++) mesh.run('A', 'set', `k${i}`, 'x'.repeat(5000))
      const made = mesh.core('A').snapshotter.count
      mesh.run('A', 'bgsave')
      mesh.until(() => mesh.core('A').snapshotter.count > made)
    }
    mesh.pass(20_000)
    expect(mesh.core('A').log.start).toBeGreaterThan(0)
    await mesh.start(['A2'])
    mesh.settle(['A', 'A2'])
    expect(mesh.digest('A2')).toBe(mesh.digest('A'))
    mesh.run('A', 'incr', 'n')
    mesh.settle(['A', 'A2'])
    expect(mesh.run('A2', 'get', 'n')).toBe('1')
  })

  it('is counted by WAIT once it has the write, and by WAITAOF once that is on its disk', async () => {
    const mesh = await region({}, 'A', ['A2', 'A3'])
    mesh.run('A', 'set', 'k', 'v')
    expect(mesh.run('A', 'wait', '2', '0')).toBe(2)
    expect(mesh.run('A', 'waitaof', '1', '2', '0')).toEqual([1, 2])
    mesh.crash('A3', 'kill')
    mesh.run('A', 'set', 'k', 'w')
    expect(mesh.run('A', 'wait', '2', '200')).toBe(1)
  })

  it('hides a due key, and mints no removal', async () => {
    const mesh = await region()
    mesh.run('A', 'set', 'k', 'v', 'px', '50')
    mesh.settle(['A', 'A2'])
    mesh.network.cut('A', 'A2')
    mesh.pass(500)
    expect(mesh.run('A2', 'get', 'k')).toBe(null)
    expect(mesh.core('A2').engine.mintedCount).toBe(0)
  })

  it('gives memory back below the cut, as its primary does', async () => {
    const mesh = await region({}, 'AB')
    mesh.network.cut('A', 'B')
    mesh.run('A', 'set', 'k', 'a')
    mesh.run('B', 'set', 'k', 'b')
    mesh.network.heal('A', 'B')
    mesh.settle(['A', 'B', 'A2'])
    mesh.until(() => mesh.core('A2').engine.reclaimPending === 0)
    mesh.until(() => mesh.core('A').engine.reclaimPending === 0)
    expect(mesh.digest('A2')).toBe(mesh.digest('A'))
  })

  it('hears what clients publish, in its own region and in others', async () => {
    const mesh = await region({}, 'AB')
    const heard = new Map<string, string[]>()
    for (const name of ['A', 'B', 'A2']) {
      const { engine } = mesh.core(name)
      const published = engine.published.bind(engine)
      heard.set(name, [])
      engine.published = (kind, channel, message) => {
        heard.get(name)!.push(message)
        published(kind, channel, message)
      }
    }
    mesh.run('A', 'publish', 'c', 'from A')
    mesh.run('B', 'publish', 'c', 'from B')
    mesh.pass(1000)
    expect(heard.get('A2')).toEqual(['from A', 'from B'])
    expect(heard.get('A')).toEqual(['from B'])
    expect(heard.get('B')).toEqual(['from A'])
  })

  it('refuses a primary of another region', async () => {
    const mesh = new SimMesh('AB', {}, 1, undefined, ['A2'])
    mesh.node('A2').configure({ 'replica-of': 'B:1', peer: [] })
    await mesh.start(['A', 'B', 'A2'])
    mesh.pass(1000)
    const { primary } = mesh.core('A2').replication.state()
    expect(primary?.link).not.toBe('connected')
    expect(primary?.error).toContain(
      'of region A is a replica: replicas and other regions link with the primary',
    )
  })
})

describe('replies that wait for replicas', () => {
  it('leave when a replica has the write', async () => {
    const mesh = await region({ 'replica-ack': 'sync' })
    expect(mesh.run('A', 'set', 'k', 'v')).toBe('OK')
    expect(mesh.core('A2').applied.toWire()).toEqual(mesh.core('A').applied.toWire())
  })

  it('go on alone, with sync, when the replica keeps up no longer; never with sync-strict', async () => {
    for (const [mode, answers] of [
      ['sync', true],
      ['sync-strict', false],
    ] as const) {
      const mesh = await region({ 'replica-ack': mode })
      mesh.network.stall('A', 'A2')
      const sentMs = mesh.clock.nowMs
      const client = mesh.send('A', 'set', 'k', 'v')
      mesh.pass(1000)
      expect(client.answeredMs).toBeUndefined()
      mesh.pass(20_000)
      expect(client.answeredMs !== undefined, mode).toBe(answers)
      if (answers) expect(client.answeredMs! - sentMs).toBeLessThan(4000)
    }
  })
})

describe('min-replicas-to-write', () => {
  it('refuses writes while too few replicas are linked', async () => {
    const mesh = await region({ 'min-replicas-to-write': 1 })
    expect(mesh.run('A', 'set', 'k', 'v')).toBe('OK')
    mesh.crash('A2', 'kill')
    mesh.pass(15_000)
    expect(line(mesh.run('A', 'set', 'k', 'w'))).toMatch(/^NOREPLICAS /)
    expect(mesh.run('A', 'get', 'k')).toBe('v')
  })
})

describe('a planned hand-over', () => {
  it('moves the role with nothing lost, and other regions find the new primary', async () => {
    const mesh = await region({}, 'AB')
    mesh.run('A', 'set', 'k', 'v')
    expect(mesh.run('A', 'failover')).toBe('OK')
    mesh.until(() => mesh.core('A2').replication.role === 'primary')
    mesh.until(() => mesh.core('A').replication.state().primary?.link === 'connected')
    expect(mesh.run('A2', 'incr', 'n')).toBe(1)
    mesh.run('B', 'incr', 'n')
    mesh.settle(['A', 'A2', 'B'])
    expect(mesh.run('B', 'get', 'n')).toBe('2')
    expect(mesh.run('A', 'get', 'k')).toBe('v')
    expect(line(mesh.run('A', 'incr', 'n'))).toMatch(/^READONLY /)
    expect(mesh.core('A').replication.term).toBe(1)
  })
})

describe('a former primary', () => {
  it('gives its own writes that nobody had to the new one, under their own dots', async () => {
    const mesh = await region({}, 'AB')
    mesh.settle('AB')
    mesh.run('A', 'incrby', 'n', '10')
    mesh.settle(['A', 'A2', 'B'])
    isolate(mesh, 'A', ['A2', 'B'])
    mesh.run('A', 'incrby', 'n', '100')
    mesh.run('A', 'set', 'only', 'here')
    promote(mesh, 'A2')
    mesh.until(() => mesh.run('A2', 'incrby', 'n', '1000') === 1010)
    rejoin(mesh, 'A', ['A2', 'B'])
    mesh.run('A', 'replicaof', 'A2', '1')
    mesh.settle(['A', 'A2', 'B'])
    expect(mesh.run('B', 'get', 'n')).toBe('1110')
    expect(mesh.run('A2', 'get', 'only')).toBe('here')
    expect(mesh.core('A2').lateTail.mintedCount).toBe(0)
    expect(new Set(['A', 'A2', 'B'].map((name) => mesh.digest(name))).size).toBe(1)
  })

  it('has them minted again, once, when its origin had ended by then', async () => {
    const mesh = await region({}, 'AB')
    mesh.settle('AB')
    mesh.run('A', 'incrby', 'n', '10')
    mesh.settle(['A', 'A2', 'B'])
    isolate(mesh, 'A', ['A2', 'B'])
    mesh.run('A', 'incrby', 'n', '100')
    mesh.run('A', 'set', 'only', 'here')
    promote(mesh, 'A2')
    mesh.until(() => mesh.run('A2', 'incrby', 'n', '1000') === 1010)
    const former = mesh.core('A').origin.id
    mesh.until(() => {
      const { engine, origins } = mesh.core('A2')
      return engine.membership.sealOf(origins.intern(former)) !== undefined
    })
    rejoin(mesh, 'A', ['A2', 'B'])
    mesh.run('A', 'replicaof', 'A2', '1')
    mesh.until(() => mesh.core('A2').lateTail.mintedCount > 0)
    mesh.settle(['A', 'A2', 'B'])
    expect(mesh.run('B', 'get', 'n')).toBe('1110')
    expect(mesh.run('A', 'get', 'only')).toBe('here')
    mesh.until(() => !mesh.core('A').lateTail.isPending)
    mesh.pass(20_000)
    expect(mesh.core('A2').lateTail.mintedCount).toBe(2)
    expect(new Set(['A', 'A2', 'B'].map((name) => mesh.digest(name))).size).toBe(1)
  })

  it('is refused by the other regions once they know of its successor', async () => {
    const mesh = await region({}, 'AB')
    mesh.run('A', 'set', 'k', 'v')
    mesh.settle(['A', 'A2', 'B'])
    mesh.network.cut('A', 'B')
    mesh.network.cut('A', 'A2')
    promote(mesh, 'A2')
    mesh.until(() => mesh.run('A2', 'set', 'k', 'w') === 'OK')
    mesh.settle(['A2', 'B'])
    mesh.network.heal('A', 'B')
    mesh.run('A', 'set', 'k', 'zombie')
    mesh.pass(20_000)
    expect(mesh.run('B', 'get', 'k')).toBe('w')
    expect(mesh.core('A').mesh.links()[0]?.lastError?.code).toMatch(/older-term|duplicate-region-id/)
  })
})

describe('a promoted replica', () => {
  it('that may lack what its region acknowledged mints nothing before it holds that', async () => {
    const mesh = await region({}, 'AB')
    mesh.settle('AB')
    mesh.network.cut('A', 'A2')
    mesh.run('B', 'set', 'k', 'acknowledged by A')
    mesh.settle('AB')
    mesh.until(() => mesh.core('A').durable.covers(mesh.core('A').applied))
    mesh.pass(5000)
    mesh.crash('A', 'kill')
    mesh.network.wall('B')
    promote(mesh, 'A2')
    mesh.pass(5000)
    expect(line(mesh.run('A2', 'set', 'x', 'y'))).toMatch(/^BEHIND /)
    mesh.network.unwall('B')
    mesh.until(() => mesh.run('A2', 'set', 'x', 'y') === 'OK')
    expect(mesh.run('A2', 'get', 'k')).toBe('acknowledged by A')
  })

  it('ends the origin of its predecessor, so that the cut moves on', async () => {
    const mesh = await region({}, 'AB')
    mesh.run('A', 'set', 'k', 'v')
    mesh.settle(['A', 'A2', 'B'])
    const former = mesh.core('A').origin.id
    mesh.crash('A', 'power')
    promote(mesh, 'A2')
    mesh.until(() => {
      const { engine, origins } = mesh.core('B')
      return engine.membership.sealOf(origins.intern(former)) !== undefined
    })
    mesh.run('B', 'set', 'k', 'w')
    mesh.settle(['A2', 'B'])
    mesh.until(() => mesh.core('B').mesh.cut.cut.covers(mesh.core('B').applied))
  })
})
