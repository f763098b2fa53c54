/**
 * state.ts: what keys hold, as bytes, and back: the body of a snapshot. See FORMAT.md beside this file.
 *
 * Nothing of an entry is left out: hidden types, losing siblings, counters with what was reset of them,
 * deadlines, deadlines that outlived their key. An entry read back behaves under every later op as the one
 * that was written (round trip: test/properties/state-codec.test.ts).
 *
 * A large collection is written in parts, in any order and with other keys between them, so that it can
 * be written while it changes: opened with the key's deadlines, then members, then closed.
 *
 * Invariants: (1) the dot before is forgotten at the beginning of each entry and part, so each can be read
 * by itself. (2) A reader refuses what it does not know with a DecodeError.
 */
import { assert } from '../assert.ts'
import { type Cell, ManyCell } from '../cell.ts'
import { CounterEntry } from '../counter.ts'
import { Deadline, type Deadlines } from '../deadline.ts'
import { Dot, type Stamp, sameDot } from '../dot.ts'
import { HashState } from '../hash-aw.ts'
import { type KeyEntry, KeyState } from '../key.ts'
import type { Origin } from '../origin.ts'
import { Register } from '../register.ts'
import { SetState } from '../set-aw.ts'
import { TYPE_NAMES, type TypedState } from '../state.ts'
import { ByteReader, ByteWriter, DecodeError, type Latin1 } from './bytes.ts'

/** First byte of an entry. A number is never used again. */
const ENTRY = { REGISTER: 1, KEY: 2, OPEN: 3, MEMBERS: 4, CLOSE: 5 } as const
/** In place of an origin: the dot that was written before. */
const SAME_DOT = 0
const TYPE_STRING = TYPE_NAMES.indexOf('string')
const TYPE_HASH = TYPE_NAMES.indexOf('hash')
const TYPE_SET = TYPE_NAMES.indexOf('set')

/** A collection that may be written in parts. */
export type Collection = HashState | SetState

export class StateWriter extends ByteWriter {
  readonly #originCount: number
  #last: Stamp | undefined = undefined
  /** Where the number of members stands in the part that is open. */
  #countAt = 0
  #count = 0

  /** @param originCount  origins by their index that the file names; an entry refers to no other */
  constructor(originCount: number, latin1?: Latin1, size?: number) {
    super(latin1, size)
    this.#originCount = originCount
  }

  /** A key as a whole. */
  entry(key: string, entry: KeyEntry): void {
    this.#last = undefined
    if (entry instanceof Register) {
      this.byte(ENTRY.REGISTER)
      this.word(key)
      this.dot(entry)
      this.word(entry.value)
      return
    }
    this.byte(ENTRY.KEY)
    this.word(key)
    this.#deadlines(entry.deadlines)
    const { state, hidden } = entry
    this.varint(state === undefined ? 0 : 1 + (hidden?.length ?? 0))
    if (state !== undefined) this.#state(state)
    if (hidden !== undefined) for (const one of hidden) this.#state(one)
  }

  /** Begins a key that holds one collection and nothing hidden: its deadlines; members follow in parts. */
  openCollection(key: string, entry: KeyState, collection: Collection): void {
    this.#last = undefined
    this.byte(ENTRY.OPEN)
    this.word(key)
    this.#deadlines(entry.deadlines)
    this.byte(collection instanceof HashState ? TYPE_HASH : TYPE_SET)
  }

  /** Begins a part; `field` or `member` calls follow, then `endMembers`. */
  beginMembers(key: string): void {
    this.#last = undefined
    this.byte(ENTRY.MEMBERS)
    this.word(key)
    this.#countAt = this.at
    this.#count = 0
    this.u32(0)
  }

  field(name: string, cell: Cell): void {
    this.word(name)
    this.cell(cell)
    this.#count++
  }

  member(name: string, dots: Dot | readonly Dot[]): void {
    this.word(name)
    this.dots(dots)
    this.#count++
  }

  endMembers(): void {
    this.patchU32(this.#countAt, this.#count)
  }

  closeCollection(key: string): void {
    this.byte(ENTRY.CLOSE)
    this.word(key)
  }

  #state(state: TypedState): void {
    if (state instanceof HashState) {
      this.byte(TYPE_HASH)
      this.varint(state.size)
      for (const [field, cell] of state.fields) {
        this.word(field)
        this.cell(cell)
      }
    } else if (state instanceof SetState) {
      this.byte(TYPE_SET)
      this.varint(state.size)
      for (const [member, dots] of state.members) {
        this.word(member)
        this.dots(dots)
      }
    } else {
      assert(state instanceof Register || state instanceof ManyCell, 'a type that the codec knows')
      this.byte(TYPE_STRING)
      this.cell(state)
    }
  }

