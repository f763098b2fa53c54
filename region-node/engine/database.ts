/**
 * database.ts: the keys of one database: stored, counted, found, walked.
 *
 * Keys lie in 256 groups (`table/slot-group.ts`): arrays that grow one by one, where one table for all would stop
 * for seconds. A group takes every 256th hash slot, so a partition of a few neighbouring slots fills all of them
 * evenly. Four times as many groups were slower (SET at pipeline 16 by a sixth: what describes an array is looked up
 * in memory too) and took a third more memory, in small arrays that glibc does not give back.
 * What an entry holds and how an effect changes it is `crdt/key.ts`'s. The two effects that most
 * databases see most, SET of a plain value and INCR of a plain counter, change the packed record in place and
 * make no object; `applyEffect` stays the rule, and what they do is the same.
 *
 * An entry of a packed record is an object made for the caller: what it does not give back by `apply` or
 * `restore` is lost. All others are live.
 *
 * Invariants: (1) `size` counts the keys that exist, due ones included; orphaned deadlines are no keys.
 * (2) Every change of an entry goes through `apply`, for a local write, a received op and recovery alike.
 */
import type { OpPoint } from '../../crdt/dot.ts'
import { TAG } from '../../crdt/effects/effect.ts'
import { timedHashOf } from '../../crdt/effects/hash-effects.ts'
import type { IncrementEffect, SetEffect } from '../../crdt/effects/string-effects.ts'
import type { HashState } from '../../crdt/hash-aw.ts'
import {
  collectSeen,
  deadlineOf,
  type KeyEntry,
  KeyState,
  stateOfType,
  visibleState,
} from '../../crdt/key.ts'
import { Register } from '../../crdt/register.ts'
import { applyEffect, type KeyEffect } from '../../crdt/registry.ts'
import { NOTHING_SEEN, type SeenCounter, type TypeName } from '../../crdt/state.ts'
import { COUNTER, OBJECT, REGISTER } from '../../crdt/table/record.ts'
import { ABSENT } from '../../crdt/table/record-table.ts'
import { DueFields, type FieldName } from './due-fields.ts'
import { DueKeys, type Waiting } from './due-keys.ts'
import { KeyProbe } from './table/key-probe.ts'
import { type PlainCounter, SlotGroup, type TableContext } from './table/slot-group.ts'
import type { WalkedDatabase, WalkVisitor } from './walk.ts'

const NEVER = Number.POSITIVE_INFINITY
export const GROUP_COUNT = 256
/** Draws that met no key that is shown, after which the first one that is shown is taken. */
const DRAWS_MAX = 100

/** The number of the group that has the keys of a slot, among those of others. */
export function groupOf(slot: number): number {
  return slot % GROUP_COUNT
}

/** Where a walk stands in a database. */
interface WalkPlace {
  readonly visitor: WalkVisitor
  group: number
  /** Rows of the group from here on are behind the walk. */
  row: number
  /** The key that has been written in part. */
  inPart: string | undefined
}

export class Database implements WalkedDatabase {
  readonly index: number
  readonly #context: TableContext
  readonly #groups: (SlotGroup | undefined)[] = new Array<SlotGroup | undefined>(GROUP_COUNT).fill(undefined)
  readonly #due = new DueKeys()
  /** Made when a field is first given a deadline. */
  #dueFields: DueFields | undefined = undefined
  /** Keys that exist, due ones included. */
  size = 0
  /** Of them, those with a finite deadline. */
  volatileSize = 0
  #walk: WalkPlace | undefined = undefined
  /** How many walks have begun. */
  #walks = 0
  // A command reads a key and then writes it: the second time it is known where it is.
  readonly #probe = new KeyProbe()
  #lastKey: string | undefined = undefined
  #lastGroup: SlotGroup | undefined = undefined
  #lastPlace = ABSENT

  constructor(index: number, context: TableContext) {
    this.index = index
    this.#context = context
  }

