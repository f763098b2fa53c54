/**
 * probes.ts: what a client sees of servers while something else goes on: every millisecond a command, on a
 * connection of its own, from a thread of its own.
 */
import { Worker } from 'node:worker_threads'

export interface Target {
  readonly port: number
  readonly pid: number
  /** GET of one of so many loaded keys; without it, PING. */
  readonly keys?: number
}

/** `take`: what was seen since the last time; `end`: no more commands. */
export type ProbeOrder = 'take' | 'end'

/** Of one target, in the order of the replies. */
export interface Samples {
  /** By `monotonicMs`. */
  readonly sentMs: Float64Array
  readonly tookMs: Float64Array
  /** Of that, what the target's busiest thread waited for a core: other work's fault, not the target's. */
  readonly waitedMs: Float64Array
  /** Replies that were errors, and commands that found the connection closed. */
  readonly errors: number
}

export class Probes {
  readonly #worker: Worker
  readonly #failed: Promise<never>

  constructor(targets: readonly Target[]) {
    this.#worker = new Worker(new URL('./prober.js', import.meta.url), { workerData: targets })
    this.#failed = new Promise((_, reject) => this.#worker.once('error', reject))
    // Who asks for samples hears of it.
    this.#failed.catch(() => {})
  }

  /** What was answered since the last time, for each target. Rejects when one could not be reached at first */
  take(): Promise<Samples[]> {
    const answer = new Promise<Samples[]>((resolve) => this.#worker.once('message', resolve))
    const order: ProbeOrder = 'take'
    this.#worker.postMessage(order)
    return Promise.race([answer, this.#failed])
  }

  end(): void {
    const order: ProbeOrder = 'end'
    this.#worker.postMessage(order)
  }
}
