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
 * How busy it is, is smoothed over some sends: a burst of commands is not yet a load.
 */
import type { Env } from './env.ts'

/** From this share of its time on a node counts as busy. Half of its full load is well below it. */
const BUSY_SHARE = 0.6
const BUSY_FACTOR = 16
/** Sends over which the share is smoothed, about. */
const SMOOTHED_SENDS = 8

export class SyncLinger {
  readonly #env: Pick<Env, 'busyShare'>
  readonly #baseMs: () => number
  #busyShare = 0

  /** @param baseMs  `sync-linger-ms`: read at each use */
  constructor(env: Pick<Env, 'busyShare'>, baseMs: () => number) {
    this.#env = env
    this.#baseMs = baseMs
  }

  /** Milliseconds from a send to the next. Asked once per send: it looks at how busy the node was since. */
  next(): number {
    this.#busyShare += (this.#env.busyShare() - this.#busyShare) / SMOOTHED_SENDS
    return this.#busyShare < BUSY_SHARE ? this.#baseMs() : this.#baseMs() * BUSY_FACTOR
  }
}
