/**
 * subscription.ts: one puller's way through the log.
 *
 * A position in the log, and a vector of what the puller has or was sent. A record is due when its
 * origin's region is wanted and its last op is beyond that vector. So a puller that comes back costs
 * the ops it lacks and no others, and what it delivered here itself is not sent back to it.
 *
 * Invariant: records of one origin are handed out in order and without a gap, because the log holds
 * them so and the vector only ever covers a prefix.
 */
import { lastSeq } from '../crdt/codec/batch.ts'
import type { Origin } from '../crdt/origin.ts'
import { VersionVector, type WireVector } from '../crdt/version-vector.ts'
import type { LogPosition, LogStream } from './ports.ts'

export interface Slice {
  readonly records: readonly Uint8Array[]
  readonly opCount: number
}

export class Subscription {
  readonly #log: LogStream
  readonly #applied: VersionVector
  readonly #wants: (region: number) => boolean
  /** What the puller has or was sent. */
  readonly #given: VersionVector
  #position: LogPosition

  /**
   * @param applied  what counts here: the log may hold more, behind the end of an origin
   * @throws LogTrimmed when the log no longer reaches back to `vector`
   */
  constructor(
    log: LogStream,
    applied: VersionVector,
    vector: WireVector,
    wants: (region: number) => boolean,
  ) {
    const { origins } = applied
    this.#log = log
    this.#applied = applied
    this.#wants = wants
    this.#given = VersionVector.fromWire(origins, vector)
    this.#position = this.#seek()
  }

  #seek(): LogPosition {
    return this.#log.seek(this.#given, ({ region }) => this.#wants(region))
  }

  /**
   * Looks its place up again: ops have become applied here that never came by the log.
   * @throws LogTrimmed when the puller lacks some of them
   */
  seekAnew(): void {
    this.#position = this.#seek()
  }

  /** Everything that may travel was looked at. */
  get caughtUp(): boolean {
    return this.#position >= this.#log.end
  }

  /**
   * Reads on by one slice of the log.
   * @returns what of it is due; nothing does not mean that nothing follows
   * @throws LogTrimmed when the log was trimmed beyond this position
   */
  next(bytesMax: number): Slice {
    const { records, next } = this.#log.read(this.#position, bytesMax)
    this.#position = next
    const due: Uint8Array[] = []
    let opCount = 0
    for (const { bytes, span } of records) {
      const last = lastSeq(span)
      const given = this.#given.get(span.origin)
      if (last <= given || !this.#wants(span.origin.region)) continue
      // It came behind the end of its origin. A puller that has not heard of that end would take it.
      if (span.firstSeq > this.#applied.get(span.origin)) continue
      this.#given.advance(span.origin, last)
      due.push(bytes)
      opCount += last - Math.max(given, span.firstSeq - 1)
    }
    return { records: due, opCount }
  }

  /** The puller has the origin up to there, from elsewhere. */
  has(origin: Origin, seq: number): void {
    this.#given.advance(origin, seq)
  }

  /** The puller has all of this. */
  hasAll(vector: VersionVector): void {
    this.#given.join(vector)
  }
}
