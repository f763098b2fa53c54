/**
 * record-table.ts: names with what they stand for, packed: the keys of a slot group, the members of a large set,
 * the fields of a large hash.
 *
 * A JavaScript object per name and per value costs some 250 bytes and a walk through memory at every
 * lookup; nearly all names need none. Here a name and its value are one record (`record.ts`) in a heap of
 * integers, found over an open-addressed index: two places in memory per lookup, which is what lookups in
 * a large database cost. Names whose entry does not fit a record have it as an object beside.
 *
 * - The heap is filled from the front. A record whose value grows moves to the end; what it leaves is
 *   garbage, and is squeezed out when the heap is full and a quarter of it is garbage.
 * - The index holds, at the first free place from the low bits of the hash on, where the record lies in as
 *   many low bits as the heap needs, and in the others the high bits of the hash: a look at another name's
 *   record is rare. Removal shifts back what follows, so there are no tombstones.
 * - Records are numbered densely, for walks and draws: the last one takes the number of one that goes. So a
 *   number only ever gets lower, and whoever walks down misses no name that was there all the time.
 *
 * A place in the heap (`at`) is good until something is added or changed; the row number until a removal.
 *
 * Invariants: (1) rows 0 to count-1 are the names, each once in the index. (2) `garbage` is what the heap
 * holds besides the records of all rows. (3) At least 30 % of the index is free. (4) `objectRows` has the
 * row of every entry among the objects.
 * Source for removal without tombstones: Knuth, TAOCP 3, 6.4, algorithm R.
 */
import type { OpPoint, Stamp } from '../dot.ts'
import type { Origin } from '../origin.ts'
import { giveBack } from './give-back.ts'
import { NAME_BYTES_MAX, type NameProbe } from './name-probe.ts'
import {
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
  LONG_NAME,
  OBJECT,
  originIndexAt,
  REGISTER,
  ROW,
  recordInts,
  SEQ_HIGH,
  SEQ_LOW,
  seqAt,
  VALUE_BYTES_MAX,
  VALUE_LENGTH_SHIFT,
  writeStamp,
} from './record.ts'
import type { RecordContext } from './record-context.ts'

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
/** From 4 MiB on what is copied counts for more than what lies free: one collection is that large, and not a thousand. */
const LARGE_INTS_MIN = 2 ** 20
/** Below some twenty characters a loop beats the call of a native copy. */
const LOOPED_BYTES_MAX = 20
/** A full heap that holds more garbage than this part of it is squeezed before it grows. */
const GARBAGE_SHARE = 1 / 4
/** Arrays that are used to less than this are made smaller. */
const USED_SHARE_MIN = 1 / 4
/** Beyond this a loop over integers is slower than the call of a native copy. */
const LOOPED_INTS_MAX = 32
/** What is gathered while a larger heap is squeezed is not kept. */
const SPARE_INTS_MAX = 2 ** 20

/** @typeParam Entry  what an OBJECT is; no string */
export class RecordTable<Entry extends object> {
  readonly #context: RecordContext
  #index = new Int32Array(INDEX_SIZE_MIN).fill(FREE)
  /** The heap, seen as integers, bytes and doubles. */
  protected ints = new Int32Array(HEAP_INTS_MIN)
  protected heapBytes = new Uint8Array(this.ints.buffer)
  protected numbers = new DataView(this.ints.buffer)
  /** The bits of an index entry that are a place in the heap. */
  #placeBits = HEAP_INTS_MIN - 1
  #end = 0
  #garbage = 0
  #count = 0
  /** Where each row lies. */
  protected rows = new Int32Array(ROWS_MIN)
  /** Entries and long names, by the number that records know them under. */
  readonly #objects: (Entry | string | undefined)[] = []
  readonly #freeObjects: number[] = []
  /** By the same number: the row it belongs to. So the few among very many plain strings are found. */
  readonly #objectRows: number[] = []

  constructor(context: RecordContext) {
    this.#context = context
  }

  /** How many rows there are. */
  get count(): number {
    return this.#count
  }

  /** Bytes in its arrays, free room included. */
  get bytes(): number {
    return this.ints.byteLength + this.#index.byteLength + this.rows.byteLength
  }

  /** Bytes that a packed name takes, its share of index and row numbers included. */
  packedBytes(at: number): number {
    return 4 * (recordInts(this.ints[at + LENGTHS]!) + 1 + Math.ceil(1 / INDEX_FULL))
  }

