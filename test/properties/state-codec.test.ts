/**
 * state-codec.test.ts: what a snapshot writes of a key is what is read: every form an entry can have, whole
 * and in parts; and bytes that mean nothing give a DecodeError and nothing else.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Amount, Decimal } from '../../crdt/amount.ts'
import { type Cell, ManyCell } from '../../crdt/cell.ts'
import { DecodeError, portableLatin1 } from '../../crdt/codec/bytes.ts'
import { type OpenCollections, StateReader, StateWriter } from '../../crdt/codec/state.ts'
import { CounterEntry } from '../../crdt/counter.ts'
import { Deadline, type Deadlines } from '../../crdt/deadline.ts'
import { Dot, type Stamp } from '../../crdt/dot.ts'
import { addExact, exactOf } from '../../crdt/exact-sum.ts'
import { FieldDeadlines } from '../../crdt/field-deadlines.ts'
import { HashState } from '../../crdt/hash-aw.ts'
import { HllState } from '../../crdt/hll.ts'
import { raiseOf } from '../../crdt/hll-hash.ts'
import { cardOf } from '../../crdt/hll-registers.ts'
import { describeKey, type KeyEntry, KeyState } from '../../crdt/key.ts'
import { MemberMap } from '../../crdt/member-map.ts'
import { type Origin, OriginTable, originId } from '../../crdt/origin.ts'
import { Register } from '../../crdt/register.ts'
import { SetState } from '../../crdt/set-aw.ts'
import type { TypedState } from '../../crdt/state.ts'
import { GroupMark, StreamEntry, StreamState } from '../../crdt/stream.ts'
import { EntryPoint, Group } from '../../crdt/stream-group.ts'
import { RecordContext } from '../../crdt/table/record-context.ts'
import { ZsetState } from '../../crdt/zset-aw.ts'
import { ManyScore, type Score, ScoreEntry, ScoreRegister } from '../../crdt/zset-score.ts'

const RUNS = 300
const origins = new OriginTable()
const known: Origin[] = [1, 2, 1023].map((region) =>
  origins.intern(originId(region, new Uint8Array([1, 2, 3, 4, 5, region & 255]))),
)

const word = fc.oneof(
  fc.string({ unit: 'binary-ascii', maxLength: 8 }),
  fc.uint8Array({ maxLength: 40 }).map((bytes) => String.fromCharCode(...bytes)),
)
const count = fc.oneof(fc.nat({ max: 300 }), fc.maxSafeNat())
const amount: fc.Arbitrary<Amount> = fc.oneof(
  fc.integer(),
  fc.bigInt({ min: 2n ** 53n, max: 2n ** 70n }).map((units) => new Decimal(units, 0, false)),
  fc
    .tuple(fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }), fc.nat({ max: 20 }))
    .map(([units, scale]) => new Decimal(units, scale, true)),
)
/** Few different ones, so that neighbours often share a dot. */
const stamp: fc.Arbitrary<Stamp> = fc.record({
  origin: fc.constantFrom(...known),
  seq: fc.oneof(fc.constantFrom(1, 2), count),
  index: fc.constantFrom(0, 0, 0, 1, 70_000),
  hlcHigh: fc.constantFrom(0, 7, 2 ** 31),
  hlcLow: fc.constantFrom(0, 5, 2 ** 22 - 1),
})
const register = fc.tuple(word, stamp).map(([value, at]) => new Register(value, at))
const counterEntry = fc
  .tuple(stamp, count, amount, count, amount)
  .map(([at, run, total, resetSeq, resetTotal]) => {
    const entry = new CounterEntry(at, run, total, resetTotal)
    entry.resetSeq = resetSeq
    return entry
  })
const manyCell = fc
  .tuple(fc.array(register, { maxLength: 3 }), fc.array(counterEntry, { maxLength: 3 }))
  .filter(([registers, counter]) => counter.length > 0 || registers.length > 1)
  .map(([registers, counter]) => new ManyCell(registers, counter))
