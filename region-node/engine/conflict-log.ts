/**
 * conflict-log.ts: conflict events, counted by rule, the latest of them kept.
 *
 * Nothing disappears silently (semantics.md, principle 5): when a rule hides something that somebody was
 * answered "OK" for, it is counted here in every region that sees both sides meet.
 *
 * Invariant: at most `lengthMax` events are kept; counts are of all.
 */
import { amountText } from '../../crdt/amount.ts'
import { CounterEntry } from '../../crdt/counter.ts'
import { Deadline } from '../../crdt/deadline.ts'
import type { ConflictRule, Dot } from '../../crdt/dot.ts'
import { hlcWallMs } from '../../crdt/hlc.ts'
import { Register } from '../../crdt/register.ts'

export interface ConflictEvent {
  readonly rule: ConflictRule
  readonly db: number
  readonly key: string
  readonly field: string | undefined
  /** The stamps that won and lost, and the regions they come from. */
  readonly winner: ConflictSide
  readonly hidden: ConflictSide
}

export interface ConflictSide {
  readonly region: number
  /** When it was written, by its stamp: milliseconds since the Unix epoch. */
  readonly wallMs: number
  /** What was written, shortened. */
  readonly what: string
}

export const CONFLICT_RULES: readonly ConflictRule[] = [
  'register',
  'type',
  'deadline',
  'hidden-increment',
  'saturation',
  'lost-set',
]

export class ConflictLog {
  readonly counts: Record<ConflictRule, number> = {
    register: 0,
    type: 0,
    deadline: 0,
    'hidden-increment': 0,
    saturation: 0,
    'lost-set': 0,
  }
  readonly #events: ConflictEvent[] = []
  readonly #lengthMax: () => number

  constructor(lengthMax: () => number) {
    this.#lengthMax = lengthMax
  }

  add(event: ConflictEvent): void {
    this.counts[event.rule]++
    this.#events.push(event)
    if (this.#events.length > this.#lengthMax()) this.#events.shift()
  }

  /** Newest first. */
  latest(count: number): ConflictEvent[] {
    return count > 0 ? this.#events.slice(-count).reverse() : []
  }

  get total(): number {
    let total = 0
    for (const rule of CONFLICT_RULES) total += this.counts[rule]
    return total
  }
}

const SHOWN_LENGTH_MAX = 64

/** One side of a conflict as people read it: short, and never a whole large value. */
export function describeSide(dot: Dot): ConflictSide {
  const what = whatOf(dot)
  return {
    region: dot.origin.region,
    wallMs: hlcWallMs(dot.hlc),
    what: what.length > SHOWN_LENGTH_MAX ? `${what.slice(0, SHOWN_LENGTH_MAX)}...` : what,
  }
}

function whatOf(dot: Dot): string {
  if (dot instanceof Register) return dot.value
  if (dot instanceof CounterEntry) return `increments of ${amountText(dot.amount)}`
  if (dot instanceof Deadline) return `deadline ${dot.atMs}`
  return ''
}
