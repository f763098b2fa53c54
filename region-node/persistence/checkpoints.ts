/**
 * checkpoints.ts: which vector the log had reached where, about once a megabyte.
 *
 * A subscriber that names its vector is served from the last checkpoint it covers, so resuming reads at
 * most a megabyte too much, however long the log is.
 *
 * Invariant: positions and vectors both grow; all ops before a checkpoint's position are in its vector.
 */
import type { Origin } from '../../crdt/origin.ts'
import type { VersionVector } from '../../crdt/version-vector.ts'

const SPACING_BYTES = 1024 * 1024

interface Checkpoint {
  readonly position: number
  readonly vector: VersionVector
}

export class Checkpoints {
  #list: Checkpoint[] = []

  /** @param vector  gives what was applied at `position`; not changed afterwards */
  note(position: number, vector: () => VersionVector): void {
    const last = this.#list[this.#list.length - 1]
    if (last !== undefined && position - last.position < SPACING_BYTES) return
    this.#list.push({ position, vector: vector() })
  }

  takeOver(other: Checkpoints): void {
    this.#list = other.#list
  }

  /** The log begins at `position` now. */
  forgetBefore(position: number): void {
    this.#list = this.#list.filter((checkpoint) => checkpoint.position >= position)
  }

  /** The last checkpoint that `vector` covers, as far as the wanted origins go; 0 when it covers none. */
  before(
    vector: VersionVector,
    wanted: (origin: Origin) => boolean,
    limitOf: (origin: Origin) => number,
  ): number {
    for (let i = this.#list.length - 1; i >= 0; i--) {
      const checkpoint = this.#list[i]!
      if (coversWanted(vector, checkpoint.vector, wanted, limitOf)) return checkpoint.position
    }
    return 0
  }
}

/** `mine` has reached every entry of a wanted origin in `theirs`, or the end of that origin. */
export function coversWanted(
  mine: VersionVector,
  theirs: VersionVector,
  wanted: (origin: Origin) => boolean,
  limitOf: (origin: Origin) => number,
): boolean {
  for (const [origin, seq] of theirs.entries()) {
    if (wanted(origin) && mine.get(origin) < Math.min(seq, limitOf(origin))) return false
  }
  return true
}
