/**
 * zsets.test.ts: sorted sets between regions, what is minted, waits, draws and scans. Replies and errors of
 * one region are compared with redis-server in against-redis.test.ts.
 */
import { describe, expect, it } from 'vitest'
import { ManualClock } from '../../../harness/manual-clock.ts'
import { Prng } from '../../../harness/prng.ts'
import { TestEngine } from '../../../harness/test-engine.ts'

function twoRegions(): { a: TestEngine; b: TestEngine; sync: () => void } {
  const a = new TestEngine(1)
  const b = new TestEngine(2)
  const sync = (): void => {
    a.pullFrom(b)
    b.pullFrom(a)
    expect(a.engine.keyspace.digest()).toBe(b.engine.keyspace.digest())
  }
  return { a, b, sync }
}

describe('scores between regions', () => {
  it('are the latest ZADD plus every increment that nobody had seen', () => {
    const { a, b, sync } = twoRegions()
    a.run('ZADD', 'z', '5', 'x')
    sync()
    a.run('ZINCRBY', 'z', '3', 'x')
    b.wallMs += 5
    b.run('ZADD', 'z', '100', 'x')
    sync()
    expect([a.run('ZSCORE', 'z', 'x'), b.run('ZSCORE', 'z', 'x')]).toEqual(['103', '103'])
    a.run('ZADD', 'z', '1', 'x')
    sync()
    expect(b.run('ZSCORE', 'z', 'x')).toBe('1')
  })

  it('keep exactly the increment that a removal had not seen', () => {
    for (const [first, second] of [
      ['4.1', '2.0'],
      ['7.1', '2.0'],
      ['0.1', '0.2'],
    ] as const) {
      for (const begin of ['ZADD', 'ZINCRBY']) {
        const { a, b, sync } = twoRegions()
        b.run(begin, 'z', first, 'x')
        sync()
        a.run('ZREM', 'z', 'x')
        b.run('ZINCRBY', 'z', second, 'x')
        sync()
        expect(Number(a.run('ZSCORE', 'z', 'x')), `${begin} ${first}`).toBe(Number(second))
      }
    }
  })

  it("add one region's increments up as Redis does, in its own order", () => {
    const { a, b, sync } = twoRegions()
    for (let i = 0; i < 10; i++) a.run('ZINCRBY', 'z', '0.1', 'x')
    sync()
    expect([a.run('ZSCORE', 'z', 'x'), b.run('ZSCORE', 'z', 'x')]).toEqual([
      '0.9999999999999999',
      '0.9999999999999999',
    ])
  })

  it('are never NaN: infinities of both signs cancel', () => {
    const { a, b, sync } = twoRegions()
    a.run('ZADD', 'z', '3', 'x')
    sync()
    a.run('ZINCRBY', 'z', 'inf', 'x')
    b.run('ZINCRBY', 'z', '-inf', 'x')
    sync()
    expect([a.run('ZSCORE', 'z', 'x'), b.run('ZSCORE', 'z', 'x')]).toEqual(['3', '3'])
  })

  it('move a member in the order of every region', () => {
    const { a, b, sync } = twoRegions()
    a.run('ZADD', 'z', '1', 'x', '2', 'y', '3', 'z')
    sync()
    a.run('ZINCRBY', 'z', '1.5', 'x')
    b.run('ZINCRBY', 'z', '1', 'x')
    sync()
    expect(b.run('ZRANGE', 'z', '0', '-1')).toEqual(['y', 'z', 'x'])
    expect(a.run('ZRANK', 'z', 'x', 'WITHSCORE')).toEqual([2, '3.5'])
    expect(a.run('ZREVRANK', 'z', 'x', 'withscore')).toEqual([0, '3.5'])
    expect(a.run('ZRANK', 'z', 'nobody', 'WITHSCORE')).toBeNull()
  })

  it('of a hidden sorted set show again when what hid it is removed by who had not seen it', () => {
    const [a, b, c] = [new TestEngine(1), new TestEngine(2), new TestEngine(3)]
    a.run('ZADD', 'k', '1', 'x')
    b.wallMs += 5
    b.run('SET', 'k', 'v')
    a.pullFrom(b)
    expect(a.run('GET', 'k')).toBe('v')
    c.pullFrom(b)
    c.run('DEL', 'k')
    a.pullFrom(c)
    expect(a.run('ZRANGE', 'k', '0', '-1', 'WITHSCORES')).toEqual(['x', '1'])
  })
})

