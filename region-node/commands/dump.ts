/**
 * dump.ts: DUMP and RESTORE: values in Redis's own serialised form, so that they move between the two.
 *
 * Deadlines of hash fields are left out of it: the form of Redis 7.2 has no place for them. IDLETIME and FREQ are
 * read and put to no use: there is no record of reads here.
 */
import { commandError, errors } from '../errors.ts'
import { openPayload, payloadOf, valueIn } from '../rdb/payload.ts'
import type { RdbStream } from '../rdb/streams.ts'
import type { RdbValue } from '../rdb/values.ts'
import { type CommandContext, defineCommands, ONE_KEY } from './command.ts'
import { replace, type ShownValue, shownValue } from './keys.ts'
import { DEADLINE_MS_MAX, parseInt64 } from './parse.ts'
import type { ShownStream } from './streams-moving.ts'

const FREQUENCY_MAX = 255

const busyKey = commandError('BUSYKEY Target key name already exists.')
const badTtl = commandError('ERR Invalid TTL value, must be >= 0')
const badIdleTime = commandError('ERR Invalid IDLETIME value, must be >= 0')
const badFrequency = commandError('ERR Invalid FREQ value, must be >= 0 and <= 255')
const badPayload = commandError('ERR DUMP payload version or checksum are wrong')
const badFormat = commandError('ERR Bad data format')

function dump(ctx: CommandContext, words: readonly string[]): void {
  const entry = ctx.entry(words[1]!)
  if (entry === undefined) ctx.out.nil()
  else ctx.out.bulk(payloadOf(rdbValue(shownValue(entry)), ctx.services.latin1))
}

/** To Redis a HyperLogLog is a string. */
function rdbValue(value: ShownValue): RdbValue {
  if (value.type === 'stream') return rdbStream(value)
  return value.type === 'hll' ? { type: 'string', text: value.text } : value
}

/** What this region's readers have done goes along: the one who restores it takes over from them. */
function rdbStream({ entries, groups, lastId, entriesAdded, maxDeletedId }: ShownStream): RdbValue {
  return {
    type: 'stream',
    entries,
    lastId,
    entriesAdded,
    maxDeletedId,
    groups: groups.map(({ name, cursor, entriesRead, consumers }) => ({
      name,
      lastId: cursor,
      entriesRead,
      consumers: [...consumers.values()].map((one) => ({
        name: one.name,
        seenMs: one.seenMs,
        pending: [...one.pending],
      })),
    })),
  }
}

function restoreStream({ write, db }: CommandContext, key: string, stream: RdbStream): void {
  const { stream: writes } = write
  for (const entry of stream.entries) writes.add(key, entry, entry.fields, db)
  for (const { name, lastId, entriesRead, consumers } of stream.groups) {
    writes.createGroup(key, name, lastId, entriesRead, db)
    for (const consumer of consumers) {
      writes.addConsumer(key, name, consumer.name, consumer.seenMs, db)
      const { pending, seenMs } = consumer
      if (pending.length > 0) writes.claim(key, name, consumer.name, seenMs, pending, [], db)
    }
  }
  writes.setHints(key, stream.lastId, stream.entriesAdded, stream.maxDeletedId, db)
}

/** Puts a value in place of what the key holds. @param deadlineMs  Infinity for never */
function put(ctx: CommandContext, key: string, value: RdbValue, deadlineMs: number): void {
  if (value.type !== 'stream') {
    replace(ctx, key, ctx.db, value, deadlineMs)
    return
  }
  ctx.write.clear(key)
  restoreStream(ctx, key, value)
  if (deadlineMs !== Number.POSITIVE_INFINITY) ctx.write.setDeadline(key, deadlineMs)
}

interface Options {
  readonly replaces: boolean
  readonly isAbsolute: boolean
}

/** @throws CommandError */
function parseOptions(words: readonly string[]): Options {
  let replaces = false
  let isAbsolute = false
  let access: string | undefined
  for (let at = 4; at < words.length; at++) {
    const option = words[at]!.toLowerCase()
    if (option === 'replace') {
      replaces = true
    } else if (option === 'absttl') {
      isAbsolute = true
    } else if (
      (option === 'idletime' || option === 'freq') &&
      at + 1 < words.length &&
      (access ?? option) === option
    ) {
      access = option
      const value = parseInt64(words[++at]!)
      if (option === 'idletime' && value < 0) throw badIdleTime
      if (option === 'freq' && (value < 0 || value > FREQUENCY_MAX)) throw badFrequency
    } else {
      throw errors.syntax
    }
  }
  return { replaces, isAbsolute }
}

function restore(ctx: CommandContext, words: readonly string[]): void {
  const key = words[1]!
  const { replaces, isAbsolute } = parseOptions(words)
  if (!replaces && ctx.entry(key) !== undefined) throw busyKey
  const ttl = parseInt64(words[2]!)
  if (ttl < 0) throw badTtl
  const payload = openPayload(words[3]!, ctx.services.latin1)
  if (payload === undefined) throw badPayload
  const value = valueIn(payload)
  if (value === undefined) throw badFormat
  const deadlineMs = Math.min(Number(ttl) + (isAbsolute ? 0 : ctx.nowMs), DEADLINE_MS_MAX)
  if (ttl === 0) put(ctx, key, value, Number.POSITIVE_INFINITY)
  else if (deadlineMs <= ctx.nowMs) ctx.write.clear(key)
  else put(ctx, key, value, deadlineMs)
  ctx.out.ok()
}

const SERIALISED_COMPLEXITY =
  'O(1) to create the new key and additional O(N*M) to reconstruct the serialized value, where N is the number of Redis objects composing the value and M their average size. For small string values the time complexity is thus O(1)+O(1*M) where M is small, so simply O(1). However for sorted set values the complexity is O(N*M*log(N)) because inserting values into sorted sets is O(log(N)).'

export const dumpCommands = defineCommands([
  {
    name: 'dump',
    arity: 2,
    flags: ['readonly'],
    keys: ONE_KEY,
    group: 'generic',
    since: '2.6.0',
    summary: 'Returns a serialized representation of the value stored at a key.',
    syntax: 'key',
    complexity:
      'O(1) to access the key and additional O(N*M) to serialize it, where N is the number of Redis objects composing the value and M their average size. For small string values the time complexity is thus O(1)+O(1*M) where M is small, so simply O(1).',
    run: dump,
  },
  {
    name: 'restore',
    arity: -4,
    categories: ['keyspace', 'dangerous'],
    flags: ['write', 'denyoom'],
    keys: ONE_KEY,
    uses: ['W'],
    group: 'generic',
    since: '2.6.0',
    summary: 'Creates a key from the serialized representation of a value.',
    syntax: 'key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]',
    complexity: SERIALISED_COMPLEXITY,
    run: restore,
  },
])
