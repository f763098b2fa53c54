/**
 * segment.ts: the bytes of one log file. FORMAT.md beside this file is the authority.
 *
 * A segment is a header and then records (`crdt/codec/batch.ts`), with *sync marks* between them: a mark
 * at position p says "everything before position d was durable when I was written". Marks are what lets
 * recovery tell a torn tail (bytes that were never promised to anybody) from damage to bytes that were.
 */
import { checkRecord, RECORD_HEAD_BYTES } from '../../crdt/codec/batch.ts'
import { ByteReader, ByteWriter, DecodeError, readU32 } from '../../crdt/codec/bytes.ts'
import { crc32c } from '../../crdt/codec/crc32c.ts'
import type { WireVector } from '../../crdt/version-vector.ts'

export const FORMAT_VERSION = 1
/** 14 hex digits and `.log`. */
const NAME_LENGTH = 18
const MAGIC = 'CAUSEWAY'
/** A record's length has its two high bits clear, so this can be no length. */
const MARK_WORD = 0x4d52414b
export const MARK_BYTES = 16

export interface SegmentHeader {
  /** Position in the whole log of the first byte behind the header. */
  readonly firstPosition: number
  readonly nodeId: string
  readonly regionId: number
  /** What was applied before the records of this segment. */
  readonly startVector: WireVector
  /**
   * The part of it that never was in this log, because it came inside a snapshot: entries of origins of
   * which ops up to there are missing. Empty in all segments but those begun for that reason.
   */
  readonly base: WireVector
}

export function segmentName(firstPosition: number): string {
  return `${firstPosition.toString(16).padStart(14, '0')}.log`
}

export function isSegmentName(name: string): boolean {
  return /^[0-9a-f]{14}\.log$/.test(name)
}

/** The first position of a segment, by its path. */
export function positionInName(path: string): number {
  return Number.parseInt(path.slice(-NAME_LENGTH), 16)
}

/** Magic, version, length and checksum of the rest, the rest. */
export function encodeSegmentHeader(header: SegmentHeader): Uint8Array {
  const body = new ByteWriter()
  body.varint(header.firstPosition)
  body.word(header.nodeId)
  body.varint(header.regionId)
  encodeVector(header.startVector, body)
  encodeVector(header.base, body)
  const out = new ByteWriter()
  for (const letter of MAGIC) out.byte(letter.charCodeAt(0))
  out.u32(FORMAT_VERSION)
  out.u32(body.at)
  out.u32(crc32c(body.bytes, 0, body.at))
  out.raw(body.bytes.subarray(0, body.at))
  return out.bytes.slice(0, out.at)
}

function encodeVector(vector: WireVector, out: ByteWriter): void {
  out.varint(vector.length)
  for (const [origin, seq] of vector) {
    out.word(origin)
    out.varint(seq)
  }
}

function decodeVector(from: ByteReader): WireVector {
  const vector: [string, number][] = []
  for (let left = from.varint(); left > 0; left--) vector.push([from.word(), from.varint()])
  return vector
}

const PREFIX_BYTES = MAGIC.length + 12

/** @returns the header and where the records begin. @throws DecodeError with a reason for people */
export function decodeSegmentHeader(read: (offset: number, length: number) => Uint8Array): {
  header: SegmentHeader
  bodyAt: number
} {
  const prefix = new ByteReader(read(0, PREFIX_BYTES))
  for (const letter of MAGIC) {
    if (prefix.byte() !== letter.charCodeAt(0))
      throw new DecodeError('it does not begin as a log segment does')
  }
  const version = prefix.u32()
  if (version !== FORMAT_VERSION)
    throw new DecodeError(`it has format ${version}, this version reads ${FORMAT_VERSION}`)
  const length = prefix.u32()
  const crc = prefix.u32()
  const bytes = read(PREFIX_BYTES, length)
  if (bytes.length < length || crc32c(bytes, 0, length) !== crc)
    throw new DecodeError('its header is damaged')
  const body = new ByteReader(bytes)
  const firstPosition = body.varint()
  const nodeId = body.word()
  const regionId = body.varint()
  const startVector = decodeVector(body)
  // Segments of the first version end here.
  const base = body.more ? decodeVector(body) : []
  return { header: { firstPosition, nodeId, regionId, startVector, base }, bodyAt: PREFIX_BYTES + length }
}

