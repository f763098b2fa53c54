/**
 * snapshot-writer.ts: what a walk through the keyspace becomes in a snapshot's file.
 *
 * A small key is written when the walk reaches it or just before it changes, whichever comes first. A
 * large collection is not, because that would hold everybody up: it is written in parts. When it is about
 * to change before the walk has come to its end, only the members that the effect touches are written,
 * with their old values, and their names are remembered; when the walk gets there, the others are written
 * as they are, which is as they were. A member that did not exist before is remembered and never written.
 *
 * Invariants: (1) every member is written with the value it had when the walk began. (2) A collection is
 * written whole before an effect that touches all of it, or might leave nothing of it: then the cost of
 * writing is in proportion to that of the effect. (3) A key with hidden types is written whole: one that
 * regions created apart, which is rare.
 */
import type { Collection, PackedRegister } from '../../crdt/codec/state.ts'
import type { Dot } from '../../crdt/dot.ts'
import { TAG } from '../../crdt/effects/effect.ts'
import { HashState } from '../../crdt/hash-aw.ts'
import { type KeyEntry, KeyState } from '../../crdt/key.ts'
import { ListState } from '../../crdt/list-fugue.ts'
import type { KeyEffect } from '../../crdt/registry.ts'
import { SetState } from '../../crdt/set-aw.ts'
import { type StreamEntry, StreamState } from '../../crdt/stream.ts'
import { ZsetState } from '../../crdt/zset-aw.ts'
import type { Score } from '../../crdt/zset-score.ts'
import type { WalkVisitor } from '../engine/walk.ts'
import { ListParts } from './list-parts.ts'
import type { SnapshotEncoder } from './snapshot-file.ts'
import { EntryWalk, entriesNamed, touchedIds } from './stream-parts.ts'

/** A collection with more members than this is written in parts. */
export const LARGE_MEMBERS = 512
/** Chunks of a list that the walk writes at once. */
const PART_CHUNKS = 2
const LIST_TAGS: ReadonlySet<number> = new Set([TAG.LIST_INSERT, TAG.LIST_REMOVE, TAG.LIST_SET, TAG.DEADLINE])
/** Members in a part, which the walk writes at once. */
const PART_MEMBERS = 256

type Member = [string, undefined | Dot | Dot[] | Score | StreamEntry]

/** A large collection that is written in part. */
interface OpenCollection {
  /** Members that an effect has touched since the walk began: those that existed then are written. */
  readonly touched: Set<string>
  /** A hash of which fields had deadlines when it was opened: they are written with the fields. */
  readonly isTimed: boolean
  /** The others, as far as the walk has come. */
  ahead: Iterator<Member> | undefined
}

export class SnapshotWriter implements WalkVisitor {
  readonly #out: SnapshotEncoder
  /** By the state itself, which stays the same object while its members come and go. */
  readonly #open = new Map<Collection, OpenCollection>()

  /** Large lists, by the state itself. */
  readonly #lists = new Map<ListState, ListParts>()

  constructor(out: SnapshotEncoder) {
    this.#out = out
  }

