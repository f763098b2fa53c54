/**
 * streams-groups.ts: commands on consumer groups: create and destroy, acknowledge, look at and take over what is
 * pending.
 *
 * Groups and acknowledgements are for all regions; consumers, pending entries and positions are this region's
 * (`crdt/stream-group.ts`), so XPENDING, XCLAIM and XAUTOCLAIM speak of what was read here.
 */
import type { Claim } from '../../crdt/effects/stream-group-effects.ts'
import type { StreamState } from '../../crdt/stream.ts'
import type { Consumer, Group, Pending } from '../../crdt/stream-group.ts'
import { compareIds, ID_MIN, idText, type StreamId } from '../../crdt/stream-id.ts'
import { commandError, errors } from '../errors.ts'
import { type CommandContext, type CommandDef, defineCommands, ONE_KEY } from './command.ts'
import { container, helpOf } from './container.ts'
import { parseCount } from './parse.ts'
import {
  parseBoundId,
  parseEnd,
  parseId,
  parseStart,
  streamErrors,
  tryId,
  writeEntry,
} from './streams-args.ts'

const keyRequired = commandError(
  'ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the ' +
    'MKSTREAM option to create an empty stream automatically.',
)
const groupExists = commandError('BUSYGROUP Consumer Group name already exists')
const entriesReadNegative = commandError('ERR value for ENTRIESREAD must be positive or -1')
const minIdle = (command: string) => commandError(`ERR Invalid min-idle-time argument for ${command}`)
const claimNumber = (option: string) => commandError(`ERR Invalid ${option} option argument for XCLAIM`)
const countNotPositive = commandError('ERR COUNT must be > 0')

/** The consumer of that name, made where there is none. Its times are changed by effects, or as hints. */
export function consumerFor(ctx: CommandContext, key: string, group: Group, name: string): Consumer {
  const known = group.consumers.get(name)
  if (known !== undefined) return known
  ctx.write.stream.addConsumer(key, group.name, name, Math.trunc(ctx.nowMs))
  return group.consumers.get(name)!
}

interface XgroupOptions {
  readonly makesStream: boolean
  readonly entriesRead: number | undefined
}

/** @throws CommandError */
function parseXgroupOptions(words: readonly string[], mayMake: boolean): XgroupOptions {
  let makesStream = false
  let entriesRead: number | undefined
  for (let at = 5; at < words.length; at++) {
    const option = words[at]!.toLowerCase()
    if (option === 'mkstream' && mayMake) {
      makesStream = true
    } else if (option === 'entriesread' && at + 1 < words.length) {
      const count = parseCount(words[++at]!)
      if (count < -1) throw entriesReadNegative
      entriesRead = count === -1 ? undefined : Math.min(count, Number.MAX_SAFE_INTEGER)
    } else {
      throw errors.unknownSubcommandOrArity('xgroup', words[1]!)
    }
  }
  return { makesStream, entriesRead }
}

function xgroupCreate(ctx: CommandContext, words: readonly string[]): void {
  const { makesStream, entriesRead } = parseXgroupOptions(words, true)
  const key = words[2]!
  const name = words[3]!
  const stream = ctx.stream(key)
  if (stream === undefined && !makesStream) throw keyRequired
  if (words.length > 8) throw errors.unknownSubcommandOrArity('xgroup', words[1]!)
  const start = words[4] === '$' ? (stream?.lastId ?? ID_MIN) : parseId(words[4]!)
  if (stream?.groups.has(name) === true) throw groupExists
  ctx.write.stream.createGroup(key, name, start, entriesRead)
  ctx.out.ok()
}

/** The stream and group of an XGROUP subcommand that needs both. @throws CommandError */
function groupNamed(ctx: CommandContext, words: readonly string[]): { stream: StreamState; group: Group } {
  const stream = ctx.stream(words[2]!)
  if (stream === undefined) throw keyRequired
  const group = stream.groups.get(words[3]!)
  if (group === undefined) throw streamErrors.noSuchGroup(words[3]!, words[2]!)
  return { stream, group }
}

function xgroupSetid(ctx: CommandContext, words: readonly string[]): void {
  const { entriesRead } = parseXgroupOptions(words, false)
  const { stream, group } = groupNamed(ctx, words)
  if (words.length !== 5 && words.length !== 7) throw errors.unknownSubcommandOrArity('xgroup', words[1]!)
  const cursor = words[4] === '$' ? stream.lastId : parseBoundId(words[4]!, 0)
  ctx.write.stream.setPosition(words[2]!, group.name, cursor, entriesRead, [])
  ctx.out.ok()
}

