/**
 * reclaim.test.ts: what is forgotten below the stable cut, no read and no later op ever misses.
 *
 * Writers forget at random moments while a history goes on, each below a cut that holds for it: all that it
 * has not applied, and all that may still be minted, has seen that much. The oracle knows nothing of it, and
 * neither do the replicas that get all ops afterwards and forget nothing: all must agree.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isReclaimable, reclaimableFields } from '../../crdt/reclaim.ts'
import { cutOf, exchange, reclaim } from '../harness/cuts.ts'
import { deliver, historyOf, opsOf, play, recordsOf, type Step, type Writer } from '../harness/history.ts'
import { difference, observe } from '../harness/observe.ts'
import { answerOf, opsWithin } from '../harness/oracle.ts'
import { Prng } from '../harness/prng.ts'

const RUNS = 150
const TIMEOUT_MS = 60_000

const families = {
  'losing siblings': ['set', 'put', 'setWithDeadline', 'deadline', 'increment'],
  'losing siblings of a key that is removed': ['set', 'put', 'increment', 'del'],
  'losing siblings of fields': ['hset', 'hincrement', 'hdel'],
  'losing siblings of scores': ['zadd', 'zincrement', 'zrem'],
  'deadlines of sets and hashes that are emptied': ['deadline', 'sadd', 'srem', 'hset', 'hdel'],
  'deadlines of keys that are removed': ['setWithDeadline', 'deadline', 'sadd', 'del'],
  'marks of HyperLogLogs that are removed': ['pfadd', 'pfjoin', 'set', 'deadline', 'sadd', 'del', 'flush'],
  'marks of consumer groups that are destroyed': [
    'xadd',
    'xdel',
    'xgroup',
    'xungroup',
    'xread',
    'del',
    'flush',
  ],
  'deadlines of fields': ['hset', 'hdel', 'hincrement', 'hexpire', 'del', 'set', 'flush'],
  'what a flush leaves': ['setWithDeadline', 'deadline', 'sadd', 'hset', 'increment', 'flush'],
  'everything at once': [
    'set',
    'setWithDeadline',
    'put',
    'increment',
    'hset',
    'hincrement',
    'hdel',
    'hexpire',
    'sadd',
    'srem',
    'zadd',
    'zincrement',
    'zrem',
    'xadd',
    'xdel',
    'xtrim',
    'xgroup',
    'xungroup',
    'xread',
    'pfadd',
    'deadline',
    'del',
    'flush',
  ],
} as const

function waiting({ engine }: Writer): string[] {
  const names: string[] = []
  for (const database of engine.keyspace.databases()) {
    for (const [key, entry] of database.entries()) {
      if (isReclaimable(entry) || reclaimableFields(entry).length > 0) names.push(key)
    }
  }
  return names
}

/** @returns how many keys and fields were given out */
function checkHistory(steps: readonly Step[], seed: number): number {
  const prng = new Prng(seed)
  let count = 0
  const writers = play(steps, (all) => {
    if (prng.random() < 0.2) exchange(all)
    for (const writer of all) if (prng.random() < 0.5) count += reclaim(writer, cutOf(writer, all))
  })
  const records = recordsOf(writers)
  const ops = opsOf(records)
  for (const writer of writers) {
    const expected = answerOf(opsWithin(ops, writer.vector))
    expect(difference(observe(writer.engine.keyspace), expected)).toBeUndefined()
  }
  exchange(writers)
  exchange(writers)
  const expected = answerOf(ops)
  const digest = deliver(records, seed).engine.keyspace.digest()
  for (const writer of writers) {
    expect(writer.engine.applied.equals(cutOf(writer, writers))).toBe(true)
    expect(difference(observe(writer.engine.keyspace), expected)).toBeUndefined()
    expect(writer.engine.keyspace.digest()).toBe(digest)
    reclaim(writer, writer.engine.applied)
    expect(writer.engine.keyspace.digest()).toBe(digest)
    expect(writer.engine.reclaimPending).toBe(0)
    expect(waiting(writer)).toEqual([])
  }
  return count
}

describe('nobody can tell what was forgotten', () => {
  for (const [family, kinds] of Object.entries(families)) {
    it(
      `of ${family}`,
      () => {
        let count = 0
        fc.assert(
          fc.property(historyOf(kinds), fc.integer(), (steps, seed) => {
            count += checkHistory(steps, seed)
          }),
          { numRuns: RUNS },
        )
        expect(count, 'some of it is forgotten in the middle').toBeGreaterThan(0)
      },
      TIMEOUT_MS,
    )
  }
})
