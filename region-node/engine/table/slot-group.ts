/**
 * slot-group.ts: the keys of some slots of one database, packed.
 *
 * A table of records (`crdt/table/record-table.ts`) that knows, besides plain registers, plain counters; when each
 * key was used; and which keys a walk is done with.
 *
 * Each record carries a mark that says whether the walk that goes on is done with it. A new walk swaps the meaning
 * of the mark instead of the marks.
 *
 * All steps cost as much as the group is large: at five million keys spread over 256 groups up to 4 ms. A group with
 * very many keys of one slot stops for longer when it grows.
 *
 * Invariant: `counterCount` is the number of counters.
 */

import type { PackedRegister } from '../../../crdt/codec/state.ts'
import { CounterEntry } from '../../../crdt/counter.ts'
import { Dot, type Stamp } from '../../../crdt/dot.ts'
import { type KeyEntry, type KeyState, keyOfLoneCounter, loneCounter } from '../../../crdt/key.ts'
import { Register } from '../../../crdt/register.ts'
import { giveBack } from '../../../crdt/table/give-back.ts'
import {
  BORN_HLC_HIGH_AT,
  BORN_HLC_LOW_AT,
  BORN_INDEX_AT,
  COUNTER,
  COUNTER_BYTES,
  fitsRecord,
  HEAD_INTS,
  KIND_SHIFT,
  LENGTH_MASK,
  LENGTHS,
  LONG_NAME,
  MARK,
  originIndexAt,
  REGISTER,
  ROW,
  RUN_AT,
  TOTAL_AT,
  VALUE_LENGTH_SHIFT,
  writeStamp,
} from '../../../crdt/table/record.ts'
import { RecordContext } from '../../../crdt/table/record-context.ts'
import { ABSENT, RecordTable } from '../../../crdt/table/record-table.ts'
import type { AccessClock } from './access.ts'
import type { KeyProbe } from './key-probe.ts'

/** What all groups of a keyspace share. */
export class TableContext extends RecordContext {
  /** How uses of keys are written down; undefined while nobody asks. */
  access: AccessClock | undefined = undefined
  /** To look a key up is to use it. */
  looksAreUses = true
  /** A field of a hash was given a deadline, once. */
  hasTimedFields = false
}

/** A plain counter as its record holds it; one object per group, overwritten by the next read. */
export interface PlainCounter {
  originIndex: number
  run: number
  total: number
}

export class SlotGroup extends RecordTable<KeyEntry> {
  readonly #context: TableContext
  /** Of the rows, those that are a COUNTER. */
  #counterCount = 0
  /** How each row was used; there from the first use that is written down. */
  #uses: Uint32Array | undefined = undefined
  readonly #counter: PlainCounter = { originIndex: 0, run: 0, total: 0 }
  /** The mark of keys the walk is done with: MARK or 0. */
  #done = 0
  #walk = 0
  /** All records carry the same mark. */
  #evenlyMarked = true

  constructor(context: TableContext) {
    super(context)
    this.#context = context
  }