describe('members', () => {
  it('that are added again, also with the score they have, beat a removal elsewhere', () => {
    const { a, b, sync } = twoRegions()
    a.run('ZADD', 'z', '1', 'm')
    sync()
    expect(a.run('ZADD', 'z', '1', 'm')).toBe(0)
    expect(b.run('ZREM', 'z', 'm')).toBe(1)
    sync()
    expect(b.run('ZRANGE', 'z', '0', '-1')).toEqual(['m'])
  })

  it('that NX, XX, GT or LT turn down are not written', () => {
    const engine = new TestEngine()
    engine.run('ZADD', 'z', '5', 'm')
    const before = engine.engine.mintedCount
    engine.run('ZADD', 'z', 'NX', '6', 'm')
    engine.run('ZADD', 'z', 'XX', '6', 'n')
    engine.run('ZADD', 'z', 'GT', '4', 'm')
    engine.run('ZADD', 'z', 'LT', '6', 'm')
    engine.run('ZADD', 'z', 'NX', 'INCR', '6', 'm')
    expect(engine.engine.mintedCount).toBe(before)
    expect(engine.run('ZRANGE', 'z', '0', '-1', 'WITHSCORES')).toEqual(['m', '5'])
  })

  it('that two regions pop go once', () => {
    const { a, b, sync } = twoRegions()
    a.run('ZADD', 'z', '1', 'x', '2', 'y')
    sync()
    expect(a.run('ZPOPMIN', 'z')).toEqual(['x', '1'])
    expect(b.run('ZPOPMIN', 'z')).toEqual(['x', '1'])
    sync()
    expect(a.run('ZRANGE', 'z', '0', '-1')).toEqual(['y'])
  })

  it('-0 is 0', () => {
    const engine = new TestEngine()
    engine.run('ZADD', 'z', '-0', 'm')
    engine.run('ZINCRBY', 'z', '-0', 'n')
    expect(engine.run('ZRANGE', 'z', '0', '-1', 'WITHSCORES')).toEqual(['m', '0', 'n', '0'])
  })
})

describe('waiting pops', () => {
  function waiting(): { engine: TestEngine; clock: ManualClock } {
    const clock = new ManualClock()
    return { engine: new TestEngine(1, { after: (ms, task) => clock.after(ms, task) }), clock }
  }

  it('are answered in the order in which they came, as members come', () => {
    const { engine } = waiting()
    expect(engine.runAs(2, 'BZPOPMIN', 'y', 'z', '0')).toBeUndefined()
    expect(engine.runAs(3, 'BZMPOP', '0', '2', 'y', 'z', 'MAX', 'COUNT', '2')).toBeUndefined()
    engine.run('ZADD', 'z', '1', 'a')
    expect(engine.reply(2)).toEqual(['z', 'a', '1'])
    expect(engine.reply(3)).toBeUndefined()
    engine.run('ZADD', 'y', '1', 'a', '2', 'b', '3', 'c')
    expect(engine.reply(3)).toEqual([
      'y',
      [
        ['c', '3'],
        ['b', '2'],
      ],
    ])
    expect(engine.run('ZRANGE', 'y', '0', '-1')).toEqual(['a'])
  })

  it('are woken by what another region adds', () => {
    const { engine } = waiting()
    const other = new TestEngine(2)
    expect(engine.runAs(2, 'BZPOPMAX', 'z', '0')).toBeUndefined()
    other.run('ZADD', 'z', '1', 'a', '2', 'b')
    engine.pullFrom(other)
    expect(engine.reply(2)).toEqual(['z', 'b', '2'])
  })

  it('end with nil when their time is over', () => {
    const { engine, clock } = waiting()
    expect(engine.runAs(2, 'BZPOPMIN', 'z', '0.5')).toBeUndefined()
    clock.advance(499)
    expect(engine.reply(2)).toBeUndefined()
    clock.advance(2)
    expect(engine.reply(2)).toBeNull()
  })
})

describe('a large sorted set', () => {
  function large(): TestEngine {
    const engine = new TestEngine()
    for (let i = 0; i < 1000; i += 100) {
      const pairs = Array.from({ length: 100 }, (_, j) => [String(i + j), `m${i + j}`]).flat()
      engine.run('ZADD', 'z', ...pairs)
    }
    return engine
  }

  it('is scanned to the last member while others come, go and move', () => {
    const prng = new Prng(3)
    const engine = large()
    const seen = new Set<string>()
    let cursor = '0'
    do {
      const [next, found] = engine.run('ZSCAN', 'z', cursor, 'COUNT', '20') as [string, string[]]
      for (let i = 0; i < found.length; i += 2) seen.add(found[i]!)
      cursor = next
      engine.run('ZADD', 'z', String(prng.below(1000)), `new${prng.below(1000)}`)
      engine.run('ZREM', 'z', `m${500 + prng.below(500)}`)
      engine.run('ZINCRBY', 'z', '17', `m${prng.below(500)}`)
    } while (cursor !== '0')
    for (let i = 0; i < 500; i++) expect(seen.has(`m${i}`), `m${i}`).toBe(true)
  })

  it('gives different members to a draw, and the same ones again to a draw with repetition', () => {
    const engine = large()
    const drawn = engine.run('ZRANDMEMBER', 'z', '400') as string[]
    expect(new Set(drawn).size).toBe(400)
    const pairs = engine.run('ZRANDMEMBER', 'z', '-50', 'WITHSCORES') as string[]
    expect(pairs).toHaveLength(100)
    for (let i = 0; i < pairs.length; i += 2) expect(pairs[i]).toBe(`m${pairs[i + 1]}`)
  })
})