  /** A string's or a field's value. */
  cell(cell: Cell): void {
    if (cell instanceof Register) {
      this.byte(1)
      this.byte(0)
      this.#register(cell)
      return
    }
    this.varint(cell.registers.length)
    this.varint(cell.counter.length)
    for (const register of cell.registers) this.#register(register)
    for (const entry of cell.counter) {
      this.dot(entry)
      this.varint(entry.run)
      this.amount(entry.total)
      this.varint(entry.resetSeq)
      this.amount(entry.resetTotal)
    }
  }

  #register(register: Register): void {
    this.dot(register)
    this.word(register.value)
  }

  dots(dots: Dot | readonly Dot[]): void {
    if (dots instanceof Dot) {
      this.byte(1)
      this.dot(dots)
      return
    }
    this.varint(dots.length)
    for (const dot of dots) this.dot(dot)
  }

  #deadlines(deadlines: Deadlines): void {
    const all = deadlines === undefined ? [] : Array.isArray(deadlines) ? deadlines : [deadlines]
    this.varint(all.length)
    for (const one of all) {
      this.dot(one)
      // Shifted by one so that 0 can stand for never.
      this.varint(one instanceof Deadline ? one.atMs + 1 : 0)
    }
  }

  /** The dots of an entry are written in turn: one like the dot before takes a byte. */
  dot(dot: Dot): void {
    if (this.#last !== undefined && sameStamp(this.#last, dot)) {
      this.byte(SAME_DOT)
      return
    }
    this.#last = dot
    const { index } = dot.origin
    assert(index < this.#originCount, 'a snapshot refers only to origins known when it began')
    this.varint(index + 1)
    this.varint(dot.seq)
    this.varint(dot.index)
    this.u32(dot.hlcHigh)
    this.u24(dot.hlcLow)
  }
}

function sameStamp(a: Stamp, b: Stamp): boolean {
  return sameDot(a, b) && a.hlcHigh === b.hlcHigh && a.hlcLow === b.hlcLow
}

/** Takes the entries as they are read. */
export interface EntrySink {
  restore(db: number, key: string, entry: KeyEntry): void
}

/** Collections that are read in part, by database and key; empty at the end of a whole snapshot. */
export type OpenCollections = Map<string, { readonly entry: KeyState; readonly collection: Collection }>

/** A stamp that moves from dot to dot, so that only what is kept is made. */
interface MovingStamp {
  origin: Origin
  seq: number
  index: number
  hlcHigh: number
  hlcLow: number
}

export class StateReader extends ByteReader {
  readonly #origins: readonly Origin[]
  readonly #open: OpenCollections
  readonly #stamp: MovingStamp
  #hasStamp = false
  /** The present stamp as an object; members of one SADD share it. */
  #shared: Dot | undefined = undefined

  /** @param origins  as the file names them, in its order */
  constructor(
    bytes: Uint8Array,
    origins: readonly Origin[],
    open: OpenCollections,
    latin1?: Latin1,
    at = 0,
    end = bytes.length,
  ) {
    super(bytes, latin1, at, end)
    this.#origins = origins
    this.#open = open
    // Never looked at before a dot has been read, and none can be read when there is no origin.
    this.#stamp = { origin: origins[0]!, seq: 0, index: 0, hlcHigh: 0, hlcLow: 0 }
  }

  /** Reads one entry or part, and hands over a key that is whole. @throws DecodeError */
  entry(db: number, sink: EntrySink): void {
    this.#hasStamp = false
    this.#shared = undefined
    const kind = this.byte()
    const key = this.word()
    if (kind === ENTRY.REGISTER) {
      const stamp = this.dot()
      sink.restore(db, key, new Register(this.word(), stamp))
    } else if (kind === ENTRY.KEY) {
      sink.restore(db, key, this.#key())
    } else if (kind === ENTRY.OPEN) {
      this.#openCollection(db, key)
    } else {
      this.#part(kind, db, key, sink)
    }
  }

  #key(): KeyState {
    const deadlines = this.#deadlines()
    const states: TypedState[] = []
    for (let left = this.varint(); left > 0; left--) states.push(this.#state())
    if (states.length === 0 && deadlines === undefined) throw new DecodeError('a key without anything')
    const key = new KeyState(states[0], deadlines)
    if (states.length > 1) key.hidden = states.slice(1)
    return key
  }

  #openCollection(db: number, key: string): void {
    const name = `${db} ${key}`
    if (this.#open.has(name)) throw new DecodeError('a collection that is opened twice')
    const deadlines = this.#deadlines()
    const collection = this.#emptyCollection(this.byte())
    this.#open.set(name, { entry: new KeyState(collection, deadlines), collection })
  }

  #emptyCollection(type: number): Collection {
    if (type === TYPE_HASH) return new HashState()
    if (type === TYPE_SET) return new SetState()
    throw new DecodeError(`an unknown type of collection ${type}`)
  }

