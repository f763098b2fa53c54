/**
 * hashes.ts: the commands on hashes.
 *
 * A field is an add-wins entry whose value follows the string rule: HSET writes a register, HINCRBY and
 * HINCRBYFLOAT add to a counter, HDEL takes what it saw of both.
 */
import { integerAmount } from '../../crdt/amount.ts'
import { cellText } from '../../crdt/cell.ts'
import type { HashState } from '../../crdt/hash-aw.ts'
import { errors } from '../errors.ts'
import { type CommandContext, defineCommands, ONE_KEY } from './command.ts'
import { drawDistinct, drawPosition, drawRepeated, PAIRED_COUNT_MAX, parseDrawCount } from './draws.ts'
import { globMatch } from './glob.ts'
import { addInt64, parseDecimal, parseInt64 } from './parse.ts'
import { parseCursor, parseScanOptions, scanNames, writeScanHead } from './scan.ts'

function hset(ctx: CommandContext, words: readonly string[]): void {
  ctx.out.integer(putPairs(ctx, words, 'hset'))
}

function hmset(ctx: CommandContext, words: readonly string[]): void {
  putPairs(ctx, words, 'hmset')
  ctx.out.ok()
}

/** Writes the pairs behind the key. @returns how many fields are new */
function putPairs(ctx: CommandContext, words: readonly string[], name: string): number {
  if (words.length % 2 === 1) throw errors.wrongArity(name)
  const key = words[1]!
  const hash = ctx.hash(key)
  if (words.length === 4) {
    const field = words[2]!
    const isNew = hash === undefined || !hash.fields.has(field)
    ctx.write.putFields(key, [field, words[3]!])
    return isNew ? 1 : 0
  }
  const values = new Map<string, string>()
  for (let i = 2; i < words.length; i += 2) values.set(words[i]!, words[i + 1]!)
  let added = 0
  for (const field of values.keys()) if (hash === undefined || !hash.fields.has(field)) added++
  const isUnique = values.size * 2 === words.length - 2
  ctx.write.putFields(key, isUnique ? words.slice(2) : [...values].flat())
  return added
}

function hsetnx(ctx: CommandContext, words: readonly string[]): void {
  const key = words[1]!
  const field = words[2]!
  const isNew = !(ctx.hash(key)?.fields.has(field) ?? false)
  if (isNew) ctx.write.putFields(key, [field, words[3]!])
  ctx.out.integer(isNew ? 1 : 0)
}

function hget(ctx: CommandContext, words: readonly string[]): void {
  ctx.out.bulkOrNil(ctx.hash(words[1]!)?.get(words[2]!))
}

function hmget(ctx: CommandContext, words: readonly string[]): void {
  const hash = ctx.hash(words[1]!)
  ctx.out.array(words.length - 2)
  for (let i = 2; i < words.length; i++) ctx.out.bulkOrNil(hash?.get(words[i]!))
}

function hgetall(ctx: CommandContext, words: readonly string[]): void {
  const hash = ctx.hash(words[1]!)
  ctx.out.map(hash?.size ?? 0)
  for (const [field, cell] of hash?.fields ?? []) {
    ctx.out.bulk(field)
    ctx.out.bulk(cellText(cell))
  }
}

function writePair(ctx: CommandContext, hash: HashState, field: string): void {
  ctx.out.bulk(field)
  ctx.out.bulk(hash.get(field)!)
}

function hkeys(ctx: CommandContext, words: readonly string[]): void {
  const hash = ctx.hash(words[1]!)
  ctx.out.array(hash?.size ?? 0)
  if (hash !== undefined) for (const field of hash.fields.keys()) ctx.out.bulk(field)
}

function hvals(ctx: CommandContext, words: readonly string[]): void {
  const hash = ctx.hash(words[1]!)
  ctx.out.array(hash?.size ?? 0)
  for (const cell of hash?.fields.values() ?? []) ctx.out.bulk(cellText(cell))
}

function hdel(ctx: CommandContext, words: readonly string[]): void {
  const key = words[1]!
  const hash = ctx.hash(key)
  if (hash === undefined) {
    ctx.out.integer(0)
    return
  }
  if (words.length === 3) {
    const isThere = hash.fields.has(words[2]!)
    if (isThere) ctx.write.removeFields(key, [words[2]!])
    ctx.out.integer(isThere ? 1 : 0)
    return
  }
  const present = new Set<string>()
  for (let i = 2; i < words.length; i++) if (hash.fields.has(words[i]!)) present.add(words[i]!)
  if (present.size > 0) ctx.write.removeFields(key, [...present])
  ctx.out.integer(present.size)
}

function hlen(ctx: CommandContext, words: readonly string[]): void {
  ctx.out.integer(ctx.hash(words[1]!)?.size ?? 0)
}

