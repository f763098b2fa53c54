/**
 * streams.ts: commands on the entries of a stream: add, look, remove, trim.
 *
 * Generated ids carry the number of the region in their sequence, so no two regions make the same one;
 * `stream-id-mode` says which ids a client may give (semantics.md, Stream). A stream whose last entry goes and that
 * has no groups does not exist any more, and forgets its last id.
 */
import type { StreamEntry, StreamState } from '../../crdt/stream.ts'
import {
  compareIds,
  generatedId,
  generatedSequence,
  ID_MIN,
  idText,
  nextId,
  type StreamId,
  U64_MAX,
} from '../../crdt/stream-id.ts'
import { commandError, errors } from '../errors.ts'
import { type CommandContext, defineCommands, ONE_KEY } from './command.ts'
import { parseCount } from './parse.ts'
import {
  type GivenId,
  parseEnd,
  parseGivenId,
  parseId,
  parseStart,
  parseTrimOptions,
  type Trimming,
  trimmedCount,
  writeEntries,
} from './streams-args.ts'

const idIsZero = commandError('ERR The ID specified in XADD must be greater than 0-0')
const idNotAbove = commandError(
  'ERR The ID specified in XADD is equal or smaller than the target stream top item',
)
const noIdsLeft = commandError('ERR The stream has exhausted the last possible ID, unable to add more items')
const fullIdRefused = commandError(
  'ERR Full stream IDs are refused while stream-id-mode is strict: give *, <ms> or <ms>-*',
)

function xadd(ctx: CommandContext, words: readonly string[]): void {
  const { trimming, noMkstream, end } = parseTrimOptions(words, true)
  const fieldsAt = end + 1
  if (words.length - fieldsAt < 2 || (words.length - fieldsAt) % 2 === 1) throw errors.wrongArity('xadd')
  const word = words[end]!
  const given = word === '*' ? undefined : parseGivenId(word)
  if (given?.ms === 0 && given.sequence === 0 && !isCompleted(ctx, given)) throw idIsZero
  const key = words[1]!
  const stream = ctx.stream(key)
  if (stream === undefined && noMkstream) {
    ctx.out.nil()
    return
  }
  const last = stream?.lastId ?? ID_MIN
  if (last.ms === U64_MAX && last.sequence === U64_MAX) throw noIdsLeft
  const id =
    given === undefined
      ? generatedId(Math.trunc(ctx.nowMs), last, ctx.write.stream.region)
      : completedId(ctx, given, last)
  if (id === undefined || compareIds(id, last) <= 0) throw idNotAbove
  ctx.write.stream.add(key, id, words.slice(fieldsAt))
  if (trimming !== undefined) trim(ctx, key, ctx.stream(key)!, trimming)
  ctx.out.bulk(idText(id))
}

/** The id has no sequence, and is given the one of the region. */
function isCompleted({ services }: CommandContext, { isPartial }: GivenId): boolean {
  return isPartial && services.streamIdMode !== 'liberal'
}

/** What stands for the id that a client gave a part of. @returns undefined when none is above `last` */
function completedId(ctx: CommandContext, given: GivenId, last: StreamId): StreamId | undefined {
  const { ms, sequence, isPartial } = given
  const mode = ctx.services.streamIdMode
  const isLast = last.ms === ms
  if (mode === 'liberal') {
    if (sequence !== undefined) return { ms, sequence }
    return isLast ? within(ms, nextId(last)) : { ms, sequence: 0 }
  }
  const { region } = ctx.write.stream
  if (isPartial) return { ms, sequence: region }
  if (sequence === undefined) {
    const made = isLast ? generatedSequence(last.sequence, region) : region
    return made === undefined ? undefined : { ms, sequence: made }
  }
  if (mode === 'strict') throw fullIdRefused
  return { ms, sequence }
}

function within(ms: StreamId['ms'], id: StreamId | undefined): StreamId | undefined {
  return id?.ms === ms ? id : undefined
}

