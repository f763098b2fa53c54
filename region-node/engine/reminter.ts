/**
 * reminter.ts: what of an op behind its origin's end is minted again, and how it stands to what came since.
 *
 * The conflict between an old write and what others wrote meanwhile is resolved once, here, at the node that
 * mints it again. What comes out is an ordinary op: a new dot, present deps, ordinary effects; only its stamp
 * is the old one. So regions agree on it as they agree on any op. This departs from algorithms.md, The
 * horizon, 6, by which the new op removes what the old one removed, with the old deps: each region would work
 * that out against what it has not reclaimed yet, and regions reclaim at their own pace (a loser that is gone
 * here and shows again there).
 *
 *   value of a string or field   competes by stamp with those it had not seen; of a loser nothing is minted,
 *                                but it takes back the increments of its own tail that it had replaced
 *   score of a sorted set        likewise (`remint/zset.ts`)
 *   increment, member            always
 *   HyperLogLog                  unless it was removed by what it had not seen
 *   stream entry                 always
 *   consumer group               unless it, or the key, was removed by what it had not seen
 *   acknowledgement              where the group is still there
 *   deadline                     the longest of it and of those it had not seen; nothing on a key without value
 *   removal                      never: others have built upon what it would take away
 *   mode of the own region       unless it was changed more often since
 *
 * What is not here was removed, or was made by a region that was cut off as well and counts again later, from there.
 * The log tells: it holds that region's ops (`takenApart`).
 *
 * An ordinary write replaces all that is here. So what an old one had not seen is kept beside it, and written
 * again on top: counters, and the longer deadline. A SET that would take more than that becomes a PUT.
 *
 * Invariants: (1) an op is minted again once: `was` names it, and the last of a tail is named even if nothing
 * of it is left, or it would be tried again after a restart, against another state. (2) Ops come in the order
 * in which they were minted, and nothing else is minted in between.
 *
 * Bounds. Two holders of one tail that mint it again without knowing of each other may resolve it differently;
 * everybody takes the first that reaches him, so they can disagree. What is kept beside lives in memory: after
 * a crash between two records of one tail, what the first part replaced counts as seen.
 */
import { type Amount, negateAmount } from '../../crdt/amount.ts'
import { type Cell, ManyCell } from '../../crdt/cell.ts'
import type { Op } from '../../crdt/codec/batch.ts'
import { type CounterEntry, entryOf, removeSeenRuns, sumOf } from '../../crdt/counter.ts'
import { Deadline, type Deadlines, momentOf } from '../../crdt/deadline.ts'
import { type ConflictSink, compareStamps, Dot, OpPoint } from '../../crdt/dot.ts'
import { type OnKey, TAG } from '../../crdt/effects/effect.ts'
import type { FieldDeadlineEffect } from '../../crdt/effects/field-deadline-effects.ts'
import { type HashIncrementEffect, type HashPutEffect, hashOf } from '../../crdt/effects/hash-effects.ts'
import { type HllJoinEffect, type HllRaiseEffect, hllOf } from '../../crdt/effects/hll-effects.ts'
import type { ModeEffect, WasEffect } from '../../crdt/effects/horizon-effects.ts'
import { type SetAddEffect, setOf } from '../../crdt/effects/set-effects.ts'
import { isRegional } from '../../crdt/effects/stream-effects.ts'
import { streamOf } from '../../crdt/effects/stream-entry-effects.ts'
import type { StreamAckEffect, StreamGroupEffect } from '../../crdt/effects/stream-group-effects.ts'
import {
  type IncrementEffect,
  type PutEffect,
  type SetEffect,
  stringOf,
} from '../../crdt/effects/string-effects.ts'
import { HashState, seenByField } from '../../crdt/hash-aw.ts'
import { HllState } from '../../crdt/hll.ts'
import { deadlineOf, type KeyEntry, openKey, visibleState } from '../../crdt/key.ts'
import { ListState } from '../../crdt/list-fugue.ts'
import type { Membership } from '../../crdt/membership.ts'
import type { Origin } from '../../crdt/origin.ts'
import { Register } from '../../crdt/register.ts'
import { type Effect, isKeyEffect, type KeyEffect } from '../../crdt/registry.ts'
import { SetState } from '../../crdt/set-aw.ts'
import { isSeenAmount, type SeenCounter, type TypedState } from '../../crdt/state.ts'
import { StreamState } from '../../crdt/stream.ts'
import type { VersionVector } from '../../crdt/version-vector.ts'
import { ZsetState } from '../../crdt/zset-aw.ts'
import { ManyScore, type Score, type ScoreEntry } from '../../crdt/zset-score.ts'
import type { Writes } from '../commands/command.ts'
import type { Keyspace } from './keyspace.ts'
import type { Minter } from './minter.ts'
import { RenamedNodes, remintListInsert, remintListSet } from './remint/list.ts'
import type { TailRules } from './remint/tail-rules.ts'
import { remintZsetAdd, remintZsetIncrement } from './remint/zset.ts'

