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
import {
  bit,
  bitfieldPart,
  bitGet,
  bitOffset,
  bitRange,
  bound,
  cased,
  combine,
  consumer,
  cursor,
  distance,
  drawCount,
  EDGES,
  EXPIRY_OPTIONS,
  FLOAT_KEYS,
  FRACTIONS,
  float,
  geoAnswer,
  geoExtras,
  geoKey,
  geoShape,
  geoStore,
  hashKey,
  hllKey,
  idleTime,
  integer,
  JUNK,
  key,
  keys,
  lexBound,
  lexKey,
  limit,
  listKey,
  type Make,
  member,
  members,
  moment,
  NO_FLOATS,
  NO_INTEGERS,
  NUMBER_SET,
  numbered,
  options,
  PATTERNS,
  PAYLOADS,
  place,
  placed,
  SCRIPTS,
  scanOptions,
  scoreAndMember,
  scoreBound,
  setKey,
  setKeys,
  side,
  some,
  someId,
  sortKey,
  sortWords,
  streamGroup,
  streamKey,
  streamsOf,
  streamTrim,
  stringKey,
  unit,
  value,
  withScores,
  zaddWords,
  zrangeWords,
  zsetKey,
  zsetOrSetKeys,
} from './random-words.ts'

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
  // Lists
  lpush: (r) => [listKey(r), ...listValues(r)],
  rpush: (r) => [listKey(r), ...listValues(r)],
  lpushx: (r) => [listKey(r), ...listValues(r)],
  rpushx: (r) => [listKey(r), ...listValues(r)],
  llen: (r) => [listKey(r)],
  lrange: (r) => [listKey(r), integer(r), integer(r)],
  lindex: (r) => [listKey(r), integer(r)],
  lset: (r) => [listKey(r), integer(r), value(r)],
  linsert: (r) => [
    listKey(r),
    cased(r, r.pick(['BEFORE', 'AFTER', 'AFTER', 'BEFORE', 'x'])),
    member(r),
    member(r),
  ],
  lrem: (r) => [listKey(r), integer(r), member(r)],
  ltrim: (r) => [listKey(r), integer(r), integer(r)],
  lpos: (r) => [
    listKey(r),
    member(r),
    ...options(r, [
      ['RANK', integer(r)],
      ['COUNT', integer(r)],
      ['MAXLEN', integer(r)],
    ]),
  ],
  lpop: (r) => [listKey(r), ...some(r, 0, 1, () => integer(r))],
  rpop: (r) => [listKey(r), ...some(r, 0, 1, () => integer(r))],
  lmove: (r) => [listKey(r), listKey(r), side(r), side(r)],
  rpoplpush: (r) => [listKey(r), listKey(r)],
  lmpop: (r) => [...numbered(r, listKeys(r)), side(r), ...options(r, [['COUNT', integer(r)]])],
  blpop: (r) => [...listKeys(r), WAIT],
  brpop: (r) => [...listKeys(r), WAIT],
  blmove: (r) => [listKey(r), listKey(r), side(r), side(r), WAIT],
  brpoplpush: (r) => [listKey(r), listKey(r), WAIT],
  blmpop: (r) => [WAIT, ...numbered(r, listKeys(r)), side(r), ...options(r, [['COUNT', integer(r)]])],
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
  // Sorted sets
  zadd: zaddWords,
  zincrby: (r) => [zsetKey(r), ...scoreAndMember(r)],
  zrem: (r) => [zsetKey(r), ...members(r)],
  zscore: (r) => [zsetKey(r), member(r)],
  zmscore: (r) => [zsetKey(r), ...members(r)],
  zcard: (r) => [zsetKey(r)],
  zrank: (r) => [zsetKey(r), member(r)],
  zrevrank: (r) => [zsetKey(r), member(r)],
  zrandmember: (r) => [zsetKey(r), ...(r.chance(0.3) ? [] : [drawCount(r), ...withScores(r)])],
  zscan: (r) => [zsetKey(r), cursor(r), ...scanOptions(r)],
  zrange: (r) => [...zrangeWords(r, false), ...withScores(r)],
  zrevrange: (r) => [zsetKey(r), integer(r), integer(r), ...withScores(r)],
  zrangebyscore: (r) => [zsetKey(r), scoreBound(r), scoreBound(r), ...options(r, [['WITHSCORES'], limit(r)])],
  zrevrangebyscore: (r) => [
    zsetKey(r),
    scoreBound(r),
    scoreBound(r),
    ...options(r, [['WITHSCORES'], limit(r)]),
  ],
  zrangebylex: (r) => [lexKey(r), lexBound(r), lexBound(r), ...options(r, [limit(r)])],
  zrevrangebylex: (r) => [lexKey(r), lexBound(r), lexBound(r), ...options(r, [limit(r)])],
  zrangestore: (r) => zrangeWords(r, true),
  zcount: (r) => [zsetKey(r), scoreBound(r), scoreBound(r)],
  zlexcount: (r) => [lexKey(r), lexBound(r), lexBound(r)],
  zremrangebyrank: (r) => [zsetKey(r), integer(r), integer(r)],
  zremrangebyscore: (r) => [zsetKey(r), scoreBound(r), scoreBound(r)],
  zremrangebylex: (r) => [lexKey(r), lexBound(r), lexBound(r)],
  zpopmin: (r) => [zsetKey(r), ...some(r, 0, 1, () => integer(r))],
  zpopmax: (r) => [zsetKey(r), ...some(r, 0, 1, () => integer(r))],
  zmpop: (r) => [
    ...numbered(
      r,
      some(r, 1, 3, () => zsetKey(r)),
    ),
    cased(r, r.pick(['MIN', 'MAX'])),
    ...options(r, [['COUNT', integer(r)]]),
  ],
  bzpopmin: (r) => [...some(r, 1, 3, () => zsetKey(r)), WAIT],
  bzpopmax: (r) => [...some(r, 1, 3, () => zsetKey(r)), WAIT],
  bzmpop: (r) => [
    WAIT,
    ...numbered(
      r,
      some(r, 1, 3, () => zsetKey(r)),
    ),
    cased(r, r.pick(['MIN', 'MAX'])),
    ...options(r, [['COUNT', integer(r)]]),
  ],
  zunion: (r) => [...combine(r), ...withScores(r)],
  zinter: (r) => [...combine(r), ...withScores(r)],
  zdiff: (r) => [...numbered(r, zsetOrSetKeys(r)), ...withScores(r)],
  zunionstore: (r) => [zsetKey(r), ...combine(r)],
  zinterstore: (r) => [zsetKey(r), ...combine(r)],
  zdiffstore: (r) => [zsetKey(r), ...numbered(r, zsetOrSetKeys(r))],
  zintercard: (r) => [...numbered(r, zsetOrSetKeys(r)), ...options(r, [['LIMIT', integer(r)]])],
  // Geo
  geoadd: (r) => [
    geoKey(r),
    ...options(r, [['NX'], ['XX'], ['CH']]),
    ...some(r, 1, 3, () => placed(r)).flat(),
  ],
  geopos: (r) => [geoKey(r), ...members(r)],
  geohash: (r) => [geoKey(r), ...members(r)],
  geodist: (r) => [geoKey(r), member(r), member(r), ...some(r, 0, 1, () => unit(r))],
  geosearch: (r) => [geoKey(r), ...geoShape(r), ...geoAnswer(r), ...geoExtras(r)],
  geosearchstore: (r) => [geoKey(r), geoKey(r), ...geoShape(r), ...geoAnswer(r)],
  georadius: (r) => [geoKey(r), ...place(r), distance(r), unit(r), ...geoAnswer(r), ...geoStore(r)],
  georadius_ro: (r) => [geoKey(r), ...place(r), distance(r), unit(r), ...geoAnswer(r), ...geoExtras(r)],
  georadiusbymember: (r) => [geoKey(r), member(r), distance(r), unit(r), ...geoAnswer(r), ...geoStore(r)],
  georadiusbymember_ro: (r) => [geoKey(r), member(r), distance(r), unit(r), ...geoAnswer(r), ...geoExtras(r)],
  // Streams
  xadd: (r) => [
    streamKey(r),
    cased(r, 'NOMKSTREAM'),
    ...(r.chance(0.2) ? streamTrim(r) : []),
    r.chance(0.8) ? `${r.between(1, 5)}-*` : someId(r),
    ...some(r, 1, 3, () => [member(r), value(r)]).flat(),
  ],
  xlen: (r) => [streamKey(r)],
  xrange: (r) => [streamKey(r), bound(r), bound(r), ...options(r, [['COUNT', integer(r)]])],
  xrevrange: (r) => [streamKey(r), bound(r), bound(r), ...options(r, [['COUNT', integer(r)]])],
  xdel: (r) => [streamKey(r), ...some(r, 1, 4, () => someId(r))],
  xtrim: (r) => [streamKey(r), ...streamTrim(r)],
  xread: (r) => [...options(r, [['COUNT', integer(r)]]), ...streamsOf(r, () => someId(r))],
  xreadgroup: (r) => [
    ...['GROUP', streamGroup(r), consumer(r)],
    ...options(r, [['COUNT', integer(r)], ['NOACK']]),
    ...streamsOf(r, () => (r.chance(0.8) ? '>' : someId(r))),
  ],
  xgroup: (r) =>
    r.pick<() => string[]>([
      () => ['CREATE', streamKey(r), 'keeper', r.pick(['0', '$']), 'MKSTREAM'],
      () => ['CREATE', streamKey(r), streamGroup(r), r.pick(['0', '$', someId(r)])],
      () => ['SETID', streamKey(r), streamGroup(r), r.pick(['0', '$', someId(r)])],
      () => ['DESTROY', streamKey(r), r.pick(['g', '\xe9\xff', 'none'])],
      () => ['DELCONSUMER', streamKey(r), streamGroup(r), consumer(r)],
    ])(),
  xack: (r) => [streamKey(r), streamGroup(r), ...some(r, 1, 4, () => someId(r))],
  xpending: (r) => [
    streamKey(r),
    streamGroup(r),
    ...(r.chance(0.8) ? [] : ['IDLE', '1000000', bound(r), bound(r), integer(r)]),
  ],
  xclaim: (r) => [
    ...[streamKey(r), streamGroup(r), consumer(r), idleTime(r)],
    ...some(r, 1, 3, () => someId(r)),
    ...options(r, [['FORCE'], ['JUSTID'], ['IDLE', '5'], ['RETRYCOUNT', integer(r)], ['LASTID', someId(r)]]),
  ],
  xautoclaim: (r) => [
    ...[streamKey(r), streamGroup(r), consumer(r), idleTime(r), bound(r)],
    // Redis takes memory for a large COUNT at once, or has none.
    ...options(r, [['COUNT', r.chance(0.9) ? String(r.below(12)) : r.pick(NO_INTEGERS)], ['JUSTID']]),
  ],
  // HyperLogLogs
  pfadd: (r) => [
    hllKey(r),
    ...some(r, 0, 5, () => member(r)),
    ...some(r, 0, r.pick([0, 0, 9, 200]), () => value(r)),
  ],
  pfcount: (r) => some(r, 1, 3, () => hllKey(r)),
  pfmerge: (r) => some(r, 1, 3, () => hllKey(r)),
  pfdebug: (r) => [cased(r, r.pick(['ENCODING', 'DECODE', 'TODENSE', 'x'])), hllKey(r)],
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
  restore: (r) => [
    key(r),
    r.chance(0.9) ? '0' : r.pick(['100000000', '-1', ...NO_INTEGERS]),
    r.chance(0.9) ? r.pick(PAYLOADS) : value(r),
    ...options(r, [['REPLACE'], ['REPLACE'], ['ABSTTL'], ['IDLETIME', integer(r)], ['FREQ', integer(r)]]),
  ],
  // Scripts
  eval: (r) => [r.pick(SCRIPTS), ...scriptWords(r)],
  eval_ro: (r) => [r.pick(SCRIPTS), ...scriptWords(r)],
  evalsha: (r) => ['0'.repeat(40), ...scriptWords(r)],
  // The rest that touches keys
  swapdb: (r) => some(r, 2, 2, () => r.pick(['0', '1', '2', '16', '-1', 'x'])),
  publish: (r) => [member(r), value(r)],
  spublish: (r) => [member(r), value(r)],
  echo: (r) => [value(r)],
  ping: (r) => some(r, 0, 2, () => value(r)),
  dbsize: () => [],
  flushdb: (r) => options(r, [['ASYNC'], ['SYNC'], ['NOW']]),
  select: (r) => [r.pick(['0', '0', '0', '1', '16', '-1', 'x', ...EDGES])],
  unwatch: () => [],
  exec: () => [],
  discard: () => [],
}

