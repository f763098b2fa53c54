/**
 * following.ts: the link of a replica to the primary of its region, beyond the pull.
 *
 * A node that was primary before may hold ops of its own that the present one never got. It sends them up the same
 * link, as they are in its log, as soon as it learns what the primary lacks. They count under their own dots as long
 * as their origin was neither fenced nor ended; afterwards the primary mints them again (`late-tail`).
 *
 * Invariant: a tail is sent in one go, ended by an empty message, and not again before RESEND_MS.
 */
import { VersionVector } from '../crdt/version-vector.ts'
import { LogTrimmed } from './log-trimmed.ts'
import type { Status } from './messages.ts'
import type { SyncEnv, SyncHost } from './ports.ts'
import type { Puller } from './puller.ts'
import type { SyncSettings } from './settings.ts'
import type { StableCut } from './stable-cut.ts'
import { Subscription } from './subscription.ts'

/** How long the primary gets to take a tail before it is sent again, milliseconds. */
const RESEND_MS = 3000
/** How often it is looked whether the network has taken what was sent, milliseconds. */
const ROOM_MS = 10

export interface FollowingParts {
  readonly host: SyncHost
  readonly env: SyncEnv
  readonly settings: SyncSettings
  readonly cut: StableCut
}

export class Following {
  readonly #parts: FollowingParts
  readonly puller: Puller
  #sentMs = Number.NEGATIVE_INFINITY
  #stopped = false
  /** When the primary was last heard, our monotonic clock, milliseconds. */
  heardMs: number = Number.NEGATIVE_INFINITY

  constructor(puller: Puller, parts: FollowingParts) {
    this.puller = puller
    this.#parts = parts
  }

  /** The primary says where it stands. */
  learn({ applied, clockMs, cut, announced }: Status): void {
    const { origins } = this.#parts.host
    const vector = VersionVector.fromWire(origins, applied)
    const cuts = [cut, announced].map((wire) => VersionVector.fromWire(origins, wire))
    this.#parts.cut.follow(cuts[0]!, cuts[1]!, vector)
    this.heard(vector, clockMs)
  }

  /** The primary has applied that. @param clockMs  its expiry clock; 0: unknown */
  heard(vector: VersionVector, clockMs: number): void {
    this.#parts.host.replication.primaryHeard(vector, clockMs)
    this.heardMs = this.#parts.env.monoMs()
    this.#sendTail(vector)
  }

  #sendTail(vector: VersionVector): void {
    const nowMs = this.#parts.env.monoMs()
    if (nowMs - this.#sentMs < RESEND_MS || !this.#holdsMore(vector)) return
    this.#sentMs = nowMs
    this.#send(vector)
  }

  /** This node has ops of its region that the primary lacks and that may still count under their dots. */
  #holdsMore(vector: VersionVector): boolean {
    const { applied, membership, identity } = this.#parts.host
    for (const [origin, seq] of applied.entries()) {
      if (origin.region !== identity.regionId || seq <= vector.get(origin)) continue
      if (membership.sealOf(origin) === undefined && !membership.fences.has(origin)) return true
    }
    return false
  }

  #send(vector: VersionVector): void {
    const { host } = this.#parts
    const isOwn = (region: number): boolean => region === host.identity.regionId
    this.#guarded(() => this.#sendSlices(new Subscription(host.log, host.applied, vector.toWire(), isOwn)))
  }

  #guarded(read: () => void): void {
    try {
      read()
    } catch (error) {
      if (!(error instanceof LogTrimmed)) throw error
      this.#parts.host.report(
        'ops of this node that its primary lacks are in its log no more: they stay in this folder only',
      )
    }
  }

  /** @throws LogTrimmed */
  #sendSlices(tail: Subscription): void {
    const { settings, env } = this.#parts
    while (!tail.caughtUp) {
      if (this.#stopped || !this.puller.streaming) return
      if (this.puller.unsentBytes >= settings.unsentBytesMax) {
        env.after(ROOM_MS, () => this.#guarded(() => this.#sendSlices(tail)))
        return
      }
      const { records } = tail.next(settings.sliceBytesMax)
      if (records.length > 0) this.puller.sendTail(records)
    }
    this.puller.sendTail([])
  }

  stop(): void {
    this.#stopped = true
  }
}