const NEVER = Number.POSITIVE_INFINITY

/** What became of an old op. */
export interface Reminted {
  readonly isMinted: boolean
  /** Removals left out. */
  readonly dropped: number
  /** Writes left out, fields counted one by one: a later one stands, or the key of a deadline is gone. */
  readonly overwritten: number
}

/** What stood in a key unseen by the writes that were minted again over it. */
interface Replaced {
  /** By hash field; undefined for a string. Taken out of the key, and reset by what the old writes had seen. */
  readonly counters: Map<string | undefined, CounterEntry[]>
  /** The same by member of a sorted set. */
  readonly scores: Map<string, ScoreEntry[]>
  readonly deadlines: Dot[]
  /** By hash field. */
  readonly fieldDeadlines: Map<string, Dot[]>
  /** Values and members. */
  readonly others: Dot[]
}

export class Reminter {
  readonly #keyspace: Keyspace
  readonly #membership: Membership
  readonly #minter: Minter
  readonly #writes: Writes
  /** Where the old op stood: its stamp, and what it had seen. */
  readonly #then: OpPoint
  #was: WasEffect
  #isMinted = false
  #dropped = 0
  #overwritten = 0
  /** By database and key. */
  readonly #replaced = new Map<string, Replaced>()
  /** Elements of lists have new names. */
  readonly #nodes = new RenamedNodes()
  /** By origin, the last op that holds what was minted again: later old ops had seen all of that. */
  readonly #again = new Map<Origin, number>()
  /** By origin, the last op, where nothing was left of it to mint. */
  readonly #unnamed = new Map<Origin, WasEffect>()
  /** Keys, by database, that another region made in the same dark: they are not here, and nobody removed them. */
  readonly #madeApart = new Set<string>()
  readonly #rules: TailRules
  /** What is being minted again, for conflict events. */
  current: KeyEffect | undefined = undefined

  constructor(
    origin: Origin,
    keyspace: Keyspace,
    membership: Membership,
    minter: Minter,
    writes: Writes,
    applied: VersionVector,
    conflicts: ConflictSink,
  ) {
    this.#keyspace = keyspace
    this.#membership = membership
    this.#minter = minter
    this.#writes = writes
    this.#then = new OpPoint(origin, applied, conflicts, keyspace.records)
    this.#was = { tag: TAG.WAS, origin, seq: 0, hlc: 0 }
    this.#rules = this.#rulesOf(minter)
  }

