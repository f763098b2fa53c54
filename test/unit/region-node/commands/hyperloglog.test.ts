/**
 * hyperloglog.test.ts: HyperLogLogs between regions: additions join, removals win, and leave marks that go.
 *
 * What the commands answer on one node is compared with Redis in against-redis.test.ts.
 */
import { describe, expect, it } from 'vitest'
import { hllOf } from '../../../../crdt/effects/hll-effects.ts'
import { TestEngine } from '../../../harness/test-engine.ts'

function pair(): [TestEngine, TestEngine] {
  const regions: [TestEngine, TestEngine] = [new TestEngine(1), new TestEngine(2)]
  regions[0].run('PFADD', 'h', 'e1')
  meet(...regions)
  return regions
}

function meet(one: TestEngine, two: TestEngine): void {
  one.pullFrom(two)
  two.pullFrom(one)
  expect(two.engine.keyspace.digest()).toBe(one.engine.keyspace.digest())
}

/** What both regions answer. */
function both([one, two]: [TestEngine, TestEngine], ...words: string[]): unknown {
  const answer = one.run(...words)
  expect(two.run(...words)).toEqual(answer)
  return answer
}

describe('a HyperLogLog', () => {
  it('joins what regions add, and is the same bytes in both', () => {
    const regions = pair()
    const [one, two] = regions
    one.run('PFADD', 'h', 'e2', 'e3')
    two.run('PFADD', 'h', 'e3', 'e4')
    meet(...regions)
    both(regions, 'GET', 'h')
    expect(both(regions, 'PFCOUNT', 'h')).toBe(4)
  })

  const removals: { readonly [name: string]: readonly string[] } = {
    DEL: ['DEL', 'h'],
    UNLINK: ['UNLINK', 'h'],
    GETDEL: ['GETDEL', 'h'],
    RENAME: ['RENAME', 'h', 'elsewhere'],
    FLUSHALL: ['FLUSHALL'],
    FLUSHDB: ['FLUSHDB'],
    'an EXPIRE in the past': ['EXPIRE', 'h', '-1'],
  }
  for (const [name, removal] of Object.entries(removals)) {
    it(`is gone after ${name}, whatever another region adds or puts off meanwhile`, () => {
      const regions = pair()
      const [one, two] = regions
      one.run('PFADD', 'h', 'e2')
      one.run('PFMERGE', 'h', 'h')
      one.run('EXPIRE', 'h', '1000')
      two.run(...removal)
      meet(...regions)
      expect(both(regions, 'EXISTS', 'h')).toBe(0)
      expect(both(regions, 'DBSIZE')).toBe(name === 'RENAME' ? 1 : 0)
      one.run('PFADD', 'h', 'n')
      meet(...regions)
      expect(both(regions, 'PFCOUNT', 'h')).toBe(1)
      expect(both(regions, 'TTL', 'h')).toBe(-1)
    })
  }

  it('is gone after a SET over it, and the string stands', () => {
    const regions = pair()
    regions[0].run('PFADD', 'h', 'e2')
    regions[1].run('SET', 'h', 'text')
    meet(...regions)
    expect(both(regions, 'GET', 'h')).toBe('text')
    regions[0].run('DEL', 'h')
    meet(...regions)
    expect(both(regions, 'EXISTS', 'h')).toBe(0)
  })

  it('becomes a string by APPEND, and the deadline stays', () => {
    const regions = pair()
    regions[0].run('EXPIRE', 'h', '100')
    meet(...regions)
    const bytes = both(regions, 'GET', 'h') as string
    regions[0].run('PFADD', 'h', 'e2')
    regions[1].run('APPEND', 'h', 'x')
    meet(...regions)
    expect(both(regions, 'GET', 'h')).toBe(`${bytes}x`)
    expect(both(regions, 'TTL', 'h')).toBe(100)
  })

  it('leaves a mark that goes once it is stable', () => {
    const regions = pair()
    regions[1].run('DEL', 'h')
    meet(...regions)
    for (const { engine } of regions) {
      expect(hllOf(engine.keyspace.get(0, 'h')!)!.marks.length).toBe(1)
      engine.reclaim(engine.applied.copy())
      engine.reclaim(engine.applied.copy())
      expect(engine.keyspace.get(0, 'h')).toBeUndefined()
      expect(engine.reclaimPending).toBe(0)
    }
  })

  it('made of a string keeps the deadline, and the string is gone', () => {
    const regions = pair()
    const [one] = regions
    one.run('SET', 'text', one.run('GET', 'h') as string, 'EX', '50')
    expect(one.run('PFADD', 'text', 'e2')).toBe(1)
    meet(...regions)
    expect(both(regions, 'PFCOUNT', 'text')).toBe(2)
    expect(both(regions, 'TTL', 'text')).toBe(50)
    expect(both(regions, 'OBJECT', 'ENCODING', 'text')).toBe('raw')
    one.run('DEL', 'text')
    expect(one.run('GET', 'text')).toBe(null)
  })

  it('estimates within three standard errors', () => {
    const engine = new TestEngine()
    let added = 0
    for (const until of [100, 2000, 30_000]) {
      while (added < until)
        engine.run('PFADD', 'h', ...Array.from({ length: 100 }, () => `element ${added++}`))
      const estimate = engine.run('PFCOUNT', 'h') as number
      expect(Math.abs(estimate - until) / until).toBeLessThan(3 * (1.04 / Math.sqrt(16384)))
    }
    expect(engine.run('PFSELFTEST')).toBe('OK')
  })
})
