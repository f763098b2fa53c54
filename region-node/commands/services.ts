/**
 * services.ts: what commands about the server, its clients and its peers ask of the node.
 *
 * The node implements this (`node.ts`), the simulator and tests implement parts of it; so commands reach
 * no socket, disk or peer themselves.
 */
import type { Latin1 } from '../../crdt/codec/bytes.ts'
import type { RegionMode, RegionStatus } from '../../crdt/effects/horizon-effects.ts'
import type { VersionVector } from '../../crdt/version-vector.ts'
import type { ChannelKind } from '../../sync/ports.ts'
import type { TransferProgress } from '../../sync/snapshot-progress.ts'
import type { AclFile } from '../acl/acl-file.ts'
import type { FailoverKind } from '../cluster/cluster-view.ts'
import type { Topology } from '../cluster/topology.ts'
import type { CommandWatch } from '../engine/command-watch.ts'
import type { ConflictLog } from '../engine/conflict-log.ts'
import type { CommandError } from '../errors.ts'
import type { HandOver } from '../replication/hand-over.ts'
import type { ReplicaWaits } from '../replication/replica-waits.ts'
import type { ScriptHost } from '../scripts/port.ts'
import type { Session } from './session.ts'

export interface LinkState {
  readonly region: string
  /** Undefined until the peer was reached once. */
  readonly regionId: number | undefined
  /** The link by which this node pulls from the peer: `streaming` when it works. */
  readonly pull: string
  /** The link by which the peer pulls from this node: `streaming` or `absent`. */
  readonly serve: string
  /** Cut by CRDT.LINK DOWN. */
  readonly paused: boolean
  /** Ops of this region that the peer has not said it has applied; undefined until it was heard. */
  readonly lagOps: number | undefined
  /** Age of the oldest of them, milliseconds. */
  readonly lagMs: number
  /** Ops of the peer's region that it announced and that are not applied here. */
  readonly behindOps: number
  /** Milliseconds since an announcement of which an op is still missing here; 0 for none. */
  readonly behindMs: number
  /** The peer's wall clock minus ours, milliseconds. */
  readonly skewMs: number | undefined
  readonly bytesIn: number
  readonly bytesOut: number
  readonly lastError: { readonly code: string; readonly sentence: string } | undefined
  /** The snapshot that this node fetches from the peer, and the one that the peer fetches from this node. */
  readonly snapshotIn: TransferProgress | undefined
  readonly snapshotOut: TransferProgress | undefined
}

/** SAVE, BGSAVE and LASTSAVE. */
export interface SnapshotControl {
  /** One is being made. */
  readonly isRunning: boolean
  /** When the last one was finished, or the node started; seconds since the Unix epoch. */
  readonly lastSaveSeconds: number
  /** Makes one of this moment. @param done  called once, later, with why there is none where it failed */
  make(done?: (failure: string | undefined) => void): void
}

/** One region of the database, as this node knows it. */
export interface RegionState {
  readonly name: string
  /** Undefined for a peer of the configuration that was never reached. */
  readonly regionId: number | undefined
  /** Where this node dials it; '' when it does not. */
  readonly url: string
  /** `self` is this node's own region while it is a member. */
  readonly status: RegionStatus | 'self'
  /** Counts the changes of its membership; 0 when it was there from the beginning. */
  readonly epoch: number
  /** Whether its clients may write. */
  readonly mode: RegionMode
  /** Milliseconds since it was heard, directly or through another region; undefined for never in this run. */
  readonly heardMsAgo: number | undefined
  /** Ops of this region that it has not said it has applied; undefined until it was heard. */
  readonly lagOps: number | undefined
  /** Age of the oldest of them, milliseconds; undefined where there is no link. */
  readonly lagMs: number | undefined
  /** Ops, from anywhere, that it has said it holds and that are not applied here; undefined until it was heard. */
  readonly behindOps: number | undefined
  /** It may lack what it has acknowledged, and takes no writes; undefined where only it knows that itself. */
  readonly lacking: boolean | undefined
}

/** CRDT.REGION. */
export interface RegionControl {
  /** This node's own region first, the others by name. */
  list(): readonly RegionState[]
  /**
   * Mints the op by which a region joins, or leaves.
   * @param mode  of one that joins
   * @throws CommandError while this node may not mint
   */
  change(regionId: number, name: string, url: string, status: 'member' | 'left', mode?: RegionMode): void
  /** Mints the op by which this node's region becomes active or passive. @throws CommandError likewise */
  changeMode(mode: RegionMode): void
}

/** How a replica stands to its primary, in the words of ROLE. */
export type PrimaryLink = 'connect' | 'connecting' | 'sync' | 'connected'

/** What this node is in its region: INFO replication and ROLE. */
export interface ReplicationState {
  readonly role: 'primary' | 'replica' | 'idle'
  /** Counts the primaries of the region, as far as this node has heard. */
  readonly term: number
  /** Ops applied here, from all origins. */
  readonly offset: number
  readonly primary:
    | {
        /** `host:port` */
        readonly address: string
        readonly link: PrimaryLink
        readonly heardMsAgo: number | undefined
        /** Why the last link ended, for people. */
        readonly error: string | undefined
      }
    | undefined
  readonly replicas: readonly {
    readonly nodeId: string
    readonly host: string
    readonly port: number
    readonly state: 'online' | 'offline'
    readonly offset: number
    readonly heardMsAgo: number
    readonly keepsUp: boolean
  }[]
}

