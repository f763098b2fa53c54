/**
 * random-words.ts: the words that random commands are made of: keys, members, numbers and options, drawn from
 * few enough that commands meet each other's work, from the edges of their ranges, and wrong now and then.
 */
import type { Prng } from '../harness/prng.ts'

const STRING_KEYS = ['k1', 'k2', 'k3', '{t}k', '']
const HASH_KEYS = ['h1', 'h2', '{t}h', '\x00\xff\r\n']
const SET_KEYS = ['s1', 's2', 's3', '{t}s', 'a set with a longer name']
/** Of streams. They come to be with a group, or are copies: one that is emptied would stay in Redis and go here. */
const STREAM_KEYS = ['x1', 'x2', '{t}x']
const STREAM_GROUPS = ['keeper', 'g', '\xe9\xff']
const LIST_KEYS = ['l1', 'l2', '{t}l']
/** Of HyperLogLogs. */
const HLL_KEYS = ['p1', 'p2', '{t}p']
/** Sorted sets; geo has keys of its own, so that its scores are places. */
const ZSET_KEYS = ['z1', 'z2', 'z3', '{t}z']
const GEO_KEYS = ['g1', 'g2']
/** Sorted sets of which all scores are 0: Redis leaves open what a range of members is in others. */
const LEX_KEYS = ['lex1', 'lex2']
const KEYS = [
  ...LIST_KEYS,
  ...STREAM_KEYS,
  ...ZSET_KEYS,
  ...HLL_KEYS,
  ...STRING_KEYS,
  ...HASH_KEYS,
  ...SET_KEYS,
]
export const FLOAT_KEYS = ['f1', 'f2', 'f3']
/** A set of numbers, which SORT can sort. */
export const NUMBER_SET = 'n1'
const MEMBERS = ['a', 'b', 'c', 'd', '1', '2', '-7', '', '\x00', 'a\r\nb', '\xe9\xff', 'x'.repeat(100)]
const VALUES = ['', 'v', 'hello world', '\x00\x01\xff', '10', '-3', '3.5', ' 7', '007', '+1', 'y'.repeat(200)]
export const EDGES = [
  '9223372036854775807',
  '-9223372036854775808',
  '9223372036854775808',
  '-9223372036854775809',
  '9007199254740993',
  '-9007199254740993',
]
export const NO_INTEGERS = ['abc', '', '1.5', ' 1', '1 ', '+1', '-0', '01', '0x10', '1e3', 'nan', '\x00']
export const FRACTIONS = ['0.5', '-0.25', '3', '1.5e2', '-2.75', '0', '-0.0', '1e0', '.5', '5.', '+4']
export const NO_FLOATS = ['abc', '', ' 1', '1 ', 'nan', '1e5000', 'inf', '-infinity', '1.2.3', '1e']
/** Seconds and milliseconds that do not end while a test runs, and that have ended long ago. */
const FAR_MOMENTS = { seconds: '32503680000', milliseconds: '32503680000123' }
const PAST_MOMENTS = ['1', '0', '-1', '1000000']
export const PATTERNS = [
  '*',
  'k*',
  's?',
  '[hks]1',
  '{t}*',
  '[^k]*',
  '\\k1',
  'nothing',
  '',
  '*\xff*',
  'h[1-3]',
]
export const JUNK = ['', 'junk', 'NX', 'withvalues', '0', '-1', '\xff']

export type Make = (r: Prng) => string[]

/** `min` to `max` results of `make`. */
export function some<T>(r: Prng, min: number, max: number, make: () => T): T[] {
  return Array.from({ length: r.between(min, max) }, make)
}

