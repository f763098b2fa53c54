/**
 * expiry-clock.ts: the clock by which keys are due: the wall clock made monotone.
 *
 * It is read once at the start of each command or step and stands still in between, so one command, or
 * one EXEC, sees one moment. It never goes back: what was hidden as due stays hidden.
 *
 * The stamps of ops come from the same reading: a second one per write showed in the throughput.
 */
export class ExpiryClock {
  nowMs = 0
  /** What the wall clock said at the last `read`, for stamps; may jump. */
  readingMs = 0
  readonly #wallMs: () => number

  constructor(wallMs: () => number) {
    this.#wallMs = wallMs
  }

  /** Moves on to the present. */
  read(): number {
    const wall = this.#wallMs()
    this.readingMs = wall
    if (wall > this.nowMs) this.nowMs = wall
    return this.nowMs
  }

  /** The wall clock itself, as of now; may jump. */
  wallMs(): number {
    return this.#wallMs()
  }

  /** Moves on to a moment this node is known to have reached before. */
  atLeast(ms: number): void {
    if (ms > this.nowMs) this.nowMs = ms
  }
}
