/**
 * keyspace.ts: all keys of the node: databases, slots, entries.
 *
 * One Map per hash slot and database: a single Map stops for seconds when it grows past some million
 * keys and ends at 16.7 million, and by slots SCAN cursors, partition moves and snapshots come for
 * nothing. What an entry holds and how an effect changes it is `crdt/key.ts`'s; here it is stored,
 * counted and found.
 *
 * Invariants: (1) `size` counts the keys that exist, due ones included; orphaned deadlines are no keys.
 * (2) Every change of an entry goes through `apply`, for a local write, a received op and recovery alike.
 */
import { Fingerprint } from '../../crdt/digest.ts'
import type { OpPoint } from '../../crdt/dot.ts'
import { TAG } from '../../crdt/effects/effect.ts'
import { applyClear, EVERY_DB, type FlushEffect } from '../../crdt/effects/key-effects.ts'
import {
  collectSeen,
  deadlineOf,
  fingerprintKey,
  type KeyEntry,
  KeyState,
  visibleState,
} from '../../crdt/key.ts'
import { MemberIndex } from '../../crdt/member-index.ts'
import { applyEffect, type Effect, type KeyEffect } from '../../crdt/registry.ts'
import { NOTHING_SEEN, type SeenCounter } from '../../crdt/state.ts'
import { DueKeys } from './due-keys.ts'
import { KeyDraw } from './key-draw.ts'
import { SLOT_COUNT, slotOf } from './slot.ts'

const NEVER = Number.POSITIVE_INFINITY

export type SlotMap = Map<string, KeyEntry>

export class Database {
  readonly index: number
  readonly #slots: (SlotMap | undefined)[] = new Array<SlotMap | undefined>(SLOT_COUNT).fill(undefined)
  readonly #due = new DueKeys()
  /** Keys that exist, due ones included. */
  size = 0
  /** Of them, those with a finite deadline. */
  volatileSize = 0
  /** How often a key came to be or went. */
  changes = 0
  /** Keys by position, of the slots somebody walks in parts or draws from: see `slotIndex`. */
  #indexes: Map<SlotMap, MemberIndex> | undefined = undefined
  #draw: KeyDraw | undefined = undefined
  // A command reads a key and then writes it: the second time slot and entry are known.
  #lastKey: string | undefined = undefined
  #lastSlot: SlotMap | undefined = undefined
  #lastEntry: KeyEntry | undefined = undefined

  constructor(index: number) {
    this.index = index
  }

  /** The keys of one slot; undefined when there are none. */
  slot(slot: number): SlotMap | undefined {
    return this.#slots[slot]
  }

  /** The keys of one slot by position; made when it is first asked for, and kept until the slot is empty. */
  slotIndex(slot: number): MemberIndex {
    const keys = this.#slots[slot] ?? new Map<string, KeyEntry>()
    this.#indexes ??= new Map()
    const known = this.#indexes.get(keys)
    if (known !== undefined) return known
    const made = new MemberIndex(keys.keys())
    if (keys.size > 0) this.#indexes.set(keys, made)
    return made
  }

  /** Any key of those `isShown` lets pass, all equally likely; undefined when there is none at `nowMs`. */
  randomKey(nowMs: number, random: () => number, isShown: (entry: KeyEntry) => boolean): string | undefined {
    this.#draw ??= new KeyDraw(this)
    return this.#draw.draw(nowMs, random, isShown)
  }