function xgroupDestroy(ctx: CommandContext, words: readonly string[]): void {
  const key = words[2]!
  const name = words[3]!
  const stream = ctx.stream(key)
  if (stream === undefined) throw keyRequired
  const exists = stream.groups.has(name)
  if (exists) ctx.write.stream.destroyGroup(key, name)
  ctx.out.integer(exists ? 1 : 0)
}

function xgroupCreateConsumer(ctx: CommandContext, words: readonly string[]): void {
  const { group } = groupNamed(ctx, words)
  const isNew = !group.consumers.has(words[4]!)
  consumerFor(ctx, words[2]!, group, words[4]!)
  ctx.out.integer(isNew ? 1 : 0)
}

function xgroupDelConsumer(ctx: CommandContext, words: readonly string[]): void {
  const { group } = groupNamed(ctx, words)
  const consumer = group.consumers.get(words[4]!)
  const pending = consumer?.pending.size ?? 0
  if (consumer !== undefined) ctx.write.stream.removeConsumer(words[2]!, group.name, consumer.name)
  ctx.out.integer(pending)
}

/**
 * What is not pending here may be in another region, where it was read: an acknowledgement of an entry that exists
 * is for all of them. Counted is what was pending here.
 */
function xack(ctx: CommandContext, words: readonly string[]): void {
  const key = words[1]!
  const stream = ctx.stream(key)
  const group = stream?.groups.get(words[2]!)
  if (stream === undefined || group === undefined) {
    ctx.out.integer(0)
    return
  }
  const acked: StreamId[] = []
  const names = new Set<string>()
  let count = 0
  for (const id of words.slice(3).map(parseId)) {
    const name = idText(id)
    if (names.has(name)) continue
    names.add(name)
    const isPending = group.pending.at(id) !== undefined
    if (isPending) count++
    if (isPending || stream.entries.at(id) !== undefined) acked.push(id)
  }
  if (acked.length > 0) ctx.write.stream.ack(key, group.name, acked)
  ctx.out.integer(count)
}

/** @throws CommandError NOGROUP */
function pendingGroup(
  ctx: CommandContext,
  words: readonly string[],
): { readonly stream: StreamState; readonly group: Group } {
  const stream = ctx.stream(words[1]!)
  const group = stream?.groups.get(words[2]!)
  if (stream === undefined || group === undefined) throw streamErrors.noKeyOrGroup(words[1]!, words[2]!)
  return { stream, group }
}

interface PendingRange {
  readonly start: StreamId
  readonly end: StreamId
  readonly count: number
  readonly idleMs: number
  readonly consumer: string | undefined
}

function xpending(ctx: CommandContext, words: readonly string[]): void {
  const range = parsePendingRange(words)
  const { group } = pendingGroup(ctx, words)
  if (range === undefined) writePendingSummary(ctx, group)
  else writePendingRange(ctx, group, range)
}

/** @returns undefined for the summary. @throws CommandError */
function parsePendingRange(words: readonly string[]): PendingRange | undefined {
  if (words.length === 3) return undefined
  if (words.length < 6 || words.length > 9) throw errors.syntax
  let at = 3
  let idleMs = 0
  if (words[3]!.toLowerCase() === 'idle') {
    idleMs = parseCount(words[4]!)
    if (words.length < 8) throw errors.syntax
    at = 5
  }
  const count = Math.max(0, parseCount(words[at + 2]!))
  const start = parseStart(words[at]!)
  const end = parseEnd(words[at + 1]!)
  return { start, end, count, idleMs, consumer: words[at + 3] }
}

function writePendingSummary({ out }: CommandContext, { pending, consumers }: Group): void {
  out.array(4)
  out.integer(pending.size)
  const { first, last } = pending
  if (first === undefined || last === undefined) {
    out.nil()
    out.nil()
    out.nilArray()
    return
  }
  out.bulk(idText(first))
  out.bulk(idText(last))
  const busy = byName(consumers.values()).filter((one) => one.pending.size > 0)
  out.array(busy.length)
  for (const consumer of busy) out.words([consumer.name, String(consumer.pending.size)])
}