function hexists(ctx: CommandContext, words: readonly string[]): void {
  ctx.out.integer(ctx.hash(words[1]!)?.fields.has(words[2]!) ? 1 : 0)
}

function hstrlen(ctx: CommandContext, words: readonly string[]): void {
  ctx.out.integer(ctx.hash(words[1]!)?.get(words[2]!)?.length ?? 0)
}

function hincrby(ctx: CommandContext, words: readonly string[]): void {
  const key = words[1]!
  const field = words[2]!
  const delta = parseInt64(words[3]!)
  const text = ctx.hash(key)?.get(field)
  const value = text === undefined ? 0 : parseInt64(text, errors.hashNotInteger)
  const sum = addInt64(value, delta)
  if (sum === undefined) throw errors.overflow
  ctx.write.incrementField(key, field, integerAmount(delta))
  // The exact sum may lie beyond the edge at which a large value was shown, so that one is read again.
  ctx.out.integer(typeof value === 'number' ? sum : parseInt64(ctx.hash(key)!.get(field)!))
}

function hincrbyfloat(ctx: CommandContext, words: readonly string[]): void {
  const key = words[1]!
  const field = words[2]!
  const delta = parseDecimal(words[3]!, errors.floatNotFinite, errors.notFloat)
  const text = ctx.hash(key)?.get(field)
  if (text !== undefined) parseDecimal(text, errors.notFinite, errors.hashNotFloat)
  ctx.write.incrementField(key, field, delta)
  ctx.out.bulk(ctx.hash(key)!.get(field)!)
}

function hrandfield(ctx: CommandContext, words: readonly string[]): void {
  const key = words[1]!
  if (words.length === 2) {
    const hash = ctx.hash(key)
    if (hash === undefined) ctx.out.nil()
    else ctx.out.bulk(hash.index.at(drawPosition(hash.size, ctx.random)))
    return
  }
  const count = parseDrawCount(words[2]!)
  const withValues = words.length === 4 && words[3]!.toLowerCase() === 'withvalues'
  if (words.length > 3 && !withValues) throw errors.syntax
  if (withValues && Math.abs(count) >= PAIRED_COUNT_MAX) throw errors.valueOutOfRange
  const hash = ctx.hash(key)
  const fields = hash === undefined || count === 0 ? [] : drawFields(hash, count, ctx.random)
  const isNested = withValues && ctx.out.protocol === 3
  ctx.out.array(withValues && !isNested ? 2 * fields.length : fields.length)
  for (const field of fields) {
    if (isNested) ctx.out.array(2)
    if (withValues) writePair(ctx, hash!, field)
    else ctx.out.bulk(field)
  }
}

function drawFields(hash: HashState, count: number, random: () => number): string[] {
  if (count >= hash.size) return [...hash.fields.keys()]
  const { index, size } = hash
  const positions = count < 0 ? drawRepeated(size, -count, random) : drawDistinct(size, count, random)
  return positions.map((position) => index.at(position))
}

function hscan(ctx: CommandContext, words: readonly string[]): void {
  const { out } = ctx
  const start = parseCursor(words[2]!)
  const hash = ctx.hash(words[1]!)
  if (hash === undefined) {
    // Redis answers before it looks at the options.
    writeScanHead(out, 0, 0)
    return
  }
  const { count, match } = parseScanOptions(words, 3)
  const { names, cursor } = scanNames(hash.fields, hash, start, count)
  const fields = match === undefined ? names : names.filter((field) => globMatch(match, field))
  writeScanHead(out, cursor, 2 * fields.length)
  for (const field of fields) writePair(ctx, hash, field)
}

