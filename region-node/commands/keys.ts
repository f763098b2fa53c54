/**
 * keys.ts: commands on keys of any type: existence, types, walks, and moving values about.
 *
 * RENAME, COPY and MOVE write what the source shows at the destination as new writes, after an
 * observed-remove of what the destination held, all in one op (semantics.md, Key-level rules). SWAPDB is
 * the same for two whole databases, where no other region can be in the middle of writing to them.
 */
import { assert } from '../../crdt/assert.ts'
import { cellText, ManyCell } from '../../crdt/cell.ts'
import { HashState } from '../../crdt/hash-aw.ts'
import { HllState } from '../../crdt/hll.ts'
import { deadlineOf, type KeyEntry, visibleState } from '../../crdt/key.ts'
import { ListState } from '../../crdt/list-fugue.ts'
import { Register } from '../../crdt/register.ts'
import { SetState } from '../../crdt/set-aw.ts'
import type { TypedState } from '../../crdt/state.ts'
import { StreamState } from '../../crdt/stream.ts'
import { ZsetState } from '../../crdt/zset-aw.ts'
import { type CommandError, errors } from '../errors.ts'
import { type CommandContext, defineCommands, NO_KEYS, ONE_KEY } from './command.ts'
import { globMatch } from './glob.ts'
import { parseInt64, parseWithin } from './parse.ts'
import { parseCursor, parseScanOptions, scanKeys, writeScanHead } from './scan.ts'
import { type ShownStream, shownStream, streamBytes, writeStream } from './streams-moving.ts'

function del(ctx: CommandContext, words: readonly string[]): void {
  let removed = 0
  for (let i = 1; i < words.length; i++) if (ctx.write.clear(words[i]!)) removed++
  ctx.out.integer(removed)
}

/** EXISTS and TOUCH: a key named twice counts twice. */
function exists(ctx: CommandContext, words: readonly string[]): void {
  let count = 0
  for (let i = 1; i < words.length; i++) if (ctx.entry(words[i]!) !== undefined) count++
  ctx.out.integer(count)
}

function type(ctx: CommandContext, words: readonly string[]): void {
  const state = ctx.state(words[1]!)
  ctx.out.simple(state === undefined ? 'none' : typeNameOf(state))
}

/** As clients know it: a HyperLogLog is a string to them. */
function typeNameOf({ type }: TypedState): string {
  return type === 'hll' ? 'string' : type
}

/** A stored entry is a key that reads can see. */
function isShown(ctx: CommandContext, entry: KeyEntry): boolean {
  return visibleState(entry) !== undefined && !ctx.isDue(entry)
}

function keys(ctx: CommandContext, words: readonly string[]): void {
  const pattern = words[1]!
  const matchesAll = pattern === '*'
  const found: string[] = []
  for (const [key, entry] of ctx.keyspace.db(ctx.db).entries()) {
    if ((matchesAll || globMatch(pattern, key)) && isShown(ctx, entry)) found.push(key)
  }
  ctx.out.words(found)
}

function scan(ctx: CommandContext, words: readonly string[]): void {
  const start = parseCursor(words[1]!)
  const { count, match, type } = parseScanOptions(words, 2, true)
  const { names, cursor } = scanKeys(ctx.keyspace.db(ctx.db), start, count)
  const found = names.filter((key) => {
    if (match !== undefined && !globMatch(match, key)) return false
    const state = ctx.state(key)
    return state !== undefined && (type === undefined || typeNameOf(state) === type)
  })
  writeScanHead(ctx.out, cursor, found.length)
  for (const key of found) ctx.out.bulk(key)
}

function randomkey(ctx: CommandContext): void {
  const database = ctx.keyspace.db(ctx.db)
  ctx.out.bulkOrNil(database.randomKey(ctx.nowMs, ctx.random, (entry) => isShown(ctx, entry)))
}

const NEVER = Number.POSITIVE_INFINITY

/** What a key shows, taken out of its state, which the writes to come may change in place. */
export type ShownValue =
  | { readonly type: 'string'; readonly text: string }
  | { readonly type: 'hll'; readonly text: string }
  | {
      readonly type: 'hash'
      readonly pairs: readonly string[]
      /** Fields with a deadline of their own, by that. */
      readonly deadlines?: ReadonlyMap<number, readonly string[]>
    }
  | { readonly type: 'set'; readonly members: readonly string[] }
  | ShownStream
  | { readonly type: 'list'; readonly elements: readonly string[] }
  | { readonly type: 'zset'; readonly members: readonly string[]; readonly scores: readonly number[] }

