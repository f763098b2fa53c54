/**
 * status.ts: what a node tells about itself over HTTP: the body of GET /v1/status, and the source of
 * every number in GET /metrics.
 *
 * Plain data, filled in by whoever wires the rooms. Counters only grow while the process lives;
 * names end in their unit. Vectors are keyed by origin id.
 */
import type { RegionMode } from '../../crdt/effects/horizon-effects.ts'
import type { Role } from '../../sync/ports.ts'

export interface NodeStatus {
  readonly region: string
  readonly regionId: number
  readonly version: string
  /** Id of the origin this node mints dots under. */
  readonly origin: string
  readonly uptimeMs: number
  readonly role: Role
  /** Ops applied here. */
  readonly vector: Readonly<Record<string, number>>
  /** Ops applied here that are fsynced. */
  readonly durableVector: Readonly<Record<string, number>>
  readonly keys: number
  readonly log: LogStatus
  readonly clients: ClientsStatus
  readonly ops: OpsStatus
  /** Conflict events by rule, counted. */
  readonly conflicts: Readonly<Record<string, number>>
  readonly horizon: HorizonStatus
  /** This node's own region, and all others it knows of, those that left included. */
  readonly regions: readonly RegionStatus[]
  readonly peers: readonly PeerStatus[]
}

/** The stable cut, and what holds it back. */
export interface HorizonStatus {
  /** Ops applied here that lie above the cut. */
  readonly cutOps: number
  /** For how long the cut has not reached what was applied here, milliseconds. */
  readonly cutLagMs: number
  /** `moves`, or whom it waits for, for people. */
  readonly cutState: string
  /** Keys and fields that wait for the cut to give memory back. */
  readonly reclaimPending: number
  /** The node may lack what its region acknowledged, and takes no writes. */
  readonly lacking: boolean
  /** Origins that are to be ended, and those that are. */
  readonly fences: number
  readonly seals: number
  /** Names of suspended regions. */
  readonly suspended: readonly string[]
}

export interface RegionStatus {
  readonly name: string
  /** Unknown for a configured peer that was never reached. */
  readonly regionId?: number
  readonly status: 'self' | 'member' | 'suspended' | 'left'
  /** Counts the changes of its membership. */
  readonly epoch: number
  /** Whether its clients may write. */
  readonly mode: RegionMode
  /** Milliseconds since it was heard, directly or through another region; absent for never in this run. */
  readonly heardMsAgo?: number
}

export interface LogStatus {
  /** Bytes of all segments kept on disk. */
  readonly bytes: number
  readonly segments: number
  /** Why the log cannot be written, while it cannot. */
  readonly error?: string
}

export interface ClientsStatus {
  readonly connected: number
  readonly blocked: number
  /** Connections accepted, and refused for maxclients, since the start. */
  readonly accepted: number
  readonly refused: number
}

/** Counts since the start. */
export interface OpsStatus {
  /** Commands run for clients. */
  readonly commands: number
  /** Ops minted here. */
  readonly minted: number
  /** Ops of other regions applied here. */
  readonly applied: number
  /** Batches received that wait for ops they depend on, now. */
  readonly waiting: number
}

/** In the order in which a link comes up; `refused`: the two must not connect, see `lastError`. */
export const PEER_STATES = ['disconnected', 'connecting', 'catching-up', 'streaming', 'refused'] as const
export type PeerState = (typeof PEER_STATES)[number]

export interface PeerStatus {
  readonly region: string
  /** Unknown before the first handshake. */
  readonly regionId?: number
  readonly url: string
  readonly state: PeerState
  /** Ops in our log that the peer has not acknowledged. */
  readonly lagOps: number
  /** Age of the oldest of them, milliseconds; 0 when there is none. */
  readonly lagMs: number
  /** The peer's wall clock minus ours, milliseconds; unknown before the first handshake. */
  readonly clockSkewMs?: number
  readonly bytesSent: number
  readonly bytesReceived: number
  readonly lastError?: string
  /** The snapshot that this node fetches from the peer. */
  readonly snapshotIn?: TransferStatus
  /** The snapshot that the peer fetches from this node. */
  readonly snapshotOut?: TransferStatus
}

/** Bytes, or thousandths while the snapshot is being made. */
export interface TransferStatus {
  readonly phase: string
  readonly done: number
  readonly total: number
}

/** What the admin server needs of the node. */
export interface AdminPorts {
  status(): NodeStatus
  /** Whether recovery is over and clients are served; otherwise why not. */
  ready(): { readonly ready: boolean; readonly reason?: string }
}
