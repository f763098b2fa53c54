/**
 * expiry-peers.ts: when a due key may be removed: up to when no other region can have extended it unheard.
 *
 * Members that the removal waits for. One that nobody heard for too long is not among them: what it extends meanwhile
 * may be lost (algorithms.md, Expiry). One that was suspended is, until its origins have ended: what somebody
 * holds of them may still come.
 */
import type { Origin } from '../crdt/origin.ts'
import type { Peer } from './peer.ts'
import type { SyncEnv, SyncHost } from './ports.ts'
import type { SyncSettings } from './settings.ts'
import type { StableCut } from './stable-cut.ts'

export interface ExpiryPeersParts {
  readonly host: Pick<SyncHost, 'membership' | 'applied' | 'durable'>
  readonly env: Pick<SyncEnv, 'monoMs'>
  readonly settings: Pick<SyncSettings, 'expireTakeoverMs'>
  readonly cut: StableCut
  peers(): Iterable<Peer>
}

export class ExpiryPeers {
  readonly #parts: ExpiryPeersParts
  /** When this was made, our monotonic clock: a region never heard counts as heard then. */
  readonly #madeMs: number

  constructor(parts: ExpiryPeersParts) {
    this.#parts = parts
    this.#madeMs = parts.env.monoMs()
  }

  /**
   * The expiry clock before which no member can have minted anything that is not applied here, milliseconds
   * since the Unix epoch; -Infinity when a member was never heard, Infinity when there is none to wait for.
   */
  settledClockMs(): number {
    let settledMs = Number.POSITIVE_INFINITY
    for (const { regionId, settled } of this.#awaited()) {
      if (regionId === undefined) return Number.NEGATIVE_INFINITY
      settledMs = Math.min(settledMs, settled.settledMs(regionId, this.#parts.host.applied))
    }
    return settledMs
  }

  /** This node has fsynced that op, and every member had when it announced the clock that `settledClockMs` counts. */
  isDurableEverywhere(origin: Origin, seq: number): boolean {
    const { host } = this.#parts
    // Where there is nobody else, nobody brings back what the own disk loses.
    for (const { settled } of this.#awaited())
      if (host.durable.get(origin) < seq || !settled.hadFsynced(origin, seq)) return false
    return true
  }

  *#awaited(): IterableIterator<Peer> {
    const { host, cut, env, settings } = this.#parts
    const { membership, applied } = host
    for (const peer of this.#parts.peers()) {
      const { regionId } = peer
      const isMember = regionId === undefined || membership.statusOf(regionId) === 'member'
      if (!isMember && membership.haveEnded(regionId, cut.known, applied)) continue
      const standing = regionId === undefined ? undefined : cut.standing(regionId)
      const unheardMs = env.monoMs() - (standing?.heardMs ?? this.#madeMs)
      if (unheardMs <= settings.expireTakeoverMs) yield peer
    }
  }
}
