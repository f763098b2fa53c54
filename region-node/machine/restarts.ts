/**
 * restarts.ts: how long a node that has ended by itself waits before it is started again.
 *
 * Twice as long each time, so that one that cannot start does not keep the machine busy; but it is always tried again:
 * a port that is taken, a full disk or a folder that a process of a former life still holds may be over by itself.
 */

const FIRST_MS = 500
const LAST_MS = 30_000
/** One that has run for so long has started well: what ends it then is another matter. */
export const WELL_MS = 15_000
/** So many starts in a row that came to nothing are no accident. */
const HOPELESS = 5

export class Restarts {
  #failures = 0

  /** Starts do not help. */
  get isHopeless(): boolean {
    return this.#failures >= HOPELESS
  }

  /** @param ranMs  from its start to its end @returns how long to wait, milliseconds */
  ended(ranMs: number): number {
    this.#failures = ranMs >= WELL_MS ? 1 : this.#failures + 1
    return Math.min(LAST_MS, FIRST_MS * 2 ** (this.#failures - 1))
  }
}
