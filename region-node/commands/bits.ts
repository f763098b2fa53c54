/**
 * bits.ts: binary strings as rows of bits: counting, finding, combining, changing.
 *
 * Bit 0 is the highest bit of the first byte; behind the last byte all bits are 0. What looks at many bytes
 * brings them into an array, a piece at a time: the native copy is nearly free, and a string that was put
 * together of parts is slow to read by characters.
 *
 * A change costs one copy of the whole string, however many bits it concerns, because a JavaScript string
 * cannot be changed in place. For 1 MB that is a tenth of what the op costs that carries it to the log
 * (0.75 ms of processor time in all, most of it the checksum).
 */
import type { Latin1 } from '../../crdt/codec/bytes.ts'

const PIECE_BYTES = 64 * 1024
const ALL_ONES = 0xffffffff

export type BitOperation = 'and' | 'or' | 'xor' | 'not'

/** A piece of a string as bytes and as words of 32 bits; padded with zeros to whole words. */
class Piece {
  readonly bytes = new Uint8Array(PIECE_BYTES)
  readonly words = new Uint32Array(this.bytes.buffer)
  /** Words in use. */
  wordCount = 0

  /** Takes in the bytes from `start` to before `end`; those behind the end of the text are 0. */
  load(text: string, start: number, end: number, latin1: Latin1): void {
    const part = text.slice(start, end)
    latin1.write(this.bytes, part, 0)
    this.wordCount = Math.ceil((end - start) / 4)
    this.bytes.fill(0, part.length, 4 * this.wordCount)
  }
}

// Nothing outlives a call in them.
const here = new Piece()
const there = new Piece()

/** The bit at `offset`, which may lie behind the end. */
export function bitAt(text: string, offset: number): 0 | 1 {
  const index = Math.floor(offset / 8)
  return index < text.length && (text.charCodeAt(index) >> (7 - (offset % 8))) & 1 ? 1 : 0
}

/** Ones in 32 bits: Warren, "Hacker's Delight", 2nd ed., figure 5-2. */
function onesIn(word: number): number {
  let rest = word - ((word >>> 1) & 0x55555555)
  rest = (rest & 0x33333333) + ((rest >>> 2) & 0x33333333)
  return Math.imul((rest + (rest >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}

/** How many bits from `first` to `last`, both included and inside the string, are 1. */
export function countOnes(text: string, first: number, last: number, latin1: Latin1): number {
  const firstByte = Math.floor(first / 8)
  const end = Math.floor(last / 8) + 1
  // What the two outer bytes hold outside the range is counted too.
  let count = -onesIn(text.charCodeAt(firstByte) >> (8 - (first % 8)))
  count -= onesIn(text.charCodeAt(end - 1) & (0xff >> ((last % 8) + 1)))
  for (let start = firstByte; start < end; start += PIECE_BYTES) {
    here.load(text, start, Math.min(start + PIECE_BYTES, end), latin1)
    for (let i = 0; i < here.wordCount; i++) count += onesIn(here.words[i]!)
  }
  return count
}

/** The first bit of that value from `first` to `last`, both included and inside the string; -1 for none. */
export function findBit(text: string, bit: 0 | 1, first: number, last: number, latin1: Latin1): number {
  const found = findBitFrom(text, bit, first, last, latin1)
  return found <= last ? found : -1
}

/** Same, but it may find one behind `last`. */
function findBitFrom(text: string, bit: 0 | 1, first: number, last: number, latin1: Latin1): number {
  const whole = 8 * Math.ceil(first / 8)
  for (let at = first; at < whole; at++) if (bitAt(text, at) === bit) return at
  const end = Math.floor(last / 8) + 1
  for (let start = whole / 8; start < end; start += PIECE_BYTES) {
    const stop = Math.min(start + PIECE_BYTES, end)
    here.load(text, start, stop, latin1)
    const index = otherByte(stop - start, bit === 1 ? 0 : 0xff)
    if (index >= 0) {
      const byte = here.bytes[index]!
      // The leading bits that are not wanted; of 32 bits 24 are not the byte's.
      return 8 * (start + index) + Math.clz32(bit === 1 ? byte : byte ^ 0xff) - 24
    }
  }
  return last + 1
}

/** Where the first byte is that is not `dull`, of the first `size` in the piece; -1 for nowhere. */
function otherByte(size: number, dull: 0 | 0xff): number {
  const { bytes, words } = here
  const dullWord = dull === 0 ? 0 : ALL_ONES
  let word = 0
  while (4 * word + 4 <= size && words[word] === dullWord) word++
  for (let i = 4 * word; i < size; i++) if (bytes[i] !== dull) return i
  return -1
}

/** Combines strings bit by bit, shorter ones padded with zeros; `not` takes one. */
export function combine(operation: BitOperation, texts: readonly string[], latin1: Latin1): string {
  const length = texts.reduce((most, text) => Math.max(most, text.length), 0)
  let result = ''
  for (let start = 0; start < length; start += PIECE_BYTES) {
    const end = Math.min(start + PIECE_BYTES, length)
    here.load(texts[0]!, start, end, latin1)
    for (let i = 1; i < texts.length; i++) {
      there.load(texts[i]!, start, end, latin1)
      combineWords(operation)
    }
    if (operation === 'not') for (let i = 0; i < here.wordCount; i++) here.words[i] = ~here.words[i]!
    result += latin1.read(here.bytes, 0, end - start)
  }
  return result
}

/** Combines what is `there` into what is `here`. */
function combineWords(operation: BitOperation): void {
  const a = here.words
  const b = there.words
  const count = here.wordCount
  if (operation === 'and') for (let i = 0; i < count; i++) a[i]! &= b[i]!
  else if (operation === 'or') for (let i = 0; i < count; i++) a[i]! |= b[i]!
  else for (let i = 0; i < count; i++) a[i]! ^= b[i]!
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
