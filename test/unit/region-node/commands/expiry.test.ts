/**
 * expiry.test.ts: deadlines by EXPIRE and its kin: options, edges, and what the past does.
 */
import { beforeEach, describe, expect, it } from 'vitest'
import { DEADLINE_MS_MAX } from '../../../../region-node/commands/parse.ts'
import { START_MS, TestEngine } from '../../../harness/test-engine.ts'

let engine: TestEngine
const run = (...words: string[]): unknown => engine.run(...words)

beforeEach(() => {
  engine = new TestEngine()
  run('SET', 'k', 'v')
})

describe('EXPIRE and its kin', () => {
  it('agree on one moment', () => {
    const seconds = START_MS / 1000 + 100
    for (const words of [
      ['EXPIRE', 'k', '100'],
      ['PEXPIRE', 'k', '100000'],
      ['EXPIREAT', 'k', `${seconds}`],
      ['PEXPIREAT', 'k', `${seconds}000`],
    ]) {
      run('PERSIST', 'k')
      expect(run(...words)).toBe(1)
      expect([run('TTL', 'k'), run('PTTL', 'k')]).toEqual([100, 100_000])
      expect([run('EXPIRETIME', 'k'), run('PEXPIRETIME', 'k')]).toEqual([seconds, seconds * 1000])
    }
  })

  it('remove the key at once when the moment is not in the future', () => {
    expect(run('PEXPIREAT', 'k', String(START_MS))).toBe(1)
    expect(run('EXISTS', 'k')).toBe(0)
    run('SET', 'k', 'v')
    expect(run('EXPIRE', 'k', '-9223372036854775')).toBe(1)
    expect(run('EXISTS', 'k')).toBe(0)
  })

  it('hide the key when its moment is past', () => {
    run('PEXPIRE', 'k', '1500')
    engine.wallMs += 1000
    expect([run('TTL', 'k'), run('PTTL', 'k')]).toEqual([1, 500])
    engine.wallMs += 500
    expect(run('PTTL', 'k')).toBe(0)
    engine.wallMs += 1
    expect([run('PTTL', 'k'), run('EXPIRE', 'k', '10'), run('PERSIST', 'k')]).toEqual([-2, 0, 0])
  })

  it.each([
    ['NX', 1, 0, 0],
    ['XX', 0, 1, 1],
    ['GT', 0, 0, 1],
    ['LT', 1, 1, 0],
  ])('with %s', (option, withoutDeadline, earlier, later) => {
    expect(run('EXPIRE', 'k', '100', option)).toBe(withoutDeadline)
    run('EXPIRE', 'k', '100')
    expect(run('EXPIRE', 'k', '50', option)).toBe(earlier)
    run('EXPIRE', 'k', '100')
    expect(run('EXPIRE', 'k', '200', option)).toBe(later)
  })

  it.each([
    [['EXPIRE', 'k', 'x', 'FOO'], 'ERR Unsupported option FOO'],
    [
      ['EXPIRE', 'k', '1', 'NX', 'GT', 'LT'],
      'ERR NX and XX, GT or LT options at the same time are not compatible',
    ],
    [['EXPIRE', 'k', '1', 'gt', 'lt'], 'ERR GT and LT options at the same time are not compatible'],
    [['EXPIRE', 'k', '1.5'], 'ERR value is not an integer or out of range'],
    [['EXPIRE', 'k', '9223372036854775807'], "ERR invalid expire time in 'expire' command"],
    [['PEXPIRE', 'k', '9223372036854775807'], "ERR invalid expire time in 'pexpire' command"],
    [['EXPIREAT', 'k', '-9223372036854775808'], "ERR invalid expire time in 'expireat' command"],
  ])('refuse %j', (words, line) => {
    expect(run(...words)).toEqual({ line })
    expect(run('TTL', 'k')).toBe(-1)
  })

  it('cut the last moments to what an op can carry', () => {
    for (const words of [
      ['PEXPIREAT', 'k', '9223372036854775807'],
      ['PEXPIREAT', 'k', '9007199254740991'],
    ]) {
      expect(run(...words)).toBe(1)
      expect(run('PEXPIRETIME', 'k')).toBe(DEADLINE_MS_MAX)
      const other = new TestEngine(2)
      other.pullFrom(engine)
      expect(other.run('PEXPIRETIME', 'k')).toBe(DEADLINE_MS_MAX)
    }
  })
})

describe('PERSIST', () => {
  it('takes the deadline away, and writes nothing when there is none', () => {
    run('EXPIRE', 'k', '100')
    expect(run('PERSIST', 'k')).toBe(1)
    expect(run('TTL', 'k')).toBe(-1)
    const before = engine.engine.mintedCount
    expect([run('PERSIST', 'k'), run('PERSIST', 'nothing')]).toEqual([0, 0])
    expect(engine.engine.mintedCount).toBe(before)
  })
})
