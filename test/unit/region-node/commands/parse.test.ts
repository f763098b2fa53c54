/**
 * parse.test.ts: numbers and moments out of words.
 */
import { describe, expect, it } from 'vitest'
import { parseInteger } from '../../../../crdt/amount.ts'
import {
  addInt64,
  DEADLINE_MS_MAX,
  MILLISECONDS,
  momentAt,
  parseDeadline,
  parseInt64,
  readInt64,
  SECONDS,
  UNIX_MILLISECONDS,
  UNIX_SECONDS,
} from '../../../../region-node/commands/parse.ts'

const NOW = 1_704_067_200_000

describe('readInt64', () => {
  it('agrees with the slow way, whatever the word', () => {
    const words = [
      '',
      '-',
      '+1',
      '0',
      '-0',
      '00',
      '01',
      '-1',
      '-01',
      '1.0',
      '1e3',
      ' 1',
      '1 ',
      'abc',
      '1a',
      '/',
      ':',
    ]
    words.push(
      '999999999999999',
      '-99999999999999',
      '9007199254740993',
      '-9223372036854775808',
      '9223372036854775808',
    )
    for (const word of words) expect(readInt64(word), word).toBe(parseInteger(word))
  })

  it('is exact to 64 bits', () => {
    expect(parseInt64('9223372036854775807')).toBe(2n ** 63n - 1n)
    expect(parseInt64('-9007199254740991')).toBe(Number.MIN_SAFE_INTEGER)
    expect(() => parseInt64('9223372036854775808')).toThrow('ERR value is not an integer or out of range')
  })
})

describe('addInt64', () => {
  it('adds exactly, and only inside the range', () => {
    expect(addInt64(1, 2)).toBe(3)
    expect(addInt64(Number.MAX_SAFE_INTEGER, 2)).toBe(9007199254740993n)
    expect(addInt64(9007199254740993n, -2)).toBe(Number.MAX_SAFE_INTEGER)
    expect(addInt64(2n ** 63n - 1n, 1)).toBeUndefined()
    expect(addInt64(-(2n ** 63n), -1)).toBeUndefined()
  })
})

describe('deadlines', () => {
  it('counts from now or from 1970', () => {
    expect(momentAt(10, SECONDS, NOW)).toBe(NOW + 10_000)
    expect(momentAt(10, MILLISECONDS, NOW)).toBe(NOW + 10)
    expect(momentAt(10, UNIX_SECONDS, NOW)).toBe(10_000)
    expect(momentAt(-5, SECONDS, 1000)).toBe(-4000)
  })

  it('refuses what Redis refuses, and cuts what the codec cannot carry', () => {
    const tooLarge = String(2n ** 63n - 1n)
    for (const word of ['0', '-1', tooLarge]) {
      expect(() => parseDeadline(word, SECONDS, NOW, 'set'), word).toThrow(
        "invalid expire time in 'set' command",
      )
    }
    expect(() => parseDeadline('1.5', SECONDS, NOW, 'set')).toThrow('ERR value is not an integer')
    expect(parseDeadline(tooLarge, UNIX_MILLISECONDS, NOW, 'set')).toBe(DEADLINE_MS_MAX)
    expect(parseDeadline(String(2 ** 53 - 1), UNIX_MILLISECONDS, NOW, 'set')).toBe(DEADLINE_MS_MAX)
  })
})