export const hashCommands = defineCommands([
  {
    name: 'hset',
    arity: -4,
    flags: ['write', 'denyoom', 'fast'],
    keys: ONE_KEY,
    uses: ['W'],
    group: 'hash',
    since: '2.0.0',
    summary: 'Creates or modifies the value of a field in a hash.',
    syntax: 'key field value [field value ...]',
    complexity:
      'O(1) for each field/value pair added, so O(N) to add N field/value pairs when the command is called with multiple field/value pairs.',
    run: hset,
  },
  {
    name: 'hmset',
    arity: -4,
    flags: ['write', 'denyoom', 'fast'],
    keys: ONE_KEY,
    uses: ['W'],
    group: 'hash',
    since: '2.0.0',
    summary: 'Sets the values of multiple fields.',
    syntax: 'key field value [field value ...]',
    complexity: 'O(N) where N is the number of fields being set.',
    run: hmset,
  },
  {
    name: 'hsetnx',
    arity: 4,
    flags: ['write', 'denyoom', 'fast'],
    keys: ONE_KEY,
    uses: ['W'],
    group: 'hash',
    since: '2.0.0',
    summary: "Sets the value of a field in a hash only when the field doesn't exist.",
    syntax: 'key field value',
    complexity: 'O(1)',
    run: hsetnx,
  },
  {
    name: 'hget',
    arity: 3,
    flags: ['readonly', 'fast'],
    keys: ONE_KEY,
    group: 'hash',
    since: '2.0.0',
    summary: 'Returns the value of a field in a hash.',
    syntax: 'key field',
    complexity: 'O(1)',
    run: hget,
  },
  {
    name: 'hmget',
    arity: -3,
    flags: ['readonly', 'fast'],
    keys: ONE_KEY,
    group: 'hash',
    since: '2.0.0',
    summary: 'Returns the values of all fields in a hash.',
    syntax: 'key field [field ...]',
    complexity: 'O(N) where N is the number of fields being requested.',
    run: hmget,
  },
  {
    name: 'hgetall',
    arity: 2,
    flags: ['readonly'],
    keys: ONE_KEY,
    group: 'hash',
    since: '2.0.0',
    summary: 'Returns all fields and values in a hash.',
    syntax: 'key',
    complexity: 'O(N) where N is the size of the hash.',
    run: hgetall,
  },
  {
    name: 'hkeys',
    arity: 2,
    flags: ['readonly'],
    keys: ONE_KEY,
    group: 'hash',
    since: '2.0.0',
    summary: 'Returns all fields in a hash.',
    syntax: 'key',
    complexity: 'O(N) where N is the size of the hash.',
    run: hkeys,
  },
  {
    name: 'hvals',
    arity: 2,
    flags: ['readonly'],
    keys: ONE_KEY,
    group: 'hash',
    since: '2.0.0',
    summary: 'Returns all values in a hash.',
    syntax: 'key',
    complexity: 'O(N) where N is the size of the hash.',
    run: hvals,
  },
  {
    name: 'hdel',
    arity: -3,
    flags: ['write', 'fast'],
    keys: ONE_KEY,
    uses: ['W'],
    group: 'hash',
    since: '2.0.0',
    summary: 'Deletes one or more fields and their values from a hash. Deletes the hash if no fields remain.',
    syntax: 'key field [field ...]',
    complexity: 'O(N) where N is the number of fields to be removed.',
    run: hdel,
  },
  {
    name: 'hlen',
    arity: 2,
    flags: ['readonly', 'fast'],
    keys: ONE_KEY,
    uses: [''],
    group: 'hash',
    since: '2.0.0',
    summary: 'Returns the number of fields in a hash.',
    syntax: 'key',
    complexity: 'O(1)',
    run: hlen,
  },
  {
    name: 'hexists',
    arity: 3,
    flags: ['readonly', 'fast'],
    keys: ONE_KEY,
    uses: [''],
    group: 'hash',
    since: '2.0.0',
    summary: 'Determines whether a field exists in a hash.',
    syntax: 'key field',
    complexity: 'O(1)',
    run: hexists,
  },
  {
    name: 'hstrlen',
    arity: 3,
    flags: ['readonly', 'fast'],
    keys: ONE_KEY,
    uses: [''],
    group: 'hash',
    since: '3.2.0',
    summary: 'Returns the length of the value of a field.',
    syntax: 'key field',
    complexity: 'O(1)',
    run: hstrlen,
  },
  {
    name: 'hincrby',
    arity: 4,
    flags: ['write', 'denyoom', 'fast'],
    keys: ONE_KEY,
    group: 'hash',
    since: '2.0.0',
    summary:
      "Increments the integer value of a field in a hash by a number. Uses 0 as initial value if the field doesn't exist.",
    syntax: 'key field increment',
    complexity: 'O(1)',
    run: hincrby,
  },
  {
    name: 'hincrbyfloat',
    arity: 4,
    flags: ['write', 'denyoom', 'fast'],
    keys: ONE_KEY,
    group: 'hash',
    since: '2.6.0',
    summary:
      "Increments the floating point value of a field by a number. Uses 0 as initial value if the field doesn't exist.",
    syntax: 'key field increment:double',
    complexity: 'O(1)',
    run: hincrbyfloat,
  },
  {
    name: 'hrandfield',
    arity: -2,
    flags: ['readonly'],
    keys: ONE_KEY,
    group: 'hash',
    since: '6.2.0',
    summary: 'Returns one or more random fields from a hash.',
    syntax: 'key [count [WITHVALUES]]',
    complexity: 'O(N) where N is the number of fields returned',
    run: hrandfield,
  },
  {
    name: 'hscan',
    arity: -3,
    flags: ['readonly'],
    keys: ONE_KEY,
    group: 'hash',
    since: '2.8.0',
    summary: 'Iterates over fields and values of a hash.',
    syntax: 'key cursor [MATCH pattern] [COUNT count]',
    complexity:
      'O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection.',
    run: hscan,
  },
])
