/**
 * member-table.ts: the members of a large set, or the fields of a large hash, in a table of records.
 *
 * It takes the place of a Map where a collection has become large: a record for each member that holds one write,
 * an object beside it for every other. It can be asked what a Map can be asked, in no order. `write` and `removeSeen`
 * are what nearly every effect on such a member comes to, and make no object.
 *
 * What `get` answers for a plain member is made for the call: who changes it has to `set` it.
 *
 * Iteration goes down the rows: it meets every member that is there from its begin to its end. One may be met
 * twice when others are removed meanwhile.
 */
import type { Dot, OpPoint, Stamp } from '../dot.ts'
import type { Positions } from '../member-index.ts'
import { LENGTHS, LONG_NAME, REGISTER } from './record.ts'
import type { RecordContext } from './record-context.ts'
import { ABSENT, RecordTable } from './record-table.ts'

/** Names of which some may be there. */
export interface Names {
  readonly size: number
  has(name: string): boolean
  keys(): IterableIterator<string>
}

/** What of a Map a collection needs. */
export interface Members<V> extends Names, Iterable<[string, V]> {
  get(name: string): V | undefined
  set(name: string, value: V): unknown
  delete(name: string): boolean
  values(): IterableIterator<V>
  entries(): IterableIterator<[string, V]>
}

/** How a plain value becomes a record, and comes back from one. */
export interface PlainForm<V, Plain extends V & Dot> {
  isPlain(value: V): value is Plain
  textOf(value: Plain): string
  make(text: string, stamp: Stamp): Plain
}

export class MemberTable<V extends object, Plain extends V & Dot>
  extends RecordTable<V>
  implements Members<V>, Positions
{
  readonly #form: PlainForm<V, Plain>
  readonly #context: RecordContext

  constructor(context: RecordContext, form: PlainForm<V, Plain>) {
    super(context)
    this.#context = context
    this.#form = form
  }

  get size(): number {
    return this.count
  }

  has(name: string): boolean {
    return this.#find(name) !== ABSENT
  }

  get(name: string): V | undefined {
    const place = this.#find(name)
    return place === ABSENT ? undefined : this.#value(place)
  }

  /** What a member is that holds more than one write; undefined for every other. */
  getUnpacked(name: string): V | undefined {
    const place = this.#find(name)
    return place === ABSENT || this.kind(place) === REGISTER ? undefined : this.object(place)
  }

  set(name: string, value: V): void {
    const form = this.#form
    const place = this.#find(name)
    const { probe } = this.#context
    if (!form.isPlain(value)) {
      if (place === ABSENT) this.addObject(probe, value)
      else this.setObject(place, value)
      return
    }
    const text = form.textOf(value)
    if (place === ABSENT) {
      if (this.addRegister(probe, text, value) === ABSENT) this.addObject(probe, value)
    } else if ((this.ints[place + LENGTHS]! & LONG_NAME) === 0 && this.fits(text.length, value)) {
      this.become(place, REGISTER)
      this.setRegister(place, text, value)
    } else {
      this.setObject(place, value)
    }
  }

  /** Writes a plain value over what the op had seen. @returns false when that is not all: nothing is changed then */
  write(name: string, text: string, at: OpPoint): boolean {
    const place = this.#find(name)
    if (place === ABSENT) return this.addRegister(this.#context.probe, text, at) !== ABSENT
    return this.#isSeen(place, at) && this.setRegister(place, text, at) !== ABSENT
  }

  /** Removes a member that is one write, if the op had seen it. @returns false when nothing is changed */
  removeSeen(name: string, at: OpPoint): boolean {
    const place = this.#find(name)
    if (place === ABSENT || !this.#isSeen(place, at)) return false
    this.remove(place)
    return true
  }

  /** Every member is one write that the op had seen. */
  isAllSeen(at: OpPoint): boolean {
    for (let row = this.count - 1; row >= 0; row--) if (!this.#isSeen(this.place(row), at)) return false
    return true
  }

  delete(name: string): boolean {
    const place = this.#find(name)
    if (place === ABSENT) return false
    this.remove(place)
    return true
  }

  at(position: number): string {
    return this.name(this.place(position))
  }

  *keys(): IterableIterator<string> {
    for (const place of this.#places()) yield this.name(place)
  }

  *values(): IterableIterator<V> {
    for (const place of this.#places()) yield this.#value(place)
  }

  *entries(): IterableIterator<[string, V]> {
    for (const place of this.#places()) yield [this.name(place), this.#value(place)]
  }

  /** Those that `getUnpacked` finds; looks at no other. Nothing may change meanwhile. */
  *unpacked(): IterableIterator<[string, V]> {
    for (const place of this.objectPlaces()) yield [this.name(place), this.object(place)]
  }

  [Symbol.iterator](): IterableIterator<[string, V]> {
    return this.entries()
  }

  *#places(): IterableIterator<number> {
    for (let row = this.count - 1; row >= 0; row = Math.min(row, this.count) - 1) yield this.place(row)
  }

  #isSeen(place: number, at: OpPoint): boolean {
    return this.kind(place) === REGISTER && this.isCovered(place, at)
  }

  #value(place: number): V {
    return this.kind(place) === REGISTER
      ? this.#form.make(this.text(place), this.stamp(place))
      : this.object(place)
  }

  #find(name: string): number {
    const { probe } = this.#context
    // A command looks a member up, and the effect that comes of it again.
    if (probe.name !== name) probe.aim(name)
    return this.find(probe)
  }
}
