/**
 * hearsay.ts: what regions say of themselves, and of each other, brought to the stable cut and to the fences.
 */
import type { WireStanding } from './messages.ts'
import type { SyncHost } from './ports.ts'
import type { StableCut, Standing } from './stable-cut.ts'
import { standingFromWire } from './standings.ts'

export class Hearsay {
  readonly #host: Pick<SyncHost, 'origins' | 'identity' | 'membership' | 'stood' | 'recallClock'>
  readonly #cut: StableCut

  constructor(
    host: Pick<SyncHost, 'origins' | 'identity' | 'membership' | 'stood' | 'recallClock'>,
    cut: StableCut,
  ) {
    this.#host = host
    this.#cut = cut
  }

  /**
   * A status tells of regions.
   * @param nowMs  our monotonic clock @param isFollowed  it is that of the primary that this node follows
   */
  told(standings: readonly WireStanding[], nowMs: number, isFollowed: boolean): void {
    const { origins, identity, membership } = this.#host
    for (const standing of standings) {
      const { regionId } = standing
      // One that is suspended here may be back by now: a node that returns itself has to hear that it knows.
      if (membership.statusOf(regionId) === 'left') continue
      const heard = standingFromWire(origins, standing, nowMs)
      if (regionId === identity.regionId && !isFollowed) {
        this.#cut.remembered(heard)
        this.#host.recallClock(heard.clockMs)
      } else {
        this.#take(heard)
      }
    }
    this.#host.stood()
  }

  /** A region says so itself. */
  stands(standing: Standing): void {
    this.#take(standing)
    this.#host.stood()
  }

  #take(standing: Standing): void {
    const { membership } = this.#host
    this.#cut.heard(standing)
    if (membership.statusOf(standing.regionId) !== 'member') return
    // What a member holds lies before the seal, whether it has answered, sealed already, or not heard of it.
    for (const origin of [...membership.fences.keys()]) membership.raise(origin, standing.durable.get(origin))
  }
}
