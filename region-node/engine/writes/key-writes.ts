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
import type { HashState } from '../../../crdt/hash-aw.ts'
import { deadlineOf, visibleState } from '../../../crdt/key.ts'
import { Register } from '../../../crdt/register.ts'
import { NOTHING_SEEN, type SeenCounter } from '../../../crdt/state.ts'
import type { Writes } from '../../commands/command.ts'
import type { ListWrites } from '../../commands/list-writes.ts'
import type { StreamWrites } from '../../commands/stream-writes.ts'
import type { ZsetWrites } from '../../commands/zset-writes.ts'
import type { ExpiryClock } from '../expiry-clock.ts'
import type { Keyspace } from '../keyspace.ts'
import { type Minter, seenIn } from '../minter.ts'
import { MintedHllWrites } from './hll-writes.ts'
import { MintedListWrites } from './list-writes.ts'
import { MintedStreamWrites } from './stream-writes.ts'
import { MintedZsetWrites } from './zset-writes.ts'

export class KeyWrites implements Writes {
  readonly hll: MintedHllWrites
  readonly zset: ZsetWrites
  readonly list: ListWrites
  readonly stream: StreamWrites
  readonly #mint: Minter
  readonly #keyspace: Keyspace
  readonly #clock: ExpiryClock

  constructor(mint: Minter, keyspace: Keyspace, clock: ExpiryClock) {
    this.zset = new MintedZsetWrites(mint)
    this.list = new MintedListWrites(mint, keyspace)
    this.stream = new MintedStreamWrites(mint)
    this.#mint = mint
    this.hll = new MintedHllWrites(mint)
    this.#keyspace = keyspace
    this.#clock = clock
  }

  set(key: string, value: string, deadlineMs = Number.POSITIVE_INFINITY, db = this.#mint.db): void {
    // SET replaces all that is seen anyway, due or not.
    let seen = NOTHING_SEEN
    if (!this.#keyspace.isPlain(db, key)) {
      const entry = this.#keyspace.get(db, key)!
      seen = seenIn(entry)
      this.#mint.removeHll(db, key, entry)
      this.#mint.removeGroups(db, key, entry)
      this.#mint.emit({ tag: TAG.SET, db, key, value, deadlineMs, seen })
      this.#mint.noteMarkers(db, key)
      return
    }
    this.#mint.emit({ tag: TAG.SET, db, key, value, deadlineMs, seen })
  }

  put(key: string, value: string, db = this.#mint.db): void {
    const entry = this.#mint.live(db, key)
    const cell = entry === undefined ? undefined : stringOf(entry)
    // A string command that found a HyperLogLog has worked on its bytes: it is a string from now on.
    if (entry !== undefined && visibleState(entry)?.type === 'hll' && !this.#mint.isAgain)
      this.#mint.removeHll(db, key, entry)
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
      if (hash.timed !== undefined) this.#removeDue(db, key, hash, pairs, 2)
      for (let i = 0; i < pairs.length; i += 2) {
        const inField = seenInCell(hash.manyOf(pairs[i]!), pairs[i]!)
        if (inField.length > 0) seen = [...seen, ...inField]
      }
    }
    this.#mint.emit({ tag: TAG.HASH_PUT, db, key, pairs, creates: entry === undefined, seen })
  }

  incrementField(key: string, field: string, delta: Amount): void {
    const { db } = this.#mint
    const entry = this.#mint.live(db, key)
    const hash = entry === undefined ? undefined : hashOf(entry)
    if (hash?.timed !== undefined) this.#removeDue(db, key, hash, [field], 1)
    const cell = hash?.fields.get(field)
    const { run, total } = prepareIncrement(cell, delta, this.#mint.origin, this.#mint.seq)
    this.#mint.emit({
      tag: TAG.HASH_INCREMENT,
      db,
      key,
      field,
      creates: entry === undefined,
      makesField: cell === undefined,
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
    this.#mint.removeFields(db, key, hash, fields)
  }

  setFieldDeadline(key: string, fields: readonly string[], deadlineMs: number, db = this.#mint.db): void {
    this.#mint.emit({ tag: TAG.FIELD_DEADLINE, db, key, fields, deadlineMs })
    // "Never" says nothing once it is stable.
    if (deadlineMs === Number.POSITIVE_INFINITY)
      for (const field of fields) this.#mint.onEmptied?.(db, key, field)
  }

  /** A write to fields that are due removes them first. @param stride  fields stand at every so many places */
  #removeDue(db: number, key: string, hash: HashState, words: readonly string[], stride: number): void {
    const due = hash.timed?.due
    if (due === undefined || due.size === 0 || this.#mint.isAgain) return
    const fields: string[] = []
    for (let i = 0; i < words.length; i += stride) if (due.has(words[i]!)) fields.push(words[i]!)
    if (fields.length > 0) this.#mint.removeFields(db, key, hash, fields)
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
    const hlls = this.#keyspace.keysOf('hll', which)
    const streams = this.#keyspace.keysOf('stream', which)
    const lists = this.#keyspace.keysOf('list', which)
    this.#mint.emit({ tag: TAG.FLUSH, db: which, seen: this.#keyspace.seenForFlush(which) })
    for (const { db, key } of hlls) this.#mint.markHll(db, key)
    for (const { db, key } of streams) this.#mint.barGroups(db, key)
    for (const { db, key } of lists) this.#mint.noteMarked(db, key)
  }
}

function seenInCell(cell: Cell | undefined, field: string | undefined): readonly SeenCounter[] {
  if (cell === undefined || cell instanceof Register) return NOTHING_SEEN
  const seen: SeenCounter[] = []
  cell.collectSeen(seen, field)
  return seen
}