export const key = (r: Prng): string => r.pick(KEYS)
/** Mostly a key of the right type: nothing comes of commands that only meet wrong ones. */
const mostly = (r: Prng, own: readonly string[]): string => (r.chance(0.93) ? r.pick(own) : key(r))
export const stringKey = (r: Prng): string => mostly(r, STRING_KEYS)
export const hashKey = (r: Prng): string => mostly(r, HASH_KEYS)
export const setKey = (r: Prng): string => mostly(r, SET_KEYS)
export const listKey = (r: Prng): string => mostly(r, LIST_KEYS)
export const hllKey = (r: Prng): string => mostly(r, HLL_KEYS)
export const streamKey = (r: Prng): string => mostly(r, STREAM_KEYS)
export const zsetKey = (r: Prng): string => mostly(r, ZSET_KEYS)
export const lexKey = (r: Prng): string => r.pick(LEX_KEYS)
/** Left alone by other commands: places of equal distance come in an order that Redis leaves open. */
export const geoKey = (r: Prng): string => r.pick(GEO_KEYS)
export const setKeys = (r: Prng): string[] => some(r, 1, 4, () => setKey(r))
export const member = (r: Prng): string => r.pick(MEMBERS)
export const value = (r: Prng): string => (r.chance(0.1) ? r.pick(EDGES) : r.pick(VALUES))
export const integer = (r: Prng): string => {
  if (r.chance(0.8)) return String(r.below(21) - 10)
  return r.chance(0.6) ? r.pick(EDGES) : r.pick(NO_INTEGERS)
}
export const float = (r: Prng): string => (r.chance(0.85) ? r.pick(FRACTIONS) : r.pick(NO_FLOATS))
/** A count of random draws: never so far below zero that all the memory of the world would not do. */
export const drawCount = (r: Prng): string => {
  if (r.chance(0.85)) return String(r.below(30) - 10)
  return r.pick(['9223372036854775807', '-9223372036854775808', '4611686018427387904', ...NO_INTEGERS])
}
export const cased = (r: Prng, word: string): string => (r.chance(0.5) ? word : word.toLowerCase())
export const keys = (r: Prng): string[] => some(r, 1, 4, () => key(r))
export const members = (r: Prng): string[] => some(r, 1, 5, () => member(r))
export const options = (r: Prng, from: readonly string[][]): string[] =>
  r.chance(0.5) ? [] : some(r, 1, 3, () => r.pick(from).map((word) => cased(r, word))).flat()
export const moment = (r: Prng, unit: 'seconds' | 'milliseconds', isRelative: boolean): string => {
  if (r.chance(0.1)) return r.pick([...EDGES, ...NO_INTEGERS])
  if (r.chance(0.15)) return r.pick(isRelative ? ['0', '-1', '-100000'] : PAST_MOMENTS)
  if (!isRelative) return FAR_MOMENTS[unit]
  // Never twice the same, nor nearly: which one is later must not hang on the clock.
  const seconds = 1000 * r.between(5, 1_000_000)
  return String(unit === 'seconds' ? seconds : 1000 * seconds)
}
export const EXPIRY_OPTIONS = (r: Prng): string[][] => [
  ['EX', moment(r, 'seconds', true)],
  ['PX', moment(r, 'milliseconds', true)],
  ['EXAT', moment(r, 'seconds', false)],
  ['PXAT', moment(r, 'milliseconds', false)],
]
export const scanOptions = (r: Prng): string[] =>
  options(r, [
    ['COUNT', r.pick(['1000', '1000', '3', '1', '0', '-1', 'x', '9223372036854775807'])],
    ['MATCH', r.pick(PATTERNS)],
  ])
export const bit = (r: Prng): string =>
  r.chance(0.95) ? r.pick(['0', '1']) : r.pick([...EDGES, ...NO_INTEGERS, '2'])
export const bitOffset = (r: Prng): string => {
  if (r.chance(0.9)) return String(r.below(400))
  return r.pick([...EDGES, ...NO_INTEGERS, '-1', '4294967296', '#1', '#'])
}
export const bitRange = (r: Prng): string[] => [
  integer(r),
  integer(r),
  ...options(r, [['BIT'], ['BYTE'], ['BIT', 'x']]),
]
const fieldType = (r: Prng): string => {
  if (r.chance(0.95)) return r.chance(0.5) ? `u${r.between(1, 63)}` : `i${r.between(1, 64)}`
  return r.pick(['u64', 'i65', 'u0', 'i', 'U8', 'x8', '', 'u+8', 'i08'])
}
const field = (r: Prng): string[] => [fieldType(r), r.chance(0.3) ? `#${r.below(20)}` : bitOffset(r)]
export const bitGet = (r: Prng): string[] => [cased(r, 'GET'), ...field(r)]
const bitOperand = (r: Prng): string => (r.chance(0.5) ? String(r.below(2 ** 32) - 2 ** 31) : integer(r))
export const bitfieldPart = (r: Prng): string[] => {
  if (r.chance(0.3)) return bitGet(r)
  if (r.chance(0.3))
    return [cased(r, 'OVERFLOW'), cased(r, r.pick(['WRAP', 'SAT', 'FAIL', 'SAT', 'FAIL', 'x']))]
  return [cased(r, r.pick(['SET', 'INCRBY'])), ...field(r), bitOperand(r)]
}
const sortGets = (r: Prng): string[] =>
  some(r, 0, 2, () => ['GET', r.pick(['#', 'k*', '{t}*', 'h*->a', 'h1->*', 'none', 'h*->'])]).flat()
