/**
 * hash-expiry.test.ts: deadlines of hash fields: replies as of Redis 7.4, what reads see of a field that is due,
 * when it is removed, and what becomes of it between regions.
 */
import { describe, expect, it } from 'vitest'
import { HashState } from '../../../../crdt/hash-aw.ts'
import { visibleState } from '../../../../crdt/key.ts'
import { RespError } from '../../../../region-node/resp/parse-reply.ts'
import { START_MS, TestEngine } from '../../../harness/test-engine.ts'

const SECONDS = START_MS / 1000
const ALWAYS = () => true

function started(): TestEngine {
  const engine = new TestEngine()
  engine.run('HSET', 'h', 'a', '1', 'b', '2', 'c', '3')
  return engine
}

function errorOf(reply: unknown): string {
  if (!(reply instanceof RespError)) throw new Error(`no error but ${String(reply)}`)
  return reply.line
}

describe('HEXPIRE and its kin', () => {
  it('give fields a deadline, each with a reply of its own', () => {
    const engine = started()
    expect(engine.run('HEXPIRE', 'h', '10', 'FIELDS', '3', 'a', 'none', 'b')).toEqual([1, -2, 1])
    expect(engine.run('HTTL', 'h', 'FIELDS', '4', 'a', 'b', 'c', 'none')).toEqual([10, 10, -1, -2])
    expect(engine.run('HPTTL', 'h', 'fields', '1', 'a')).toEqual([10_000])
    expect(engine.run('HEXPIRETIME', 'h', 'FIELDS', '1', 'a')).toEqual([SECONDS + 10])
    expect(engine.run('HPEXPIRETIME', 'h', 'FIELDS', '1', 'a')).toEqual([START_MS + 10_000])
    expect(engine.run('HPEXPIRE', 'h', '1500', 'FIELDS', '1', 'a')).toEqual([1])
    expect(engine.run('HTTL', 'h', 'FIELDS', '1', 'a')).toEqual([2])
    expect(engine.run('HEXPIREAT', 'h', String(SECONDS + 60), 'FIELDS', '1', 'a')).toEqual([1])
    expect(engine.run('HPEXPIREAT', 'h', String(START_MS + 7), 'FIELDS', '1', 'b')).toEqual([1])
    expect(engine.run('HPTTL', 'h', 'FIELDS', '2', 'a', 'b')).toEqual([60_000, 7])
  })

  it('take NX, XX, GT and LT, where no deadline is later than any', () => {
    const engine = started()
    const expire = (seconds: number, condition: string) =>
      engine.run('HEXPIRE', 'h', String(seconds), condition, 'FIELDS', '2', 'a', 'b')
    engine.run('HEXPIRE', 'h', '10', 'FIELDS', '1', 'a')
    expect(expire(20, 'GT')).toEqual([1, 0])
    expect(expire(20, 'GT')).toEqual([0, 0])
    expect(expire(30, 'XX')).toEqual([1, 0])
    expect(expire(40, 'NX')).toEqual([0, 1])
    expect(expire(35, 'LT')).toEqual([0, 1])
    expect(engine.run('HTTL', 'h', 'FIELDS', '2', 'a', 'b')).toEqual([30, 35])
  })

  it('remove fields at once whose moment has passed', () => {
    const engine = started()
    expect(engine.run('HEXPIRE', 'h', '0', 'FIELDS', '3', 'a', 'a', 'none')).toEqual([2, -2, -2])
    expect(engine.run('HEXPIREAT', 'h', '1', 'FIELDS', '2', 'b', 'c')).toEqual([2, 2])
    expect(engine.run('EXISTS', 'h')).toBe(0)
  })

  it('persist, and say of a key that is not there that it has none of the fields', () => {
    const engine = started()
    engine.run('HEXPIRE', 'h', '10', 'FIELDS', '1', 'a')
    expect(engine.run('HPERSIST', 'h', 'FIELDS', '4', 'a', 'a', 'b', 'none')).toEqual([1, -1, -1, -2])
    expect(engine.run('HTTL', 'h', 'FIELDS', '1', 'a')).toEqual([-1])
    for (const words of [['HTTL'], ['HPERSIST'], ['HEXPIRE', '10']]) {
      const [name, ...rest] = words as [string, ...string[]]
      expect(engine.run(name, 'none', ...rest, 'FIELDS', '2', 'a', 'b')).toEqual([-2, -2])
    }
  })

  it('are refused in the words of Redis', () => {
    const engine = started()
    engine.run('SET', 's', 'v')
    const refused = (...words: string[]) => errorOf(engine.run(...words))
    expect(refused('HEXPIRE', 's', '10', 'FIELDS', '1', 'a')).toMatch(/^WRONGTYPE/)
    expect(refused('HEXPIRE', 'h', 'x', 'FIELDS', '1', 'a')).toMatch(/not an integer/)
    expect(refused('HEXPIRE', 'h', '-1', 'FIELDS', '1', 'a')).toBe('ERR invalid expire time, must be >= 0')
    expect(refused('HEXPIRE', 'h', '99999999999999', 'FIELDS', '1', 'a')).toBe(
      "ERR invalid expire time in 'hexpire' command",
    )
    expect(refused('HEXPIRE', 'h', '10', 'NX', 'XX', 'FIELDS', '1', 'a')).toMatch(/Mandatory argument FIELDS/)
    expect(refused('HEXPIRE', 'h', '10', 'FIELDS', '0', 'a')).toMatch(/`numFields` should be greater than 0/)
    expect(refused('HEXPIRE', 'h', '10', 'FIELDS', '2', 'a')).toMatch(/must match the number of arguments/)
    expect(refused('HTTL', 'h', 'FIELDS', 'x', 'a')).toBe('ERR Number of fields must be a positive integer')
    expect(refused('HTTL', 'h', 'FIELDZ', '1', 'a')).toMatch(/Mandatory argument FIELDS/)
  })

  it('are ended by HSET, and not by HINCRBY', () => {
    const engine = started()
    engine.run('HEXPIRE', 'h', '10', 'FIELDS', '3', 'a', 'b', 'c')
    engine.run('HSET', 'h', 'a', 'x')
    engine.run('HINCRBY', 'h', 'b', '1')
    expect(engine.run('HTTL', 'h', 'FIELDS', '3', 'a', 'b', 'c')).toEqual([-1, 10, 10])
  })

  it('go along with RENAME and COPY', () => {
    const engine = started()
    engine.run('HEXPIRE', 'h', '10', 'FIELDS', '1', 'a')
    engine.run('COPY', 'h', 'copied')
    engine.run('RENAME', 'h', 'renamed')
    for (const key of ['copied', 'renamed'])
      expect(engine.run('HTTL', key, 'FIELDS', '2', 'a', 'b')).toEqual([10, -1])
  })
})

