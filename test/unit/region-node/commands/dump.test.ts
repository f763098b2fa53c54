/**
 * dump.test.ts: DUMP and RESTORE inside one node, and between two regions; what they say is compared with Redis in
 * against-redis.test.ts, and the form itself in `rdb/`.
 */
import { describe, expect, it } from 'vitest'
import { TestEngine } from '../../../harness/test-engine.ts'

/** How each value is made, and how it is read. */
const values: { readonly [type: string]: readonly [readonly string[][], readonly string[]] } = {
  string: [[['SET', 'k', 'a value']], ['GET']],
  counter: [[['INCRBY', 'k', '70000']], ['GET']],
  hash: [[['HSET', 'k', 'a', '1', 'b', 'two']], ['HGETALL']],
  set: [[['SADD', 'k', 'a', '7', '\xff']], ['SMEMBERS']],
  'sorted set': [[['ZADD', 'k', '1.5', 'a', '-inf', 'b']], ['ZRANGE', '0', '-1', 'WITHSCORES']],
  list: [[['RPUSH', 'k', 'a', 'b', 'a']], ['LRANGE', '0', '-1']],
  hyperloglog: [[['PFADD', 'k', 'a', 'b', 'c']], ['GET']],
  stream: [
    [
      ['XADD', 'k', '1-1', 'f', 'v'],
      ['XADD', 'k', '2-5', 'f', 'w', 'g', 'x'],
      ['XADD', 'k', '3-0', 'f', 'y'],
      ['XGROUP', 'CREATE', 'k', 'g', '0'],
      ['XREADGROUP', 'GROUP', 'g', 'me', 'COUNT', '2', 'STREAMS', 'k', '>'],
      ['XDEL', 'k', '1-1'],
    ],
    ['XRANGE', '-', '+'],
  ],
}

describe('DUMP and RESTORE', () => {
  for (const [type, [commands, [read, ...rest]]] of Object.entries(values)) {
    it(`take a ${type} to another key, and other regions read it there`, () => {
      const engine = new TestEngine()
      const other = new TestEngine(2)
      for (const words of commands) engine.run(...words)
      engine.run('SADD', 'taken', 'by a set')
      const payload = engine.run('DUMP', 'k') as string
      expect(engine.run('RESTORE', 'taken', '50000', payload, 'REPLACE')).toBe('OK')
      other.pullFrom(engine)
      for (const region of [engine, other]) {
        expect(region.run(read!, 'taken', ...rest)).toEqual(engine.run(read!, 'k', ...rest))
        expect(region.run('PTTL', 'taken')).toBe(50_000)
      }
      expect(engine.run('DUMP', 'taken')).toBe(payload)
    })
  }

  it('keep what the readers of a stream have not acknowledged', () => {
    const engine = new TestEngine()
    for (const words of values.stream![0]) engine.run(...words)
    engine.run('RESTORE', 'l', '0', engine.run('DUMP', 'k') as string)
    expect(engine.run('XPENDING', 'l', 'g')).toEqual(engine.run('XPENDING', 'k', 'g'))
    expect(engine.run('XINFO', 'GROUPS', 'l')).toEqual(engine.run('XINFO', 'GROUPS', 'k'))
    expect(engine.run('XADD', 'l', '3-0', 'f', 'v')).toHaveProperty('line')
  })

  it('make a string of a HyperLogLog that PFADD takes up again', () => {
    const engine = new TestEngine()
    engine.run('PFADD', 'k', 'a', 'b', 'c')
    engine.run('RESTORE', 'l', '0', engine.run('DUMP', 'k') as string)
    expect(engine.run('PFCOUNT', 'l')).toBe(3)
    expect(engine.run('PFADD', 'l', 'd')).toBe(1)
    expect(engine.run('PFCOUNT', 'l', 'k')).toBe(4)
  })
})