function writePendingRange({ out, nowMs }: CommandContext, group: Group, range: PendingRange): void {
  const { start, end, count, idleMs, consumer } = range
  const source = consumer === undefined ? group.pending : group.consumers.get(consumer)?.pending
  let found: Pending[] = []
  if (idleMs === 0) {
    found = source?.range(start, end, count) ?? []
  } else {
    for (const one of source?.range(start, end, Number.POSITIVE_INFINITY) ?? []) {
      if (found.length === count) break
      if (nowMs - one.deliveredMs >= idleMs) found.push(one)
    }
  }
  out.array(found.length)
  for (const one of found) {
    out.array(4)
    out.bulk(idText(one))
    out.bulk(one.consumer.name)
    out.integer(idleOf(one.deliveredMs, nowMs))
    out.integer(one.deliveries)
  }
}

/** Whole milliseconds since a moment; 0 for one to come. */
export function idleOf(momentMs: number, nowMs: number): number {
  return Math.max(0, Math.trunc(nowMs) - momentMs)
}

/** In the order of their bytes, as Redis keeps them. */
export function byName<T extends { readonly name: string }>(named: Iterable<T>): T[] {
  return [...named].sort((a, b) => (a.name < b.name ? -1 : 1))
}

interface ClaimOptions {
  readonly isForced: boolean
  readonly isJustId: boolean
  readonly deliveredMs: number
  /** Undefined: one more than before. */
  readonly deliveries: number | undefined
  readonly lastId: StreamId
}

/** @throws CommandError */
function parseClaimOptions(words: readonly string[], from: number, nowMs: number): ClaimOptions {
  let isForced = false
  let isJustId = false
  let deliveredMs = nowMs
  let deliveries: number | undefined
  let lastId = ID_MIN
  for (let at = from; at < words.length; at++) {
    const option = words[at]!.toLowerCase()
    const value = words[at + 1]
    if (option === 'force') {
      isForced = true
    } else if (option === 'justid') {
      isJustId = true
    } else if (option === 'idle' && value !== undefined) {
      deliveredMs = nowMs - parseCount(value, claimNumber('IDLE'))
      at++
    } else if (option === 'time' && value !== undefined) {
      deliveredMs = parseCount(value, claimNumber('TIME'))
      at++
    } else if (option === 'retrycount' && value !== undefined) {
      const count = parseCount(value, claimNumber('RETRYCOUNT'))
      deliveries = count < 0 ? undefined : Math.min(count, Number.MAX_SAFE_INTEGER)
      at++
    } else if (option === 'lastid' && value !== undefined) {
      lastId = parseId(value)
      at++
    } else {
      throw streamErrors.claimOption(words[at]!)
    }
  }
  // A client may have worked it out with a clock that is not right: no reason to fail.
  if (deliveredMs < 0 || deliveredMs > nowMs) deliveredMs = nowMs
  return { isForced, isJustId, deliveredMs, deliveries, lastId }
}

function xclaim(ctx: CommandContext, words: readonly string[]): void {
  const { stream, group } = pendingGroup(ctx, words)
  const idleMs = Math.max(0, parseCount(words[4]!, minIdle('XCLAIM')))
  const ids: StreamId[] = []
  let at = 5
  for (; at < words.length; at++) {
    const id = tryId(words[at]!)
    if (id === undefined) break
    ids.push(id)
  }
  const nowMs = Math.trunc(ctx.nowMs)
  const options = parseClaimOptions(words, at, nowMs)
  const key = words[1]!
  if (compareIds(options.lastId, group.cursor) > 0) moveOn(ctx, key, group, options.lastId)
  const consumer = consumerFor(ctx, key, group, words[3]!)
  const round = new ClaimRound(stream, group, consumer, nowMs)
  for (const id of ids) round.claim(id, idleMs, options)
  round.finish(ctx, key, options.isJustId)
}

/** LASTID: what lies between counts as given. */
function moveOn(ctx: CommandContext, key: string, group: Group, to: StreamId): void {
  const late = [...group.late]
  ctx.write.stream.setPosition(key, group.name, to, group.entriesRead, late)
}

/** What XCLAIM and XAUTOCLAIM take over at once. */
class ClaimRound {
  readonly #stream: StreamState
  readonly #group: Group
  readonly #consumer: Consumer
  readonly #nowMs: number
  /** By id, as the last of them leaves it. */
  readonly #claims = new Map<string, Claim>()
  /** In the order of the reply. */
  readonly #claimed: StreamId[] = []
  readonly gone: StreamId[] = []

