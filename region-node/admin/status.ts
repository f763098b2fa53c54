/**
 * status.ts: what a node tells about itself over HTTP: the body of GET /v1/status, and the source of
 * every number in GET /metrics.
 *
 * Plain data, filled in by whoever wires the rooms. Counters only grow while the process lives;
 * names end in their unit. Vectors are keyed by origin id.
 */

export interface NodeStatus {
  readonly region: string
  readonly regionId: number
  readonly version: string
  /** Id of the origin this node mints dots under. */
  readonly origin: string
  readonly uptimeMs: number
  readonly role: 'primary' | 'replica'
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
  readonly peers: readonly PeerStatus[]
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
}

/** What the admin server needs of the node. */
export interface AdminPorts {
  status(): NodeStatus
  /** Whether recovery is over and clients are served; otherwise why not. */
  ready(): { readonly ready: boolean; readonly reason?: string }
}