/** Where Redis leaves the order open (ALPHA stops at a byte 0, BY may weigh alike) nothing is cut off. */
export const sortWords = (r: Prng): string[] => {
  const order = options(r, [['ASC'], ['DESC']])
  if (r.chance(0.3))
    return [...order, ...options(r, [['ALPHA'], ['BY', r.pick(['k*', 'none', 'h*->b'])]]), ...sortGets(r)]
  const by = r.chance(0.3) ? ['BY', r.pick(['k*', 'h*->a', 'f*'])] : []
  return [...order, ...by, ...options(r, [['LIMIT', integer(r), integer(r)]]), ...sortGets(r)]
}
export const sortKey = (r: Prng): string => (r.chance(0.6) ? NUMBER_SET : setKey(r))
export const cursor = (r: Prng): string =>
  r.chance(0.8)
    ? '0'
    : r.pick(['', '+0', '-1', '00', '7', 'x', ' 0', '0 ', '18446744073709551615', '18446744073709551616'])

/** Integers and binary fractions: every order of adding them gives the same sum. -0 would be 0 here. */
const SCORES = ['0', '1', '2', '2', '3', '-1', '0.5', '-2.25', '1e3', '+4', '.5', '5.', 'inf', '-inf']
const score = (r: Prng): string =>
  r.chance(0.97) ? r.pick(SCORES) : r.pick(['abc', '', ' 1', 'nan', '1e400'])
export const scoreBound = (r: Prng): string => {
  const open = r.chance(0.2) ? '(' : ''
  return r.chance(0.97) ? open + r.pick([...SCORES, '+inf']) : r.pick(['abc', '', '(', '((1', 'nan', ' 1'])
}
export const lexBound = (r: Prng): string =>
  r.chance(0.97)
    ? r.pick(['-', '+', '[', '(', ...['[', '('].map((open) => open + member(r))])
    : r.pick(['a', ''])
export const scoreAndMember = (r: Prng): string[] => [score(r), member(r)]
export const zaddWords = (r: Prng): string[] => {
  if (r.chance(0.15)) return [lexKey(r), ...some(r, 1, 4, () => ['0', member(r)]).flat()]
  return [
    zsetKey(r),
    ...options(r, [['NX'], ['XX'], ['GT'], ['LT'], ['CH'], ['CH'], ['INCR']]),
    ...some(r, 1, 3, () => scoreAndMember(r)).flat(),
  ]
}
export const limit = (r: Prng): string[] => ['LIMIT', integer(r), integer(r)]
/** From the key on; a destination is of the same kind. */
export const zrangeWords = (r: Prng, stores: boolean): string[] => {
  const isLex = r.chance(0.2)
  const key = isLex ? lexKey : zsetKey
  const keys = stores ? [key(r), key(r)] : [key(r)]
  if (isLex) return [...keys, lexBound(r), lexBound(r), cased(r, 'BYLEX'), ...options(r, [['REV'], limit(r)])]
  if (r.chance(0.4)) return [...keys, integer(r), integer(r), ...options(r, [['REV'], ['LIMIT', '1', '-1']])]
  return [...keys, scoreBound(r), scoreBound(r), cased(r, 'BYSCORE'), ...options(r, [['REV'], limit(r)])]
}
export const numbered = (r: Prng, keys: readonly string[]): string[] => [
  r.chance(0.95) ? String(keys.length) : integer(r),
  ...keys,
]
export const zsetOrSetKeys = (r: Prng): string[] =>
  some(r, 1, 3, () => (r.chance(0.8) ? zsetKey(r) : setKey(r)))