/** Word, durable position (48 bits), padding, checksum. */
export function encodeMark(durablePosition: number): Uint8Array {
  const out = new ByteWriter(undefined, MARK_BYTES)
  out.u32(MARK_WORD)
  out.u32(durablePosition % 2 ** 32)
  out.u32(Math.floor(durablePosition / 2 ** 32))
  out.u32(crc32c(out.bytes, 0, 12))
  return out.bytes
}

/** The durable position that the mark at `at` speaks of; undefined when no whole mark stands there. */
export function markAt(bytes: Uint8Array, at: number): number | undefined {
  if (bytes.length - at < MARK_BYTES || readU32(bytes, at) !== MARK_WORD) return undefined
  if (crc32c(bytes, at, at + 12) !== readU32(bytes, at + 12)) return undefined
  return readU32(bytes, at + 4) + readU32(bytes, at + 8) * 2 ** 32
}

export type Piece =
  | { readonly kind: 'record'; readonly bytes: Uint8Array; readonly end: number }
  | { readonly kind: 'mark'; readonly durablePosition: number; readonly end: number }
  | { readonly kind: 'end' }
  /** Nothing whole stands at the place: the file ends too early, or what is there is damaged. */
  | { readonly kind: 'broken'; readonly reason: string }

/** Reads a segment's pieces one after another, a stretch of the file at a time. */
export class SegmentReader {
  readonly #read: (offset: number, length: number) => Uint8Array
  readonly #size: number
  readonly #stretchBytes: number
  #stretch: Uint8Array = new Uint8Array(0)
  #stretchAt = 0

  /** @param size  bytes in the file */
  constructor(read: (offset: number, length: number) => Uint8Array, size: number, stretchBytes: number) {
    this.#read = read
    this.#size = size
    this.#stretchBytes = stretchBytes
  }

  /** What stands at a byte offset of the file. A record's bytes are a view that stays valid. */
  at(offset: number): Piece {
    if (offset >= this.#size) return { kind: 'end' }
    const head = this.#bytesAt(offset, Math.min(MARK_BYTES, this.#size - offset))
    const mark = markAt(head, 0)
    if (mark !== undefined) return { kind: 'mark', durablePosition: mark, end: offset + MARK_BYTES }
    if (head.length < RECORD_HEAD_BYTES) return { kind: 'broken', reason: 'it ends inside a record' }
    const length = RECORD_HEAD_BYTES + readU32(head, 0)
    if (length > this.#size - offset)
      return { kind: 'broken', reason: 'it ends inside a record, or a length is damaged' }
    const bytes = this.#bytesAt(offset, length)
    const check = checkRecord(bytes, 0)
    if (check.kind === 'whole') return { kind: 'record', bytes, end: offset + length }
    return { kind: 'broken', reason: check.kind === 'damaged' ? check.reason : 'it ends inside a record' }
  }

  #bytesAt(offset: number, length: number): Uint8Array {
    const from = offset - this.#stretchAt
    if (from >= 0 && from + length <= this.#stretch.length) return this.#stretch.subarray(from, from + length)
    this.#stretch = this.#read(offset, Math.max(length, Math.min(this.#stretchBytes, this.#size - offset)))
    this.#stretchAt = offset
    return this.#stretch.subarray(0, length)
  }

  /** The highest durable position that any whole mark behind `offset` speaks of; 0 when there is none. */
  promisedBehind(offset: number): number {
    let promised = 0
    for (let at = offset; at < this.#size; at += this.#stretchBytes) {
      // Stretches overlap by a mark, so that none is cut in two.
      const bytes = this.#read(at, Math.min(this.#stretchBytes + MARK_BYTES, this.#size - at))
      for (let i = 0; i + MARK_BYTES <= bytes.length; i++) {
        if (bytes[i] === (MARK_WORD & 255)) promised = Math.max(promised, markAt(bytes, i) ?? 0)
      }
    }
    return promised
  }
}