  #rulesOf(minter: Minter): TailRules {
    return {
      old: this.#then,
      get origin() {
        return minter.origin
      },
      hadSeen: (dot) => this.#hadSeen(dot),
      entry: (on) => this.#entry(on),
      begin: (on, created) => this.#begin(on, created),
      write: (on) => this.#write(on),
      overwritten: () => {
        this.#overwritten++
      },
      keep: (on, dot) => this.#kept(on).others.push(dot),
      keptScores: (on) => this.#kept(on).scores,
    }
  }

  /** The own log holds an op that was minted again. */
  recall(origin: Origin, seq: number): void {
    this.#again.set(origin, seq)
  }

  /**
   * Takes note of an op of another region that the tail may have built upon and that does not count here: that region
   * was cut off as well, and mints it again itself.
   */
  takenApart({ effects }: Op): void {
    for (const effect of effects) {
      switch (effect.tag) {
        // Of other keys nobody asks whether they were removed.
        case TAG.HLL_RAISE:
        case TAG.HLL_JOIN:
        case TAG.STREAM_ADD:
        case TAG.STREAM_GROUP:
          if (effect.creates) this.#madeApart.add(nameOf(effect))
      }
    }
  }

  /**
   * Mints again what is left of an op.
   * @param deps  as its batch says
   * @returns undefined when it had been minted again before
   */
  remint(origin: Origin, { seq, hlc, effects }: Op, deps: VersionVector): Reminted | undefined {
    // An op that was minted again and came too late once more is still the first one.
    const was = wasOf(effects) ?? { tag: TAG.WAS, origin, seq, hlc }
    if (was.seq <= this.#membership.remintedTo(was.origin)) return undefined
    this.#was = was
    this.#then.moveTo(origin, seq, was.hlc, deps)
    this.#isMinted = false
    this.#dropped = 0
    this.#overwritten = 0
    for (const effect of effects) {
      this.#effect(effect)
      this.#then.index++
    }
    this.current = undefined
    this.#minter.endOp()
    if (this.#isMinted) this.#unnamed.delete(was.origin)
    else this.#unnamed.set(was.origin, was)
    return { isMinted: this.#isMinted, dropped: this.#dropped, overwritten: this.#overwritten }
  }

  /** The tail is over: none of it is minted again after this. */
  end(): void {
    for (const was of this.#unnamed.values()) {
      this.#minter.beginAgain(was)
      this.#minter.endOp()
    }
    this.#unnamed.clear()
    this.#replaced.clear()
    this.#madeApart.clear()
    this.#nodes.clear()
  }

  #effect(effect: Effect): void {
    if (!isKeyEffect(effect)) {
      if (effect.tag === TAG.FLUSH) this.#dropped++
      if (effect.tag === TAG.MODE) this.#mode(effect)
      return
    }
    this.current = effect
    switch (effect.tag) {
      case TAG.SET:
      case TAG.PUT:
        this.#string(effect)
        break
      case TAG.INCREMENT:
        this.#increment(effect)
        break
      case TAG.HASH_PUT:
        this.#fields(effect)
        break
      case TAG.HASH_INCREMENT:
        this.#incrementField(effect)
        break
      case TAG.SET_ADD:
        this.#members(effect)
        break
      case TAG.ZSET_ADD:
        remintZsetAdd(effect, this.#rules)
        break
      case TAG.ZSET_INCREMENT:
        remintZsetIncrement(effect, this.#rules)
        break
      case TAG.LIST_INSERT:
        remintListInsert(effect, this.#rules, this.#nodes, () => this.#minter.lastDot)
        break
      case TAG.LIST_SET:
        remintListSet(effect, this.#rules, this.#nodes)
        break
      case TAG.FIELD_DEADLINE:
        this.#fieldDeadline(effect)
        break
      case TAG.HLL_RAISE:
      case TAG.HLL_JOIN:
        this.#hll(effect)
        break
      case TAG.STREAM_ADD:
        this.#begin(effect, effect.creates)
        this.#write(effect).stream.add(effect.key, effect.id, effect.fields)
        break
      case TAG.STREAM_GROUP:
        this.#streamGroup(effect)
        break
      case TAG.STREAM_ACK:
        this.#ack(effect)
        break
      case TAG.DEADLINE:
        this.#deadline(effect, effect.deadlineMs)
        break
      default:
        // What readers here had done is kept, and written again as a whole (`group-readers.ts`).
        if (!isRegional(effect.tag)) this.#dropped++
    }
  }

  /** An operator said so in the dark, and was told that it holds. */
  #mode(effect: ModeEffect): void {
    const { regionId, epoch } = effect
    if (regionId !== this.#minter.origin.region || epoch < this.#membership.modeEpochOf(regionId)) return
    this.#open()
    this.#minter.emitHorizon(effect)
  }

  #string(effect: SetEffect | PutEffect): void {
    const entry = this.#entry(effect)
    const cell = entry === undefined ? undefined : stringOf(entry)
    const { key, value, db } = effect
    if (this.#isBeaten(cell, value)) {
      const counted = this.#countedAgain(cell)
      if (counted !== undefined) this.#write(effect).increment(key, negateAmount(counted))
      return
    }
    if (effect.tag === TAG.SET && !this.#holdsUnseen(effect, entry)) {
      this.#write(effect).set(key, value, effect.deadlineMs)
      return
    }
    this.#keepCell(effect, cell)
    this.#begin(effect, effect.tag === TAG.PUT && effect.creates)
    this.#write(effect).put(key, value)
    const left = this.#left(effect, undefined, seenOfString(effect.seen))
    if (left !== undefined) this.#write(effect).increment(key, left)
    if (effect.tag === TAG.SET) this.#deadline({ db, key }, effect.deadlineMs)
  }

  #increment(effect: IncrementEffect): void {
    this.#begin(effect, effect.creates)
    this.#write(effect).increment(effect.key, effect.delta)
  }

  #fields(effect: HashPutEffect): void {
    const { key, pairs } = effect
    const seen = seenByField(effect.seen)
    const entry = this.#entry(effect)
    const hash = entry === undefined ? undefined : hashOf(entry)
    const winning: string[] = []
    for (let i = 0; i + 1 < pairs.length; i += 2) {
      const field = pairs[i]!
      const value = pairs[i + 1]!
      const cell = hash?.cellOf(field)
      if (this.#isBeaten(cell, value, field)) {
        const counted = this.#countedAgain(cell)
        if (counted !== undefined) this.#write(effect).incrementField(key, field, negateAmount(counted))
        // The value is beaten, but not that to write a field is to give it no deadline.
        this.#fieldDeadline({ db: effect.db, key, fields: [field], deadlineMs: NEVER })
        continue
      }
      this.#keepCell(effect, cell, field)
      this.#keepFieldDeadlines(effect, hash, field)
      winning.push(field, value)
    }
    if (winning.length === 0) return
    this.#begin(effect, effect.creates)
    this.#write(effect).putFields(key, winning)
    for (let i = 0; i < winning.length; i += 2) {
      const left = this.#left(effect, winning[i]!, seen?.get(winning[i]!))
      if (left !== undefined) this.#write(effect).incrementField(key, winning[i]!, left)
    }
  }

  #incrementField(effect: HashIncrementEffect): void {
    this.#begin(effect, effect.creates)
    this.#write(effect).incrementField(effect.key, effect.field, effect.delta)
  }

  #members(effect: SetAddEffect): void {
    const entry = this.#entry(effect)
    const members = entry === undefined ? undefined : setOf(entry)?.members
    for (const member of effect.members) {
      for (const dot of listOf(members?.get(member)))
        if (!this.#hadSeen(dot)) this.#kept(effect).others.push(dot)
    }
    this.#begin(effect, effect.creates)
    this.#write(effect).addMembers(effect.key, effect.members)
  }

  /** As of a key, field by field. */
  #fieldDeadline(effect: Omit<FieldDeadlineEffect, 'tag'>): void {
    const { db, key, fields, deadlineMs } = effect
    const entry = this.#entry(effect)
    const hash = entry === undefined ? undefined : hashOf(entry)
    for (const field of fields) {
      if (hash?.cellOf(field) === undefined) {
        this.#overwritten++
        continue
      }
      const longestMs = this.#longestUnseenOfField(effect, hash, field)
      if (longestMs > deadlineMs) this.#overwritten++
      const moment = Math.max(deadlineMs, longestMs)
      if (hash.deadlineOf(field) === moment) continue
      this.#keepFieldDeadlines(effect, hash, field)
      this.#write(effect).setFieldDeadline(key, [field], moment, db)
    }
  }

  /** @returns its moment; -Infinity when there is none that the old op had not seen */
  #longestUnseenOfField(on: OnKey, hash: HashState, field: string): number {
    const known = hash.timed?.byField.get(field)
    const kept = this.#replaced.get(nameOf(on))?.fieldDeadlines.get(field) ?? []
    // Where nothing is said of a field, each of its registers stands for "never".
    const all = known === undefined ? registersOf(hash.cellOf(field)) : listOf(known)
    const unseen = [...kept, ...all].filter((one) => !this.#hadSeen(one))
    return unseen.reduce((longest, one) => Math.max(longest, momentOf(one)), Number.NEGATIVE_INFINITY)
  }

  /** A write of the field replaces them; a deadline that the old op gave it next has to stand against them. */
  #keepFieldDeadlines(on: OnKey, hash: HashState | undefined, field: string): void {
    const known = hash?.timed?.byField.get(field)
    // Registers stand for "never" where nothing is said; they may be renewed in place by the write.
    const all =
      known === undefined ? registersOf(hash?.cellOf(field)).map((one) => new Dot(one)) : listOf(known)
    const unseen = all.filter((one) => !this.#hadSeen(one))
    if (unseen.length === 0) return
    const { fieldDeadlines } = this.#kept(on)
    fieldDeadlines.set(field, [...(fieldDeadlines.get(field) ?? []), ...unseen])
  }

  /** A removal that it had not seen stands against it; once its mark is forgotten, that nothing is there. */
  #hll(effect: HllRaiseEffect | HllJoinEffect): void {
    const { db, key, creates } = effect
    const entry = this.#entry(effect)
    const hll = entry === undefined ? undefined : hllOf(entry)
    const isRemoved = !creates && (hll === undefined || hll.isGone) && !this.#madeApart.has(nameOf(effect))
    if (isRemoved || hll?.marks.some((mark) => !this.#hadSeen(mark))) {
      this.#overwritten++
      return
    }
    this.#begin(effect, creates)
    const { hll: writes } = this.#write(effect)
    if (effect.tag === TAG.HLL_JOIN) writes.join(key, effect.text, db)
    else writes.raise(key, effect.raises, effect.isDense)
  }

  /** As for a HyperLogLog: the destruction of the group, or of all, that it had not seen stands against it. */
  #streamGroup(effect: StreamGroupEffect): void {
    const { key, group, start, entriesRead, creates } = effect
    const entry = this.#entry(effect)
    const stream = entry === undefined ? undefined : streamOf(entry)
    const isMissing = !creates && (stream === undefined || stream.isGone)
    const isRemoved = isMissing && !this.#madeApart.has(nameOf(effect))
    const isBarred = stream?.marks.some(
      (mark) => (mark.group === undefined || mark.group === group) && !this.#hadSeen(mark),
    )
    if (isRemoved || isBarred) {
      this.#overwritten++
      return
    }
    this.#begin(effect, creates)
    this.#write(effect).stream.createGroup(key, group, start, entriesRead)
  }

  /** Nothing can have been built upon what it takes away: it was this region's, or nobody's. */
  #ack(effect: StreamAckEffect): void {
    const entry = this.#entry(effect)
    if (entry === undefined || streamOf(entry)?.groups.get(effect.group) === undefined) return
    this.#write(effect).stream.ack(effect.key, effect.group, effect.ids)
  }

  /** Writes the longest of a deadline and of those it had not seen, unless that one stands already. */
  #deadline(on: OnKey, deadlineMs: number): void {
    const entry = this.#entry(on)
    if (entry === undefined || visibleState(entry) === undefined) {
      this.#overwritten++
      return
    }
    const longest = this.#longestUnseen(on, entry)
    const longestMs = longest === undefined ? Number.NEGATIVE_INFINITY : momentOf(longest)
    if (longestMs > deadlineMs) {
      this.#overwritten++
      this.#then.report('deadline', longest!, new Deadline(deadlineMs, this.#then))
    }
    if (longestMs >= deadlineMs && longestMs === deadlineOf(entry)) return
    this.#keepDeadlines(on, entry)
    this.#write(on).setDeadline(on.key, Math.max(deadlineMs, longestMs))
  }

  #longestUnseen(on: OnKey, entry: KeyEntry): Dot | undefined {
    let longest: Dot | undefined
    const kept = this.#replaced.get(nameOf(on))?.deadlines ?? []
    for (const one of [...kept, ...deadlinesOf(entry)]) {
      if (this.#hadSeen(one)) continue
      if (longest === undefined || momentOf(one) > momentOf(longest)) longest = one
    }
    return longest
  }

  /**
   * Before a write that does not speak of deadlines. One that creates the key counts as "never", whether it
   * does so now or did so when it was first minted.
   */
  #begin(on: OnKey, created: boolean): void {
    const entry = this.#entry(on)
    if (entry === undefined) return
    if (visibleState(entry) === undefined) this.#keepDeadlines(on, entry)
    else if (created && deadlineOf(entry) !== NEVER) this.#deadline(on, NEVER)
  }

  /** A value that the old write had not seen, and that is later, stands. Reported. */
  #isBeaten(cell: Cell | undefined, value: string, field?: string): boolean {
    const winner = registersOf(cell).find((register) => !this.#hadSeen(register))
    if (winner === undefined) return false
    const mine = new Register(value, this.#then)
    if (compareStamps(winner, mine) < 0) return false
    this.#overwritten++
    this.#then.field = field
    this.#then.report('register', winner, mine)
    this.#then.field = undefined
    return true
  }

  /**
   * What increments minted again have added to a cell: a write that loses to a later one had still replaced
   * them. Those of other origins stay: somebody may be removing them at this moment, and then they would go
   * twice.
   */
  #countedAgain(cell: Cell | undefined): Amount | undefined {
    return cell instanceof ManyCell ? entryOf(cell.counter, this.#minter)?.amount : undefined
  }

  /**
   * What the counters of a cell that was written over hold beyond what the old write had seen of them.
   * @param seen  what it says of this cell
   */
  #left(on: OnKey, field: string | undefined, seen: readonly SeenCounter[] | undefined): Amount | undefined {
    const entries = this.#replaced.get(nameOf(on))?.counters.get(field)
    if (entries === undefined) return undefined
    removeSeenRuns(entries, seen?.filter(isSeenAmount), this.#then)
    return entries.length === 0 ? undefined : sumOf(entries)
  }

  #keepCell(on: OnKey, cell: Cell | undefined, field?: string): void {
    for (const register of registersOf(cell)) {
      // It may be renewed in place by the write that replaces it.
      if (!this.#hadSeen(register)) this.#kept(on).others.push(new Dot(register))
    }
    if (!(cell instanceof ManyCell)) return
    const unseen = cell.counter.filter((entry) => !this.#hadSeen(entry))
    if (unseen.length === 0) return
    const { counters } = this.#kept(on)
    counters.set(field, [...(counters.get(field) ?? []), ...unseen])
  }

  #keepDeadlines(on: OnKey, entry: KeyEntry): void {
    for (const one of deadlinesOf(entry)) if (!this.#hadSeen(one)) this.#kept(on).deadlines.push(one)
  }

  #kept(on: OnKey): Replaced {
    const name = nameOf(on)
    const known = this.#replaced.get(name)
    if (known !== undefined) return known
    const made: Replaced = {
      counters: new Map(),
      scores: new Map(),
      deadlines: [],
      fieldDeadlines: new Map(),
      others: [],
    }
    this.#replaced.set(name, made)
    return made
  }

  /** Something of the key stands, or would but for what was minted again, that the old op had not seen. */
  #holdsUnseen(on: OnKey, entry: KeyEntry | undefined): boolean {
    const replaced = this.#replaced.get(nameOf(on))
    if (replaced !== undefined) {
      for (const counted of [replaced.counters, replaced.scores])
        for (const entries of counted.values())
          for (const entry of entries) if (!this.#hadSeen(entry)) return true
      for (const dot of replaced.deadlines) if (!this.#hadSeen(dot)) return true
      for (const dot of replaced.others) if (!this.#hadSeen(dot)) return true
    }
    if (entry !== undefined) for (const dot of dotsOf(entry)) if (!this.#hadSeen(dot)) return true
    return false
  }

  /** The old op's origin had seen that write then, or it is an older one of its own, minted again. */
  #hadSeen(dot: Dot): boolean {
    return this.#then.covers(dot) || dot.seq <= (this.#again.get(dot.origin) ?? 0)
  }

  #entry({ db, key }: OnKey): KeyEntry | undefined {
    return this.#keyspace.get(db, key)
  }

  /** Begins the op with the first write that is left of it. */
  #write({ db }: OnKey): Writes {
    this.#open()
    this.#minter.db = db
    return this.#writes
  }

  #open(): void {
    const minter = this.#minter
    if (!this.#isMinted) this.#again.set(minter.origin, minter.beginAgain(this.#was))
    this.#isMinted = true
  }
}