/** The sum of two infinities and of numbers hangs on the order, which is that of sizes: equal sizes leave it open. */
export const combine = (r: Prng): string[] => {
  const keys = zsetOrSetKeys(r)
  const weights = keys.map(() => r.pick(['1', '2', '0.5', '-1', '0']))
  const rules = [
    ['WEIGHTS', ...weights],
    ['AGGREGATE', r.pick(['MIN', 'MAX', 'max', 'x'])],
  ]
  return [...numbered(r, keys), ...options(r, rules)]
}
export const withScores = (r: Prng): string[] => options(r, [['WITHSCORES']])
const PLACES = [
  ['13.361389', '38.115556'],
  ['15.087269', '37.502669'],
  ['12.758489', '38.788135'],
  ['2.349014', '48.864716'],
  ['-73.935242', '40.730610'],
  ['0', '0'],
  ['179.5', '-80'],
]
export const place = (r: Prng): string[] =>
  r.chance(0.97)
    ? r.pick(PLACES)
    : r.pick([
        ['181', '0'],
        ['0', '86'],
        ['x', '0'],
        ['0', 'y'],
      ])
/** A member at a place of its own. */
export const placed = (r: Prng): string[] => {
  const name = member(r)
  const degrees = 3 * MEMBERS.indexOf(name) + r.below(2)
  return r.chance(0.97) ? [String(2 * degrees - 20), `${degrees}.5`, name] : [...place(r), name]
}
export const unit = (r: Prng): string =>
  r.chance(0.97) ? r.pick(['m', 'km', 'KM', 'ft', 'mi']) : r.pick(['', 'x'])
export const distance = (r: Prng): string => r.pick(['0', '1', '200', '300.5', '9000', '200000', '-1', 'x'])
export const geoAnswer = (r: Prng): string[] => [
  ...options(r, [['ASC'], ['DESC']]),
  ...options(r, [['COUNT', r.pick(['1', '2', '5', '0', 'x'])], ['COUNT', '2', 'ANY'], ['ANY']]),
]
export const geoExtras = (r: Prng): string[] => options(r, [['WITHCOORD'], ['WITHDIST'], ['WITHHASH']])
export const geoShape = (r: Prng): string[] => [
  ...(r.chance(0.5) ? ['FROMMEMBER', member(r)] : ['FROMLONLAT', ...place(r)]),
  ...(r.chance(0.5) ? ['BYRADIUS', distance(r), unit(r)] : ['BYBOX', distance(r), distance(r), unit(r)]),
]
export const geoStore = (r: Prng): string[] =>
  options(r, [r.chance(0.7) ? ['STORE', geoKey(r)] : ['STOREDIST', 'distances']])

export const streamGroup = (r: Prng): string => r.pick(STREAM_GROUPS)
export const consumer = (r: Prng): string => r.pick(['alice', 'bob', ''])
const entryId = (r: Prng): string => `${r.between(1, 5)}-${r.below(25)}`
export const someId = (r: Prng): string =>
  r.chance(0.9)
    ? entryId(r)
    : r.pick(['3', '0', '18446744073709551615', 'x', '1-', '-1', '1-1-1', '01-01', '+'])
export const bound = (r: Prng): string => {
  if (r.chance(0.4)) return r.pick(['-', '+'])
  return r.chance(0.2) ? `(${someId(r)}` : someId(r)
}
/** Not `~`: how many entries lie in a block is Redis's affair. */
export const streamTrim = (r: Prng): string[] =>
  r.chance(0.6)
    ? ['MAXLEN', ...options(r, [['=']]), r.chance(0.9) ? String(r.below(12)) : integer(r)]
    : ['MINID', someId(r)]
