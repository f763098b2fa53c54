/**
 * port.ts: what keeps the agreement inside a region: a few small documents, and leases on them.
 *
 * Three engines stand behind it: etcd for nodes on several machines, a file for one machine, and memory for tests
 * and the simulator. All pass one suite (`test/coordinator`). Nothing of the data goes through here, and never
 * does a region ask the coordinator of another one.
 *
 * Invariants, of every engine: (1) `read` and `commit` are linearizable: no answer comes from a member without a
 * quorum. (2) Every call answers exactly once, later, within `deadlineMs` of its own clock; after a timeout a
 * commit may or may not have happened. (3) A key put under a lease is gone when the lease is; never before its
 * time is over by the clock of the engine, unless the lease is revoked. (4) Revisions only grow. (5) `watch`
 * brings every change behind its revision, in order, or says that it lost its place.
 * Source: the model is etcd's (etcd.io/docs, API v3), cut down to what is needed.
 */

/** Counts the changes of everything stored. 0: nothing was ever stored. */
export type Revision = number

export interface Entry {
  readonly key: string
  readonly value: string
  /** The change that wrote it. */
  readonly revision: Revision
}

/** Everything under a prefix at one moment. */
export interface Reading {
  readonly revision: Revision
  readonly entries: readonly Entry[]
}

export interface Lease {
  readonly id: string
  /** How long it lasts when it is not renewed, milliseconds: at least what was asked for. */
  readonly ttlMs: number
}

/** Holds when the key was last written by that change; 0: when it is absent. */
export interface Condition {
  readonly key: string
  readonly revision: Revision
}

export type Change =
  | { readonly do: 'put'; readonly key: string; readonly value: string; readonly lease?: Lease }
  | { readonly do: 'delete'; readonly key: string }

/** Conditions of a commit, and changes: what etcd takes unless it is told otherwise. */
export const COMMIT_PARTS_MAX = 128

/** `timeout`: nothing is known of what happened. `unavailable`: it was not done. */
export interface Failure {
  readonly code: 'timeout' | 'unavailable'
  /** For people. */
  readonly sentence: string
}

export type Answer<Result> =
  | { readonly ok: true; readonly result: Result }
  | { readonly ok: false; readonly failure: Failure }

export type Told<Result> = (answer: Answer<Result>) => void

/** One key that was put, or deleted (`value` undefined). */
export interface Event {
  readonly key: string
  readonly value: string | undefined
  readonly revision: Revision
}

export interface WatchEvents {
  /** Changes of one revision or several, in order. */
  changed(events: readonly Event[]): void
  /** Once: no more comes. Read anew and watch from there. */
  lost(sentence: string): void
}

export interface Coordinator {
  /** For people: where it is. */
  readonly description: string
  read(prefix: string, told: Told<Reading>): void
  /**
   * All changes, if all conditions hold. A put under a lease that is gone fails like a condition. No key occurs
   * twice among the changes, and there are at most `COMMIT_PARTS_MAX` of either: etcd refuses anything else.
   * @param told  with the revision that the commit made, or at which it did not happen
   */
  commit(
    conditions: readonly Condition[],
    changes: readonly Change[],
    told: Told<{ readonly isCommitted: boolean; readonly revision: Revision }>,
  ): void
  grant(ttlMs: number, told: Told<Lease>): void
  /** @param told  with false when the lease is gone */
  renew(lease: Lease, told: Told<boolean>): void
  /** Ends a lease and deletes its keys. One that is gone already is no failure. */
  revoke(lease: Lease, told: Told<void>): void
  /** Tells of every change under `prefix` behind `after`. */
  watch(prefix: string, after: Revision, events: WatchEvents): { cancel(): void }
  /** Ends all watches and answers nothing any more. Leases are left to run out. */
  close(): void
}