/** How long a command waits that finds nothing, seconds. */
const WAIT = '0.001'
const listKeys = (r: Prng): string[] => some(r, 1, 3, () => listKey(r))
const listValues = (r: Prng): string[] => some(r, 1, 4, () => (r.chance(0.7) ? member(r) : value(r)))
const scriptWords = (r: Prng): string[] => {
  const names = keys(r)
  const count = r.chance(0.9) ? r.below(names.length + 1) : integer(r)
  return [String(count), ...names, ...some(r, 0, 3, () => value(r))]
}

const expireOptions = (r: Prng): string[] => options(r, [['NX'], ['XX'], ['GT'], ['LT'], ['junk']])

/** Commands that come less often than others, and how much less. */
const RARE: Readonly<Record<string, number>> = {
  swapdb: 0.1,
  spublish: 0.1,
  publish: 0.1,
  echo: 0.1,
  ping: 0.1,
  evalsha: 0.1,
  blpop: 0.2,
  brpop: 0.2,
  blmove: 0.2,
  brpoplpush: 0.2,
  blmpop: 0.2,
  bzpopmin: 0.2,
  bzpopmax: 0.2,
  bzmpop: 0.2,
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
  'restore',
  'incrbyfloat',
  'hincrbyfloat',
  'hrandfield',
  'srandmember',
  'zrandmember',
  'zadd',
  'select',
  'setbit',
  'bitfield',
  'xautoclaim',
])

