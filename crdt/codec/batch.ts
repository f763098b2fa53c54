/**
 * batch.ts: consecutive ops of one origin, as bytes. See FORMAT.md beside this file.
 *
 * A batch is what one event-loop turn of an origin minted against one state of its vector. It is the unit
 * of the log, of its checksum and of the sync stream: these bytes are made once and never translated.
 * `deps` stands once in the header, because a node ends its open batch before it applies anything from
 * elsewhere; the op's own origin is covered up to `seq - 1` by definition.
 *
 * A *record* is a batch behind its length and its CRC32C.
 */

import type { EffectReader, EffectWriter } from '../effects/effect.ts'
import type { Hlc } from '../hlc.ts'
import type { Origin, OriginTable } from '../origin.ts'
import { decodeEffect, type Effect, END_OF_OP, encodeEffect } from '../registry.ts'
import { VersionVector } from '../version-vector.ts'
import { ByteReader, ByteWriter, DecodeError, type Latin1, readU32 } from './bytes.ts'
import { crc32c } from './crc32c.ts'

/** Bytes before the batch in a record: length and checksum, both u32. */
export const RECORD_HEAD_BYTES = 8
const OP_COUNT_AT_UNKNOWN = -1

/** Which ops a batch holds. */
export interface BatchSpan {
  readonly partition: number
  readonly origin: Origin
  /** Seq of the first op; the others follow without a gap. */
  readonly firstSeq: number
  readonly opCount: number
}

export interface BatchHeader extends BatchSpan {
  /** What the origin had applied of others. */
  readonly deps: VersionVector
}

export function lastSeq({ firstSeq, opCount }: BatchSpan): number {
  return firstSeq + opCount - 1
}

export interface Op {
  readonly seq: number
  readonly hlc: Hlc
  readonly effects: readonly Effect[]
}

/** Encodes one batch after another into a growing array of bytes. */
export class BatchWriter extends ByteWriter implements EffectWriter {
  /** Where the open record begins; what lies before is finished. */
  protected start = 0
  #opCountAt = OP_COUNT_AT_UNKNOWN
  #firstSeq = 0
  #opCount = 0
  #lastHlc: Hlc = 0
  readonly #places: number[] = []

  get isOpen(): boolean {
    return this.#opCountAt !== OP_COUNT_AT_UNKNOWN
  }

  /** Bytes of the open record so far. */
  get openBytes(): number {
    return this.isOpen ? this.at - this.start : 0
  }

  begin(partition: number, origin: Origin, firstSeq: number, deps: VersionVector, hlc: Hlc): void {
    this.ensure(256)
    this.start = this.at
    this.at += RECORD_HEAD_BYTES
    this.varint(partition)
    this.origin(origin)
    this.varint(firstSeq)
    this.#places.length = 0
    this.#places[origin.index] = 0
    this.#deps(deps, origin)
    this.varint(hlc)
    this.#opCountAt = this.at - this.start
    this.u32(0)
    this.#firstSeq = firstSeq
    this.#opCount = 0
    this.#lastHlc = hlc
  }

