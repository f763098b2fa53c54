/**
 * settled-clock.ts: up to when a peer can no longer have extended a TTL behind our back.
 *
 * A peer announces its expiry clock together with its vector. Once all ops of its own region in that
 * vector are applied here, nothing it minted before that clock is unknown to us: the clock has settled.
 * Announcements come faster than ops under load, so two are kept: the oldest that has not settled, and
 * the newest, which takes its place.
 *
 * A peer that had not seen a deadline when it announced may still extend the key that it knows. So may one that
 * had seen it and lost it in a power failure. So beside the clock stands what the peer had fsynced when it
 * announced it.
 *
 * Invariant: the settled clock never goes back.
 * Source: the expiry rule of this project: a removal is minted when no member can still extend.
 */
import type { Origin } from '../crdt/origin.ts'
import type { VersionVector } from '../crdt/version-vector.ts'
import { coversRegion } from './region-vector.ts'

interface Announcement {
  readonly applied: VersionVector
  readonly durable: VersionVector
  readonly clockMs: number
  readonly heardMs: number
}

export class SettledClock {
  #settledMs = Number.NEGATIVE_INFINITY
  #settledDurable: VersionVector | undefined
  #oldest: Announcement | undefined
  #newest: Announcement | undefined

  /**
   * @param clockMs  0: the peer may have minted what is not in its vector: that says nothing
   * @param heardMs  our monotonic clock
   */
  announce(applied: VersionVector, durable: VersionVector, clockMs: number, heardMs: number): void {
    // What the peer has fsynced by now, it need not have had at the clock that it announced before.
    if (clockMs === 0) return
    const announcement = { applied, durable, clockMs, heardMs }
    if (this.#oldest === undefined) this.#oldest = announcement
    else this.#newest = announcement
  }

  /** Forgets what has not settled: the peer came back, perhaps without the last ops it had announced. */
  restart(): void {
    this.#oldest = undefined
    this.#newest = undefined
  }

  /** The settled clock, milliseconds since the Unix epoch; -Infinity until there is one. */
  settledMs(region: number, applied: VersionVector): number {
    while (this.#oldest !== undefined && coversRegion(applied, this.#oldest.applied, region)) {
      this.#settledMs = Math.max(this.#settledMs, this.#oldest.clockMs)
      this.#settledDurable = this.#oldest.durable
      this.#oldest = this.#newest
      this.#newest = undefined
    }
    return this.#settledMs
  }

  /** The peer had fsynced that op when it announced the settled clock. */
  hadFsynced(origin: Origin, seq: number): boolean {
    return this.#settledDurable !== undefined && this.#settledDurable.get(origin) >= seq
  }

  /** When the oldest announcement was heard of which an op is still missing here; undefined for none. */
  behindSinceMs(region: number, applied: VersionVector): number | undefined {
    this.settledMs(region, applied)
    return this.#oldest?.heardMs
  }
}
