/**
 * strings.ts: GET, SET and the rest of Redis's string commands.
 *
 * A SET replaces all that is seen of a key. APPEND, SETRANGE and SET KEEPTTL write the value and leave
 * the deadline. INCR and its kin add to the counter on top of the value, so that increments of several
 * regions sum up.
 *
 * New values are sums of strings: the op codec, which reads every character, makes them flat, so none
 * keeps a larger string alive.
 */
import { integerAmount } from '../../crdt/amount.ts'
import { cellText, ManyCell } from '../../crdt/cell.ts'
import { sumOf } from '../../crdt/counter.ts'
import { HllState } from '../../crdt/hll.ts'
import { deadlineOf, type KeyEntry, KeyState } from '../../crdt/key.ts'
import { Register } from '../../crdt/register.ts'
import { errors } from '../errors.ts'
import { type CommandContext, type CommandDef, defineCommands, type KeyRange, ONE_KEY } from './command.ts'
import {
  addInt64,
  type ExpiryUnit,
  expiryUnit,
  MILLISECONDS,
  parseCount,
  parseDeadline,
  parseDecimal,
  parseInt64,
  SECONDS,
} from './parse.ts'

const ALL_KEYS: KeyRange = { first: 1, last: -1, step: 1 }
const EVERY_OTHER: KeyRange = { first: 1, last: -1, step: 2 }
const INT64_MIN = -(2n ** 63n)

/** Options of SET and GETEX. */
interface Options {
  only: 'nx' | 'xx' | undefined
  get: boolean
  /** KEEPTTL or PERSIST. */
  ttl: 'keepttl' | 'persist' | undefined
  unit: ExpiryUnit | undefined
  /** How many units, as the client wrote it. */
  amount: string
}

const SET_OPTIONS: ReadonlySet<string> = new Set(['nx', 'xx', 'get', 'keepttl'])
const GETEX_OPTIONS: ReadonlySet<string> = new Set(['persist'])

/** Like Redis: an option may be repeated, but not joined by one that contradicts it. */
function parseOptions(words: readonly string[], from: number, allowed: ReadonlySet<string>): Options {
  const options: Options = { only: undefined, get: false, ttl: undefined, unit: undefined, amount: '' }
  for (let i = from; i < words.length; i++) {
    const option = words[i]!.toLowerCase()
    const unit = expiryUnit(option)
    if (unit !== undefined) {
      const isMixed = options.ttl !== undefined || (options.unit !== undefined && options.unit !== unit)
      if (isMixed || ++i === words.length) throw errors.syntax
      options.unit = unit
      options.amount = words[i]!
    } else if (!allowed.has(option)) {
      throw errors.syntax
    } else if (option === 'get') {
      options.get = true
    } else if (option === 'nx' || option === 'xx') {
      if (options.only !== undefined && options.only !== option) throw errors.syntax
      options.only = option
    } else {
      if (options.unit !== undefined) throw errors.syntax
      options.ttl = option === 'persist' ? 'persist' : 'keepttl'
    }
  }
  return options
}

function set(ctx: CommandContext, words: readonly string[]): void {
  if (words.length > 3) {
    setWithOptions(ctx, words)
    return
  }
  ctx.write.set(words[1]!, words[2]!)
  ctx.out.ok()
}

function setWithOptions(ctx: CommandContext, words: readonly string[]): void {
  const key = words[1]!
  const value = words[2]!
  const { only, get, ttl, unit, amount } = parseOptions(words, 3, SET_OPTIONS)
  const deadline = unit === undefined ? undefined : parseDeadline(amount, unit, ctx.nowMs, 'set')
  const old = get ? ctx.text(key) : undefined
  const entry = ctx.entry(key)
  const isRefused = only === 'nx' ? entry !== undefined : only === 'xx' && entry === undefined
  if (!isRefused) {
    if (ttl === 'keepttl' && entry !== undefined) setKeepingDeadline(ctx, key, value, entry)
    else ctx.write.set(key, value, deadline)
  }
  if (get) ctx.out.bulkOrNil(old)
  else if (isRefused) ctx.out.nil()
  else ctx.out.ok()
}