export interface ReplicationControl {
  state(): ReplicationState
  /** REPLICAOF. @param address  `host:port`; '' for no one @throws CommandError */
  follow(address: string): void
  /** WAIT and WAITAOF. See `replication/replica-waits.ts`. */
  readonly waits: Pick<ReplicaWaits, 'begin' | 'count'>
  /** FAILOVER. */
  readonly handOver: Pick<HandOver, 'begin' | 'abort'>
}

/** Where the memory of a node is: see `memory-figures.ts`. */
export interface MemoryFigures {
  /** Bytes, all but the last three. */
  readonly used: number
  readonly resident: number
  /** The most that was resident since the start. */
  readonly residentPeak: number
  readonly heap: number
  readonly heapLimit: number
  readonly buffers: number
  /** Room in the arrays of the keyspace that new keys take first. */
  readonly free: number
  /** Recent log, kept for peers. */
  readonly logTail: number
  /** Received ops that wait for others. */
  readonly waitingOps: number
  /** What clients have sent and not been served, and replies that they have not read. */
  readonly clients: number
  /** Of what is used, what is none of the data. */
  readonly overhead: number
  readonly dataset: number
  readonly keys: number
  /** Resident by used. */
  readonly fragmentation: number
}

export interface Services {
  readonly region: string
  readonly regionId: number
  readonly version: string
  /** Live vector of ops applied here. */
  readonly applied: VersionVector
  readonly durable: VersionVector
  readonly conflicts: ConflictLog
  /** The fastest way between strings and bytes. */
  readonly latin1: Latin1

  /**
   * One INFO section by its lower-case name, or undefined when there is no such section: its heading
   * (`# Server`) and its lines, each ended by CR LF. What it says of roles depends on who asks: the proxy's clients know of none.
   */
  infoSection(name: string, asker: Session): string | undefined
  /** Section names in Redis's order; `isDefault`: shown without asking. */
  readonly infoSections: readonly { readonly name: string; readonly isDefault: boolean }[]

  /** Frees what nothing refers to, before it returns: a second for each gigabyte. */
  collectGarbage(): void
  /** Where the memory of the node is. */
  memoryFigures(): MemoryFigures

  /** Name and value of every setting that matches a glob pattern. */
  configGet(patterns: readonly string[]): readonly (readonly [string, string])[]
  /** All or nothing. @throws CommandError */
  configSet(pairs: readonly (readonly [string, string])[]): void
  /** Brings the configuration file up to what was changed. @throws CommandError */
  configRewrite(): void
  /** Zeroes the statistics of INFO. */
  resetStatistics(): void
  /** `databases`. */
  readonly databaseCount: number
  /** `stream-id-mode`: which ids XADD accepts (semantics.md, Stream). */
  readonly streamIdMode: 'strict' | 'semi-strict' | 'liberal'
  /** `proto-max-bulk-len`: the longest string value, bytes. */
  readonly stringBytesMax: number

  /** Runs Lua; made when it is first asked for. */
  readonly scripts: ScriptHost
  /** `busy-reply-threshold`, milliseconds; 0: no limit. */
  readonly scriptLimitMs: number

  /** SLOWLOG, LATENCY and MONITOR. */
  readonly watch: CommandWatch
  /** `enable-debug-command`. */
  readonly debugCommand: 'no' | 'yes' | 'local'
  /** Bytes of the log so far: what Redis calls the replication offset. */
  readonly logPosition: number

  readonly snapshots: SnapshotControl
  readonly aclFile: AclFile

  readonly sessions: Iterable<Session>
  /** Ends the process in order; resolves nothing: the connection ends. */
  shutdown(): void

  readonly replication: ReplicationControl

  /** Who serves which slots; undefined: cluster support is disabled. */
  readonly topology: Topology | undefined
  /** CLUSTER FAILOVER, on a replica. @returns why not; undefined when it has begun */
  failover(kind: FailoverKind): CommandError | undefined
  /** CLUSTER FORGET, on a primary. @returns why not; undefined when it has begun */
  forget(nodeId: string): CommandError | undefined

  /** CRDT.LINK. Unknown names return false. */
  setLink(region: string | 'ALL', up: boolean): boolean
  links(): readonly LinkState[]
  readonly regions: RegionControl
  /** CRDT.LINK RESYNC. @returns why not, for people; undefined when it has begun */
  resync(region: string): string | undefined
  /**
   * Calls back once: when every connected peer holds `target` durably, or after `timeoutMs` (0: never).
   * @returns a function that forgets about it
   */
  awaitDurable(target: VersionVector, timeoutMs: number, done: (peers: number) => void): () => void
  /** Sends a published message to the other nodes of the region, and to the regions that are connected. */
  publish(kind: ChannelKind, channel: string, message: string): void
  /**
   * Calls back once with a fingerprint of all that reads can answer, exact at the vector of one moment, this one
   * or a later one; before it returns where little is stored.
   * @returns a function that forgets about it
   */
  digest(done: (digest: string) => void): () => void
  /** Runs once after `delayMs`. */
  after(delayMs: number, task: () => void): { cancel(): void }
  /** Stops the whole node for a while: DEBUG SLEEP. */
  stall(ms: number): void
  /** Wall clock, milliseconds since the Unix epoch, with microseconds as a fraction. */
  wallMs(): number
}
