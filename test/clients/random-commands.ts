/**
 * random-commands.ts: endless random commands from a seed, right and wrong ones.
 *
 * Few keys, fields and members, so that commands meet each other's work; numbers from the edges of their
 * ranges; wrong types, arities and options now and then. Four rules keep both servers comparable:
 * deadlines are far away or past; SPOP, which leaves a random rest, is followed by a DEL; and floats are
 * added only to keys of their own, as sums of binary fractions, which a long double holds exactly too. And
 * what only Causeway calls a write keeps away from watched keys.
 */
import { Prng } from '../harness/prng.ts'

const STRING_KEYS = ['k1', 'k2', 'k3', '{t}k', '']
const HASH_KEYS = ['h1', 'h2', '{t}h', '\x00\xff\r\n']
const SET_KEYS = ['s1', 's2', 's3', '{t}s', 'a set with a longer name']
const KEYS = [...STRING_KEYS, ...HASH_KEYS, ...SET_KEYS]
const FLOAT_KEYS = ['f1', 'f2', 'f3']
/** A set of numbers, which SORT can sort. */
const NUMBER_SET = 'n1'
const MEMBERS = ['a', 'b', 'c', 'd', '1', '2', '-7', '', '\x00', 'a\r\nb', '\xe9\xff', 'x'.repeat(100)]
const VALUES = ['', 'v', 'hello world', '\x00\x01\xff', '10', '-3', '3.5', ' 7', '007', '+1', 'y'.repeat(200)]
const EDGES = [
  '9223372036854775807',
  '-9223372036854775808',
  '9223372036854775808',
  '-9223372036854775809',
  '9007199254740993',
  '-9007199254740993',
]
const NO_INTEGERS = ['abc', '', '1.5', ' 1', '1 ', '+1', '-0', '01', '0x10', '1e3', 'nan', '\x00']
const FRACTIONS = ['0.5', '-0.25', '3', '1.5e2', '-2.75', '0', '-0.0', '1e0', '.5', '5.', '+4']
const NO_FLOATS = ['abc', '', ' 1', '1 ', 'nan', '1e5000', 'inf', '-infinity', '1.2.3', '1e']
/** Seconds and milliseconds that do not end while a test runs, and that have ended long ago. */
const FAR_MOMENTS = { seconds: '32503680000', milliseconds: '32503680000123' }
const PAST_MOMENTS = ['1', '0', '-1', '1000000']
const PATTERNS = ['*', 'k*', 's?', '[hks]1', '{t}*', '[^k]*', '\\k1', 'nothing', '', '*\xff*', 'h[1-3]']
const JUNK = ['', 'junk', 'NX', 'withvalues', '0', '-1', '\xff']

type Make = (r: Prng) => string[]

/** `min` to `max` results of `make`. */
function some<T>(r: Prng, min: number, max: number, make: () => T): T[] {
  return Array.from({ length: r.between(min, max) }, make)
}

const key = (r: Prng): string => r.pick(KEYS)
/** Mostly a key of the right type: nothing comes of commands that only meet wrong ones. */
const mostly = (r: Prng, own: readonly string[]): string => (r.chance(0.93) ? r.pick(own) : key(r))
const stringKey = (r: Prng): string => mostly(r, STRING_KEYS)
const hashKey = (r: Prng): string => mostly(r, HASH_KEYS)
const setKey = (r: Prng): string => mostly(r, SET_KEYS)
const setKeys = (r: Prng): string[] => some(r, 1, 4, () => setKey(r))
const member = (r: Prng): string => r.pick(MEMBERS)
const value = (r: Prng): string => (r.chance(0.1) ? r.pick(EDGES) : r.pick(VALUES))
const integer = (r: Prng): string => {
  if (r.chance(0.8)) return String(r.below(21) - 10)
  return r.chance(0.6) ? r.pick(EDGES) : r.pick(NO_INTEGERS)
}
const float = (r: Prng): string => (r.chance(0.85) ? r.pick(FRACTIONS) : r.pick(NO_FLOATS))
/** A count of random draws: never so far below zero that all the memory of the world would not do. */
const drawCount = (r: Prng): string => {
  if (r.chance(0.85)) return String(r.below(30) - 10)
  return r.pick(['9223372036854775807', '-9223372036854775808', '4611686018427387904', ...NO_INTEGERS])
}
const cased = (r: Prng, word: string): string => (r.chance(0.5) ? word : word.toLowerCase())
const keys = (r: Prng): string[] => some(r, 1, 4, () => key(r))
const members = (r: Prng): string[] => some(r, 1, 5, () => member(r))
const options = (r: Prng, from: readonly string[][]): string[] =>
  r.chance(0.5) ? [] : some(r, 1, 3, () => r.pick(from).map((word) => cased(r, word))).flat()
