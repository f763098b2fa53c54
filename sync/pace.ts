/**
 * pace.ts: how much of the thread's time work may take that nobody waits for: the making, sending and
 * loading of a snapshot, a digest, and what a newcomer applies before it may take writes.
 *
 * Such work goes on in slices of about a millisecond, so that whoever is served waits for one at most. That
 * alone is not enough: slices without a rest between them take the whole core, and every command then
 * waits for a slice. So each slice is followed by a rest in proportion to what it took. Time is read from the
 * clock, so a slice during which others had the core counts as long. That is a reason to rest, because the machine
 * is busy, but on a machine that is always busy it would be the longest part of a join: no rest is longer than
 * `REST_MS_MAX`.
 *
 * The price is that a snapshot lasts up to four times as long as its work.
 */
import type { SyncEnv } from './ports.ts'

/** A slice goes on for this long, then everybody else has a turn. */
export const SLICE_MS = 1
/** Most of the thread's time that such work takes, 0 to 1. */
export const BESIDE_SHARE = 0.25
/** However long a slice was, it goes on after this. */
export const REST_MS_MAX = 5
/** What a node that catches up takes of the thread's time at first. */
export const CATCH_UP_SHARE = 0.15
/** Its longest rest: a piece of its work is a message, and may take several milliseconds. */
export const CATCH_UP_REST_MS_MAX = 40
/** After so much of work and rest it takes all of it. */
export const CATCH_UP_MS = 120_000

/**
 * @param tookMs  what the last slice took
 * @returns milliseconds before the next one may begin
 */
export function restMs(tookMs: number): number {
  return Math.min(REST_MS_MAX, restFor(tookMs, BESIDE_SHARE))
}

/** What leaves `share` of the thread's time to the work, above 0 and up to 1. */
function restFor(tookMs: number, share: number): number {
  return tookMs * (1 / share - 1)
}

/**
 * The pace of a node that applies what came about while it was away, and more comes meanwhile: it has to be faster
 * than that, and nobody can say beforehand how fast that is. So its share grows from `CATCH_UP_SHARE` to all of the
 * thread within `CATCH_UP_MS`: who can catch up at all does, at most that much later than without a rest. It begins
 * low: on a machine that is nearly busy, a newcomer at half its thread's time had caught up no sooner, and the
 * p99 of two of three others was about five times as long.
 */
export class CatchUpPace {
  #spentMs = 0

  /** @param tookMs  what the last piece of work took @returns milliseconds before the next one may begin */
  restMs(tookMs: number): number {
    const share = Math.min(1, CATCH_UP_SHARE + (1 - CATCH_UP_SHARE) * (this.#spentMs / CATCH_UP_MS))
    const rest = Math.min(CATCH_UP_REST_MS_MAX, restFor(tookMs, share))
    this.#spentMs += tookMs + rest
    return rest
  }
}

/** How a slice ended. */
export interface Slice {
  /** Nothing is left to be done. */
  readonly isOver: boolean
  /** Milliseconds before the next one may begin. */
  readonly restMs: number
}

/** Runs `step` until it returns true, which says that nothing is left, or the slice is over. */
export function runSlice(env: Pick<SyncEnv, 'monoMs'>, step: () => boolean): Slice {
  const startMs = env.monoMs()
  let isOver = false
  let tookMs = 0
  do {
    isOver = step()
    tookMs = env.monoMs() - startMs
  } while (!isOver && tookMs < SLICE_MS)
  return { isOver, restMs: restMs(tookMs) }
}
