/**
 * state.ts: what every typed state of a key can do, so that the rules of a key (`key.ts`) need not know
 * the types.
 */
import type { Amount } from './amount.ts'
import type { Fingerprint } from './digest.ts'
import type { Dot, OpPoint } from './dot.ts'
import type { ExactSum } from './exact-sum.ts'
import type { Origin } from './origin.ts'

/** What a state is. Its place in this list is its tag on disk and wire. */
export const TYPE_NAMES = ['string', 'hash', 'set', 'zset', 'list', 'stream', 'hll'] as const
export type TypeName = (typeof TYPE_NAMES)[number]

/**
 * A counter entry as a remover saw it. Every removal carries one for each entry it saw, because a
 * receiver may already hold later increments of the same origin in the same running total
 * (algorithms.md, Counter).
 */
export type SeenCounter = SeenAmount | SeenScore

interface SeenRun {
  /** The hash field, the member of a sorted set; undefined for a string. */
  readonly field: string | undefined
  readonly origin: Origin
  readonly run: number
}

export interface SeenAmount extends SeenRun {
  readonly type: Exclude<TypeName, 'zset'>
  readonly total: Amount
}

export interface SeenScore extends SeenRun {
  readonly type: 'zset'
  readonly total: ExactSum
}

export function isSeenAmount(one: SeenCounter): one is SeenAmount {
  return one.type !== 'zset'
}

export const NOTHING_SEEN: readonly SeenCounter[] = []

/** Readable form for CRDT.INSPECT: plain JSON values. */
export type Description = string | number | boolean | null | Description[] | { [name: string]: Description }

export interface TypedState {
  readonly type: TypeName
  /**
   * Nothing live is in it: it is kept for what ops to come must know, a mark or a deadline of a field, until
   * that is stable. Absent: never.
   */
  readonly isGone?: boolean
  /** No read sees it now: it is gone, or the clock hides all of it. Absent: never. */
  readonly isUnseen?: boolean
  /** The live dot with the highest stamp: it decides which type of a key is visible. Not of one that is gone. */
  latest(): Dot
  /** Takes away what the op at `at` had seen. @returns what is left, undefined when nothing is. */
  withoutSeen(seen: readonly SeenCounter[], at: OpPoint): TypedState | undefined
  /** Adds the counter entries in this state to `into`. */
  collectSeen(into: SeenCounter[], field?: string): void
  /** Feeds what reads can answer. */
  fingerprint(into: Fingerprint): void
  describe(): Description
}

export function describeDot(dot: Dot): string {
  return `${dot.origin.id}:${dot.seq}.${dot.index}`
}
