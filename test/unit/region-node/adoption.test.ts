/**
 * adoption.test.ts: a node that switches to a snapshot from another region: what it holds afterwards, what
 * its clients and peers see meanwhile, and what a crash at each step of the switch leaves.
 */
import { describe, expect, it, vi } from 'vitest'
import type { NodeCore } from '../../../region-node/core.ts'
import { Keyspace } from '../../../region-node/engine/keyspace.ts'
import type { AdoptionResult } from '../../../sync/snapshot-ports.ts'
import { SimMesh } from '../../harness/sim-mesh.ts'

/** Everything up to now leaves the log of that region, and only its snapshot still holds it. */
function trim(mesh: SimMesh, name: string): void {
  const core = mesh.core(name)
  let isRebased = false
  // A segment that is not the newest can go: what is appended now begins another one.
  core.log.whenIdle(() => {
    core.engine.endTurn()
    core.log.rebase(core.applied.copy())
    isRebased = true
  })
  mesh.until(() => isRebased)
  snapshot(mesh, name)
  core.log.trim(core.log.durablePosition)
}

function snapshot(mesh: SimMesh, name: string): void {
  let isMade = false
  mesh.core(name).snapshotter.make(() => {
    isMade = true
  })
  mesh.until(() => isMade)
}

function fill(mesh: SimMesh, name: string): void {
  mesh.run(name, 'SET', 'text', `of ${name}`)
  mesh.run(name, 'INCRBY', 'count', '5')
  mesh.run(name, 'HSET', `hash ${name}`, 'a', '1', 'b', '2')
  mesh.run(name, 'SADD', 'set', name, 'common')
  mesh.run(name, 'SET', 'mortal', 'x', 'PX', '100000')
  mesh.run(name, 'SELECT', '3')
  mesh.run(name, 'SET', 'elsewhere', name)
  mesh.run(name, 'SELECT', '0')
}

function linkOf(core: NodeCore, region: string) {
  return core.mesh.links().find((link) => link.region === region)!
}

/** Regions that have met: they take writes. */
async function startTogether(mesh: SimMesh, names: string): Promise<void> {
  await mesh.start(names)
  mesh.until(() => [...names].every((name) => mesh.core(name).engine.refusal === undefined))
}

describe('a newcomer to regions whose logs are trimmed', () => {
  it.each(['always', 'everysec'] as const)('gets all of it, then what follows (%s)', async (appendfsync) => {
    const mesh = new SimMesh('ABC', { appendfsync })
    await startTogether(mesh, 'AB')
    fill(mesh, 'A')
    fill(mesh, 'B')
    mesh.settle('AB')
    trim(mesh, 'A')
    trim(mesh, 'B')
    await mesh.start('C')
    mesh.settle('ABC')
    expect(mesh.digest('C')).toBe(mesh.digest('A'))
    expect(mesh.core('C').engine.receivedCount).toBe(0)
    mesh.until(() => mesh.core('C').engine.refusal === undefined)
    mesh.run('A', 'INCR', 'count')
    mesh.run('C', 'HDEL', 'hash A', 'a')
    mesh.settle('ABC')
    expect(mesh.run('C', 'GET', 'count')).toBe('11')
    expect(mesh.run('B', 'HGETALL', 'hash A')).toEqual(['b', '2'])
    expect(mesh.digest('C')).toBe(mesh.digest('A'))
    expect(mesh.digest('C')).toBe(mesh.digest('B'))
  })

  it('is read for no late tail: it has minted nothing', async () => {
    const mesh = new SimMesh('ABC')
    await startTogether(mesh, 'AB')
    fill(mesh, 'A')
    mesh.core('A').changeRegion(3, 'C', 'memory:C', 'member')
    mesh.settle('AB')
    trim(mesh, 'A')
    trim(mesh, 'B')
    await mesh.start('C')
    const { lateTail } = mesh.core('C')
    const search = vi.spyOn(lateTail, 'search')
    mesh.until(() => mesh.core('C').engine.refusal === undefined)
    expect(mesh.core('C').engine.membership.epochOf(3)).toBe(1)
    expect(search).not.toHaveBeenCalled()
    expect(lateTail.isPending).toBe(false)
  })

  it('starts again from the snapshot it adopted', async () => {
    const mesh = new SimMesh('ABC')
    await startTogether(mesh, 'AB')
    fill(mesh, 'A')
    mesh.settle('AB')
    trim(mesh, 'A')
    trim(mesh, 'B')
    await startTogether(mesh, 'C')
    mesh.run('C', 'INCR', 'count')
    mesh.settle('ABC')
    mesh.pass(3000)
    mesh.crash('C', 'power')
    mesh.network.cut('A', 'C')
    mesh.network.cut('B', 'C')
    await mesh.start('C')
    expect(mesh.run('C', 'GET', 'count')).toBe('6')
    expect(mesh.digest('C')).toBe(mesh.digest('A'))
  })
})

