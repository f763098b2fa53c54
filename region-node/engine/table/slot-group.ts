/**
 * slot-group.ts: the keys of sixteen neighbouring slots of one database, packed.
 *
 * A JavaScript object per key and per value costs some 250 bytes and a walk through memory at every
 * lookup; nearly all keys need none. Here a key and its value are one record (`record.ts`) in a heap of
 * integers, found over an open-addressed index: two places in memory per lookup, which is what lookups in
 * a large database cost. Keys whose entry does not fit a record have it as an object beside.
 *
 * - The heap is filled from the front. A record whose value grows moves to the end; what it leaves is
 *   garbage, and is squeezed out when the heap is full and a quarter of it is garbage.
 * - The index holds, at the first free place from the low bits of the hash on, where the record lies in as
 *   many low bits as the heap needs, and in the others the high bits of the hash: a look at another key's
 *   record is rare. Removal shifts back what follows, so there are no tombstones.
 * - Records are numbered densely, for walks and draws: the last one takes the number of one that goes. So a
 *   number only ever gets lower, and whoever walks down misses no key that was there all the time.
 * - Each record carries a mark that says whether the walk that goes on is done with it. A new walk swaps
 *   the meaning of the mark instead of the marks.
 *
 * All steps cost as much as the group is large: at five million keys spread over a thousand groups less
 * than a millisecond. A group with very many keys of one slot stops for longer when it grows.
 *
 * A place in the heap (`at`) is good until something is added or changed; the row number until a removal.
 *
 * Invariants: (1) rows 0 to count-1 are the keys, each once in the index. (2) `garbage` is what the heap
 * holds besides the records of all rows. (3) At least 30 % of the index is free. (4) `objectRows` has the
 * row of every entry among the objects, and `counterCount` the number of counters.
 * Source for removal without tombstones: Knuth, TAOCP 3, 6.4, algorithm R.
 */

import type { Latin1 } from '../../../crdt/codec/bytes.ts'
import type { PackedRegister } from '../../../crdt/codec/state.ts'
import { CounterEntry } from '../../../crdt/counter.ts'
import { Dot, type OpPoint, type Stamp } from '../../../crdt/dot.ts'
import { type KeyEntry, type KeyState, keyOfLoneCounter, loneCounter } from '../../../crdt/key.ts'
import type { Origin, OriginTable } from '../../../crdt/origin.ts'
import { Register } from '../../../crdt/register.ts'
import type { AccessClock } from './access.ts'
import { KEY_BYTES_MAX, type KeyProbe } from './key-probe.ts'
import {
  BORN_HLC_HIGH_AT,
  BORN_HLC_LOW_AT,
  BORN_INDEX_AT,
  COUNTER,
  COUNTER_BYTES,
  effectIndexAt,
  fitsRecord,
  HASH,
  HEAD_INTS,
  HLC_HIGH,
  HLC_LOW,
  intsOf,
  KIND_MASK,
  KIND_SHIFT,
  LENGTH_MASK,
  LENGTHS,
  LONG_KEY,
  MARK,
  OBJECT,
  originIndexAt,
  REGISTER,
  ROW,
  RUN_AT,
  recordInts,
  SEQ_HIGH,
  SEQ_LOW,
  seqAt,
  TOTAL_AT,
  VALUE_BYTES_MAX,
  VALUE_LENGTH_SHIFT,
  writeStamp,
} from './record.ts'

/** No place: what is looked for is not here, or does not fit. */
export const ABSENT = -1

const FREE = -1
const INDEX_SIZE_MIN = 16
const INDEX_FULL = 0.7
const INDEX_EMPTY = 0.15
const ROWS_MIN = 16
const HEAP_INTS_MIN = 64
/** A place in the heap takes at most this many integers' worth of bits: a gigabyte. */
const HEAP_INTS_MAX = 2 ** 28
/** Below this an array counts as one of the smallest (32 KiB), or as small (64 KiB). */
const SMALLEST_INTS_MAX = 2 ** 13
const SMALL_INTS_MAX = 2 ** 14
/** Below some twenty characters a loop beats the call of a native copy. */
const LOOPED_BYTES_MAX = 20
/** A full heap that holds more garbage than this part of it is squeezed before it grows. */
const GARBAGE_SHARE = 1 / 4
/** Arrays that are used to less than this are made smaller. */
const USED_SHARE_MIN = 1 / 4
/** Beyond this a loop over integers is slower than the call of a native copy. */
const LOOPED_INTS_MAX = 32

