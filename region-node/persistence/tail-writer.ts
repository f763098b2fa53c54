/**
 * tail-writer.ts: the memory in which batches are encoded, written to disk and sent from.
 *
 * Batches are encoded straight into a chunk; the log writes stretches of it to the file, and sync sends
 * views of it to peers. So a byte of an op is produced once and copied once, by the kernel. A full chunk
 * is left to those who still refer to it, and an unfinished record moves on to the next one.
 */
import { BatchWriter } from '../../crdt/codec/batch.ts'
import type { Latin1 } from '../../crdt/codec/bytes.ts'

const CHUNK_BYTES = 256 * 1024

export class TailWriter extends BatchWriter {
  /** Finished bytes that the log has not taken yet begin here. */
  #takenTo = 0
  #full: Uint8Array[] = []

  constructor(latin1: Latin1) {
    super(latin1, CHUNK_BYTES)
  }

  protected override grow(count: number): void {
    const { bytes, start, at } = this
    if (start > this.#takenTo) this.#full.push(bytes.subarray(this.#takenTo, start))
    const open = at - start
    const next = new Uint8Array(Math.max(CHUNK_BYTES, (open + count) * 2))
    next.set(bytes.subarray(start, at))
    this.bytes = next
    this.start = 0
    this.at = open
    this.#takenTo = 0
  }

  /** Puts finished bytes in as they are: a record of another origin, or a mark. No batch is open. */
  append(bytes: Uint8Array): Uint8Array {
    this.raw(bytes)
    this.start = this.at
    return this.bytes.subarray(this.at - bytes.length, this.at)
  }

  /** Stretches of finished bytes since the last call, in order. */
  take(): Uint8Array[] {
    const stretches = this.#full
    if (this.start > this.#takenTo) stretches.push(this.bytes.subarray(this.#takenTo, this.start))
    this.#takenTo = this.start
    this.#full = []
    return stretches
  }
}
