/**
 * keyspace.ts: all keys of the node: its databases.
 *
 * Invariant: every change of an entry goes through `apply`, for a local write, a received op and recovery
 * alike; only a snapshot brings entries as they are (`restore`, `become`).
 */
import { assert } from '../../crdt/assert.ts'
import type { Latin1 } from '../../crdt/codec/bytes.ts'
import { Fingerprint } from '../../crdt/digest.ts'
import type { OpPoint } from '../../crdt/dot.ts'
import { TAG } from '../../crdt/effects/effect.ts'
import { EVERY_DB, type FlushEffect, LIBRARY_DB } from '../../crdt/effects/key-effects.ts'
import { listOf } from '../../crdt/effects/list-effects.ts'
import { concerns, isOfReaders } from '../../crdt/effects/stream-effects.ts'
import { fingerprintKey, type KeyEntry, KeyState, visibleState } from '../../crdt/key.ts'
import type { OriginTable } from '../../crdt/origin.ts'
import type { KeyspaceEffect } from '../../crdt/registry.ts'
import { NOTHING_SEEN, type SeenCounter, type TypeName } from '../../crdt/state.ts'
import type { RecordContext } from '../../crdt/table/record-context.ts'
import { Database } from './database.ts'
import type { AccessClock } from './table/access.ts'
import { type PlainCounter, TableContext } from './table/slot-group.ts'
import { KeyspaceWalk, type Walk, type WalkVisitor } from './walk.ts'

/** Hears of effects while they are applied; must not change anything. */
export interface KeyspaceObserver {
  touching(effect: KeyspaceEffect): void
  touched(effect: KeyspaceEffect): void
}

export class Keyspace {
  /** What all its databases share. */
  #context: TableContext
  #databases: (Database | undefined)[] = []
  #walk: Walk | undefined = undefined
  /** Keys that somebody WATCHes: called for every effect on one of them, and for a flush with no key. */
  onTouch: ((db: number, key: string | undefined, isChange: boolean) => void) | undefined = undefined

  /** Grows whenever the function libraries may have changed. */
  libraryVersion = 0
  /** Who hears of every effect, before and after. */
  observer: KeyspaceObserver | undefined = undefined

  /** @param origins  the table that the origins of all entries and ops are from */
  constructor(origins: OriginTable, latin1: Latin1, packedFrom?: number) {
    this.#context = new TableContext(origins, latin1, packedFrom)
  }

  /** What large collections are packed with. */
  get records(): RecordContext {
    return this.#context
  }

  /** An empty one that may take its place. */
  another(): Keyspace {
    const { origins, latin1, packedFrom } = this.#context
    return new Keyspace(origins, latin1, packedFrom)
  }