/** What all groups of a keyspace share. */
export class TableContext {
  readonly origins: OriginTable
  readonly latin1: Latin1
  /** Where records are gathered while a heap is squeezed. */
  spare = new Int32Array(0)
  /** How uses of keys are written down; undefined while nobody asks. */
  access: AccessClock | undefined = undefined
  /** To look a key up is to use it. */
  looksAreUses = true
  /** A field of a hash was given a deadline, once. */
  hasTimedFields = false

  constructor(origins: OriginTable, latin1: Latin1) {
    this.origins = origins
    this.latin1 = latin1
  }
}

/** A plain counter as its record holds it; one object per group, overwritten by the next read. */
export interface PlainCounter {
  originIndex: number
  run: number
  total: number
}

export class SlotGroup {
  readonly #context: TableContext
  #index = new Int32Array(INDEX_SIZE_MIN).fill(FREE)
  /** The heap, seen as integers, bytes and doubles. */
  #ints = new Int32Array(HEAP_INTS_MIN)
  #bytes = new Uint8Array(this.#ints.buffer)
  #numbers = new DataView(this.#ints.buffer)
  /** The bits of an index entry that are a place in the heap. */
  #placeBits = HEAP_INTS_MIN - 1
  #end = 0
  #garbage = 0
  #count = 0
  /** Of the rows, those that are a COUNTER. */
  #counterCount = 0
  /** Where each row lies. */
  #rows = new Int32Array(ROWS_MIN)
  /** How each row was used; there from the first use that is written down. */
  #uses: Uint32Array | undefined = undefined
  /** Entries and long keys, by the number that records know them under. */
  readonly #objects: (KeyEntry | string | undefined)[] = []
  readonly #freeObjects: number[] = []
  /** By the same number: the row it belongs to. So the few among very many plain strings are found. */
  readonly #objectRows: number[] = []
  readonly #counter: PlainCounter = { originIndex: 0, run: 0, total: 0 }
  /** The mark of keys the walk is done with: MARK or 0. */
  #done = 0
  #walk = 0
  /** All records carry the same mark. */
  #evenlyMarked = true

  constructor(context: TableContext) {
    this.#context = context
  }

  /** How many rows there are: one per key, and per deadline that outlived its key. */
  get count(): number {
    return this.#count
  }

  /** Bytes in its arrays, free room included. */
  get bytes(): number {
    return (
      this.#ints.byteLength + this.#index.byteLength + this.#rows.byteLength + (this.#uses?.byteLength ?? 0)
    )
  }

