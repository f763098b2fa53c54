/**
 * eviction.test.ts: which keys go under each policy, and how uses of keys are written down.
 */
import { describe, expect, it } from 'vitest'
import type { EvictionPolicy } from '../../../../region-node/engine/eviction.ts'
import { LastUse, UseCount } from '../../../../region-node/engine/table/access.ts'
import { TestEngine } from '../../../harness/test-engine.ts'

const EVERYTHING = 2 ** 40

function engineWith(policy: EvictionPolicy): TestEngine {
  const engine = new TestEngine(
    1,
    {},
    { eviction: { policy: () => policy, samples: () => 10, useCount: { logFactor: 10, decayMinutes: 1 } } },
  )
  engine.engine.policyChanged()
  return engine
}

/** Names `prefix0` to `prefix<count - 1>`. */
function names(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i}`)
}

function left(engine: TestEngine, keys: readonly string[]): number {
  return keys.filter((key) => engine.run('EXISTS', key) === 1).length
}

describe('evict', () => {
  it('lets nothing go under noeviction, or while the node may not mint', () => {
    const engine = engineWith('noeviction')
    engine.run('SET', 'k', 'v')
    expect(engine.engine.evict(EVERYTHING)).toBe(0)
    const other = engineWith('allkeys-random')
    other.run('SET', 'k', 'v')
    other.engine.refuseWrites({ line: 'ERR' } as never)
    expect(other.engine.evict(EVERYTHING)).toBe(0)
  })

  it.each(['allkeys-lru', 'allkeys-lfu'] as const)('under %s spares what is used', (policy) => {
    const engine = engineWith(policy)
    const used = names('used', 100)
    const idle = names('idle', 300)
    for (const key of [...idle, ...used]) engine.run('SET', key, 'v')
    for (let minute = 0; minute < 5; minute++) {
      engine.wallMs += 60_000
      for (const key of used) for (let i = 0; i < 5; i++) engine.run('GET', key)
    }
    while (left(engine, idle) > 100) if (engine.engine.evict(1000) === 0) break
    // Drawn, not sorted: nearly all of what is used is still there, and a third of what is not.
    expect(left(engine, used)).toBeGreaterThan(90)
  })

  it.each(['volatile-lru', 'volatile-lfu', 'volatile-random', 'volatile-ttl'] as const)(
    'under %s takes only keys with a deadline',
    (policy) => {
      const engine = engineWith(policy)
      engine.run('SET', 'kept', 'v')
      for (const key of names('k', 20)) engine.run('SET', key, 'v', 'EX', '100')
      engine.run('PERSIST', 'k0')
      while (engine.engine.evict(100) > 0);
      expect(engine.run('DBSIZE')).toBe(2)
      expect(engine.run('MGET', 'kept', 'k0')).toEqual(['v', 'v'])
    },
  )

  it('under volatile-ttl takes those first that would go first', () => {
    const engine = engineWith('volatile-ttl')
    names('k', 20).forEach((key, i) => {
      engine.run('SET', key, 'v', 'EX', String(100 + ((i * 7) % 20)))
    })
    for (let i = 0; i < 10; i++) engine.engine.evict(1)
    const ttls = names('k', 20).map((key) => engine.run('TTL', key) as number)
    expect(ttls.filter((ttl) => ttl > 0).sort()).toEqual(Array.from({ length: 10 }, (_, i) => 110 + i))
  })

  it('is an op that the other regions apply, and takes only what this one had seen', () => {
    const engine = engineWith('allkeys-random')
    const remote = new TestEngine(2)
    engine.run('SET', 'k', 'v')
    engine.run('SADD', 's', 'a')
    remote.pullFrom(engine)
    remote.run('SADD', 's', 'b')
    while (engine.engine.evict(EVERYTHING) > 0);
    expect(engine.run('DBSIZE')).toBe(0)
    remote.pullFrom(engine)
    engine.pullFrom(remote)
    for (const one of [engine, remote]) {
      expect(one.run('GET', 'k')).toBe(null)
      expect(one.run('SMEMBERS', 's')).toEqual(['b'])
    }
  })
})

describe('OBJECT', () => {
  it('IDLETIME says how long a key was not used, and is no use itself', () => {
    const engine = engineWith('allkeys-lru')
    engine.run('SET', 'k', 'v')
    engine.run('GET', 'k')
    engine.wallMs += 5000
    expect(engine.run('OBJECT', 'IDLETIME', 'k')).toBe(5)
    engine.wallMs += 5000
    expect(engine.run('OBJECT', 'IDLETIME', 'k')).toBe(10)
    engine.run('CLIENT', 'NO-TOUCH', 'on')
    engine.run('GET', 'k')
    expect(engine.run('OBJECT', 'IDLETIME', 'k')).toBe(10)
    engine.run('CLIENT', 'NO-TOUCH', 'off')
    engine.run('GET', 'k')
    expect(engine.run('OBJECT', 'IDLETIME', 'k')).toBe(0)
    expect(engine.run('OBJECT', 'FREQ', 'k')).toMatchObject({ line: expect.stringContaining('LFU') })
  })

  it('FREQ counts uses', () => {
    const engine = engineWith('allkeys-lfu')
    engine.run('SET', 'k', 'v')
    for (let i = 0; i < 100; i++) {
      engine.run('GET', 'k')
      engine.run('GET', 'other')
    }
    expect(engine.run('OBJECT', 'FREQ', 'k')).toBeGreaterThan(5)
    expect(engine.run('OBJECT', 'IDLETIME', 'k')).toMatchObject({ line: expect.stringContaining('LFU') })
  })
})

describe('what is written down', () => {
  it('of the last use is right across the end of its 32 bits', () => {
    let nowMs = (2 ** 32 - 10) * 100
    const clock = new LastUse(() => nowMs)
    const use = clock.used()
    nowMs += 3000
    expect(clock.idleSeconds(use)).toBe(3)
  })

  it('of the number of uses grows slower and slower, and falls with time', () => {
    let nowMs = 0
    let chance = 0
    const clock = new UseCount(
      () => nowMs,
      () => chance,
      { logFactor: 10, decayMinutes: 2 },
    )
    let use = clock.born
    for (let i = 0; i < 300; i++) use = clock.used(use)
    expect(clock.count(use)).toBe(255)
    chance = 0.5
    expect(clock.count(clock.used((use & ~255) | 5))).toBe(6)
    expect(clock.count(clock.used((use & ~255) | 6))).toBe(6)
    nowMs = 20 * 60_000
    expect(clock.count(use)).toBe(245)
  })
})
