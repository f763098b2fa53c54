/**
 * keys.test.ts: the commands for keys of any type: what is moved, copied, listed and drawn.
 */
import { describe, expect, it } from 'vitest'
import { TestEngine } from '../../../harness/test-engine.ts'

const FILLED: readonly (readonly [
  type: string,
  fill: readonly string[],
  read: readonly string[],
  value: unknown,
])[] = [
  ['string', ['SET', 'from', 'v'], ['GET', 'to'], 'v'],
  ['hash', ['HSET', 'from', 'f', '1', 'g', '2'], ['HGETALL', 'to'], ['f', '1', 'g', '2']],
  ['set', ['SADD', 'from', 'a', 'b'], ['SMEMBERS', 'to'], ['a', 'b']],
]

describe.each(FILLED)('RENAME and COPY of a %s', (type, fill, read, value) => {
  it('replace the destination, deadline and all, as one op', () => {
    const engine = new TestEngine()
    engine.run(...fill)
    engine.run('EXPIRE', 'from', '100')
    engine.run('HSET', 'to', 'old', 'x')
    const before = engine.engine.mintedCount
    expect(engine.run('RENAME', 'from', 'to')).toBe('OK')
    expect(engine.engine.mintedCount).toBe(before + 1)
    expect([engine.run('TYPE', 'to'), engine.run('TTL', 'to')]).toEqual([type, 100])
    expect(engine.run(...read)).toEqual(value)
    expect(engine.run('EXISTS', 'from')).toBe(0)
  })

  it('leave the destination alone unless told to replace it', () => {
    const engine = new TestEngine()
    engine.run(...fill)
    engine.run('SET', 'to', 'old', 'EX', '50')
    expect(engine.run('COPY', 'from', 'to')).toBe(0)
    expect(engine.run('RENAMENX', 'from', 'to')).toBe(0)
    expect(engine.run('COPY', 'from', 'to', 'REPLACE')).toBe(1)
    expect(engine.run('TTL', 'to')).toBe(-1)
    expect(engine.run(...read)).toEqual(value)
    expect(engine.run('EXISTS', 'from')).toBe(1)
  })

  it('reach other databases, and mean the same in another region', () => {
    const engine = new TestEngine(1)
    const other = new TestEngine(2)
    engine.run(...fill)
    expect(engine.run('COPY', 'from', 'to', 'DB', '3')).toBe(1)
    other.pullFrom(engine)
    for (const one of [engine, other]) {
      expect(one.run('EXISTS', 'to')).toBe(0)
      one.run('SELECT', '3')
      expect(one.run(...read)).toEqual(value)
    }
    expect(other.engine.keyspace.digest()).toBe(engine.engine.keyspace.digest())
  })
})

describe('RENAME', () => {
  it('onto itself changes nothing', () => {
    const engine = new TestEngine()
    engine.run('SET', 'a', '1')
    const before = engine.engine.mintedCount
    expect(engine.run('RENAME', 'a', 'a')).toBe('OK')
    expect(engine.run('RENAMENX', 'a', 'a')).toBe(0)
    expect(engine.run('RENAME', 'nothing', 'nothing')).toEqual({ line: 'ERR no such key' })
    expect(engine.engine.mintedCount).toBe(before)
  })
})

describe('a key that is due', () => {
  it('is shown by nothing', () => {
    const engine = new TestEngine()
    engine.run('SET', 'a', '1', 'PX', '5')
    engine.wallMs += 6
    expect(engine.run('EXISTS', 'a', 'a')).toBe(0)
    expect(engine.run('TYPE', 'a')).toBe('none')
    expect(engine.run('KEYS', '*')).toEqual([])
    expect(engine.run('RANDOMKEY')).toBeNull()
    expect(engine.run('RENAME', 'a', 'b')).toEqual({ line: 'ERR no such key' })
    expect(engine.run('DEL', 'a')).toBe(0)
  })
})

describe('RANDOMKEY', () => {
  it('draws evenly from sparse and from crowded slots', () => {
    const engine = new TestEngine()
    const keys = [...'abcdefgh', ...Array.from({ length: 8 }, (_, i) => `{t}${i}`)]
    for (const key of keys) engine.run('SET', key, '')
    const drawn = new Map<string, number>()
    for (let i = 0; i < 16_000; i++) {
      const key = engine.run('RANDOMKEY') as string
      drawn.set(key, (drawn.get(key) ?? 0) + 1)
    }
    // 1000 expected of each, with a deviation of 31.
    for (const key of keys) expect(Math.abs(drawn.get(key)! - 1000)).toBeLessThan(190)
  })

  it('meets keys that came later, and none that are gone', () => {
    const engine = new TestEngine()
    for (let i = 0; i < 3000; i++) engine.run('SET', `{t}${i}`, '')
    expect(engine.run('RANDOMKEY')).toMatch(/^\{t\}/)
    for (let i = 0; i < 2999; i++) engine.run('DEL', `{t}${i}`)
    expect(engine.run('RANDOMKEY')).toBe('{t}2999')
    engine.run('SET', 'new', '')
    const drawn = new Set(Array.from({ length: 100 }, () => engine.run('RANDOMKEY')))
    expect(drawn).toEqual(new Set(['{t}2999', 'new']))
  })

  it('finds the one key that is not due', () => {
    const engine = new TestEngine()
    for (let i = 0; i < 500; i++) engine.run('SET', `k${i}`, '', 'PX', '5')
    engine.run('SET', 'stays', '')
    engine.wallMs += 6
    expect(engine.run('RANDOMKEY')).toBe('stays')
  })
})
