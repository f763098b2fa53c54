/**
 * member.ts: the port between the node that holds a partition and whoever decides what it is.
 *
 * A member is primary, replica or idle. The decision comes from a command (REPLICAOF), from the settings, or from
 * the agent that watches the coordinator (`agent.ts`); the node carries it out (`region-node/core`).
 *
 * Invariants: (1) a term names at most one primary of a partition; `term` never goes down and is durable before
 * anything is done under it. (2) A replica refuses a primary of a lower term. (3) What the region acknowledges
 * to other regions is durable on every member of the in-sync set, and under `sync` so is what a client was told;
 * so any of them may be promoted as it is.
 */

/** Where a member is reached. */
export interface MemberAddress {
  readonly nodeId: string
  /** Where other nodes pull from it: `ws://host:port`. */
  readonly syncUrl: string
}

export type Duty =
  /** Mints, under an origin of its own. `isWhole`: holds all that its region acknowledged, and need ask nobody. */
  | { readonly kind: 'primary'; readonly term: number; readonly isWhole: boolean }
  /** Pulls everything from the primary, serves reads, mints nothing. */
  | { readonly kind: 'replica'; readonly term: number; readonly primary: MemberAddress }
  /**
   * Serves nothing but reads that ask for a replica (READONLY): no primary is known, or the lease is over. Follows
   * nobody, and answers no sign of life.
   */
  | { readonly kind: 'idle' }

/** A replica as its primary sees it. */
export interface ReplicaState {
  readonly nodeId: string
  /** Host and port that clients reach it at, as far as it has said so. */
  readonly host: string
  readonly port: number
  readonly isConnected: boolean
  /** Ops of this primary that it has not said it has applied. */
  readonly lagOps: number
  /** For how long it has lacked one of them, milliseconds; 0: it lacks none. */
  readonly lagMs: number
  /** It has written all that this node had fsynced when it sent the sign of life of `confirmedMs`, durably. */
  readonly isDurable: boolean
  /** It holds ops behind the end of their origin, set or about to be set: it has to be rebuilt. */
  readonly isBeyondEnd: boolean
  /**
   * When this node sent the last sign of life that the replica has answered, monotonic clock, milliseconds;
   * -Infinity for never. For as long as a lease lasts after hearing it a replica does not run for primary.
   */
  readonly confirmedMs: number
}

export interface Member {
  readonly nodeId: string
  readonly duty: Duty
  /** The highest term that this node has heard of, durable. */
  readonly term: number
  /** As primary: it holds all that its region acknowledged; false while it still asks the others for it. */
  readonly isWhole: boolean
  /** Ops that are applied here, from all origins. */
  readonly opCount: number
  /**
   * As a replica: when a sign of life of the primary was last heard, monotonic clock, milliseconds; -Infinity for
   * never. It stays when the link ends, whichever way: the answer that was given is a promise (`agent.ts`).
   */
  readonly primaryHeardMs: number
  /** As primary: those that follow it, also those whose link broke in the last minute. */
  replicas(): readonly ReplicaState[]
  /** As primary: what replies wait for disks or for replicas; of `reads` all have run since writes were paused. */
  readonly unanswered: 'none' | 'reads' | 'writes'
  /** Takes up a duty. A lower term than `term` is refused by an exception. */
  take(duty: Duty): void
  /**
   * As primary: members whose acknowledgement others wait for (this node is always among them). A larger set holds
   * from this call on; a smaller one releases what waits for those that left.
   */
  setInSync(nodeIds: ReadonlySet<string>): void
  /** Holds client writes back, without an error, until they are let go or the node is no primary any more. */
  pauseWrites(): void
  letWritesGo(): void
  /**
   * Whether this node may still answer as primary, asked before it runs a batch of commands and before replies
   * leave. Set by whoever holds the lease; absent: always.
   */
  mayAnswer: (() => boolean) | undefined
}
