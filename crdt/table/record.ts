/**
 * record.ts: how a name and what it stands for lie in the heap of a table: eight 32-bit integers, then the bytes
 * of the name, then those of the value, each filled up to a multiple of four.
 *
 *   HASH       of the name
 *   ROW        its number in the table
 *   LENGTHS    of name and value in bytes, 14 bits each; then kind, LONG_NAME and MARK
 *   WRITER     index of the origin and of the effect in its op, 16 bits each      ┐ the dot and stamp of
 *   SEQ_LOW    32 bits of the seq; of an OBJECT, which object                     │ the register, or of the
 *   SEQ_HIGH   the 21 bits above them; with LONG_NAME, which object is the name   │ counter's last
 *   HLC_HIGH   as crdt/dot.ts keeps it                                            │ increment
 *   HLC_LOW    likewise                                                           ┘
 *
 * A lookup of a short value so touches one stretch of memory beside the index.
 */
import type { Stamp } from '../dot.ts'

export const HEAD_INTS = 8
export const HASH = 0
export const ROW = 1
export const LENGTHS = 2
export const WRITER = 3
export const SEQ_LOW = 4
export const SEQ_HIGH = 5
export const HLC_HIGH = 6
export const HLC_LOW = 7

/** One write and nothing else: of a register, whose text is the value, or of a member of a set, without a value. */
export const REGISTER = 0
/** One counter entry and nothing else: the value is what the head has no field for, see `COUNTER_BYTES`. */
export const COUNTER = 1
/** Any other entry, as a live JavaScript object. */
export const OBJECT = 2

/** Values up to this long lie in the heap; longer ones stay strings. */
export const VALUE_BYTES_MAX = 2 ** 14 - 1
export const LENGTH_MASK = 2 ** 14 - 1
export const VALUE_LENGTH_SHIFT = 14
export const KIND_SHIFT = 28
export const KIND_MASK = 3
export const LONG_NAME = 1 << 30
/** Of a key, compared with its group's own mark: the walk is done with it. */
export const MARK = 1 << 31

/** Origins and effects with higher numbers do not fit WRITER: such an entry stays an object. */
const WRITER_PART_MAX = 0xffff
/** An HLC of more than 53 bits can be read from bytes, and is kept as it was read. */
const HLC_HIGH_MAX = 2 ** 31 - 1
const WORD = 2 ** 32

/**
 * What a counter keeps as its value, low bytes first: run and total as doubles, then of the first
 * increment, which also wrote the deadline "never", both parts of its HLC and its effect index as int32.
 */
export const COUNTER_BYTES = 28
export const RUN_AT = 0
export const TOTAL_AT = 8
export const BORN_HLC_HIGH_AT = 16
export const BORN_HLC_LOW_AT = 20
export const BORN_INDEX_AT = 24

/** How many integers that many bytes take. */
export function intsOf(bytes: number): number {
  return (bytes + 3) >> 2
}

/** Integers of the record with those LENGTHS. */
export function recordInts(lengths: number): number {
  return HEAD_INTS + intsOf(lengths & LENGTH_MASK) + intsOf((lengths >>> VALUE_LENGTH_SHIFT) & LENGTH_MASK)
}

export function fitsRecord(stamp: Stamp): boolean {
  const { origin, index, hlcHigh } = stamp
  return origin.index <= WRITER_PART_MAX && index <= WRITER_PART_MAX && hlcHigh <= HLC_HIGH_MAX
}

/** Writes a stamp into the record that begins at `at`. */
export function writeStamp(ints: Int32Array, at: number, stamp: Stamp): void {
  const { seq } = stamp
  ints[at + WRITER] = stamp.origin.index | (stamp.index << 16)
  ints[at + SEQ_LOW] = seq | 0
  ints[at + SEQ_HIGH] = seq < WORD ? 0 : Math.floor(seq / WORD)
  ints[at + HLC_HIGH] = stamp.hlcHigh
  ints[at + HLC_LOW] = stamp.hlcLow
}

export function originIndexAt(ints: Int32Array, at: number): number {
  return ints[at + WRITER]! & WRITER_PART_MAX
}

export function effectIndexAt(ints: Int32Array, at: number): number {
  return ints[at + WRITER]! >>> 16
}

export function seqAt(ints: Int32Array, at: number): number {
  const low = ints[at + SEQ_LOW]! >>> 0
  const high = ints[at + SEQ_HIGH]!
  return high === 0 ? low : high * WORD + low
}
