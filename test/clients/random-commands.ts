/**
 * random-commands.ts: endless random commands from a seed, right and wrong ones.
 *
 * Few keys, fields and members, so that commands meet each other's work; numbers from the edges of their
 * ranges; wrong types, arities and options now and then. Three rules keep both servers comparable:
 * deadlines are far away or past; SPOP, which leaves a random rest, is followed by a DEL; and floats are
 * added only to keys of their own, as sums of binary fractions, which a long double holds exactly too.
 */
import { Prng } from '../harness/prng.ts'

const KEYS = [
  'k1',
  'k2',
  'k3',
  'k4',
  'k5',
  'k6',
  '{t}a',
  '{t}b',
  '',
  '\x00\xff\r\n',
  'key with a longer name',
]
const FLOAT_KEYS = ['f1', 'f2', 'f3']
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
const PATTERNS = ['*', 'k*', 'k?', '[kf]1', '{t}*', '[^k]*', '\\k1', 'nothing', '', '*\xff*', 'k[1-3]']
const JUNK = ['', 'junk', 'NX', 'withvalues', '0', '-1', '\xff', ...EDGES]

type Make = (r: Prng) => string[]

/** `min` to `max` results of `make`. */
function some<T>(r: Prng, min: number, max: number, make: () => T): T[] {
  return Array.from({ length: r.between(min, max) }, make)
}

const key = (r: Prng): string => r.pick(KEYS)
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
  const seconds = 5000 + 1000 * r.below(5)
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
const cursor = (r: Prng): string =>
  r.chance(0.8)
    ? '0'
    : r.pick(['', '+0', '-1', '00', '7', 'x', ' 0', '0 ', '18446744073709551615', '18446744073709551616'])

/** One maker per command. Those of commands that are not there yet are left out by the caller. */
const MAKERS: Readonly<Record<string, Make>> = {
  // Strings
  get: (r) => [key(r)],
  set: (r) => [
    key(r),
    value(r),
    ...options(r, [['NX'], ['XX'], ['GET'], ['KEEPTTL'], ...EXPIRY_OPTIONS(r), ...EXPIRY_OPTIONS(r)]),
  ],
  setnx: (r) => [key(r), value(r)],
  setex: (r) => [key(r), moment(r, 'seconds', true), value(r)],
  psetex: (r) => [key(r), moment(r, 'milliseconds', true), value(r)],
  getset: (r) => [key(r), value(r)],
  getdel: (r) => [key(r)],
  getex: (r) => [key(r), ...options(r, [['PERSIST'], ...EXPIRY_OPTIONS(r)])],
  mget: keys,
  mset: (r) => some(r, 1, 3, () => [key(r), value(r)]).flat(),
  msetnx: (r) => some(r, 1, 3, () => [key(r), value(r)]).flat(),
  append: (r) => [key(r), value(r)],
  strlen: (r) => [key(r)],
  setrange: (r) => [key(r), r.chance(0.8) ? String(r.below(30)) : r.pick(['-1', 'x', ...EDGES]), value(r)],
  getrange: (r) => [key(r), integer(r), integer(r)],
  substr: (r) => [key(r), integer(r), integer(r)],
  incr: (r) => [key(r)],
  decr: (r) => [key(r)],
  incrby: (r) => [key(r), integer(r)],
  decrby: (r) => [key(r), integer(r)],
  incrbyfloat: (r) => (r.chance(0.8) ? [r.pick(FLOAT_KEYS), float(r)] : [key(r), r.pick(NO_FLOATS)]),
  // Hashes
  hset: (r) => [key(r), ...some(r, 1, 4, () => [member(r), value(r)]).flat()],
  hmset: (r) => [key(r), ...some(r, 1, 4, () => [member(r), value(r)]).flat()],
  hsetnx: (r) => [key(r), member(r), value(r)],
  hget: (r) => [key(r), member(r)],
  hmget: (r) => [key(r), ...members(r)],
  hgetall: (r) => [key(r)],
  hdel: (r) => [key(r), ...members(r)],
  hlen: (r) => [key(r)],
  hexists: (r) => [key(r), member(r)],
  hkeys: (r) => [key(r)],
  hvals: (r) => [key(r)],
  hstrlen: (r) => [key(r), member(r)],
  hincrby: (r) => [key(r), member(r), integer(r)],
  hincrbyfloat: (r) =>
    r.chance(0.8)
      ? [r.pick(FLOAT_KEYS), r.pick(['f', 'g']), float(r)]
      : [key(r), member(r), r.pick(NO_FLOATS)],
  hrandfield: (r) => [key(r), ...(r.chance(0.3) ? [] : [drawCount(r), ...options(r, [['WITHVALUES']])])],
  hscan: (r) => [key(r), cursor(r), ...scanOptions(r)],
  // Sets
  sadd: (r) => [key(r), ...members(r)],
  srem: (r) => [key(r), ...members(r)],
  sismember: (r) => [key(r), member(r)],
  smismember: (r) => [key(r), ...members(r)],
  smembers: (r) => [key(r)],
  scard: (r) => [key(r)],
  spop: (r) => [key(r), ...(r.chance(0.4) ? [] : [drawCount(r)])],
  srandmember: (r) => [key(r), ...(r.chance(0.3) ? [] : [drawCount(r)])],
  smove: (r) => [key(r), key(r), member(r)],
  sinter: keys,
  sinterstore: (r) => [key(r), ...keys(r)],
  sintercard: (r) => {
    const some = keys(r)
    const count = r.chance(0.9) ? String(some.length) : integer(r)
    return [count, ...some, ...options(r, [['LIMIT', integer(r)]])]
  },
  sunion: keys,
  sunionstore: (r) => [key(r), ...keys(r)],
  sdiff: keys,
  sdiffstore: (r) => [key(r), ...keys(r)],
  sscan: (r) => [key(r), cursor(r), ...scanOptions(r)],
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
  // The rest that touches keys
  dbsize: () => [],
  flushdb: (r) => options(r, [['ASYNC'], ['SYNC'], ['NOW']]),
  select: (r) => [r.pick(['0', '0', '0', '1', '16', '-1', 'x', ...EDGES])],
  watch: keys,
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
/** An edge of the range in the wrong place would lead a float out of what a long double holds exactly. */
const NEVER_CHANGED: ReadonlySet<string> = new Set(['incrbyfloat', 'hincrbyfloat', 'select'])

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
    if (!r.chance(0.03)) return this.#one()
    const block = some(r, 0, 5, () => this.#one()).flat()
    return [['MULTI'], ...block, [r.chance(0.9) ? 'EXEC' : 'DISCARD']]
  }

  #one(): string[][] {
    const r = this.#random
    if (r.chance(0.01))
      return [r.pick([['nothing', 'a', 'b'], ['NOTHING'], ['get'], ['multi', 'x'], ['MULTI']])]
    const name = r.pick(this.#names)
    if (!r.chance(RARE[name] ?? 1)) return this.#one()
    const words = [r.chance(0.5) ? name : name.toUpperCase(), ...MAKERS[name]!(r)]
    if (r.chance(0.04)) change(r, words, name)
    return name === 'spop' && words.length > 1 ? [words, ['DEL', words[1]!]] : [words]
  }
}

/** Makes a command wrong, more often than not. */
function change(r: Prng, words: string[], name: string): void {
  if (r.chance(0.4)) words.splice(1 + r.below(words.length), 1)
  else if (r.chance(0.5)) words.push(r.pick(JUNK))
  else if (words.length > 1 && !NEVER_CHANGED.has(name)) words[1 + r.below(words.length - 1)] = r.pick(JUNK)
}
