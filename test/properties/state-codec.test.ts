/**
 * state-codec.test.ts: what a snapshot writes of a key is what is read: every form an entry can have, whole
 * and in parts; and bytes that mean nothing give a DecodeError and nothing else.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Amount, Decimal } from '../../crdt/amount.ts'
import { type Cell, ManyCell } from '../../crdt/cell.ts'
import { DecodeError } from '../../crdt/codec/bytes.ts'
import { type OpenCollections, StateReader, StateWriter } from '../../crdt/codec/state.ts'
import { CounterEntry } from '../../crdt/counter.ts'
import { Deadline, type Deadlines } from '../../crdt/deadline.ts'
import { Dot, type Stamp } from '../../crdt/dot.ts'
import { HashState } from '../../crdt/hash-aw.ts'
import { describeKey, type KeyEntry, KeyState } from '../../crdt/key.ts'
import { type Origin, OriginTable, originId } from '../../crdt/origin.ts'
import { Register } from '../../crdt/register.ts'
import { SetState } from '../../crdt/set-aw.ts'
import type { TypedState } from '../../crdt/state.ts'

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
  for (const [name, value] of fields) state.fields.set(name, value)
  return state
})
const dots = fc.oneof(dot, fc.array(dot, { minLength: 2, maxLength: 3 }))
const set = fc.array(fc.tuple(word, dots), { minLength: 1, maxLength: 6 }).map((members) => {
  const state = new SetState()
  for (const [name, supports] of members) state.members.set(name, supports)
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
const states: fc.Arbitrary<TypedState[]> = fc
  .tuple(fc.shuffledSubarray([0, 1, 2], { minLength: 1 }), cell, hash, set)
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

function readAll(bytes: Uint8Array, db: number, table: readonly Origin[] = known): Read[] {
  const found: Read[] = []
  const open: OpenCollections = new Map()
  const reader = new StateReader(bytes, table, open)
  while (reader.more)
    reader.entry(db, { restore: (at, key, restored) => found.push({ db: at, key, entry: restored }) })
  if (open.size > 0) throw new DecodeError('left open')
  return found
}

/** All that an entry is: `describeKey` and the stamps it leaves out. */
function fullText(one: KeyEntry): string {
  const stamps: number[] = []
  const walk = (value: unknown): void => {
    if (value instanceof Dot) stamps.push(value.hlcHigh, value.hlcLow)
    if (value instanceof Map) for (const inner of value.values()) walk(inner)
    else if (Array.isArray(value)) for (const inner of value) walk(inner)
    else if (value instanceof KeyState) walk([value.state, value.hidden, value.deadlines])
    else if (value instanceof ManyCell) walk([value.registers, value.counter])
    else if (value instanceof HashState) walk(value.fields)
    else if (value instanceof SetState) walk(value.members)
  }
  walk(one)
  return JSON.stringify([one.constructor.name, describeKey(one), stamps])
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
      }),
      { numRuns: RUNS },
    )
  })

  it('keeps the one dot that members of one SADD share', () => {
    const shared = new Dot({ origin: known[0]!, seq: 5, index: 0, hlcHigh: 1, hlcLow: 2 })
    const state = new SetState()
    for (const name of ['a', 'b', 'c']) state.members.set(name, shared)
    const out = new StateWriter(origins.size)
    out.entry('s', new KeyState(state, undefined))
    const [found] = readAll(out.bytes.subarray(0, out.at), 0)
    const back = (found!.entry as KeyState).state as SetState
    expect(new Set(back.members.values()).size).toBe(1)
  })

  it('comes back from parts in any order, with other keys between them', () => {
    const part = fc.array(fc.boolean(), { minLength: 1, maxLength: 12 })
    fc.assert(
      fc.property(word, fc.oneof(hash, set), deadlines, part, entry, (key, collection, when, cuts, other) => {
        const whole = new KeyState(collection, when)
        const out = new StateWriter(origins.size)
        out.openCollection(key, whole, collection)
        out.beginMembers(key)
        const all = collection instanceof HashState ? collection.fields : collection.members
        for (const [i, [name, value]] of [...all].reverse().entries()) {
          if (value instanceof Register || value instanceof ManyCell) out.field(name, value)
          else out.member(name, value)
          if (!cuts[i % cuts.length]) continue
          out.endMembers()
          out.entry('other', other)
          out.beginMembers(key)
        }
        out.endMembers()
        out.closeCollection(key)
        const found = readAll(out.bytes.subarray(0, out.at), 3)
        const back = found.at(-1)!
        expect(back.key).toBe(key)
        expect(describeKey(back.entry)).toEqual(describeKey(whole))
      }),
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