  reached(db: number, key: string, entry: KeyEntry): boolean {
    const list = this.#largeList(entry)
    if (list !== undefined) return this.#writeList(db, key, entry as KeyState, list, PART_CHUNKS)
    const collection = largeCollection(entry, this.#open)
    if (collection === undefined) {
      this.#out.select(db)
      this.#out.entry(key, entry)
      return true
    }
    const open = this.#opened(db, key, entry as KeyState, collection)
    if (!this.#writeRest(db, key, collection, open, PART_MEMBERS)) return false
    this.#close(db, key, collection)
    return true
  }

  reachedPacked(db: number, register: PackedRegister): void {
    this.#out.select(db)
    this.#out.packedRegister(register)
  }

  changing(db: number, key: string, entry: KeyEntry, effect: KeyEffect): boolean {
    const list = this.#largeList(entry)
    if (list !== undefined) {
      // An effect on the list writes what it changes as it goes; any other may change all of the key.
      if (!LIST_TAGS.has(effect.tag))
        return this.#writeList(db, key, entry as KeyState, list, Number.POSITIVE_INFINITY)
      this.#openedList(db, key, entry as KeyState, list)
      return false
    }
    const collection = largeCollection(entry, this.#open)
    const touched = collection === undefined ? undefined : touchedMembers(effect, collection)
    if (collection === undefined || touched === undefined) return this.#writeWhole(db, key, entry, collection)
    this.#keep(db, key, collection, this.#opened(db, key, entry as KeyState, collection), touched)
    return false
  }

  ended(): void {
    for (const parts of this.#lists.values()) parts.end()
    this.#lists.clear()
  }

  /** The list of a key that is to be written in parts, or is already. */
  #largeList(entry: KeyEntry): ListState | undefined {
    if (!(entry instanceof KeyState) || !(entry.state instanceof ListState)) return undefined
    const list = entry.state
    if (this.#lists.has(list)) return list
    return entry.hidden === undefined && list.size + list.markers > LARGE_MEMBERS ? list : undefined
  }

  #openedList(db: number, key: string, entry: KeyState, list: ListState): ListParts {
    const known = this.#lists.get(list)
    if (known !== undefined) return known
    this.#out.select(db)
    this.#out.openCollection(key, entry, list)
    const made = new ListParts(this.#out, db, key, list)
    this.#lists.set(list, made)
    return made
  }

  /** @returns true when all of it is written */
  #writeList(db: number, key: string, entry: KeyState, list: ListState, chunks: number): boolean {
    const parts = this.#openedList(db, key, entry, list)
    if (!parts.writeRest(chunks)) return false
    parts.end()
    this.#lists.delete(list)
    this.#out.select(db)
    this.#out.closeCollection(key)
    return true
  }

  #writeWhole(db: number, key: string, entry: KeyEntry, collection: Collection | undefined): boolean {
    const open = collection === undefined ? undefined : this.#open.get(collection)
    if (collection === undefined || open === undefined) {
      this.#out.select(db)
      this.#out.entry(key, entry)
      return true
    }
    this.#writeRest(db, key, collection, open, Number.POSITIVE_INFINITY)
    this.#close(db, key, collection)
    return true
  }

  #opened(db: number, key: string, entry: KeyState, collection: Collection): OpenCollection {
    const known = this.#open.get(collection)
    if (known !== undefined) return known
    this.#out.select(db)
    this.#out.openCollection(key, entry, collection)
    const isTimed = collection instanceof HashState && collection.timed !== undefined
    const made: OpenCollection = { touched: new Set(), isTimed, ahead: undefined }
    this.#open.set(collection, made)
    return made
  }

  /** Writes the old values of members that are about to change. */
  #keep(
    db: number,
    key: string,
    collection: Collection,
    { touched, isTimed }: OpenCollection,
    members: Touched,
  ): void {
    const out = this.#out
    out.select(db)
    out.beginMembers(key)
    for (let i = 0; i < members.names.length; i += members.stride) {
      const name = members.names[i]!
      if (touched.has(name)) continue
      touched.add(name)
      if (collection instanceof HashState) {
        writeField(out, collection, name, isTimed)
      } else if (collection instanceof ZsetState) {
        const score = collection.scores.get(name)
        if (score !== undefined) out.scored(name, score)
      } else if (collection instanceof StreamState) {
        for (const entry of entriesNamed(collection, name)) out.streamEntry(entry)
      } else {
        const dots = collection.members.get(name)
        if (dots !== undefined) out.member(name, dots)
      }
    }
    out.endMembers()
  }