describe('a region that comes back when the log of another is trimmed', () => {
  /** A and C go on without B, which writes too; then the log of A holds none of it any more. */
  async function apart(): Promise<SimMesh> {
    const mesh = new SimMesh('ABC')
    await startTogether(mesh, 'ABC')
    fill(mesh, 'B')
    mesh.settle('ABC')
    mesh.network.cut('A', 'B')
    mesh.network.cut('B', 'C')
    fill(mesh, 'A')
    mesh.run('B', 'SADD', 'set', 'only here')
    mesh.settle('AC')
    trim(mesh, 'A')
    return mesh
  }

  it('goes on reading its groups where it was, after a restart too', async () => {
    const mesh = new SimMesh('ABC')
    const pending = () => mesh.run('B', 'XPENDING', 's', 'g')
    const read = () => {
      const reply = mesh.run('B', 'XREADGROUP', 'GROUP', 'g', 'c', 'COUNT', '2', 'STREAMS', 's', '>')
      return (reply as [[string, [string][]]] | null)?.[0][1].map(([id]) => id)
    }
    await startTogether(mesh, 'ABC')
    for (const id of ['1', '2', '3']) mesh.run('A', 'XADD', 's', id, 'f', 'v')
    mesh.run('A', 'XGROUP', 'CREATE', 's', 'g', '0')
    mesh.settle('ABC')
    expect(read()).toEqual(['1-1', '2-1'])
    mesh.pass(2000)
    mesh.network.cut('A', 'B')
    mesh.network.cut('B', 'C')
    mesh.run('A', 'XADD', 's', '9', 'f', 'v')
    mesh.settle('AC')
    trim(mesh, 'A')
    mesh.network.heal('A', 'B')
    mesh.until(() => mesh.digest('B') === mesh.digest('A'))
    expect(pending()).toEqual([2, '1-1', '2-1', [['c', '2']]])
    mesh.pass(3000)
    mesh.crash('B', 'power')
    await mesh.start('B')
    expect(pending()).toEqual([2, '1-1', '2-1', [['c', '2']]])
    mesh.until(() => mesh.core('B').engine.refusal === undefined)
    expect(read()).toEqual(['3-1', '9-1'])
    expect(read()).toBeUndefined()
  })

  it('serves its clients meanwhile, shows how far it is, and keeps what they wrote', async () => {
    const mesh = await apart()
    const core = mesh.core('B')
    const phases = new Set<string | undefined>()
    const opCount = mesh.core('A').applied.opCount
    mesh.network.heal('A', 'B')
    mesh.until(() => {
      phases.add(linkOf(core, 'A').snapshotIn?.phase)
      return core.applied.opCount > opCount
    })
    expect(phases.size).toBeGreaterThan(1)
    expect(mesh.run('B', 'SADD', 'set', 'later')).toBe(1)
    mesh.settle('AB')
    expect(mesh.run('B', 'SMEMBERS', 'set')).toEqual(
      expect.arrayContaining(['A', 'B', 'common', 'only here', 'later']),
    )
    expect(mesh.run('A', 'SISMEMBER', 'set', 'only here')).toBe(1)
    expect(mesh.digest('B')).toBe(mesh.digest('A'))
    expect(linkOf(core, 'A').snapshotIn).toBeUndefined()
  })

  it('gives what it got that way to another one by a snapshot of its own', async () => {
    const mesh = new SimMesh('ABC')
    await startTogether(mesh, 'ABC')
    mesh.network.cut('A', 'B')
    mesh.network.cut('A', 'C')
    fill(mesh, 'A')
    trim(mesh, 'A')
    mesh.network.heal('A', 'B')
    mesh.settle('ABC')
    expect(mesh.digest('C')).toBe(mesh.digest('A'))
    expect(mesh.core('C').engine.receivedCount).toBe(0)
    // The one that B had adopted will do.
    expect(mesh.core('B').snapshotter.count).toBe(0)
  })

  it('keeps its own state when ops have brought all of it meanwhile', async () => {
    const mesh = await apart()
    const { stage, take } = staged(mesh)
    mesh.network.heal('B', 'C')
    mesh.settle('BC')
    expect(take()).toBe('covered')
    expect(stage.adoption).toBeUndefined()
    expect(
      mesh
        .node('B')
        .env!.disk.list('/data')
        .filter((name) => name.includes('snapshot')),
    ).toEqual([])
    expect(mesh.digest('B')).toBe(mesh.digest('C'))
  })

  it('goes on as it was when the snapshot is damaged', async () => {
    const mesh = await apart()
    const before = mesh.digest('B')
    const { take } = staged(mesh, (bytes) => {
      bytes[bytes.length >> 1]! ^= 1
    })
    expect(take()).toEqual({ failure: expect.stringMatching(/checksum|chunk/) })
    expect(mesh.digest('B')).toBe(before)
    expect(mesh.run('B', 'SADD', 'set', 'later')).toBe(1)
    mesh.network.heal('A', 'B')
    mesh.settle('AB')
    expect(mesh.digest('B')).toBe(mesh.digest('A'))
  })

  it('goes on as it was when the disk is full', async () => {
    const mesh = await apart()
    const { disk } = mesh.node('B').machine
    const core = mesh.core('B')
    disk.isFull = true
    mesh.network.heal('A', 'B')
    mesh.pass(8000)
    expect(linkOf(core, 'A').snapshotIn).toBeUndefined()
    disk.isFull = false
    mesh.settle('AB')
    expect(mesh.digest('B')).toBe(mesh.digest('A'))
  })
})