/** @returns how many entries went */
function trim(ctx: CommandContext, key: string, stream: StreamState, trimming: Trimming): number {
  const { maxlen, minId } = trimming
  const { entries, size } = stream
  const excess = maxlen === undefined ? entries.countBelow(minId) : Math.max(0, size - maxlen)
  const count = trimmedCount(trimming, excess, size)
  if (count > 0) ctx.write.stream.trim(key, entries.nth(count - 1)!)
  return count
}

function xtrim(ctx: CommandContext, words: readonly string[]): void {
  const { trimming } = parseTrimOptions(words, false)
  const key = words[1]!
  const stream = ctx.stream(key)
  ctx.out.integer(stream === undefined ? 0 : trim(ctx, key, stream, trimming!))
}

function xlen(ctx: CommandContext, words: readonly string[]): void {
  ctx.out.integer(ctx.stream(words[1]!)?.size ?? 0)
}

/** XRANGE and XREVRANGE. */
function range(ctx: CommandContext, words: readonly string[], isBack: boolean): void {
  const start = parseStart(words[isBack ? 3 : 2]!)
  const end = parseEnd(words[isBack ? 2 : 3]!)
  let count = Number.POSITIVE_INFINITY
  for (let at = 4; at < words.length; at += 2) {
    if (words[at]!.toLowerCase() !== 'count' || at + 1 === words.length) throw errors.syntax
    count = Math.max(0, parseCount(words[at + 1]!))
  }
  const stream = ctx.stream(words[1]!)
  if (stream === undefined) ctx.out.array(0)
  else if (count === 0) ctx.out.nilArray()
  else writeEntries(ctx.out, entriesIn(stream, start, end, count, isBack))
}

function entriesIn(
  { entries }: StreamState,
  start: StreamId,
  end: StreamId,
  count: number,
  isBack: boolean,
): StreamEntry[] {
  return isBack ? entries.rangeBack(start, end, count) : entries.range(start, end, count)
}

function xdel(ctx: CommandContext, words: readonly string[]): void {
  const key = words[1]!
  const stream = ctx.stream(key)
  if (stream === undefined) {
    ctx.out.integer(0)
    return
  }
  const found: StreamId[] = []
  const names = new Set<string>()
  let removed = 0
  for (const id of words.slice(2).map(parseId)) {
    const name = idText(id)
    if (names.has(name)) continue
    names.add(name)
    const entries = stream.entries.range(id, id, Number.POSITIVE_INFINITY)
    removed += entries.length
    if (entries.length > 0) found.push(id)
  }
  if (found.length > 0) ctx.write.stream.remove(key, found)
  ctx.out.integer(removed)
}

const entriesAddedNegative = commandError('ERR entries_added must be positive')
const belowGivenDeleted = commandError(
  'ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id',
)
const belowDeleted = commandError(
  'ERR The ID specified in XSETID is smaller than current max_deleted_entry_id',
)
const belowTop = commandError('ERR The ID specified in XSETID is smaller than the target stream top item')
const fewerThanLength = commandError(
  'ERR The entries_added specified in XSETID is smaller than the target stream length',
)

function xsetid(ctx: CommandContext, words: readonly string[]): void {
  const id = parseId(words[2]!)
  let entriesAdded: number | undefined
  let maxDeleted = ID_MIN
  for (let at = 3; at < words.length; at += 2) {
    const option = words[at]!.toLowerCase()
    const value = words[at + 1]
    if (option === 'entriesadded' && value !== undefined) {
      entriesAdded = Math.min(parseCount(value), Number.MAX_SAFE_INTEGER)
      if (entriesAdded < 0) throw entriesAddedNegative
    } else if (option === 'maxdeletedid' && value !== undefined) {
      maxDeleted = parseId(value)
      if (compareIds(id, maxDeleted) < 0) throw belowGivenDeleted
    } else {
      throw errors.syntax
    }
  }
  const key = words[1]!
  const stream = ctx.stream(key)
  if (stream === undefined) throw errors.noSuchKey
  if (compareIds(id, stream.maxDeletedId) < 0) throw belowDeleted
  const top = stream.entries.last
  if (top !== undefined && compareIds(id, top) < 0) throw belowTop
  if (top !== undefined && entriesAdded !== undefined && entriesAdded < stream.size) throw fewerThanLength
  const maxDeletedId = compareIds(maxDeleted, ID_MIN) === 0 ? stream.maxDeletedId : maxDeleted
  ctx.write.stream.setHints(key, id, entriesAdded ?? stream.entriesAdded, maxDeletedId)
  ctx.out.ok()
}

