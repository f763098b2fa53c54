/**
 * hashes.test.ts: the hash commands: replies, errors and their order, ops minted, draws and scans.
 */
import { describe, expect, it } from 'vitest'
import { TestEngine } from '../../../harness/test-engine.ts'

describe('fields', () => {
  it('are new once, and the last of two values in one HSET counts', () => {
    const engine = new TestEngine()
    expect(engine.run('HSET', 'h', 'a', '1', 'b', '2', 'a', '3')).toBe(2)
    expect(engine.run('HSET', 'h', 'a', '4')).toBe(0)
    expect(engine.run('HMGET', 'h', 'a', 'b', 'c')).toEqual(['4', '2', null])
    expect(engine.run('HSETNX', 'h', 'a', '5')).toBe(0)
    expect(engine.run('HDEL', 'h', 'a', 'a', 'c')).toBe(1)
    expect(engine.run('HGETALL', 'h')).toEqual(['b', '2'])
  })

  it('leave no empty hash behind', () => {
    const engine = new TestEngine()
    engine.run('HSET', 'h', 'a', '1')
    engine.run('EXPIRE', 'h', '100')
    expect(engine.run('HDEL', 'h', 'a')).toBe(1)
    expect(engine.run('EXISTS', 'h')).toBe(0)
    engine.run('HSET', 'h', 'a', '1')
    expect(engine.run('TTL', 'h')).toBe(-1)
  })

  it('need a value each', () => {
    const engine = new TestEngine()
    expect(engine.run('HSET', 'h', 'a', '1', 'b')).toEqual({
      line: "ERR wrong number of arguments for 'hset' command",
    })
    expect(engine.run('HMSET', 'h', 'a', '1', 'b')).toEqual({
      line: "ERR wrong number of arguments for 'hmset' command",
    })
  })
})

describe('HINCRBY and HINCRBYFLOAT', () => {
  it('keep the 64-bit range', () => {
    const engine = new TestEngine()
    engine.run('HSET', 'h', 'f', '9223372036854775806')
    expect(engine.run('HINCRBY', 'h', 'f', '1')).toBe(9223372036854775807n)
    expect(engine.run('HINCRBY', 'h', 'f', '1')).toEqual({
      line: 'ERR increment or decrement would overflow',
    })
    expect(engine.run('HINCRBY', 'h', 'f', '-9223372036854775808')).toBe(-1)
  })

  it('print floats as Redis does', () => {
    const engine = new TestEngine()
    engine.run('HSET', 'h', 'f', '0.1')
    expect(engine.run('HINCRBYFLOAT', 'h', 'f', '0.2')).toBe('0.3')
    expect(engine.run('HINCRBYFLOAT', 'h', 'f', '5.0e3')).toBe('5000.3')
    expect(engine.run('HINCRBYFLOAT', 'h', 'f', 'inf')).toEqual({ line: 'ERR value is NaN or Infinity' })
    engine.run('HSET', 'h', 'f', 'inf')
    expect(engine.run('HINCRBYFLOAT', 'h', 'f', '1')).toEqual({
      line: 'ERR increment would produce NaN or Infinity',
    })
  })

  it('of two regions add up', () => {
    const a = new TestEngine(1)
    const b = new TestEngine(2)
    a.run('HSET', 'h', 'f', '10')
    b.pullFrom(a)
    a.run('HINCRBY', 'h', 'f', '5')
    b.run('HINCRBY', 'h', 'f', '-2')
    a.pullFrom(b)
    b.pullFrom(a)
    expect([a.run('HGET', 'h', 'f'), b.run('HGET', 'h', 'f')]).toEqual(['13', '13'])
  })

  it('read a sum again that was shown at the edge of the range', () => {
    const a = new TestEngine(1)
    const b = new TestEngine(2)
    a.run('HSET', 'h', 'f', '9223372036854775800')
    b.pullFrom(a)
    a.run('HINCRBY', 'h', 'f', '7')
    b.run('HINCRBY', 'h', 'f', '7')
    a.pullFrom(b)
    expect(a.run('HGET', 'h', 'f')).toBe('9223372036854775807')
    expect(a.run('HINCRBY', 'h', 'f', '-1')).toBe(9223372036854775807n)
  })
})

describe('HRANDFIELD', () => {
  it('draws different fields for a positive count, and as many as asked for a negative one', () => {
    const engine = new TestEngine()
    const fields = Array.from({ length: 40 }, (_, i) => `f${i}`)
    engine.run('HSET', 'h', ...fields.flatMap((field) => [field, `v${field}`]))
    const some = engine.run('HRANDFIELD', 'h', '25') as string[]
    expect(new Set(some).size).toBe(25)
    expect(engine.run('HRANDFIELD', 'h', '100')).toHaveLength(40)
    expect(engine.run('HRANDFIELD', 'h', '-100')).toHaveLength(100)
    const pairs = engine.run('HRANDFIELD', 'h', '3', 'WITHVALUES') as string[]
    expect(pairs.map((word, i) => (i % 2 === 0 ? `v${word}` : word))).toEqual(
      pairs.map((_, i) => pairs[i - (i % 2) + 1]),
    )
    engine.session().out.protocol = 3
    expect(engine.run('HRANDFIELD', 'h', '-2', 'WITHVALUES')).toEqual([
      [expect.any(String), expect.any(String)],
      [expect.any(String), expect.any(String)],
    ])
  })

  it('refuses to draw without end', () => {
    const engine = new TestEngine()
    engine.run('HSET', 'h', 'f', '1')
    expect(engine.run('HRANDFIELD', 'h', '-9223372036854775807')).toEqual({
      line: 'ERR value is out of range',
    })
    expect(engine.run('HRANDFIELD', 'h', '-9223372036854775808')).toEqual({
      line: 'ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807',
    })
  })
})
