/**
 * objects.test.ts: MEMORY USAGE, OBJECT, MOVE and SWAPDB where they differ from Redis, or Redis's answer
 * depends on its build. The rest is in against-redis.test.ts.
 */
import { describe, expect, it } from 'vitest'
import type { LinkState } from '../../../../region-node/commands/services.ts'
import { TestEngine } from '../../../harness/test-engine.ts'

describe('MEMORY USAGE', () => {
  it('grows with what is stored', () => {
    const engine = new TestEngine()
    engine.run('set', 'small', 'x')
    engine.run('set', 'large', 'x'.repeat(1000))
    engine.run('set', 'volatile', 'x', 'ex', '100')
    const usage = (...words: string[]): number => engine.run('memory', 'usage', ...words) as number
    expect(usage('small')).toBeGreaterThan(40)
    expect(usage('large') - usage('small')).toBeGreaterThan(900)
    expect(usage('volatile')).toBeGreaterThan(usage('small'))
    for (let i = 0; i < 100; i++) engine.run('hset', 'h', `f${i}`, i < 5 ? 'x' : 'x'.repeat(100))
    expect(usage('h')).toBeLessThan(usage('h', 'samples', '0'))
    expect(usage('h', 'samples', '100')).toBe(usage('h', 'samples', '0'))
    for (let i = 0; i < 100; i++) engine.run('sadd', 's', `m${i}`)
    expect(usage('s')).toBeGreaterThan(100 * 100)
  })
})

describe('OBJECT ENCODING', () => {
  it('follows the size of the value, down as well as up', () => {
    const engine = new TestEngine()
    const members = Array.from({ length: 513 }, (_, i) => String(i))
    engine.run('sadd', 's', ...members.slice(1))
    expect(engine.run('object', 'encoding', 's')).toBe('intset')
    engine.run('sadd', 's', '0')
    expect(engine.run('object', 'encoding', 's')).toBe('hashtable')
    engine.run('srem', 's', ...members.slice(100))
    engine.run('sadd', 's', 'text')
    expect(engine.run('object', 'encoding', 's')).toBe('listpack')
  })
})

describe('SWAPDB', () => {
  const peer: Partial<LinkState> = { region: 'B' }

  it('is refused while there are peers', () => {
    const engine = new TestEngine(1, { links: () => [peer as LinkState] })
    engine.run('set', 'k', 'v')
    expect(engine.run('swapdb', '0', '1')).toMatchObject({
      line: expect.stringMatching(/^ERR SWAPDB is refused/),
    })
    expect(engine.run('swapdb', '0', '0')).toBe('OK')
    expect(engine.run('get', 'k')).toBe('v')
  })

  it('is one op, which means the same to a region that comes later', () => {
    const engine = new TestEngine(1, { links: () => [] })
    engine.run('incrby', 'n', '5')
    engine.run('hset', 'h', 'f', 'v')
    engine.run('select', '3')
    engine.run('sadd', 'h', 'm')
    engine.run('set', 't', 'v', 'px', '5000')
    const before = engine.engine.mintedCount
    expect(engine.run('swapdb', '3', '0')).toBe('OK')
    expect(engine.engine.mintedCount).toBe(before + 1)
    const late = new TestEngine(2)
    late.pullFrom(engine)
    expect(late.engine.keyspace.digest()).toBe(engine.engine.keyspace.digest())
    for (const region of [engine, late]) {
      region.run('select', '0')
      expect(region.run('smembers', 'h')).toEqual(['m'])
      expect(region.run('pttl', 't')).toBe(5000)
      region.run('select', '3')
      expect(region.run('incr', 'n')).toBe(6)
      expect(region.run('dbsize')).toBe(2)
    }
  })

  it('is refused when it would be too large for one op', () => {
    const engine = new TestEngine(1, { links: () => [] })
    for (let i = 0; i < 5; i++) engine.run('setrange', `k${i}`, String(15 * 1024 * 1024), 'x')
    expect(engine.run('swapdb', '0', '1')).toMatchObject({ line: expect.stringContaining('64 MB') })
    expect(engine.run('dbsize')).toBe(5)
  })
})

describe('MOVE', () => {
  it('is one op, and takes the deadline along', () => {
    const engine = new TestEngine()
    engine.run('set', 'k', 'v', 'px', '5000')
    const before = engine.engine.mintedCount
    expect(engine.run('move', 'k', '1')).toBe(1)
    expect(engine.engine.mintedCount).toBe(before + 1)
    engine.run('select', '1')
    expect(engine.run('pttl', 'k')).toBe(5000)
  })
})