const moment = (r: Prng, unit: 'seconds' | 'milliseconds', isRelative: boolean): string => {
  if (r.chance(0.1)) return r.pick([...EDGES, ...NO_INTEGERS])
  if (r.chance(0.15)) return r.pick(isRelative ? ['0', '-1', '-100000'] : PAST_MOMENTS)
  if (!isRelative) return FAR_MOMENTS[unit]
  // Never twice the same, nor nearly: which one is later must not hang on the clock.
  const seconds = 1000 * r.between(5, 1_000_000)
  return String(unit === 'seconds' ? seconds : 1000 * seconds)
}
const EXPIRY_OPTIONS = (r: Prng): string[][] => [
  ['EX', moment(r, 'seconds', true)],
  ['PX', moment(r, 'milliseconds', true)],
  ['EXAT', moment(r, 'seconds', false)],
  ['PXAT', moment(r, 'milliseconds', false)],
]
const scanOptions = (r: Prng): string[] =>
  options(r, [
    ['COUNT', r.pick(['1000', '1000', '3', '1', '0', '-1', 'x', '9223372036854775807'])],
    ['MATCH', r.pick(PATTERNS)],
  ])
const bit = (r: Prng): string =>
  r.chance(0.95) ? r.pick(['0', '1']) : r.pick([...EDGES, ...NO_INTEGERS, '2'])
const bitOffset = (r: Prng): string => {
  if (r.chance(0.9)) return String(r.below(400))
  return r.pick([...EDGES, ...NO_INTEGERS, '-1', '4294967296', '#1', '#'])
}
const bitRange = (r: Prng): string[] => [
  integer(r),
  integer(r),
  ...options(r, [['BIT'], ['BYTE'], ['BIT', 'x']]),
]
const fieldType = (r: Prng): string => {
  if (r.chance(0.95)) return r.chance(0.5) ? `u${r.between(1, 63)}` : `i${r.between(1, 64)}`
  return r.pick(['u64', 'i65', 'u0', 'i', 'U8', 'x8', '', 'u+8', 'i08'])
}
const field = (r: Prng): string[] => [fieldType(r), r.chance(0.3) ? `#${r.below(20)}` : bitOffset(r)]
const bitGet = (r: Prng): string[] => [cased(r, 'GET'), ...field(r)]
const bitOperand = (r: Prng): string => (r.chance(0.5) ? String(r.below(2 ** 32) - 2 ** 31) : integer(r))
const bitfieldPart = (r: Prng): string[] => {
  if (r.chance(0.3)) return bitGet(r)
  if (r.chance(0.3))
    return [cased(r, 'OVERFLOW'), cased(r, r.pick(['WRAP', 'SAT', 'FAIL', 'SAT', 'FAIL', 'x']))]
  return [cased(r, r.pick(['SET', 'INCRBY'])), ...field(r), bitOperand(r)]
}
const sortGets = (r: Prng): string[] =>
  some(r, 0, 2, () => ['GET', r.pick(['#', 'k*', '{t}*', 'h*->a', 'h1->*', 'none', 'h*->'])]).flat()