  #deps(deps: VersionVector, own: Origin): void {
    const { origins, length } = deps
    let count = 0
    for (let i = 0; i < length; i++) if (i !== own.index && deps.at(i) > 0) count++
    this.varint(count)
    let place = 0
    for (let i = 0; i < length; i++) {
      if (i === own.index || deps.at(i) === 0) continue
      this.#places[i] = ++place
      this.origin(origins.at(i))
      this.varint(deps.at(i))
    }
  }

  origin({ region, high, low }: Origin): void {
    this.varint(region)
    this.u24(high)
    this.u24(low)
  }

  beginOp(hlc: Hlc): void {
    this.varint(hlc - this.#lastHlc)
    this.#lastHlc = hlc
    this.#opCount++
  }

  effect(effect: Effect): void {
    encodeEffect(effect, this)
  }

  endOp(): void {
    this.byte(END_OF_OP)
  }

  originRef(origin: Origin): void {
    this.varint(this.#places[origin.index]!)
  }

  /** Ends the record. @returns it, as a view that stays valid, and which ops it holds */
  finish(): { readonly record: Uint8Array; readonly firstSeq: number; readonly opCount: number } {
    const { bytes, start, at } = this
    this.patchU32(start + this.#opCountAt, this.#opCount)
    this.patchU32(start, at - start - RECORD_HEAD_BYTES)
    this.patchU32(start + 4, crc32c(bytes, start + RECORD_HEAD_BYTES, at))
    this.#opCountAt = OP_COUNT_AT_UNKNOWN
    this.start = at
    return { record: bytes.subarray(start, at), firstSeq: this.#firstSeq, opCount: this.#opCount }
  }
}

/** Reads one batch; the bytes are those behind the record's head. */
export class BatchReader extends ByteReader implements EffectReader {
  readonly header: BatchHeader
  readonly #origins: OriginTable
  readonly #refs: Origin[] = []
  #seq: number
  #hlc: Hlc

  /** @throws DecodeError */
  constructor(bytes: Uint8Array, origins: OriginTable, latin1?: Latin1, at = 0, end = bytes.length) {
    super(bytes, latin1, at, end)
    this.#origins = origins
    const partition = this.varint()
    const origin = this.origin()
    const firstSeq = this.varint()
    this.#refs.push(origin)
    const deps = new VersionVector(origins)
    for (let left = this.varint(); left > 0; left--) {
      const other = this.origin()
      this.#refs.push(other)
      deps.advance(other, this.varint())
    }
    this.#hlc = this.varint()
    const opCount = this.u32()
    if (firstSeq === 0 || opCount === 0) throw new DecodeError('a batch without ops')
    this.#seq = firstSeq
    this.header = { partition, origin, firstSeq, opCount, deps }
  }

  origin(): Origin {
    const region = this.varint()
    try {
      return this.#origins.internParts(region, this.u24(), this.u24())
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      throw new DecodeError(`a region id out of range: ${region}`)
    }
  }

  originRef(): Origin {
    const origin = this.#refs[this.varint()]
    if (origin === undefined) throw new DecodeError('an origin that the batch does not name')
    return origin
  }

  /** Every op, decoded to the end before any is used: a bad batch is refused as a whole. */
  ops(): Op[] {
    const ops: Op[] = []
    for (let left = this.header.opCount; left > 0; left--) {
      this.#hlc += this.varint()
      ops.push({ seq: this.#seq++, hlc: this.#hlc, effects: this.#effects() })
    }
    if (this.more) throw new DecodeError('bytes after the last op')
    return ops
  }

  /** The effects of one op. Nearly all have one: a list that is pushed to makes room for seventeen. */
  #effects(): Effect[] {
    const first = decodeEffect(this)
    if (first === undefined) return []
    const effects = [first]
    for (let effect = decodeEffect(this); effect !== undefined; effect = decodeEffect(this))
      effects.push(effect)
    return effects
  }
}

/** What stands at a place in a stretch of records. */
export type RecordCheck =
  | { readonly kind: 'whole'; readonly end: number }
  /** The bytes end before the record does. */
  | { readonly kind: 'short' }
  | { readonly kind: 'damaged'; readonly reason: string }

/** Looks at the record that begins at `at`. Its checksum is compared when it is whole. */
export function checkRecord(bytes: Uint8Array, at: number, end = bytes.length): RecordCheck {
  if (end - at < RECORD_HEAD_BYTES) return { kind: 'short' }
  const length = readU32(bytes, at)
  if (length === 0) return { kind: 'damaged', reason: 'a record of length 0' }
  const start = at + RECORD_HEAD_BYTES
  if (end - start < length) return { kind: 'short' }
  if (crc32c(bytes, start, start + length) !== readU32(bytes, at + 4)) {
    return { kind: 'damaged', reason: 'a checksum that does not match' }
  }
  return { kind: 'whole', end: start + length }
}

/** Opens the batch in a whole record. @throws DecodeError */
export function openRecord(record: Uint8Array, origins: OriginTable, latin1?: Latin1): BatchReader {
  return new BatchReader(record, origins, latin1, RECORD_HEAD_BYTES)
}
