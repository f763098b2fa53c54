/**
 * lane.ts: the commands of one client for one partition: they stay in order, whoever is its primary meanwhile.
 *
 * A command goes to the primary that the topology names. One that was certainly not executed (MOVED, READONLY of a
 * replica, no connection) waits, with all behind it, until nothing is under way to that node any more; then they go to
 * whoever is primary by then. A command whose connection was lost may have been executed: its client is told so.
 *
 * Invariants: (1) while anything was refused or waits, nothing new overtakes it. (2) Nothing is sent to another node
 * while something is under way to the last one. (3) What is repeated was not executed, and nothing behind it was:
 * where the node did something in between, what it had refused before is answered as refused. (4) Nobody waits for a
 * primary for longer than `WAIT_MS_MAX`.
 */
import type { Timer } from '../env.ts'
import { errors } from '../errors.ts'
import type { ReplyPiece } from '../resp/reply-splitter.ts'
import type { Link, Order, OrderOwner } from './link.ts'

/** Longest wait for a primary: a failover takes 5 s or, with `failover-profile low`, 13 s. */
export const WAIT_MS_MAX = 15_000
/** A node that refuses may not have heard yet what the topology says here, or the other way round. */
export const PAUSE_MS = 100
/** A node that is primary no more and has not answered by then is not there any more. */
export const OVERDUE_MS = 2000

export interface LaneParts {
  /** A connection to the primary of the partition; undefined while there is none. */
  readonly link: () => Link | undefined
  readonly after: (delayMs: number, task: () => void) => Timer
  /** Something was answered without a reply of a node. */
  readonly moved: () => void
}

export class Lane implements OrderOwner {
  readonly #parts: LaneParts
  #link: Link | undefined = undefined
  #underway = 0
  #refused: Order[] = []
  #waiting: Order[] = []
  #pause: Timer | undefined = undefined
  #deadline: Timer | undefined = undefined
  #overdue: Timer | undefined = undefined
  /** The wait was over once, and nothing has been served since: nobody waits any more. */
  #isLate = false

  constructor(parts: LaneParts) {
    this.#parts = parts
  }

  /** Nothing waits: what comes next is sent at once. */
  get isCalm(): boolean {
    return this.#refused.length === 0 && this.#waiting.length === 0
  }

  /** Where a command would go now; undefined: it would wait. */
  get open(): Link | undefined {
    const link = this.isCalm ? this.#parts.link() : undefined
    return this.#underway === 0 || link === this.#link ? link : undefined
  }

  /** @param order  this lane is its owner */
  send(order: Order): void {
    const link = this.open
    if (link !== undefined) {
      this.sendOn(link, order)
    } else if (this.#isLate) {
      this.#give([order])
    } else {
      this.#waiting.push(order)
      this.#setDeadline()
    }
  }

  /** The same, where the order is for one connection. */
  sendOn(link: Link, order: Order): void {
    this.#link = link
    this.#underway++
    link.send(order)
  }

  answered(order: Order, piece: ReplyPiece): void {
    const isRefused = order.isRepeatable && piece.isFirst && isRefusal(piece.text)
    if (piece.isLast) this.#underway--
    if (isRefused) {
      this.#refuse(order)
    } else {
      this.#give(this.#takeRefused())
      this.#isLate = false
      this.#deadline?.cancel()
      this.#deadline = undefined
      order.to.add(piece)
    }
    if (piece.isLast) this.#goOn(isRefused)
  }

  lost(order: Order, wasSent: boolean): void {
    this.#underway--
    if (wasSent || !order.isRepeatable) {
      this.#give(this.#takeRefused())
      order.to.lost(wasSent)
    } else {
      this.#refuse(order)
    }
    this.#goOn(!wasSent)
  }

  #refuse(order: Order): void {
    if (this.#isLate) {
      this.#give([order])
    } else {
      this.#refused.push(order)
      this.#setDeadline()
    }
  }

  /** The topology is another one, or a pause is over. */
  look(): void {
    this.#pause?.cancel()
    this.#pause = undefined
    const link = this.#parts.link()
    if (link === undefined) return
    if (this.#underway > 0 && link !== this.#link) this.#hurry()
    if (this.isCalm || this.#underway > 0) return
    const orders = [...this.#takeRefused(), ...this.#waiting]
    this.#waiting = []
    for (const order of orders) this.send(order)
  }

  /** Another node is primary. The last one answers what is under way by MOVED, if it is still there. */
  #hurry(): void {
    this.#overdue ??= this.#parts.after(OVERDUE_MS, () => {
      this.#overdue = undefined
      if (this.#underway > 0 && this.#parts.link() !== this.#link) this.#link?.cut()
    })
  }

  #lookAgain(): void {
    this.look()
    this.#parts.moved()
  }

  /** The client is gone. */
  close(): void {
    this.#pause?.cancel()
    this.#deadline?.cancel()
    this.#overdue?.cancel()
  }

  #goOn(isPaused: boolean): void {
    if (this.#underway > 0 || this.isCalm) return
    if (isPaused || this.#refused.length > 0)
      this.#pause ??= this.#parts.after(PAUSE_MS, () => this.#lookAgain())
    else this.look()
  }

  #takeRefused(): Order[] {
    const refused = this.#refused
    this.#refused = []
    return refused
  }

  #setDeadline(): void {
    this.#deadline ??= this.#parts.after(WAIT_MS_MAX, () => {
      this.#deadline = undefined
      this.#isLate = true
      const waiting = this.#waiting
      this.#waiting = []
      this.#give([...this.#takeRefused(), ...waiting])
      this.#parts.moved()
    })
  }

  /** They were not executed, and will not be. */
  #give(orders: readonly Order[]): void {
    for (const { to } of orders) to.lost(false)
  }
}

const REFUSALS: ReadonlySet<string> = new Set(
  [errors.readOnlyReplica, errors.slotNotServed, errors.clusterDown].map(({ line }) => `-${line}\r\n`),
)

/** The node did nothing: the command is for another one. @param reply  or its first piece */
export function isRefusal(reply: string): boolean {
  if (reply[0] !== '-') return false
  return reply.startsWith('-MOVED ') || REFUSALS.has(reply)
}
