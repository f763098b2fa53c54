/**
 * streams.ts: streams in Redis's serialised form.
 *
 * Entries stand in listpacks, each named by the id of its first one. A listpack begins with how many entries it
 * has, how many deleted ones, and the fields of its first; each entry follows with flags, its id less that one,
 * its fields unless they are those, its values, and how many of these words there were. Behind the listpacks
 * come the stream's own numbers and its groups, with what their consumers have not acknowledged.
 *
 * Source: Redis's `rdb.c` and the comment in `t_stream.c` for the layout of an entry.
 */
import { DecodeError } from '../../crdt/codec/bytes.ts'
import type { StreamId, U64 } from '../../crdt/stream-id.ts'
import { ListpackWriter, readListpack } from './listpack.ts'
import { RdbReader, type RdbWriter } from './rdb-bytes.ts'

const DELETED = 1
const SAME_FIELDS = 2
/** Entries of a listpack, as many as Redis puts into one. */
const CHUNK_ENTRIES = 100
/** In place of a count of entries read: nobody knows. */
const UNKNOWN_COUNT = 2n ** 64n - 1n

export interface RdbEntry extends StreamId {
  /** Fields and values in turn. */
  readonly fields: readonly string[]
}

export interface RdbPending extends StreamId {
  /** Milliseconds since the Unix epoch. */
  readonly deliveredMs: number
  readonly deliveries: number
}

export interface RdbConsumer {
  readonly name: string
  /** Milliseconds since the Unix epoch. */
  readonly seenMs: number
  readonly pending: readonly RdbPending[]
}

export interface RdbGroup {
  readonly name: string
  readonly lastId: StreamId
  readonly entriesRead: number | undefined
  readonly consumers: readonly RdbConsumer[]
}

export interface RdbStream {
  readonly type: 'stream'
  readonly entries: readonly RdbEntry[]
  readonly lastId: StreamId
  readonly maxDeletedId: StreamId
  readonly entriesAdded: number
  readonly groups: readonly RdbGroup[]
}

/**
 * @param version  1: without the first id, the deletions and the reads; 3: with the moment at which a consumer was
 *   last active
 * @throws DecodeError
 */
export function readStream(version: 1 | 2 | 3, from: RdbReader): RdbStream {
  const entries: RdbEntry[] = []
  for (let left = from.length(); left > 0; left--) {
    const first = readRawId(new RdbReader(from.blob()))
    readEntries(first, readListpack(from.blob()), entries)
  }
  if (from.length() !== entries.length) throw new DecodeError('a stream of another length than it says')
  const lastId = readId(from)
  if (version >= 2) readId(from)
  const maxDeletedId = version >= 2 ? readId(from) : { ms: 0, sequence: 0 }
  const entriesAdded = version >= 2 ? from.length() : entries.length
  const groups: RdbGroup[] = []
  for (let left = from.length(); left > 0; left--) groups.push(readGroup(version, from))
  return { type: 'stream', entries, lastId, maxDeletedId, entriesAdded, groups }
}

function readId(from: RdbReader): StreamId {
  return { ms: from.wideLength(), sequence: from.wideLength() }
}

function readRawId(from: RdbReader): StreamId {
  return { ms: from.wide(false), sequence: from.wide(false) }
}

/** @param words  of a listpack */
function readEntries(first: StreamId, words: readonly string[], into: RdbEntry[]): void {
  let at = 0
  const next = (): string => {
    const word = words[at++]
    if (word === undefined) throw new DecodeError('entries of a stream end too early')
    return word
  }
  const count = (): number => {
    const value = Number(next())
    if (!Number.isSafeInteger(value) || value < 0)
      throw new DecodeError('no count in the entries of a stream')
    return value
  }
  let left = count() + count()
  const fields: string[] = []
  for (let i = count(); i > 0; i--) fields.push(next())
  count()
  for (; left > 0; left--) {
    const flags = count()
    const id = { ms: plus(first.ms, next()), sequence: plus(first.sequence, next()) }
    const isSame = (flags & SAME_FIELDS) !== 0
    const pairs: string[] = []
    for (let i = 0, all = isSame ? fields.length : count(); i < all; i++) {
      pairs.push(isSame ? fields[i]! : next())
      pairs.push(next())
    }
    count()
    if ((flags & DELETED) === 0) into.push({ ...id, fields: pairs })
  }
  if (at !== words.length) throw new DecodeError('words behind the entries of a stream')
}