/** The snapshot of A staged at B, as if it had come over a link. */
function staged(mesh: SimMesh, change: (bytes: Uint8Array) => void = () => {}) {
  const lease = mesh.core('A').snapshots.shelf.lease()!
  const bytes = lease.read(0, lease.bytes)
  change(bytes)
  lease.release()
  const { stage } = mesh.core('B').snapshots
  stage.begin((sentence) => {
    throw new Error(sentence)
  })
  stage.append(bytes)
  const take = (): AdoptionResult | undefined => {
    let result: AdoptionResult | undefined
    stage.adopt(false, (one) => {
      result = one
    })
    mesh.until(() => result !== undefined)
    return result
  }
  return { stage, take }
}

describe('RESYNC', () => {
  it('replaces what a node holds, but not the ops that only it has', async () => {
    const mesh = new SimMesh('AB')
    await startTogether(mesh, 'AB')
    fill(mesh, 'A')
    fill(mesh, 'B')
    mesh.settle('AB')
    const core = mesh.core('B')
    // As if memory had been damaged: keys are gone that no op removed.
    core.engine.keyspace.become(new Keyspace(core.origins, core.latin1))
    expect(mesh.digest('B')).not.toBe(mesh.digest('A'))
    mesh.network.stall('B', 'A')
    mesh.run('B', 'SADD', 'set', 'only here')
    expect(mesh.run('B', 'CRDT.LINK', 'A', 'RESYNC')).toBe('OK')
    expect(mesh.run('B', 'CRDT.LINK', 'A', 'RESYNC')).toMatchObject({
      line: expect.stringContaining('ERR No resync: a snapshot from region A is under way'),
    })
    mesh.network.unstall('B', 'A')
    mesh.until(() => linkOf(core, 'A').snapshotIn === undefined)
    mesh.settle('AB')
    expect(mesh.digest('B')).toBe(mesh.digest('A'))
    expect(mesh.run('A', 'SISMEMBER', 'set', 'only here')).toBe(1)
  })
})

