/**
 * sync-linger.ts: how long after one message the next one leaves, while ops wait for company (`sync/departures.ts`).
 *
 * A message costs both ends the same, whatever it holds: a system call, a wakeup of the receiver, a turn of
 * its event loop, a write of its log, and caches that others have filled since the last one: some half a
 * millisecond of its processor. While a node has time to spare, the next message leaves after `sync-linger-ms`,
 * because then the linger is most of the lag. A node that is busy all the time has a queue of commands before it
 * anyway: there ops wait sixteen times as long, or until there are enough of them (`lingerOpsMax`), and the processors
 * of both ends have more left for them. With 50 clients and no pipeline, three regions on two cores took 13 % more SETs
 * than with a quarter of it; the lag at half of the load, where a node is not busy, was the same.
 *
 * How busy it is, is measured over half a second: a burst of commands is not yet a load, and a load comes in bursts.
 * Smoothed over eight sends, which may be eight milliseconds, a node at half of its load counted as busy again and
 * again, and the 99th percentile of the lag was 12 ms, where it is 4 to 5 now.
 */
import type { Env } from './env.ts'

/** From this share of its time on a node counts as busy: 0.75 to 1 at full load, 0.4 to 0.6 at half of it. */
const BUSY_SHARE = 0.65
const BUSY_FACTOR = 16
/** A share is measured over at least this, milliseconds. */
const MEASURED_MS = 500

export class SyncLinger {
  readonly #env: Pick<Env, 'busyShare' | 'monoMs'>
  readonly #baseMs: () => number
  #isBusy = false
  #measuredMs: number

  /** @param baseMs  `sync-linger-ms`: read at each use */
  constructor(env: Pick<Env, 'busyShare' | 'monoMs'>, baseMs: () => number) {
    this.#env = env
    this.#baseMs = baseMs
    this.#measuredMs = env.monoMs()
  }

  /** Milliseconds from a send to the next. Asked once per send. */
  next(): number {
    const nowMs = this.#env.monoMs()
    if (nowMs - this.#measuredMs >= MEASURED_MS) {
      this.#measuredMs = nowMs
      this.#isBusy = this.#env.busyShare() >= BUSY_SHARE
    }
    return this.#isBusy ? this.#baseMs() * BUSY_FACTOR : this.#baseMs()
  }
}