describe('a field that is due', () => {
  it('is hidden from every read at once, and with the last one the key', () => {
    const engine = started()
    engine.run('HPEXPIRE', 'h', '5', 'FIELDS', '2', 'a', 'b')
    engine.run('HPEXPIRE', 'h', '9', 'FIELDS', '1', 'c')
    engine.run('HRANDFIELD', 'h')
    engine.wallMs += 6
    expect(engine.run('HGETALL', 'h')).toEqual(['c', '3'])
    expect(engine.run('HLEN', 'h')).toBe(1)
    expect(engine.run('HMGET', 'h', 'a', 'c')).toEqual([null, '3'])
    expect(engine.run('HEXISTS', 'h', 'a')).toBe(0)
    expect(engine.run('HSCAN', 'h', '0')).toEqual(['0', ['c', '3']])
    expect(engine.run('HRANDFIELD', 'h', '-5')).toEqual(['c', 'c', 'c', 'c', 'c'])
    expect(engine.run('HTTL', 'h', 'FIELDS', '1', 'a')).toEqual([-2])
    expect(engine.run('HDEL', 'h', 'a')).toBe(0)
    expect(engine.run('DBSIZE')).toBe(1)
    engine.wallMs += 4
    expect(engine.run('EXISTS', 'h')).toBe(0)
    expect(engine.run('TYPE', 'h')).toBe('none')
    expect(engine.run('KEYS', '*')).toEqual([])
    expect(engine.run('SCAN', '0')).toEqual(['0', []])
    expect(engine.run('DBSIZE')).toBe(0)
    expect(engine.run('RANDOMKEY')).toBe(null)
  })

  it('is removed before it is written anew', () => {
    const engine = started()
    engine.run('HSET', 'h', 'n', '41')
    engine.run('HPEXPIRE', 'h', '5', 'FIELDS', '2', 'a', 'n')
    engine.wallMs += 6
    expect(engine.run('HINCRBY', 'h', 'n', '1')).toBe(1)
    expect(engine.run('HSET', 'h', 'a', 'new')).toBe(1)
    expect(engine.run('HTTL', 'h', 'FIELDS', '2', 'a', 'n')).toEqual([-1, -1])
    engine.run('HPEXPIRE', 'h', '5', 'FIELDS', '4', 'a', 'b', 'c', 'n')
    engine.wallMs += 6
    expect(engine.run('HSET', 'h', 'b', 'again')).toBe(1)
    expect(engine.run('HGETALL', 'h')).toEqual(['b', 'again'])
    expect(engine.run('DBSIZE')).toBe(1)
  })

  it('is removed once no member can extend it, by the region of its deadline first', () => {
    const engine = started()
    engine.run('HPEXPIRE', 'h', '5', 'FIELDS', '1', 'a')
    engine.wallMs += 6
    expect(engine.engine.removeDue(START_MS + 5, ALWAYS).fields).toBe(0)
    expect(engine.engine.removeDue(START_MS + 6, () => false).fields).toBe(0)
    expect(engine.engine.removeDue(START_MS + 6, ALWAYS).fields).toBe(1)
    expect(engine.engine.removeDue(START_MS + 6, ALWAYS).fields).toBe(0)
    const other = new TestEngine(2)
    other.pullFrom(engine)
    const state = visibleState(other.engine.keyspace.get(0, 'h'))
    expect(state instanceof HashState && [...state.names()]).toEqual(['b', 'c'])
  })

  it('shows again when another region has extended it meanwhile', () => {
    const engine = started()
    const other = new TestEngine(2)
    engine.run('HPEXPIRE', 'h', '5', 'FIELDS', '1', 'a')
    other.pullFrom(engine)
    other.run('HEXPIRE', 'h', '100', 'FIELDS', '1', 'a')
    engine.wallMs += 6
    expect(engine.run('HGET', 'h', 'a')).toBe(null)
    engine.pullFrom(other)
    expect(engine.run('HGET', 'h', 'a')).toBe('1')
    engine.wallMs += 100_000
    expect(engine.run('HGET', 'h', 'a')).toBe(null)
  })
})