/**
 * Adding a member that is there is a write here and none in Redis, which a watcher of the key notices. And in
 * Redis one notices PFCOUNT, which remembers what it counted, and does not notice PFDEBUG TODENSE.
 */
const NOT_WATCHED_ALIKE: ReadonlySet<string> = new Set([
  'sadd',
  'smove',
  'pfcount',
  'pfdebug',
  'zadd',
  'zincrby',
  'geoadd',
])
/**
 * Never changed: Redis 7.2 knows an option more of the first two, which turns a wrong number of words into
 * another error; and an XADD that loses its NOMKSTREAM makes a stream without a group.
 */
const KEPT_WHOLE: ReadonlySet<string> = new Set(['zrank', 'zrevrank', 'xadd'])
/** They wait for a millisecond at most, and are never changed: a wrong word could make it for ever. */
export const BLOCKING: ReadonlySet<string> = new Set([
  ...['bzpopmin', 'bzpopmax', 'bzmpop', 'blpop', 'brpop', 'blmove', 'brpoplpush', 'blmpop'],
])
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
    if (r.chance(0.05)) return this.#one().map((words) => (words.length > 1 ? scripted(r, words) : words))
    if (r.chance(0.01))
      return this.#one().map((words) => (words.length > 1 ? ['COMMAND', 'GETKEYS', ...words] : words))
    if (r.chance(0.98)) return this.#one()
    const block = some(r, 0, 5, () => this.#one()).flat()
    const transaction = [['MULTI'], ...block, [r.chance(0.9) ? 'EXEC' : 'DISCARD']]
    if (r.chance(0.5)) return transaction
    const watched = some(r, 0, 3, () => this.#one(NOT_WATCHED_ALIKE)).flat()
    return [['WATCH', ...keys(r)], ...watched, ...transaction, ['UNWATCH']]
  }

  #one(except: ReadonlySet<string> = NOTHING): string[][] {
    const r = this.#random
    if (r.chance(0.01)) return [r.pick(WRONG)]
    const name = r.pick(this.#names)
    if (except.has(name) || !r.chance(RARE[name] ?? 1)) return this.#one(except)
    const words = [r.chance(0.5) ? name : name.toUpperCase(), ...MAKERS[name]!(r)]
    if (r.chance(0.04) && !KEPT_WHOLE.has(name) && !BLOCKING.has(name)) change(r, words, name)
    return name === 'spop' && words.length > 1 ? [words, ['DEL', words[1]!]] : [words]
  }
}

/** The same command from a script. */
function scripted(r: Prng, words: readonly string[]): string[] {
  const call = r.pick(['redis.call', 'redis.call', 'redis.pcall'])
  return ['EVAL', `${r.pick(['', '', 'redis.setresp(3) '])}return ${call}(unpack(ARGV))`, '0', ...words]
}

/** Makes a command wrong, more often than not. */
function change(r: Prng, words: string[], name: string): void {
  if (r.chance(0.4)) words.splice(1 + r.below(words.length), 1)
  else if (r.chance(0.5)) words.push(r.pick(JUNK))
  else if (words.length > 1 && !NEVER_CHANGED.has(name))
    words[1 + r.below(words.length - 1)] = r.pick([...JUNK, ...EDGES])
}
