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
import { FieldDeadlines } from '../field-deadlines.ts'
import { HashState } from '../hash-aw.ts'
import { HllState } from '../hll.ts'
import { type KeyEntry, KeyState } from '../key.ts'
import type { ListChunk } from '../list-chunk.ts'
import { ListState, type RestoredNode } from '../list-fugue.ts'
import type { Origin } from '../origin.ts'
import { Register } from '../register.ts'
import { SetState } from '../set-aw.ts'
import { TYPE_NAMES, type TypedState } from '../state.ts'
import { type StreamEntry, StreamState } from '../stream.ts'
import type { RecordContext } from '../table/record-context.ts'
import { ZsetState } from '../zset-aw.ts'
import type { Score } from '../zset-score.ts'
import { ByteReader, ByteWriter, DecodeError, type Latin1 } from './bytes.ts'
import { readHll, writeHll } from './hll-state.ts'
import { joinParts, readList, readNodes, writeList, writeNodes } from './list-state.ts'
import { readStreamEntry, readStreamHead, writeStreamEntry, writeStreamHead } from './stream-state.ts'
import { decodeScore, encodeScore } from './zset-state.ts'

/** First byte of an entry. A number is never used again. */
const ENTRY = { REGISTER: 1, KEY: 2, OPEN: 3, MEMBERS: 4, CLOSE: 5, LIST_PART: 6 } as const
/** In place of an origin: the dot that was written before. */
const SAME_DOT = 0
const TYPE_STRING = TYPE_NAMES.indexOf('string')
const TYPE_HASH = TYPE_NAMES.indexOf('hash')
/** A hash of which fields have deadlines, or had. */
const TYPE_TIMED_HASH = 16 + TYPE_HASH
const TYPE_SET = TYPE_NAMES.indexOf('set')
const TYPE_ZSET = TYPE_NAMES.indexOf('zset')
const TYPE_STREAM = TYPE_NAMES.indexOf('stream')
const TYPE_LIST = TYPE_NAMES.indexOf('list')
const TYPE_HLL = TYPE_NAMES.indexOf('hll')

/** A collection that may be written in parts. */
export type Collection = HashState | SetState | ZsetState | StreamState

