/**
 * streams.test.ts: the stream commands where Redis has no answer: ids of several regions, groups whose readers are
 * in several regions, reads that wait; and what a restart finds of them.
 */
import { describe, expect, it } from 'vitest'
import { openRecord } from '../../../../crdt/codec/batch.ts'
import type { Services } from '../../../../region-node/commands/services.ts'
import { Prng } from '../../../harness/prng.ts'
import { START_MS, TestEngine } from '../../../harness/test-engine.ts'

type Mode = Services['streamIdMode']
type Entry = readonly [id: string, fields: readonly string[]]
type ReadReply = readonly (readonly [key: string, entries: readonly Entry[]])[]

const engineIn = (mode: Mode, region = 3) => new TestEngine(region, { streamIdMode: mode })
const error = (text: RegExp) => ({ line: expect.stringMatching(text) })

function exchange(...engines: TestEngine[]): void {
  for (let round = 0; round < engines.length; round++)
    for (const to of engines) for (const from of engines) if (to !== from) to.pullFrom(from)
}

/** Ids that a read of one stream gives. */
function idsOf(reply: unknown): string[] {
  return ((reply as ReadReply | null)?.[0]?.[1] ?? []).map(([id]) => id)
}

function read(engine: TestEngine, group: string, ...options: string[]): string[] {
  return idsOf(engine.run('XREADGROUP', 'GROUP', group, 'c', ...options, 'STREAMS', 's', '>'))
}

describe('ids that a client gives', () => {
  const CASES: readonly [Mode, string, string | RegExp][] = [
    ['strict', '110', '110-3'],
    ['strict', '110-*', '110-3'],
    ['strict', '110-5', /^ERR Full stream IDs are refused/],
    ['strict', '0-0', /^ERR The ID specified in XADD must be greater than 0-0/],
    ['semi-strict', '110', '110-3'],
    ['semi-strict', '110-*', '110-3'],
    ['semi-strict', '110-5', '110-5'],
    ['semi-strict', '0', '0-3'],
    ['liberal', '110', '110-0'],
    ['liberal', '110-*', '110-0'],
    ['liberal', '110-5', '110-5'],
    ['liberal', '0', /^ERR The ID specified in XADD must be greater than 0-0/],
  ]
  it.each(CASES)('in mode %s: %s becomes %s', (mode, given, becomes) => {
    const reply = engineIn(mode).run('XADD', 's', given, 'f', 'v')
    if (typeof becomes === 'string') expect(reply).toBe(becomes)
    else expect(reply).toEqual(expect.objectContaining(error(becomes)))
  })

  it('go on in the steps of the region, and never back', () => {
    const engine = engineIn('semi-strict')
    expect(engine.run('XADD', 's', '110-*', 'f', 'v')).toBe('110-3')
    expect(engine.run('XADD', 's', '110-*', 'f', 'v')).toBe('110-1027')
    expect(engine.run('XADD', 's', '110', 'f', 'v')).toMatchObject(error(/equal or smaller/))
    expect(engine.run('XADD', 's', '110-1028', 'f', 'v')).toBe('110-1028')
    expect(engine.run('XADD', 's', '110-*', 'f', 'v')).toBe('110-2051')
    expect(engine.run('XADD', 's', '109-*', 'f', 'v')).toMatchObject(error(/equal or smaller/))
  })

  it('that are made differ between regions in one millisecond, whatever else they know', () => {
    const engines = [1, 2, 3].map((region) => engineIn('strict', region))
    const ids = engines.flatMap((engine) => [0, 1].map(() => engine.run('XADD', 's', '*', 'f', 'v')))
    expect(ids).toEqual([1, 1025, 2, 1026, 3, 1027].map((sequence) => `${START_MS}-${sequence}`))
    exchange(...engines)
    expect(engines[0]!.run('XADD', 's', '*', 'f', 'v')).toBe(`${START_MS}-2049`)
  })

  it('may be one id in two regions: both entries stay, and one removal takes both', () => {
    const a = engineIn('liberal', 1)
    const b = engineIn('liberal', 2)
    a.run('XADD', 's', '5-5', 'from', 'a')
    b.wallMs++
    b.run('XADD', 's', '5-5', 'from', 'b')
    exchange(a, b)
    const both = [
      ['5-5', ['from', 'a']],
      ['5-5', ['from', 'b']],
    ]
    expect([a.run('XRANGE', 's', '-', '+'), b.run('XRANGE', 's', '-', '+')]).toEqual([both, both])
    expect(a.run('XTRIM', 's', 'MAXLEN', '1')).toBe(1)
    expect(a.run('XRANGE', 's', '-', '+')).toEqual([both[1]])
    expect(b.run('XDEL', 's', '5-5')).toBe(2)
    exchange(a, b)
    expect([a.run('EXISTS', 's'), b.run('EXISTS', 's')]).toEqual([0, 0])
  })
})