  /** Bytes in them that new records take before the arrays grow. */
  get freeBytes(): number {
    return (this.ints.length - this.#end + this.#garbage) * Int32Array.BYTES_PER_ELEMENT
  }

  /** @returns where the name's record lies, or ABSENT */
  find(probe: NameProbe): number {
    const index = this.#index
    const last = index.length - 1
    const placeBits = this.#placeBits
    const { hash } = probe
    let slot = hash & last
    for (let found = index[slot]!; found !== FREE; found = index[slot]!) {
      if (((found ^ hash) & ~placeBits) === 0 && this.#isNamed(found & placeBits, probe))
        return found & placeBits
      slot = (slot + 1) & last
    }
    return ABSENT
  }

  #isNamed(at: number, probe: NameProbe): boolean {
    const ints = this.ints
    if (ints[at + HASH] !== probe.hash) return false
    const lengths = ints[at + LENGTHS]!
    if ((lengths & LONG_NAME) !== 0) return this.#objects[ints[at + SEQ_HIGH]!] === probe.name
    if ((lengths & LENGTH_MASK) !== probe.length) return false
    const wanted = probe.ints
    const begin = at + HEAD_INTS
    for (let i = intsOf(probe.length) - 1; i >= 0; i--) if (ints[begin + i] !== wanted[i]) return false
    return true
  }

  /** Where the row with that number lies. */
  place(row: number): number {
    return this.rows[row]!
  }

  /** Where the rows lie that are an OBJECT, in no order. Looks at nothing else; nothing may change meanwhile. */
  *objectPlaces(): IterableIterator<number> {
    for (let number = 0; number < this.#objects.length; number++) {
      const object = this.#objects[number]
      if (object !== undefined && typeof object !== 'string') yield this.rows[this.#objectRows[number]!]!
    }
  }

  kind(at: number): number {
    return (this.ints[at + LENGTHS]! >>> KIND_SHIFT) & KIND_MASK
  }

  name(at: number): string {
    const lengths = this.ints[at + LENGTHS]!
    if ((lengths & LONG_NAME) !== 0) return this.#objects[this.ints[at + SEQ_HIGH]!] as string
    const begin = (at + HEAD_INTS) << 2
    return this.#context.latin1.read(this.heapBytes, begin, begin + (lengths & LENGTH_MASK))
  }

  /** What an OBJECT is. */
  object(at: number): Entry {
    return this.#objects[this.ints[at + SEQ_LOW]!] as Entry
  }

  /** The value of a REGISTER. */
  text(at: number): string {
    const begin = this.valueByte(at)
    const length = (this.ints[at + LENGTHS]! >>> VALUE_LENGTH_SHIFT) & LENGTH_MASK
    return this.#context.latin1.read(this.heapBytes, begin, begin + length)
  }

  stamp(at: number): Stamp {
    const { ints } = this
    return {
      origin: this.originAt(at),
      seq: seqAt(ints, at),
      index: effectIndexAt(ints, at),
      hlcHigh: ints[at + HLC_HIGH]!,
      hlcLow: ints[at + HLC_LOW]!,
    }
  }

  protected originAt(at: number): Origin {
    return this.#context.origins.at(originIndexAt(this.ints, at))
  }

  /** The op at `at` had seen the last write of a REGISTER or COUNTER. */
  isCovered(at: number, by: OpPoint): boolean {
    const ints = this.ints
    return by.coversDot(originIndexAt(ints, at), seqAt(ints, at), effectIndexAt(ints, at))
  }

  // Changes. Each returns where the record lies afterwards; all others may have moved too.

  /** Adds a name with a plain value. @returns ABSENT when it does not fit: nothing is changed then */
  addRegister(probe: NameProbe, value: string, stamp: Stamp): number {
    if (probe.isLong || !this.fits(value.length, stamp)) return ABSENT
    const at = this.addRecord(probe, value.length, REGISTER << KIND_SHIFT)
    writeStamp(this.ints, at, stamp)
    this.#writeText(at, value)
    return at
  }

  /** Overwrites the value of a REGISTER. @returns ABSENT when it does not fit: nothing is changed then */
  setRegister(at: number, value: string, stamp: Stamp): number {
    if (!this.fits(value.length, stamp)) return ABSENT
    const now = this.resize(at, value.length)
    writeStamp(this.ints, now, stamp)
    this.#writeText(now, value)
    return now
  }

  /** Adds a name with any entry. */
  addObject(probe: NameProbe, entry: Entry): number {
    const at = this.addRecord(probe, 0, OBJECT << KIND_SHIFT)
    this.ints[at + SEQ_LOW] = this.#keepObject(entry, this.ints[at + ROW]!)
    return at
  }

  /** Stores any entry in place of a name's own. */
  setObject(at: number, entry: Entry): number {
    const { ints } = this
    if (this.kind(at) === OBJECT) {
      this.#objects[ints[at + SEQ_LOW]!] = entry
      return at
    }
    // Shorter than before, so it stays where it is.
    this.resize(at, 0)
    ints[at + SEQ_LOW] = this.#keepObject(entry, ints[at + ROW]!)
    this.setKind(at, OBJECT)
    return at
  }

  /** Makes a record ready for a value of that kind. */
  protected become(at: number, kind: number): void {
    if (this.kind(at) === OBJECT) this.#dropObject(this.ints[at + SEQ_LOW]!)
    this.setKind(at, kind)
  }

  protected setKind(at: number, kind: number): void {
    const { ints } = this
    ints[at + LENGTHS] = (ints[at + LENGTHS]! & ~(KIND_MASK << KIND_SHIFT)) | (kind << KIND_SHIFT)
  }

  /** Takes a name away. The last row, if another, gets its number. */
  remove(at: number): void {
    const { ints, rows } = this
    const lengths = ints[at + LENGTHS]!
    const row = ints[at + ROW]!
    if (this.kind(at) === OBJECT) this.#dropObject(ints[at + SEQ_LOW]!)
    if ((lengths & LONG_NAME) !== 0) this.#dropObject(ints[at + SEQ_HIGH]!)
    this.#garbage += recordInts(lengths)
    this.#removeFromIndex(at)
    const last = rows[--this.#count]!
    rows[row] = last
    ints[last + ROW] = row
    if (last !== at && this.kind(last) === OBJECT) this.#objectRows[ints[last + SEQ_LOW]!] = row
    this.#shrink()
  }

  // Objects

  #keepObject(object: Entry | string, row: number): number {
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
  protected fits(valueLength: number, stamp: Stamp): boolean {
    return valueLength <= VALUE_BYTES_MAX && fitsRecord(stamp) && this.#hasRoom(NAME_BYTES_MAX + valueLength)
  }

  // Heap

  #hasRoom(bytes: number): boolean {
    return this.#end + HEAD_INTS + 1 + intsOf(bytes) <= HEAP_INTS_MAX
  }

  protected valueByte(at: number): number {
    return (at + HEAD_INTS + intsOf(this.ints[at + LENGTHS]! & LENGTH_MASK)) << 2
  }

  #writeText(at: number, text: string): void {
    const { length } = text
    const begin = this.valueByte(at)
    const bytes = this.heapBytes
    if (length < LOOPED_BYTES_MAX) for (let i = 0; i < length; i++) bytes[begin + i] = text.charCodeAt(i)
    else this.#context.latin1.write(bytes, text, begin)
  }

  /** Gives a value another length; its bytes are to be written anew. @returns where the record lies now */
  protected resize(at: number, length: number): number {
    const lengths = this.ints[at + LENGTHS]!
    const changed = (lengths & ~(LENGTH_MASK << VALUE_LENGTH_SHIFT)) | (length << VALUE_LENGTH_SHIFT)
    const oldSize = recordInts(lengths)
    const size = recordInts(changed)
    const now = size > oldSize ? this.#moveToEnd(at, size) : at
    this.ints[now + LENGTHS] = changed
    this.#garbage += size > oldSize ? oldSize : oldSize - size
    return now
  }

  /** Moves head and name of a record to a place with more room. */
  #moveToEnd(at: number, size: number): number {
    const row = this.ints[at + ROW]!
    this.#reserve(size)
    const old = this.rows[row]!
    const ints = this.ints
    const now = this.#end
    this.#end += size
    this.#index[this.#slotOf(old)] = (ints[old + HASH]! & ~this.#placeBits) | now
    ints.copyWithin(now, old, old + HEAD_INTS + intsOf(ints[old + LENGTHS]! & LENGTH_MASK))
    this.rows[row] = now
    return now
  }