  /** Makes the key the last one looked up. @returns where its record lies, or ABSENT */
  #find(key: string): number {
    if (key === this.#lastKey) return this.#lastPlace
    this.#probe.aim(key)
    const group = this.#groups[groupOf(this.#probe.slot)]
    this.#lastKey = key
    this.#lastGroup = group
    this.#lastPlace = group === undefined ? ABSENT : group.find(this.#probe)
    const { access, looksAreUses } = this.#context
    if (access !== undefined && looksAreUses && this.#lastPlace !== ABSENT)
      group!.use(this.#lastPlace, access)
    return this.#lastPlace
  }

  /** The group of the last key looked up, made when it is the first of it. */
  #group(): SlotGroup {
    if (this.#lastGroup !== undefined) return this.#lastGroup
    const made = new SlotGroup(this.#context)
    if (this.#walk !== undefined) made.enterWalk(this.#walks)
    this.#groups[groupOf(this.#probe.slot)] = made
    this.#lastGroup = made
    return made
  }

  /** Whatever is stored under the key: also what is due, and deadlines without a value. */
  get(key: string): KeyEntry | undefined {
    const place = this.#find(key)
    return place === ABSENT ? undefined : this.#lastGroup!.entry(place)
  }

  /** The value of a plain string: undefined when there is none, or it takes more than a look to say. */
  plainText(key: string): string | undefined {
    const place = this.#find(key)
    return place !== ABSENT && this.#lastGroup!.kind(place) === REGISTER
      ? this.#lastGroup!.text(place)
      : undefined
  }

  /** A plain counter, valid until the next call; undefined when the key is none. */
  plainCounter(key: string): PlainCounter | undefined {
    const place = this.#find(key)
    return place !== ABSENT && this.#lastGroup!.kind(place) === COUNTER
      ? this.#lastGroup!.counter(place)
      : undefined
  }

  /** Nothing is stored under the key, or a plain string: a write that replaces it has no counter to carry. */
  isPlain(key: string): boolean {
    const place = this.#find(key)
    return place === ABSENT || this.#lastGroup!.kind(place) === REGISTER
  }

  /** Bytes that a plain string or counter takes; undefined when the key holds something else. */
  packedBytes(key: string): number | undefined {
    const place = this.#find(key)
    if (place === ABSENT || this.#lastGroup!.kind(place) === OBJECT) return undefined
    return this.#lastGroup!.packedBytes(place)
  }

  /** Any key of those `isShown` lets pass, all equally likely; undefined when there is none at `nowMs`. */
  randomKey(nowMs: number, random: () => number, isShown: (entry: KeyEntry) => boolean): string | undefined {
    if (this.dueKeys(nowMs).size >= this.size) return undefined
    const { entryCount } = this
    for (let left = DRAWS_MAX; left > 0; left--) {
      let row = Math.floor(random() * entryCount)
      for (const group of this.#groups) {
        if (group === undefined) continue
        if (row < group.count) {
          const place = group.place(row)
          if (isShown(group.entry(place))) return group.name(place)
          break
        }
        row -= group.count
      }
    }
    for (const [key, entry] of this.entries()) if (isShown(entry)) return key
    return undefined
  }

  /** Any key, or any with a deadline, and how it was used; undefined when the draw found none. */
  draw(
    isVolatile: boolean,
    random: () => number,
  ): { readonly key: string; readonly access: number } | undefined {
    if (isVolatile) {
      const drawn = this.#due.any(random)
      if (drawn === undefined || !this.isVolatile(drawn.key)) return undefined
      return { key: drawn.key, access: this.accessOf(drawn.key) ?? 0 }
    }
    for (let left = DRAWS_MAX; left > 0; left--) {
      const group = this.#groups[Math.floor(random() * GROUP_COUNT)]
      if (group === undefined || group.count === 0) continue
      const place = group.place(Math.floor(random() * group.count))
      return { key: group.name(place), access: group.usesOf(place) ?? 0 }
    }
    return undefined
  }

  /** What follows is another command: it uses the key anew that the last one used. */
  beginUse(): void {
    this.#lastKey = undefined
  }

  /** How a key was used; undefined when it is not there. Asking is no use. */
  accessOf(key: string): number | undefined {
    return this.#unused(() => {
      const place = this.#find(key)
      return place === ABSENT ? undefined : (this.#lastGroup!.usesOf(place) ?? 0)
    })
  }

  /** The key has a deadline. */
  isVolatile(key: string): boolean {
    return this.#deadlineNow(key) !== NEVER
  }

  /** The deadline that comes first, due or not; undefined when no key has one. */
  nextDeadline(): Waiting | undefined {
    const [due] = this.#due.keys
    if (due !== undefined) return { key: due, atMs: Number.NEGATIVE_INFINITY }
    for (let first = this.#due.first; first !== undefined; first = this.#due.first) {
      if (this.#deadlineNow(first.key) === first.atMs) return first
      this.#due.dropFirst()
    }
    return undefined
  }

  /** Nobody asks for uses any more, or they are written down in another way. */
  forgetUses(): void {
    for (const group of this.#groups) group?.forgetUses()
  }

  /** Runs a look that is no use of a key. */
  #unused<Result>(look: () => Result): Result {
    const before = this.#context.looksAreUses
    this.#context.looksAreUses = false
    const result = look()
    this.#context.looksAreUses = before
    return result
  }

  /** Asking is no use. */
  readonly #deadlineNow = (key: string): number => {
    const place = this.#unused(() => this.#find(key))
    if (place === ABSENT || this.#lastGroup!.kind(place) !== OBJECT) return NEVER
    const entry = this.#lastGroup!.entry(place)
    return visibleState(entry) === undefined ? NEVER : deadlineOf(entry)
  }

  apply(effect: KeyEffect, at: OpPoint): void {
    const walk = this.#walk
    const isUnfinished = walk !== undefined && this.#tellWalk(walk, effect)
    if (
      effect.tag === TAG.SET ? this.#set(effect, at) : effect.tag === TAG.INCREMENT && this.#count(effect, at)
    )
      return
    this.#applyToEntry(effect, at)
    if (isUnfinished && this.#find(effect.key) === ABSENT) this.#finishGone(walk, effect.key)
  }

  /** A value without a deadline, where nothing was or a plain value that the writer had seen. */
  #set({ key, value, deadlineMs }: SetEffect, at: OpPoint): boolean {
    if (deadlineMs !== NEVER) return false
    const place = this.#find(key)
    const group = this.#group()
    if (place === ABSENT) return this.#added(group.addRegister(this.#probe, value, at))
    if (group.kind(place) !== REGISTER || !group.isCovered(place, at)) return false
    const now = group.setRegister(place, value, at)
    if (now !== ABSENT) this.#lastPlace = now
    return now !== ABSENT
  }

  /** An increment that makes its key, or goes on with the run that did. */
  #count({ key, total, run, creates }: IncrementEffect, at: OpPoint): boolean {
    if (typeof total !== 'number') return false
    const place = this.#find(key)
    const group = this.#group()
    if (place === ABSENT) {
      return creates && run === at.seq && this.#added(group.addCounter(this.#probe, total, at))
    }
    if (creates || group.kind(place) !== COUNTER) return false
    const counter = group.counter(place)
    return (
      counter.originIndex === at.origin.index && counter.run === run && group.setCounter(place, total, at)
    )
  }

  /** The last key looked up has come to be, at that place; unless it is ABSENT. */
  #added(place: number): boolean {
    if (place === ABSENT) return false
    this.#lastPlace = place
    this.size++
    return true
  }

  #applyToEntry(effect: KeyEffect, at: OpPoint): void {
    const { key } = effect
    const before = this.get(key)
    // Applying may change the entry in place, so what counts is looked at first.
    const existed = visibleState(before) !== undefined
    const deadline = existed ? deadlineOf(before!) : NEVER
    const hash = timedHashOf(before)
    const after = applyEffect(effect, before, at)
    this.#replace(key, existed, deadline, after)
    // One that is gone has to be asked, too: it knows which fields went with it.
    if (hash !== undefined) this.#takeFields(key, hash)
    const afterwards = timedHashOf(after)
    if (afterwards !== undefined && afterwards !== hash) this.#takeFields(key, afterwards)
  }

  #takeFields(key: string, hash: HashState): void {
    this.#dueFields ??= new DueFields()
    this.#context.hasTimedFields = true
    this.#dueFields.take(key, hash)
  }

  /** No field becomes due before this, milliseconds since the Unix epoch. */
  get nextFieldDueMs(): number {
    return this.#dueFields === undefined ? NEVER : this.#dueFields.nextMs
  }

  /** Hides the fields that are past their deadline. */
  hideDueFields(nowMs: number): void {
    this.#dueFields?.advance(nowMs, ({ key, field }) => {
      const entry = this.#unused(() => this.get(key))
      if (entry === undefined) return
      const existed = visibleState(entry) !== undefined
      const deadline = existed ? deadlineOf(entry) : NEVER
      timedHashOf(entry)?.hide(field)
      // With its last field a hash is no key any more.
      this.#replace(key, existed, deadline, entry)
    })
  }

  /** Hash fields past their deadline that are still stored, in a round as `nextDueKey`. */
  nextDueField(): FieldName | undefined {
    return this.#dueFields?.nextInRound()
  }

  /** @param oldDeadline  Infinity when the key did not exist */
  #replace(key: string, existed: boolean, oldDeadline: number, after: KeyEntry | undefined): void {
    const exists = visibleState(after) !== undefined
    const deadline = exists ? deadlineOf(after!) : NEVER
    this.#store(key, after)
    if (exists !== existed) this.size += exists ? 1 : -1
    if (deadline === oldDeadline) return
    this.volatileSize += Number(deadline !== NEVER) - Number(oldDeadline !== NEVER)
    this.#due.changed(key, deadline)
    this.#due.sweep(this.volatileSize, this.#deadlineNow)
  }

  #store(key: string, entry: KeyEntry | undefined): void {
    const place = this.#find(key)
    if (entry !== undefined) {
      const group = this.#group()
      this.#lastPlace = place === ABSENT ? group.add(this.#probe, entry) : group.set(place, entry)
    } else if (place !== ABSENT) {
      this.#lastGroup!.remove(place)
      this.#lastPlace = ABSENT
    }
  }

  /** Lets `forget` drop what no read can answer (`crdt/reclaim.ts`): nobody is told. */
  forget(key: string, forget: (entry: KeyState) => KeyEntry | undefined): void {
    const before = this.get(key)
    if (!(before instanceof KeyState)) return
    const existed = visibleState(before) !== undefined
    const deadline = existed ? deadlineOf(before) : NEVER
    const hash = timedHashOf(before)
    this.#replace(key, existed, deadline, forget(before))
    if (hash !== undefined) this.#takeFields(key, hash)
  }

  /** Stores an entry that a snapshot holds. The key is not here yet. */
  restore(key: string, entry: KeyEntry): void {
    if (entry instanceof Register) {
      // Most keys of most databases: written where it stays, which took a third off the time of a load.
      this.#find(key)
      if (this.#added(this.#group().addRegister(this.#probe, entry.value, entry))) return
    }
    this.#replace(key, false, NEVER, entry)
    const hash = timedHashOf(entry)
    if (hash !== undefined) this.#takeFields(key, hash)
  }

  /** Takes away what the op at `at` had seen of every key. */
  flush(seenByKey: ReadonlyMap<string, readonly SeenCounter[]>, at: OpPoint): void {
    for (const group of this.#groups) {
      if (group === undefined) continue
      // Downwards: the row that takes the place of one that goes has been here already.
      for (let row = group.count - 1; row >= 0; row--) {
        const key = group.name(group.place(row))
        const seen = seenByKey.get(key) ?? NOTHING_SEEN
        this.apply({ tag: TAG.CLEAR, db: this.index, key, seen }, at)
      }
    }
  }

  /** Keys past their deadline at `nowMs` that are still stored. */
  dueKeys(nowMs: number): ReadonlySet<string> {
    this.#due.advance(nowMs, this.#deadlineNow)
    return this.#due.keys
  }

  /**
   * Begins a step that asks for due keys one by one: some more of them surface.
   * @param most  of them
   * @returns false when there are more
   */
  surfaceDue(nowMs: number, most: number): boolean {
    this.#due.advance(nowMs, this.#deadlineNow, undefined, most)
    return this.#due.nextMs >= nowMs
  }

  /** One of the keys that surfaced as due and are still there; undefined at the end of each round through them. */
  nextDueKey(): string | undefined {
    return this.#due.nextInRound()
  }

  /** Every key with what is stored under it. The one just returned may be changed or removed meanwhile. */
  *entries(): IterableIterator<[string, KeyEntry]> {
    for (const group of this.#groups) {
      if (group === undefined) continue
      for (let row = group.count - 1; row >= 0; row--) {
        const place = group.place(row)
        yield [group.name(place), group.entry(place)]
      }
    }
  }

  /** The counter entries in here, by key: what a FLUSH has to carry. Plain strings cost nothing. */
  *counters(): IterableIterator<{ readonly key: string; readonly seen: SeenCounter[] }> {
    for (const group of this.#groups) {
      if (group === undefined) continue
      for (const places of [group.counterPlaces(), group.objectPlaces()]) {
        for (const place of places) {
          const seen: SeenCounter[] = []
          collectSeen(group.entry(place), seen)
          if (seen.length > 0) yield { key: group.name(place), seen }
        }
      }
    }
  }

  /**
   * Keys that hold a state of that type, or what is left of one that is gone. Not for strings, which are not
   * looked at. The keys may not be changed while they are told.
   */
  *keysOf(type: TypeName): IterableIterator<string> {
    for (const group of this.#groups) {
      if (group === undefined) continue
      for (const place of group.objectPlaces())
        if (stateOfType(group.entry(place), type) !== undefined) yield group.name(place)
    }
  }

  /** Keys by position in one group, for walks in parts: see `commands/scan.ts`. */
  group(group: number): SlotGroup | undefined {
    return this.#groups[group]
  }

  get entryCount(): number {
    let count = 0
    for (const group of this.#groups) if (group !== undefined) count += group.count
    return count
  }

  /** Bytes of its arrays that new records take before more memory is taken. */
  get freeBytes(): number {
    let bytes = 0
    for (const group of this.#groups) if (group !== undefined) bytes += group.freeBytes
    return bytes
  }

  // A walk, see `walk.ts`. It goes down by row number, so that no row can get behind it unseen.

  beginWalk(visitor: WalkVisitor): void {
    this.#walks++
    this.#walk = { visitor, group: -1, row: 0, inPart: undefined }
  }

  walkOn(entries: number): number {
    const walk = this.#walk
    let left = entries
    while (walk !== undefined && left > 0) {
      if (walk.inPart !== undefined) {
        left--
        const place = this.#find(walk.inPart)
        this.#reach(walk, this.#lastGroup!, place, walk.inPart)
      } else if (walk.row > 0) {
        if (this.#walkDown(walk)) left--
      } else if (!this.#enterNextGroup(walk)) {
        break
      }
    }
    return entries - left
  }

  /** @returns false when there is no other group */
  #enterNextGroup(walk: WalkPlace): boolean {
    this.#groups[walk.group]?.finishWalk()
    if (walk.group === GROUP_COUNT - 1) return false
    const group = this.#groups[++walk.group]
    group?.enterWalk(this.#walks)
    walk.row = group?.count ?? 0
    return true
  }

  /** Looks at the next row. @returns whether the visitor was called */
  #walkDown(walk: WalkPlace): boolean {
    const group = this.#groups[walk.group]!
    const row = --walk.row
    if (row >= group.count) return false
    const place = group.place(row)
    if (group.isDone(place)) return false
    const { visitor } = walk
    if (visitor.reachedPacked !== undefined && group.kind(place) === REGISTER) {
      visitor.reachedPacked(this.index, group.packed(place))
      group.setDone(place)
    } else {
      this.#reach(walk, group, place, group.name(place))
    }
    return true
  }

  #reach(walk: WalkPlace, group: SlotGroup, place: number, key: string): void {
    const isWritten = walk.visitor.reached(this.index, key, group.entry(place))
    walk.inPart = isWritten ? undefined : key
    if (isWritten) group.setDone(place)
  }

  /** A key is about to change. @returns true when the walk will still come to it */
  #tellWalk(walk: WalkPlace, effect: KeyEffect): boolean {
    const { key } = effect
    const place = this.#find(key)
    const group = this.#group()
    group.enterWalk(this.#walks)
    if (place === ABSENT || group.isDone(place)) return false
    if (!walk.visitor.changing(this.index, key, group.entry(place), effect)) return true
    group.setDone(place)
    if (walk.inPart === key) walk.inPart = undefined
    return false
  }

  /** The key is gone before the walk was done with it: the visitor writes what it has kept. */
  #finishGone(walk: WalkPlace, key: string): void {
    const nothing = new KeyState(undefined, undefined)
    while (!walk.visitor.reached(this.index, key, nothing));
    if (walk.inPart === key) walk.inPart = undefined
  }

  get walkProgress(): number {
    const walk = this.#walk
    return walk === undefined ? 1 : Math.max(0, walk.group) / GROUP_COUNT
  }

  endWalk(): void {
    this.#walk = undefined
  }
}