class Crash extends Error {}

/** Where the process ends in the switch; each takes the core whose disk or engine it lies in wait in. */
const CRASHES: Readonly<Record<string, (core: NodeCore, disk: NodeDisk) => void>> = {
  'before the renaming': (_core, disk) => {
    disk.rename = () => crash()
  },
  'after the renaming': (_core, disk) => {
    const { rename } = disk
    disk.rename = (from, to) => {
      rename(from, to)
      crash()
    }
  },
  'after an old snapshot was put away': (_core, disk) => {
    const { rename } = disk
    disk.rename = (from, to) => {
      rename(from, to)
      if (from.endsWith('.snapshot')) crash()
    }
  },
  'before the segment is begun': ({ log }) => {
    log.rebase = () => crash()
  },
  'when the segment has a name and no bytes': (_core, disk) => {
    const { open } = disk
    disk.open = (path) => {
      open(path)
      return path.endsWith('.log') ? crash() : open(path)
    }
  },
  'when the segment is written and not durable': (_core, disk) => {
    const { open } = disk
    disk.open = (path) => {
      const file = open(path)
      if (path.endsWith('.log')) file.syncNow = () => crash()
      return file
    }
  },
  'before memory switches': ({ engine }) => {
    engine.adopt = () => crash()
  },
}

type NodeDisk = NonNullable<ReturnType<SimMesh['node']>['env']>['disk']

function crash(): never {
  throw new Crash('here')
}

describe.each(['kill', 'power'] as const)('a crash (%s) in the turn of the switch', (how) => {
  it.each(Object.keys(CRASHES))('%s loses nothing', async (where) => {
    const mesh = new SimMesh('ABC', { appendfsync: 'always' })
    await startTogether(mesh, 'ABC')
    fill(mesh, 'B')
    mesh.settle('ABC')
    snapshot(mesh, 'B')
    mesh.network.cut('A', 'B')
    mesh.network.cut('B', 'C')
    fill(mesh, 'A')
    mesh.run('B', 'SADD', 'set', 'only here')
    mesh.settle('AC')
    trim(mesh, 'A')
    const node = mesh.node('B')
    CRASHES[where]!(mesh.core('B'), node.env!.disk)
    mesh.network.heal('A', 'B')
    expect(() => mesh.until(() => false)).toThrow(Crash)
    mesh.crash('B', how)
    mesh.network.cut('A', 'B')
    await mesh.start('B')
    expect(mesh.run('B', 'SISMEMBER', 'set', 'only here')).toBe(1)
    mesh.run('B', 'SADD', 'set', 'later')
    // What B holds by now, in its log or not, has to reach who has nothing and can only ask B.
    mesh.crash('C', 'power')
    mesh.node('C').machine.disk.replaceAll(new Map())
    mesh.network.cut('A', 'C')
    mesh.network.heal('B', 'C')
    await mesh.start('C')
    mesh.settle('BC')
    expect(mesh.digest('C')).toBe(mesh.digest('B'))
    mesh.network.heal('A', 'B')
    mesh.settle('ABC')
    expect(mesh.digest('A')).toBe(mesh.digest('B'))
    expect(mesh.run('A', 'SMEMBERS', 'set')).toEqual(
      expect.arrayContaining(['A', 'B', 'common', 'only here', 'later']),
    )
  })
})