  /** Makes room at the end of the heap. May move all records. */
  #reserve(ints: number): void {
    const size = this.ints.length
    if (this.#end + ints <= size) return
    if (this.#garbage > this.#end * GARBAGE_SHARE) {
      this.#squeeze(size)
      if (this.#end + ints <= size) return
    }
    this.#moveHeap(grown(size, this.#end + ints))
  }

  #moveHeap(size: number): void {
    const ints = new Int32Array(size)
    ints.set(this.ints.subarray(0, this.#end))
    giveBack(this.ints)
    this.ints = ints
    this.heapBytes = new Uint8Array(ints.buffer)
    this.numbers = new DataView(ints.buffer)
    if (size > this.#placeBits) this.#widenPlaces(size)
  }

  /** Gives the place in every index entry some bits that were the hash's, for a heap of `size` integers. */
  #widenPlaces(size: number): void {
    const before = this.#placeBits
    while (size > this.#placeBits) this.#placeBits = 2 * this.#placeBits + 1
    const freed = this.#placeBits & ~before
    const index = this.#index
    for (let slot = 0; slot < index.length; slot++)
      if (index[slot] !== FREE) index[slot] = index[slot]! & ~freed
  }

  /** Brings the records together at the front of a heap of `size` integers, at most the present size. */
  #squeeze(size: number): void {
    const live = this.#end - this.#garbage
    const spare = this.#spare(live)
    const ints = this.ints
    let end = 0
    for (let row = 0; row < this.#count; row++) {
      const at = this.rows[row]!
      const stop = at + recordInts(ints[at + LENGTHS]!)
      this.rows[row] = end
      if (stop - at > LOOPED_INTS_MAX) {
        spare.set(ints.subarray(at, stop), end)
        end += stop - at
      } else {
        for (let i = at; i < stop; i++) spare[end++] = ints[i]!
      }
    }
    this.#end = 0
    if (size < ints.length) this.#moveHeap(size)
    this.ints.set(spare.subarray(0, end))
    this.#end = end
    this.#garbage = 0
    this.#reindex(this.#index.length)
  }

  #spare(size: number): Int32Array {
    if (size > SPARE_INTS_MAX) return new Int32Array(size)
    const context = this.#context
    if (context.spare.length < size) context.spare = new Int32Array(Math.min(SPARE_INTS_MAX, grown(0, size)))
    return context.spare
  }

  // Rows and index

  /** @returns the new record: without a stamp, and its value still to be written. @param flags  of LENGTHS */
  protected addRecord(probe: NameProbe, valueLength: number, flags: number): number {
    const row = this.#count
    if (row >= this.#index.length * INDEX_FULL) this.#reindex(this.#index.length * 2)
    if (row === this.rows.length) this.moveRows(grown(row, row + 1))
    const isApart = probe.isLong || !this.#hasRoom(probe.length)
    const nameLength = isApart ? 0 : probe.length
    const lengths = nameLength | (valueLength << VALUE_LENGTH_SHIFT) | flags
    const size = recordInts(lengths)
    this.#reserve(size)
    const ints = this.ints
    const at = this.#end
    this.#end += size
    ints[at + HASH] = probe.hash
    ints[at + ROW] = row
    ints[at + LENGTHS] = isApart ? lengths | LONG_NAME : lengths
    if (isApart) ints[at + SEQ_HIGH] = this.#keepObject(probe.name, row)
    const { ints: name } = probe
    for (let i = intsOf(nameLength) - 1; i >= 0; i--) ints[at + HEAD_INTS + i] = name[i]!
    this.rows[row] = at
    this.#count++
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
    const hash = this.ints[at + HASH]!
    const wanted = (hash & ~this.#placeBits) | at
    let slot = hash & last
    while (index[slot] !== wanted) slot = (slot + 1) & last
    return slot
  }

  #removeFromIndex(at: number): void {
    const index = this.#index
    const ints = this.ints
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

  /** Fills the index anew: for another size of it, or after all records have moved. */
  #reindex(size: number): void {
    if (size === this.#index.length) {
      this.#index.fill(FREE)
    } else {
      giveBack(this.#index)
      this.#index = new Int32Array(size).fill(FREE)
    }
    for (let row = 0; row < this.#count; row++) {
      const at = this.rows[row]!
      this.#putInIndex(at, this.ints[at + HASH]!)
    }
  }

  protected moveRows(capacity: number): void {
    const rows = new Int32Array(capacity)
    rows.set(this.rows.subarray(0, this.#count))
    giveBack(this.rows)
    this.rows = rows
  }

  /** Gives back what many removals have left free. */
  #shrink(): void {
    const count = this.#count
    const rows = this.rows.length
    if (rows > ROWS_MIN && count < rows * USED_SHARE_MIN) this.moveRows(Math.max(ROWS_MIN, rows >> 1))
    const size = this.ints.length
    if (size > HEAP_INTS_MIN && this.#end - this.#garbage < size * USED_SHARE_MIN)
      this.#squeeze(Math.max(HEAP_INTS_MIN, size >> 1))
    const index = this.#index.length
    if (index > INDEX_SIZE_MIN && count < index * INDEX_EMPTY) this.#reindex(index >> 1)
  }
}

/**
 * What is free in a thousand arrays is memory that nobody uses, and what is left behind by growing is
 * garbage that makes the collector run: arrays grow by a quarter, small ones and the largest by half, the smallest
 * to twice their size.
 */
function grown(size: number, needed: number): number {
  if (size < SMALLEST_INTS_MAX) return Math.max(needed, 2 * size)
  const isByHalf = size < SMALL_INTS_MAX || size >= LARGE_INTS_MIN
  return Math.max(needed, size + (size >> (isByHalf ? 1 : 2)))
}
