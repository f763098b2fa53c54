/**
 * key-writes.ts: what commands may do to keys, strings, hashes and sets: each call is one effect of the open op.
 *
 * A removal carries what it saw of counters, and a write says whether it creates the key, because its
 * receivers cannot know what was here (algorithms.md, Counter and TTL).
 */
import { type Amount, addAmounts } from '../../../crdt/amount.ts'
import { type Cell, prepareIncrement } from '../../../crdt/cell.ts'
import { TAG } from '../../../crdt/effects/effect.ts'
import { hashOf } from '../../../crdt/effects/hash-effects.ts'
import { EVERY_DB } from '../../../crdt/effects/key-effects.ts'
import { stringOf } from '../../../crdt/effects/string-effects.ts'
import { deadlineOf, visibleState } from '../../../crdt/key.ts'
import { Register } from '../../../crdt/register.ts'
import { NOTHING_SEEN, type SeenCounter } from '../../../crdt/state.ts'
import type { Writes } from '../../commands/command.ts'
import type { ExpiryClock } from '../expiry-clock.ts'
import type { Keyspace } from '../keyspace.ts'
import { type Minter, seenIn } from '../minter.ts'

export class KeyWrites implements Writes {
  readonly #mint: Minter
  readonly #keyspace: Keyspace
  readonly #clock: ExpiryClock

  constructor(mint: Minter, keyspace: Keyspace, clock: ExpiryClock) {
    this.#mint = mint
    this.#keyspace = keyspace
    this.#clock = clock
  }

  set(key: string, value: string, deadlineMs = Number.POSITIVE_INFINITY, db = this.#mint.db): void {
    // SET replaces all that is seen anyway, due or not.
    const seen = this.#keyspace.isPlain(db, key) ? NOTHING_SEEN : seenIn(this.#keyspace.get(db, key)!)
    this.#mint.emit({ tag: TAG.SET, db, key, value, deadlineMs, seen })
  }

  put(key: string, value: string, db = this.#mint.db): void {
    const entry = this.#mint.live(db, key)
    const cell = entry === undefined ? undefined : stringOf(entry)
    this.#mint.emit({
      tag: TAG.PUT,
      db,
      key,
      value,
      creates: entry === undefined,
      seen: seenInCell(cell, undefined),
    })
  }

  increment(key: string, delta: Amount): void {
    const { db } = this.#mint
    const counter = this.#keyspace.plainCounter(db, key)
    if (counter !== undefined && counter.originIndex === this.#mint.origin.index) {
      const { run } = counter
      const total = addAmounts(counter.total, delta)
      this.#mint.emit({ tag: TAG.INCREMENT, db, key, creates: false, delta, run, total })
      return
    }
    const entry = this.#mint.live(db, key)
    const cell = entry === undefined ? undefined : stringOf(entry)
    const { run, total } = prepareIncrement(cell, delta, this.#mint.origin, this.#mint.seq)
    this.#mint.emit({ tag: TAG.INCREMENT, db, key, creates: entry === undefined, delta, run, total })
  }

  putFields(key: string, pairs: readonly string[], db = this.#mint.db): void {
    const entry = this.#mint.live(db, key)
    const hash = entry === undefined ? undefined : hashOf(entry)
    let seen = NOTHING_SEEN
    if (hash !== undefined) {
      for (let i = 0; i < pairs.length; i += 2) {
        const inField = seenInCell(hash.fields.get(pairs[i]!), pairs[i]!)
        if (inField.length > 0) seen = [...seen, ...inField]
      }
    }
    this.#mint.emit({ tag: TAG.HASH_PUT, db, key, pairs, creates: entry === undefined, seen })
  }

  incrementField(key: string, field: string, delta: Amount): void {
    const { db } = this.#mint
    const entry = this.#mint.live(db, key)
    const cell = entry === undefined ? undefined : hashOf(entry)?.fields.get(field)
    const { run, total } = prepareIncrement(cell, delta, this.#mint.origin, this.#mint.seq)
    this.#mint.emit({
      tag: TAG.HASH_INCREMENT,
      db,
      key,
      field,
      creates: entry === undefined,
      delta,
      run,
      total,
    })
  }

  removeFields(key: string, fields: readonly string[]): void {
    const { db } = this.#mint
    const entry = this.#mint.live(db, key)
    const hash = entry === undefined ? undefined : hashOf(entry)
    if (hash === undefined) return
    const seen: SeenCounter[] = []
    for (const field of fields) hash.fields.get(field)?.collectSeen(seen, field)
    this.#mint.emit({ tag: TAG.HASH_REMOVE, db, key, fields, seen })
    this.#mint.noteEmptied(db, key)
  }

  addMembers(key: string, members: readonly string[], db = this.#mint.db): void {
    const entry = this.#mint.live(db, key)
    this.#mint.emit({ tag: TAG.SET_ADD, db, key, members, creates: entry === undefined })
  }

  removeMembers(key: string, members: readonly string[]): void {
    this.#mint.emit({ tag: TAG.SET_REMOVE, db: this.#mint.db, key, members })
    this.#mint.noteEmptied(this.#mint.db, key)
  }

  setDeadline(key: string, deadlineMs: number, db = this.#mint.db): void {
    this.#mint.emit({ tag: TAG.DEADLINE, db, key, deadlineMs })
  }

  clear(key: string, db = this.#mint.db): boolean {
    const entry = this.#keyspace.get(db, key)
    if (entry === undefined || visibleState(entry) === undefined) return false
    const existed = deadlineOf(entry) >= this.#clock.nowMs
    this.#mint.clear(db, key, entry)
    return existed
  }

  flush(db: number | 'all'): void {
    const which = db === 'all' ? EVERY_DB : db
    this.#mint.emit({ tag: TAG.FLUSH, db: which, seen: this.#keyspace.seenForFlush(which) })
  }
}

function seenInCell(cell: Cell | undefined, field: string | undefined): readonly SeenCounter[] {
  if (cell === undefined || cell instanceof Register) return NOTHING_SEEN
  const seen: SeenCounter[] = []
  cell.collectSeen(seen, field)
  return seen
}