/** Where Redis leaves the order open (ALPHA stops at a byte 0, BY may weigh alike) nothing is cut off. */
const sortWords = (r: Prng): string[] => {
  const order = options(r, [['ASC'], ['DESC']])
  if (r.chance(0.3))
    return [...order, ...options(r, [['ALPHA'], ['BY', r.pick(['k*', 'none', 'h*->b'])]]), ...sortGets(r)]
  const by = r.chance(0.3) ? ['BY', r.pick(['k*', 'h*->a', 'f*'])] : []
  return [...order, ...by, ...options(r, [['LIMIT', integer(r), integer(r)]]), ...sortGets(r)]
}
const sortKey = (r: Prng): string => (r.chance(0.6) ? NUMBER_SET : setKey(r))
const cursor = (r: Prng): string =>
  r.chance(0.8)
    ? '0'
    : r.pick(['', '+0', '-1', '00', '7', 'x', ' 0', '0 ', '18446744073709551615', '18446744073709551616'])

/** One maker per command. Those of commands that are not there yet are left out by the caller. */
const MAKERS: Readonly<Record<string, Make>> = {
  // Strings
  get: (r) => [stringKey(r)],
  set: (r) => [
    stringKey(r),
    value(r),
    ...options(r, [['NX'], ['XX'], ['GET'], ['KEEPTTL'], ...EXPIRY_OPTIONS(r), ...EXPIRY_OPTIONS(r)]),
  ],
  setnx: (r) => [stringKey(r), value(r)],
  setex: (r) => [stringKey(r), moment(r, 'seconds', true), value(r)],
  psetex: (r) => [stringKey(r), moment(r, 'milliseconds', true), value(r)],
  getset: (r) => [stringKey(r), value(r)],
  getdel: (r) => [stringKey(r)],
  getex: (r) => [stringKey(r), ...options(r, [['PERSIST'], ...EXPIRY_OPTIONS(r)])],
  mget: (r) => some(r, 1, 4, () => stringKey(r)),
  mset: (r) => some(r, 1, 3, () => [stringKey(r), value(r)]).flat(),
  msetnx: (r) => some(r, 1, 3, () => [stringKey(r), value(r)]).flat(),
  append: (r) => [stringKey(r), value(r)],
  strlen: (r) => [stringKey(r)],
  setrange: (r) => [
    stringKey(r),
    r.chance(0.8) ? String(r.below(30)) : r.pick(['-1', 'x', ...EDGES]),
    value(r),
  ],
  getrange: (r) => [stringKey(r), integer(r), integer(r)],
  substr: (r) => [stringKey(r), integer(r), integer(r)],
  incr: (r) => [stringKey(r)],
  decr: (r) => [stringKey(r)],
  incrby: (r) => [stringKey(r), integer(r)],
  decrby: (r) => [stringKey(r), integer(r)],
  incrbyfloat: (r) => (r.chance(0.8) ? [r.pick(FLOAT_KEYS), float(r)] : [stringKey(r), r.pick(NO_FLOATS)]),
  lcs: (r) => [
    stringKey(r),
    stringKey(r),
    ...options(r, [['IDX'], ['IDX'], ['LEN'], ['WITHMATCHLEN'], ['MINMATCHLEN', integer(r)]]),
  ],
  // Bitmaps
  setbit: (r) => [stringKey(r), bitOffset(r), bit(r)],
  getbit: (r) => [stringKey(r), bitOffset(r)],
  bitcount: (r) => [stringKey(r), ...(r.chance(0.3) ? [] : bitRange(r))],
  bitpos: (r) => [stringKey(r), bit(r), ...(r.chance(0.3) ? some(r, 0, 1, () => integer(r)) : bitRange(r))],
  bitop: (r) => [
    cased(r, r.pick(['AND', 'OR', 'XOR', 'NOT', 'NOT', 'x'])),
    stringKey(r),
    ...some(r, 1, 3, () => stringKey(r)),
  ],
  bitfield: (r) => [stringKey(r), ...some(r, 0, 4, () => bitfieldPart(r)).flat()],
  bitfield_ro: (r) => [
    stringKey(r),
    ...some(r, 0, 3, () => (r.chance(0.95) ? bitGet(r) : bitfieldPart(r))).flat(),
  ],
  // Hashes
  hset: (r) => [hashKey(r), ...some(r, 1, 4, () => [member(r), value(r)]).flat()],
  hmset: (r) => [hashKey(r), ...some(r, 1, 4, () => [member(r), value(r)]).flat()],
  hsetnx: (r) => [hashKey(r), member(r), value(r)],
  hget: (r) => [hashKey(r), member(r)],
  hmget: (r) => [hashKey(r), ...members(r)],
  hgetall: (r) => [hashKey(r)],
  hdel: (r) => [hashKey(r), ...members(r)],
  hlen: (r) => [hashKey(r)],
  hexists: (r) => [hashKey(r), member(r)],
  hkeys: (r) => [hashKey(r)],
  hvals: (r) => [hashKey(r)],
  hstrlen: (r) => [hashKey(r), member(r)],
  hincrby: (r) => [hashKey(r), member(r), integer(r)],
  hincrbyfloat: (r) =>
    r.chance(0.8)
      ? [r.pick(FLOAT_KEYS), r.pick(['f', 'g']), float(r)]
      : [hashKey(r), member(r), r.pick(NO_FLOATS)],
  hrandfield: (r) => [hashKey(r), ...(r.chance(0.3) ? [] : [drawCount(r), ...options(r, [['WITHVALUES']])])],
  hscan: (r) => [hashKey(r), cursor(r), ...scanOptions(r)],
  // Sets
  sadd: (r) =>
    r.chance(0.2)
      ? [NUMBER_SET, ...some(r, 1, 4, () => r.pick([...FRACTIONS, '1', '2', '10', '007', 'inf']))]
      : [setKey(r), ...members(r)],
  srem: (r) => [setKey(r), ...members(r)],
  sismember: (r) => [setKey(r), member(r)],
  smismember: (r) => [setKey(r), ...members(r)],
  smembers: (r) => [setKey(r)],
  scard: (r) => [setKey(r)],
  spop: (r) => [setKey(r), ...(r.chance(0.4) ? [] : [drawCount(r)])],
  srandmember: (r) => [setKey(r), ...(r.chance(0.3) ? [] : [drawCount(r)])],
  smove: (r) => [setKey(r), setKey(r), member(r)],
  sinter: setKeys,
  sinterstore: (r) => [setKey(r), ...setKeys(r)],
  sintercard: (r) => {
    const some = setKeys(r)
    const count = r.chance(0.9) ? String(some.length) : integer(r)
    return [count, ...some, ...options(r, [['LIMIT', integer(r)]])]
  },
  sunion: setKeys,
  sunionstore: (r) => [setKey(r), ...setKeys(r)],
  sdiff: setKeys,
  sdiffstore: (r) => [setKey(r), ...setKeys(r)],
  sort: (r) => [sortKey(r), ...sortWords(r)],
  sort_ro: (r) => [sortKey(r), ...sortWords(r)],
  sscan: (r) => [setKey(r), cursor(r), ...scanOptions(r)],
  // Keys and deadlines
  del: keys,
  unlink: keys,
  exists: keys,
  touch: keys,
  type: (r) => [key(r)],
  keys: (r) => [r.pick(PATTERNS)],
  scan: (r) => [
    cursor(r),
    ...scanOptions(r),
    ...options(r, [['TYPE', r.pick(['string', 'hash', 'SET', 'zset', 'nothing'])]]),
  ],
  randomkey: () => [],
  rename: (r) => [key(r), key(r)],
  renamenx: (r) => [key(r), key(r)],
  copy: (r) => [
    key(r),
    key(r),
    ...options(r, [['REPLACE'], ['DB', r.pick(['0', '1', '16', '-1', 'x', ...EDGES])]]),
  ],
  expire: (r) => [key(r), moment(r, 'seconds', true), ...expireOptions(r)],
  pexpire: (r) => [key(r), moment(r, 'milliseconds', true), ...expireOptions(r)],
  expireat: (r) => [key(r), moment(r, 'seconds', false), ...expireOptions(r)],
  pexpireat: (r) => [key(r), moment(r, 'milliseconds', false), ...expireOptions(r)],
  ttl: (r) => [key(r)],
  pttl: (r) => [key(r)],
  expiretime: (r) => [key(r)],
  pexpiretime: (r) => [key(r)],
  persist: (r) => [key(r)],
  move: (r) => [key(r), r.pick(['1', '1', '2', '0', '16', '-1', 'x', ...EDGES])],
  // The rest that touches keys
  dbsize: () => [],
  flushdb: (r) => options(r, [['ASYNC'], ['SYNC'], ['NOW']]),
  select: (r) => [r.pick(['0', '0', '0', '1', '16', '-1', 'x', ...EDGES])],
  unwatch: () => [],
  exec: () => [],
  discard: () => [],
}