  constructor(stream: StreamState, group: Group, consumer: Consumer, nowMs: number) {
    this.#stream = stream
    this.#group = group
    this.#consumer = consumer
    this.#nowMs = nowMs
  }

  get claimedCount(): number {
    return this.#claimed.length
  }

  claim(id: StreamId, idleMs: number, options: Omit<ClaimOptions, 'lastId'>): void {
    const name = idText(id)
    const pending = this.#claims.get(name) ?? this.#group.pending.at(id)
    if (this.#stream.entries.at(id) === undefined) {
      if (pending !== undefined) this.gone.push(id)
      return
    }
    if (pending === undefined && !options.isForced) return
    if (pending !== undefined && idleMs > 0 && this.#nowMs - pending.deliveredMs < idleMs) return
    // Redis counts an entry that is made here as delivered once already.
    const before = pending?.deliveries ?? 1
    const deliveries = options.deliveries ?? before + (options.isJustId ? 0 : 1)
    const { ms, sequence } = id
    this.#claims.set(name, { ms, sequence, deliveredMs: options.deliveredMs, deliveries })
    this.#claimed.push(id)
  }

  /** Writes the effect and the list of what was claimed. */
  finish(ctx: CommandContext, key: string, isJustId: boolean): void {
    const { out } = ctx
    const consumer = this.#consumer
    if (this.#claims.size > 0 || this.gone.length > 0) {
      const claims = [...this.#claims.values()]
      ctx.write.stream.claim(key, this.#group.name, consumer.name, this.#nowMs, claims, this.gone)
    } else {
      consumer.seenMs = this.#nowMs
    }
    out.array(this.#claimed.length)
    for (const id of this.#claimed) {
      if (isJustId) out.bulk(idText(id))
      else writeEntry(out, this.#stream.entries.at(id)!)
    }
  }
}

const CLAIM_COUNT = 100
/** For each entry that may be claimed, so many may be looked at. */
const CLAIM_LOOKS = 10
/** What fits Redis's memory at most. */
const CLAIM_COUNT_MAX = Math.floor(2 ** 63 / 16)

function xautoclaim(ctx: CommandContext, words: readonly string[]): void {
  const idleMs = Math.max(0, parseCount(words[4]!, minIdle('XAUTOCLAIM')))
  const start = parseStart(words[5]!)
  let left = CLAIM_COUNT
  let isJustId = false
  for (let at = 6; at < words.length; at++) {
    const option = words[at]!.toLowerCase()
    if (option === 'count' && at + 1 < words.length) {
      left = parseCount(words[++at]!, countNotPositive)
      if (left < 1 || left > CLAIM_COUNT_MAX) throw countNotPositive
    } else if (option === 'justid') {
      isJustId = true
    } else {
      throw errors.syntax
    }
  }
  const { stream, group } = pendingGroup(ctx, words)
  const { out } = ctx
  const key = words[1]!
  const nowMs = Math.trunc(ctx.nowMs)
  const round = new ClaimRound(stream, group, consumerFor(ctx, key, group, words[3]!), nowMs)
  const options = { isForced: false, isJustId, deliveredMs: nowMs, deliveries: undefined }
  let looks = left * CLAIM_LOOKS
  let next: Pending | undefined = group.pending.from(start)
  while (next !== undefined && looks > 0 && round.claimedCount + round.gone.length < left) {
    round.claim(next, idleMs, options)
    next = group.pending.after(next)
    looks--
  }
  out.array(3)
  out.bulk(idText(next ?? ID_MIN))
  round.finish(ctx, key, isJustId)
  out.array(round.gone.length)
  for (const id of round.gone) out.bulk(idText(id))
}

/** A subcommand of XGROUP. */
function onGroup(
  row: Pick<CommandDef, 'name' | 'arity' | 'uses' | 'flags' | 'since' | 'summary' | 'syntax' | 'run'>,
): CommandDef {
  return { ...row, keys: { first: 2, last: 2, step: 1 }, group: 'stream', complexity: 'O(1)' }
}

export const streamGroupCommands = defineCommands([
  container({
    name: 'xgroup',
    group: 'stream',
    since: '5.0.0',
    summary: 'A container for consumer groups commands.',
    subcommands: [
      onGroup({
        name: 'xgroup|create',
        arity: -5,
        uses: ['W'],
        flags: ['write', 'denyoom'],
        since: '5.0.0',
        summary: 'Creates a consumer group.',
        syntax: 'key groupname <id|$> [MKSTREAM] [ENTRIESREAD entries-read]',
        run: xgroupCreate,
      }),
      onGroup({
        name: 'xgroup|createconsumer',
        arity: 5,
        uses: ['W'],
        flags: ['write', 'denyoom'],
        since: '6.2.0',
        summary: 'Creates a consumer in a consumer group.',
        syntax: 'key groupname consumername',
        run: xgroupCreateConsumer,
      }),
      onGroup({
        name: 'xgroup|delconsumer',
        arity: 5,
        uses: ['W'],
        flags: ['write'],
        since: '5.0.0',
        summary: 'Deletes a consumer from a consumer group.',
        syntax: 'key groupname consumername',
        run: xgroupDelConsumer,
      }),
      onGroup({
        name: 'xgroup|destroy',
        arity: 4,
        uses: ['W'],
        flags: ['write'],
        since: '5.0.0',
        summary: 'Destroys a consumer group.',
        syntax: 'key groupname',
        run: xgroupDestroy,
      }),
      onGroup({
        name: 'xgroup|setid',
        arity: -5,
        uses: ['W'],
        flags: ['write'],
        since: '5.0.0',
        summary: 'Sets the last-delivered ID of a consumer group.',
        syntax: 'key groupname <id|$> [ENTRIESREAD entries-read]',
        run: xgroupSetid,
      }),
      helpOf('xgroup', 'stream', '5.0.0', [
        'CREATE <key> <groupname> <id|$> [option]',
        '    Create a new consumer group. Options are:',
        '    * MKSTREAM',
        '      Create the empty stream if it does not exist.',
        '    * ENTRIESREAD entries_read',
        "      Set the group's entries_read counter (internal use).",
        'CREATECONSUMER <key> <groupname> <consumer>',
        '    Create a new consumer in the specified group.',
        'DELCONSUMER <key> <groupname> <consumer>',
        '    Remove the specified consumer.',
        'DESTROY <key> <groupname>',
        '    Remove the specified group.',
        'SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]',
        '    Set the current group ID and entries_read counter.',
      ]),
    ],
  }),
  {
    name: 'xack',
    arity: -4,
    flags: ['write', 'fast'],
    keys: ONE_KEY,
    uses: ['W'],
    group: 'stream',
    since: '5.0.0',
    summary:
      'Returns the number of messages that were successfully acknowledged by the consumer group member of a stream.',
    syntax: 'key group id [id ...]',
    complexity: 'O(1) for each message ID processed.',
    run: xack,
  },
  {
    name: 'xpending',
    arity: -3,
    flags: ['readonly'],
    keys: ONE_KEY,
    group: 'stream',
    since: '5.0.0',
    summary: "Returns the information and entries from a stream consumer group's pending entries list.",
    syntax: 'key group [[IDLE min-idle-time:integer] start:string end:string count [consumer]]',
    complexity:
      'O(N) with N being the number of elements returned, so asking for a small fixed number of entries per call is O(1). O(M), where M is the total number of entries scanned when used with the IDLE filter. When the command returns just the summary and the list of consumers is small, it runs in O(1) time; otherwise, an additional O(N) time for iterating every consumer.',
    run: xpending,
  },
  {
    name: 'xclaim',
    arity: -6,
    flags: ['write', 'fast'],
    keys: ONE_KEY,
    uses: ['W'],
    group: 'stream',
    since: '5.0.0',
    summary:
      'Changes, or acquires, ownership of a message in a consumer group, as if the message was delivered a consumer group member.',
    syntax:
      'key group consumer min-idle-time id [id ...] [IDLE ms] [TIME unix-time-milliseconds] [RETRYCOUNT count] [FORCE] [JUSTID] [LASTID id]',
    complexity: 'O(log N) with N being the number of messages in the PEL of the consumer group.',
    run: xclaim,
  },
  {
    name: 'xautoclaim',
    arity: -6,
    flags: ['write', 'fast'],
    keys: ONE_KEY,
    uses: ['W'],
    group: 'stream',
    since: '6.2.0',
    summary:
      'Changes, or acquires, ownership of messages in a consumer group, as if the messages were delivered to as consumer group member.',
    syntax: 'key group consumer min-idle-time start:string [COUNT count] [JUSTID]',
    complexity: 'O(1) if COUNT is small.',
    run: xautoclaim,
  },
])
