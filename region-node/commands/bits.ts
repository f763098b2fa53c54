/**
 * bits.ts: binary strings as rows of bits: counting, finding, combining, changing.
 *
 * Bit 0 is the highest bit of the first byte; behind the last byte all bits are 0. Nothing here copies a
 * string to read it. A change costs one copy of the whole string, however many bits it concerns, because a
 * JavaScript string cannot be changed in place: measured 0.05 to 0.1 ms for one bit of 1 MB, and as much
 * again for the op that carries it.
 */
import { portableLatin1 } from '../../crdt/codec/bytes.ts'

const ONES = Uint8Array.from({ length: 256 }, (_, byte) => {
  let count = 0
  for (let rest = byte; rest > 0; rest &= rest - 1) count++
  return count
})
/** Combined bytes become characters in pieces of this many. */
const PIECE_BYTES = 64 * 1024

export type BitOperation = 'and' | 'or' | 'xor' | 'not'

/** The bit at `offset`, which may lie behind the end. */
export function bitAt(text: string, offset: number): 0 | 1 {
  const index = Math.floor(offset / 8)
  return index < text.length && (text.charCodeAt(index) >> (7 - (offset % 8))) & 1 ? 1 : 0
}

/** How many bits from `first` to `last`, both included and inside the string, are 1. */
export function countOnes(text: string, first: number, last: number): number {
  const firstByte = Math.floor(first / 8)
  const lastByte = Math.floor(last / 8)
  let count = 0
  for (let i = firstByte; i <= lastByte; i++) count += ONES[text.charCodeAt(i)]!
  // What the two outer bytes hold outside the range was counted too.
  count -= ONES[text.charCodeAt(firstByte) >> (8 - (first % 8))]!
  return count - ONES[text.charCodeAt(lastByte) & (0xff >> ((last % 8) + 1))]!
}

/** The first bit of that value from `first` to `last`, both included and inside the string; -1 for none. */
export function findBit(text: string, bit: 0 | 1, first: number, last: number): number {
  const dull = bit === 1 ? 0 : 0xff
  for (let at = first; at <= last; ) {
    const byte = text.charCodeAt(Math.floor(at / 8))
    if (byte === dull) {
      at += 8 - (at % 8)
    } else if (((byte >> (7 - (at % 8))) & 1) === bit) {
      return at
    } else {
      at++
    }
  }
  return -1
}

/** Combines strings bit by bit, shorter ones padded with zeros; `not` takes one. */
export function combine(operation: BitOperation, texts: readonly string[]): string {
  const length = texts.reduce((most, text) => Math.max(most, text.length), 0)
  const piece = new Uint8Array(Math.min(PIECE_BYTES, length))
  let result = ''
  for (let start = 0; start < length; start += PIECE_BYTES) {
    const size = Math.min(PIECE_BYTES, length - start)
    texts.forEach((text, i) => {
      combineInto(piece, size, i === 0 ? 'first' : operation, text, start)
    })
    if (operation === 'not') for (let i = 0; i < size; i++) piece[i] = ~piece[i]!
    result += portableLatin1.read(piece, 0, size)
  }
  return result
}

/** Combines `size` bytes of the text, from `start` on, with those in `piece`. */
function combineInto(
  piece: Uint8Array,
  size: number,
  operation: BitOperation | 'first',
  text: string,
  start: number,
): void {
  const there = Math.max(0, Math.min(size, text.length - start))
  if (operation === 'first') {
    for (let i = 0; i < there; i++) piece[i] = text.charCodeAt(start + i)
    piece.fill(0, there, size)
  } else if (operation === 'and') {
    for (let i = 0; i < there; i++) piece[i]! &= text.charCodeAt(start + i)
    piece.fill(0, there, size)
  } else if (operation === 'or') {
    for (let i = 0; i < there; i++) piece[i]! |= text.charCodeAt(start + i)
  } else {
    for (let i = 0; i < there; i++) piece[i]! ^= text.charCodeAt(start + i)
  }
}

/** A string with changes that are not in it yet: written once, at the end. */
export class BitEditor {
  readonly #text: string
  readonly #bytes = new Map<number, number>()
  #length: number
  #isChanged = false

  constructor(text: string) {
    this.#text = text
    this.#length = text.length
  }

  /** A bit is not what it was, or the string has grown. */
  get isChanged(): boolean {
    return this.#isChanged
  }

  /** The byte at `index`, 0 behind the end. */
  byteAt(index: number): number {
    return this.#bytes.get(index) ?? (index < this.#text.length ? this.#text.charCodeAt(index) : 0)
  }

  /** Pads with zeros up to `length` bytes. */
  grow(length: number): void {
    if (length <= this.#length) return
    this.#length = length
    this.#isChanged = true
  }

  /** @param index  within the string, grown if need be */
  setByte(index: number, byte: number): void {
    if (this.byteAt(index) === byte) return
    this.#bytes.set(index, byte)
    this.#isChanged = true
  }

  /** The `bits` bits from `offset` on as an unsigned number, 64 bits at most. */
  read(offset: number, bits: number): bigint {
    const last = Math.floor((offset + bits - 1) / 8)
    let value = 0n
    for (let i = Math.floor(offset / 8); i <= last; i++) value = (value << 8n) | BigInt(this.byteAt(i))
    return BigInt.asUintN(bits, value >> BigInt(7 - ((offset + bits - 1) % 8)))
  }

  /** Puts the lowest `bits` bits of the value in place of those from `offset` on. */
  write(offset: number, bits: number, value: bigint): void {
    const last = Math.floor((offset + bits - 1) / 8)
    const shift = BigInt(7 - ((offset + bits - 1) % 8))
    let mask = ((1n << BigInt(bits)) - 1n) << shift
    let rest = BigInt.asUintN(bits, value) << shift
    for (let i = last; mask > 0n; i--) {
      const kept = this.byteAt(i) & ~Number(mask & 0xffn)
      this.setByte(i, kept | Number(rest & 0xffn))
      mask >>= 8n
      rest >>= 8n
    }
  }

  /** The string with its changes: a sum of pieces, which the op codec makes flat. */
  get text(): string {
    let text = ''
    let at = 0
    for (const [index, byte] of [...this.#bytes].sort(([a], [b]) => a - b)) {
      text += this.#between(at, index) + String.fromCharCode(byte)
      at = index + 1
    }
    return text + this.#between(at, this.#length)
  }

  /** What was there from `start` to before `end`, with zeros behind its end. */
  #between(start: number, end: number): string {
    return this.#text.slice(start, end).padEnd(end - start, '\0')
  }
}
