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
import type { Collection } from '../../crdt/codec/state.ts'
import type { Dot } from '../../crdt/dot.ts'
import { TAG } from '../../crdt/effects/effect.ts'
import { HashState } from '../../crdt/hash-aw.ts'
import { type KeyEntry, KeyState } from '../../crdt/key.ts'
import type { KeyEffect } from '../../crdt/registry.ts'
import { SetState } from '../../crdt/set-aw.ts'
import type { WalkVisitor } from '../engine/walk.ts'
import type { SnapshotEncoder } from './snapshot-file.ts'

/** A collection with more members than this is written in parts. */
export const LARGE_MEMBERS = 512
/** Members in a part, which the walk writes at once. */
const PART_MEMBERS = 256

type Cell = HashState['fields'] extends ReadonlyMap<string, infer Value> ? Value : never
type Member = [string, Cell | Dot | Dot[]]

/** A large collection that is written in part. */
interface OpenCollection {
  /** Members that an effect has touched since the walk began: those that existed then are written. */
  readonly touched: Set<string>
  /** The others, as far as the walk has come. */
  ahead: Iterator<Member> | undefined
}

export class SnapshotWriter implements WalkVisitor {
  readonly #out: SnapshotEncoder
  /** By the state itself, which stays the same object while its members come and go. */
  readonly #open = new Map<Collection, OpenCollection>()

  constructor(out: SnapshotEncoder) {
    this.#out = out
  }

  reached(db: number, key: string, entry: KeyEntry): boolean {
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

  changing(db: number, key: string, entry: KeyEntry, effect: KeyEffect): boolean {
    const collection = largeCollection(entry, this.#open)
    const touched = collection === undefined ? undefined : touchedMembers(effect, collection)
    if (collection === undefined || touched === undefined) return this.#writeWhole(db, key, entry, collection)
    this.#keep(db, key, collection, this.#opened(db, key, entry as KeyState, collection), touched)
    return false
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
    const made: OpenCollection = { touched: new Set(), ahead: undefined }
    this.#open.set(collection, made)
    return made
  }

  /** Writes the old values of members that are about to change. */
  #keep(
    db: number,
    key: string,
    collection: Collection,
    { touched }: OpenCollection,
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
        const cell = collection.fields.get(name)
        if (cell !== undefined) out.field(name, cell)
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
    open.ahead ??= (collection instanceof HashState ? collection.fields : collection.members).entries()
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
      if (collection instanceof HashState) out.field(name, value as Cell)
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

/** The collection of a key that is to be written in parts, or is already; undefined for any other key. */
function largeCollection(
  entry: KeyEntry,
  open: ReadonlyMap<Collection, OpenCollection>,
): Collection | undefined {
  if (!(entry instanceof KeyState) || entry.hidden !== undefined) return undefined
  const { state } = entry
  if (!(state instanceof HashState || state instanceof SetState)) return undefined
  return state.size > LARGE_MEMBERS || open.has(state) ? state : undefined
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
  if (collection instanceof HashState) {
    if (effect.tag === TAG.HASH_PUT) return { names: effect.pairs, stride: 2 }
    if (effect.tag === TAG.HASH_INCREMENT) return { names: [effect.field], stride: 1 }
    if (effect.tag === TAG.HASH_REMOVE) return unlessAll(effect.fields, collection)
  } else {
    if (effect.tag === TAG.SET_ADD) return { names: effect.members, stride: 1 }
    if (effect.tag === TAG.SET_REMOVE) return unlessAll(effect.members, collection)
  }
  return undefined
}

function unlessAll(names: readonly string[], { size }: Collection): Touched | undefined {
  return names.length < size ? { names, stride: 1 } : undefined
}