const cell: fc.Arbitrary<Cell> = fc.oneof(register, manyCell)
const dot = stamp.map((at) => new Dot(at))
const hash = fc.array(fc.tuple(word, cell), { minLength: 1, maxLength: 6 }).map((fields) => {
  const state = new HashState()
  for (const [name, value] of fields) state.fields.set(name, value, undefined)
  return state
})
const dots = fc.oneof(dot, fc.array(dot, { minLength: 2, maxLength: 3 }))
const set = fc.array(fc.tuple(word, dots), { minLength: 1, maxLength: 6 }).map((members) => {
  const state = new SetState()
  for (const [name, supports] of members) state.members.set(name, supports, undefined)
  return state
})
const double = fc
  .oneof(fc.integer(), fc.double({ noNaN: true }), fc.constant(Number.POSITIVE_INFINITY))
  .map((value) => value + 0)
const exact = fc
  .array(double, { minLength: 1, maxLength: 3 })
  .map((parts) => parts.map(exactOf).reduce(addExact))
const scoreRegister = fc.tuple(double, stamp).map(([value, at]) => new ScoreRegister(value, at))
const scoreEntry = fc
  .tuple(stamp, count, exact, double, count, exact)
  .map(([at, run, total, accumulated, resetSeq, resetTotal]) => {
    const entry = new ScoreEntry(at, { run, total, accumulated }, resetTotal)
    entry.resetSeq = resetSeq
    return entry
  })
const manyScore = fc
  .tuple(fc.array(scoreRegister, { maxLength: 3 }), fc.array(scoreEntry, { maxLength: 3 }))
  .filter(([registers, counter]) => counter.length > 0 || registers.length > 1)
  .map(([registers, counter]) => new ManyScore(registers, counter))
const zset = fc
  .array(fc.tuple(word, fc.oneof(scoreRegister, manyScore)), { minLength: 1, maxLength: 6 })
  .map((members) => {
    const state = new ZsetState()
    for (const [name, score] of members) state.restore(name, score)
    return state
  })
const hll = fc
  .tuple(
    fc.array(dot, { maxLength: 2 }),
    fc.option(dot, { nil: undefined }),
    fc.constantFrom(0, 1, 40, 300),
    fc.boolean(),
  )
  .filter(([marks, latest]) => marks.length > 0 || latest !== undefined)
  .map(([marks, latest, elements, isPinned]) => {
    const state = new HllState()
    state.marks = marks
    state.latestWrite = latest
    if (latest === undefined) return state
    for (let i = 0; i < elements; i++) state.registers.raise(raiseOf(String(i)))
    if (isPinned) state.registers.pin()
    state.card = cardOf(elements)
    return state
  })
const u64 = fc
  .oneof(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.bigInt({ min: 0n, max: 9n }))
  .map((wide) => (wide > BigInt(Number.MAX_SAFE_INTEGER) ? wide : Number(wide)))
const id = fc.record({ ms: u64, sequence: u64 })
const points = fc
  .array(fc.tuple(id, stamp), { maxLength: 3 })
  .map((all) => all.map(([at, by]) => new EntryPoint(at, by)))
const moment = fc.nat({ max: 2 ** 45 })
const group = fc
  .record({
    creations: fc.array(dot, { minLength: 1, maxLength: 2 }),
    start: id,
    unseen: points,
    region: fc.constantFrom(1, 2),
    cursor: id,
    late: points,
    entriesRead: fc.option(count, { nil: undefined }),
    consumers: fc.array(fc.tuple(word, moment, fc.option(moment, { nil: undefined }), fc.array(id)), {
      maxLength: 2,
    }),
  })
  .map(({ creations, start, unseen, region, cursor, late, entriesRead, consumers }) => {
    const made = new Group('', creations, start, region)
    made.cursor = cursor
    made.entriesRead = entriesRead
    for (const point of unseen) made.unseen.add(point)
    for (const point of late) made.late.add(point)
    for (const [name, seenMs, activeMs, pending] of consumers) {
      const consumer = made.consumer(name, seenMs)
      consumer.activeMs = activeMs
      for (const [i, one] of pending.entries()) made.give(one, consumer, seenMs, i)
    }
    return made
  })
const mark = fc.tuple(fc.option(word, { nil: undefined }), stamp).map(([name, at]) => new GroupMark(name, at))
const stream = fc
  .record({
    entries: fc.array(fc.tuple(id, fc.array(word, { maxLength: 4 }), stamp), { maxLength: 5 }),
    groups: fc.array(group, { maxLength: 2 }),
    marks: fc.array(mark, { maxLength: 2 }),
    hints: fc.tuple(id, count, id),
  })
  .filter(({ entries, groups, marks }) => entries.length + groups.length + marks.length > 0)
  .map(({ entries, groups, marks, hints }) => {
    const state = new StreamState()
    for (const [at, fields, by] of entries) state.entries.add(new StreamEntry(at, fields, by))
    for (const [i, one] of groups.entries()) state.groups.set(`g${i}`, Object.assign(one, { name: `g${i}` }))
    state.marks = marks
    if (!state.isGone) [state.lastId, state.entriesAdded, state.maxDeletedId] = hints
    return state
  })
