/**
 * due-removals.ts: mints the removal of keys and hash fields that are due and that no member can still extend.
 *
 * Everything that is due was hidden the moment its deadline passed. The removal is an op like any other, so it
 * waits until every member has announced an expiry clock past the deadline, and has the deadline on disk: who loses
 * it with its power knows the key again as it was before. The region whose deadline won goes first; the others
 * leave it a head start. Source: algorithms.md, Expiry.
 */
import { type Deadlines, momentOf, winningDeadline } from '../../crdt/deadline.ts'
import type { Dot } from '../../crdt/dot.ts'
import { hashOf } from '../../crdt/effects/hash-effects.ts'
import { KeyState } from '../../crdt/key.ts'
import type { Database } from './database.ts'
import type { Keyspace } from './keyspace.ts'
import type { Minter } from './minter.ts'

/** How long the regions that do not own a due key's deadline leave its removal to the one that does. */
const OWNER_HEADSTART_MS = 5000
/** Keys, and fields, removed in one step; the rest wait for the next one. */
const STEP_MAX = 100
/**
 * Looked at in one step, of each: while a member is out of reach nothing can be removed, and millions may be due.
 */
const LOOKS_MAX = 250

/** What a step has done. */
export interface Removed {
  readonly keys: number
  /** Of other keys. */
  readonly fields: number
  /** The next step may wait: this one found fewer that could go than it may remove. */
  readonly isOver: boolean
}

/** What one step goes by. */
interface Step {
  readonly nowMs: number
  readonly settledMs: number
  readonly isDurableEverywhere: (deadline: Dot) => boolean
}

export class DueRemovals {
  readonly #keyspace: Keyspace
  readonly #minter: Minter
  readonly #endOp: () => void

  /** @param endOp  ends the op of a removal */
  constructor(keyspace: Keyspace, minter: Minter, endOp: () => void) {
    this.#keyspace = keyspace
    this.#minter = minter
    this.#endOp = endOp
  }

  /**
   * @param step  `settledMs`: every member has announced an expiry clock past this and its ops up to then are here.
   *   `isDurableEverywhere`: every member had fsynced the op of that deadline when it announced its clock; one that
   *   had not could still extend what it knew
   */
  remove(step: Step): Removed {
    this.#keyspace.hideDueFields(step.nowMs)
    let keys = 0
    let fields = 0
    let isAllSurfaced = true
    for (const database of this.#keyspace.databases()) {
      fields += this.#fieldsOf(database, step, STEP_MAX - fields)
      isAllSurfaced = database.surfaceDue(step.nowMs, LOOKS_MAX) && isAllSurfaced
      keys += this.#keysOf(database, step, STEP_MAX - keys)
    }
    return { keys, fields, isOver: isAllSurfaced && keys < STEP_MAX && fields < STEP_MAX }
  }

  #keysOf(database: Database, step: Step, most: number): number {
    let removed = 0
    for (let looks = 0; looks < LOOKS_MAX && removed < most; looks++) {
      const key = database.nextDueKey()
      if (key === undefined) break
      const entry = database.get(key)
      const deadlines = entry instanceof KeyState ? entry.deadlines : undefined
      if (entry === undefined || !this.#isTime(deadlines, step)) continue
      this.#minter.clear(database.index, key, entry)
      this.#endOp()
      removed++
    }
    return removed
  }

  /** One op for the fields of a key. */
  #fieldsOf(database: Database, step: Step, most: number): number {
    const byKey = new Map<string, string[]>()
    let removed = 0
    for (let looks = 0; looks < LOOKS_MAX && removed < most; looks++) {
      const due = database.nextDueField()
      if (due === undefined) break
      const { key, field } = due
      const entry = database.get(key)
      const deadlines = entry === undefined ? undefined : hashOf(entry)?.timed?.byField.get(field)
      if (!this.#isTime(deadlines, step)) continue
      const fields = byKey.get(key)
      if (fields === undefined) byKey.set(key, [field])
      else fields.push(field)
      removed++
    }
    for (const [key, fields] of byKey) {
      this.#minter.removeFields(database.index, key, hashOf(database.get(key)!)!, fields)
      this.#endOp()
    }
    return removed
  }

  /** Nobody can extend what has these deadlines any more, and it is this region's turn to act on them. */
  #isTime(deadlines: Deadlines, { settledMs, isDurableEverywhere }: Step): boolean {
    const winner = winningDeadline(deadlines)
    if (winner === undefined) return false
    const isOwn = winner.origin.region === this.#minter.origin.region
    const removableMs = momentOf(winner) + (isOwn ? 0 : OWNER_HEADSTART_MS)
    // Of those that lost, too: each took the place of others, and who lacks it may still hold a longer one of them.
    const all = Array.isArray(deadlines) ? deadlines : [winner]
    return removableMs < settledMs && all.every(isDurableEverywhere)
  }
}
