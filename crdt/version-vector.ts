/**
 * version-vector.ts: origin → highest contiguous seq applied.
 *
 * A dense array by the origin's local index; absent means 0, and a seq starts at 1. Outside the node a
 * vector travels as `[origin id, seq]` pairs.
 *
 * Invariant: an entry never shrinks, but where an origin was ended below what a cut-off region had of it.
 */
import type { Origin, OriginTable } from './origin.ts'

/** A vector as it travels: pairs of origin id and seq, sorted by id, zero entries left out. */
export type WireVector = readonly (readonly [string, number])[]

export class VersionVector {
  readonly origins: OriginTable
  readonly #seqs: number[]

  constructor(origins: OriginTable, seqs: number[] = []) {
    this.origins = origins
    this.#seqs = seqs
  }

  static fromWire(origins: OriginTable, pairs: WireVector): VersionVector {
    const vector = new VersionVector(origins)
    for (const [id, seq] of pairs) vector.advance(origins.intern(id), seq)
    return vector
  }

  get(origin: Origin): number {
    const seqs = this.#seqs
    return origin.index < seqs.length ? seqs[origin.index]! : 0
  }

  /** Origins with an index below this may have an entry; others have none. */
  get length(): number {
    return this.#seqs.length
  }

  /** The entry of the origin with that index, for loops that must not cost an iterator. */
  at(index: number): number {
    return this.#seqs[index]!
  }

  /** Raises an entry to `seq`; a lower one changes nothing. */
  advance(origin: Origin, seq: number): void {
    const seqs = this.#seqs
    // Filled with zeros up to the index: a hole would turn the array into a slow one.
    while (seqs.length <= origin.index) seqs.push(0)
    if (seq > seqs[origin.index]!) seqs[origin.index] = seq
  }

  /** Takes over every entry of `other`, also those that are lower. */
  become(other: VersionVector): void {
    this.#seqs.length = 0
    this.#seqs.push(...other.#seqs)
  }

  /** Lowers an entry: its origin was ended there, and what lay behind does not count under its dots. */
  retreat(origin: Origin, seq: number): void {
    if (this.get(origin) > seq) this.#seqs[origin.index] = seq
  }

  /** Every entry of `other` is reached here. */
  covers(other: VersionVector): boolean {
    const mine = this.#seqs
    const theirs = other.#seqs
    for (let i = 0; i < theirs.length; i++) {
      if (theirs[i]! > (i < mine.length ? mine[i]! : 0)) return false
    }
    return true
  }

  equals(other: VersionVector): boolean {
    return this.covers(other) && other.covers(this)
  }

  /** Raises every entry to that of `other`. */
  join(other: VersionVector): void {
    for (const [origin, seq] of other.entries()) this.advance(origin, seq)
  }

  /** What both cover: a new vector of the lower entries. */
  meet(other: VersionVector): VersionVector {
    const lower = this.#seqs.map((seq, i) => Math.min(seq, i < other.#seqs.length ? other.#seqs[i]! : 0))
    return new VersionVector(this.origins, lower)
  }

  copy(): VersionVector {
    return new VersionVector(this.origins, this.#seqs.slice())
  }

  /** Sum of all entries: how many ops the vector names. */
  get opCount(): number {
    let sum = 0
    for (const seq of this.#seqs) sum += seq
    return sum
  }

  *entries(): IterableIterator<[Origin, number]> {
    for (let i = 0; i < this.#seqs.length; i++) {
      const seq = this.#seqs[i]!
      if (seq > 0) yield [this.origins.at(i), seq]
    }
  }

  toWire(): [string, number][] {
    const pairs: [string, number][] = []
    for (const [origin, seq] of this.entries()) pairs.push([origin.id, seq])
    return pairs.sort((a, b) => (a[0] < b[0] ? -1 : 1))
  }
}