describe('a stream that comes to nothing', () => {
  it('is gone with its last entry, and begins anew', () => {
    const engine = engineIn('liberal')
    engine.run('XADD', 's', '5-0', 'f', 'v')
    expect(engine.run('XDEL', 's', '5-0')).toBe(1)
    expect(engine.run('TYPE', 's')).toBe('none')
    expect(engine.run('XADD', 's', '1-0', 'f', 'v')).toBe('1-0')
  })

  it('stays while it has a group', () => {
    const engine = engineIn('liberal')
    engine.run('XADD', 's', '5-0', 'f', 'v')
    engine.run('XGROUP', 'CREATE', 's', 'g', '0')
    engine.run('XDEL', 's', '5-0')
    expect(engine.run('XADD', 's', '1-0', 'f', 'v')).toMatchObject(error(/equal or smaller/))
    expect(engine.run('XGROUP', 'DESTROY', 's', 'g')).toBe(1)
    expect(engine.run('EXISTS', 's')).toBe(0)
  })
})

describe('groups of several regions', () => {
  function pair(): [TestEngine, TestEngine] {
    return [engineIn('semi-strict', 1), engineIn('semi-strict', 2)]
  }

  it.each([
    ['DEL', ['DEL', 's']],
    ['SET', ['SET', 's', 'text']],
    ['FLUSHALL', ['FLUSHALL']],
  ])('do not outlive %s that had not seen them; entries do', (_name, removal) => {
    const [a, b] = pair()
    a.run('XADD', 's', '1', 'f', 'v')
    b.pullFrom(a)
    a.run(...removal)
    // The later write decides what a key of two types shows.
    b.wallMs += 10
    b.run('XGROUP', 'CREATE', 's', 'g', '0')
    b.run('XADD', 's', '2', 'f', 'v')
    exchange(a, b)
    for (const engine of [a, b]) {
      expect(engine.run('XRANGE', 's', '-', '+')).toEqual([['2-2', ['f', 'v']]])
      expect(engine.run('XINFO', 'GROUPS', 's')).toEqual([])
    }
    expect(a.engine.keyspace.digest()).toBe(b.engine.keyspace.digest())
  })

  it('may be created once more by who has seen the destruction', () => {
    const [a, b] = pair()
    a.run('XGROUP', 'CREATE', 's', 'g', '0', 'MKSTREAM')
    a.run('XGROUP', 'DESTROY', 's', 'g')
    b.run('XGROUP', 'CREATE', 's', 'g', '0', 'MKSTREAM')
    exchange(a, b)
    expect([a.run('EXISTS', 's'), b.run('EXISTS', 's')]).toEqual([0, 0])
    b.run('XGROUP', 'CREATE', 's', 'g', '0', 'MKSTREAM')
    exchange(a, b)
    expect([a.run('EXISTS', 's'), b.run('EXISTS', 's')]).toEqual([1, 1])
  })

  it('have consumers and pending entries in each region; acknowledgements are for all', () => {
    const [a, b] = pair()
    for (const id of ['1', '2', '3']) a.run('XADD', 's', id, 'f', 'v')
    a.run('XGROUP', 'CREATE', 's', 'g', '0')
    exchange(a, b)
    expect(read(a, 'g')).toEqual(['1-1', '2-1', '3-1'])
    exchange(a, b)
    expect(b.run('XPENDING', 's', 'g')).toEqual([0, null, null, null])
    expect(b.run('XINFO', 'CONSUMERS', 's', 'g')).toEqual([])
    expect(read(b, 'g', 'COUNT', '2')).toEqual(['1-1', '2-1'])
    // Pending in both regions, in the other one only, and in neither.
    expect(b.run('XACK', 's', 'g', '1-1', '3-1', '9-9')).toBe(1)
    exchange(a, b)
    expect(a.run('XPENDING', 's', 'g')).toEqual([1, '2-1', '2-1', [['c', '1']]])
    expect(b.run('XPENDING', 's', 'g')).toEqual([1, '2-1', '2-1', [['c', '1']]])
  })

  it('begin at the lower start, without giving anything twice', () => {
    const [a, b] = pair()
    for (const id of ['1', '2', '3', '4']) a.run('XADD', 's', id, 'f', 'v')
    b.pullFrom(a)
    a.run('XGROUP', 'CREATE', 's', 'g', '3-1')
    b.run('XGROUP', 'CREATE', 's', 'g', '1-1')
    expect(read(a, 'g')).toEqual(['4-1'])
    exchange(a, b)
    expect(read(a, 'g')).toEqual(['2-1', '3-1'])
    expect(read(b, 'g')).toEqual(['2-1', '3-1', '4-1'])
    expect([read(a, 'g'), read(b, 'g')]).toEqual([[], []])
  })

  it('have news of an entry below their start that their creator had not seen', () => {
    const [a, b] = pair()
    a.run('XADD', 's', '5', 'f', 'v')
    b.pullFrom(a)
    b.run('XGROUP', 'CREATE', 's', 'g', '$')
    a.run('XADD', 's', '6', 'f', 'v')
    exchange(a, b)
    b.run('XGROUP', 'CREATE', 's', 'later', '$')
    b.run('XADD', 's', '7', 'f', 'v')
    exchange(a, b)
    expect([read(a, 'g'), read(b, 'g')]).toEqual([
      ['6-1', '7-2'],
      ['6-1', '7-2'],
    ])
    expect(read(a, 'later')).toEqual(['7-2'])
  })

  it('give every entry once in every region, in whatever order entries and reads come', () => {
    for (let seed = 1; seed <= 60; seed++) {
      const prng = new Prng(seed)
      const engines = [1, 2, 3].map((region) => engineIn('liberal', region))
      engines[0]!.run('XGROUP', 'CREATE', 's', 'g', '0', 'MKSTREAM')
      exchange(...engines)
      const given = engines.map((): string[] => [])
      const readSome = (region: number, ...options: string[]) => {
        for (const id of read(engines[region]!, 'g', ...options)) given[region]!.push(id)
      }
      for (let i = 0; i < 60; i++) {
        const region = prng.below(3)
        const engine = engines[region]!
        // Clocks that differ by far: many entries come late.
        engine.wallMs = START_MS + prng.between(0, 50)
        const what = prng.below(4)
        if (what < 2) engine.run('XADD', 's', '*', 'by', `${region}.${i}`)
        else if (what === 2) readSome(region, 'COUNT', String(prng.between(1, 4)))
        else engine.pullFrom(prng.pick(engines.filter((other) => other !== engine)))
      }
      exchange(...engines)
      const all = (engines[0]!.run('XRANGE', 's', '-', '+') as Entry[]).map(([id]) => id)
      for (const [region, ids] of given.entries()) {
        readSome(region)
        expect([...ids].sort(), `seed ${seed}, region ${region + 1}`).toEqual([...all].sort())
      }
    }
  })
})

