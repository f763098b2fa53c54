/**
 * snapshot-ports.ts: what sync asks of its host where snapshots travel instead of ops.
 *
 * The shelf is what a server has to give, the stage where a puller puts what it gets. Sync sees bytes,
 * a name and a vector; what is inside a snapshot is the host's.
 */
import type { VersionVector } from '../crdt/version-vector.ts'

/** A snapshot that stays where it is, and with it the log from its vector on, until it is released. */
export interface SnapshotLease {
  /** Names these bytes at this node: the same name never stands for others. */
  readonly id: string
  /** What the snapshot holds. */
  readonly vector: VersionVector
  readonly bytes: number
  /** @returns `length` bytes from `offset` on. @throws Error when the disk fails */
  read(offset: number, length: number): Uint8Array
  release(): void
}

export interface SnapshotShelf {
  /** The snapshot of that name, or the newest one; undefined when there is none. */
  lease(id?: string): SnapshotLease | undefined
  /**
   * Has a snapshot made. One that is being made already will do.
   * @param done  called once, later, with why there is none where it failed
   */
  prepare(done: (failure?: string) => void): void
  /** How much of the one being made is done, 0 to 1. */
  readonly preparedShare: number
}

/** How a snapshot received becomes the state of the node. */
export interface AdoptionProgress {
  readonly phase: 'verifying' | 'loading' | 'replaying'
  readonly bytesDone: number
  readonly bytesTotal: number
}

/** `adopted`: the node's vector has advanced. `covered`: the node had all of it by now, and kept its own state. */
export type AdoptionResult = 'adopted' | 'covered' | { readonly failure: string }

export interface SnapshotStage {
  /** A snapshot has to cover this: what was trimmed here, for the own log to go on, and the seal it is fetched for. */
  least(): VersionVector
  /**
   * Makes room for a snapshot; what was staged before is dropped.
   * @param failed  called at most once, when the disk takes no more
   */
  begin(failed: (sentence: string) => void): void
  append(bytes: Uint8Array): void
  /** Gives up what is staged. Not while it is being adopted. */
  discard(): void
  /**
   * Everything was appended: makes it durable, checks it and switches to it in one turn, with the ops that
   * it lacks replayed from the own log. The node serves meanwhile. Nothing is staged afterwards.
   * @param isRebuilt  also when this node has everything that the snapshot holds
   * @param done  called once, later
   */
  adopt(isRebuilt: boolean, done: (result: AdoptionResult) => void): void
  /** Undefined while nothing is being adopted. */
  readonly adoption: AdoptionProgress | undefined
}

export interface SnapshotHost {
  readonly shelf: SnapshotShelf
  readonly stage: SnapshotStage
  /** One sentence about the progress of a transfer, for the node's log. */
  inform(sentence: string): void
}