const expireOptions = (r: Prng): string[] => options(r, [['NX'], ['XX'], ['GT'], ['LT'], ['junk']])

/** Commands that come less often than others, and how much less. */
const RARE: Readonly<Record<string, number>> = {
  flushdb: 0.1,
  select: 0.3,
  exec: 0.3,
  discard: 0.3,
  rename: 0.5,
}
/**
 * An edge of the range in the wrong place would lead a float out of what a long double holds exactly, or
 * ask for more random draws than there is memory.
 */
const NEVER_CHANGED: ReadonlySet<string> = new Set([
  'incrbyfloat',
  'hincrbyfloat',
  'hrandfield',
  'srandmember',
  'select',
  'setbit',
  'bitfield',
])

/** Adding a member that is there is a write here and none in Redis, which a watcher of the key notices. */
const ADDS_AGAIN: ReadonlySet<string> = new Set(['sadd', 'smove'])
const NOTHING: ReadonlySet<string> = new Set()
const WRONG = [['nothing', 'a', 'b'], ['NOTHING'], ['get'], ['multi', 'x'], ['MULTI'], ['WATCH']]

export class RandomCommands {
  readonly #random: Prng
  readonly #names: readonly string[]

  /** @param has  whether there is a command of that name */
  constructor(seed: number, has: (name: string) => boolean) {
    this.#random = new Prng(seed)
    this.#names = Object.keys(MAKERS).filter(has)
  }

