/**
 * profiles.ts: how fast a lost primary is noticed, against how much jitter is forgiven.
 *
 * One profile for all nodes of a region: what a replica promises lasts as long as its primary counts on.
 */

export interface DetectionProfile {
  /** How long a lease lasts, and what a replica promises when it hears its primary, milliseconds. */
  readonly ttlMs: number
  /** From one renewal to the next. */
  readonly renewMs: number
  /** How much earlier than a lease its holder stops: for clocks that run apart, and for replies on their way. */
  readonly marginMs: number
}

export const PROFILES = {
  high: { ttlMs: 3000, renewMs: 1000, marginMs: 500 },
  low: { ttlMs: 10_000, renewMs: 3000, marginMs: 1000 },
} as const satisfies Record<string, DetectionProfile>

/** A call of the coordinator is given up after this share of a lease: there is time for another one then. */
const DEADLINE_SHARE = 1 / 3

/** How long a call of the coordinator may take, milliseconds. */
export function deadlineMsOf({ ttlMs }: DetectionProfile): number {
  return Math.floor(ttlMs * DEADLINE_SHARE)
}
