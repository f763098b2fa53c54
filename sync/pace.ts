/**
 * pace.ts: how much of the thread's time work may take that nobody waits for: the making, sending and
 * loading of a snapshot, a digest.
 *
 * Such work goes on in slices of about a millisecond, so that whoever is served waits for one at most. That
 * alone is not enough: slices without a rest between them take the whole core, and every command then
 * waits for a slice. So each slice is followed by a rest in proportion to what it took. Time is read from the
 * clock: a slice during which others had the core counts as long, which is right, because then the machine is
 * busy.
 *
 * The price is that a snapshot lasts four times as long as its work.
 */
import type { SyncEnv } from './ports.ts'

/** A slice goes on for this long, then everybody else has a turn. */
export const SLICE_MS = 1
/** Most of the thread's time that such work takes, 0 to 1. */
export const BESIDE_SHARE = 0.25
/** However long a slice was, it goes on after this. */
export const REST_MS_MAX = 20

/** @param tookMs  what the last slice took @returns milliseconds before the next one may begin */
export function restMs(tookMs: number): number {
  return Math.min(REST_MS_MAX, tookMs * (1 / BESIDE_SHARE - 1))
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