describe('a restart', () => {
  it('finds groups, consumers and pending entries as the log tells of them', () => {
    const before = engineIn('semi-strict', 1)
    for (const id of ['1', '2', '3', '4']) before.run('XADD', 's', id, 'f', 'v')
    before.run('XGROUP', 'CREATE', 's', 'g', '0')
    read(before, 'g', 'COUNT', '3')
    before.wallMs += 1000
    before.run('XACK', 's', 'g', '2-1')
    before.run('XCLAIM', 's', 'g', 'other', '0', '3-1')
    before.run('XDEL', 's', '1-1')
    before.run('XSETID', 's', '9-0', 'ENTRIESADDED', '20')
    before.engine.endBatch()
    const after = engineIn('semi-strict', 1)
    after.wallMs = before.wallMs
    for (const { record } of before.journal.records) after.engine.replay(openRecord(record, after.origins))
    for (const question of [
      ['XINFO', 'STREAM', 's', 'FULL'],
      ['XPENDING', 's', 'g', '-', '+', '10'],
      ['XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 's', '>'],
      ['XAUTOCLAIM', 's', 'g', 'x', '0', '0'],
    ])
      expect(after.run(...question)).toEqual(before.run(...question))
  })
})

describe('reads that wait', () => {
  function waiting(): { engine: TestEngine; peer: TestEngine; end: () => void } {
    const timers: (() => void)[] = []
    const after = (_delayMs: number, task: () => void) => {
      timers.push(task)
      return { cancel: () => timers.splice(timers.indexOf(task), 1) }
    }
    const engine = new TestEngine(1, { streamIdMode: 'semi-strict', after } as Partial<Services>)
    const peer = engineIn('semi-strict', 2)
    const end = () => {
      for (const task of timers.splice(0)) task()
    }
    return { engine, peer, end }
  }

  it('of XREAD mean by $ what it meant when they came', () => {
    const { engine } = waiting()
    engine.run('XADD', 's', '5', 'f', 'old')
    expect(engine.runAs(2, 'XREAD', 'BLOCK', '0', 'STREAMS', 's', 't', '$', '$')).toBeUndefined()
    engine.run('XADD', 't', '7', 'f', 'new')
    expect(engine.reply(2)).toEqual([['t', [['7-1', ['f', 'new']]]]])
  })

  it('are woken by an entry from another region, also by one with a lower id', () => {
    const { engine, peer } = waiting()
    engine.run('XADD', 's', '5', 'f', 'v')
    engine.run('XGROUP', 'CREATE', 's', 'g', '$')
    expect(
      engine.runAs(2, 'XREADGROUP', 'GROUP', 'g', 'c', 'BLOCK', '0', 'STREAMS', 's', '>'),
    ).toBeUndefined()
    expect(engine.runAs(3, 'XREAD', 'BLOCK', '0', 'STREAMS', 's', '$')).toBeUndefined()
    peer.run('XADD', 's', '3', 'f', 'v')
    engine.pullFrom(peer)
    expect(idsOf(engine.reply(2))).toEqual(['3-2'])
    expect(engine.reply(3)).toBeUndefined()
    peer.run('XADD', 's', '8', 'f', 'v')
    engine.pullFrom(peer)
    expect(idsOf(engine.reply(3))).toEqual(['8-2'])
  })

  it('of a group that goes are told so', () => {
    const { engine } = waiting()
    engine.run('XGROUP', 'CREATE', 's', 'g', '0', 'MKSTREAM')
    engine.runAs(2, 'XREADGROUP', 'GROUP', 'g', 'c', 'BLOCK', '0', 'STREAMS', 's', '>')
    engine.run('XGROUP', 'DESTROY', 's', 'g')
    expect(engine.reply(2)).toMatchObject(error(/^NOGROUP/))
  })

  it('end with nil when their time is over', () => {
    const { engine, end } = waiting()
    engine.runAs(2, 'XREAD', 'BLOCK', '10', 'STREAMS', 's', '0')
    end()
    expect(engine.reply(2)).toBeNull()
  })

  it('give one entry to one reader of a group', () => {
    const { engine } = waiting()
    engine.run('XGROUP', 'CREATE', 's', 'g', '0', 'MKSTREAM')
    for (const client of [2, 3])
      engine.runAs(client, 'XREADGROUP', 'GROUP', 'g', `c${client}`, 'BLOCK', '0', 'STREAMS', 's', '>')
    engine.run('XADD', 's', '1', 'f', 'v')
    expect(idsOf(engine.reply(2))).toEqual(['1-1'])
    expect(engine.reply(3)).toBeUndefined()
    engine.run('XADD', 's', '2', 'f', 'v')
    expect(idsOf(engine.reply(3))).toEqual(['2-1'])
  })
})

describe('WATCH', () => {
  it('does not mind readers, as in Redis, and minds entries', () => {
    const engine = engineIn('semi-strict')
    engine.run('XADD', 's', '1', 'f', 'v')
    engine.run('XGROUP', 'CREATE', 's', 'g', '0')
    engine.run('WATCH', 's')
    read(engine, 'g')
    engine.run('XACK', 's', 'g', '1-3')
    engine.run('MULTI')
    expect(engine.run('EXEC')).toEqual([])
    engine.run('WATCH', 's')
    engine.run('XADD', 's', '2', 'f', 'v')
    engine.run('MULTI')
    expect(engine.run('EXEC')).toBeNull()
  })
})
