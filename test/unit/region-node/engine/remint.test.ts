/**
 * remint.test.ts: ops behind their origin's end: never applied as they were, and minted again once.
 *
 * Region 1 was cut off and is suspended; region 2 ended its origin. What region 1 minted beyond is minted
 * again by a second engine of region 1, as after its return.
 */
import { describe, expect, it } from 'vitest'
import { openRecord } from '../../../../crdt/codec/batch.ts'
import { TAG } from '../../../../crdt/effects/effect.ts'
import { KeyState } from '../../../../crdt/key.ts'
import { TestEngine } from '../../../harness/test-engine.ts'

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

/** Mints everything of `dark` beyond the end again. @returns effects dropped, by op; undefined for a repeat */
function remint(by: TestEngine, dark: TestEngine, end: number): (number | undefined)[] {
  dark.engine.endBatch()
  const dropped: (number | undefined)[] = []
  for (const { record, span } of dark.journal.records) {
    if (span.origin !== dark.engine.origin) continue
    const batch = openRecord(record, by.origins)
    const { origin, deps } = batch.header
    for (const op of batch.ops()) if (op.seq > end) dropped.push(by.engine.remint(origin, op, deps, end))
  }
  by.engine.endBatch()
  return dropped
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
    expect(remint(back, dark, end)).toEqual([0])
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
    remint(back, dark, end)
    others.pullFrom(back)
    for (const node of [back, others]) expect(node.run('GET', 'k')).toBe('later')
    expectAgreement(back, others)
    // It stands behind the winner, as a concurrent write does, and waits to be forgotten.
    const entry = back.engine.keyspace.get(0, 'k')
    expect(entry).toBeInstanceOf(KeyState)
    expect(back.engine.reclaimPending).toBeGreaterThan(0)
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
    expect(remint(back, dark, end)).toEqual([1, 1, 1, 1, 1])
    expect(back.engine.mintedCount - minted).toBe(1)
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
    expect(remint(back, dark, end)).toEqual([0, 0, 0, 0, 0])
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
