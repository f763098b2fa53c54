/**
 * retry.ts: how long to wait before something is tried again: twice as long each time, and a random part of it,
 * so that nodes that lost the coordinator together do not come back together.
 */

const FIRST_MS = 50
const LAST_MS = 1000

export class Retry {
  readonly #random: () => number
  #nextMs = FIRST_MS

  constructor(random: () => number) {
    this.#random = random
  }

  /** Milliseconds from now. */
  delayMs(): number {
    const delayMs = this.#nextMs * (0.5 + this.#random() / 2)
    this.#nextMs = Math.min(LAST_MS, this.#nextMs * 2)
    return delayMs
  }

  succeeded(): void {
    this.#nextMs = FIRST_MS
  }
}
