/**
 * hll-sparse.ts: the sparse form of HyperLogLog registers: runs of equal values as one or two bytes each.
 *
 * The bytes are Redis's: `00nnnnnn` is 1 to 64 zeros, `01nnnnnn nnnnnnnn` is 1 to 16384 zeros, `1vvvvvnn` is
 * 1 to 4 registers of the value 1 to 32. Where Redis's bytes depend on the order in which registers were raised
 * (a run of more than four equal values may be cut anywhere), they do not here, because regions hear of the
 * same writes in different orders: a run is cut from the left into fours.
 *
 * Invariants: (1) the runs add up to REGISTER_COUNT. (2) Neighbouring runs of zeros are one. (3) Registers give
 * the same bytes whatever happened before.
 * Source: Redis's `hyperloglog.c`, the comment at its beginning, for the opcodes.
 */
import { REGISTER_COUNT } from './hll-hash.ts'

/** The highest value that the sparse form can hold. */
export const SPARSE_VALUE_MAX = 32

const VALUE_OPCODE = 0x80
const XZERO_OPCODE = 0x40
const ZERO_RUN_MAX = 64
const VALUE_RUN_MAX = 4

/** How many bytes a run of zeros takes. */
function zerosWidth(count: number): number {
  if (count === 0) return 0
  return count > ZERO_RUN_MAX ? 2 : 1
}

/** How many bytes the opcode has that begins with `first`. */
function widthOf(first: number): number {
  return first >= XZERO_OPCODE && first < VALUE_OPCODE ? 2 : 1
}

function runOf(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!
  if (first >= VALUE_OPCODE) return (first & 3) + 1
  return first < XZERO_OPCODE ? (first & 63) + 1 : (((first & 63) << 8) | bytes[at + 1]!) + 1
}

/** The value of an opcode's registers; 0 for zeros. */
function valueAt(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!
  return first >= VALUE_OPCODE ? ((first >> 2) & 31) + 1 : 0
}

/** Gathers runs in the order of the registers and writes each when it is over. */
class RunWriter {
  readonly bytes: number[] = []
  #value = 0
  #count = 0

