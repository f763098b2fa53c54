/**
 * tail-calls.test.ts: what is put into parentheses, and that nothing else is touched.
 */
import { describe, expect, it } from 'vitest'
import { keepCallers } from '../../../../region-node/scripts/tail-calls.ts'

describe('keepCallers', () => {
  it.each([
    ["return redis.call('get', KEYS[1])", "return (redis.call('get', KEYS[1]))"],
    ["return redis.call('get', f(1, (2))) or 5", "return (redis.call('get', f(1, (2)))) or 5"],
    ["if x then return redis . call ('a') end", "if x then return (redis . call ('a')) end"],
    ["return\n  redis.pcall('a')", "return\n  (redis.pcall('a'))"],
    ["return redis.call('echo', ')')", "return (redis.call('echo', ')'))"],
    ["return redis.call('echo', '\\')', \"(\")", "return (redis.call('echo', '\\')', \"(\"))"],
    ['return redis.call([[)]], [==[ ]] ( ]==])', 'return (redis.call([[)]], [==[ ]] ( ]==]))'],
    ["return redis.call('a' -- )\n)", "return (redis.call('a' -- )\n))"],
    ["return redis.call('a' --[[ ) ]])", "return (redis.call('a' --[[ ) ]]))"],
    [
      'return redis.call(f(function() return redis.call() end))',
      'return (redis.call(f(function() return (redis.call()) end)))',
    ],
    ['return math.random(5)', 'return (math.random(5))'],
  ])('%j becomes %j', (source, kept) => {
    expect(keepCallers(source)).toBe(kept)
  })

  it.each([
    "local x = redis.call('a')",
    "returned redis.call('a')",
    "return 'return redis.call(1)'",
    '-- return redis.call(1)\nreturn 1',
    '--[==[ return redis.call(1) ]==] return 1',
    "return struct.unpack('I4', s)",
    "return unpack(redis.call('a'))",
    "return redis.call('a'",
    'return redis.call([[ never closed)',
    "return redis.call 'a'",
  ])('leaves %j alone', (source) => {
    expect(keepCallers(source)).toBe(source)
  })
})