  /** One command, or a few that belong together. */
  next(): string[][] {
    const r = this.#random
    if (r.chance(0.98)) return this.#one()
    const block = some(r, 0, 5, () => this.#one()).flat()
    const transaction = [['MULTI'], ...block, [r.chance(0.9) ? 'EXEC' : 'DISCARD']]
    if (r.chance(0.5)) return transaction
    const watched = some(r, 0, 3, () => this.#one(ADDS_AGAIN)).flat()
    return [['WATCH', ...keys(r)], ...watched, ...transaction, ['UNWATCH']]
  }

  #one(except: ReadonlySet<string> = NOTHING): string[][] {
    const r = this.#random
    if (r.chance(0.01)) return [r.pick(WRONG)]
    const name = r.pick(this.#names)
    if (except.has(name) || !r.chance(RARE[name] ?? 1)) return this.#one(except)
    const words = [r.chance(0.5) ? name : name.toUpperCase(), ...MAKERS[name]!(r)]
    if (r.chance(0.04)) change(r, words, name)
    return name === 'spop' && words.length > 1 ? [words, ['DEL', words[1]!]] : [words]
  }
}

/** Makes a command wrong, more often than not. */
function change(r: Prng, words: string[], name: string): void {
  if (r.chance(0.4)) words.splice(1 + r.below(words.length), 1)
  else if (r.chance(0.5)) words.push(r.pick(JUNK))
  else if (words.length > 1 && !NEVER_CHANGED.has(name))
    words[1 + r.below(words.length - 1)] = r.pick([...JUNK, ...EDGES])
}
