/**
 * hll-registers.ts: the registers of a HyperLogLog, sparse or dense, and as the bytes that Redis keeps.
 *
 * Registers only rise, so the highest value of each, whatever the order, is the join of all writes
 * (`hll.ts`). Which of its two forms a value shows is part of what GET answers, so it must follow from the
 * writes too: it is dense if one of them said so (its origin had it dense), if a register is too high for the
 * sparse form, or if the sparse form of these registers takes more than Redis's default for
 * `hll-sparse-max-bytes`. What is stored may be dense already where sparse is shown.
 *
 * Source: Redis's `hyperloglog.c` for the layout; Heule et al., "HyperLogLog in Practice", EDBT 2013.
 */
import { assert } from './assert.ts'
import { portableLatin1 } from './codec/bytes.ts'
import { HASH_BITS, indexOf, levelOf, REGISTER_COUNT } from './hll-hash.ts'
import { SparseRegisters } from './hll-sparse.ts'

const HEADER_BYTES = 16
const REGISTER_BITS = 6
const DENSE_BYTES = (REGISTER_COUNT * REGISTER_BITS) / 8
/** `hll-sparse-max-bytes` of a Redis that nobody has configured, the header not counted. */
const SPARSE_BYTES_MAX = 3000 - HEADER_BYTES
const MAGIC = 'HYLL'
const ENCODING_AT = 4
const CARD_AT = 8
const DENSE = 0
const SPARSE = 1

/** The cached cardinality 0, as eight bytes, low one first. */
export const CARD_ZERO = '\0'.repeat(8)
const STALE_BIT = 128

/** A number as the eight bytes of a cached cardinality. */
export function cardOf(count: number): string {
  let bytes = ''
  for (let left = count, i = 0; i < 8; i++, left = Math.floor(left / 256)) {
    bytes += String.fromCharCode(left % 256)
  }
  return bytes
}

/** The cached cardinality; undefined when registers have risen since. */
export function countOfCard(card: string): number | undefined {
  if (card.charCodeAt(7) >= STALE_BIT) return undefined
  let count = 0
  for (let i = 7; i >= 0; i--) count = count * 256 + card.charCodeAt(i)
  return count
}

/** The same cached cardinality, marked as out of date. */
export function staleCard(card: string): string {
  return card.slice(0, 7) + String.fromCharCode(card.charCodeAt(7) | STALE_BIT)
}

/** A string begins as one that PFADD wrote, and is as long as one. */
export function isHllText(text: string): boolean {
  if (text.length < HEADER_BYTES || !text.startsWith(MAGIC)) return false
  const encoding = text.charCodeAt(ENCODING_AT)
  return encoding === DENSE ? text.length === HEADER_BYTES + DENSE_BYTES : encoding === SPARSE
}

/** The eight bytes of the cached cardinality in a string that `isHllText`. */
export function cardIn(text: string): string {
  return text.slice(CARD_AT, HEADER_BYTES)
}

export class HllRegisters {
  #isPinned = false
  #sparse: SparseRegisters | undefined = SparseRegisters.zero()
  /** Six bits a register, low bits first; unless they are sparse. */
  #dense: Uint8Array | undefined = undefined

  /**
   * @param text  a string that `isHllText`
   * @param isPinned  some writer had it dense: whoever writes a dense string as a whole has
   * @returns undefined when its sparse part is damaged
   */
  static read(text: string, isPinned = text.charCodeAt(ENCODING_AT) === DENSE): HllRegisters | undefined {
    const body = new Uint8Array(text.length - HEADER_BYTES)
    for (let i = 0; i < body.length; i++) body[i] = text.charCodeAt(HEADER_BYTES + i)
    const registers = new HllRegisters()
    if (text.charCodeAt(ENCODING_AT) === DENSE) {
      registers.#dense = body
      registers.#sparse = undefined
      registers.#isPinned = isPinned
      return registers
    }
    const sparse = SparseRegisters.read(body)
    if (sparse === undefined) return undefined
    registers.#sparse = sparse
    if (sparse.length > SPARSE_BYTES_MAX) registers.pin()
    return registers
  }

  /** Some writer had it dense. */
  get isPinned(): boolean {
    return this.#isPinned
  }

  /** The bytes that Redis would hold, one a character. @param card  the cached cardinality */
  text(card: string): string {
    const sparse = this.#shownSparse()
    const encoding = String.fromCharCode(sparse === undefined ? DENSE : SPARSE)
    const body = sparse === undefined ? this.#dense! : sparse.bytes
    return `${MAGIC}${encoding}\0\0\0${card}${portableLatin1.read(body, 0, body.length)}`
  }

