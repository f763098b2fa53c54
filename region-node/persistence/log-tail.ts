/**
 * log-tail.ts: the newest records, kept in memory for those who follow closely.
 *
 * A subscriber that keeps up never causes a disk read; one that falls behind the tail is served from the
 * segments, so a slow peer costs disk and not memory.
 *
 * Invariants: (1) records are in order of position, without a gap but for marks. (2) Their bytes and
 * what each costs besides add up to at most the limit, or there is only one.
 */
import type { BatchSpan } from '../../crdt/codec/batch.ts'
import type { LogRecord } from '../../sync/ports.ts'

/** Objects that stand for one record, roughly: most of what a lone small op costs here. */
const RECORD_OVERHEAD_BYTES = 300

interface Placed extends LogRecord {
  readonly position: number
}

export class LogTail {
  /** Those dropped are undefined. */
  #records: (Placed | undefined)[] = []
  /** Records before this index were dropped; the array is trimmed now and then. */
  #first = 0
  #bytes = 0
  readonly #bytesMax: () => number

  constructor(bytesMax: () => number) {
    this.#bytesMax = bytesMax
  }

  /** Bytes in memory. */
  get bytes(): number {
    return this.#bytes
  }

  push(position: number, bytes: Uint8Array, span: BatchSpan): void {
    this.#records.push({ position, bytes, span })
    this.#bytes += bytes.length + RECORD_OVERHEAD_BYTES
    const limit = this.#bytesMax()
    while (this.#bytes > limit && this.#first < this.#records.length - 1) {
      this.#bytes -= this.#records[this.#first]!.bytes.length + RECORD_OVERHEAD_BYTES
      // The array is trimmed later; its bytes go now, or 4096 large records would stay.
      this.#records[this.#first] = undefined
      this.#first++
    }
    if (this.#first > 4096 && this.#first * 2 > this.#records.length) {
      this.#records = this.#records.slice(this.#first)
      this.#first = 0
    }
  }

  /** Where the tail begins; undefined when it is empty. */
  get start(): number | undefined {
    return this.#records[this.#first]?.position
  }

  /** Records from `position` on, up to `end`, at most about `bytesMax`. `position` lies in the tail. */
  read(position: number, end: number, bytesMax: number): { records: LogRecord[]; next: number } {
    const records: LogRecord[] = []
    let bytes = 0
    let next = end
    for (let i = this.#indexOf(position); i < this.#records.length; i++) {
      const record = this.#records[i]!
      if (record.position >= end) break
      if (records.length > 0 && bytes + record.bytes.length > bytesMax) {
        next = record.position
        break
      }
      records.push(record)
      bytes += record.bytes.length
    }
    return { records, next }
  }

  /** The first record at or behind `position`. */
  #indexOf(position: number): number {
    let low = this.#first
    let high = this.#records.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#records[middle]!.position < position) low = middle + 1
      else high = middle
    }
    return low
  }
}