function setKeepingDeadline(ctx: CommandContext, key: string, value: string, entry: KeyEntry): void {
  const isOnlyString = !(entry instanceof KeyState) || (entry.state?.type === 'string' && !entry.hidden)
  if (isOnlyString) ctx.write.put(key, value)
  // A put would leave states of other types waiting behind the string, and SET replaces those too.
  else ctx.write.set(key, value, deadlineOf(entry))
}

function setNx(ctx: CommandContext, words: readonly string[]): void {
  const isNew = ctx.entry(words[1]!) === undefined
  if (isNew) ctx.write.set(words[1]!, words[2]!)
  ctx.out.integer(isNew ? 1 : 0)
}

function setWithExpiry(unit: ExpiryUnit, command: string): CommandDef['run'] {
  return (ctx, words) => {
    ctx.write.set(words[1]!, words[3]!, parseDeadline(words[2]!, unit, ctx.nowMs, command))
    ctx.out.ok()
  }
}

function getEx(ctx: CommandContext, words: readonly string[]): void {
  const key = words[1]!
  const { ttl, unit, amount } = parseOptions(words, 2, GETEX_OPTIONS)
  const value = ctx.text(key)
  if (value === undefined) {
    ctx.out.nil()
    return
  }
  const deadline = unit === undefined ? undefined : parseDeadline(amount, unit, ctx.nowMs, 'getex')
  ctx.out.bulk(value)
  if (deadline === undefined) {
    // A key that has no deadline is left alone: PERSIST on it is no write in Redis either.
    const persists = ttl === 'persist' && deadlineOf(ctx.entry(key)!) !== Number.POSITIVE_INFINITY
    if (persists) ctx.write.setDeadline(key, Number.POSITIVE_INFINITY)
  } else if (deadline <= ctx.nowMs) {
    ctx.write.clear(key)
  } else {
    ctx.write.setDeadline(key, deadline)
  }
}

function mget(ctx: CommandContext, words: readonly string[]): void {
  const { out } = ctx
  out.array(words.length - 1)
  for (let i = 1; i < words.length; i++) {
    const plain = ctx.keyspace.plainText(ctx.db, words[i]!)
    const state = plain === undefined ? ctx.state(words[i]!) : undefined
    if (state instanceof HllState) out.bulk(state.text())
    else out.bulkOrNil(state instanceof Register || state instanceof ManyCell ? cellText(state) : plain)
  }
}

function checkPairs(words: readonly string[], command: string): void {
  if (words.length % 2 === 0) throw errors.wrongArity(command)
}

function writePairs(ctx: CommandContext, words: readonly string[]): void {
  for (let i = 1; i < words.length; i += 2) ctx.write.set(words[i]!, words[i + 1]!)
}

function msetNx(ctx: CommandContext, words: readonly string[]): void {
  checkPairs(words, 'msetnx')
  for (let i = 1; i < words.length; i += 2) {
    if (ctx.entry(words[i]!) === undefined) continue
    ctx.out.integer(0)
    return
  }
  writePairs(ctx, words)
  ctx.out.integer(1)
}

function checkLength(ctx: CommandContext, length: number): void {
  if (length > ctx.services.stringBytesMax) throw errors.stringTooLong
}

function append(ctx: CommandContext, words: readonly string[]): void {
  const key = words[1]!
  const old = ctx.text(key) ?? ''
  const length = old.length + words[2]!.length
  checkLength(ctx, length)
  ctx.write.put(key, old + words[2]!)
  ctx.out.integer(length)
}

