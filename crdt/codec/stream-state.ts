/**
 * stream-state.ts: a stream as bytes of a snapshot: what is not its entries first, then the entries. See FORMAT.md.
 *
 * What one region's readers did is written with that region's number: whoever loads the snapshot in another region
 * drops it (`StreamState.settleIn`).
 */
import type { Dot, Stamp } from '../dot.ts'
import { GroupMark, StreamEntry, type StreamState } from '../stream.ts'
import { type Consumer, EntryPoint, Group } from '../stream-group.ts'
import { decodeId, encodeId } from '../stream-id.ts'
import type { IdOrder } from '../stream-order.ts'
import { type ByteReader, type ByteWriter, DecodeError } from './bytes.ts'

/** Writes dots by a table of origins, as snapshots do. */
interface DotWriter extends ByteWriter {
  dot(dot: Dot): void
  dots(dots: Dot | readonly Dot[]): void
}

interface DotReader extends ByteReader {
  /** In an object that moves on with the next call. */
  dot(): Stamp
  dots(): Dot | Dot[]
}

/** Hints, marks and groups. */
export function writeStreamHead(stream: StreamState, out: DotWriter): void {
  encodeId(stream.lastId, out)
  out.varint(stream.entriesAdded)
  encodeId(stream.maxDeletedId, out)
  out.varint(stream.marks.length)
  for (const mark of stream.marks) {
    out.dot(mark)
    out.byte(mark.group === undefined ? 0 : 1)
    if (mark.group !== undefined) out.word(mark.group)
  }
  out.varint(stream.groups.size)
  for (const group of stream.groups.values()) writeGroup(group, out)
}

export function writeStreamEntry(entry: StreamEntry, out: DotWriter): void {
  encodeId(entry, out)
  out.dot(entry)
  out.varint(entry.fields.length)
  for (const word of entry.fields) out.word(word)
}

function writeGroup(group: Group, out: DotWriter): void {
  out.word(group.name)
  out.dots(group.creations)
  encodeId(group.start, out)
  writePoints(group.unseen, out)
  out.varint(group.region)
  encodeId(group.cursor, out)
  out.varint(group.entriesRead === undefined ? 0 : group.entriesRead + 1)
  writePoints(group.late, out)
  out.varint(group.consumers.size)
  for (const consumer of group.consumers.values()) writeConsumer(consumer, out)
}

function writePoints(points: IdOrder<EntryPoint>, out: DotWriter): void {
  out.varint(points.size)
  for (const point of points) {
    encodeId(point, out)
    out.dot(point)
  }
}

function writeConsumer({ name, seenMs, activeMs, pending }: Consumer, out: DotWriter): void {
  out.word(name)
  out.varint(seenMs)
  out.varint(activeMs === undefined ? 0 : activeMs + 1)
  out.varint(pending.size)
  for (const one of pending) {
    encodeId(one, out)
    out.varint(one.deliveredMs)
    out.varint(one.deliveries)
  }
}

/** Reads what `writeStreamHead` wrote into a new stream. */
export function readStreamHead(stream: StreamState, from: DotReader): void {
  stream.lastId = decodeId(from)
  stream.entriesAdded = from.varint()
  stream.maxDeletedId = decodeId(from)
  for (let left = from.varint(); left > 0; left--) {
    const stamp = from.dot()
    stream.marks.push(new GroupMark(from.byte() === 0 ? undefined : from.word(), stamp))
  }
  for (let left = from.varint(); left > 0; left--) {
    const group = readGroup(from)
    if (stream.groups.has(group.name)) throw new DecodeError('a consumer group that stands twice in a stream')
    stream.groups.set(group.name, group)
  }
}

export function readStreamEntry(from: DotReader): StreamEntry {
  const id = decodeId(from)
  const stamp = from.dot()
  const fields: string[] = []
  for (let left = from.varint(); left > 0; left--) fields.push(from.word())
  return new StreamEntry(id, fields, stamp)
}

function readGroup(from: DotReader): Group {
  const name = from.word()
  const creations = listOf(from.dots())
  const start = decodeId(from)
  const unseen = readPoints(from)
  const group = new Group(name, creations, start, 0)
  for (const point of unseen) group.unseen.add(point)
  group.region = from.varint()
  group.cursor = decodeId(from)
  const shifted = from.varint()
  group.entriesRead = shifted === 0 ? undefined : shifted - 1
  for (const point of readPoints(from)) group.late.add(point)
  for (let left = from.varint(); left > 0; left--) readConsumer(group, from)
  return group
}

function readPoints(from: DotReader): EntryPoint[] {
  const points: EntryPoint[] = []
  for (let left = from.varint(); left > 0; left--) {
    const id = decodeId(from)
    points.push(new EntryPoint(id, from.dot()))
  }
  return points
}

function readConsumer(group: Group, from: DotReader): void {
  const name = from.word()
  const consumer = group.consumer(name, from.varint())
  const shifted = from.varint()
  consumer.activeMs = shifted === 0 ? undefined : shifted - 1
  for (let left = from.varint(); left > 0; left--) {
    const id = decodeId(from)
    const deliveredMs = from.varint()
    group.give(id, consumer, deliveredMs, from.varint())
  }
}

function listOf(dots: Dot | Dot[]): Dot[] {
  return Array.isArray(dots) ? dots : [dots]
}
