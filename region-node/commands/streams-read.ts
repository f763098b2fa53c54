/**
 * streams-read.ts: XREAD and XREADGROUP.
 *
 * XREAD answers with what stands behind an id, and passes by what comes later from another region with a lower one.
 * XREADGROUP does not: it gives out what came late first, then what stands behind the group's cursor
 * (`crdt/stream-group.ts`). A read that finds nothing and may block waits for its keys and is then run again.
 */
import { assert } from '../../crdt/assert.ts'
import type { Claim } from '../../crdt/effects/stream-group-effects.ts'
import type { StreamEntry, StreamState } from '../../crdt/stream.ts'
import type { Group } from '../../crdt/stream-group.ts'
import { ID_MAX, ID_MIN, idText, nextId, type StreamId } from '../../crdt/stream-id.ts'
import { commandError, errors } from '../errors.ts'
import { type CommandContext, defineCommands, NO_KEYS } from './command.ts'
import { parseCount } from './parse.ts'
import { parseId, streamErrors, writeEntries, writeEntry } from './streams-args.ts'
import { consumerFor } from './streams-groups.ts'

/** What a read that had to wait gives at most, where no COUNT says so. */
const WOKEN_COUNT = '1000'

const groupOfXread = commandError(
  'ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.',
)
const noackOfXread = commandError(
  'ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.',
)
const missingGroup = commandError('ERR Missing GROUP option for XREADGROUP')
const dollarOfGroup = commandError(
  'ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this ' +
    'consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return ' +
    'an empty result set.',
)
const newOfXread = commandError(
  'ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.',
)
const unbalanced = (command: string, symbol: string) =>
  commandError(
    `ERR Unbalanced '${command}' list of streams: for each stream key an ID or '${symbol}' must be specified.`,
  )
interface ReadOptions {
  /** Infinity: all there is. */
  readonly count: number
  readonly isCounted: boolean
  /** Undefined: answers at once. */
  readonly timeoutMs: number | undefined
  readonly isRecorded: boolean
  readonly reader: { readonly group: string; readonly consumer: string } | undefined
  /** Place of STREAMS. */
  readonly streamsAt: number
  readonly keys: readonly string[]
  readonly ids: readonly string[]
}

/** @throws CommandError */
function parseOptions(words: readonly string[], command: 'xread' | 'xreadgroup'): ReadOptions {
  const isGroup = command === 'xreadgroup'
  let count = 0
  let timeoutMs: number | undefined
  let isRecorded = true
  let reader: ReadOptions['reader']
  for (let at = 1; at < words.length; at++) {
    const option = words[at]!.toLowerCase()
    const more = words.length - at - 1
    if (option === 'block' && more > 0) {
      timeoutMs = parseTimeout(words[++at]!)
    } else if (option === 'count' && more > 0) {
      count = Math.max(0, parseCount(words[++at]!))
    } else if (option === 'streams' && more > 0) {
      if (more % 2 === 1) throw unbalanced(command, isGroup ? '>' : '$')
      if (isGroup && reader === undefined) throw missingGroup
      const keys = words.slice(at + 1, at + 1 + more / 2)
      const ids = words.slice(at + 1 + more / 2)
      const isCounted = count > 0
      return {
        count: isCounted ? count : Number.POSITIVE_INFINITY,
        isCounted,
        timeoutMs,
        isRecorded,
        reader,
        streamsAt: at,
        keys,
        ids,
      }
    } else if (option === 'group' && more >= 2) {
      if (!isGroup) throw groupOfXread
      reader = { group: words[at + 1]!, consumer: words[at + 2]! }
      at += 2
    } else if (option === 'noack') {
      if (!isGroup) throw noackOfXread
      isRecorded = false
    } else {
      throw errors.syntax
    }
  }
  throw errors.syntax
}

function parseTimeout(word: string): number {
  const timeoutMs = parseCount(word, errors.timeoutNotInteger)
  if (timeoutMs < 0) throw errors.negativeTimeout
  return timeoutMs
}

