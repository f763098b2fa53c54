/**
 * link-status.ts: what the mesh tells of the links with one peer.
 *
 * Plain data. Times are milliseconds, counts are of this run of the node.
 */
import type { VersionVector } from '../crdt/version-vector.ts'
import type { Peer } from './peer.ts'
import type { SyncHost } from './ports.ts'
import type { PullState } from './puller.ts'
import type { Reason } from './reason.ts'
import { opsBeyond } from './region-vector.ts'
import type { TransferProgress } from './snapshot-progress.ts'

/** One peer, for CRDT.LINK STATUS, INFO and /v1/status. */
export interface LinkStatus {
  readonly region: string
  /** Undefined until the peer was reached once. */
  readonly regionId: number | undefined
  readonly url: string
  /** The link by which this node pulls from the peer. */
  readonly pull: PullState
  /** The link by which the peer pulls from this node. */
  readonly serve: 'absent' | 'streaming'
  /** Cut by `setLink`. */
  readonly paused: boolean
  /** Regions whose ops the peer relays to this node. */
  readonly relays: readonly number[]
  /** Ops of this region that the peer has not said it has applied; undefined until it was heard. */
  readonly lagOps: number | undefined
  /** Age of the oldest of them, as far as this run of the node knows, milliseconds. */
  readonly lagMs: number
  /** Ops of the peer's region that it announced and that are not applied here. */
  readonly behindOps: number
  /** Milliseconds since an announcement of which an op is still missing here; 0 for none. */
  readonly behindMs: number
  /** The peer's wall clock minus ours, milliseconds. */
  readonly skewMs: number | undefined
  readonly roundTripMs: number | undefined
  readonly bytesIn: number
  readonly bytesOut: number
  readonly opsIn: number
  readonly opsOut: number
  readonly lastError: Reason | undefined
  /** What the peer has applied, as it last said. */
  readonly announced: VersionVector | undefined
  /** What the peer has fsynced, as it last said. */
  readonly acknowledged: VersionVector | undefined
  /** The snapshot that this node fetches from the peer. */
  readonly snapshotIn: TransferProgress | undefined
  /** The snapshot that the peer fetches from this node. */
  readonly snapshotOut: TransferProgress | undefined
}

/** What is known of the two links themselves. */
export type LinkEnds = Pick<LinkStatus, 'pull' | 'serve' | 'relays' | 'snapshotIn' | 'snapshotOut'>

/** @param nowMs  our monotonic clock */
export function linkStatus(
  { applied, identity }: Pick<SyncHost, 'applied' | 'identity'>,
  peer: Peer,
  nowMs: number,
  ends: LinkEnds,
): LinkStatus {
  const { applied: known, regionId } = peer
  const sinceMs = regionId === undefined ? undefined : peer.settled.behindSinceMs(regionId, applied)
  return {
    region: peer.name,
    regionId,
    url: peer.url,
    paused: peer.paused,
    lagOps: known === undefined ? undefined : opsBeyond(known, applied, identity.regionId),
    lagMs: Math.round(peer.lag.lagMs(nowMs)),
    behindOps: known === undefined || regionId === undefined ? 0 : opsBeyond(applied, known, regionId),
    behindMs: sinceMs === undefined ? 0 : Math.round(nowMs - sinceMs),
    skewMs: peer.skewMs,
    roundTripMs: peer.roundTripMs,
    ...peer.traffic,
    lastError: peer.lastError,
    announced: known,
    acknowledged: peer.durable,
    ...ends,
  }
}
