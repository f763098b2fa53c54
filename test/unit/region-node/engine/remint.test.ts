/**
 * remint.test.ts: ops behind their origin's end: never applied as they were, and minted again once.
 *
 * Region 1 was cut off and is suspended; region 2 ended its origin. What region 1 minted beyond is minted
 * again by a second engine of region 1, as after its return.
 */
import { describe, expect, it } from 'vitest'
import { openRecord } from '../../../../crdt/codec/batch.ts'
import { TAG } from '../../../../crdt/effects/effect.ts'
import type { Reminted } from '../../../../region-node/engine/reminter.ts'
import { START_MS, TestEngine } from '../../../harness/test-engine.ts'

/** The node of region 1 after its return, with an origin of its own. */
function returned(): TestEngine {
  const engine = new TestEngine(1)
  engine.engine.adoptOrigin(engine.origins.intern('1-0000000000ff'))
  return engine
}

/** Ends the origin of `dark` at what the sealer has of it. */
function seal(sealer: TestEngine, dark: TestEngine): number {
  const origin = sealer.origins.intern(dark.engine.origin.id)
  const end = sealer.engine.applied.get(origin)
  sealer.engine.declare([{ tag: TAG.SEAL, origin, end }])
  return end
}

/**
 * Mints everything of `dark` beyond the end again.
 * @returns what became of each op, as `minted`, `dropped 2`, `overwritten 1` or several of these; '' for nothing
 *   and undefined for a repeat
 */
function remint(by: TestEngine, dark: TestEngine, end: number): (string | undefined)[] {
  dark.engine.endBatch()
  const fates: (string | undefined)[] = []
  for (const { record, span } of dark.journal.records) {
    if (span.origin !== dark.engine.origin) continue
    const batch = openRecord(record, by.origins)
    const { origin, deps } = batch.header
    for (const op of batch.ops()) if (op.seq > end) fates.push(textOf(by.engine.remint(origin, op, deps)))
  }
  by.engine.endRemint()
  by.engine.endBatch()
  return fates
}

function textOf(reminted: Reminted | undefined): string | undefined {
  if (reminted === undefined) return undefined
  const { isMinted, dropped, overwritten } = reminted
  const parts = [
    isMinted ? 'minted' : '',
    dropped > 0 ? `dropped ${dropped}` : '',
    overwritten > 0 ? `overwritten ${overwritten}` : '',
  ]
  return parts.filter((part) => part !== '').join(', ')
}

interface Story {
  readonly dark: TestEngine
  readonly others: TestEngine
  readonly back: TestEngine
  readonly end: number
}

/** @param before  seen by all  @param inTheDark  seen by nobody  @param elsewhere  while region 1 is cut off */
function story(
  before: (dark: TestEngine) => void,
  inTheDark: (dark: TestEngine) => void,
  elsewhere: (others: TestEngine) => void,
): Story {
  const [dark, others, back] = [new TestEngine(1), new TestEngine(2), returned()]
  before(dark)
  others.pullFrom(dark)
  // A turn ends, so that what follows is in batches of its own.
  dark.wallMs += 1000
  inTheDark(dark)
  others.wallMs += 2000
  elsewhere(others)
  const end = seal(others, dark)
  back.wallMs += 3000
  back.pullFrom(others)
  return { dark, others, back, end }
}

function expectAgreement(...engines: readonly TestEngine[]): void {
  const [first, ...others] = engines.map(({ engine }) => engine.keyspace.digest())
  for (const other of others) expect(other).toBe(first)
}

describe('behind its end', () => {
  it('an op is not applied, though its record is kept; what comes before in it is', () => {
    const [dark, others] = [new TestEngine(1), new TestEngine(2)]
    dark.run('SET', 'a', '1')
    dark.run('SET', 'b', '1')
    dark.run('SET', 'c', '1')
    others.engine.declare([{ tag: TAG.SEAL, origin: others.origins.intern(dark.engine.origin.id), end: 2 }])
    others.pullFrom(dark)
    expect(others.run('MGET', 'a', 'b', 'c')).toEqual(['1', '1', null])
    expect(others.engine.applied.get(others.origins.intern(dark.engine.origin.id))).toBe(2)
  })

  it('the same goes for a fence', () => {
    const [dark, others] = [new TestEngine(1), new TestEngine(2)]
    dark.run('SET', 'a', '1')
    others.pullFrom(dark)
    others.engine.declare([{ tag: TAG.FENCE, origin: others.origins.intern(dark.engine.origin.id) }])
    dark.run('SET', 'b', '1')
    others.pullFrom(dark)
    expect(others.run('MGET', 'a', 'b')).toEqual(['1', null])
  })
})