function setRange(ctx: CommandContext, words: readonly string[]): void {
  const key = words[1]!
  const part = words[3]!
  const offset = parseCount(words[2]!)
  if (offset < 0) throw errors.offsetOutOfRange
  const old = ctx.text(key) ?? ''
  if (part === '') {
    ctx.out.integer(old.length)
    return
  }
  const end = offset + part.length
  checkLength(ctx, end)
  const value = old.slice(0, offset).padEnd(offset, '\0') + part + old.slice(end)
  ctx.write.put(key, value)
  ctx.out.integer(value.length)
}

function getRange(ctx: CommandContext, words: readonly string[]): void {
  const first = parseInt64(words[2]!)
  const last = parseInt64(words[3]!)
  const value = ctx.text(words[1]!) ?? ''
  if (first < 0 && last < 0 && first > last) {
    ctx.out.bulk('')
    return
  }
  const start = indexIn(value, first)
  const end = indexIn(value, last)
  ctx.out.bulk(start > end ? '' : value.slice(start, end + 1))
}

/** Counted from the end when negative, and never before the beginning. */
function indexIn(value: string, index: number | bigint): number {
  const at = Number(index)
  return at < 0 ? Math.max(0, value.length + at) : at
}

function increment(ctx: CommandContext, key: string, delta: number | bigint): void {
  const before = integerAt(ctx, key)
  const after = addInt64(before, delta)
  if (after === undefined) throw errors.overflow
  ctx.write.increment(key, integerAmount(delta))
  // Increments of several regions may add up past 64 bits: then the sum shown is cut off, and moving
  // it by `delta` may not be seen. So near the edge the reply is read back.
  ctx.out.integer(typeof before === 'number' ? after : parseInt64(ctx.text(key)!))
}

function integerAt(ctx: CommandContext, key: string): number | bigint {
  const counter = ctx.keyspace.plainCounter(ctx.db, key)
  if (counter !== undefined) return counter.total
  const cell = ctx.string(key)
  if (cell === undefined) return 0
  if (cell instanceof ManyCell && cell.registers.length === 0) {
    const sum = sumOf(cell.counter)
    if (typeof sum === 'number') return sum
  }
  return parseInt64(cellText(cell))
}

function decrementBy(ctx: CommandContext, words: readonly string[]): void {
  const amount = parseInt64(words[2]!)
  if (amount === INT64_MIN) throw errors.decrementOverflow
  // 0 - n, not -n: a negative zero would be encoded as something else.
  increment(ctx, words[1]!, typeof amount === 'number' ? 0 - amount : -amount)
}

function incrementByFloat(ctx: CommandContext, words: readonly string[]): void {
  const key = words[1]!
  const base = ctx.text(key)
  if (base !== undefined) parseDecimal(base, errors.notFinite, errors.notFloat)
  const delta = parseDecimal(words[2]!, errors.notFinite, errors.notFloat)
  ctx.write.increment(key, delta)
  ctx.out.bulk(ctx.text(key)!)
}