export function shownValue(entry: KeyEntry): ShownValue {
  const state = visibleState(entry)
  if (state instanceof Register || state instanceof ManyCell) return { type: 'string', text: cellText(state) }
  if (state instanceof SetState) return { type: 'set', members: [...state.members.keys()] }
  if (state instanceof ZsetState) return { type: 'zset', ...state.order.slice(0, state.size) }
  if (state instanceof ListState) return { type: 'list', elements: state.slice(0, state.size) }
  if (state instanceof HllState) return { type: 'hll', text: state.text() }
  if (state instanceof StreamState) return shownStream(state)
  assert(state instanceof HashState, 'a key that is shown is of a known type')
  const pairs: string[] = []
  const deadlines = new Map<number, string[]>()
  for (const [field, cell] of state.fields) {
    pairs.push(field, cellText(cell))
    const deadlineMs = state.timed === undefined ? NEVER : state.deadlineOf(field)
    if (deadlineMs === NEVER) continue
    const alike = deadlines.get(deadlineMs)
    if (alike === undefined) deadlines.set(deadlineMs, [field])
    else alike.push(field)
  }
  return { type: 'hash', pairs, deadlines }
}

/** Puts a value and a deadline in place of whatever the key holds. */
export function replace(
  ctx: CommandContext,
  key: string,
  db: number,
  value: ShownValue,
  deadlineMs: number,
): void {
  if (value.type === 'string') {
    ctx.write.set(key, value.text, deadlineMs, db)
    return
  }
  ctx.write.clear(key, db)
  if (value.type === 'hll') ctx.write.hll.join(key, value.text, db)
  else if (value.type === 'stream') writeStream(ctx.write.stream, key, db, value)
  else if (value.type === 'hash') writeHash(ctx, key, db, value)
  else if (value.type === 'list') ctx.write.list.push(key, value.elements, false, db)
  else if (value.type === 'zset') ctx.write.zset.add(key, value.members, value.scores, db)
  else ctx.write.addMembers(key, value.members, db)
  if (deadlineMs !== Number.POSITIVE_INFINITY) ctx.write.setDeadline(key, deadlineMs, db)
}

function writeHash(
  { write }: CommandContext,
  key: string,
  db: number,
  { pairs, deadlines }: Extract<ShownValue, { type: 'hash' }>,
): void {
  write.putFields(key, pairs, db)
  for (const [deadlineMs, fields] of deadlines ?? []) write.setFieldDeadline(key, fields, deadlineMs, db)
}

function rename(ctx: CommandContext, words: readonly string[]): void {
  move(ctx, words[1]!, words[2]!, true)
  ctx.out.ok()
}

function renamenx(ctx: CommandContext, words: readonly string[]): void {
  ctx.out.integer(move(ctx, words[1]!, words[2]!, false) ? 1 : 0)
}

/** @returns false when the destination is taken and not to be replaced */
function move(ctx: CommandContext, from: string, to: string, replaces: boolean): boolean {
  const entry = ctx.entry(from)
  if (entry === undefined) throw errors.noSuchKey
  if (from === to) return replaces
  if (!replaces && ctx.entry(to) !== undefined) return false
  const value = shownValue(entry)
  const deadlineMs = deadlineOf(entry)
  ctx.write.clear(from)
  replace(ctx, to, ctx.db, value, deadlineMs)
  return true
}

function copy(ctx: CommandContext, words: readonly string[]): void {
  const { db, replaces } = parseCopyOptions(ctx, words)
  const from = words[1]!
  const to = words[2]!
  if (db !== 0 && ctx.services.topology !== undefined) throw errors.copyInCluster
  if (from === to && db === ctx.db) throw errors.sameObject
  const entry = ctx.entry(from)
  const isDone = entry !== undefined && (replaces || ctx.entry(to, db) === undefined)
  if (isDone) replace(ctx, to, db, shownValue(entry), deadlineOf(entry))
  ctx.out.integer(isDone ? 1 : 0)
}

function moveToDb(ctx: CommandContext, words: readonly string[]): void {
  if (ctx.services.topology !== undefined) throw errors.notInCluster('MOVE')
  const key = words[1]!
  const db = Number(parseWithin(words[2]!, -INT32_MAX - 1n, INT32_MAX))
  if (db < 0 || db >= ctx.services.databaseCount) throw errors.dbOutOfRange
  if (db === ctx.db) throw errors.sameObject
  const entry = ctx.entry(key)
  const isDone = entry !== undefined && ctx.entry(key, db) === undefined
  if (isDone) {
    const value = shownValue(entry)
    const deadlineMs = deadlineOf(entry)
    ctx.write.clear(key)
    replace(ctx, key, db, value, deadlineMs)
  }
  ctx.out.integer(isDone ? 1 : 0)
}

