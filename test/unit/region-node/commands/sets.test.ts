/**
 * sets.test.ts: the set commands: replies, errors and their order, ops minted, draws and scans.
 */
import { describe, expect, it } from 'vitest'
import { Prng } from '../../../harness/prng.ts'
import { TestEngine } from '../../../harness/test-engine.ts'

const sorted = (reply: unknown): string[] => [...(reply as string[])].sort()

describe('members', () => {
  it('count once however often they are named', () => {
    const engine = new TestEngine()
    expect(engine.run('SADD', 's', 'a', 'b', 'a')).toBe(2)
    expect(engine.run('SADD', 's', 'a', 'c')).toBe(1)
    expect(engine.run('SREM', 's', 'a', 'a', 'x')).toBe(1)
    expect(engine.run('SMISMEMBER', 's', 'a', 'b')).toEqual([0, 1])
    expect(engine.run('SREM', 's', 'b', 'c')).toBe(2)
    expect(engine.run('TYPE', 's')).toBe('none')
  })

  it('that are added again beat a removal elsewhere', () => {
    const a = new TestEngine(1)
    const b = new TestEngine(2)
    a.run('SADD', 's', 'm')
    b.pullFrom(a)
    expect(a.run('SADD', 's', 'm')).toBe(0)
    expect(b.run('SREM', 's', 'm')).toBe(1)
    a.pullFrom(b)
    b.pullFrom(a)
    expect([a.run('SMEMBERS', 's'), b.run('SMEMBERS', 's')]).toEqual([['m'], ['m']])
  })
})

describe('SMOVE', () => {
  it('is one op', () => {
    const engine = new TestEngine()
    engine.run('SADD', 'a', '1', '2')
    const before = engine.engine.mintedCount
    expect(engine.run('SMOVE', 'a', 'b', '1')).toBe(1)
    expect(engine.engine.mintedCount).toBe(before + 1)
    expect(engine.run('SMEMBERS', 'b')).toEqual(['1'])
  })

  it('onto itself only looks, and looks at no destination without a source', () => {
    const engine = new TestEngine()
    engine.run('SADD', 'a', '1')
    engine.run('SET', 'text', '')
    const before = engine.engine.mintedCount
    expect(engine.run('SMOVE', 'a', 'a', '1')).toBe(1)
    expect(engine.run('SMOVE', 'a', 'a', '2')).toBe(0)
    expect(engine.run('SMOVE', 'nothing', 'text', '1')).toBe(0)
    expect(engine.run('SMOVE', 'a', 'text', 'x')).toMatchObject({ line: expect.stringMatching(/^WRONGTYPE/) })
    expect(engine.engine.mintedCount).toBe(before)
  })
})

describe('draws', () => {
  it('of SPOP empty the set, each member once', () => {
    const engine = new TestEngine()
    const members = Array.from({ length: 300 }, (_, i) => `m${i}`)
    engine.run('SADD', 's', ...members)
    const popped = [engine.run('SPOP', 's') as string, ...(engine.run('SPOP', 's', '120') as string[])]
    expect(engine.run('SCARD', 's')).toBe(179)
    popped.push(...(engine.run('SPOP', 's', '1000') as string[]))
    expect(popped.sort()).toEqual(members.sort())
    expect(engine.run('SPOP', 's')).toBeNull()
    expect(engine.run('SPOP', 's', '3')).toEqual([])
  })

  it('are even', () => {
    const engine = new TestEngine()
    engine.run('SADD', 's', ...'abcdefgh')
    const drawn = new Map<string, number>()
    const draws = [
      ...(engine.run('SRANDMEMBER', 's', '-8000') as string[]),
      ...Array.from({ length: 4000 }, () => engine.run('SRANDMEMBER', 's', '2') as string[]).flat(),
    ]
    for (const member of draws) drawn.set(member, (drawn.get(member) ?? 0) + 1)
    // 2000 expected of each, with a deviation of 42: six of them away is no accident.
    for (const member of 'abcdefgh') expect(Math.abs(drawn.get(member)! - 2000)).toBeLessThan(250)
  })

  it('refuse strange counts', () => {
    const engine = new TestEngine()
    expect(engine.run('SPOP', 's', '-1')).toEqual({ line: 'ERR value is out of range, must be positive' })
    expect(engine.run('SPOP', 's', '1', '2')).toEqual({ line: 'ERR syntax error' })
    expect(engine.run('SRANDMEMBER', 's', 'x')).toEqual({
      line: 'ERR value is not an integer or out of range',
    })
  })
})

describe('algebra', () => {
  it('agrees with the definition on random sets', () => {
    const prng = new Prng(1)
    for (let round = 0; round < 50; round++) {
      const engine = new TestEngine()
      const sets = Array.from(
        { length: 4 },
        () => new Set(Array.from({ length: prng.below(12) }, () => `${prng.below(15)}`)),
      )
      for (const [i, set] of sets.entries()) if (set.size > 0) engine.run('SADD', `s${i}`, ...set)
      const names = sets.map((_, i) => `s${i}`)
      const all = [...new Set(sets.flatMap((set) => [...set]))].sort()
      const inAll = all.filter((member) => sets.every((set) => set.has(member)))
      const onlyFirst = all.filter((member) => sets.every((set, i) => set.has(member) === (i === 0)))
      expect(sorted(engine.run('SUNION', ...names))).toEqual(all)
      expect(sorted(engine.run('SINTER', ...names))).toEqual(inAll)
      expect(sorted(engine.run('SDIFF', ...names))).toEqual(onlyFirst)
      expect(engine.run('SINTERCARD', '4', ...names)).toBe(inAll.length)
      expect(engine.run('SUNIONSTORE', 's0', ...names)).toBe(all.length)
      expect(sorted(engine.run('SMEMBERS', 's0'))).toEqual(all)
    }
  })

  it('stops counting at LIMIT', () => {
    const engine = new TestEngine()
    engine.run('SADD', 'a', ...'12345')
    expect(engine.run('SINTERCARD', '1', 'a', 'LIMIT', '3')).toBe(3)
    expect(engine.run('SINTERCARD', '1', 'a', 'LIMIT', '0')).toBe(5)
    expect(engine.run('SINTERCARD', '1', 'a', 'LIMIT', '-1')).toEqual({ line: "ERR LIMIT can't be negative" })
  })

  it('stores over a key of any type in one op, its deadline included, and removes it when nothing is left', () => {
    const engine = new TestEngine()
    engine.run('SET', 'dest', 'text', 'EX', '100')
    engine.run('SADD', 'a', '1')
    const before = engine.engine.mintedCount
    expect(engine.run('SDIFFSTORE', 'dest', 'a', 'b')).toBe(1)
    expect(engine.engine.mintedCount).toBe(before + 1)
    expect([engine.run('TYPE', 'dest'), engine.run('TTL', 'dest')]).toEqual(['set', -1])
    expect(engine.run('SINTERSTORE', 'dest', 'a', 'b')).toBe(0)
    expect(engine.run('EXISTS', 'dest')).toBe(0)
  })
})
