/**
 * hlc.ts: the hybrid logical clock, as a value.
 *
 * A reading is one integer below 2^53: milliseconds since 2020-01-01 times 4096, plus a logical count
 * within the millisecond (which simply carries into the next one when it overflows). So two readings
 * compare with `<`, and a reading fits a varint. 41 bits of milliseconds last until 2089.
 *
 * Invariants: (1) readings minted at one origin grow strictly. (2) A received reading lifts the clock
 * by no more than the drift limit above the own wall clock, so one bad clock cannot drag the others.
 * Source: Kulkarni et al., "Logical Physical Clocks", 2014.
 */
export type Hlc = number

/** 2020-01-01T00:00:00Z, milliseconds since the Unix epoch. */
export const HLC_EPOCH_MS = 1_577_836_800_000
const TICKS_PER_MS = 4096

/** The first reading of a wall-clock millisecond. A wall clock before 2020 counts as 2020. */
export function hlcAt(wallMs: number): Hlc {
  return Math.max(0, Math.floor(wallMs) - HLC_EPOCH_MS) * TICKS_PER_MS
}

/** Wall-clock part of a reading, milliseconds since the Unix epoch. */
export function hlcWallMs(hlc: Hlc): number {
  return Math.floor(hlc / TICKS_PER_MS) + HLC_EPOCH_MS
}

/** Count within the millisecond. */
export function hlcLogical(hlc: Hlc): number {
  return hlc % TICKS_PER_MS
}

/**
 * Mints the next reading. Never refuses: when the clock stands still or went back, the logical part grows.
 *
 * @param last   the last reading minted or received here
 * @param nowMs  wall clock, milliseconds since the Unix epoch
 */
export function tick(last: Hlc, nowMs: number): Hlc {
  const now = hlcAt(nowMs)
  return now > last ? now : last + 1
}

/**
 * Advances the clock past a reading received from another region.
 *
 * @param last        the last reading minted or received here
 * @param remote      the reading carried by the op
 * @param nowMs       wall clock, milliseconds since the Unix epoch
 * @param driftMsMax  how far ahead of nowMs a remote reading may lift us, milliseconds
 * @returns the later of both, the remote one capped at nowMs + driftMsMax; never refuses
 */
export function receive(last: Hlc, remote: Hlc, nowMs: number, driftMsMax: number): Hlc {
  if (remote <= last) return last
  const limit = hlcAt(nowMs + driftMsMax)
  return Math.max(last, Math.min(remote, limit))
}