  /** Makes the key the last one looked up. */
  #find(key: string): void {
    this.#lastKey = key
    this.#lastSlot = this.#slots[slotOf(key)]
    this.#lastEntry = this.#lastSlot?.get(key)
  }

  readonly #deadlineNow = (key: string): number => {
    const entry = this.get(key)
    return entry === undefined || visibleState(entry) === undefined ? NEVER : deadlineOf(entry)
  }

  /** Whatever is stored under the key: also what is due, and deadlines without a value. */
  get(key: string): KeyEntry | undefined {
    if (key !== this.#lastKey) this.#find(key)
    return this.#lastEntry
  }

  apply(effect: KeyEffect, at: OpPoint): void {
    const { key } = effect
    const before = this.get(key)
    if (!(before instanceof KeyState)) {
      const after = applyEffect(effect, before, at)
      // A plain register that was renewed in place counts as before.
      if (after !== before) this.#replace(key, before !== undefined, NEVER, after)
      return
    }
    // Applying may change the entry in place, so what counts is looked at first.
    const existed = before.state !== undefined
    const deadline = deadlineOf(before)
    this.#replace(key, existed, deadline, applyEffect(effect, before, at))
  }

  #replace(key: string, existed: boolean, oldDeadline: number, after: KeyEntry | undefined): void {
    const exists = visibleState(after) !== undefined
    const deadline = exists ? deadlineOf(after!) : NEVER
    this.#store(key, after)
    if (exists !== existed) {
      this.size += exists ? 1 : -1
      this.changes++
    }
    const wasDeadline = existed ? oldDeadline : NEVER
    if (deadline === wasDeadline) return
    this.volatileSize += Number(deadline !== NEVER) - Number(wasDeadline !== NEVER)
    this.#due.changed(key, deadline)
    if (this.#due.waiting > 2 * this.volatileSize + DueKeys.spareMax) this.#due.compact(this.#deadlineNow)
  }

  #store(key: string, entry: KeyEntry | undefined): void {
    if (key !== this.#lastKey) this.#find(key)
    if (entry === this.#lastEntry) return
    this.#lastEntry = entry
    const slot = this.#lastSlot
    if (this.#indexes !== undefined && slot !== undefined) this.#keepIndexed(this.#indexes, slot, key, entry)
    if (entry === undefined) {
      slot?.delete(key)
    } else if (slot !== undefined) {
      slot.set(key, entry)
    } else {
      this.#lastSlot = new Map([[key, entry]])
      this.#slots[slotOf(key)] = this.#lastSlot
    }
  }

  #keepIndexed(
    indexes: Map<SlotMap, MemberIndex>,
    slot: SlotMap,
    key: string,
    entry: KeyEntry | undefined,
  ): void {
    const index = indexes.get(slot)
    if (index === undefined) return
    if (entry !== undefined) index.add(key)
    else index.remove(key)
    if (index.size === 0) indexes.delete(slot)
  }

  /** Takes away what the op at `at` had seen of every key. */
  flush(seenByKey: ReadonlyMap<string, readonly SeenCounter[]>, at: OpPoint): void {
    for (const slot of this.#slots) {
      if (slot === undefined) continue
      for (const [key, before] of slot) {
        const existed = visibleState(before) !== undefined
        const deadline = deadlineOf(before)
        const after = applyClear({ seen: seenByKey.get(key) ?? NOTHING_SEEN }, before, at)
        this.#replace(key, existed, deadline, after)
      }
    }
  }

  /** Keys past their deadline at `nowMs` that are still stored. */
  dueKeys(nowMs: number): ReadonlySet<string> {
    this.#due.advance(nowMs, this.#deadlineNow)
    return this.#due.keys
  }

  *entries(): IterableIterator<[string, KeyEntry]> {
    for (const slot of this.#slots) if (slot !== undefined) yield* slot
  }
}

export class Keyspace {
  readonly #databases: (Database | undefined)[] = []
  /** Keys that somebody WATCHes: called for every effect on one of them, and for a flush with no key. */
  onTouch: ((db: number, key: string | undefined) => void) | undefined = undefined

  /** The database of that index, made when it is first asked for. */
  db(index: number): Database {
    const known = this.#databases[index]
    if (known !== undefined) return known
    while (this.#databases.length <= index) this.#databases.push(undefined)
    const made = new Database(index)
    this.#databases[index] = made
    return made
  }

  /** Databases that were ever used, by index. */
  *databases(): IterableIterator<Database> {
    for (const database of this.#databases) if (database !== undefined) yield database
  }

  get(db: number, key: string): KeyEntry | undefined {
    return this.#databases[db]?.get(key)
  }

  apply(effect: Effect, at: OpPoint): void {
    if (effect.tag === TAG.FLUSH) this.#flush(effect, at)
    else this.db(effect.db).apply(effect, at)
    if (this.onTouch !== undefined) this.onTouch(effect.db, effect.tag === TAG.FLUSH ? undefined : effect.key)
  }

  #flush({ db, seen }: FlushEffect, at: OpPoint): void {
    for (const database of this.databases()) {
      if (db !== EVERY_DB && db !== database.index) continue
      const mine = seen.filter((one) => one.db === database.index)
      database.flush(new Map(mine.map((one) => [one.key, one.seen])), at)
    }
  }

  /** The counter entries in one database or in all: what a flush must carry. */
  seenForFlush(db: number): FlushEffect['seen'] {
    const all: { db: number; key: string; seen: SeenCounter[] }[] = []
    for (const database of this.databases()) {
      if (db !== EVERY_DB && db !== database.index) continue
      for (const [key, entry] of database.entries()) {
        const seen: SeenCounter[] = []
        collectSeen(entry, seen)
        if (seen.length > 0) all.push({ db: database.index, key, seen })
      }
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