/** A swap is one op, which holds all of both databases: most bytes of keys and values in it. */
const SWAP_BYTES_MAX = 64 * 1024 * 1024
/** What a key takes in it beyond its words, roughly. */
const SWAP_KEY_BYTES = 32

function swapdb(ctx: CommandContext, words: readonly string[]): void {
  if (ctx.services.topology !== undefined) throw errors.notInCluster('SWAPDB')
  const first = Number(parseInt32(words[1]!, errors.invalidFirstDb))
  const second = Number(parseInt32(words[2]!, errors.invalidSecondDb))
  const count = ctx.services.databaseCount
  if (first < 0 || first >= count || second < 0 || second >= count) throw errors.dbOutOfRange
  if (first !== second) swapDatabases(ctx, first, second)
  ctx.out.ok()
}

interface KeptKey {
  readonly key: string
  readonly value: ShownValue
  readonly deadlineMs: number
}

/** @throws CommandError when there are peers, or too much to swap */
function swapDatabases(ctx: CommandContext, first: number, second: number): void {
  // A region that writes to either of them meanwhile would find its write in the wrong one.
  if (ctx.services.links().length > 0) throw errors.swapWithPeers
  const inFirst = keysIn(ctx, first, SWAP_BYTES_MAX)
  const inSecond = keysIn(ctx, second, SWAP_BYTES_MAX - inFirst.bytes)
  ctx.write.flush(first)
  ctx.write.flush(second)
  for (const { key, value, deadlineMs } of inFirst.keys) replace(ctx, key, second, value, deadlineMs)
  for (const { key, value, deadlineMs } of inSecond.keys) replace(ctx, key, first, value, deadlineMs)
}

/** All that a database shows. @throws CommandError when it is more than `bytesMax` */
function keysIn(ctx: CommandContext, db: number, bytesMax: number): { keys: KeptKey[]; bytes: number } {
  const keys: KeptKey[] = []
  let bytes = 0
  for (const [key, entry] of ctx.keyspace.db(db).entries()) {
    if (!isShown(ctx, entry)) continue
    const value = shownValue(entry)
    keys.push({ key, value, deadlineMs: deadlineOf(entry) })
    bytes += SWAP_KEY_BYTES + key.length + wordBytes(value)
    if (bytes > bytesMax) throw errors.swapTooLarge
  }
  return { keys, bytes }
}

function wordBytes(value: ShownValue): number {
  if (value.type === 'string' || value.type === 'hll') return value.text.length
  if (value.type === 'stream') return streamBytes(value)
  const words = value.type === 'hash' ? value.pairs : value.type === 'list' ? value.elements : value.members
  return words.reduce((bytes, word) => bytes + word.length, 0)
}

const INT32_MAX = 2n ** 31n - 1n

/** A database index, which may still be none of those there are. @throws CommandError */
function parseInt32(word: string, otherwise: CommandError): number | bigint {
  const value = parseInt64(word, otherwise)
  if (value > INT32_MAX || value < -INT32_MAX - 1n) throw otherwise
  return value
}

function parseCopyOptions(ctx: CommandContext, words: readonly string[]): { db: number; replaces: boolean } {
  let { db } = ctx
  let replaces = false
  for (let at = 3; at < words.length; at++) {
    const option = words[at]!.toLowerCase()
    if (option === 'replace') {
      replaces = true
    } else if (option === 'db' && at + 1 < words.length) {
      at++
      db = Number(parseWithin(words[at]!, -INT32_MAX - 1n, INT32_MAX))
      if (db < 0 || db >= ctx.services.databaseCount) throw errors.dbOutOfRange
    } else {
      throw errors.syntax
    }
  }
  return { db, replaces }
}

/** DEL and its like: every word behind the name is a key. */
const ALL_KEYS = { first: 1, last: -1, step: 1 }
const TWO_KEYS = { first: 1, last: 2, step: 1 }

