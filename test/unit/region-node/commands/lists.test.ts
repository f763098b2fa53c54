/**
 * lists.test.ts: the list commands on one node, and what two regions make of them together.
 */
import { describe, expect, test } from 'vitest'
import { TestEngine } from '../../../harness/test-engine.ts'

describe('one region', () => {
  test('pushes, ranges and indexes', () => {
    const engine = new TestEngine()
    expect(engine.run('RPUSH', 'l', 'c', 'd')).toBe(2)
    expect(engine.run('LPUSH', 'l', 'b', 'a')).toBe(4)
    expect(engine.run('LRANGE', 'l', '0', '-1')).toEqual(['a', 'b', 'c', 'd'])
    expect(engine.run('LRANGE', 'l', '-2', '10')).toEqual(['c', 'd'])
    expect(engine.run('LINDEX', 'l', '-1')).toBe('d')
    expect(engine.run('LINDEX', 'l', '4')).toBeNull()
    expect(engine.run('LPUSHX', 'none', 'a')).toBe(0)
    expect(engine.run('LINSERT', 'l', 'AFTER', 'b', 'x')).toBe(5)
    expect(engine.run('LINSERT', 'l', 'BEFORE', 'a', 'y')).toBe(6)
    expect(engine.run('LINSERT', 'l', 'BEFORE', 'none', 'y')).toBe(-1)
    expect(engine.run('LSET', 'l', '-1', 'D')).toBe('OK')
    expect(engine.run('LRANGE', 'l', '0', '-1')).toEqual(['y', 'a', 'b', 'x', 'c', 'D'])
    expect(engine.run('LREM', 'l', '0', 'x')).toBe(1)
    expect(engine.run('LTRIM', 'l', '1', '-2')).toBe('OK')
    expect(engine.run('LRANGE', 'l', '0', '-1')).toEqual(['a', 'b', 'c'])
    expect(engine.run('LPOP', 'l')).toBe('a')
    expect(engine.run('RPOP', 'l', '5')).toEqual(['c', 'b'])
    expect(engine.run('EXISTS', 'l')).toBe(0)
    expect(engine.run('DBSIZE')).toBe(0)
  })

  test('a list that is made anew has no deadline of the old one', () => {
    const engine = new TestEngine()
    engine.run('RPUSH', 'l', 'a')
    engine.run('EXPIRE', 'l', '100')
    engine.run('LPOP', 'l')
    engine.run('RPUSH', 'l', 'b')
    expect(engine.run('TTL', 'l')).toBe(-1)
  })

  test('turning a list of one element round leaves its deadline', () => {
    const engine = new TestEngine()
    engine.run('RPUSH', 'l', 'a')
    engine.run('EXPIRE', 'l', '100')
    expect(engine.run('RPOPLPUSH', 'l', 'l')).toBe('a')
    expect(engine.run('TTL', 'l')).toBe(100)
    expect(engine.run('LRANGE', 'l', '0', '-1')).toEqual(['a'])
  })

  test('moves between lists', () => {
    const engine = new TestEngine()
    engine.run('RPUSH', 'a', '1', '2', '3')
    expect(engine.run('LMOVE', 'a', 'b', 'LEFT', 'RIGHT')).toBe('1')
    expect(engine.run('RPOPLPUSH', 'a', 'b')).toBe('3')
    expect(engine.run('LRANGE', 'b', '0', '-1')).toEqual(['3', '1'])
    expect(engine.run('LMPOP', '2', 'none', 'b', 'RIGHT', 'COUNT', '5')).toEqual(['b', ['1', '3']])
    expect(engine.run('SORT', 'a', 'STORE', 'c')).toBe(1)
    expect(engine.run('COPY', 'c', 'd')).toBe(1)
    expect(engine.run('RENAME', 'd', 'e')).toBe('OK')
    expect(engine.run('LRANGE', 'e', '0', '-1')).toEqual(['2'])
  })

  test('finds elements', () => {
    const engine = new TestEngine()
    engine.run('RPUSH', 'l', 'a', 'b', 'c', 'b', 'b')
    expect(engine.run('LPOS', 'l', 'b')).toBe(1)
    expect(engine.run('LPOS', 'l', 'b', 'RANK', '-1')).toBe(4)
    expect(engine.run('LPOS', 'l', 'b', 'RANK', '2', 'COUNT', '0')).toEqual([3, 4])
    expect(engine.run('LPOS', 'l', 'b', 'COUNT', '0', 'MAXLEN', '2')).toEqual([1])
    expect(engine.run('LREM', 'l', '-2', 'b')).toBe(2)
    expect(engine.run('LRANGE', 'l', '0', '-1')).toEqual(['a', 'b', 'c'])
  })
})

/** Both know what the other one knows. */
function meet(a: TestEngine, b: TestEngine): void {
  a.pullFrom(b)
  b.pullFrom(a)
}

describe('two regions', () => {
  function apart(): [TestEngine, TestEngine] {
    const a = new TestEngine(1)
    const b = new TestEngine(2)
    a.run('RPUSH', 'l', 'a', 'm', 'z')
    meet(a, b)
    return [a, b]
  }

  function expectBoth(a: TestEngine, b: TestEngine, elements: readonly string[]): void {
    meet(a, b)
    expect(a.run('LRANGE', 'l', '0', '-1')).toEqual(elements)
    expect(b.run('LRANGE', 'l', '0', '-1')).toEqual(elements)
  }

  test('an element inserted next to one that is removed keeps its place', () => {
    const [a, b] = apart()
    a.run('LINSERT', 'l', 'AFTER', 'm', 'x')
    b.run('LREM', 'l', '0', 'm')
    b.run('LINSERT', 'l', 'AFTER', 'a', 'n')
    expectBoth(a, b, ['a', 'n', 'x', 'z'])
  })

  test('what DEL had not seen survives', () => {
    const [a, b] = apart()
    a.run('RPUSH', 'l', 'new')
    b.run('DEL', 'l')
    expectBoth(a, b, ['new'])
  })

  test('what FLUSHALL had not seen survives, in its place', () => {
    const [a, b] = apart()
    a.run('LINSERT', 'l', 'BEFORE', 'm', 'x')
    a.run('RPUSH', 'l', 'y')
    b.run('FLUSHALL')
    expectBoth(a, b, ['x', 'y'])
  })

  test('LSET on an element removed meanwhile is lost and counted', () => {
    const [a, b] = apart()
    a.run('LSET', 'l', '1', 'x')
    b.run('LREM', 'l', '0', 'm')
    expectBoth(a, b, ['a', 'z'])
    expect(a.conflicts.counts['lost-set']).toBe(1)
    expect(b.conflicts.counts['lost-set']).toBe(1)
  })

  test('of two LSETs the later shows', () => {
    const [a, b] = apart()
    a.run('LSET', 'l', '1', 'x')
    b.wallMs += 5
    b.run('LSET', 'l', '1', 'y')
    expectBoth(a, b, ['a', 'y', 'z'])
    expect(a.conflicts.counts.register).toBe(1)
  })
})
