/**
 * types.test.ts: the laws of every type: order of arrival does not matter, and the oracle agrees.
 *
 * For random histories of each family of writes: (1) every writer reads what the oracle says of the ops it
 * has applied; (2) a fresh replica that gets all ops, in any causal order, has the same digest as any
 * other and reads what the oracle says.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { deliver, historyOf, opsOf, play, recordsOf, type Step } from '../harness/history.ts'
import { difference, observe } from '../harness/observe.ts'
import { answerOf, opsWithin } from '../harness/oracle.ts'

const RUNS = 200
const TIMEOUT_MS = 60_000
/** Orders of delivery that are tried for each history. */
const ORDERS = 3

const families = {
  'a register': ['set', 'put'],
  'a register that is removed': ['set', 'put', 'del'],
  'a counter': ['increment'],
  'a counter that is removed': ['increment', 'set', 'put', 'del'],
  'a hash': ['hset', 'hdel', 'hincrement'],
  'a hash with deadlines of fields': ['hset', 'hdel', 'hincrement', 'hexpire'],
  'a hash with deadlines of fields that is removed': [
    'hset',
    'hdel',
    'hincrement',
    'hexpire',
    'del',
    'set',
    'sadd',
    'flush',
  ],
  'a hash that is removed': ['hset', 'hdel', 'hincrement', 'del'],
  'a set': ['sadd', 'srem'],
  'a set that is removed': ['sadd', 'srem', 'del'],
  'a HyperLogLog': ['pfadd', 'pfjoin'],
  'a HyperLogLog that is removed': [
    'pfadd',
    'pfjoin',
    'del',
    'set',
    'put',
    'setWithDeadline',
    'deadline',
    'flush',
  ],
  'scores that are added up': ['zincrement'],
  'a sorted set': ['zadd', 'zrem', 'zincrement'],
  'a sorted set that is removed': ['zadd', 'zrem', 'zincrement', 'del'],
  'a stream': ['xadd', 'xdel', 'xtrim'],
  'a stream with groups': ['xadd', 'xdel', 'xtrim', 'xgroup', 'xungroup', 'xread', 'xack'],
  'a stream that is removed': ['xadd', 'xtrim', 'xgroup', 'xungroup', 'del', 'set', 'flush', 'deadline'],
  'a deadline': ['set', 'setWithDeadline', 'deadline', 'increment', 'put'],
  'a deadline of a key that comes and goes': [
    'setWithDeadline',
    'deadline',
    'sadd',
    'srem',
    'hset',
    'hdel',
    'del',
  ],
  'a key of several types': [
    'set',
    'pfadd',
    'increment',
    'hset',
    'hdel',
    'sadd',
    'srem',
    'zadd',
    'zincrement',
    'zrem',
    'del',
  ],
  'a database that is flushed': [
    'set',
    'increment',
    'hincrement',
    'sadd',
    'zadd',
    'zincrement',
    'deadline',
    'flush',
  ],
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
    'xadd',
    'xdel',
    'xtrim',
    'xgroup',
    'xungroup',
    'xread',
    'pfadd',
    'zadd',
    'zincrement',
    'zrem',
    'deadline',
    'del',
    'flush',
  ],
} as const

function checkHistory(steps: readonly Step[], seed: number): void {
  const writers = play(steps)
  const records = recordsOf(writers)
  const ops = opsOf(records)
  for (const writer of writers) {
    const expected = answerOf(opsWithin(ops, writer.vector))
    expect(difference(observe(writer.engine.keyspace), expected)).toBeUndefined()
  }
  const expected = answerOf(ops)
  const digests = new Set<string>()
  for (let i = 0; i < ORDERS; i++) {
    const reader = deliver(records, seed + i)
    expect(difference(observe(reader.engine.keyspace), expected)).toBeUndefined()
    digests.add(reader.engine.keyspace.digest())
  }
  expect(digests.size).toBe(1)
}

describe('any causal order gives what the oracle says', () => {
  for (const [family, kinds] of Object.entries(families)) {
    it(
      `of ${family}`,
      () => {
        fc.assert(fc.property(historyOf(kinds), fc.integer(), checkHistory), { numRuns: RUNS })
      },
      TIMEOUT_MS,
    )
  }
})
