/**
 * monotonic-clock.ts: milliseconds of the clock that all threads and processes of the machine share, so that
 * what one of them saw can be laid beside what another one traced.
 */

export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