const deadline = fc.oneof(
  dot,
  fc.tuple(fc.nat({ max: 2 ** 45 }), stamp).map(([atMs, at]) => new Deadline(atMs, at)),
)
const deadlines: fc.Arbitrary<Deadlines> = fc.oneof(
  fc.constant(undefined),
  deadline,
  fc.array(deadline, { minLength: 2, maxLength: 3 }),
)
const timedHash = fc
  .tuple(
    hash,
    fc.array(
      fc.tuple(
        word,
        deadlines.filter((when) => when !== undefined),
      ),
      { maxLength: 4 },
    ),
  )
  .map(([state, timed]) => {
    state.timed = new FieldDeadlines()
    const names = [...state.fields.keys()]
    // Some of fields that are there, some of fields that are gone.
    for (const [i, [name, when]] of timed.entries())
      state.timed.byField.set(i % 2 === 0 ? names[0]! : name, when)
    return state
  })
const states: fc.Arbitrary<TypedState[]> = fc
  .tuple(
    fc.shuffledSubarray([0, 1, 2, 3, 4, 5], { minLength: 1 }),
    cell,
    fc.oneof(hash, timedHash),
    set,
    hll,
    zset,
    stream,
  )
  .map(([order, ...all]) => order.map((i) => all[i]!))
const keyState = fc.tuple(states, deadlines).map(([[visible, ...hidden], when]) => {
  const key = new KeyState(visible, when)
  if (hidden.length > 0) key.hidden = hidden
  return key
})
/** A deadline that outlived its key. */
const orphan = deadlines.filter((when) => when !== undefined).map((when) => new KeyState(undefined, when))
const entry: fc.Arbitrary<KeyEntry> = fc.oneof(register, keyState, orphan)

interface Read {
  readonly db: number
  readonly key: string
  readonly entry: KeyEntry
}

/** Packs collections as soon as they have a member. */
const packing = new RecordContext(origins, portableLatin1, 1)

function readAll(bytes: Uint8Array, db: number, table = known, records?: RecordContext): Read[] {
  const found: Read[] = []
  const open: OpenCollections = new Map()
  const reader = new StateReader(bytes, table, open)
  while (reader.more)
    reader.entry(db, {
      records,
      restore: (at, key, restored) => found.push({ db: at, key, entry: restored }),
    })
  if (open.size > 0) throw new DecodeError('left open')
  return found
}

/** Entries that its groups name. */
function pointsIn({ groups }: StreamState): Dot[] {
  return [...groups.values()].flatMap(({ unseen, late }) => [...unseen, ...late])
}

/** What `describeKey` leaves out. */
function seenIn({ groups }: StreamState): string[] {
  return [...groups.values()].flatMap(({ consumers }) =>
    [...consumers.values()].map((one) => `${one.seenMs}`),
  )
}

/** All that an entry is: `describeKey` and the stamps it leaves out. */
function fullText(one: KeyEntry): string {
  const stamps: (number | string | boolean)[] = []
  const walk = (value: unknown): void => {
    if (typeof value === 'string' || typeof value === 'boolean') stamps.push(value)
    if (value instanceof Dot) stamps.push(value.hlcHigh, value.hlcLow)
    if (value instanceof Map || value instanceof MemberMap) for (const inner of value.values()) walk(inner)
    else if (Array.isArray(value)) for (const inner of value) walk(inner)
    else if (value instanceof KeyState) walk([value.state, value.hidden, value.deadlines])
    else if (value instanceof ManyCell) walk([value.registers, value.counter])
    // Which of the fields with deadlines was written first means nothing.
    else if (value instanceof HashState) walk([value.fields, byName(value.timed?.byField)])
    else if (value instanceof SetState) walk(value.members)
    else if (value instanceof ZsetState) walk([value.scores, value.order.slice(0, value.size)])
    else if (value instanceof StreamState)
      walk([[...value.dots()], value.marks, pointsIn(value), seenIn(value)])
    else if (value instanceof ManyScore) walk([value.registers, value.counter])
    else if (value instanceof HllState)
      walk([value.text(), value.registers.isPinned, value.latestWrite, value.marks])
  }
  walk(one)
  return JSON.stringify([one.constructor.name, describeKey(one), stamps])
}