describe('between regions', () => {
  function both(): [TestEngine, TestEngine] {
    const one = started()
    const two = new TestEngine(2)
    two.pullFrom(one)
    return [one, two]
  }

  function meet(one: TestEngine, two: TestEngine): void {
    one.pullFrom(two)
    two.pullFrom(one)
    expect(two.engine.keyspace.digest()).toBe(one.engine.keyspace.digest())
  }

  const times = (engine: TestEngine) => engine.run('HTTL', 'h', 'FIELDS', '1', 'a')

  it('the longest of concurrent deadlines wins, and a write of the field is the longest', () => {
    const [one, two] = both()
    one.run('HEXPIRE', 'h', '10', 'FIELDS', '1', 'a')
    two.run('HEXPIRE', 'h', '500', 'FIELDS', '1', 'a')
    meet(one, two)
    expect([times(one), times(two)]).toEqual([[500], [500]])
    one.run('HEXPIRE', 'h', '20', 'FIELDS', '1', 'a')
    two.run('HSET', 'h', 'a', 'written')
    meet(one, two)
    expect([times(one), times(two)]).toEqual([[-1], [-1]])
  })

  it('a deadline that outlived its whole hash reaches no later field', () => {
    const [one, two] = both()
    one.run('DEL', 'h')
    two.run('HPEXPIRE', 'h', '5', 'FIELDS', '1', 'a')
    meet(one, two)
    expect(one.run('EXISTS', 'h')).toBe(0)
    two.run('HINCRBY', 'h', 'a', '1')
    meet(one, two)
    expect([times(one), times(two)]).toEqual([[-1], [-1]])
  })

  it('an increment that had not seen the deadline of an older field gets it, and goes when it is due', () => {
    const [one, two] = both()
    one.run('DEL', 'h')
    one.run('HINCRBY', 'h', 'a', '1')
    two.run('HPEXPIRE', 'h', '5', 'FIELDS', '1', 'a')
    meet(one, two)
    expect(one.run('HPTTL', 'h', 'FIELDS', '1', 'a')).toEqual([5])
    for (const region of [one, two]) {
      region.wallMs += 6
      expect(region.run('EXISTS', 'h')).toBe(0)
    }
    expect(two.engine.removeDue(START_MS + 6, ALWAYS).fields).toBe(1)
  })

  it('a deadline does not bring a removed field back, nor reach a later one', () => {
    const [one, two] = both()
    one.run('HDEL', 'h', 'a')
    two.run('HEXPIRE', 'h', '10', 'FIELDS', '1', 'a')
    meet(one, two)
    expect([times(one), times(two)]).toEqual([[-2], [-2]])
    one.run('HINCRBY', 'h', 'a', '1')
    meet(one, two)
    expect([times(one), times(two)]).toEqual([[-1], [-1]])
  })
})
