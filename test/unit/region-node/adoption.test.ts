/**
 * adoption.test.ts: a node that switches to a snapshot from another region: what it holds afterwards, what
 * its clients and peers see meanwhile, and what a crash at each step of the switch leaves.
 */
import { describe, expect, it } from 'vitest'
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
