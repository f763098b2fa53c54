/**
 * catch-up.ts: at what pace received ops are applied.
 *
 * A node that takes writes applies what it receives at once: somebody may read it. But the socket of a link that is
 * full hands on megabytes in a row before any other one is looked at, and its clients would wait for up to a second.
 * So after `IN_A_ROW_MS_MAX` of applying, links are read again in the next turn of the event loop only.
 *
 * One that has just come, and may not mint before it holds what the others have, is waited for by nobody but its
 * operator; where it shares a machine with others it would take a core from those who serve. So it rests after each
 * piece of work (`pace.ts`). While it does, its links are not read: what is under way waits in the network and in the
 * logs of the peers, not here.
 *
 * Batches of the causal buffer whose turn has come are applied here too, some in each turn, and before more is read.
 *
 * Invariants: (1) a node that takes writes rests for one turn at most. (2) Whatever is ready is applied without anything
 * more having to arrive.
 */
import { CatchUpPace, SLICE_MS } from './pace.ts'
import type { SyncEnv, SyncHost, Timer } from './ports.ts'
import type { SyncSettings } from './settings.ts'

/** How long ops are applied before clients have a turn: one message more at most, milliseconds. */
const IN_A_ROW_MS_MAX = 8
/** What lies further apart is not in a row: others could have had a turn between. */
const APART_MS = 1

/** What of the inbox is needed here. */
export interface Releasing {
  readonly hasReady: boolean
  release(bytesMax: number): void
}

/** A link, as far as it rests. */
export interface Pausable {
  pause(): void
  resume(): void
}

export interface CatchUpParts {
  readonly host: Pick<SyncHost, 'isJoining'>
  readonly env: Pick<SyncEnv, 'monoMs' | 'after'>
  readonly settings: Pick<SyncSettings, 'sliceBytesMax' | 'releaseBytesMax'>
  readonly inbox: Releasing
  /** Batches were released. */
  readonly released: () => void
}

export class CatchUp {
  readonly #parts: CatchUpParts
  readonly #pace = new CatchUpPace()
  /** Until then it rests, our monotonic clock. */
  #restsUntilMs = Number.NEGATIVE_INFINITY
  /** For how long ops were applied in a row, and when that was, our monotonic clock. */
  #inARowMs = 0
  #appliedAtMs = Number.NEGATIVE_INFINITY
  readonly #resting = new Set<Pausable>()
  #resume: Timer | undefined
  #release: Timer | undefined
  #isStopped = false

  constructor(parts: CatchUpParts) {
    this.#parts = parts
  }

  /** Runs work that applies ops, and rests for it. */
  run(work: () => void): void {
    const { host, env } = this.#parts
    const startMs = env.monoMs()
    try {
      work()
    } finally {
      const endMs = env.monoMs()
      const tookMs = endMs - startMs
      if (startMs - this.#appliedAtMs > APART_MS) this.#inARowMs = 0
      this.#appliedAtMs = endMs
      this.#inARowMs += tookMs
      if (host.isJoining) this.#restsUntilMs = Math.max(endMs, this.#restsUntilMs) + this.#pace.restMs(tookMs)
    }
  }

  /** Milliseconds for which no link is to be read; 0 when there is no reason to rest. */
  get restMs(): number {
    const { host, env } = this.#parts
    return host.isJoining ? Math.max(0, this.#restsUntilMs - env.monoMs()) : 0
  }

  /**
   * Has a link rest as long as this node does, and until what is ready is applied: what comes too early is put
   * aside quickly, so the buffer would fill faster than it is emptied.
   */
  rest(link: Pausable): void {
    const { restMs } = this
    if ((restMs === 0 && this.#inARowMs < IN_A_ROW_MS_MAX) || this.#isStopped) return
    link.pause()
    this.#resting.add(link)
    if (this.#resume === undefined) this.#resumeLater(restMs)
  }

  /** All of them at once, so that none is left behind by the others. */
  #resumeLater(delayMs: number): void {
    const { host, env, inbox } = this.#parts
    this.#resume = env.after(delayMs, () => {
      this.#resume = undefined
      const { restMs } = this
      if (restMs > 0 || (host.isJoining && inbox.hasReady)) {
        this.#resumeLater(Math.max(SLICE_MS, restMs))
        return
      }
      this.#inARowMs = 0
      for (const link of this.#resting) link.resume()
      this.#resting.clear()
    })
  }

  /** Applies what is ready, soon. */
  releaseSoon(): void {
    const { host, env, settings, inbox, released } = this.#parts
    if (!inbox.hasReady || this.#release !== undefined || this.#isStopped) return
    this.#release = env.after(this.restMs, () => {
      this.#release = undefined
      this.run(() => inbox.release(host.isJoining ? settings.sliceBytesMax : settings.releaseBytesMax))
      released()
    })
  }

  /** Links that rest go on, or they would not hear how they end. */
  stop(): void {
    this.#isStopped = true
    this.#release?.cancel()
    this.#resume?.cancel()
    for (const link of this.#resting) link.resume()
  }
}
