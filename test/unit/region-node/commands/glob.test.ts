/**
 * glob.test.ts: the pattern language, against a table of what Redis answers.
 *
 * Source: KEYS of redis-server 7.0, asked pattern by pattern.
 */
import { describe, expect, it } from 'vitest'
import { globMatch } from '../../../../region-node/commands/glob.ts'

const TABLE: ReadonlyArray<
  readonly [pattern: string, matches: readonly string[], others: readonly string[]]
> = [
  ['', [''], ['a']],
  ['*', ['', 'a', 'abc'], []],
  ['a*', ['a', 'ab', 'a*'], ['', 'ba']],
  ['*a', ['a', 'ba', 'aa'], ['ab']],
  ['a**b*', ['ab', 'axb', 'axbx', 'abb'], ['a', 'ba']],
  ['*ab*ab', ['abab', 'xabyab', 'ababab'], ['ab', 'abaab!']],
  ['h?llo', ['hello', 'h?llo'], ['hllo', 'heello']],
  ['h[ae]llo', ['hello', 'hallo'], ['hillo', 'h[ae]llo']],
  ['h[^e]llo', ['hallo', 'h^llo'], ['hello']],
  ['h[a-b]llo', ['hallo', 'hbllo'], ['hcllo', 'h-llo']],
  ['[b-a]', ['a', 'b'], ['c', '-']],
  ['[a-]', ['a', ']', '^'], ['-', 'b']],
  ['[a-', ['a', '-'], ['b', '']],
  ['[-a]', ['-', 'a'], ['b']],
  ['[ab', ['a', 'b'], ['c', '[ab']],
  ['[', [], ['[', 'a', '']],
  ['[^', ['a', '^'], ['', 'ab']],
  ['[]', [], ['a', ']', '[]']],
  ['[^]', ['a', ']'], ['']],
  ['[\\]]', [']'], ['\\', '\\]']],
  ['[\\a-c]', ['a', 'c', '-'], ['b', '\\']],
  ['\\*', ['*'], ['a', '\\*']],
  ['\\a', ['a'], ['\\a']],
  ['a\\', ['a\\'], ['a']],
  ['a?', ['ab'], ['a', 'abc']],
  ['\xe9*', ['\xe9\x00\xff'], ['e']],
]

describe('globMatch', () => {
  for (const [pattern, matches, others] of TABLE) {
    it(`reads ${JSON.stringify(pattern)} as Redis does`, () => {
      for (const word of matches) expect(globMatch(pattern, word), word).toBe(true)
      for (const word of others) expect(globMatch(pattern, word), word).toBe(false)
    })
  }

  it('folds ASCII letters only when asked to', () => {
    expect(globMatch('MAX*', 'maxclients')).toBe(false)
    expect(globMatch('MAX*', 'maxclients', true)).toBe(true)
    expect(globMatch('[A-C]x', 'bX', true)).toBe(true)
    expect(globMatch('\xc9', '\xe9', true)).toBe(false)
  })

  it('does not blow up on a pattern of many stars', () => {
    expect(globMatch('a*'.repeat(200), 'a'.repeat(20_000))).toBe(true)
    expect(globMatch(`${'a*'.repeat(200)}b`, 'a'.repeat(20_000))).toBe(false)
  })
})