  /** Bytes of `text`. */
  get textBytes(): number {
    return HEADER_BYTES + (this.#shownSparse()?.length ?? DENSE_BYTES)
  }

  /** What the sparse form shows; undefined when the dense one is shown. */
  #shownSparse(): SparseRegisters | undefined {
    if (this.#sparse !== undefined) return this.#sparse
    if (this.#isPinned) return undefined
    const sparse = SparseRegisters.of(this.values())
    return sparse === undefined || sparse.length > SPARSE_BYTES_MAX ? undefined : sparse
  }

  get isDense(): boolean {
    return this.#shownSparse() === undefined
  }

  /** The runs of the sparse form, as PFDEBUG DECODE lists them; undefined when the dense one is shown. */
  describeSparse(): string | undefined {
    return this.#shownSparse()?.describe()
  }

  /** The dense form is in use, which a reader is not told as long as the sparse one would do. */
  get hasOutgrownSparse(): boolean {
    return this.#dense !== undefined
  }

  /** Makes it dense for good. */
  pin(): void {
    this.#isPinned = true
    this.#toDense()
  }

  copy(): HllRegisters {
    const made = new HllRegisters()
    made.#isPinned = this.#isPinned
    made.#sparse = this.#sparse?.copy()
    made.#dense = this.#dense?.slice()
    return made
  }

  get(index: number): number {
    return this.#sparse === undefined ? denseGet(this.#dense!, index) : this.#sparse.get(index)
  }

  /** Raises a register. @param raise  register and value, packed (`hll-hash.ts`) @returns false when it was as high */
  raise(raise: number): boolean {
    const index = indexOf(raise)
    const value = levelOf(raise)
    if (this.#sparse !== undefined) {
      const result = this.#sparse.raise(index, value, SPARSE_BYTES_MAX)
      if (result !== 'outgrown') return result === 'raised'
      this.#toDense()
    }
    const dense = this.#dense!
    if (denseGet(dense, index) >= value) return false
    denseSet(dense, index, value)
    return true
  }

  /** The value of every register, by index. */
  values(): Uint8Array {
    const values = new Uint8Array(REGISTER_COUNT)
    this.maximumInto(values)
    return values
  }

  /** Raises each of `values`, by register, to what it is here. */
  maximumInto(values: Uint8Array): void {
    const dense = this.#dense
    if (dense === undefined) {
      this.#sparse!.runs((first, count, value) => {
        for (let i = first; i < first + count; i++) if (values[i]! < value) values[i] = value
      })
      return
    }
    // Four registers in three bytes.
    for (let at = 0, i = 0; at < DENSE_BYTES; at += 3, i += 4) {
      const bits = dense[at]! | (dense[at + 1]! << 8) | (dense[at + 2]! << 16)
      if (bits === 0) continue
      for (let j = 0; j < 4; j++) {
        const value = (bits >> (REGISTER_BITS * j)) & 63
        if (values[i + j]! < value) values[i + j] = value
      }
    }
  }

  #toDense(): void {
    const sparse = this.#sparse
    if (sparse === undefined) return
    const dense = new Uint8Array(DENSE_BYTES)
    sparse.runs((first, count, value) => {
      for (let i = first; i < first + count; i++) denseSet(dense, i, value)
    })
    this.#dense = dense
    this.#sparse = undefined
  }
}

function denseGet(dense: Uint8Array, index: number): number {
  const bit = index * REGISTER_BITS
  const at = bit >> 3
  return ((dense[at]! | ((dense[at + 1] ?? 0) << 8)) >> (bit & 7)) & 63
}

function denseSet(dense: Uint8Array, index: number, value: number): void {
  const bit = index * REGISTER_BITS
  const at = bit >> 3
  const shift = bit & 7
  dense[at] = (dense[at]! & ~(63 << shift)) | (value << shift)
  if (shift > 8 - REGISTER_BITS) {
    dense[at + 1] = (dense[at + 1]! & ~(63 >> (8 - shift))) | (value >> (8 - shift))
  }
}

/** The bias that the formula corrects for infinitely many registers. */
const ALPHA = 0.7213475204444817

/**
 * How many different elements the registers stand for, as Redis works it out.
 * Source: Ertl, "New cardinality estimation algorithms for HyperLogLog sketches", arXiv 1702.01284, 2017.
 */
export function estimate(values: Uint8Array): number {
  assert(values.length === REGISTER_COUNT, 'a value for every register')
  const histogram = new Int32Array(64)
  for (const value of values) histogram[value]!++
  let z = REGISTER_COUNT * tau((REGISTER_COUNT - histogram[HASH_BITS + 1]!) / REGISTER_COUNT)
  for (let value = HASH_BITS; value >= 1; value--) z = 0.5 * (z + histogram[value]!)
  z += REGISTER_COUNT * sigma(histogram[0]! / REGISTER_COUNT)
  return Math.round((ALPHA * REGISTER_COUNT * REGISTER_COUNT) / z)
}

function sigma(share: number): number {
  if (share === 1) return Number.POSITIVE_INFINITY
  let x = share
  let y = 1
  let z = x
  for (let before = Number.NaN; before !== z; ) {
    x *= x
    before = z
    z += x * y
    y += y
  }
  return z
}

function tau(share: number): number {
  if (share === 0 || share === 1) return 0
  let x = share
  let y = 1
  let z = 1 - x
  for (let before = Number.NaN; before !== z; ) {
    x = Math.sqrt(x)
    before = z
    y *= 0.5
    z -= (1 - x) ** 2 * y
  }
  return z / 3
}