  #part(kind: number, db: number, key: string, sink: EntrySink): void {
    if (kind !== ENTRY.MEMBERS && kind !== ENTRY.CLOSE) throw new DecodeError(`an unknown entry ${kind}`)
    const name = `${db} ${key}`
    const opened = this.#open.get(name)
    if (opened === undefined) throw new DecodeError('a part of a collection that is not open')
    if (kind === ENTRY.MEMBERS) {
      this.#members(opened.collection, this.u32())
      return
    }
    if (opened.collection.size === 0) throw new DecodeError('a collection without members')
    this.#open.delete(name)
    sink.restore(db, key, opened.entry)
  }

  #state(): TypedState {
    const type = this.byte()
    if (type === TYPE_STRING) return this.cell()
    const collection = this.#emptyCollection(type)
    this.#members(collection, this.varint())
    if (collection.size === 0) throw new DecodeError('a collection without members')
    return collection
  }

  #members(collection: Collection, count: number): void {
    if (collection instanceof HashState) {
      for (let left = count; left > 0; left--) collection.fields.set(this.word(), this.cell())
    } else {
      for (let left = count; left > 0; left--) collection.members.set(this.word(), this.dots())
    }
  }

  cell(): Cell {
    const registerCount = this.varint()
    const counterCount = this.varint()
    if (registerCount === 1 && counterCount === 0) return this.#register()
    if (registerCount + counterCount === 0) throw new DecodeError('a value without a write')
    const registers: Register[] = []
    for (let left = registerCount; left > 0; left--) registers.push(this.#register())
    const counter: CounterEntry[] = []
    for (let left = counterCount; left > 0; left--) counter.push(this.#counterEntry())
    return new ManyCell(registers, counter)
  }

  #register(): Register {
    const stamp = this.dot()
    return new Register(this.word(), stamp)
  }

  #counterEntry(): CounterEntry {
    const stamp = this.dot()
    const run = this.varint()
    const total = this.amount()
    const resetSeq = this.varint()
    const entry = new CounterEntry(stamp, run, total, this.amount())
    entry.resetSeq = resetSeq
    return entry
  }

  dots(): Dot | Dot[] {
    const count = this.varint()
    if (count === 1) return this.sharedDot()
    if (count === 0) throw new DecodeError('a member without a dot')
    const dots: Dot[] = []
    for (let left = count; left > 0; left--) dots.push(this.sharedDot())
    return dots
  }

  #deadlines(): Deadlines {
    const dots: Dot[] = []
    for (let left = this.varint(); left > 0; left--) {
      const stamp = this.dot()
      const shifted = this.varint()
      dots.push(shifted === 0 ? this.#share(stamp) : new Deadline(shifted - 1, stamp))
    }
    return dots.length > 1 ? dots : dots[0]
  }

  sharedDot(): Dot {
    return this.#share(this.dot())
  }

  /** Plain dots are never changed in place, so those of one stamp can be one object. */
  #share(stamp: Stamp): Dot {
    this.#shared ??= new Dot(stamp)
    return this.#shared
  }

  /** The next dot, in an object that moves on with the next call. */
  dot(): Stamp {
    const stamp = this.#stamp
    const reference = this.varint()
    if (reference === SAME_DOT) {
      if (!this.#hasStamp) throw new DecodeError('a dot like one before, but there is none')
      return stamp
    }
    const origin = this.#origins[reference - 1]
    if (origin === undefined) throw new DecodeError('an origin that the snapshot does not name')
    stamp.origin = origin
    stamp.seq = this.varint()
    stamp.index = this.varint()
    stamp.hlcHigh = this.u32()
    stamp.hlcLow = this.u24()
    this.#hasStamp = true
    this.#shared = undefined
    return stamp
  }
}