function byName<Value>(fields: ReadonlyMap<string, Value> = new Map()): Map<string, Value> {
  return new Map([...fields].sort(([a], [b]) => (a < b ? -1 : 1)))
}

describe('an entry', () => {
  it('is read as it was written, whatever stands before and after it', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(word, entry), { minLength: 1, maxLength: 5 }), fc.nat(15), (keys, db) => {
        const out = new StateWriter(origins.size, undefined, 1)
        for (const [key, one] of keys) out.entry(key, one)
        const found = readAll(out.bytes.subarray(0, out.at), db)
        expect(found.map((one) => [one.db, one.key])).toEqual(keys.map(([key]) => [db, key]))
        expect(found.map((one) => fullText(one.entry))).toEqual(keys.map(([, one]) => fullText(one)))
        const packed = readAll(out.bytes.subarray(0, out.at), db, known, packing)
        expect(packed.map((one) => describeKey(one.entry))).toEqual(keys.map(([, one]) => describeKey(one)))
      }),
      { numRuns: RUNS },
    )
  })

  it('keeps the one dot that members of one SADD share', () => {
    const shared = new Dot({ origin: known[0]!, seq: 5, index: 0, hlcHigh: 1, hlcLow: 2 })
    const state = new SetState()
    for (const name of ['a', 'b', 'c']) state.members.set(name, shared, undefined)
    const out = new StateWriter(origins.size)
    out.entry('s', new KeyState(state, undefined))
    const [found] = readAll(out.bytes.subarray(0, out.at), 0)
    const back = (found!.entry as KeyState).state as SetState
    expect(new Set(back.members.values()).size).toBe(1)
  })

  it('comes back from parts in any order, with other keys between them', () => {
    const part = fc.array(fc.boolean(), { minLength: 1, maxLength: 12 })
    fc.assert(
      fc.property(
        word,
        fc.oneof(hash, timedHash, set, zset),
        deadlines,
        part,
        entry,
        (key, collection, when, cuts, other) => {
          const whole = new KeyState(collection, when)
          const out = new StateWriter(origins.size)
          out.openCollection(key, whole, collection)
          out.beginMembers(key)
          const all: Iterable<[string, Cell | undefined | Score | Dot | Dot[]]> =
            collection instanceof HashState
              ? new Map([...collection.names()].map((name) => [name, collection.cellOf(name)]))
              : collection instanceof ZsetState
                ? collection.scores
                : collection.members
          for (const [i, [name, value]] of [...all].reverse().entries()) {
            const timed = collection instanceof HashState ? collection.timed : undefined
            if (timed !== undefined) out.timedField(name, value as Cell | undefined, timed.byField.get(name))
            else if (value instanceof Register || value instanceof ManyCell) out.field(name, value)
            else if (value instanceof ScoreRegister || value instanceof ManyScore) out.scored(name, value)
            else out.member(name, value!)
            if (!cuts[i % cuts.length]) continue
            out.endMembers()
            out.entry('other', other)
            out.beginMembers(key)
          }
          out.endMembers()
          out.closeCollection(key)
          const found = readAll(out.bytes.subarray(0, out.at), 3, known, packing)
          const back = found.at(-1)!
          expect(back.key).toBe(key)
          expect(describeKey(back.entry)).toEqual(describeKey(whole))
        },
      ),
      { numRuns: RUNS },
    )
  })

  it('gives a DecodeError and nothing else for what it cannot mean', () => {
    const damage = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 })
    const cut = fc.option(fc.nat(), { nil: undefined })
    fc.assert(
      fc.property(word, entry, damage, cut, fc.boolean(), (key, one, changes, length, named) => {
        const out = new StateWriter(origins.size)
        out.entry(key, one)
        const bytes = out.bytes.slice(0, length === undefined ? out.at : length % out.at)
        for (const [at, byte] of changes) if (bytes.length > 0) bytes[at % bytes.length] = byte
        try {
          readAll(bytes, 0, named ? known : [])
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError)
        }
      }),
      { numRuns: RUNS * 5 },
    )
  })
})
