/**
 * bytes.ts: primitive values to bytes and back.
 *
 * Integers are varints (7 bits a byte, low bits first, up to 2^53), words are a varint length and their
 * bytes. How latin1 strings move in and out of byte arrays is injected: engines that have a native copy
 * (Node's Buffer) supply it, the default works anywhere.
 *
 * Invariant: a reader never reads past `end`; what does not fit is a DecodeError, never a crash.
 */
import { type Amount, Decimal, integerAmount } from '../amount.ts'

/** Bytes that do not mean what they should. */
export class DecodeError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'DecodeError'
  }
}

export interface Latin1 {
  write(target: Uint8Array, text: string, at: number): void
  read(bytes: Uint8Array, start: number, end: number): string
}

/** Works in every JavaScript engine. */
export const portableLatin1: Latin1 = {
  write(target, text, at) {
    for (let i = 0; i < text.length; i++) target[at + i] = text.charCodeAt(i)
  },
  read(bytes, start, end) {
    let text = ''
    // Pieces of 4096: every argument lies on the stack.
    for (let at = start; at < end; at += 4096) {
      text += String.fromCharCode(...bytes.subarray(at, Math.min(end, at + 4096)))
    }
    return text
  },
}

/** Amounts by their first byte. */
const AMOUNT_INTEGER = 0
const AMOUNT_WIDE = 1
const AMOUNT_FRACTION = 2
/** More than any amount can have that was read from a text; to work out more would hold the node up. */
const AMOUNT_DIGITS_MAX = 32 * 1024

export class ByteWriter {
  bytes: Uint8Array
  /** Where the next byte goes. */
  at = 0
  readonly #latin1: Latin1

  constructor(latin1: Latin1 = portableLatin1, size = 1024) {
    this.bytes = new Uint8Array(size)
    this.#latin1 = latin1
  }

  /** Makes room for `count` more bytes. */
  ensure(count: number): void {
    if (this.at + count > this.bytes.length) this.grow(count)
  }

  /** Replaces `bytes` by a larger array; what lies before `at` stays. */
  protected grow(count: number): void {
    const larger = new Uint8Array(Math.max(this.bytes.length * 2, this.at + count))
    larger.set(this.bytes.subarray(0, this.at))
    this.bytes = larger
  }

  byte(value: number): void {
    this.ensure(1)
    this.bytes[this.at++] = value
  }

  u32(value: number): void {
    this.ensure(4)
    this.at += 4
    this.patchU32(this.at - 4, value)
  }

  /** Three bytes, high one first. */
  u24(value: number): void {
    this.ensure(3)
    this.bytes[this.at++] = value >>> 16
    this.bytes[this.at++] = value >>> 8
    this.bytes[this.at++] = value
  }

  patchU32(at: number, value: number): void {
    const { bytes } = this
    bytes[at] = value
    bytes[at + 1] = value >>> 8
    bytes[at + 2] = value >>> 16
    bytes[at + 3] = value >>> 24
  }

  varint(value: number): void {
    this.ensure(8)
    const { bytes } = this
    while (value > 0x7fffffff) {
      bytes[this.at++] = (value % 128) | 128
      value = Math.floor(value / 128)
    }
    while (value > 127) {
      bytes[this.at++] = (value & 127) | 128
      value >>>= 7
    }
    bytes[this.at++] = value
  }

  raw(bytes: Uint8Array): void {
    this.ensure(bytes.length)
    this.bytes.set(bytes, this.at)
    this.at += bytes.length
  }

  word(word: string): void {
    this.varint(word.length)
    this.characters(word)
  }

  /** A word whose bytes lie in `from`. */
  wordIn(from: Uint8Array, start: number, length: number): void {
    this.varint(length)
    this.ensure(length)
    const { bytes, at } = this
    for (let i = 0; i < length; i++) bytes[at + i] = from[start + i]!
    this.at += length
  }

  /** The bytes of a word, without its length. */
  characters(word: string): void {
    const { length } = word
    this.ensure(length)
    // Below some twenty characters the loop beats the call.
    if (length < 20) {
      const { bytes, at } = this
      for (let i = 0; i < length; i++) bytes[at + i] = word.charCodeAt(i)
    } else {
      this.#latin1.write(this.bytes, word, this.at)
    }
    this.at += length
  }

  amount(amount: Amount): void {
    if (typeof amount !== 'number') {
      this.byte(amount.fractional ? AMOUNT_FRACTION : AMOUNT_WIDE)
      if (amount.fractional) this.varint(amount.scale)
      this.word(String(amount.units))
      return
    }
    // Sign in the first byte: a zigzag of 53 bits would not fit a double.
    this.byte(amount < 0 ? AMOUNT_INTEGER | 128 : AMOUNT_INTEGER)
    this.varint(Math.abs(amount))
  }
}

export class ByteReader {
  readonly bytes: Uint8Array
  at: number
  readonly end: number
  readonly #latin1: Latin1

  constructor(bytes: Uint8Array, latin1: Latin1 = portableLatin1, at = 0, end = bytes.length) {
    this.bytes = bytes
    this.at = at
    this.end = end
    this.#latin1 = latin1
  }

  get more(): boolean {
    return this.at < this.end
  }

  byte(): number {
    if (this.at >= this.end) throw new DecodeError('ends too early')
    return this.bytes[this.at++]!
  }

  u32(): number {
    if (this.end - this.at < 4) throw new DecodeError('ends too early')
    const value = readU32(this.bytes, this.at)
    this.at += 4
    return value
  }

  u24(): number {
    return (this.byte() << 16) | (this.byte() << 8) | this.byte()
  }

  varint(): number {
    // Lengths, counts and differences: nearly all are one byte.
    const first = this.byte()
    if (first < 128) return first
    let value = first & 127
    let scale = 128
    for (let i = 1; i < 8; i++) {
      const byte = this.byte()
      value += (byte & 127) * scale
      if (byte < 128) {
        if (value > Number.MAX_SAFE_INTEGER) break
        return value
      }
      scale *= 128
    }
    throw new DecodeError('a number beyond 53 bits')
  }

  raw(length: number): Uint8Array {
    if (length > this.end - this.at) throw new DecodeError('ends too early')
    this.at += length
    return this.bytes.subarray(this.at - length, this.at)
  }

  word(): string {
    return this.characters(this.varint())
  }

  /** The next `length` bytes as a word. */
  characters(length: number): string {
    const start = this.at
    if (length > this.end - start) throw new DecodeError('ends too early')
    this.at = start + length
    return this.#latin1.read(this.bytes, start, this.at)
  }

  amount(): Amount {
    const kind = this.byte()
    if ((kind & 127) === AMOUNT_INTEGER) {
      const value = this.varint()
      return kind > 127 ? 0 - value : value
    }
    if (kind !== AMOUNT_WIDE && kind !== AMOUNT_FRACTION)
      throw new DecodeError('an amount of an unknown kind')
    const scale = kind === AMOUNT_FRACTION ? this.varint() : 0
    const units = this.word()
    if (scale > AMOUNT_DIGITS_MAX || units.length > AMOUNT_DIGITS_MAX)
      throw new DecodeError('an amount of too many digits')
    if (!/^-?[0-9]+$/.test(units)) throw new DecodeError(`not an amount: '${units}'`)
    return kind === AMOUNT_WIDE ? integerAmount(BigInt(units)) : new Decimal(BigInt(units), scale, true)
  }
}

export function readU32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
}
