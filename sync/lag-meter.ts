/**
 * lag-meter.ts: since when a peer has been lacking what this node minted.
 *
 * The node's own ops are counted; now and then the count is noted with the time. A note is struck off
 * when the peer has that many. The oldest note left is the age of what it lacks.
 *
 * Invariant: notes rise in count and in time, and there are never more than `NOTES_MAX`.
 */
const NOTES_MAX = 64

interface Note {
  readonly opCount: number
  readonly atMs: number
}

export class LagMeter {
  #notes: Note[] = []

  /** This node has minted `opCount` ops by now. Two notes are at least `apartMs` apart. */
  minted(opCount: number, nowMs: number, apartMs: number): void {
    const last = this.#notes.at(-1)
    if (last !== undefined && (opCount <= last.opCount || nowMs - last.atMs < apartMs)) return
    this.#notes.push({ opCount, atMs: nowMs })
    // Every other one goes, the oldest stays: a long cut needs no fine resolution.
    if (this.#notes.length === NOTES_MAX) this.#notes = this.#notes.filter((_, i) => i % 2 === 0)
  }

  /** The peer has applied `opCount` of them. */
  applied(opCount: number): void {
    const kept = this.#notes.findIndex((note) => note.opCount > opCount)
    if (kept !== 0) this.#notes.splice(0, kept < 0 ? this.#notes.length : kept)
  }

  /** Milliseconds since the oldest op that the peer lacks was noted; 0 when it lacks none. */
  lagMs(nowMs: number): number {
    const oldest = this.#notes[0]
    return oldest === undefined ? 0 : nowMs - oldest.atMs
  }
}