/** A key that holds one register and nothing else, with key and value as bytes of `bytes`. */
export interface PackedRegister {
  readonly stamp: Stamp
  readonly bytes: Uint8Array
  readonly keyAt: number
  readonly keyLength: number
  readonly valueAt: number
  readonly valueLength: number
}

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

  /** The same of a register, without a string being made of its key or its value. */
  packedRegister(register: PackedRegister): void {
    this.#last = undefined
    this.byte(ENTRY.REGISTER)
    this.wordIn(register.bytes, register.keyAt, register.keyLength)
    this.dot(register.stamp)
    this.wordIn(register.bytes, register.valueAt, register.valueLength)
  }

  /** Begins a key that holds one collection and nothing hidden: its deadlines; members follow in parts. */
  openCollection(key: string, entry: KeyState, collection: Collection | ListState): void {
    this.#last = undefined
    this.byte(ENTRY.OPEN)
    this.word(key)
    this.#deadlines(entry.deadlines)
    this.byte(isTimed(collection) ? TYPE_TIMED_HASH : TYPE_NAMES.indexOf(collection.type))
    if (collection instanceof StreamState) writeStreamHead(collection, this)
  }

  /** Begins a part; `field`, `member` or `scored` calls follow, then `endMembers`. */
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

  /** A field with its deadlines, or only those: of a hash that was opened with deadlines. */
  timedField(name: string, cell: Cell | undefined, deadlines: Deadlines): void {
    this.#timedField(name, cell, deadlines)
    this.#count++
  }

  #timedField(name: string, cell: Cell | undefined, deadlines: Deadlines): void {
    this.word(name)
    this.#deadlines(deadlines)
    this.byte(cell === undefined ? 0 : 1)
    if (cell !== undefined) this.cell(cell)
  }

  member(name: string, dots: Dot | readonly Dot[]): void {
    this.word(name)
    this.dots(dots)
    this.#count++
  }

  /** A member of a sorted set. */
  scored(name: string, score: Score): void {
    this.word(name)
    encodeScore(score, this)
    this.#count++
  }

  streamEntry(entry: StreamEntry): void {
    writeStreamEntry(entry, this)
    this.#count++
  }

  endMembers(): void {
    this.patchU32(this.#countAt, this.#count)
  }

  /** One chunk of a list that is written in parts. @param place  of the chunk among those of the list */
  listPart(key: string, place: number, list: ListState, chunk: ListChunk): void {
    this.#last = undefined
    this.byte(ENTRY.LIST_PART)
    this.word(key)
    this.varint(place)
    writeNodes(list, chunk, this)
  }

  closeCollection(key: string): void {
    this.byte(ENTRY.CLOSE)
    this.word(key)
  }

  #state(state: TypedState): void {
    if (state instanceof HashState && state.timed !== undefined) {
      const names = [...state.names()]
      this.byte(TYPE_TIMED_HASH)
      this.varint(names.length)
      for (const name of names) this.#timedField(name, state.cellOf(name), state.timed.byField.get(name))
    } else if (state instanceof HashState) {
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
    } else if (state instanceof StreamState) {
      this.byte(TYPE_STREAM)
      writeStreamHead(state, this)
      this.varint(state.size)
      for (const entry of state.entries) writeStreamEntry(entry, this)
    } else if (state instanceof ListState) {
      this.byte(TYPE_LIST)
      writeList(state, this)
    } else if (state instanceof HllState) {
      this.byte(TYPE_HLL)
      writeHll(state, this)
    } else if (state instanceof ZsetState) {
      this.byte(TYPE_ZSET)
      this.varint(state.size)
      for (const [member, score] of state.scores) {
        this.word(member)
        encodeScore(score, this)
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

  origin({ index }: Origin): void {
    assert(index < this.#originCount, 'a snapshot refers only to origins known when it began')
    this.varint(index + 1)
  }

  /** The dots of an entry are written in turn: one like the dot before takes a byte. */
  dot(dot: Stamp): void {
    if (this.#last !== undefined && sameStamp(this.#last, dot)) {
      this.byte(SAME_DOT)
      return
    }
    this.#last = dot
    this.origin(dot.origin)
    this.varint(dot.seq)
    this.varint(dot.index)
    this.u32(dot.hlcHigh)
    this.u24(dot.hlcLow)
  }
}

function sameStamp(a: Stamp, b: Stamp): boolean {
  return sameDot(a, b) && a.hlcHigh === b.hlcHigh && a.hlcLow === b.hlcLow
}

function isTimed(collection: Collection | ListState): boolean {
  return collection instanceof HashState && collection.timed !== undefined
}

function timedHash(): HashState {
  const hash = new HashState()
  hash.timed = new FieldDeadlines()
  return hash
}

/** A stream may have no entries and be there: for its groups, or for the marks of what it had. */
function isHollow(collection: Collection): boolean {
  if (collection instanceof HashState) return collection.isEmpty
  return collection instanceof StreamState ? collection.rest() === undefined : collection.size === 0
}

/** Takes the entries as they are read. */
export interface EntrySink {
  /** Where large collections find what they need to be packed. */
  readonly records: RecordContext | undefined
  restore(db: number, key: string, entry: KeyEntry): void
}

/** Collections that are read in part, by database and key; empty at the end of a whole snapshot. */
export type OpenCollections = Map<string, OpenCollection>

interface OpenCollection {
  readonly entry: KeyState
  readonly collection: Collection | ListState
  /** The nodes of a list, by the place of their chunk. */
  readonly parts: Map<number, readonly RestoredNode[]>
}

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
      sink.restore(db, key, this.#key(sink.records))
    } else if (kind === ENTRY.OPEN) {
      this.#openCollection(db, key)
    } else {
      this.#part(kind, db, key, sink)
    }
  }

  #key(records: RecordContext | undefined): KeyState {
    const deadlines = this.#deadlines()
    const states: TypedState[] = []
    for (let left = this.varint(); left > 0; left--) states.push(this.#state(records))
    if (states.length === 0 && deadlines === undefined) throw new DecodeError('a key without anything')
    const key = new KeyState(states[0], deadlines)
    if (states.length > 1) key.hidden = states.slice(1)
    return key
  }

  #openCollection(db: number, key: string): void {
    const name = `${db} ${key}`
    if (this.#open.has(name)) throw new DecodeError('a collection that is opened twice')
    const deadlines = this.#deadlines()
    const type = this.byte()
    const collection = type === TYPE_LIST ? new ListState() : this.#emptyCollection(type)
    this.#open.set(name, { entry: new KeyState(collection, deadlines), collection, parts: new Map() })
  }

  #emptyCollection(type: number): Collection {
    if (type === TYPE_HASH) return new HashState()
    if (type === TYPE_TIMED_HASH) return timedHash()
    if (type === TYPE_SET) return new SetState()
    if (type === TYPE_ZSET) return new ZsetState()
    if (type === TYPE_STREAM) return this.#streamHead()
    throw new DecodeError(`an unknown type of collection ${type}`)
  }

  #streamHead(): StreamState {
    const stream = new StreamState()
    readStreamHead(stream, this)
    return stream
  }

  #part(kind: number, db: number, key: string, sink: EntrySink): void {
    if (kind !== ENTRY.MEMBERS && kind !== ENTRY.CLOSE && kind !== ENTRY.LIST_PART)
      throw new DecodeError(`an unknown entry ${kind}`)
    const name = `${db} ${key}`
    const opened = this.#open.get(name)
    if (opened === undefined) throw new DecodeError('a part of a collection that is not open')
    const { collection, parts } = opened
    if ((kind === ENTRY.LIST_PART) !== collection instanceof ListState && kind !== ENTRY.CLOSE)
      throw new DecodeError('a part of another type of collection')
    if (kind === ENTRY.LIST_PART) {
      parts.set(this.varint(), readNodes(this))
      return
    }
    if (kind === ENTRY.MEMBERS) {
      this.#members(collection as Collection, this.u32(), sink.records)
      return
    }
    if (collection instanceof ListState) joinParts(collection, parts)
    else if (isHollow(collection)) throw new DecodeError('a collection without members')
    this.#open.delete(name)
    sink.restore(db, key, opened.entry)
  }

  #state(records: RecordContext | undefined): TypedState {
    const type = this.byte()
    if (type === TYPE_STRING) return this.cell()
    if (type === TYPE_HLL) return readHll(this)
    if (type === TYPE_LIST) return readList(this)
    const collection = this.#emptyCollection(type)
    this.#members(collection, this.varint(), records)
    if (isHollow(collection)) throw new DecodeError('a collection without members')
    return collection
  }

  #members(collection: Collection, count: number, records: RecordContext | undefined): void {
    if (collection instanceof HashState) {
      const { timed } = collection
      if (timed !== undefined)
        for (let left = count; left > 0; left--) this.#readTimedField(collection, timed, records)
      else for (let left = count; left > 0; left--) collection.fields.set(this.word(), this.cell(), records)
    } else if (collection instanceof StreamState) {
      for (let left = count; left > 0; left--) collection.entries.add(readStreamEntry(this))
    } else if (collection instanceof ZsetState) {
      for (let left = count; left > 0; left--) collection.restore(this.word(), decodeScore(this))
    } else {
      for (let left = count; left > 0; left--) collection.members.set(this.word(), this.dots(), records)
    }
  }

  #readTimedField(hash: HashState, timed: FieldDeadlines, records: RecordContext | undefined): void {
    const name = this.word()
    const deadlines = this.#deadlines()
    if (deadlines !== undefined) timed.byField.set(name, deadlines)
    timed.changed.add(name)
    const hasCell = this.byte()
    if (hasCell === 1) hash.fields.set(name, this.cell(), records)
    else if (hasCell !== 0 || deadlines === undefined) throw new DecodeError('a field without anything')
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

  origin(): Origin {
    return this.#originAt(this.varint())
  }

  #originAt(reference: number): Origin {
    const origin = this.#origins[reference - 1]
    if (origin === undefined) throw new DecodeError('an origin that the snapshot does not name')
    return origin
  }

  /** The next dot, in an object that moves on with the next call. */
  dot(): Stamp {
    const stamp = this.#stamp
    const reference = this.varint()
    if (reference === SAME_DOT) {
      if (!this.#hasStamp) throw new DecodeError('a dot like one before, but there is none')
      return stamp
    }
    stamp.origin = this.#originAt(reference)
    stamp.seq = this.varint()
    stamp.index = this.varint()
    stamp.hlcHigh = this.u32()
    stamp.hlcLow = this.u24()
    this.#hasStamp = true
    this.#shared = undefined
    return stamp
  }
}
