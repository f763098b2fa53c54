/**
 * ports.ts: what sync asks of its host, and what it asks of a transport.
 *
 * Sync owns no clock, log or socket. The node supplies them; the simulator supplies others.
 */
import type { BatchReader, BatchSpan } from '../crdt/codec/batch.ts'
import type { Latin1 } from '../crdt/codec/bytes.ts'
import type { Membership } from '../crdt/membership.ts'
import type { Origin, OriginTable } from '../crdt/origin.ts'
import type { VersionVector } from '../crdt/version-vector.ts'
import type { SnapshotHost } from './snapshot-ports.ts'

export interface Timer {
  cancel(): void
}

/** Clock, timers and chance. No task runs before the call that gave it has returned. */
export interface SyncEnv {
  /** Wall clock, integer milliseconds since the Unix epoch. May jump either way. */
  wallMs(): number
  /** Monotonic clock, milliseconds since an arbitrary moment. */
  monoMs(): number
  /** A random number in [0, 1). */
  random(): number
  /** Runs `task` once after `delayMs`. */
  after(delayMs: number, task: () => void): Timer
}

/**
 * What a node is in its region. Only a primary mints and has links with other regions; a replica pulls
 * everything from it; one that is idle does neither.
 */
export type Role = 'primary' | 'replica' | 'idle'

export const ROLES: readonly Role[] = ['primary', 'replica', 'idle']

/** Who this node is, as peers check it. */
export interface Identity {
  readonly region: string
  readonly regionId: number
  /** Random name of the data folder, for ever: two folders that claim one region id are told apart by it. */
  readonly nodeId: string
  readonly partitions: number
  /** The one that this node holds, from 0 on. */
  readonly partition: number
  /** How often the region joined, was suspended or came back, as far as this node knows. */
  readonly epoch: number
  /** Every database-wide setting as text: a difference refuses the link and is named. */
  readonly configuration: Readonly<Record<string, string>>
  readonly version: string
  readonly role: Role
  /** Counts the primaries of the region: the node has heard of none that came later. 0: there was only one. */
  readonly term: number
  /** Where clients reach this node, as it says itself; host '' means the address that the link comes from. */
  readonly host: string
  readonly port: number
}

/** A region id, and for how long that region was not heard, milliseconds. */
export type Unheard = readonly [regionId: number, ms: number]

/** A byte offset in the whole log, counted from its first record ever. Grows for ever. */
export type LogPosition = number

export interface LogRecord {
  /** The record as it is on disk: length, checksum, batch. Never changed afterwards; may be sent without a copy. */
  readonly bytes: Uint8Array
  readonly span: BatchSpan
}

/** The node's log as a subscriber sees it: only what may travel (written; under `always`: durable). */
export interface LogStream {
  /**
   * Where to begin reading for one who has `vector`: everything it lacks lies at or behind it.
   * @throws LogTrimmed when a part of that has been trimmed away, or never was in this log
   */
  seek(vector: VersionVector, wanted?: (origin: Origin) => boolean): LogPosition
  /**
   * Whole records from `position` on, at least one if there is one, then more up to `bytesMax`.
   * Recent ones come from memory, older ones from disk. `next` is where to go on.
   * @throws LogTrimmed when the position has been trimmed away
   */
  read(
    position: LogPosition,
    bytesMax: number,
  ): { readonly records: readonly LogRecord[]; readonly next: LogPosition }
  /** Behind the last record that may travel. */
  readonly end: LogPosition
}

/** Which names a channel is among. */
export type ChannelKind = 'channel' | 'shard'

/** What a client published. */
export interface Publication {
  readonly kind: ChannelKind
  readonly channel: string
  readonly message: string
}

/** The side of a node that the other nodes of its region see. */
export interface ReplicationHost {
  /** What is fsynced here. */
  readonly durable: VersionVector
  /** What may be said to be applied here: as replica only what the log has. */
  readonly logged: VersionVector
  /** As primary: what replicas could have: what this node's own disk holds up is not for them to lack. */
  readonly offered: VersionVector
  /** As primary: a replica came, acknowledged, or went. */
  replicasChanged(): void
  /**
   * As primary: all that a replica holds of this region's ops and this node lacks, from when that one was primary:
   * `tail` messages. What still counts under its own dot was applied.
   * @throws ProtocolViolation
   */
  rescued(messages: readonly Uint8Array[]): void
  /** As replica: the primary has let this node in. */
  followed(primary: Identity): void
  /** As replica: the primary has let this node in, or has said where it stands. 0: without its clock. */
  primaryHeard(announced: VersionVector, clockMs: number): void
  /** As replica: the primary hands over, and this node holds all that it has. */
  handedOver(term: number): void
  /** As primary: a replica asks to be primary in this node's place. */
  wished(nodeId: string): void
  /** Another node is known to be primary in a later term than this node's own. */
  termHeard(term: number): void
  /**
   * Sync addresses of the other nodes of the region that hold a partition, the primary first, as far as this one
   * knows; at most `NODES_MAX`.
   */
  nodesOf(partition: number): readonly string[]
  /** Where this node is dialed, and then the others of its partition; empty when it does not know the first. */
  readonly own: readonly string[]
}

