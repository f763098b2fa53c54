/**
 * relay-plan.ts: by which link the ops of each region come.
 *
 * Normally a region's ops come from the region itself. When the link to it is down for `relayAfterMs`,
 * or there never was one, another region that is reachable relays. And when a source, direct or relaying,
 * lacks ops that another region has announced and we miss, for `relayBehindMs`, that one relays: the
 * region lost them in a crash, or the relay is cut off from it. The relay ends when the direct link is
 * open again and lacks nothing.
 *
 * Invariants: (1) at most one peer relays a region. (2) Only a peer whose link is open relays. (3) The
 * plan depends on vectors and clock only, so it can be made again at any time.
 */
import type { VersionVector } from '../crdt/version-vector.ts'
import { opsBeyond } from './region-vector.ts'

export interface RelayCandidate {
  readonly name: string
  /** Undefined until the peer was reached once. */
  readonly regionId: number | undefined
  /** The link by which we pull from it is open, and its log reaches back to what we have. */
  readonly open: boolean
  /** What it last said it has applied. */
  readonly announced: VersionVector | undefined
}

export interface RelayWaits {
  readonly relayAfterMs: number
  readonly relayBehindMs: number
}

export class RelayPlan {
  readonly #ownRegionId: number
  /** Region id → name of the peer that relays it. */
  #relays = new Map<number, string>()
  /** Region id → since when its source has been down or behind. */
  #wantingSinceMs = new Map<number, number>()

  constructor(ownRegionId: number) {
    this.#ownRegionId = ownRegionId
  }

  /** Ids of the regions that a peer should relay, ascending. */
  relayedBy(name: string): number[] {
    const regions: number[] = []
    for (const [region, relay] of this.#relays) if (relay === name) regions.push(region)
    return regions.sort((a, b) => a - b)
  }

  /**
   * Makes the plan anew.
   * @returns milliseconds after which it may change though nothing happened; Infinity for never
   */
  update(
    candidates: readonly RelayCandidate[],
    applied: VersionVector,
    nowMs: number,
    waits: RelayWaits,
  ): number {
    const relays = new Map<number, string>()
    const wantingSinceMs = new Map<number, number>()
    let checkAfterMs = Number.POSITIVE_INFINITY
    for (const region of regionsOf(candidates)) {
      if (region === this.#ownRegionId) continue
      const direct = candidates.find((peer) => peer.regionId === region && peer.open)
      const relay = candidates.find((peer) => peer.name === this.#relays.get(region) && peer.open)
      const source = direct ?? relay
      const best = bestRelay(candidates, region, applied, source)
      const behind = source !== undefined && best !== undefined && lacks(source, best, region, applied)
      if (source !== undefined && !behind) {
        if (direct === undefined) relays.set(region, source.name)
        continue
      }
      const sinceMs = this.#wantingSinceMs.get(region) ?? nowMs
      const waitMs = source === undefined ? waits.relayAfterMs : waits.relayBehindMs
      const leftMs = sinceMs + waitMs - nowMs
      if (leftMs <= 0 && best !== undefined) {
        // Its own wait begins anew, so that a relay gets the time to deliver.
        relays.set(region, best.name)
        continue
      }
      wantingSinceMs.set(region, sinceMs)
      if (relay !== undefined) relays.set(region, relay.name)
      if (leftMs > 0) checkAfterMs = Math.min(checkAfterMs, leftMs)
    }
    this.#relays = relays
    this.#wantingSinceMs = wantingSinceMs
    return checkAfterMs
  }
}

function regionsOf(candidates: readonly RelayCandidate[]): Set<number> {
  const regions = new Set<number>()
  for (const { regionId, announced } of candidates) {
    if (regionId !== undefined) regions.add(regionId)
    if (announced === undefined) continue
    for (const [origin] of announced.entries()) regions.add(origin.region)
  }
  return regions
}

/** The open peer with the most ops of a region that we miss; any open one when none has more. */
function bestRelay(
  candidates: readonly RelayCandidate[],
  region: number,
  applied: VersionVector,
  source: RelayCandidate | undefined,
): RelayCandidate | undefined {
  let best: RelayCandidate | undefined
  let bestCount = -1
  for (const peer of candidates) {
    if (!peer.open || peer === source || peer.regionId === region || peer.announced === undefined) continue
    const count = opsBeyond(applied, peer.announced, region)
    if (count > bestCount) {
      best = peer
      bestCount = count
    }
  }
  return best
}

/** `other` has an op of the region that neither the source nor we have. */
function lacks(
  source: RelayCandidate,
  other: RelayCandidate,
  region: number,
  applied: VersionVector,
): boolean {
  if (other.announced === undefined) return false
  for (const [origin, seq] of other.announced.entries()) {
    if (origin.region !== region || seq <= applied.get(origin)) continue
    if (source.announced === undefined || seq > source.announced.get(origin)) return true
  }
  return false
}
