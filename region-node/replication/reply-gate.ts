/**
 * reply-gate.ts: holds replies back until replicas hold what the replies may have seen.
 *
 *   async         nothing is held back
 *   sync          until every replica that is in sync has it; while none is, nothing is held back
 *   sync-strict   the same, and while none is in sync, everything is
 *
 * "Has it" means in its log, and under `appendfsync always` on its disk. Where nobody names who is in sync (there is
 * no coordinator), one replica that keeps up is enough.
 *
 * Invariants: (1) replies leave in the order of the turns. (2) Reads wait like writes: what they have seen may
 * still be lost with this node.
 */
import type { VersionVector } from '../../crdt/version-vector.ts'
import type { Replica, Replicas } from '../../sync/replicas.ts'
import type { Waiting } from '../server/connection.ts'

export type AckMode = 'async' | 'sync' | 'sync-strict'

interface Turn {
  /** What was applied here when it was over. */
  readonly seen: VersionVector
  readonly waiting: Iterable<Waiting>
}

export interface ReplyGateParts {
  readonly mode: () => AckMode
  /** Replicas have to have it on disk. */
  readonly isDurable: () => boolean
  readonly replicas: () => Replicas
  readonly applied: () => VersionVector
  /** The node may still answer as primary. */
  readonly mayAnswer: () => boolean
  /** These replies must not leave any more. */
  readonly drop: (waiting: Iterable<Waiting>) => void
}

export class ReplyGate {
  readonly #parts: ReplyGateParts
  #turns: Turn[] = []

  constructor(parts: ReplyGateParts) {
    this.#parts = parts
  }

  /** The node may still answer as what it is. */
  get mayAnswer(): boolean {
    return this.#parts.mayAnswer()
  }

  /** Turns whose replies wait for replicas. */
  get waitingCount(): number {
    return this.#turns.length
  }

  /** The log has a turn: its replies leave now, or once replicas have it too. */
  pass(waiting: Iterable<Waiting>): void {
    if (!this.#parts.mayAnswer()) {
      this.#parts.drop(waiting)
      return
    }
    if (this.#turns.length === 0 && this.#parts.mode() === 'async') {
      flush(waiting)
      return
    }
    this.#turns.push({ seen: this.#parts.applied().copy(), waiting })
    this.release()
  }

  /** A replica acknowledged, came or went, or others are in sync now. */
  release(): void {
    if (this.#turns.length === 0) return
    if (!this.#parts.mayAnswer()) {
      this.close()
      return
    }
    while (this.#turns.length > 0 && this.#isHeld(this.#turns[0]!.seen)) flush(this.#turns.shift()!.waiting)
  }

  #isHeld(seen: VersionVector): boolean {
    const { mode, isDurable, replicas } = this.#parts
    if (mode() === 'async') return true
    const what = isDurable() ? 'durable' : 'applied'
    const { awaited, isNamed } = replicas()
    if (awaited.length === 0) return mode() === 'sync'
    const has = (replica: Replica | undefined): boolean => replica?.[what]?.covers(seen) === true
    return isNamed ? awaited.every(has) : awaited.some(has)
  }

  /** The replies that wait must not leave any more. */
  close(): void {
    const turns = this.#turns
    this.#turns = []
    for (const { waiting } of turns) this.#parts.drop(waiting)
  }
}

function flush(waiting: Iterable<Waiting>): void {
  for (const connection of waiting) connection.flush()
}
