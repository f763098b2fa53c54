/**
 * lease-clock.ts: a clock that is never slower than the monotonic or the wall clock: the time that leases are
 * held by.
 *
 * Either clock alone can hide time from the holder of a lease. A monotonic clock may stand still while a virtual
 * machine is paused; a wall clock may be set back. So between two readings this clock moves by the larger of the two
 * distances. A deadline on it is over as soon as it is over by either clock; a wall clock that is set forward ends
 * a lease too early, which costs a moment without a primary and never two of them.
 *
 * Invariant: lease time minus monotonic time never goes down. So the lease time of a past moment, known by its
 * monotonic time only, can be bounded from below: by what the difference was then, as far as it was noticed.
 */
import type { Env } from '../env.ts'

/** The wall clock has whole milliseconds: smaller changes against the monotonic clock mean nothing. */
const ROUNDING_MS = 1
/** Changes of the difference that are remembered: minutes of clocks that drift, hours of common ones. */
const CHANGES_MAX = 512

interface Change {
  readonly monoMs: number
  /** From then on. */
  readonly aheadMs: number
}

export class LeaseClock {
  readonly #env: Pick<Env, 'wallMs' | 'monoMs'>
  /** Wall minus monotonic time, give or take the rounding. */
  #distanceMs: number
  /** Lease time minus monotonic time. */
  #aheadMs = 0
  /** Oldest first. */
  readonly #changes: Change[]

  constructor(env: Pick<Env, 'wallMs' | 'monoMs'>) {
    this.#env = env
    const monoMs = env.monoMs()
    this.#distanceMs = env.wallMs() - monoMs
    this.#changes = [{ monoMs, aheadMs: 0 }]
  }

  /** Lease time now, milliseconds since an arbitrary moment. */
  nowMs(): number {
    const monoMs = this.#env.monoMs()
    const distanceMs = this.#env.wallMs() - monoMs
    const hiddenMs = distanceMs - this.#distanceMs
    if (Math.abs(hiddenMs) > ROUNDING_MS) {
      this.#distanceMs = distanceMs
      if (hiddenMs > 0) this.#leap(monoMs, hiddenMs)
    }
    return monoMs + this.#aheadMs
  }

  /** A lower bound of what the lease time was at a moment in the past. */
  atMs(monoMs: number): number {
    const change = this.#changes.findLast((one) => one.monoMs <= monoMs)
    return change === undefined ? Number.NEGATIVE_INFINITY : monoMs + change.aheadMs
  }

  #leap(monoMs: number, hiddenMs: number): void {
    this.#aheadMs += hiddenMs
    this.#changes.push({ monoMs, aheadMs: this.#aheadMs })
    if (this.#changes.length > CHANGES_MAX) this.#changes.shift()
  }
}
