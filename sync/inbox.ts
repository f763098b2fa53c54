/**
 * inbox.ts: from received bytes to applied ops.
 *
 * Every record of an ops message is checked (length, checksum, header) and then applied, dropped because
 * it is covered, or kept in the causal buffer. The checksum is compared here although the transport has
 * its own: these bytes go into our log as they are.
 *
 * Invariants: (1) `host.apply` is called only for a batch that is not covered, whose deps are, and whose
 * first op is at most the next one of its origin. (2) Nothing from behind a malformed record is used.
 */
import { type BatchHeader, type BatchReader, checkRecord, lastSeq, openRecord } from '../crdt/codec/batch.ts'
import { DecodeError } from '../crdt/codec/bytes.ts'
import type { Origin } from '../crdt/origin.ts'
import { CausalBuffer } from './causal-buffer.ts'
import { RECORDS_AT } from './messages.ts'
import type { SyncHost } from './ports.ts'
import { ProtocolViolation, type Reason } from './reason.ts'
import type { SyncSettings } from './settings.ts'
import type { StableCut } from './stable-cut.ts'

/** The link that a record came by. */
export interface Source {
  /** The other end has that origin up to `seq`: it delivered it. */
  delivered(origin: Origin, seq: number): void
  applied(opCount: number): void
  /** A batch from here turned out to be malformed when its turn came. */
  accused(why: Reason): void
}

export interface Taken {
  /** The buffer has no room for what this link delivers: it must be closed. The rest was not looked at. */
  readonly full: boolean
  /** A batch came whose predecessor neither is applied nor waits. */
  readonly gap: boolean
}

export class Inbox<From extends Source> {
  readonly #host: SyncHost
  readonly #settings: SyncSettings
  readonly #cut: Pick<StableCut, 'admits'>
  readonly #buffer: CausalBuffer<From>

  constructor(host: SyncHost, settings: SyncSettings, cut: Pick<StableCut, 'admits'>) {
    this.#host = host
    this.#settings = settings
    this.#cut = cut
    this.#buffer = new CausalBuffer(host.applied)
  }

  get waitingBytes(): number {
    return this.#buffer.bytes
  }

  get waitingBatches(): number {
    return this.#buffer.count
  }

  /** Batches that may be applied now wait for `release`. */
  get hasReady(): boolean {
    return this.#buffer.hasReady
  }

  /** A batch that ends with this op waits here. */
  holds(origin: Origin, seq: number): boolean {
    return this.#buffer.holds(origin, seq)
  }

  /**
   * Takes an ops message.
   * @throws ProtocolViolation for a malformed record; those before it have been taken
   */
  take(message: Uint8Array, from: From): Taken {
    let gap = false
    for (let at = RECORDS_AT; at < message.length; ) {
      const check = checkRecord(message, at)
      if (check.kind !== 'whole') {
        throw malformed(check.kind === 'short' ? 'a record that ends too early' : check.reason)
      }
      const record = message.subarray(at, check.end)
      at = check.end
      const batch = this.#open(record)
      const { header } = batch
      from.delivered(header.origin, lastSeq(header))
      if (this.#isCovered(header) || !this.#isAdmitted(header)) continue
      if (this.#buffer.missing(header) === undefined) {
        this.#apply(record, batch, from)
        continue
      }
      if (this.#isStranded(header)) continue
      gap ||= this.#lacksPredecessor(header)
      if (!this.#buffer.add(record, header, from, this.#settings.causalBufferBytesMax))
        return { full: true, gap }
    }
    return { full: false, gap }
  }

  /** Applies batches from the buffer whose turn has come, up to about so many bytes. */
  release(bytesMax: number): void {
    let left = bytesMax
    while (left > 0) {
      const waiting = this.#buffer.take()
      if (waiting === undefined) return
      const { record, header, source } = waiting
      if (this.#isCovered(header) || !this.#isAdmitted(header)) continue
      left -= record.length
      try {
        this.#apply(record, this.#open(record), source)
      } catch (error) {
        if (!(error instanceof ProtocolViolation)) throw error
        source.accused({ code: error.code, sentence: error.message })
      }
    }
  }

  /** `host.applied` has advanced by other means than a batch: looks at everything that waits again. */
  jumped(): void {
    for (const [origin, seq] of this.#host.applied.entries()) this.#buffer.advanced(origin, seq)
  }

  /** Drops what a link delivered and has to wait: it will be asked for again. */
  discard(from: From): void {
    this.#buffer.discard(({ source }) => source === from)
  }

  /** The membership changed, or what is applied has jumped: what waits may be due, or never come to be. */
  reconsider(): void {
    this.#buffer.discard(
      ({ header }) => this.#isCovered(header) || !this.#isAdmitted(header) || this.#isStranded(header),
    )
  }

  #open(record: Uint8Array): BatchReader {
    const { origins, latin1, identity } = this.#host
    try {
      const batch = openRecord(record, origins, latin1)
      if (batch.header.partition === identity.partition) return batch
    } catch (error) {
      throw asViolation(error)
    }
    throw malformed('a batch of another partition')
  }

  #apply(record: Uint8Array, batch: BatchReader, from: From): void {
    const { origin } = batch.header
    const before = this.#host.applied.get(origin)
    const last = Math.min(lastSeq(batch.header), this.#host.membership.limitOf(origin))
    try {
      this.#host.apply(record, batch)
    } catch (error) {
      throw asViolation(error)
    }
    // A node that has failed applies nothing any more.
    if (this.#host.applied.get(origin) < last) return
    from.applied(last - before)
    this.#buffer.advanced(origin, last)
  }

  /** Nothing of it is left to apply; what lies behind the limit of its origin never is. */
  #isCovered(header: BatchHeader): boolean {
    const { applied, membership } = this.#host
    const { origin, firstSeq } = header
    const limit = membership.limitOf(origin)
    return firstSeq > limit || Math.min(lastSeq(header), limit) <= applied.get(origin)
  }

  #isAdmitted({ origin, deps }: BatchHeader): boolean {
    const { applied, membership } = this.#host
    if (applied.get(origin) > 0) return true
    return membership.admits(origin, deps) && this.#cut.admits(origin, deps)
  }

  /** It has seen ops that came too late to count, so its own origin has been ended, or will be. */
  #isStranded({ deps }: BatchHeader): boolean {
    const { membership } = this.#host
    if (membership.seals.size === 0) return false
    for (const [origin, seq] of deps.entries()) {
      const seal = membership.sealOf(origin)
      if (seal !== undefined && seq > seal.end) return true
    }
    return false
  }

  #lacksPredecessor({ origin, firstSeq }: BatchHeader): boolean {
    return firstSeq - 1 > this.#host.applied.get(origin) && !this.#buffer.holds(origin, firstSeq - 1)
  }
}

/** A batch that does not decode is the peer's fault; anything else is ours. */
function asViolation(error: unknown): unknown {
  return error instanceof DecodeError ? malformed(error.message) : error
}

function malformed(sentence: string): ProtocolViolation {
  return new ProtocolViolation('malformed-record', sentence)
}