export const streamCommands = defineCommands([
  {
    name: 'xadd',
    arity: -5,
    flags: ['write', 'denyoom', 'fast'],
    keys: ONE_KEY,
    uses: ['W'],
    group: 'stream',
    since: '5.0.0',
    summary: "Appends a new message to a stream. Creates the key if it doesn't exist.",
    syntax:
      'key [NOMKSTREAM] [<MAXLEN|MINID> [=|~] threshold [LIMIT count]] <*|id> field value [field value ...]',
    complexity:
      'O(1) when adding a new entry, O(N) when trimming where N being the number of entries evicted.',
    run: xadd,
  },
  {
    name: 'xlen',
    arity: 2,
    flags: ['readonly', 'fast'],
    keys: ONE_KEY,
    uses: [''],
    group: 'stream',
    since: '5.0.0',
    summary: 'Return the number of messages in a stream.',
    syntax: 'key',
    complexity: 'O(1)',
    run: xlen,
  },
  {
    name: 'xrange',
    arity: -4,
    flags: ['readonly'],
    keys: ONE_KEY,
    group: 'stream',
    since: '5.0.0',
    summary: 'Returns the messages from a stream within a range of IDs.',
    syntax: 'key start:string end:string [COUNT count]',
    complexity:
      'O(N) with N being the number of elements being returned. If N is constant (e.g. always asking for the first 10 elements with COUNT), you can consider it O(1).',
    run: (ctx, words) => range(ctx, words, false),
  },
  {
    name: 'xrevrange',
    arity: -4,
    flags: ['readonly'],
    keys: ONE_KEY,
    group: 'stream',
    since: '5.0.0',
    summary: 'Returns the messages from a stream within a range of IDs in reverse order.',
    syntax: 'key end:string start:string [COUNT count]',
    complexity:
      'O(N) with N being the number of elements returned. If N is constant (e.g. always asking for the first 10 elements with COUNT), you can consider it O(1).',
    run: (ctx, words) => range(ctx, words, true),
  },
  {
    name: 'xdel',
    arity: -3,
    flags: ['write', 'fast'],
    keys: ONE_KEY,
    uses: ['W'],
    group: 'stream',
    since: '5.0.0',
    summary: 'Returns the number of messages after removing them from a stream.',
    syntax: 'key id [id ...]',
    complexity: 'O(1) for each single item to delete in the stream, regardless of the stream size.',
    run: xdel,
  },
  {
    name: 'xtrim',
    arity: -4,
    flags: ['write'],
    keys: ONE_KEY,
    uses: ['W'],
    group: 'stream',
    since: '5.0.0',
    summary: 'Deletes messages from the beginning of a stream.',
    syntax: 'key <MAXLEN|MINID> [=|~] threshold [LIMIT count]',
    complexity:
      'O(N), with N being the number of evicted entries. Constant times are very small however, since entries are organized in macro nodes containing multiple entries that can be released with a single deallocation.',
    run: xtrim,
  },
  {
    name: 'xsetid',
    arity: -3,
    flags: ['write', 'denyoom', 'fast'],
    keys: ONE_KEY,
    uses: ['W'],
    group: 'stream',
    since: '5.0.0',
    summary: 'An internal command for replicating stream values.',
    syntax: 'key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-entry-id]',
    complexity: 'O(1)',
    run: xsetid,
  },
])
