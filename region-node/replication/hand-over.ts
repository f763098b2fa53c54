/**
 * hand-over.ts: FAILOVER: the primary gives its role to a replica, and nothing is lost or refused.
 *
 *   writes are held back ─→ the replica has everything ─→ it is told ─→ this node follows it; who waits goes on
 *
 * What was held back runs when this node has become a replica, and is refused with READONLY, as in Redis.
 *
 * Invariant: as long as the replica was not told, this can be taken back; from then on this node mints nothing.
 */
import type { VersionVector } from '../../crdt/version-vector.ts'
import type { Timer } from '../../sync/ports.ts'
import type { Replica, Replicas } from '../../sync/replicas.ts'
import { commandError } from '../errors.ts'

/** Between two looks at how far the replica is, milliseconds. */
const LOOK_MS = 2
/** How long an agent may hold writes back for a hand-over without a timeout, milliseconds. */
const AGENT_MS_MAX = 10_000

export interface HandOverParts {
  readonly replicas: () => Replicas
  readonly applied: () => VersionVector
  readonly nowMs: () => number
  after(delayMs: number, task: () => void): Timer
  pauseWrites(): void
  letWritesGo(): void
  /** Tells the replica, and follows it. */
  readonly give: (replica: Replica) => void
  /** Where an agent decides who is primary, it carries the hand-over out; undefined: there is none. */
  readonly agent: () => ((nodeId: string, timeoutMs: number) => void) | undefined
}

export interface HandOverWish {
  /** The replica, by its name or by where clients reach it; undefined: whichever is furthest. */
  readonly to: { readonly nodeId: string } | { readonly host: string; readonly port: number } | undefined
  /** At the timeout it is told although it lacks something. */
  readonly isForced: boolean
  /** 0: none. */
  readonly timeoutMs: number
}

export class HandOver {
  readonly #parts: HandOverParts
  #timer: Timer | undefined

  constructor(parts: HandOverParts) {
    this.#parts = parts
  }

  get isRunning(): boolean {
    return this.#timer !== undefined
  }

  /** @throws CommandError in Redis's words */
  begin(wish: HandOverWish): void {
    if (this.isRunning) throw commandError('ERR FAILOVER already in progress.')
    const nodeId = this.#choose(wish).nodeId
    const { nowMs, pauseWrites, agent } = this.#parts
    const byAgent = agent()
    if (byAgent !== undefined) {
      byAgent(nodeId, wish.timeoutMs === 0 ? AGENT_MS_MAX : wish.timeoutMs)
      return
    }
    const endMs = wish.timeoutMs === 0 ? Number.POSITIVE_INFINITY : nowMs() + wish.timeoutMs
    pauseWrites()
    this.#lookLater(nodeId, wish, endMs)
  }

  #choose({ to, isForced, timeoutMs }: HandOverWish): Replica {
    const linked = [...this.#parts.replicas().all].filter(({ link }) => link !== undefined)
    if (linked.length === 0) throw commandError('ERR FAILOVER requires connected replicas.')
    if (isForced && (to === undefined || timeoutMs === 0))
      throw commandError('ERR FAILOVER with force option requires both a timeout and target HOST and IP.')
    if (to === undefined) return linked.reduce((a, b) => (this.#lagOf(b) < this.#lagOf(a) ? b : a))
    const target = linked.find((replica) =>
      'nodeId' in to ? replica.nodeId === to.nodeId : replica.host === to.host && replica.port === to.port,
    )
    if (target === undefined) throw commandError('ERR FAILOVER target HOST and PORT is not a replica.')
    return target
  }

  #lagOf(replica: Replica): number {
    return this.#parts.replicas().lagOf(replica)
  }

  #lookLater(nodeId: string, wish: HandOverWish, endMs: number): void {
    this.#timer = this.#parts.after(LOOK_MS, () => this.#look(nodeId, wish, endMs))
  }

  #look(nodeId: string, wish: HandOverWish, endMs: number): void {
    const { replicas, applied, nowMs, give } = this.#parts
    const replica = [...replicas().all].find((one) => one.nodeId === nodeId)
    const isLinked = replica?.link !== undefined
    const isOver = nowMs() >= endMs
    if (isLinked && (replica.applied?.covers(applied()) || (isOver && wish.isForced))) {
      this.#timer = undefined
      give(replica)
    } else if (isOver || !isLinked) {
      this.#end()
    } else {
      this.#lookLater(nodeId, wish, endMs)
    }
  }

  /** FAILOVER ABORT. @throws CommandError when none is under way */
  abort(): void {
    if (!this.isRunning) throw commandError('ERR No failover in progress.')
    this.#end()
  }

  #end(): void {
    this.stop()
    this.#parts.letWritesGo()
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }
}
