/**
 * regions.test.ts: CRDT.REGION: what it mints, what it refuses and why, what it shows.
 */
import { describe, expect, it } from 'vitest'
import { OriginTable } from '../../../../crdt/origin.ts'
import { VersionVector } from '../../../../crdt/version-vector.ts'
import type { RegionState, ReplicationControl } from '../../../../region-node/commands/services.ts'
import { errors } from '../../../../region-node/errors.ts'
import { RespError } from '../../../../region-node/resp/parse-reply.ts'
import { lonePrimary, TestEngine } from '../../../harness/test-engine.ts'

const OSLO: RegionState = {
  name: 'oslo',
  regionId: 1,
  url: '',
  status: 'self',
  epoch: 0,
  mode: 'active',
  heardMsAgo: undefined,
  lagOps: undefined,
  lagMs: undefined,
  behindOps: undefined,
  lacking: false,
}
const PARIS: RegionState = {
  name: 'paris',
  regionId: 2,
  url: 'ws://paris:7200',
  status: 'member',
  epoch: 0,
  mode: 'active',
  heardMsAgo: 120.4,
  lagOps: 3,
  lagMs: 12,
  behindOps: 0,
  lacking: undefined,
}
const ROME: RegionState = { ...PARIS, name: 'rome', regionId: 3, status: 'left', epoch: 2, lagOps: undefined }
const NEVER_REACHED: RegionState = { ...PARIS, name: 'lima', regionId: undefined, heardMsAgo: undefined }
const PASSIVE_OSLO: RegionState = { ...OSLO, mode: 'passive' }
const LIMA_URL = 'wss://lima.example/sync'

function world(
  refusal?: Error,
  peers: readonly RegionState[] = [PARIS, ROME],
  own = OSLO,
  replication?: ReplicationControl,
): { engine: TestEngine; changes: unknown[] } {
  const origins = new OriginTable()
  const changes: unknown[] = []
  const engine = new TestEngine(1, {
    region: 'oslo',
    regionId: 1,
    applied: VersionVector.fromWire(origins, [['9-00000000000a', 4]]),
    regions: {
      list: () => [own, ...peers],
      change: (...change) => {
        if (refusal !== undefined) throw refusal
        changes.push(change)
      },
      changeMode: (mode) => {
        if (refusal !== undefined) throw refusal
        changes.push(mode)
      },
    },
    ...(replication === undefined ? {} : { replication }),
  })
  return { engine, changes }
}

