/**
 * sim-clock.ts: virtual time: a queue of tasks and the moment of the one that runs.
 *
 * Nothing passes between two tasks, so a simulated hour takes as long as what happens in it. Tasks of the
 * same moment run in the order in which they were given.
 *
 * Invariant: time never goes back, and no task runs inside the call that gave it.
 */
import type { Timer } from '../../region-node/env.ts'

interface Task {
  readonly atMs: number
  readonly order: number
  readonly run: () => void
  cancelled: boolean
}

export class SimClock {
  nowMs = 0
  #order = 0
  readonly #heap: Task[] = []

  after(delayMs: number, run: () => void): Timer {
    const task = { atMs: this.nowMs + Math.max(0, delayMs), order: ++this.#order, run, cancelled: false }
    this.#push(task)
    return {
      cancel: () => {
        task.cancelled = true
      },
    }
  }

  /** Runs the next task, if there is one before `endMs`. */
  step(endMs: number): boolean {
    for (;;) {
      const task = this.#heap[0]
      if (task === undefined || task.atMs > endMs) return false
      this.#pop()
      if (task.cancelled) continue
      // After a leap it may be late.
      this.nowMs = Math.max(this.nowMs, task.atMs)
      task.run()
      return true
    }
  }

  /** All machines sleep for `ms`: what is due meanwhile runs late, and once. */
  leap(ms: number): void {
    this.nowMs += ms
  }

  /** Runs what is due within the next `ms`, until `done` says so. */
  advance(ms: number, done: () => boolean = () => false): void {
    const endMs = this.nowMs + ms
    while (!done()) {
      if (this.step(endMs)) continue
      this.nowMs = endMs
      return
    }
  }

  #push(task: Task): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(task)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(task, heap[parent]!)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = task
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()!
    if (heap.length === 0) return
    let at = 0
    for (let child = 1; child < heap.length; child = 2 * at + 1) {
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
      if (!isBefore(heap[child]!, last)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
  }
}

function isBefore(a: Task, b: Task): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
}