  run(value: number, count: number): void {
    if (value !== this.#value) this.end()
    this.#value = value
    this.#count += count
  }

  end(): void {
    if (this.#value === 0) this.#zeros()
    else for (; this.#count > 0; this.#count -= VALUE_RUN_MAX) this.#values()
    this.#count = 0
  }

  #zeros(): void {
    const less = this.#count - 1
    if (less >= ZERO_RUN_MAX) this.bytes.push(XZERO_OPCODE | (less >> 8), less & 255)
    else if (less >= 0) this.bytes.push(less)
  }

  #values(): void {
    const count = Math.min(VALUE_RUN_MAX, this.#count)
    this.bytes.push(VALUE_OPCODE | ((this.#value - 1) << 2) | (count - 1))
  }
}

/** What `raise` did; or that the sparse form cannot do it. */
export type Raise = 'raised' | 'unchanged' | 'outgrown'

export class SparseRegisters {
  #bytes: Uint8Array
  #length: number

  private constructor(bytes: Uint8Array, length = bytes.length) {
    this.#bytes = bytes
    this.#length = length
  }

  /** All registers zero. */
  static zero(): SparseRegisters {
    return new SparseRegisters(new Uint8Array([XZERO_OPCODE | ((REGISTER_COUNT - 1) >> 8), 255]))
  }

  /** @returns undefined when the bytes are no registers, or not all of them */
  static read(bytes: Uint8Array): SparseRegisters | undefined {
    const runs = new RunWriter()
    let index = 0
    for (let at = 0; at < bytes.length; at += widthOf(bytes[at]!)) {
      if (at + widthOf(bytes[at]!) > bytes.length) return undefined
      const count = runOf(bytes, at)
      runs.run(valueAt(bytes, at), count)
      index += count
      if (index > REGISTER_COUNT) return undefined
    }
    runs.end()
    return index === REGISTER_COUNT ? new SparseRegisters(Uint8Array.from(runs.bytes)) : undefined
  }

  /** The sparse form of registers, each a number; undefined when a value is too high for it. */
  static of(values: Uint8Array): SparseRegisters | undefined {
    const runs = new RunWriter()
    for (const value of values) {
      if (value > SPARSE_VALUE_MAX) return undefined
      runs.run(value, 1)
    }
    runs.end()
    return new SparseRegisters(Uint8Array.from(runs.bytes))
  }

  get length(): number {
    return this.#length
  }

  /** A view, valid until the next `raise`. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  copy(): SparseRegisters {
    return new SparseRegisters(this.#bytes.slice(0, this.#length))
  }

  get(index: number): number {
    const bytes = this.#bytes
    let at = 0
    for (let left = index - runOf(bytes, 0); left >= 0; left -= runOf(bytes, at)) at += widthOf(bytes[at]!)
    return valueAt(bytes, at)
  }

  /** Calls `take` with each run of registers, zeros left out. */
  runs(take: (first: number, count: number, value: number) => void): void {
    const bytes = this.#bytes
    let index = 0
    for (let at = 0; at < this.#length; at += widthOf(bytes[at]!)) {
      const count = runOf(bytes, at)
      const value = valueAt(bytes, at)
      if (value > 0) take(index, count, value)
      index += count
    }
  }

  /** Each run as Redis names it: `z:` or `Z:` and how many zeros, `v:` a value and how many registers. */
  describe(): string {
    const bytes = this.bytes
    const parts: string[] = []
    for (let at = 0; at < bytes.length; at += widthOf(bytes[at]!)) {
      const value = valueAt(bytes, at)
      const zeros = widthOf(bytes[at]!) === 2 ? 'Z' : 'z'
      parts.push(value > 0 ? `v:${value},${runOf(bytes, at)}` : `${zeros}:${runOf(bytes, at)}`)
    }
    return parts.join(' ')
  }

  /**
   * Raises a register to a value, unless it is as high already.
   * @param lengthMax  bytes beyond which it is outgrown, as Redis works it out: before neighbours are joined
   */
  raise(index: number, value: number, lengthMax: number): Raise {
    const bytes = this.#bytes
    let at = 0
    let first = 0
    // Where the values that reach up to `at` without a zero begin.
    let block = 0
    let count = runOf(bytes, 0)
    while (index >= first + count) {
      const isZero = bytes[at]! < VALUE_OPCODE
      at += widthOf(bytes[at]!)
      first += count
      count = runOf(bytes, at)
      if (isZero) block = at
    }
    const old = valueAt(bytes, at)
    if (old >= value) return 'unchanged'
    const before = index - first
    const behind = count - before - 1
    if (value > SPARSE_VALUE_MAX) return 'outgrown'
    const growth = old === 0 ? zerosGrowth(before, behind) : valuesGrowth(before, behind)
    if (growth > 0 && this.#length + growth > lengthMax) return 'outgrown'
    const runs = new RunWriter()
    // From zeros in between, the values before them stay as they are.
    let end = old === 0 && before > 0 ? at : block
    const start = end
    for (; end < at; end++) runs.run(valueAt(bytes, end), runOf(bytes, end))
    if (before > 0) runs.run(old, before)
    runs.run(value, 1)
    if (behind > 0) runs.run(old, behind)
    end = at + widthOf(bytes[at]!)
    if (old > 0 || behind === 0)
      for (; end < this.#length && bytes[end]! >= VALUE_OPCODE; end++)
        runs.run(valueAt(bytes, end), runOf(bytes, end))
    runs.end()
    this.#replace(start, end, runs.bytes)
    return 'raised'
  }

  #replace(start: number, end: number, by: readonly number[]): void {
    const length = this.#length + by.length - (end - start)
    if (length > this.#bytes.length) {
      const larger = new Uint8Array(length + (length >> 1))
      larger.set(this.#bytes.subarray(0, this.#length))
      this.#bytes = larger
    }
    this.#bytes.copyWithin(start + by.length, end, this.#length)
    this.#bytes.set(by, start)
    this.#length = length
  }
}

/** Bytes that are added where one of a run of zeros gets a value. */
function zerosGrowth(before: number, behind: number): number {
  return zerosWidth(before) + 1 + zerosWidth(behind) - zerosWidth(before + 1 + behind)
}

/** Bytes that are added where one of a run of values gets another one. */
function valuesGrowth(before: number, behind: number): number {
  return Math.min(1, before) + Math.min(1, behind)
}
