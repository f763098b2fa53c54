/**
 * causal-buffer.ts: batches that arrived before something they depend on.
 *
 * A batch may be applied when the op before its first one is applied and its deps are covered. Until
 * then it waits here for *one* missing dot, whichever was found first; when that origin gets there, the
 * batch is looked at again. So an arrival costs only the batches that waited for it, however many
 * others there are.
 *
 * Invariants: (1) a batch waits in exactly one queue, for a dot that is not applied. (2) `bytes` never
 * exceeds the limit that `add` was given. (3) A batch leaves by `take` when it may be applied or is
 * covered, or by `discard`; never by being forgotten.
 * Source: Birman, Schiper, Stephenson, "Lightweight Causal and Atomic Group Multicast", 1991.
 */
import { type BatchHeader, lastSeq } from '../crdt/codec/batch.ts'
import type { Origin } from '../crdt/origin.ts'
import type { VersionVector } from '../crdt/version-vector.ts'

/** What a waiting batch costs besides its record: header, vector, places in the queues. */
const ENTRY_BYTES = 512

export interface Waiting<Source> {
  readonly record: Uint8Array
  readonly header: BatchHeader
  /** The link that delivered it. */
  readonly source: Source
}

interface MissingDot {
  readonly origin: Origin
  readonly seq: number
}

export class CausalBuffer<Source> {
  readonly #applied: VersionVector
  /** By the index of the origin that is waited for. */
  readonly #queues: (WaitQueue<Source> | undefined)[] = []
  /** Last seq of a waiting batch to its first, by the index of its own origin. */
  readonly #held: (Map<number, number> | undefined)[] = []
  /** May be applied now, or are covered by now. */
  readonly #ready: Waiting<Source>[] = []
  #bytes = 0
  #count = 0

  /** @param applied  live: what the node has applied */
  constructor(applied: VersionVector) {
    this.#applied = applied
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Batches inside. */
  get count(): number {
    return this.#count
  }

  get hasReady(): boolean {
    return this.#ready.length > 0
  }

  /** The first thing found that keeps a batch from being applied, or undefined. */
  missing(header: BatchHeader): MissingDot | undefined {
    const { origin, firstSeq, deps } = header
    if (this.#applied.get(origin) < firstSeq - 1) return { origin, seq: firstSeq - 1 }
    if (this.#applied.covers(deps)) return undefined
    for (const [other, seq] of deps.entries()) {
      if (this.#applied.get(other) < seq) return { origin: other, seq }
    }
    return undefined
  }

  /** A batch that ends with this op waits here. */
  holds(origin: Origin, seq: number): boolean {
    return this.#held[origin.index]?.has(seq) ?? false
  }

  /**
   * Keeps a batch that cannot be applied yet. The record is copied: a view would keep alive the whole
   * message it came in. A batch that is here already is dropped.
   *
   * @returns false when it does not fit below `bytesMax`; the buffer is as before then
   */
  add(record: Uint8Array, header: BatchHeader, source: Source, bytesMax: number): boolean {
    const held = this.#heldOf(header.origin)
    const twinFirstSeq = held.get(lastSeq(header))
    if (twinFirstSeq !== undefined && twinFirstSeq <= header.firstSeq) return true
    if (this.#bytes + record.length + ENTRY_BYTES > bytesMax) return false
    held.set(lastSeq(header), header.firstSeq)
    this.#bytes += record.length + ENTRY_BYTES
    this.#count++
    this.#place({ record: new Uint8Array(record), header, source })
    return true
  }

  #heldOf({ index }: Origin): Map<number, number> {
    const held = this.#held[index] ?? new Map<number, number>()
    this.#held[index] = held
    return held
  }

  #place(waiting: Waiting<Source>): void {
    const dot = this.missing(waiting.header)
    if (dot === undefined) {
      this.#ready.push(waiting)
      return
    }
    this.#queues[dot.origin.index] ??= new WaitQueue()
    this.#queues[dot.origin.index]!.push(dot.seq, waiting)
  }

  /** An origin was applied up to `seq`: whoever waited for it moves on. */
  advanced(origin: Origin, seq: number): void {
    const queue = this.#queues[origin.index]
    if (queue === undefined) return
    while (queue.nextSeq <= seq) this.#place(queue.pop())
  }

  /** The next batch that may be applied or is covered, which is for the caller to tell. */
  take(): Waiting<Source> | undefined {
    const waiting = this.#ready.pop()
    if (waiting !== undefined) this.#forget(waiting)
    return waiting
  }

  /** Drops those batches, and looks at the others again: what is applied may have jumped. */
  discard(isDropped: (waiting: Waiting<Source>) => boolean): void {
    const others: Waiting<Source>[] = []
    for (const queue of this.#queues) {
      while (queue !== undefined && queue.nextSeq < Number.POSITIVE_INFINITY) others.push(queue.pop())
    }
    for (const waiting of others.concat(this.#ready.splice(0))) {
      if (isDropped(waiting)) this.#forget(waiting)
      else this.#place(waiting)
    }
  }

  #forget({ record, header }: Waiting<Source>): void {
    this.#held[header.origin.index]?.delete(lastSeq(header))
    this.#bytes -= record.length + ENTRY_BYTES
    this.#count--
  }
}

/** Batches by the seq they wait for, lowest first: a binary heap. */
class WaitQueue<Source> {
  readonly #seqs: number[] = []
  readonly #batches: Waiting<Source>[] = []

  /** Infinity when there is none. */
  get nextSeq(): number {
    return this.#seqs.length === 0 ? Number.POSITIVE_INFINITY : this.#seqs[0]!
  }

  push(seq: number, batch: Waiting<Source>): void {
    let at = this.#seqs.length
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (this.#seqs[parent]! <= seq) break
      this.#put(at, this.#seqs[parent]!, this.#batches[parent]!)
      at = parent
    }
    this.#put(at, seq, batch)
  }

  /** REQUIRES: not empty. */
  pop(): Waiting<Source> {
    const first = this.#batches[0]!
    const seq = this.#seqs.pop()!
    const batch = this.#batches.pop()!
    const size = this.#seqs.length
    if (size === 0) return first
    let at = 0
    for (let child = 1; child < size; child = 2 * at + 1) {
      if (child + 1 < size && this.#seqs[child + 1]! < this.#seqs[child]!) child++
      if (this.#seqs[child]! >= seq) break
      this.#put(at, this.#seqs[child]!, this.#batches[child]!)
      at = child
    }
    this.#put(at, seq, batch)
    return first
  }

  #put(at: number, seq: number, batch: Waiting<Source>): void {
    this.#seqs[at] = seq
    this.#batches[at] = batch
  }
}
