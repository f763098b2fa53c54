/**
 * services.ts: what commands about the server, its clients and its peers ask of the node.
 *
 * The node implements this (`node.ts`), the simulator and tests implement parts of it; so commands reach
 * no socket, disk or peer themselves.
 */
import type { Latin1 } from '../../crdt/codec/bytes.ts'
import type { VersionVector } from '../../crdt/version-vector.ts'
import type { CommandWatch } from '../engine/command-watch.ts'
import type { ConflictLog } from '../engine/conflict-log.ts'
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
   * (`# Server`) and its lines, each ended by CR LF.
   */
  infoSection(name: string): string | undefined
  /** Section names in Redis's order; `isDefault`: shown without asking. */
  readonly infoSections: readonly { readonly name: string; readonly isDefault: boolean }[]

  /** Name and value of every setting that matches a glob pattern. */
  configGet(patterns: readonly string[]): readonly (readonly [string, string])[]
  /** All or nothing. @throws CommandError */
  configSet(pairs: readonly (readonly [string, string])[]): void
  /** Zeroes the statistics of INFO. */
  resetStatistics(): void
  /** `requirepass`, or '' when none is set. */
  readonly password: string
  /** `databases`. */
  readonly databaseCount: number
  /** `proto-max-bulk-len`: the longest string value, bytes. */
  readonly stringBytesMax: number

  /** SLOWLOG, LATENCY and MONITOR. */
  readonly watch: CommandWatch
  /** `enable-debug-command`. */
  readonly debugCommand: 'no' | 'yes' | 'local'
  /** Bytes of the log so far: what Redis calls the replication offset. */
  readonly logPosition: number

  readonly sessions: Iterable<Session>
  /** Ends the process in order; resolves nothing: the connection ends. */
  shutdown(): void

  /** CRDT.LINK. Unknown names return false. */
  setLink(region: string | 'ALL', up: boolean): boolean
  links(): readonly LinkState[]
  /**
   * Calls back once: when every connected peer holds `target` durably, or after `timeoutMs` (0: never).
   * @returns a function that forgets about it
   */
  awaitDurable(target: VersionVector, timeoutMs: number, done: (peers: number) => void): () => void
  /** Runs once after `delayMs`. */
  after(delayMs: number, task: () => void): { cancel(): void }
  /** Stops the whole node for a while: DEBUG SLEEP. */
  stall(ms: number): void
  /** Wall clock, milliseconds since the Unix epoch, with microseconds as a fraction. */
  wallMs(): number
}
