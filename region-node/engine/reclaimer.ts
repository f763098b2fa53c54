/**
 * reclaimer.ts: which keys hold something that may be forgotten once the cut is stable.
 *
 * Keys are noted as conflicts and orphaned deadlines come up, and looked at again when the cut has passed
 * everything that was applied when they were noted. Two sets take turns: one gathers, the other waits for
 * its vector. A key that was noted anew meanwhile waits with the newer set, because what emptied it or
 * lost last is not below the older vector.
 *
 * Invariant: a key is given out only when everything that was applied here while it was last noted lies
 * below the cut. Source: algorithms.md, The horizon; epochs as in Fraser, "Practical Lock-Freedom", 2004.
 */
import type { VersionVector } from '../../crdt/version-vector.ts'

export interface Candidate {
  readonly db: number
  readonly key: string
  /** The hash field in question; undefined for the key itself. */
  readonly field: string | undefined
}

export class Reclaimer {
  #gathering = new Map<string, Candidate>()
  #settling = new Map<string, Candidate>()
  /** What was applied when `#settling` was closed. */
  #target: VersionVector | undefined

  note(db: number, key: string, field?: string): void {
    const name = field === undefined ? `${db}:${key}` : `${db}.${key.length}:${key}${field}`
    if (!this.#gathering.has(name)) this.#gathering.set(name, { db, key, field })
  }

  /** Keys and fields that wait. */
  get pending(): number {
    return this.#gathering.size + this.#settling.size
  }

  /**
   * Gives out up to `limit` candidates whose time has come.
   * @param applied  live; copied when a set is closed
   */
  take(cut: VersionVector, applied: VersionVector, limit: number): Candidate[] {
    if (this.#settling.size === 0) {
      if (this.#gathering.size === 0) return []
      this.#settling = this.#gathering
      this.#gathering = new Map()
      this.#target = applied.copy()
    }
    if (this.#target === undefined || !cut.covers(this.#target)) return []
    const due: Candidate[] = []
    for (const [name, candidate] of this.#settling) {
      if (due.length >= limit) break
      this.#settling.delete(name)
      if (!this.#gathering.has(name)) due.push(candidate)
    }
    return due
  }

  clear(): void {
    this.#gathering.clear()
    this.#settling.clear()
  }
}
