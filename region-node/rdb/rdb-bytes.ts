/**
 * rdb-bytes.ts: the primitives of Redis's serialised form: lengths, strings, numbers.
 *
 * A length is 6, 14, 32 or 64 bits, named by its first two bits; the fourth kind stands for a string in another
 * shape: an integer of 8, 16 or 32 bits, or bytes packed with LZF.
 *
 * Invariant: a reader never reads past its end, and makes nothing larger than what it was given allows.
 */
import { ByteReader, ByteWriter, DecodeError } from '../../crdt/codec/bytes.ts'
import type { U64 } from '../../crdt/stream-id.ts'
import { readInt64 } from '../commands/parse.ts'
import { unpackLzf } from './lzf.ts'

const SIX_BITS = 0
const FOURTEEN_BITS = 1
const ENCODED = 3
const THIRTY_TWO_BITS = 0x80
const SIXTY_FOUR_BITS = 0x81
const INT8 = 0
const INT16 = 1
const INT32 = 2
const LZF = 3
/** Longer texts are never written as integers. */
const INTEGER_LENGTH_MAX = 11
/** Three bytes of LZF stand for 264 at most: a string that claims to be longer is refused before room is made. */
const UNPACKED_RATIO_MAX = 88

export class RdbReader extends ByteReader {
  /** A view of the next bytes as numbers, low byte first. */
  view(length: number): DataView {
    const { buffer, byteOffset } = this.raw(length)
    return new DataView(buffer, byteOffset, length)
  }

  /** A count or length. @throws DecodeError */
  length(): number {
    const first = this.byte()
    const length = this.#lengthAfter(first)
    if (length === undefined) throw new DecodeError('a string where a length should be')
    return length
  }

  /** @returns undefined when the byte begins a string in another shape */
  #lengthAfter(first: number): number | undefined {
    switch (first >> 6) {
      case SIX_BITS:
        return first & 63
      case FOURTEEN_BITS:
        return ((first & 63) << 8) | this.byte()
      case ENCODED:
        return undefined
      default:
        if (first === THIRTY_TWO_BITS) return this.view(4).getUint32(0)
        if (first === SIXTY_FOUR_BITS) return this.#safe(this.view(8).getBigUint64(0))
        throw new DecodeError('an unknown kind of length')
    }
  }

  /** A count of up to 64 bits without a sign. @throws DecodeError */
  wideLength(): U64 {
    if (this.bytes[this.at] !== SIXTY_FOUR_BITS) return this.length()
    this.at++
    return this.wide(false)
  }

  /** Eight bytes without a sign. */
  wide(isLittleEndian: boolean): U64 {
    const wide = this.view(8).getBigUint64(0, isLittleEndian)
    return wide > Number.MAX_SAFE_INTEGER ? wide : Number(wide)
  }

  #safe(wide: bigint): number {
    const narrow = Number(wide)
    if (!Number.isSafeInteger(narrow)) throw new DecodeError('a length beyond 53 bits')
    return narrow
  }

  /** A string as bytes: a view, or unpacked. @throws DecodeError */
  blob(): Uint8Array {
    const first = this.byte()
    const length = this.#lengthAfter(first)
    if (length !== undefined) return this.raw(length)
    if ((first & 63) === LZF) {
      const packed = this.length()
      const unpacked = this.length()
      if (unpacked > packed * UNPACKED_RATIO_MAX)
        throw new DecodeError('a packed string that claims too much')
      return unpackLzf(this.raw(packed), unpacked)
    }
    const text = this.#integer(first & 63)
    return Uint8Array.from(text, (character) => character.charCodeAt(0))
  }

  /** A string as a word. @throws DecodeError */
  text(): string {
    const start = this.at
    const length = this.#lengthAfter(this.byte())
    if (length !== undefined) return this.characters(length)
    this.at = start
    const blob = this.blob()
    return new ByteReader(blob).characters(blob.length)
  }

  #integer(kind: number): string {
    if (kind === INT8) return String(this.view(1).getInt8(0))
    if (kind === INT16) return String(this.view(2).getInt16(0, true))
    if (kind === INT32) return String(this.view(4).getInt32(0, true))
    throw new DecodeError(`an unknown shape of a string ${kind}`)
  }

  /** A double as eight bytes. */
  double(): number {
    return this.view(8).getFloat64(0, true)
  }
}

export class RdbWriter extends ByteWriter {
  length(length: number): void {
    if (length < 64) {
      this.byte(length)
    } else if (length < 1 << 14) {
      this.byte((FOURTEEN_BITS << 6) | (length >> 8))
      this.byte(length & 255)
    } else if (length < 2 ** 32) {
      this.byte(THIRTY_TWO_BITS)
      this.#bigEndian(length, 4)
    } else {
      this.byte(SIXTY_FOUR_BITS)
      this.#bigEndian(Math.floor(length / 2 ** 32), 4)
      this.#bigEndian(length % 2 ** 32, 4)
    }
  }

  #bigEndian(value: number, bytes: number): void {
    for (let i = bytes - 1; i >= 0; i--) this.byte((value / 2 ** (8 * i)) & 255)
  }

  /** A count of up to 64 bits. */
  wideLength(value: U64): void {
    if (typeof value === 'number') {
      this.length(value)
      return
    }
    this.byte(SIXTY_FOUR_BITS)
    this.wide(value, false)
  }

  /** Eight bytes; what is below zero as its complement. */
  wide(value: bigint, isLittleEndian: boolean): void {
    const bytes = new Uint8Array(8)
    new DataView(bytes.buffer).setBigInt64(0, value, isLittleEndian)
    this.raw(bytes)
  }

  /** A string that is bytes. */
  blob(bytes: Uint8Array): void {
    this.length(bytes.length)
    this.raw(bytes)
  }

  littleEndian(value: number, bytes: number): void {
    for (let i = 0; i < bytes; i++) this.byte((value >> (8 * i)) & 255)
  }

  /** A string; an integer of at most 32 bits in its short shape, as Redis writes it. */
  text(word: string): void {
    const value = word.length <= INTEGER_LENGTH_MAX ? readInt64(word) : undefined
    if (typeof value === 'number' && value === (value | 0)) {
      const kind = value === (value << 24) >> 24 ? INT8 : value === (value << 16) >> 16 ? INT16 : INT32
      this.byte((ENCODED << 6) | kind)
      this.littleEndian(value, 1 << kind)
      return
    }
    this.length(word.length)
    this.characters(word)
  }

  double(value: number): void {
    const bytes = new Uint8Array(8)
    new DataView(bytes.buffer).setFloat64(0, value, true)
    this.raw(bytes)
  }
}