function plus(base: U64, difference: string): U64 {
  if (!/^-?[0-9]+$/.test(difference)) throw new DecodeError('an id that is no number')
  const sum = BigInt.asUintN(64, BigInt(base) + BigInt(difference))
  return sum > Number.MAX_SAFE_INTEGER ? sum : Number(sum)
}

function readGroup(version: 1 | 2 | 3, from: RdbReader): RdbGroup {
  const name = from.text()
  const lastId = readId(from)
  const read = version >= 2 ? from.wideLength() : UNKNOWN_COUNT
  const deliveries = new Map<string, RdbPending>()
  for (let left = from.length(); left > 0; left--) {
    const id = readRawId(from)
    const deliveredMs = Number(from.wide(true))
    deliveries.set(nameOf(id), { ...id, deliveredMs, deliveries: from.length() })
  }
  const consumers: RdbConsumer[] = []
  for (let left = from.length(); left > 0; left--) {
    const consumer = from.text()
    const seenMs = Number(from.wide(true))
    if (version >= 3) from.wide(true)
    const pending: RdbPending[] = []
    for (let i = from.length(); i > 0; i--) {
      const delivery = deliveries.get(nameOf(readRawId(from)))
      if (delivery === undefined) throw new DecodeError('a pending entry that the group does not have')
      pending.push(delivery)
    }
    consumers.push({ name: consumer, seenMs, pending })
  }
  return { name, lastId, entriesRead: typeof read === 'number' ? read : undefined, consumers }
}

function nameOf({ ms, sequence }: StreamId): string {
  return `${ms}-${sequence}`
}

/** Writes version 2 of the form: Redis 7.0's. */
export function writeStream(stream: RdbStream, out: RdbWriter): void {
  const { entries, groups } = stream
  out.length(Math.ceil(entries.length / CHUNK_ENTRIES))
  for (let at = 0; at < entries.length; at += CHUNK_ENTRIES)
    writeChunk(entries.slice(at, at + CHUNK_ENTRIES), out)
  out.length(entries.length)
  writeId(stream.lastId, out)
  writeId(entries[0] ?? { ms: 0, sequence: 0 }, out)
  writeId(stream.maxDeletedId, out)
  out.length(stream.entriesAdded)
  out.length(groups.length)
  for (const group of groups) writeGroup(group, out)
}

function writeId({ ms, sequence }: StreamId, out: RdbWriter): void {
  out.wideLength(ms)
  out.wideLength(sequence)
}

function writeRawId({ ms, sequence }: StreamId, out: RdbWriter): void {
  out.wide(BigInt.asIntN(64, BigInt(ms)), false)
  out.wide(BigInt.asIntN(64, BigInt(sequence)), false)
}

function writeChunk(entries: readonly RdbEntry[], out: RdbWriter): void {
  const first = entries[0]!
  out.length(16)
  writeRawId(first, out)
  const words = new ListpackWriter()
  words.integer(entries.length)
  words.integer(0)
  // No fields in common: each entry names its own.
  words.integer(0)
  words.integer(0)
  for (const { ms, sequence, fields } of entries) {
    words.integer(0)
    words.integer(BigInt.asIntN(64, BigInt(ms) - BigInt(first.ms)))
    words.integer(BigInt.asIntN(64, BigInt(sequence) - BigInt(first.sequence)))
    words.integer(fields.length / 2)
    for (const word of fields) words.word(word)
    // The flags, the two parts of the id and the count of fields are words, too.
    words.integer(fields.length + 4)
  }
  out.blob(words.finish())
}

function writeGroup({ name, lastId, entriesRead, consumers }: RdbGroup, out: RdbWriter): void {
  out.text(name)
  writeId(lastId, out)
  out.wideLength(entriesRead ?? BigInt.asIntN(64, UNKNOWN_COUNT))
  const all = consumers.flatMap(({ pending }) => pending)
  out.length(all.length)
  for (const pending of all) {
    writeRawId(pending, out)
    out.wide(BigInt(pending.deliveredMs), true)
    out.length(pending.deliveries)
  }
  out.length(consumers.length)
  for (const consumer of consumers) {
    out.text(consumer.name)
    out.wide(BigInt(consumer.seenMs), true)
    out.length(consumer.pending.length)
    for (const pending of consumer.pending) writeRawId(pending, out)
  }
}