/** Keys of XREAD and XREADGROUP, as far as their words can be understood. */
function keysOf(words: readonly string[]): string[] {
  let at = 1
  for (; at < words.length; at++) {
    const option = words[at]!.toLowerCase()
    if (option === 'streams') break
    // Their values may be called anything.
    if (option === 'block' || option === 'count') at++
    else if (option === 'group') at += 2
  }
  const count = Math.max(0, Math.floor((words.length - at - 1) / 2))
  return words.slice(at + 1, at + 1 + count)
}

function xread(ctx: CommandContext, words: readonly string[]): void {
  const options = parseOptions(words, 'xread')
  const { keys, ids, count } = options
  const behind = ids.map((word, i) => behindOf(ctx.stream(keys[i]!), word))
  const found: { key: string; entries: readonly StreamEntry[] }[] = []
  for (const [i, key] of keys.entries()) {
    const from = nextId(behind[i]!)
    const entries = from === undefined ? [] : (ctx.stream(key)?.entries.range(from, ID_MAX, count) ?? [])
    if (entries.length > 0) found.push({ key, entries })
  }
  if (found.length === 0) {
    waitOrEnd(ctx, words, options, behind.map(idText))
    return
  }
  beginStreams(ctx, found.length)
  for (const { key, entries } of found) {
    nameStream(ctx, key)
    writeEntries(ctx.out, entries)
  }
}

function behindOf(stream: StreamState | undefined, word: string): StreamId {
  if (word === '$') return stream?.lastId ?? ID_MIN
  if (word === '>') throw newOfXread
  return parseId(word)
}

/** What one of the streams of an XREADGROUP is asked for. */
interface GroupRead {
  readonly key: string
  readonly stream: StreamState
  readonly group: Group
  /** Behind this one of the consumer's own pending entries; undefined: new ones. */
  readonly behind: StreamId | undefined
}

function xreadgroup(ctx: CommandContext, words: readonly string[]): void {
  const options = parseOptions(words, 'xreadgroup')
  const { reader } = options
  assert(reader !== undefined, 'XREADGROUP has a reader')
  const reads = options.keys.map((key, i) => groupRead(ctx, key, reader.group, options.ids[i]!))
  for (const { key, group } of reads)
    consumerFor(ctx, key, group, reader.consumer).seenMs = Math.trunc(ctx.nowMs)
  const given: { readonly key: string; readonly entries: readonly GivenEntry[] }[] = []
  for (const read of reads) {
    const entries = giveOut(ctx, read, reader.consumer, options)
    if (entries !== undefined) given.push({ key: read.key, entries })
  }
  if (given.length === 0) {
    waitOrEnd(ctx, words, options, options.ids)
    return
  }
  beginStreams(ctx, given.length)
  for (const { key, entries } of given) {
    nameStream(ctx, key)
    writeGiven(ctx, entries)
  }
}

/** @throws CommandError */
function groupRead(ctx: CommandContext, key: string, name: string, word: string): GroupRead {
  const stream = ctx.stream(key)
  const group = stream?.groups.get(name)
  if (stream === undefined || group === undefined) throw streamErrors.noGroupToRead(key, name)
  if (word === '$') throw dollarOfGroup
  return { key, stream, group, behind: word === '>' ? undefined : parseId(word) }
}

/** What the group has not given out: what came late, then what stands behind the cursor. */
export function newsOf({ entries }: StreamState, { late, cursor }: Group, count: number): StreamEntry[] {
  const found: StreamEntry[] = []
  for (const point of late.range(ID_MIN, ID_MAX, count)) {
    const entry = entries.find(point)
    if (entry !== undefined) found.push(entry)
  }
  const from = nextId(cursor)
  if (from === undefined || found.length >= count) return found
  for (const entry of entries.range(from, ID_MAX, count - found.length)) found.push(entry)
  return found
}

/** An entry to be written; what is pending may have gone from the stream meanwhile. */
interface GivenEntry {
  readonly id: StreamId
  readonly entry: StreamEntry | undefined
}

