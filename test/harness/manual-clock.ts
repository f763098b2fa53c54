/**
 * manual-clock.ts: time that stands still until a test moves it.
 *
 * Tasks run in order of their time, those of the same time in the order in which they were given; a
 * seeded generator stands in for chance, so a run depends on its seed only.
 */
import type { SyncEnv, Timer } from '../../sync/ports.ts'

interface Task {
  readonly atMs: number
  readonly order: number
  readonly run: () => void
}

export class ManualClock implements SyncEnv {
  readonly #tasks = new Map<number, Task>()
  #nowMs = 0
  #order = 0
  #state: number

  constructor(seed = 1) {
    this.#state = seed >>> 0
  }

  monoMs(): number {
    return this.#nowMs
  }

  wallMs(): number {
    return 1_750_000_000_000 + Math.floor(this.#nowMs)
  }

  /** Mulberry32. */
  random(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let bits = this.#state
    bits = Math.imul(bits ^ (bits >>> 15), bits | 1)
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61)
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32
  }

  after(delayMs: number, run: () => void): Timer {
    const order = ++this.#order
    this.#tasks.set(order, { atMs: this.#nowMs + Math.max(0, delayMs), order, run })
    return { cancel: () => this.#tasks.delete(order) }
  }

  /** Runs everything that is due within the next `ms`. */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms
    for (let task = this.#next(endMs); task !== undefined; task = this.#next(endMs)) {
      this.#tasks.delete(task.order)
      this.#nowMs = task.atMs
      task.run()
    }
    this.#nowMs = endMs
  }

  #next(endMs: number): Task | undefined {
    let next: Task | undefined
    for (const task of this.#tasks.values()) {
      if (task.atMs <= endMs && (next === undefined || task.atMs < next.atMs)) next = task
    }
    return next
  }
}
