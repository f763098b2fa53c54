/**
 * ledger.ts: keeps what is known of the keys of a region in order, however late its news come.
 *
 * Invariant: of each key the entry of the highest revision that was heard is held, a deletion included, until a
 * reading as a whole takes the place of all that is older than it; or of all, when the coordinator was put back from
 * a backup and counts its revisions from there once more.
 */
import type { Event, Reading, Revision } from '../coordinator/port.ts'

/** @param value  undefined: there is no such key any more */
export type Enter = (key: string, value: string | undefined, revision: Revision) => void

export class Ledger {
  readonly #enter: Enter
  /** The last change of each key, deletions among them. */
  readonly #revisions = new Map<string, Revision>()
  #revision: Revision = 0
  #hasRead = false

  /** @param enter  takes what is news */
  constructor(enter: Enter) {
    this.#enter = enter
  }

  /** There was a first reading. */
  get hasRead(): boolean {
    return this.#hasRead
  }

  /** The highest that was heard of, since the coordinator was put back. */
  get revision(): Revision {
    return this.#revision
  }

  /** @param isPutBack  what is known is of a history that the coordinator has forgotten */
  replace({ revision, entries }: Reading, isPutBack: boolean): void {
    this.#hasRead = true
    this.#revision = isPutBack ? revision : Math.max(this.#revision, revision)
    const present = new Set(entries.map(({ key }) => key))
    for (const [key, changed] of this.#revisions) {
      if (changed > revision && !isPutBack) continue
      this.#revisions.delete(key)
      if (!present.has(key)) this.#enter(key, undefined, 0)
    }
    for (const entry of entries) {
      // A commit of this process that the reading does not know of yet.
      if (this.#revisions.has(entry.key)) continue
      this.#revisions.set(entry.key, entry.revision)
      this.#enter(entry.key, entry.value, entry.revision)
    }
  }

  apply(events: readonly Event[]): void {
    for (const { key, value, revision } of events) {
      if (revision <= (this.#revisions.get(key) ?? 0)) continue
      this.#revision = Math.max(this.#revision, revision)
      this.#revisions.set(key, revision)
      this.#enter(key, value, revision)
    }
  }
}