export const keyCommands = defineCommands([
  {
    name: 'del',
    arity: -2,
    flags: ['write'],
    keys: ALL_KEYS,
    uses: ['W'],
    request: 'multi_shard',
    response: 'agg_sum',
    group: 'generic',
    since: '1.0.0',
    summary: 'Deletes one or more keys.',
    syntax: 'key [key ...]',
    complexity:
      'O(N) where N is the number of keys that will be removed. When a key to remove holds a value other than a string, the individual complexity for this key is O(M) where M is the number of elements in the list, set, sorted set or hash. Removing a single key that holds a string value is O(1).',
    run: del,
  },
  {
    name: 'unlink',
    arity: -2,
    flags: ['write', 'fast'],
    keys: ALL_KEYS,
    uses: ['W'],
    request: 'multi_shard',
    response: 'agg_sum',
    group: 'generic',
    since: '4.0.0',
    summary: 'Asynchronously deletes one or more keys.',
    syntax: 'key [key ...]',
    complexity:
      'O(1) for each key removed regardless of its size. Then the command does O(N) work in a different thread in order to reclaim memory, where N is the number of allocations the deleted objects where composed of.',
    run: del,
  },
  {
    name: 'exists',
    arity: -2,
    flags: ['readonly', 'fast'],
    keys: ALL_KEYS,
    uses: [''],
    request: 'multi_shard',
    response: 'agg_sum',
    group: 'generic',
    since: '1.0.0',
    summary: 'Determines whether one or more keys exist.',
    syntax: 'key [key ...]',
    complexity: 'O(N) where N is the number of keys to check.',
    run: exists,
  },
  {
    name: 'touch',
    arity: -2,
    flags: ['readonly', 'fast'],
    keys: ALL_KEYS,
    uses: [''],
    request: 'multi_shard',
    response: 'agg_sum',
    group: 'generic',
    since: '3.2.1',
    summary:
      'Returns the number of existing keys out of those specified after updating the time they were last accessed.',
    syntax: 'key [key ...]',
    complexity: 'O(N) where N is the number of keys that will be touched.',
    run: exists,
  },
  {
    name: 'type',
    arity: 2,
    flags: ['readonly', 'fast'],
    keys: ONE_KEY,
    uses: [''],
    group: 'generic',
    since: '1.0.0',
    summary: 'Determines the type of value stored at a key.',
    syntax: 'key',
    complexity: 'O(1)',
    run: type,
  },
  {
    name: 'keys',
    arity: 2,
    categories: ['keyspace', 'dangerous'],
    flags: ['readonly'],
    keys: NO_KEYS,
    request: 'all_shards',
    group: 'generic',
    since: '1.0.0',
    summary: 'Returns all key names that match a pattern.',
    syntax: 'pattern',
    complexity:
      'O(N) with N being the number of keys in the database, under the assumption that the key names in the database and the given pattern have limited length.',
    run: keys,
  },
  {
    name: 'scan',
    arity: -2,
    flags: ['readonly'],
    keys: NO_KEYS,
    request: 'special',
    response: 'special',
    group: 'generic',
    since: '2.8.0',
    summary: 'Iterates over the key names in the database.',
    syntax: 'cursor [MATCH pattern] [COUNT count] [TYPE type]',
    complexity:
      'O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection.',
    run: scan,
  },
  {
    name: 'randomkey',
    arity: 1,
    flags: ['readonly'],
    keys: NO_KEYS,
    request: 'all_shards',
    response: 'special',
    group: 'generic',
    since: '1.0.0',
    summary: 'Returns a random key name from the database.',
    complexity: 'O(1)',
    run: randomkey,
  },
  {
    name: 'rename',
    arity: 3,
    flags: ['write'],
    keys: TWO_KEYS,
    uses: ['RW', 'W'],
    group: 'generic',
    since: '1.0.0',
    summary: 'Renames a key and overwrites the destination.',
    syntax: 'key newkey',
    complexity: 'O(1)',
    run: rename,
  },
  {
    name: 'renamenx',
    arity: 3,
    flags: ['write', 'fast'],
    keys: TWO_KEYS,
    uses: ['RW', 'W'],
    group: 'generic',
    since: '1.0.0',
    summary: "Renames a key only when the target key name doesn't exist.",
    syntax: 'key newkey',
    complexity: 'O(1)',
    run: renamenx,
  },
  {
    name: 'copy',
    arity: -3,
    flags: ['write', 'denyoom'],
    keys: TWO_KEYS,
    uses: ['R', 'W'],
    group: 'generic',
    since: '6.2.0',
    summary: 'Copies the value of a key to a new key.',
    syntax: 'source destination [DB destination-db] [REPLACE]',
    complexity:
      'O(N) worst case for collections, where N is the number of nested items. O(1) for string values.',
    run: copy,
  },
  {
    name: 'move',
    arity: 3,
    flags: ['write', 'fast'],
    keys: ONE_KEY,
    group: 'generic',
    since: '1.0.0',
    summary: 'Moves a key to another database.',
    syntax: 'key db',
    complexity: 'O(1)',
    run: moveToDb,
  },
  {
    name: 'swapdb',
    arity: 3,
    categories: ['keyspace', 'dangerous'],
    flags: ['write', 'fast'],
    keys: NO_KEYS,
    group: 'server',
    since: '4.0.0',
    summary: 'Swaps two Redis databases.',
    // Redis's is O(1) but for its watchers. Here every key is written anew, in one op.
    syntax: 'index1 index2',
    complexity: 'O(N) where N is the number of keys and elements in both databases.',
    run: swapdb,
  },
])