describe('CRDT.REGION ADD', () => {
  it('mints the joining of a region', () => {
    const { engine, changes } = world()
    expect(engine.run('crdt.region', 'add', 'bern', '1023', LIMA_URL)).toBe('OK')
    expect(changes).toEqual([[1023, 'bern', LIMA_URL, 'member', undefined]])
  })

  it('mints the joining of a passive region', () => {
    const { engine, changes } = world()
    expect(engine.run('crdt.region', 'add', 'bern', '1023', LIMA_URL, 'Passive')).toBe('OK')
    expect(changes).toEqual([[1023, 'bern', LIMA_URL, 'member', 'passive']])
    expect(engine.run('crdt.region', 'add', 'bern', '1023', LIMA_URL, 'lazy')).toEqual({
      line: errors.syntax.line,
    })
    expect(engine.run('crdt.region', 'add', 'bern', '1', LIMA_URL, 'passive', 'x')).toEqual({
      line: errors.syntax.line,
    })
  })

  it('waits until every member is within reach', () => {
    const { engine, changes } = world(undefined, [PARIS, NEVER_REACHED])
    expect(engine.run('crdt.region', 'add', 'bern', '1023', LIMA_URL)).toMatchObject({
      line: expect.stringContaining('Region lima was not heard lately'),
    })
    expect(changes).toEqual([])
  })

  it.each([
    [['paris', '7', LIMA_URL], "There is a region 'paris' with id 2 already: choose another name"],
    [['oslo', '7', LIMA_URL], "There is a region 'oslo' with id 1 already: choose another name"],
    [['bern', '2', LIMA_URL], "There is a region 'paris' with id 2 already: choose another id"],
    [['bern', '1', LIMA_URL], "There is a region 'oslo' with id 1 already: choose another id"],
    [
      ['bern', '3', LIMA_URL],
      "Region 'rome' with id 3 has left the database, and neither is ever reused: choose another id",
    ],
    [
      ['rome', '7', LIMA_URL],
      "Region 'rome' with id 3 has left the database, and neither is ever reused: choose another name",
    ],
    [['bern', '9', LIMA_URL], 'Region id 9 has written here, and ids are never reused: choose another id'],
    [['bern', '0', LIMA_URL], 'A region id is a number from 1 to 1023'],
    [['bern', '1024', LIMA_URL], 'A region id is a number from 1 to 1023'],
    [['bern', 'four', LIMA_URL], 'A region id is a number from 1 to 1023'],
    [['b e', '7', LIMA_URL], 'A region is named by 1 to 32 letters, digits, dots, dashes or underscores'],
    [['bern', '7', 'http://bern'], 'The address of a region is ws://HOST:PORT'],
    [['bern', '7', 'ws://me:secret@bern'], 'The address of a region is ws://HOST:PORT'],
  ])('refuses %j', (words, sentence) => {
    const { engine, changes } = world()
    const reply = engine.run('crdt.region', 'add', ...words)
    expect(reply).toBeInstanceOf(RespError)
    expect((reply as RespError).line).toContain(`ERR ${sentence}`)
    expect(changes).toEqual([])
  })

  it('says why a node that may not mint refuses', () => {
    const { engine } = world(errors.regionLacking)
    expect(engine.run('crdt.region', 'add', 'bern', '7', LIMA_URL)).toEqual({
      line: errors.regionLacking.line,
    })
  })

  it('is an op of its own: not in a transaction', () => {
    const { engine, changes } = world()
    engine.run('multi')
    expect(engine.run('crdt.region', 'add', 'bern', '7', LIMA_URL)).toEqual({
      line: errors.notInsideMulti.line,
    })
    expect(engine.run('exec')).toEqual({ line: errors.execAbort.line })
    expect(changes).toEqual([])
  })
})

describe('CRDT.REGION REMOVE', () => {
  it('mints the leaving of a region, and says what is to be done', () => {
    const { engine, changes } = world(undefined, [NEVER_REACHED, PARIS, ROME])
    expect(engine.run('crdt.region', 'remove', 'paris')).toMatch(/^Region 'paris' has left: .* Stop its node/)
    expect(changes).toEqual([[2, 'paris', 'ws://paris:7200', 'left']])
  })

  it.each([
    ['oslo', "Region 'oslo' cannot remove itself: say it at another region"],
    ['rome', "Region 'rome' has left already"],
    ['bern', "There is no region 'bern': the regions are 'oslo', 'lima', 'paris', 'rome'"],
    ['lima', "The id of region 'lima' is not known here"],
  ])('refuses %s', (name, sentence) => {
    const { engine, changes } = world(undefined, [NEVER_REACHED, PARIS, ROME])
    expect((engine.run('crdt.region', 'remove', name) as RespError).line).toContain(`ERR ${sentence}`)
    expect(changes).toEqual([])
  })
})

