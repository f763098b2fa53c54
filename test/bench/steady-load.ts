/**
 * steady-load.ts: SETs at a pace, from a thread of its own, so that they do not delay what is measured
 * meanwhile.
 */
import { Worker } from 'node:worker_threads'

/** What the thread is given. */
export interface Pace {
  readonly port: number
  readonly opsPerSecond: number
  /** The keys that are set, at random: those below this number. */
  readonly keys: number
}

export class SteadyLoad {
  readonly #worker: Worker
  readonly #achieved: Promise<number>

  constructor(pace: Pace) {
    this.#worker = new Worker(new URL('./paced-load.js', import.meta.url), { workerData: pace })
    this.#achieved = new Promise((resolve, reject) => {
      this.#worker.once('message', resolve)
      this.#worker.once('error', reject)
    })
    // Who ends the load hears of it.
    this.#achieved.catch(() => {})
  }

  /** @returns ops per second that were sent. Rejects when a write was refused or a connection lost */
  end(): Promise<number> {
    this.#worker.postMessage('end')
    return this.#achieved
  }
}