  /** Writes at most `count` of the members that nothing has touched. @returns true when there are no more */
  #writeRest(db: number, key: string, collection: Collection, open: OpenCollection, count: number): boolean {
    const out = this.#out
    open.ahead ??= membersOf(collection)
    out.select(db)
    out.beginMembers(key)
    let isOver = false
    // Touched ones cost a step too, or a collection that changed all over would take one long one.
    for (let i = 0; i < count; i++) {
      const next = open.ahead.next()
      if (next.done === true) {
        isOver = true
        break
      }
      const [name, value] = next.value
      if (open.touched.has(name)) continue
      if (collection instanceof HashState) writeField(out, collection, name, open.isTimed)
      else if (collection instanceof ZsetState) out.scored(name, value as Score)
      else if (collection instanceof StreamState) out.streamEntry(value as StreamEntry)
      else out.member(name, value as Dot | Dot[])
    }
    out.endMembers()
    return isOver
  }

  #close(db: number, key: string, collection: Collection): void {
    this.#out.select(db)
    this.#out.closeCollection(key)
    this.#open.delete(collection)
  }
}

/** As it is now, which for one that nothing has touched is as it was. */
function writeField(out: SnapshotEncoder, hash: HashState, name: string, isTimed: boolean): void {
  const cell = hash.cellOf(name)
  const deadlines = isTimed ? hash.timed?.byField.get(name) : undefined
  if (isTimed && (cell !== undefined || deadlines !== undefined)) out.timedField(name, cell, deadlines)
  else if (cell !== undefined) out.field(name, cell)
}

function* namesOf(hash: HashState): Iterator<Member> {
  for (const name of hash.names()) yield [name, undefined]
}

function membersOf(collection: Collection): Iterator<Member> {
  if (collection instanceof HashState) return namesOf(collection)
  if (collection instanceof StreamState) return new EntryWalk(collection)
  return (collection instanceof ZsetState ? collection.scores : collection.members).entries()
}

/** The collection of a key that is to be written in parts, or is already; undefined for any other key. */
function largeCollection(
  entry: KeyEntry,
  open: ReadonlyMap<Collection, OpenCollection>,
): Collection | undefined {
  if (!(entry instanceof KeyState) || entry.hidden !== undefined) return undefined
  const { state } = entry
  if (
    !(
      state instanceof HashState ||
      state instanceof SetState ||
      state instanceof ZsetState ||
      state instanceof StreamState
    )
  )
    return undefined
  const size = state instanceof HashState ? state.cellCount : state.size
  return size > LARGE_MEMBERS || open.has(state) ? state : undefined
}

/** Names of members at every `stride`-th place. */
interface Touched {
  readonly names: readonly string[]
  readonly stride: number
}

const NO_MEMBER: Touched = { names: [], stride: 1 }

/** Members that the effect touches; undefined when it may touch all, remove all, or bring another type. */
function touchedMembers(effect: KeyEffect, collection: Collection): Touched | undefined {
  if (effect.tag === TAG.DEADLINE) return NO_MEMBER
  if (collection instanceof StreamState) {
    const names = touchedIds(effect, collection)
    return names === undefined ? undefined : { names, stride: 1 }
  }
  if (collection instanceof HashState) {
    if (effect.tag === TAG.HASH_PUT) return { names: effect.pairs, stride: 2 }
    if (effect.tag === TAG.HASH_INCREMENT) return { names: [effect.field], stride: 1 }
    if (effect.tag === TAG.HASH_REMOVE) return unlessAll(effect.fields, collection)
    if (effect.tag === TAG.FIELD_DEADLINE) return { names: effect.fields, stride: 1 }
  } else if (collection instanceof ZsetState) {
    if (effect.tag === TAG.ZSET_ADD) return { names: effect.members, stride: 1 }
    if (effect.tag === TAG.ZSET_INCREMENT) return { names: [effect.member], stride: 1 }
    if (effect.tag === TAG.ZSET_REMOVE) return unlessAll(effect.members, collection)
  } else {
    if (effect.tag === TAG.SET_ADD) return { names: effect.members, stride: 1 }
    if (effect.tag === TAG.SET_REMOVE) return unlessAll(effect.members, collection)
  }
  return undefined
}

function unlessAll(names: readonly string[], { size }: Collection): Touched | undefined {
  return names.length < size ? { names, stride: 1 } : undefined
}
