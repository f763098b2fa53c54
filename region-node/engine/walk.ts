/**
 * walk.ts: a walk through all keys as they stood when it began, while they change: what snapshots and
 * digests are made with.
 *
 * The walk goes through the databases in small steps. Between the steps commands and received ops run: a
 * key that is about to change before the walk is done with it is shown to the visitor first. So the visitor
 * sees every key in the state of one vector, without a fork, a copy of the keyspace or a wait. A database
 * that a FLUSH empties altogether is left to the walk as it was, and a new one stands in its place.
 *
 * Invariants: (1) every key that was stored when the walk began is written once; a key created since is no
 * part of it. (2) A visitor is done with a key when `reached` or `changing` has returned true, and hears no
 * more of it. (3) At most one walk goes on at a time.
 */
import type { PackedRegister } from '../../crdt/codec/state.ts'
import type { KeyEntry } from '../../crdt/key.ts'
import type { KeyEffect } from '../../crdt/registry.ts'

/** Told of every key once, as it stood when the walk began. Deadlines that outlived their key count as one. */
export interface WalkVisitor {
  /**
   * The walk has reached the key: writes it, or the next part of it. A key that ceases to exist after
   * `changing` returned false is reached at that moment, with an entry that has no state.
   * @returns false while parts are left; it is called again then, the entry live
   */
  reached(db: number, key: string, entry: KeyEntry): boolean
  /**
   * In place of `reached` for most strings, where the visitor can do with bytes: nothing has to be made of them then.
   * @param register  valid during the call
   */
  reachedPacked?(db: number, register: PackedRegister): void
  /**
   * `effect` is about to change a key that the walk has not finished. A FLUSH is a CLEAR of each key here.
   * @returns true when it has been written whole (the walk is done with it); false when the visitor keeps
   *   what it needs of the old state (copy on write per member of a large collection) and will write it when
   *   the walk reaches it
   */
  changing(db: number, key: string, entry: KeyEntry, effect: KeyEffect): boolean
  /** The walk is over, or was abandoned: nothing more is called. */
  ended?(): void
}

export interface Walk {
  /** Goes on by about `entries` calls of `reached`. @returns true when every key has been written */
  step(entries: number): boolean
  /** Share done, 0 to 1. */
  readonly progress: number
  /** It was ended before every key was written. */
  readonly isAbandoned: boolean
  /** Ends it early: nothing more is called. */
  abandon(): void
}

/** A database, as the walk that goes through it sees it. */
export interface WalkedDatabase {
  /** Entries in it, for the progress. */
  readonly entryCount: number
  beginWalk(visitor: WalkVisitor): void
  /** Goes on by at most `entries` calls of `reached`. @returns how many it made; fewer: it is at the end */
  walkOn(entries: number): number
  /** Share of it that is behind the walk, 0 to 1. */
  readonly walkProgress: number
  endWalk(): void
}

export class KeyspaceWalk implements Walk {
  readonly #databases: readonly WalkedDatabase[]
  readonly #counts: readonly number[]
  readonly #total: number
  readonly #ended: () => void
  readonly #visitor: WalkVisitor
  /** The database the walk is in. */
  #at = 0
  #behind = 0
  #isOver = false
  isAbandoned = false

  /** @param ended  called once, when all is written or the walk is abandoned */
  constructor(databases: readonly WalkedDatabase[], visitor: WalkVisitor, ended: () => void) {
    this.#databases = databases
    this.#counts = databases.map(({ entryCount }) => entryCount)
    this.#total = this.#counts.reduce((sum, count) => sum + count, 0)
    this.#ended = ended
    this.#visitor = visitor
    for (const database of databases) database.beginWalk(visitor)
  }

  step(entries: number): boolean {
    let left = entries
    while (left > 0 && !this.#isOver) {
      const database = this.#databases[this.#at]
      if (database === undefined) {
        this.#end()
        break
      }
      const reached = database.walkOn(left)
      if (reached < left) {
        database.endWalk()
        this.#behind += this.#counts[this.#at]!
        this.#at++
      }
      left -= reached
    }
    return this.#isOver
  }

  get progress(): number {
    const database = this.#databases[this.#at]
    if (this.#isOver || database === undefined || this.#total === 0) return 1
    return (this.#behind + database.walkProgress * this.#counts[this.#at]!) / this.#total
  }

  abandon(): void {
    if (this.#isOver) return
    this.isAbandoned = true
    this.#end()
  }

  #end(): void {
    this.#isOver = true
    for (const database of this.#databases) database.endWalk()
    this.#visitor.ended?.()
    this.#ended()
  }
}