export interface SyncHost {
  readonly identity: Identity
  readonly origins: OriginTable
  /** How words are read from the batches handed to `apply`; portable when absent. */
  readonly latin1?: Latin1
  readonly log: LogStream
  readonly snapshots: SnapshotHost
  /** What this node has applied: live, changes in place. */
  readonly applied: VersionVector
  /**
   * What of it this node acknowledges: fsynced here, and on every replica that is in sync. Changes only in steps.
   */
  readonly durable: VersionVector
  /** False for a moment after a failover: what the region has acknowledged is not known, and nothing is said of it. */
  readonly isDurableKnown: boolean
  /** What replicas of this region are told and say. */
  readonly replication: ReplicationHost
  /** The origin this node mints under. */
  readonly origin: Origin
  /** This node may lack what its peers have, and takes no writes before it has it. */
  readonly isJoining: boolean
  /** Which regions there are, and which origins may still bring ops: live. */
  readonly membership: Membership
  /**
   * The node's expiry clock (wall clock made monotone), milliseconds since the Unix epoch; 0 while the region may have
   * minted before it what this node has not got.
   */
  expiryClockMs(): number
  /**
   * Others heard that clock from this region before, and may have removed what was due by it: this node, which may
   * have forgotten it with its disk, takes none of that for alive any more.
   */
  recallClock(clockMs: number): void
  /**
   * Applies a batch whose deps are covered and whose first op is the next one of its origin (a batch
   * that is covered in part is applied from there on), and appends its record to the log as it is.
   * @throws DecodeError when the effects inside do not decode: nothing was applied then
   */
  apply(record: Uint8Array, batch: BatchReader): void
  /** A peer let this node in, and knows by which op its region joined or came back: none for most. */
  welcomed(joined: VersionVector): void
  /** The other members, each with the milliseconds for which this node has not heard it. */
  unheard(): readonly Unheard[]
  /** What all that may still mint have announced as the stable cut; undefined when one of them has not. */
  announced(): VersionVector | undefined
  /** News of where regions stand came in. */
  stood(): void
  /** Clients of another node published this. Of what they had seen in this partition all is applied here. */
  published(publication: Publication): void
  /** Asks for an fsync soon: somebody waits for an acknowledgement. */
  hurryDurable(): void
  /** One sentence about a link that people should find in the node's log. Repeats are left out. */
  report(sentence: string): void
  /** HMAC-SHA-256. */
  hmac(secret: string, message: string): string
  /** Random text, fresh on every call. */
  nonce(): string
}

/** One open connection to a peer, as the transport gives it. Messages arrive whole and in order. */
export interface Link {
  /** Queues a message. Never throws; a link that broke reports `closed`. */
  send(message: Uint8Array): void
  /** Bytes queued here and not yet taken by the network. */
  readonly unsentBytes: number
  /** Bytes that have arrived so far, those of a message that is not whole yet included: a sign of life. */
  readonly receivedBytes: number
  /** For people: the address of the other end. */
  readonly remote: string
  /** Takes nothing more from the network until `resume`. What this end has read already may still be delivered. */
  pause(): void
  /** Does no harm when the link is not paused, or is over. */
  resume(): void
  close(reason: string): void
}

export interface LinkEvents {
  message(bytes: Uint8Array): void
  /** Some of the queued bytes went out; `unsentBytes` may be lower now. */
  drained(): void
  /** Once, at the end of the link, however it ended. */
  closed(reason: string): void
}

export interface Transport {
  /** Dials a peer. `opened` gets the link, or `failed` the reason; at most one of them, later. */
  dial(url: string, opened: (link: Link) => LinkEvents, failed: (reason: string) => void): void
  /** Accepts peers until closed. */
  listen(accept: (link: Link) => LinkEvents): Promise<void>
  close(): Promise<void>
}