describe('minted again', () => {
  it('a write that stands alone is there again, in every region', () => {
    const { dark, others, back, end } = story(
      (node) => node.run('SET', 'k', 'before'),
      (node) => node.run('SET', 'new', 'acknowledged'),
      (node) => node.run('SET', 'other', 'x'),
    )
    expect(remint(back, dark, end)).toEqual(['minted'])
    others.pullFrom(back)
    for (const node of [back, others]) {
      expect(node.run('MGET', 'k', 'new', 'other')).toEqual(['before', 'acknowledged', 'x'])
    }
    expectAgreement(back, others)
  })

  it('a write keeps its old stamp: what was written later elsewhere wins', () => {
    const { dark, others, back, end } = story(
      (node) => node.run('SET', 'k', 'before'),
      (node) => node.run('SET', 'k', 'in the dark'),
      (node) => node.run('SET', 'k', 'later'),
    )
    expect(remint(back, dark, end)).toEqual(['overwritten 1'])
    others.pullFrom(back)
    for (const node of [back, others]) expect(node.run('GET', 'k')).toBe('later')
    expectAgreement(back, others)
    expect(back.conflicts.latest(1)).toMatchObject([
      { rule: 'register', key: 'k', winner: { what: 'later' }, hidden: { region: 1, what: 'in the dark' } },
    ])
  })

  it('a write that lost is not tried again once the winner is gone', () => {
    const { dark, others, back, end } = story(
      (node) => node.run('SET', 'k', 'before'),
      (node) => node.run('SET', 'k', 'in the dark'),
      (node) => node.run('SET', 'k', 'later'),
    )
    remint(back, dark, end)
    back.run('DEL', 'k')
    back.engine.endBatch()
    const restarted = returned()
    for (const { record } of back.journal.records)
      restarted.engine.replay(openRecord(record, restarted.origins))
    expect(remint(restarted, dark, end)).toEqual([undefined])
    others.pullFrom(back)
    for (const node of [restarted, others]) expect(node.run('GET', 'k')).toBe(null)
  })

  it('a loser that one region has reclaimed, and another has not, makes no difference', () => {
    const [dark, others, third, back] = [new TestEngine(1), new TestEngine(2), new TestEngine(3), returned()]
    dark.run('SADD', 's', 'm')
    others.pullFrom(dark)
    third.pullFrom(dark)
    others.run('EXPIRE', 's', '1000')
    dark.pullFrom(others)
    third.run('EXPIRE', 's', '500')
    dark.run('EXPIRE', 's', '100')
    const end = seal(others, dark)
    others.pullFrom(third)
    third.pullFrom(others)
    expect(others.engine.reclaim(others.engine.applied)).toBeGreaterThan(0)
    back.pullFrom(others)
    remint(back, dark, end)
    others.pullFrom(back)
    third.pullFrom(back)
    expectAgreement(others, third, back)
    // It outlives what it had not seen, as among any concurrent deadlines; what it had seen it shortens.
    for (const node of [others, third, back]) expect(node.run('TTL', 's')).toBe(500)
  })

  it('deadlines: the longest of the last of its own and of those it had not seen', () => {
    const { dark, others, back, end } = story(
      (node) => {
        for (const key of ['a', 'b', 'c', 'gone']) node.run('SET', key, 'v', 'EX', '10000')
      },
      (node) => {
        for (const seconds of ['2000', '100']) node.run('EXPIRE', 'a', seconds)
        for (const seconds of ['100', '2000']) node.run('EXPIRE', 'b', seconds)
        node.run('EXPIRE', 'c', '100')
        node.run('EXPIRE', 'gone', '100')
      },
      (node) => {
        node.run('EXPIRE', 'a', '1000')
        node.run('EXPIRE', 'b', '1000')
        node.run('DEL', 'gone')
      },
    )
    const fates = ['minted', 'minted, overwritten 1', 'overwritten 1', 'minted', 'minted', 'overwritten 1']
    expect(remint(back, dark, end)).toEqual(fates)
    others.pullFrom(back)
    for (const node of [back, others]) {
      const dueSeconds = (key: string) => Number(node.run('EXPIRETIME', key)) - START_MS / 1000
      expect(dueSeconds('a')).toBe(1002)
      expect(dueSeconds('b')).toBe(2001)
      expect(dueSeconds('c')).toBe(101)
    }
    expectAgreement(back, others)
  })

  it('a SET leaves what it had not seen: other types, and increments on top', () => {
    const { dark, others, back, end } = story(
      (node) => node.run('INCRBY', 'n', '10'),
      (node) => {
        node.run('SET', 'n', '1')
        node.run('SET', 'n', '2')
        node.run('SET', 'k', 'text', 'EX', '100')
      },
      (node) => {
        node.run('INCRBY', 'n', '5')
        node.run('SADD', 'k', 'member')
      },
    )
    remint(back, dark, end)
    others.pullFrom(back)
    for (const node of [back, others]) {
      expect(node.run('GET', 'n')).toBe('7')
      expect(node.run('TYPE', 'k')).toBe('set')
    }
    expectAgreement(back, others)
    expect(back.conflicts.counts.type).toBe(1)
  })

  it('a SET that lost had still replaced the increments before it', () => {
    const { dark, others, back, end } = story(
      (node) => node.run('INCRBY', 'n', '10'),
      (node) => {
        node.run('INCRBY', 'n', '100')
        node.run('SET', 'n', '0')
        node.run('INCRBY', 'n', '3')
      },
      (node) => node.run('SET', 'n', '5'),
    )
    expect(remint(back, dark, end)).toEqual(['minted', 'minted, overwritten 1', 'minted'])
    others.pullFrom(back)
    for (const node of [back, others]) expect(node.run('GET', 'n')).toBe('8')
    expectAgreement(back, others)
  })

  it('of the fields of one HSET those that are the later ones count', () => {
    const { dark, others, back, end } = story(
      (node) => node.run('HSET', 'h', 'f', '1', 'g', '1', 'n', '1'),
      (node) => node.run('HSET', 'h', 'f', 'dark', 'g', 'dark', 'n', '50'),
      (node) => {
        node.run('HSET', 'h', 'f', 'later')
        node.run('HINCRBY', 'h', 'n', '7')
      },
    )
    expect(remint(back, dark, end)).toEqual(['minted, overwritten 1'])
    others.pullFrom(back)
    for (const node of [back, others])
      expect(node.run('HMGET', 'h', 'f', 'g', 'n')).toEqual(['later', 'dark', '57'])
    expectAgreement(back, others)
  })

  it('what is written to a key that has come due meanwhile goes with it', () => {
    const { dark, others, back, end } = story(
      (node) => {
        node.run('HSET', 'session', 'f', '1')
        node.run('EXPIRE', 'session', '2')
      },
      (node) => node.run('HSET', 'session', 'g', '1'),
      () => {},
    )
    expect(remint(back, dark, end)).toEqual(['minted'])
    others.pullFrom(back)
    others.wallMs += 3000
    for (const node of [back, others]) expect(node.run('EXISTS', 'session')).toBe(0)
    expectAgreement(back, others)
  })

  it('a key that was made in the dark, after it had come due, is there for good', () => {
    const { dark, others, back, end } = story(
      (node) => {
        node.run('HSET', 'h', 'f', '1')
        node.run('PEXPIRE', 'h', '500')
      },
      (node) => node.run('HSET', 'h', 'g', '1'),
      () => {},
    )
    expect(remint(back, dark, end)).toEqual(['minted, dropped 1'])
    others.pullFrom(back)
    for (const node of [back, others]) expect(node.run('HGET', 'h', 'g')).toBe('1')
    expectAgreement(back, others)
  })

  it('a write takes away only what it then had seen', () => {
    const { dark, others, back, end } = story(
      (node) => node.run('SADD', 's', 'old'),
      (node) => {
        node.run('SADD', 's', 'dark')
        node.run('SET', 'k', 'dark')
      },
      (node) => {
        node.run('SADD', 's', 'light')
        node.run('HSET', 'k', 'f', 'light')
      },
    )
    remint(back, dark, end)
    others.pullFrom(back)
    for (const node of [back, others]) {
      expect((node.run('SMEMBERS', 's') as string[]).sort()).toEqual(['dark', 'light', 'old'])
      expect(node.run('TYPE', 'k')).toBe('hash')
    }
    expectAgreement(back, others)
  })

  it('what was deleted meanwhile by one who had seen it does not come back', () => {
    const { dark, others, back, end } = story(
      (node) => {
        node.run('SET', 'k', 'v')
        node.run('SADD', 's', 'a', 'b')
      },
      (node) => node.run('SADD', 's', 'c'),
      (node) => {
        node.run('DEL', 'k')
        node.run('SREM', 's', 'a')
      },
    )
    remint(back, dark, end)
    others.pullFrom(back)
    for (const node of [back, others]) {
      expect(node.run('EXISTS', 'k')).toBe(0)
      expect((node.run('SMEMBERS', 's') as string[]).sort()).toEqual(['b', 'c'])
    }
    expectAgreement(back, others)
  })

  it('what another region had made in the same dark was not removed, and comes back with that one', () => {
    const [dark, apart, others, back] = [new TestEngine(1), new TestEngine(3), new TestEngine(2), returned()]
    const gone = new TestEngine(2)
    gone.run('PFADD', 'removed', 'a')
    for (const node of [dark, apart, others]) node.pullFrom(gone)
    apart.run('PFADD', 'hll', 'a')
    apart.run('XADD', 'stream', '1-0', 'f', 'v')
    dark.pullFrom(apart)
    dark.wallMs += 1000
    dark.run('PFADD', 'hll', 'b', 'c')
    dark.run('XGROUP', 'CREATE', 'stream', 'g', '0')
    dark.run('PFADD', 'removed', 'b')
    others.run('DEL', 'removed')
    const end = seal(others, dark)
    back.pullFrom(others)
    for (const { record } of apart.journal.records)
      for (const op of openRecord(record, back.origins).ops()) back.engine.takenApart(op)
    expect(remint(back, dark, end)).toEqual(['minted', 'minted', 'overwritten 1'])
    others.pullFrom(apart)
    others.pullFrom(back)
    back.pullFrom(apart)
    for (const node of [back, others]) {
      expect(node.run('PFCOUNT', 'hll', 'removed')).toBe(3)
      expect(node.run('XINFO', 'GROUPS', 'stream')).toHaveLength(1)
    }
    expectAgreement(back, others)
  })

  it('removals are dropped and counted; an op of nothing else is not minted', () => {
    const { dark, others, back, end } = story(
      (node) => {
        node.run('SADD', 's', 'a', 'b')
        node.run('HSET', 'h', 'f', '1', 'g', '1')
        node.run('SET', 'k', 'v')
      },
      (node) => {
        node.run('DEL', 'k')
        node.run('SREM', 's', 'a')
        node.run('HDEL', 'h', 'f')
        node.run('MULTI')
        node.run('DEL', 'h')
        node.run('SET', 'l', 'kept')
        node.run('EXEC')
        node.run('FLUSHALL')
      },
      () => {},
    )
    const minted = back.engine.mintedCount
    expect(remint(back, dark, end)).toEqual([
      'dropped 1',
      'dropped 1',
      'dropped 1',
      'minted, dropped 1',
      'dropped 1',
    ])
    // And one that names the last of them, so that it is not tried again.
    expect(back.engine.mintedCount - minted).toBe(2)
    others.pullFrom(back)
    for (const node of [back, others]) {
      expect(node.run('MGET', 'k', 'l')).toEqual(['v', 'kept'])
      expect(node.run('SCARD', 's')).toBe(2)
      expect(node.run('HLEN', 'h')).toBe(2)
    }
    expectAgreement(back, others)
  })

  it('increments count once, on top of those of before and of elsewhere', () => {
    const { dark, others, back, end } = story(
      (node) => {
        node.run('INCRBY', 'n', '10')
        node.run('HINCRBY', 'h', 'f', '10')
      },
      (node) => {
        for (let i = 0; i < 3; i++) node.run('INCR', 'n')
        node.run('HINCRBY', 'h', 'f', '3')
        node.run('INCRBYFLOAT', 'x', '0.5')
      },
      (node) => {
        node.run('INCRBY', 'n', '100')
        node.run('HINCRBY', 'h', 'f', '100')
      },
    )
    expect(remint(back, dark, end)).toEqual(Array(5).fill('minted'))
    expect(remint(back, dark, end).every((one) => one === undefined)).toBe(true)
    others.pullFrom(back)
    for (const node of [back, others]) {
      expect(node.run('GET', 'n')).toBe('113')
      expect(node.run('HGET', 'h', 'f')).toBe('113')
      expect(node.run('GET', 'x')).toBe('0.5')
    }
    expectAgreement(back, others)
    // The present origin goes on from there.
    back.run('INCR', 'n')
    others.pullFrom(back)
    expect(others.run('GET', 'n')).toBe('114')
  })

  it('a SET over increments of the same tail replaces them, and those before it', () => {
    const { dark, others, back, end } = story(
      (node) => node.run('INCRBY', 'n', '10'),
      (node) => {
        node.run('INCRBY', 'n', '5')
        node.run('SET', 'n', '1')
        node.run('INCRBY', 'n', '2')
      },
      () => {},
    )
    remint(back, dark, end)
    others.pullFrom(back)
    for (const node of [back, others]) expect(node.run('GET', 'n')).toBe('3')
    expectAgreement(back, others)
  })

  it('keeps the order of the tail: of two writes the later one stands', () => {
    const { dark, others, back, end } = story(
      (node) => node.run('SET', 'k', '0'),
      (node) => {
        for (const value of ['1', '2', '3']) node.run('SET', 'k', value)
        node.run('APPEND', 'k', '4')
      },
      () => {},
    )
    remint(back, dark, end)
    others.pullFrom(back)
    for (const node of [back, others]) expect(node.run('GET', 'k')).toBe('34')
    expectAgreement(back, others)
  })

  it('twice, by two holders of one tail, counts once at everybody', () => {
    const { dark, others, back, end } = story(
      (node) => node.run('INCRBY', 'n', '10'),
      (node) => node.run('INCR', 'n'),
      () => {},
    )
    const backup = new TestEngine(1)
    backup.engine.adoptOrigin(backup.origins.intern('1-0000000000ee'))
    backup.pullFrom(others)
    remint(back, dark, end)
    backup.pullFrom(back)
    expect(remint(backup, dark, end)).toEqual([undefined])
    others.pullFrom(back)
    others.pullFrom(backup)
    for (const node of [back, others, backup]) expect(node.run('GET', 'n')).toBe('11')
  })

  it('twice at once, by two holders that do not know of each other, counts once as well', () => {
    const { dark, others, back, end } = story(
      (node) => node.run('INCRBY', 'n', '10'),
      (node) => {
        node.run('INCR', 'n')
        node.run('APPEND', 't', 'once')
      },
      () => {},
    )
    const backup = new TestEngine(1)
    backup.engine.adoptOrigin(backup.origins.intern('1-0000000000ee'))
    backup.pullFrom(others)
    remint(back, dark, end)
    remint(backup, dark, end)
    const third = new TestEngine(3)
    others.pullFrom(back)
    others.pullFrom(backup)
    third.pullFrom(others)
    backup.pullFrom(back)
    back.pullFrom(backup)
    for (const node of [back, others, backup, third]) {
      expect(node.run('MGET', 'n', 't')).toEqual(['11', 'once'])
    }
    expectAgreement(back, others, backup, third)
  })

  it('is read back from the own log as it was minted', () => {
    const { dark, back, end } = story(
      (node) => node.run('SET', 'k', 'before'),
      (node) => {
        node.run('SET', 'k', 'dark')
        node.run('INCRBY', 'n', '5')
      },
      (node) => node.run('SET', 'k', 'later'),
    )
    remint(back, dark, end)
    const restarted = returned()
    for (const { record } of back.journal.records)
      restarted.engine.replay(openRecord(record, restarted.origins))
    expectAgreement(back, restarted)
    expect(restarted.engine.applied.toWire()).toEqual(back.engine.applied.toWire())
    expect(remint(restarted, dark, end)).toEqual([undefined, undefined])
  })
})

describe('an end that lies before what was applied', () => {
  it('is not taken, nor anything that has seen it, before the node is rebuilt', () => {
    const dark = new TestEngine(1)
    dark.run('SET', 'k', '1')
    dark.engine.endBatch()
    const sealer = new TestEngine(2)
    sealer.pullFrom(dark)
    seal(sealer, dark)
    // A folder of region 3 that was put back holds one op more.
    const restored = new TestEngine(3)
    dark.run('SET', 'k', '2')
    restored.pullFrom(dark)
    restored.pullFrom(sealer)
    expect(restored.engine.rebuildTo?.toWire()).toEqual([[sealer.engine.origin.id, 1]])
    expect(restored.engine.membership.seals.size).toBe(0)
    expect(restored.run('GET', 'k')).toBe('2')
    expect(restored.journal.records.length).toBe(2)
    // Nobody else knows of it, and who set it comes back.
    restored.engine.forgetSeals([restored.origins.intern(sealer.engine.origin.id)])
    expect(restored.engine.rebuildTo).toBeUndefined()
    restored.pullFrom(sealer)
    expect(restored.engine.rebuildTo).toBeUndefined()
    expect(restored.engine.membership.seals.size).toBe(0)
  })
})