/** @returns undefined when there is nothing new */
function giveOut(
  ctx: CommandContext,
  { key, stream, group, behind }: GroupRead,
  consumer: string,
  { count, isRecorded }: ReadOptions,
): GivenEntry[] | undefined {
  if (behind !== undefined) return giveAgain(ctx, key, stream, group, consumer, behind, count)
  const entries = newsOf(stream, group, count)
  if (entries.length === 0) return undefined
  ctx.write.stream.deliver(key, group.name, consumer, Math.trunc(ctx.nowMs), isRecorded, entries)
  return entries.map((entry) => ({ id: entry, entry }))
}

/** The consumer's own pending entries. To give one again counts as another delivery of it. */
function giveAgain(
  ctx: CommandContext,
  key: string,
  stream: StreamState,
  group: Group,
  consumer: string,
  behind: StreamId,
  count: number,
): GivenEntry[] {
  const nowMs = Math.trunc(ctx.nowMs)
  const from = nextId(behind)
  const { pending } = group.consumers.get(consumer)!
  const given: GivenEntry[] = []
  const claims: Claim[] = []
  for (const one of from === undefined ? [] : pending.range(from, ID_MAX, count)) {
    const { ms, sequence, deliveries } = one
    const entry = stream.entries.at(one)
    given.push({ id: { ms, sequence }, entry })
    if (entry !== undefined) claims.push({ ms, sequence, deliveredMs: nowMs, deliveries: deliveries + 1 })
  }
  if (claims.length > 0) ctx.write.stream.claim(key, group.name, consumer, nowMs, claims, [])
  return given
}

function writeGiven({ out }: CommandContext, given: readonly GivenEntry[]): void {
  out.array(given.length)
  for (const { id, entry } of given) {
    if (entry !== undefined) {
      writeEntry(out, entry)
      continue
    }
    out.array(2)
    out.bulk(idText(id))
    out.nilArray()
  }
}

/** @param ids  what the words of the ids mean when the command is run again */
function waitOrEnd(
  ctx: CommandContext,
  words: readonly string[],
  { timeoutMs, isCounted, streamsAt, keys, reader }: ReadOptions,
  ids: readonly string[],
): void {
  if (timeoutMs === undefined || ctx.inTransaction) {
    ctx.out.nilArray()
    return
  }
  const again = [...words.slice(0, streamsAt)]
  if (!isCounted) again.push('COUNT', WOKEN_COUNT)
  again.push(words[streamsAt]!, ...keys, ...ids)
  // A group that goes with its key has to be told to who waits in it: any change will do.
  const awaits = reader === undefined ? 'stream' : undefined
  ctx.waitForKeys({ keys, words: again, awaits, timeoutMs })
}

function beginStreams({ out }: CommandContext, count: number): void {
  if (out.protocol === 2) out.array(count)
  else out.map(count)
}

function nameStream({ out }: CommandContext, key: string): void {
  if (out.protocol === 2) out.array(2)
  out.bulk(key)
}

export const streamReadCommands = defineCommands([
  {
    name: 'xread',
    arity: -4,
    flags: ['readonly', 'blocking', 'movablekeys'],
    keys: NO_KEYS,
    keysOf,
    group: 'stream',
    since: '5.0.0',
    summary:
      'Returns messages from multiple streams with IDs greater than the ones requested. Blocks until a message is available otherwise.',
    syntax: '[COUNT count] [BLOCK milliseconds] STREAMS key [key ...] id [id ...]',
    complexity:
      'For each stream mentioned: O(log(S) + N) with S being the size of the stream and N the number of elements being returned.',
    run: xread,
  },
  {
    name: 'xreadgroup',
    arity: -7,
    flags: ['write', 'blocking', 'movablekeys'],
    keys: NO_KEYS,
    uses: ['R'],
    keysOf,
    group: 'stream',
    since: '5.0.0',
    summary:
      'Returns new or historical messages from a stream for a consumer in a group. Blocks until a message is available otherwise.',
    syntax:
      'GROUP group consumer [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS key [key ...] id [id ...]',
    complexity:
      'For each stream mentioned: O(log(S) + M) with S being the size of the stream and M the number of elements returned.',
    run: xreadgroup,
  },
])
