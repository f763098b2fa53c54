/**
 * cut-lag.ts: for how long the stable cut has not reached what was applied here.
 *
 * Now and then what is applied is noted with the time; a note is struck off when the cut has reached it. The
 * oldest one left is the age of what lies above the cut, exact to the distance of two looks.
 *
 * Invariant: notes rise in time, and there are never more than `NOTES_MAX`.
 */
import type { VersionVector } from '../crdt/version-vector.ts'

const NOTES_MAX = 64

interface Note {
  readonly applied: VersionVector
  readonly atMs: number
}

export class CutLag {
  #notes: Note[] = []

  /**
   * @param applied  what is applied now; live
   * @param nowMs  monotonic clock, milliseconds
   */
  look(applied: VersionVector, cut: VersionVector, nowMs: number): void {
    if (!this.#notes.at(-1)?.applied.equals(applied))
      this.#notes.push({ applied: applied.copy(), atMs: nowMs })
    const kept = this.#notes.findIndex((note) => !isReached(note.applied, applied, cut))
    this.#notes.splice(0, kept < 0 ? this.#notes.length : kept)
    // Every other one goes, the oldest stays: a long wait needs no fine resolution.
    if (this.#notes.length === NOTES_MAX) this.#notes = this.#notes.filter((_, i) => i % 2 === 0)
  }

  /** Age of the oldest state noted that the cut has not reached, milliseconds; 0 for none. */
  lagMs(nowMs: number): number {
    const oldest = this.#notes[0]
    return oldest === undefined ? 0 : nowMs - oldest.atMs
  }
}

/** What lay behind the end of a sealed origin is not applied any more, and the cut will not reach it. */
function isReached(noted: VersionVector, applied: VersionVector, cut: VersionVector): boolean {
  return cut.covers(noted.meet(applied))
}