  /** Bytes that a packed key takes, its share of index and row numbers included. */
  packedBytes(at: number): number {
    return 4 * (recordInts(this.#ints[at + LENGTHS]!) + 1 + Math.ceil(1 / INDEX_FULL))
  }

  /** Bytes in them that new records take before the arrays grow. */
  get freeBytes(): number {
    return (this.#ints.length - this.#end + this.#garbage) * Int32Array.BYTES_PER_ELEMENT
  }

  /** @returns where the key's record lies, or ABSENT */
  find(probe: KeyProbe): number {
    const index = this.#index
    const last = index.length - 1
    const placeBits = this.#placeBits
    const { hash } = probe
    let slot = hash & last
    for (let found = index[slot]!; found !== FREE; found = index[slot]!) {
      if (((found ^ hash) & ~placeBits) === 0 && this.#isKey(found & placeBits, probe))
        return found & placeBits
      slot = (slot + 1) & last
    }
    return ABSENT
  }

  #isKey(at: number, probe: KeyProbe): boolean {
    const ints = this.#ints
    if (ints[at + HASH] !== probe.hash) return false
    const lengths = ints[at + LENGTHS]!
    if ((lengths & LONG_KEY) !== 0) return this.#objects[ints[at + SEQ_HIGH]!] === probe.key
    if ((lengths & LENGTH_MASK) !== probe.length) return false
    const wanted = probe.ints
    const begin = at + HEAD_INTS
    for (let i = intsOf(probe.length) - 1; i >= 0; i--) if (ints[begin + i] !== wanted[i]) return false
    return true
  }

  /** Where the row with that number lies. */
  place(row: number): number {
    return this.#rows[row]!
  }

  /** Where the rows lie that are an OBJECT, in no order. Looks at nothing else; nothing may change meanwhile. */
  *objectPlaces(): IterableIterator<number> {
    for (let number = 0; number < this.#objects.length; number++) {
      const object = this.#objects[number]
      if (object !== undefined && typeof object !== 'string') yield this.#rows[this.#objectRows[number]!]!
    }
  }

  /** Where the rows lie that are a COUNTER. Looks at all rows when there is one. */
  *counterPlaces(): IterableIterator<number> {
    if (this.#counterCount === 0) return
    for (let row = this.#count - 1; row >= 0; row--) {
      const at = this.#rows[row]!
      if (this.kind(at) === COUNTER) yield at
    }
  }

  kind(at: number): number {
    return (this.#ints[at + LENGTHS]! >>> KIND_SHIFT) & KIND_MASK
  }

  key(at: number): string {
    const lengths = this.#ints[at + LENGTHS]!
    if ((lengths & LONG_KEY) !== 0) return this.#objects[this.#ints[at + SEQ_HIGH]!] as string
    const begin = (at + HEAD_INTS) << 2
    return this.#context.latin1.read(this.#bytes, begin, begin + (lengths & LENGTH_MASK))
  }

  /** What is stored: made for the call unless it is an OBJECT. */
  entry(at: number): KeyEntry {
    const kind = this.kind(at)
    if (kind === REGISTER) return new Register(this.text(at), this.#stamp(at))
    if (kind === COUNTER) return this.#counterEntry(at)
    return this.#objects[this.#ints[at + SEQ_LOW]!] as KeyEntry
  }

  /** The value of a REGISTER. */
  text(at: number): string {
    const begin = this.#valueByte(at)
    const length = (this.#ints[at + LENGTHS]! >>> VALUE_LENGTH_SHIFT) & LENGTH_MASK
    return this.#context.latin1.read(this.#bytes, begin, begin + length)
  }

  /** A REGISTER as it lies here; valid until something changes. */
  packed(at: number): PackedRegister {
    const lengths = this.#ints[at + LENGTHS]!
    return {
      stamp: this.#stamp(at),
      bytes: this.#bytes,
      keyAt: (at + HEAD_INTS) << 2,
      keyLength: lengths & LENGTH_MASK,
      valueAt: this.#valueByte(at),
      valueLength: (lengths >>> VALUE_LENGTH_SHIFT) & LENGTH_MASK,
    }
  }

  /** What a COUNTER counts; valid until the next call. */
  counter(at: number): PlainCounter {
    const value = this.#valueByte(at)
    const counter = this.#counter
    counter.originIndex = originIndexAt(this.#ints, at)
    counter.run = this.#numbers.getFloat64(value + RUN_AT, true)
    counter.total = this.#numbers.getFloat64(value + TOTAL_AT, true)
    return counter
  }

  /** The op at `at` had seen the last write of a REGISTER or COUNTER. */
  isCovered(at: number, by: OpPoint): boolean {
    const ints = this.#ints
    return by.coversDot(originIndexAt(ints, at), seqAt(ints, at), effectIndexAt(ints, at))
  }

  // Changes. Each returns where the record lies afterwards; all others may have moved too.

  /** Adds a key with a plain value. @returns ABSENT when it does not fit: nothing is changed then */
  addRegister(probe: KeyProbe, value: string, stamp: Stamp): number {
    if (probe.isLong || !this.#fits(value.length, stamp)) return ABSENT
    const at = this.#add(probe, value.length, REGISTER)
    writeStamp(this.#ints, at, stamp)
    this.#writeText(at, value)
    return at
  }

  /** Overwrites the value of a REGISTER. @returns ABSENT when it does not fit: nothing is changed then */
  setRegister(at: number, value: string, stamp: Stamp): number {
    if (!this.#fits(value.length, stamp)) return ABSENT
    const now = this.#resize(at, value.length)
    writeStamp(this.#ints, now, stamp)
    this.#writeText(now, value)
    return now
  }

  /** Adds a key that holds one increment. @returns ABSENT when it does not fit: nothing is changed then */
  addCounter(probe: KeyProbe, total: number, stamp: Stamp): number {
    if (probe.isLong || !this.#fits(COUNTER_BYTES, stamp)) return ABSENT
    const at = this.#add(probe, COUNTER_BYTES, COUNTER)
    writeStamp(this.#ints, at, stamp)
    this.#writeCounter(at, stamp.seq, total, stamp)
    return at
  }

  /** Counts on in a COUNTER, where it lies. @returns false when it does not fit: nothing is changed then */
  setCounter(at: number, total: number, stamp: Stamp): boolean {
    if (!fitsRecord(stamp)) return false
    writeStamp(this.#ints, at, stamp)
    this.#numbers.setFloat64(this.#valueByte(at) + TOTAL_AT, total, true)
    return true
  }

  /** Stores any entry of a key that has no record, packed when it can be. */
  add(probe: KeyProbe, entry: KeyEntry): number {
    const at = this.#add(probe, 0, OBJECT)
    this.#ints[at + SEQ_LOW] = this.#keepObject(entry, this.#ints[at + ROW]!)
    return this.set(at, entry)
  }

  /** Stores any entry in place of a key's own, packed when it can be. */
  set(at: number, entry: KeyEntry): number {
    const packed = this.#pack(at, entry)
    if (packed !== ABSENT) return packed
    if (this.kind(at) === OBJECT) {
      this.#objects[this.#ints[at + SEQ_LOW]!] = entry
      return at
    }
    // Shorter than before, so it stays where it is.
    this.#resize(at, 0)
    this.#ints[at + SEQ_LOW] = this.#keepObject(entry, this.#ints[at + ROW]!)
    this.#setKind(at, OBJECT)
    return at
  }

  /** @returns ABSENT when the entry has to stay an object */
  #pack(at: number, entry: KeyEntry): number {
    if ((this.#ints[at + LENGTHS]! & LONG_KEY) !== 0) return ABSENT
    if (entry instanceof Register) {
      if (!this.#fits(entry.value.length, entry)) return ABSENT
      this.#become(at, REGISTER)
      return this.setRegister(at, entry.value, entry)
    }
    const counter = loneCounter(entry)
    if (counter === undefined || !this.#fits(COUNTER_BYTES, counter)) return ABSENT
    const born = entry.deadlines as Dot
    if (!fitsRecord(born)) return ABSENT
    this.#become(at, COUNTER)
    const now = this.#resize(at, COUNTER_BYTES)
    writeStamp(this.#ints, now, counter)
    this.#writeCounter(now, counter.run, counter.total as number, born)
    return now
  }

  #become(at: number, kind: typeof REGISTER | typeof COUNTER): void {
    if (this.kind(at) === OBJECT) this.#dropObject(this.#ints[at + SEQ_LOW]!)
    this.#setKind(at, kind)
  }

  #setKind(at: number, kind: number): void {
    const ints = this.#ints
    this.#counterCount += Number(kind === COUNTER) - Number(this.kind(at) === COUNTER)
    ints[at + LENGTHS] = (ints[at + LENGTHS]! & ~(KIND_MASK << KIND_SHIFT)) | (kind << KIND_SHIFT)
  }

  /** Takes a key away. The last row, if another, gets its number. */
  remove(at: number): void {
    const ints = this.#ints
    const lengths = ints[at + LENGTHS]!
    const row = ints[at + ROW]!
    const kind = this.kind(at)
    if (kind === COUNTER) this.#counterCount--
    if (kind === OBJECT) this.#dropObject(ints[at + SEQ_LOW]!)
    if ((lengths & LONG_KEY) !== 0) this.#dropObject(ints[at + SEQ_HIGH]!)
    this.#garbage += recordInts(lengths)
    this.#removeFromIndex(at)
    const last = this.#rows[--this.#count]!
    this.#rows[row] = last
    if (this.#uses !== undefined) this.#uses[row] = this.#uses[this.#count]!
    ints[last + ROW] = row
    if (last !== at && this.kind(last) === OBJECT) this.#objectRows[ints[last + SEQ_LOW]!] = row
    this.#shrink()
  }

  // Uses

  /** Writes down that a key is used. */
  use(at: number, clock: AccessClock): void {
    const uses = this.#uses ?? this.#beginUses(clock)
    const row = this.#ints[at + ROW]!
    uses[row] = clock.used(uses[row]!)
  }

  /** What was written down last; undefined when nothing was. */
  usesOf(at: number): number | undefined {
    return this.#uses?.[this.#ints[at + ROW]!]
  }

  /** Nobody asks any more, or in another way. */
  forgetUses(): void {
    this.#uses = undefined
  }

  #beginUses(clock: AccessClock): Uint32Array {
    this.#uses = new Uint32Array(this.#rows.length).fill(clock.born)
    return this.#uses
  }

  // Marks of a walk

  /** Makes the group ready for the walk with that number, unless it is: nothing of it is done then. */
  enterWalk(walk: number): void {
    if (this.#walk === walk) return
    this.#walk = walk
    // An earlier walk may have been given up in the middle of the group.
    if (!this.#evenlyMarked) for (let row = 0; row < this.#count; row++) this.setDone(this.#rows[row]!)
    this.#done = this.#done === 0 ? MARK : 0
    this.#evenlyMarked = this.#count === 0
  }

  /** The walk has come to the end of the group. */
  finishWalk(): void {
    this.#evenlyMarked = true
  }

  isDone(at: number): boolean {
    return (this.#ints[at + LENGTHS]! & MARK) === this.#done
  }

  setDone(at: number): void {
    this.#ints[at + LENGTHS] = (this.#ints[at + LENGTHS]! & ~MARK) | this.#done
  }

  // Entries

  #originAt(at: number): Origin {
    return this.#context.origins.at(originIndexAt(this.#ints, at))
  }

  #stamp(at: number): Stamp {
    const ints = this.#ints
    return {
      origin: this.#originAt(at),
      seq: seqAt(ints, at),
      index: effectIndexAt(ints, at),
      hlcHigh: ints[at + HLC_HIGH]!,
      hlcLow: ints[at + HLC_LOW]!,
    }
  }

  #counterEntry(at: number): KeyState {
    const numbers = this.#numbers
    const value = this.#valueByte(at)
    const run = numbers.getFloat64(value + RUN_AT, true)
    const born = new Dot({
      origin: this.#originAt(at),
      seq: run,
      index: numbers.getInt32(value + BORN_INDEX_AT, true),
      hlcHigh: numbers.getInt32(value + BORN_HLC_HIGH_AT, true),
      hlcLow: numbers.getInt32(value + BORN_HLC_LOW_AT, true),
    })
    const entry = new CounterEntry(born, run, numbers.getFloat64(value + TOTAL_AT, true), 0)
    entry.renew(this.#stamp(at))
    return keyOfLoneCounter(entry, born)
  }

  #writeCounter(at: number, run: number, total: number, born: Stamp): void {
    const numbers = this.#numbers
    const value = this.#valueByte(at)
    numbers.setFloat64(value + RUN_AT, run, true)
    numbers.setFloat64(value + TOTAL_AT, total, true)
    numbers.setInt32(value + BORN_HLC_HIGH_AT, born.hlcHigh, true)
    numbers.setInt32(value + BORN_HLC_LOW_AT, born.hlcLow, true)
    numbers.setInt32(value + BORN_INDEX_AT, born.index, true)
  }

  #keepObject(object: KeyEntry | string, row: number): number {
    const number = this.#freeObjects.pop() ?? this.#objects.length
    this.#objects[number] = object
    this.#objectRows[number] = row
    return number
  }

  #dropObject(number: number): void {
    this.#objects[number] = undefined
    this.#freeObjects.push(number)
    if (this.#freeObjects.length < this.#objects.length) return
    this.#objects.length = 0
    this.#objectRows.length = 0
    this.#freeObjects.length = 0
  }

  /** A value of that length, written at `stamp`, can be packed. */
  #fits(valueLength: number, stamp: Stamp): boolean {
    return valueLength <= VALUE_BYTES_MAX && fitsRecord(stamp) && this.#hasRoom(KEY_BYTES_MAX + valueLength)
  }

  // Heap

  #hasRoom(bytes: number): boolean {
    return this.#end + HEAD_INTS + 1 + intsOf(bytes) <= HEAP_INTS_MAX
  }

  #valueByte(at: number): number {
    return (at + HEAD_INTS + intsOf(this.#ints[at + LENGTHS]! & LENGTH_MASK)) << 2
  }

  #writeText(at: number, text: string): void {
    const { length } = text
    const begin = this.#valueByte(at)
    const bytes = this.#bytes
    if (length < LOOPED_BYTES_MAX) for (let i = 0; i < length; i++) bytes[begin + i] = text.charCodeAt(i)
    else this.#context.latin1.write(bytes, text, begin)
  }

  /** Gives a value another length; its bytes are to be written anew. @returns where the record lies now */
  #resize(at: number, length: number): number {
    const lengths = this.#ints[at + LENGTHS]!
    const changed = (lengths & ~(LENGTH_MASK << VALUE_LENGTH_SHIFT)) | (length << VALUE_LENGTH_SHIFT)
    const oldSize = recordInts(lengths)
    const size = recordInts(changed)
    const now = size > oldSize ? this.#moveToEnd(at, size) : at
    this.#ints[now + LENGTHS] = changed
    this.#garbage += size > oldSize ? oldSize : oldSize - size
    return now
  }

  /** Moves head and key of a record to a place with more room. */
  #moveToEnd(at: number, size: number): number {
    const row = this.#ints[at + ROW]!
    this.#reserve(size)
    const old = this.#rows[row]!
    const ints = this.#ints
    const now = this.#end
    this.#end += size
    this.#index[this.#slotOf(old)] = (ints[old + HASH]! & ~this.#placeBits) | now
    ints.copyWithin(now, old, old + HEAD_INTS + intsOf(ints[old + LENGTHS]! & LENGTH_MASK))
    this.#rows[row] = now
    return now
  }

  /** Makes room at the end of the heap. May move all records. */
  #reserve(ints: number): void {
    const size = this.#ints.length
    if (this.#end + ints <= size) return
    if (this.#garbage > this.#end * GARBAGE_SHARE) {
      this.#squeeze(size)
      if (this.#end + ints <= size) return
    }
    this.#moveHeap(grown(size, this.#end + ints))
  }

  #moveHeap(size: number): void {
    const ints = new Int32Array(size)
    ints.set(this.#ints.subarray(0, this.#end))
    this.#ints = ints
    this.#bytes = new Uint8Array(ints.buffer)
    this.#numbers = new DataView(ints.buffer)
    if (size <= this.#placeBits) return
    while (size > this.#placeBits) this.#placeBits = 2 * this.#placeBits + 1
    this.#reindex(this.#index.length)
  }

  /** Brings the records together at the front of a heap of `size` integers, at most the present size. */
  #squeeze(size: number): void {
    const live = this.#end - this.#garbage
    const context = this.#context
    if (context.spare.length < live) context.spare = new Int32Array(grown(0, live))
    const { spare } = context
    const ints = this.#ints
    let end = 0
    for (let row = 0; row < this.#count; row++) {
      const at = this.#rows[row]!
      const stop = at + recordInts(ints[at + LENGTHS]!)
      this.#rows[row] = end
      if (stop - at > LOOPED_INTS_MAX) {
        spare.set(ints.subarray(at, stop), end)
        end += stop - at
      } else {
        for (let i = at; i < stop; i++) spare[end++] = ints[i]!
      }
    }
    this.#end = 0
    if (size < ints.length) this.#moveHeap(size)
    this.#ints.set(spare.subarray(0, end))
    this.#end = end
    this.#garbage = 0
    this.#reindex(this.#index.length)
  }

  // Rows and index

  /** @returns the new record: without a stamp, and its value still to be written */
  #add(probe: KeyProbe, valueLength: number, kind: number): number {
    const row = this.#count
    if (row >= this.#index.length * INDEX_FULL) this.#reindex(this.#index.length * 2)
    if (row === this.#rows.length) this.#moveRows(grown(row, row + 1))
    const isApart = probe.isLong || !this.#hasRoom(probe.length)
    const keyLength = isApart ? 0 : probe.length
    const lengths = keyLength | (valueLength << VALUE_LENGTH_SHIFT) | (kind << KIND_SHIFT) | this.#done
    const size = recordInts(lengths)
    this.#reserve(size)
    const ints = this.#ints
    const at = this.#end
    this.#end += size
    ints[at + HASH] = probe.hash
    ints[at + ROW] = row
    ints[at + LENGTHS] = isApart ? lengths | LONG_KEY : lengths
    if (isApart) ints[at + SEQ_HIGH] = this.#keepObject(probe.key, row)
    const { ints: key } = probe
    for (let i = intsOf(keyLength) - 1; i >= 0; i--) ints[at + HEAD_INTS + i] = key[i]!
    this.#rows[row] = at
    const { access } = this.#context
    if (access !== undefined) (this.#uses ?? this.#beginUses(access))[row] = access.born
    this.#count++
    if (kind === COUNTER) this.#counterCount++
    this.#putInIndex(at, probe.hash)
    return at
  }

  #putInIndex(at: number, hash: number): void {
    const index = this.#index
    const last = index.length - 1
    let slot = hash & last
    while (index[slot] !== FREE) slot = (slot + 1) & last
    index[slot] = (hash & ~this.#placeBits) | at
  }

  /** Where the index has a record. */
  #slotOf(at: number): number {
    const index = this.#index
    const last = index.length - 1
    const hash = this.#ints[at + HASH]!
    const wanted = (hash & ~this.#placeBits) | at
    let slot = hash & last
    while (index[slot] !== wanted) slot = (slot + 1) & last
    return slot
  }

  #removeFromIndex(at: number): void {
    const index = this.#index
    const ints = this.#ints
    const last = index.length - 1
    let hole = this.#slotOf(at)
    for (let slot = (hole + 1) & last; index[slot] !== FREE; slot = (slot + 1) & last) {
      const home = ints[(index[slot]! & this.#placeBits) + HASH]! & last
      if (((slot - home) & last) < ((slot - hole) & last)) continue
      index[hole] = index[slot]!
      hole = slot
    }
    index[hole] = FREE
  }

  /** Fills the index anew: for another size of it or of the heap, or after all records have moved. */
  #reindex(size: number): void {
    if (size === this.#index.length) this.#index.fill(FREE)
    else this.#index = new Int32Array(size).fill(FREE)
    for (let row = 0; row < this.#count; row++) {
      const at = this.#rows[row]!
      this.#putInIndex(at, this.#ints[at + HASH]!)
    }
  }

  #moveRows(capacity: number): void {
    const rows = new Int32Array(capacity)
    rows.set(this.#rows.subarray(0, this.#count))
    this.#rows = rows
    if (this.#uses === undefined) return
    const uses = new Uint32Array(capacity)
    uses.set(this.#uses.subarray(0, this.#count))
    this.#uses = uses
  }

  /** Gives back what many removals have left free. */
  #shrink(): void {
    const count = this.#count
    const rows = this.#rows.length
    if (rows > ROWS_MIN && count < rows * USED_SHARE_MIN) this.#moveRows(Math.max(ROWS_MIN, rows >> 1))
    const size = this.#ints.length
    if (size > HEAP_INTS_MIN && this.#end - this.#garbage < size * USED_SHARE_MIN)
      this.#squeeze(Math.max(HEAP_INTS_MIN, size >> 1))
    const index = this.#index.length
    if (index > INDEX_SIZE_MIN && count < index * INDEX_EMPTY) this.#reindex(index >> 1)
  }
}

/**
 * What is free in a thousand arrays is memory that nobody uses, and what is left behind by growing is
 * garbage that makes the collector run: large arrays grow by a quarter, small ones by half, the smallest
 * to twice their size.
 */
function grown(size: number, needed: number): number {
  if (size < SMALLEST_INTS_MAX) return Math.max(needed, 2 * size)
  return Math.max(needed, size + (size >> (size < SMALL_INTS_MAX ? 1 : 2)))
}