function nameOf({ db, key }: OnKey): string {
  return `${db}:${key}`
}

function wasOf(effects: readonly Effect[]): WasEffect | undefined {
  const first = effects[0]
  return first?.tag === TAG.WAS ? first : undefined
}

function seenOfString(seen: readonly SeenCounter[]): readonly SeenCounter[] {
  return seen.filter(({ type }) => type === 'string')
}

function registersOf(cell: Cell | undefined): readonly Register[] {
  if (cell === undefined) return []
  return cell instanceof ManyCell ? cell.registers : [cell]
}

function deadlinesOf(entry: KeyEntry): readonly Dot[] {
  return listOf(openKey(entry).deadlines)
}

function listOf(dots: Deadlines): readonly Dot[] {
  return dots === undefined ? [] : Array.isArray(dots) ? dots : [dots]
}

/** Every write that the key holds. */
function* dotsOf(entry: KeyEntry): Iterable<Dot> {
  const { state, hidden } = openKey(entry)
  yield* deadlinesOf(entry)
  if (state !== undefined) for (const one of [state, ...(hidden ?? [])]) yield* dotsOfState(one)
}

function* dotsOfState(state: TypedState): Iterable<Dot> {
  if (state instanceof Register || state instanceof ManyCell) yield* dotsOfCell(state)
  else if (state instanceof HashState) yield* dotsOfHash(state)
  else if (state instanceof ZsetState) for (const score of state.scores.values()) yield* dotsOfScore(score)
  else if (state instanceof HllState && !state.isGone) yield state.latest()
  else if (state instanceof StreamState) yield* state.dots()
  else if (state instanceof ListState) yield* state.dots()
  else if (state instanceof SetState) for (const dots of state.members.values()) yield* listOf(dots)
}

function* dotsOfScore(score: Score): Iterable<Dot> {
  if (!(score instanceof ManyScore)) {
    yield score
    return
  }
  yield* score.registers
  yield* score.counter
}

function* dotsOfHash(hash: HashState): Iterable<Dot> {
  for (const [, cell] of hash.cells()) yield* dotsOfCell(cell)
  for (const deadlines of hash.timed?.byField.values() ?? []) yield* listOf(deadlines)
}

function* dotsOfCell(cell: Cell): Iterable<Dot> {
  yield* registersOf(cell)
  if (cell instanceof ManyCell) yield* cell.counter
}