/** Idle times are those of two servers: either all will do or none. */
export const idleTime = (r: Prng): string => r.pick(['0', '0', '-1', '1000000', 'x'])
export const streamsOf = (r: Prng, id: () => string): string[] => {
  const keys = some(r, 1, 2, () => streamKey(r))
  return [cased(r, 'STREAMS'), ...keys, ...keys.map(id)]
}
export const side = (r: Prng): string => cased(r, r.chance(0.97) ? r.pick(['LEFT', 'RIGHT']) : 'x')
/** What Redis's DUMP gives for small values of each type, a stream apart, and what it never gives. */
export const PAYLOADS = [
  '\x00\x07a value\n\x00\x15\xb2\xf8\x99\xb8\xbe \xd5',
  "\x00\xc190\n\x00\x9d\x94\xea'\x93\xfc\b\xb9",
  '\x12\x01\x02\x18\x18\x00\x00\x00\x05\x00\x01\x01\x81a\x02\x80\x01\xdf\xf9\x02\x85xxxxx\x06\xff\n\x00\xc5+\xae\x94\xc65\xbd+',
  '\x0b\x0e\x02\x00\x00\x00\x03\x00\x00\x00\x01\x00\x02\x00\x03\x00\n\x00\xa5\x02\\\xe2mnM\x1b',
  '\x02\x03\x01b\x01a\x01c\n\x00\x99\xcc\x80\xddY\x82\xd2U',
  '\x10\x11\x11\x00\x00\x00\x04\x00\x81a\x02\x01\x01\x81b\x02\x80\x01\xff\n\x00\x81K\x12\x9d\xa9"\x0f\xb6',
  '\x11\x1d\x1d\x00\x00\x00\x06\x00\x81b\x02\xdf\xff\x02\x81a\x02\x830.5\x04\x81c\x02\x83inf\x04\xff\n\x00\xcd9\xc3\xc4%\xd2\x01I',
]
/** Scripts of what they are given and of a key; their replies follow from the data alone. */
export const SCRIPTS = [
  "return {1, 'two', {3, {}}, false, 4, nil, 5}",
  'return {KEYS, ARGV, #KEYS, #ARGV}',
  "return {ok = 'fine ' .. #ARGV}",
  "return {err = 'MINE ' .. #KEYS}",
  "return redis.error_reply('of mine')",
  'return tonumber(ARGV[1])',
  'return tostring(tonumber(ARGV[1]))',
  "return {tostring(3.0), tostring(1e15), tostring(2^53), tostring(-0.1), 3.99, -3.99, '1e2' + 1 .. ''}",
  "return string.format('%5.2f|%d|%s|%q', tonumber(ARGV[1]) or 1.5, 7, ARGV[1] or '', KEYS[1] or '')",
  'return redis.sha1hex(ARGV[1])',
  'return cjson.encode(ARGV)',
  "return cjson.encode({a = ARGV[1], n = tonumber(ARGV[1]) or 0.5, l = {1, 2.5, 'x', true}})",
  'return cjson.decode(ARGV[1])',
  'return cmsgpack.unpack(cmsgpack.pack(ARGV))',
  "return cmsgpack.pack(1, -1, 300, 1.5, 'x', true, {1, 2})",
  "return {struct.unpack('>I2hi4s0', struct.pack('>I2hi4s0', 7, -7, 70000, 'abc'))}",
  'return {bit.band(255, tonumber(ARGV[1]) or 1), bit.tohex(-1), bit.bxor(5, 3), bit.lshift(1, 31)}',
  "return redis.call('TYPE', KEYS[1])",
  "redis.setresp(3); return redis.call('TYPE', KEYS[1])",
  'return {double = 3.25}',
  "redis.setresp(3); return {redis.call('ZSCORE', KEYS[1], ARGV[1] or 'a'), redis.call('EXISTS', KEYS[1])}",
  "local t = {} for i = 1, 300 do t[i] = i * i end return {#t, t[300], select('#', unpack(t))}",
  "return {pcall(error, 'x')}",
  "return select(2, pcall(redis.call, 'INCR', KEYS[1])) ",
  "return redis.pcall('LPUSH', KEYS[1], unpack(ARGV))",
  "redis.call('SET', KEYS[1], ARGV[1]) return redis.call('GET', KEYS[1])",
  'return nothing.there',
  'undefined = 1',
  'return (',
  'return redis.call()',
  "return redis.call('NOTHING')",
  "return {string.byte('\\0\\255', 1, 2)}",
  "return #redis.call('KEYS', '*')",
  "local n = 0 for w in string.gmatch(ARGV[1] or '', '%w+') do n = n + #w end return n",
  'table.sort(ARGV) return ARGV',
  'return math.floor(-2.5) + math.fmod(7, 3)',
]