describe('a region that was suspended and is back', () => {
  const DARK_MAX_MS = 10_000

  function areStatuses(mesh: SimMesh, name: string, statuses: string): boolean {
    const { membership } = mesh.core(name)
    return [1, 2, 3, 4].map((id) => membership.statusOf(id)[0]).join('') === statuses
  }

  it('takes the snapshot as it is, also after a crash; what it took in the dark, its own region mints again', async () => {
    const mesh = new SimMesh('ABCD', { 'peer-dark-max-ms': DARK_MAX_MS, appendfsync: 'always' })
    await startTogether(mesh, 'ABCD')
    for (const dark of 'CD') for (const other of 'AB') mesh.network.cut(other, dark)
    mesh.run('D', 'SET', 'dark', 'of D')
    mesh.run('C', 'SET', 'own', 'of C')
    mesh.settle('CD')
    mesh.until(() => areStatuses(mesh, 'A', 'mmss') && areStatuses(mesh, 'B', 'mmss'))
    mesh.network.cut('C', 'D')
    for (const other of 'AB') mesh.network.heal(other, 'C')
    mesh.until(() => areStatuses(mesh, 'C', 'mmms'))
    mesh.settle('ABC')
    expect(mesh.run('C', 'MGET', 'own', 'dark')).toEqual(['of C', null])
    mesh.crash('C', 'power')
    await mesh.start('C')
    mesh.settle('ABC')
    expect(mesh.run('C', 'MGET', 'own', 'dark')).toEqual(['of C', null])
    expect(mesh.digest('C')).toBe(mesh.digest('A'))
    for (const other of 'ABC') mesh.network.heal(other, 'D')
    mesh.until(() => areStatuses(mesh, 'D', 'mmmm'))
    mesh.settle('ABCD')
    expect(mesh.run('C', 'MGET', 'own', 'dark')).toEqual(['of C', 'of D'])
    for (const other of 'BCD') expect(mesh.digest(other)).toBe(mesh.digest('A'))
  })
})

describe('a folder that was put back and holds what has ended everywhere else', () => {
  /** A lost the disk with its second op, B knows where that origin ended, and now A runs on a copy, apart. */
  async function putBack(): Promise<{ mesh: SimMesh; endAt: (name: string) => number | undefined }> {
    const mesh = new SimMesh('AB', { appendfsync: 'always' })
    await startTogether(mesh, 'AB')
    mesh.run('A', 'INCR', 'count')
    mesh.settle('AB')
    mesh.network.cut('A', 'B')
    mesh.run('A', 'INCR', 'count')
    const former = mesh.core('A').origin.id
    mesh.crash('A', 'power')
    const { disk } = mesh.node('A').machine
    const copy = disk.copy()
    // The second op is lost, and the origin ends before it.
    disk.replaceAll(new Map())
    mesh.network.heal('A', 'B')
    await startTogether(mesh, 'A')
    const endAt = (name: string) => {
      const { membership, origins } = mesh.core(name)
      return membership.sealOf(origins.intern(former))?.end
    }
    mesh.until(() => endAt('B') === 1)
    expect(mesh.run('B', 'GET', 'count')).toBe('1')
    mesh.crash('A', 'power')
    disk.replaceAll(copy)
    mesh.network.cut('A', 'B')
    await mesh.start('A')
    expect(mesh.run('A', 'GET', 'count')).toBe('2')
    return { mesh, endAt }
  }

  it('is rebuilt without it, and mints it again', async () => {
    const { mesh, endAt } = await putBack()
    mesh.network.heal('A', 'B')
    mesh.until(() => endAt('A') === 1 && mesh.core('A').engine.refusal === undefined)
    mesh.settle('AB')
    expect(mesh.run('B', 'GET', 'count')).toBe('2')
    expect(mesh.digest('A')).toBe(mesh.digest('B'))
  })

  it('gives it to nobody by a snapshot', async () => {
    const { mesh } = await putBack()
    snapshot(mesh, 'A')
    const before = mesh.digest('B')
    expect(staged(mesh).take()).toEqual({
      failure: expect.stringMatching(/^it holds ops of origin 1-\w+ behind the end of that origin/),
    })
    expect(mesh.run('B', 'GET', 'count')).toBe('1')
    expect(mesh.digest('B')).toBe(before)
  })
})