describe('CRDT.REGION PROMOTE', () => {
  it('mints the change, and says that clients may write', () => {
    const { engine, changes } = world(undefined, [PARIS, ROME], PASSIVE_OSLO)
    expect(engine.run('crdt.region', 'promote')).toBe("Region 'oslo' is active: its clients may write")
    expect(changes).toEqual(['active'])
  })

  it('changes nothing where nothing is to be changed', () => {
    const { engine, changes } = world(undefined, [NEVER_REACHED])
    expect(engine.run('crdt.region', 'promote')).toBe("Region 'oslo' is active already")
    expect(changes).toEqual([])
  })

  it.each([
    [{ behindOps: 12 }, "region 'paris' has announced ops that are not applied here: 12. Wait"],
    [{ heardMsAgo: 40_400 }, "region 'paris' was last heard 40 s ago, and may hold more than it said. Wait"],
    [{ heardMsAgo: undefined, behindOps: undefined }, "region 'paris' was not heard since this node started"],
    [{ behindOps: 1, heardMsAgo: 9000 }, "not applied here: 1; region 'paris' was last heard 9 s ago"],
  ])('is refused while %j, with the figures, unless it is forced', (state, sentence) => {
    const { engine, changes } = world(undefined, [{ ...PARIS, ...state }, ROME], PASSIVE_OSLO)
    const { line } = engine.run('crdt.region', 'promote') as RespError
    expect(line).toMatch(/^ERR Region 'oslo' stays passive: .*FORCE/)
    expect(line).toContain(sentence)
    expect(changes).toEqual([])
    const reply = engine.run('crdt.region', 'promote', 'force')
    expect(reply).toContain("Region 'oslo' is active: its clients may write. Still to come: region 'paris' ")
    expect(changes).toEqual(['active'])
  })

  it('does not ask regions that count no more', () => {
    const gone = { ...PARIS, status: 'suspended', heardMsAgo: 1e9, behindOps: 7 } as const
    const { engine, changes } = world(undefined, [gone, { ...ROME, behindOps: 3 }], PASSIVE_OSLO)
    engine.run('crdt.region', 'promote')
    expect(changes).toEqual(['active'])
  })

  it('takes one word, and says why a node that may not mint refuses', () => {
    const { engine } = world(errors.regionLacking, [PARIS], PASSIVE_OSLO)
    expect(engine.run('crdt.region', 'promote', 'please')).toEqual({ line: errors.syntax.line })
    expect(engine.run('crdt.region', 'promote', 'force', 'force')).toEqual({ line: errors.syntax.line })
    expect(engine.run('crdt.region', 'promote')).toEqual({ line: errors.regionLacking.line })
  })
})

describe('CRDT.REGION DEMOTE', () => {
  it('mints the change, whatever others hold', () => {
    const { engine, changes } = world(undefined, [NEVER_REACHED])
    expect(engine.run('crdt.region', 'demote')).toMatch(/^Region 'oslo' is passive: it applies/)
    expect(changes).toEqual(['passive'])
  })

  it('changes nothing where nothing is to be changed', () => {
    const { engine, changes } = world(undefined, [PARIS], PASSIVE_OSLO)
    expect(engine.run('crdt.region', 'demote')).toBe("Region 'oslo' is passive already")
    expect(changes).toEqual([])
  })

  it('is answered when it is on disk', () => {
    let fsynced: (local: number) => void = () => {}
    const replication = lonePrimary(
      () => 0,
      () => ({ cancel: () => {} }),
    )
    const waits: ReplicationControl['waits'] = {
      ...replication.waits,
      begin: (_target, wanted, timeoutMs, done) => {
        expect([wanted, timeoutMs]).toEqual([{ local: 1, replicas: 0, what: 'durable' }, 0])
        fsynced = (local) => done({ local, replicas: 0 })
        return () => {}
      },
    }
    const { engine, changes } = world(undefined, [PARIS], OSLO, { ...replication, waits })
    expect(engine.run('crdt.region', 'demote')).toBeUndefined()
    expect(changes).toEqual(['passive'])
    fsynced(1)
    expect(engine.reply()).toMatch(/serves reads$/)
    engine.run('crdt.region', 'demote')
    // The node is no primary any more, and waits for nothing.
    fsynced(0)
    expect(engine.reply()).toContain('not known to be on disk')
  })
})

describe('CRDT.REGION LIST', () => {
  it('shows each region', () => {
    const { engine } = world(undefined, [NEVER_REACHED, PARIS, ROME])
    engine.run('hello', '3')
    const rows = engine.run('crdt.region', 'list') as Map<string, unknown>[]
    expect(rows.map((row) => row.get('name'))).toEqual(['oslo', 'lima', 'paris', 'rome'])
    expect(Object.fromEntries(rows[2]!)).toEqual({
      name: 'paris',
      id: 2,
      url: 'ws://paris:7200',
      status: 'member',
      epoch: 0,
      mode: 'active',
      'heard-ms-ago': 120,
      'lag-ops': 3,
      'lag-ms': 12,
      'behind-ops': 0,
      lacking: null,
    })
    expect(rows[0]!.get('lacking')).toBe('no')
    expect(rows[1]!.get('id')).toBeNull()
  })

  it('has a page of help', () => {
    expect(world(undefined, [NEVER_REACHED, PARIS, ROME]).engine.run('crdt.region', 'help')).toContain(
      'REMOVE <name>',
    )
  })
})