  /** The database of that index, made when it is first asked for. */
  db(index: number): Database {
    const known = this.#databases[index]
    if (known !== undefined) return known
    while (this.#databases.length <= index) this.#databases.push(undefined)
    const made = new Database(index, this.#context)
    this.#databases[index] = made
    return made
  }

  /** How uses of keys are written down; undefined when they are not. */
  get uses(): AccessClock | undefined {
    return this.#context.access
  }

  /** How uses of keys are written down from now on; undefined: not at all. */
  recordUses(access: AccessClock | undefined): void {
    this.#context.access = access
    for (const database of this.databases()) database.forgetUses()
  }

  /** Runs a look at keys that is no use of them: CLIENT NO-TOUCH, OBJECT. */
  unused<Result>(look: () => Result): Result {
    const before = this.#context.looksAreUses
    this.#context.looksAreUses = false
    try {
      return look()
    } finally {
      this.#context.looksAreUses = before
    }
  }

  /** Bytes of its arrays that new keys take before more memory is taken. */
  get freeBytes(): number {
    let bytes = 0
    for (const database of this.databases()) bytes += database.freeBytes
    return bytes
  }

  /** Databases that were ever used, by index. */
  *databases(): IterableIterator<Database> {
    for (const database of this.#databases) if (database !== undefined) yield database
  }

  /** Whatever is stored under the key: see `Database.get`. */
  get(db: number, key: string): KeyEntry | undefined {
    return this.#databases[db]?.get(key)
  }

  /** See `Database.plainText`. */
  plainText(db: number, key: string): string | undefined {
    return this.#databases[db]?.plainText(key)
  }

  /** See `Database.plainCounter`. */
  plainCounter(db: number, key: string): PlainCounter | undefined {
    return this.#databases[db]?.plainCounter(key)
  }

  /** See `Database.isPlain`. */
  isPlain(db: number, key: string): boolean {
    const database = this.#databases[db]
    return database === undefined || database.isPlain(key)
  }

  /** @param coversAll  for a FLUSH: its origin had seen all that is applied here */
  apply(effect: KeyspaceEffect, at: OpPoint, coversAll = false): void {
    // What another region knows of itself alone changes nothing here, and is nobody's event.
    if (!concerns(effect, at)) return
    // No client can listen to what is no key of theirs.
    const observer = effect.db === LIBRARY_DB ? undefined : this.observer
    if (effect.db === LIBRARY_DB) this.libraryVersion++
    if (observer !== undefined) observer.touching(effect)
    if (effect.tag === TAG.FLUSH) this.#flush(effect, at, coversAll)
    else this.db(effect.db).apply(effect, at)
    if (observer !== undefined) observer.touched(effect)
    if (this.onTouch === undefined) return
    if (effect.tag === TAG.FLUSH) this.onTouch(effect.db, undefined, true)
    else this.onTouch(effect.db, effect.key, !isOfReaders(effect))
  }

  #flush({ db, seen }: FlushEffect, at: OpPoint, coversAll: boolean): void {
    for (const database of this.databases()) {
      if (!isMeant(db, database.index)) continue
      if (coversAll) {
        // The old one is left to the walk, if one goes on, and to nobody else.
        const emptied = new Database(database.index, this.#context)
        const lists = [...database.keysOf('list')]
        if (lists.length === 0 || this.#walk === undefined) {
          for (const key of lists) restoreMarkers(emptied, key, database.get(key)!, at)
          this.#databases[database.index] = emptied
          continue
        }
      }
      const mine = seen.filter((one) => one.db === database.index)
      database.flush(new Map(mine.map((one) => [one.key, one.seen])), at)
    }
  }

  /**
   * Keys of which only deadlines are left. Looks at every key.
   * @param which  a database index, or EVERY_DB
   */
  *orphans(which: number): IterableIterator<{ readonly db: number; readonly key: string }> {
    for (const database of this.databases()) {
      if (!isMeant(which, database.index)) continue
      for (const [key, entry] of database.entries())
        if (visibleState(entry) === undefined) yield { db: database.index, key }
    }
  }

  /** Begins a walk through all that is stored now: see `walk.ts`. */
  walk(visitor: WalkVisitor): Walk {
    assert(this.#walk === undefined, 'one walk goes on at a time')
    const ended = (): void => {
      this.#walk = undefined
    }
    this.#walk = new KeyspaceWalk([...this.databases()], visitor, ended)
    return this.#walk
  }

  /** A walk goes on. */
  get isWalked(): boolean {
    return this.#walk !== undefined
  }

  /** Lets `forget` drop what no read can answer of a key. Not while a walk goes on. */
  forget(db: number, key: string, forget: (entry: KeyState) => KeyEntry | undefined): void {
    this.#databases[db]?.forget(key, forget)
  }

  /** Stores an entry that a snapshot holds. The key is not here yet. */
  restore(db: number, key: string, entry: KeyEntry): void {
    if (db === LIBRARY_DB) this.libraryVersion++
    this.db(db).restore(key, entry)
  }

  /** Takes the place of its own databases with those of `other`, which is not used any more. */
  become(other: Keyspace): void {
    this.#walk?.abandon()
    assert(other.#walk === undefined, 'nobody walks through what is taken over')
    assert(other.#context.origins === this.#context.origins, 'both speak of the same origins')
    other.recordUses(this.uses)
    this.#databases = other.#databases
    this.#context = other.#context
    other.#databases = []
    this.libraryVersion++
    this.onTouch?.(EVERY_DB, undefined, true)
  }

  /** The counter entries in one database or in all: what a flush must carry. */
  seenForFlush(db: number): FlushEffect['seen'] {
    const all: { db: number; key: string; seen: SeenCounter[] }[] = []
    for (const database of this.databases()) {
      if (!isMeant(db, database.index)) continue
      for (const { key, seen } of database.counters()) all.push({ db: database.index, key, seen })
    }
    return all
  }

  /** Hides the hash fields that are past their deadline. Asked before each command, so free when there are none. */
  hideDueFields(nowMs: number): void {
    if (!this.#context.hasTimedFields) return
    for (const database of this.#databases)
      if (database !== undefined && database.nextFieldDueMs < nowMs) database.hideDueFields(nowMs)
  }

  /** Keys of one database or of all that hold such a state, or what is left of one: a flush names them. */
  keysOf(type: TypeName, db: number): { readonly db: number; readonly key: string }[] {
    const all: { db: number; key: string }[] = []
    for (const database of this.databases()) {
      if (!isMeant(db, database.index)) continue
      for (const key of database.keysOf(type)) all.push({ db: database.index, key })
    }
    return all
  }

  /** A fingerprint of all that reads can answer: equal in regions that applied the same ops. */
  digest(): string {
    const whole = new Fingerprint()
    for (const database of this.databases()) {
      for (const [key, entry] of database.entries()) {
        const print = fingerprintKey(database.index, key, entry)
        if (print !== undefined) whole.sum(print)
      }
    }
    return whole.hex()
  }
}

/** @param which  a database index, or EVERY_DB */
function isMeant(which: number, index: number): boolean {
  return which === index || (which === EVERY_DB && index !== LIBRARY_DB)
}

/** What a list leaves when all of it is removed: inserts on their way may name its markers. */
function restoreMarkers(into: Database, key: string, entry: KeyEntry, at: OpPoint): void {
  const left = listOf(entry)?.withoutSeen(NOTHING_SEEN, at)
  if (left !== undefined) into.restore(key, new KeyState(left, undefined))
}