export const stringCommands = defineCommands([
  {
    name: 'get',
    arity: 2,
    flags: ['readonly', 'fast'],
    keys: ONE_KEY,
    group: 'string',
    since: '1.0.0',
    summary: 'Returns the string value of a key.',
    syntax: 'key',
    complexity: 'O(1)',
    run: (ctx, words) => ctx.out.bulkOrNil(ctx.text(words[1]!)),
  },
  {
    name: 'set',
    arity: -3,
    flags: ['write', 'denyoom'],
    keys: ONE_KEY,
    group: 'string',
    since: '1.0.0',
    summary: "Sets the string value of a key, ignoring its type. The key is created if it doesn't exist.",
    syntax:
      'key value [NX|XX] [GET] [EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT unix-time-milliseconds|KEEPTTL]',
    complexity: 'O(1)',
    run: set,
  },
  {
    name: 'setnx',
    arity: 3,
    flags: ['write', 'denyoom', 'fast'],
    keys: ONE_KEY,
    uses: ['W'],
    group: 'string',
    since: '1.0.0',
    summary: "Sets the string value of a key only when the key doesn't exist.",
    syntax: 'key value',
    complexity: 'O(1)',
    run: setNx,
  },
  {
    name: 'setex',
    arity: 4,
    flags: ['write', 'denyoom'],
    keys: ONE_KEY,
    uses: ['W'],
    group: 'string',
    since: '2.0.0',
    summary: "Sets the string value and expiration time of a key. Creates the key if it doesn't exist.",
    syntax: 'key seconds value',
    complexity: 'O(1)',
    run: setWithExpiry(SECONDS, 'setex'),
  },
  {
    name: 'psetex',
    arity: 4,
    flags: ['write', 'denyoom'],
    keys: ONE_KEY,
    uses: ['W'],
    group: 'string',
    since: '2.6.0',
    summary: 'Sets both string value and expiration time in milliseconds of a key.',
    syntax: 'key milliseconds value',
    complexity: 'O(1)',
    run: setWithExpiry(MILLISECONDS, 'psetex'),
  },
  {
    name: 'getset',
    arity: 3,
    flags: ['write', 'denyoom', 'fast'],
    keys: ONE_KEY,
    group: 'string',
    since: '1.0.0',
    summary: 'Returns the previous string value of a key after setting it to a new value.',
    syntax: 'key value',
    complexity: 'O(1)',
    run: (ctx, words) => {
      const old = ctx.text(words[1]!)
      ctx.write.set(words[1]!, words[2]!)
      ctx.out.bulkOrNil(old)
    },
  },
  {
    name: 'getdel',
    arity: 2,
    flags: ['write', 'fast'],
    keys: ONE_KEY,
    group: 'string',
    since: '6.2.0',
    summary: 'Returns the string value of a key after deleting the key.',
    syntax: 'key',
    complexity: 'O(1)',
    run: (ctx, words) => {
      const old = ctx.text(words[1]!)
      if (old !== undefined) ctx.write.clear(words[1]!)
      ctx.out.bulkOrNil(old)
    },
  },
  {
    name: 'getex',
    arity: -2,
    flags: ['write', 'fast'],
    keys: ONE_KEY,
    group: 'string',
    since: '6.2.0',
    summary: 'Returns the string value of a key after setting its expiration time.',
    syntax: 'key [EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT unix-time-milliseconds|PERSIST]',
    complexity: 'O(1)',
    run: getEx,
  },
  {
    name: 'mget',
    arity: -2,
    flags: ['readonly', 'fast'],
    keys: ALL_KEYS,
    request: 'multi_shard',
    group: 'string',
    since: '1.0.0',
    summary: 'Atomically returns the string values of one or more keys.',
    syntax: 'key [key ...]',
    complexity: 'O(N) where N is the number of keys to retrieve.',
    run: mget,
  },
  {
    name: 'mset',
    arity: -3,
    flags: ['write', 'denyoom'],
    keys: EVERY_OTHER,
    uses: ['W'],
    request: 'multi_shard',
    response: 'all_succeeded',
    group: 'string',
    since: '1.0.1',
    summary: 'Atomically creates or modifies the string values of one or more keys.',
    syntax: 'key value [key value ...]',
    complexity: 'O(N) where N is the number of keys to set.',
    run: (ctx, words) => {
      checkPairs(words, 'mset')
      writePairs(ctx, words)
      ctx.out.ok()
    },
  },
  {
    name: 'msetnx',
    arity: -3,
    flags: ['write', 'denyoom'],
    keys: EVERY_OTHER,
    uses: ['W'],
    group: 'string',
    since: '1.0.1',
    summary: "Atomically modifies the string values of one or more keys only when all keys don't exist.",
    syntax: 'key value [key value ...]',
    complexity: 'O(N) where N is the number of keys to set.',
    run: msetNx,
  },
  {
    name: 'append',
    arity: 3,
    flags: ['write', 'denyoom', 'fast'],
    keys: ONE_KEY,
    uses: ['W'],
    group: 'string',
    since: '2.0.0',
    summary: "Appends a string to the value of a key. Creates the key if it doesn't exist.",
    // Redis's is O(1): it grows in place. Here the whole value is written, to the log too.
    syntax: 'key value',
    complexity: 'O(N) where N is the length of the resulting string.',
    run: append,
  },
  {
    name: 'strlen',
    arity: 2,
    flags: ['readonly', 'fast'],
    keys: ONE_KEY,
    uses: [''],
    group: 'string',
    since: '2.2.0',
    summary: 'Returns the length of a string value.',
    syntax: 'key',
    complexity: 'O(1)',
    run: (ctx, words) => ctx.out.integer((ctx.text(words[1]!) ?? '').length),
  },
  {
    name: 'getrange',
    arity: 4,
    flags: ['readonly'],
    keys: ONE_KEY,
    group: 'string',
    since: '2.4.0',
    summary: 'Returns a substring of the string stored at a key.',
    syntax: 'key start end',
    complexity: 'O(N) where N is the length of the returned string.',
    run: getRange,
  },
  {
    name: 'substr',
    arity: 4,
    flags: ['readonly'],
    keys: ONE_KEY,
    group: 'string',
    since: '1.0.0',
    summary: 'Returns a substring from a string value.',
    syntax: 'key start end',
    complexity: 'O(N) where N is the length of the returned string.',
    run: getRange,
  },
  {
    name: 'setrange',
    arity: 4,
    flags: ['write', 'denyoom'],
    keys: ONE_KEY,
    uses: ['W'],
    group: 'string',
    since: '2.2.0',
    summary:
      "Overwrites a part of a string value with another by an offset. Creates the key if it doesn't exist.",
    syntax: 'key offset value',
    complexity: 'O(N) where N is the length of the resulting string.',
    run: setRange,
  },
  {
    name: 'incr',
    arity: 2,
    flags: ['write', 'denyoom', 'fast'],
    keys: ONE_KEY,
    group: 'string',
    since: '1.0.0',
    summary:
      "Increments the integer value of a key by one. Uses 0 as initial value if the key doesn't exist.",
    syntax: 'key',
    complexity: 'O(1)',
    run: (ctx, words) => increment(ctx, words[1]!, 1),
  },
  {
    name: 'decr',
    arity: 2,
    flags: ['write', 'denyoom', 'fast'],
    keys: ONE_KEY,
    group: 'string',
    since: '1.0.0',
    summary:
      "Decrements the integer value of a key by one. Uses 0 as initial value if the key doesn't exist.",
    syntax: 'key',
    complexity: 'O(1)',
    run: (ctx, words) => increment(ctx, words[1]!, -1),
  },
  {
    name: 'incrby',
    arity: 3,
    flags: ['write', 'denyoom', 'fast'],
    keys: ONE_KEY,
    group: 'string',
    since: '1.0.0',
    summary:
      "Increments the integer value of a key by a number. Uses 0 as initial value if the key doesn't exist.",
    syntax: 'key increment',
    complexity: 'O(1)',
    run: (ctx, words) => increment(ctx, words[1]!, parseInt64(words[2]!)),
  },
  {
    name: 'decrby',
    arity: 3,
    flags: ['write', 'denyoom', 'fast'],
    keys: ONE_KEY,
    group: 'string',
    since: '1.0.0',
    summary:
      "Decrements a number from the integer value of a key. Uses 0 as initial value if the key doesn't exist.",
    syntax: 'key decrement',
    complexity: 'O(1)',
    run: decrementBy,
  },
  {
    name: 'incrbyfloat',
    arity: 3,
    flags: ['write', 'denyoom', 'fast'],
    keys: ONE_KEY,
    group: 'string',
    since: '2.6.0',
    summary:
      "Increment the floating point value of a key by a number. Uses 0 as initial value if the key doesn't exist.",
    syntax: 'key increment:double',
    complexity: 'O(1)',
    run: incrementByFloat,
  },
])