  override get bytes(): number {
    return super.bytes + (this.#uses?.byteLength ?? 0)
  }

  /** Where the rows lie that are a COUNTER. Looks at all rows when there is one. */
  *counterPlaces(): IterableIterator<number> {
    if (this.#counterCount === 0) return
    for (let row = this.count - 1; row >= 0; row--) {
      const at = this.rows[row]!
      if (this.kind(at) === COUNTER) yield at
    }
  }

  /** What is stored: made for the call unless it is an OBJECT. */
  entry(at: number): KeyEntry {
    const kind = this.kind(at)
    if (kind === REGISTER) return new Register(this.text(at), this.stamp(at))
    if (kind === COUNTER) return this.#counterEntry(at)
    return this.object(at)
  }

  /** A REGISTER as it lies here; valid until something changes. */
  packed(at: number): PackedRegister {
    const lengths = this.ints[at + LENGTHS]!
    return {
      stamp: this.stamp(at),
      bytes: this.heapBytes,
      keyAt: (at + HEAD_INTS) << 2,
      keyLength: lengths & LENGTH_MASK,
      valueAt: this.valueByte(at),
      valueLength: (lengths >>> VALUE_LENGTH_SHIFT) & LENGTH_MASK,
    }
  }

  /** What a COUNTER counts; valid until the next call. */
  counter(at: number): PlainCounter {
    const value = this.valueByte(at)
    const counter = this.#counter
    counter.originIndex = originIndexAt(this.ints, at)
    counter.run = this.numbers.getFloat64(value + RUN_AT, true)
    counter.total = this.numbers.getFloat64(value + TOTAL_AT, true)
    return counter
  }

  // Changes. Each returns where the record lies afterwards; all others may have moved too.

  /** Adds a key that holds one increment. @returns ABSENT when it does not fit: nothing is changed then */
  addCounter(probe: KeyProbe, total: number, stamp: Stamp): number {
    if (probe.isLong || !this.fits(COUNTER_BYTES, stamp)) return ABSENT
    const at = this.addRecord(probe, COUNTER_BYTES, COUNTER << KIND_SHIFT)
    writeStamp(this.ints, at, stamp)
    this.#writeCounter(at, stamp.seq, total, stamp)
    return at
  }

  /** Counts on in a COUNTER, where it lies. @returns false when it does not fit: nothing is changed then */
  setCounter(at: number, total: number, stamp: Stamp): boolean {
    if (!fitsRecord(stamp)) return false
    writeStamp(this.ints, at, stamp)
    this.numbers.setFloat64(this.valueByte(at) + TOTAL_AT, total, true)
    return true
  }

  /** Stores any entry of a key that has no record, packed when it can be. */
  add(probe: KeyProbe, entry: KeyEntry): number {
    return this.set(this.addObject(probe, entry), entry)
  }

  /** Stores any entry in place of a key's own, packed when it can be. */
  set(at: number, entry: KeyEntry): number {
    const packed = this.#pack(at, entry)
    return packed === ABSENT ? this.setObject(at, entry) : packed
  }

  /** @returns ABSENT when the entry has to stay an object */
  #pack(at: number, entry: KeyEntry): number {
    if ((this.ints[at + LENGTHS]! & LONG_NAME) !== 0) return ABSENT
    if (entry instanceof Register) {
      if (!this.fits(entry.value.length, entry)) return ABSENT
      this.become(at, REGISTER)
      return this.setRegister(at, entry.value, entry)
    }
    const counter = loneCounter(entry)
    if (counter === undefined || !this.fits(COUNTER_BYTES, counter)) return ABSENT
    const born = entry.deadlines as Dot
    if (!fitsRecord(born)) return ABSENT
    this.become(at, COUNTER)
    const now = this.resize(at, COUNTER_BYTES)
    writeStamp(this.ints, now, counter)
    this.#writeCounter(now, counter.run, counter.total as number, born)
    return now
  }

  protected override setKind(at: number, kind: number): void {
    this.#counterCount += Number(kind === COUNTER) - Number(this.kind(at) === COUNTER)
    super.setKind(at, kind)
  }

  protected override addRecord(probe: KeyProbe, valueLength: number, flags: number): number {
    const at = super.addRecord(probe, valueLength, flags | this.#done)
    if (this.kind(at) === COUNTER) this.#counterCount++
    const { access } = this.#context
    if (access !== undefined) (this.#uses ?? this.#beginUses(access))[this.ints[at + ROW]!] = access.born
    return at
  }

  override remove(at: number): void {
    if (this.kind(at) === COUNTER) this.#counterCount--
    if (this.#uses !== undefined) this.#uses[this.ints[at + ROW]!] = this.#uses[this.count - 1]!
    super.remove(at)
  }

  protected override moveRows(capacity: number): void {
    super.moveRows(capacity)
    if (this.#uses === undefined) return
    const uses = new Uint32Array(capacity)
    uses.set(this.#uses.subarray(0, this.count))
    giveBack(this.#uses)
    this.#uses = uses
  }

  // Uses

  /** Writes down that a key is used. */
  use(at: number, clock: AccessClock): void {
    const uses = this.#uses ?? this.#beginUses(clock)
    const row = this.ints[at + ROW]!
    uses[row] = clock.used(uses[row]!)
  }

  /** What was written down last; undefined when nothing was. */
  usesOf(at: number): number | undefined {
    return this.#uses?.[this.ints[at + ROW]!]
  }

  /** Nobody asks any more, or in another way. */
  forgetUses(): void {
    this.#uses = undefined
  }

  #beginUses(clock: AccessClock): Uint32Array {
    this.#uses = new Uint32Array(this.rows.length).fill(clock.born)
    return this.#uses
  }

  // Marks of a walk

  /** Makes the group ready for the walk with that number, unless it is: nothing of it is done then. */
  enterWalk(walk: number): void {
    if (this.#walk === walk) return
    this.#walk = walk
    // An earlier walk may have been given up in the middle of the group.
    if (!this.#evenlyMarked) for (let row = 0; row < this.count; row++) this.setDone(this.rows[row]!)
    this.#done = this.#done === 0 ? MARK : 0
    this.#evenlyMarked = this.count === 0
  }

  /** The walk has come to the end of the group. */
  finishWalk(): void {
    this.#evenlyMarked = true
  }

  isDone(at: number): boolean {
    return (this.ints[at + LENGTHS]! & MARK) === this.#done
  }

  setDone(at: number): void {
    this.ints[at + LENGTHS] = (this.ints[at + LENGTHS]! & ~MARK) | this.#done
  }

  // Entries

  #counterEntry(at: number): KeyState {
    const numbers = this.numbers
    const value = this.valueByte(at)
    const run = numbers.getFloat64(value + RUN_AT, true)
    const born = new Dot({
      origin: this.originAt(at),
      seq: run,
      index: numbers.getInt32(value + BORN_INDEX_AT, true),
      hlcHigh: numbers.getInt32(value + BORN_HLC_HIGH_AT, true),
      hlcLow: numbers.getInt32(value + BORN_HLC_LOW_AT, true),
    })
    const entry = new CounterEntry(born, run, numbers.getFloat64(value + TOTAL_AT, true), 0)
    entry.renew(this.stamp(at))
    return keyOfLoneCounter(entry, born)
  }

  #writeCounter(at: number, run: number, total: number, born: Stamp): void {
    const numbers = this.numbers
    const value = this.valueByte(at)
    numbers.setFloat64(value + RUN_AT, run, true)
    numbers.setFloat64(value + TOTAL_AT, total, true)
    numbers.setInt32(value + BORN_HLC_HIGH_AT, born.hlcHigh, true)
    numbers.setInt32(value + BORN_HLC_LOW_AT, born.hlcLow, true)
    numbers.setInt32(value + BORN_INDEX_AT, born.index, true)
  }
}
