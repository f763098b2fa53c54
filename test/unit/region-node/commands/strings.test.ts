/**
 * strings.test.ts: what the string commands write, alone and against another region. That they answer as
 * Redis does is in against-redis.test.ts.
 */
import { describe, expect, it } from 'vitest'
import { START_MS, TestEngine } from '../../../harness/test-engine.ts'

const WRONGTYPE = { line: 'WRONGTYPE Operation against a key holding the wrong kind of value' }

/** Brings both engines to the same ops. */
function sync(a: TestEngine, b: TestEngine): void {
  a.pullFrom(b)
  b.pullFrom(a)
  expect(a.engine.keyspace.digest()).toBe(b.engine.keyspace.digest())
}

describe('the string commands', () => {
  it('mint one op for each command that writes, and none for others', () => {
    const engine = new TestEngine()
    const minting = ['set k 1', 'mset a 1 b 2 c 3', 'incr k', 'append k x', 'setex k 10 v', 'getex k persist']
    const idle = [
      'get k',
      'set k v nx',
      'msetnx a 1 z 2',
      'setrange k 0 ',
      'getex a persist',
      'getdel none',
      'incr a b',
    ]
    for (const line of minting) {
      const before = engine.engine.mintedCount
      engine.run(...line.split(' '))
      expect(engine.engine.mintedCount - before, line).toBe(1)
    }
    for (const line of idle) {
      const before = engine.engine.mintedCount
      engine.run(...line.split(' '))
      expect(engine.engine.mintedCount - before, line).toBe(0)
    }
  })

  it('treat a key past its deadline as absent, and write it anew without one', () => {
    const engine = new TestEngine()
    for (const [line, reply, value] of [
      ['append k x', 1, 'x'],
      ['incr k', 1, '1'],
      ['setrange k 1 x', 2, '\0x'],
      ['setnx k v', 1, 'v'],
      ['set k v nx keepttl', 'OK', 'v'],
    ] as const) {
      engine.run('set', 'k', '5', 'px', '100')
      engine.wallMs += 101
      expect(engine.run('get', 'k')).toBeNull()
      expect(engine.run(...line.split(' ')), line).toBe(reply)
      engine.wallMs += 1000
      expect(engine.run('get', 'k'), line).toBe(value)
    }
  })

  it('SET KEEPTTL replaces another type and keeps the deadline', () => {
    const engine = new TestEngine()
    engine.run('sadd', 'k', 'm')
    engine.run('pexpireat', 'k', String(START_MS + 5000))
    engine.run('set', 'k', 'v', 'keepttl')
    expect(engine.run('pexpiretime', 'k')).toBe(START_MS + 5000)
    const other = new TestEngine(2)
    other.pullFrom(engine)
    expect(other.run('get', 'k')).toBe('v')
    expect(other.conflicts.total).toBe(0)
    other.run('del', 'k')
    sync(engine, other)
    expect(engine.run('exists', 'k')).toBe(0)
  })

  it('sum up increments of two regions on top of the value both saw', () => {
    const a = new TestEngine(1)
    const b = new TestEngine(2)
    a.run('set', 'n', '10')
    sync(a, b)
    expect(a.run('incr', 'n')).toBe(11)
    expect(b.run('incrby', 'n', '5')).toBe(15)
    expect(b.run('incrbyfloat', 'n', '0.5')).toBe('15.5')
    sync(a, b)
    expect([a.run('get', 'n'), b.run('get', 'n')]).toEqual(['16.5', '16.5'])
    expect(a.run('incr', 'n')).toEqual({ line: 'ERR value is not an integer or out of range' })
  })

  it('show a sum past 64 bits at its edge, and reply what they show', () => {
    const a = new TestEngine(1)
    const b = new TestEngine(2)
    a.run('set', 'n', '9223372036854775800')
    sync(a, b)
    a.run('incrby', 'n', '7')
    b.run('incrby', 'n', '7')
    sync(a, b)
    expect(a.run('get', 'n')).toBe('9223372036854775807')
    expect(a.run('incr', 'n')).toEqual({ line: 'ERR increment or decrement would overflow' })
    expect(a.run('decr', 'n')).toBe(9223372036854775807n)
    expect(a.run('decrby', 'n', '7')).toBe(9223372036854775806n)
  })

  it('address the type that shows', () => {
    const engine = new TestEngine()
    engine.run('sadd', 's', 'm')
    for (const line of ['get s', 'append s x', 'incr s', 'getex s', 'getrange s 0 1', 'set s v get']) {
      expect(engine.run(...line.split(' ')), line).toEqual(WRONGTYPE)
    }
    expect(engine.run('mget', 's', 'none')).toEqual([null, null])
    expect(engine.run('set', 's', 'v')).toBe('OK')
    expect(engine.run('mget', 's')).toEqual(['v'])
  })

  it('keep to the longest value there may be', () => {
    const engine = new TestEngine(1, { stringBytesMax: 10 })
    const tooLong = { line: 'ERR string exceeds maximum allowed size (proto-max-bulk-len)' }
    engine.run('set', 'k', '12345')
    expect(engine.run('append', 'k', '678901')).toEqual(tooLong)
    expect(engine.run('setrange', 'k', '9', 'ab')).toEqual(tooLong)
    expect(engine.run('append', 'k', '67890')).toBe(10)
    expect(engine.run('setrange', 'k', '8', 'ab')).toBe(10)
    expect(engine.run('get', 'k')).toBe('12345678ab')
  })
})
