/**
 * codec.test.ts: the laws of the codec: what is written is what is read, and damage is always noticed.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Amount, amountText, Decimal } from '../../crdt/amount.ts'
import {
  BatchReader,
  BatchWriter,
  checkRecord,
  openRecord,
  RECORD_HEAD_BYTES,
} from '../../crdt/codec/batch.ts'
import { ByteReader, ByteWriter, DecodeError } from '../../crdt/codec/bytes.ts'
import { TAG } from '../../crdt/effects/effect.ts'
import { REGION_MODES } from '../../crdt/effects/horizon-effects.ts'
import { EVERY_DB } from '../../crdt/effects/key-effects.ts'
import type { StreamEffect } from '../../crdt/effects/stream-effects.ts'
import { addExact, type ExactSum, exactOf } from '../../crdt/exact-sum.ts'
import { packed } from '../../crdt/hll-hash.ts'
import { cardOf, HllRegisters } from '../../crdt/hll-registers.ts'
import { type Origin, OriginTable, originId } from '../../crdt/origin.ts'
import type { Effect } from '../../crdt/registry.ts'
import { type SeenCounter, TYPE_NAMES } from '../../crdt/state.ts'
import { EntryPoint } from '../../crdt/stream-group.ts'
import type { StreamId, U64 } from '../../crdt/stream-id.ts'
import { VersionVector } from '../../crdt/version-vector.ts'

const RUNS = 300
const NEVER = Number.POSITIVE_INFINITY

/** Origins that every generated batch knows; the first one mints. */
const origins = new OriginTable()
const known: Origin[] = [1, 2, 1023].map((region) =>
  origins.intern(originId(region, new Uint8Array([1, 2, 3, 4, 5, region & 255]))),
)

const word = fc.oneof(
  fc.string({ unit: 'binary-ascii', maxLength: 8 }),
  fc.uint8Array({ maxLength: 40 }).map((bytes) => String.fromCharCode(...bytes)),
)
const words = fc.array(word, { maxLength: 4 })
const count = fc.oneof(fc.nat({ max: 300 }), fc.maxSafeNat())
const seq = count.map((n) => Math.max(1, n))
const amount: fc.Arbitrary<Amount> = fc.oneof(
  fc.integer(),
  fc.maxSafeInteger(),
  fc.bigInt({ min: 2n ** 53n, max: 2n ** 70n }).map((units) => new Decimal(units, 0, false)),
  fc.bigInt({ min: -(2n ** 70n), max: -(2n ** 53n) }).map((units) => new Decimal(units, 0, false)),
  fc
    .tuple(fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }), fc.nat({ max: 20 }))
    .map(([units, scale]) => new Decimal(units, scale, true)),
)
const score = fc
  .oneof(fc.integer(), fc.maxSafeInteger(), fc.double({ noNaN: true }))
  .map((value) => value + 0)
const exact: fc.Arbitrary<ExactSum> = fc
  .array(score, { minLength: 1, maxLength: 4 })
  .map((parts) => parts.map(exactOf).reduce(addExact))
const ofCounter = {
  field: fc.option(word, { nil: undefined }),
  origin: fc.constantFrom(...known),
  run: seq,
}
const seen: fc.Arbitrary<SeenCounter[]> = fc.array(
  fc.oneof(
    fc.record({
      type: fc.constantFrom(...TYPE_NAMES.filter((type) => type !== 'zset')),
      ...ofCounter,
      total: amount,
    }),
    fc.record({ type: fc.constant('zset' as const), ...ofCounter, total: exact }),
  ),
  { maxLength: 3 },
)
const db = fc.oneof(fc.constant(0), fc.nat({ max: 16383 }))
const deadlineMs = fc.oneof(fc.constant(NEVER), fc.nat({ max: 2 ** 45 }))
const on = { db, key: word }
const addition = { delta: amount, run: seq, total: amount, creates: fc.boolean() }
const raises = fc.array(
  fc
    .tuple(fc.nat({ max: 16383 }), fc.integer({ min: 1, max: 63 }))
    .map(([index, level]) => packed(index, level)),
  { maxLength: 4 },
)
const hllText = raises.map((all) => {
  const registers = new HllRegisters()
  for (const raise of all) registers.raise(raise)
  return registers.text(cardOf(all.length))
})
const u64: fc.Arbitrary<U64> = fc
  .oneof(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.bigInt({ min: 0n, max: 2n ** 45n }))
  .map((wide) => (wide > BigInt(Number.MAX_SAFE_INTEGER) ? wide : Number(wide)))
const streamId: fc.Arbitrary<StreamId> = fc.record({ ms: u64, sequence: u64 })
const streamIds = fc.array(streamId, { maxLength: 4 })
const dot = { origin: fc.constantFrom(...known), seq, index: fc.nat({ max: 9 }) }
const onGroup = { ...on, group: word }
const atMs = fc.nat({ max: 2 ** 45 })
const entriesRead = fc.option(fc.nat(), { nil: undefined })
const streamEffects: readonly fc.Arbitrary<StreamEffect>[] = [
  fc.record({ tag: fc.constant(TAG.STREAM_ADD), ...on, creates: fc.boolean(), id: streamId, fields: words }),
  fc.record({ tag: fc.constant(TAG.STREAM_REMOVE), ...on, ids: streamIds }),
  fc.record({
    tag: fc.constant(TAG.STREAM_TRIM),
    ...on,
    bound: fc
      .tuple(streamId, fc.record({ ...dot, hlcHigh: fc.nat(), hlcLow: fc.nat({ max: 2 ** 22 - 1 }) }))
      .map(([id, stamp]) => new EntryPoint(id, stamp)),
  }),
  fc.record({ tag: fc.constant(TAG.STREAM_BAR), ...on }),
  fc.record({
    tag: fc.constant(TAG.STREAM_HINTS),
    ...on,
    lastId: streamId,
    entriesAdded: seq,
    maxDeletedId: streamId,
  }),
  fc.record({
    tag: fc.constant(TAG.STREAM_GROUP),
    ...onGroup,
    creates: fc.boolean(),
    start: streamId,
    entriesRead,
  }),
  fc.record({ tag: fc.constant(TAG.STREAM_UNGROUP), ...onGroup }),
  fc.record({ tag: fc.constant(TAG.STREAM_ACK), ...onGroup, ids: streamIds }),
  fc.record({
    tag: fc.constant(TAG.STREAM_DELIVER),
    ...onGroup,
    consumer: word,
    atMs,
    isRecorded: fc.boolean(),
    entries: fc.array(fc.record({ ms: u64, sequence: u64, ...dot }), { maxLength: 3 }),
  }),
  fc.record({
    tag: fc.constant(TAG.STREAM_CLAIM),
    ...onGroup,
    consumer: word,
    atMs,
    claims: fc.array(fc.record({ ms: u64, sequence: u64, deliveredMs: atMs, deliveries: fc.nat() }), {
      maxLength: 3,
    }),
    gone: streamIds,
  }),
  fc.record({ tag: fc.constant(TAG.STREAM_CONSUMER), ...onGroup, consumer: word, atMs }),
  fc.record({ tag: fc.constant(TAG.STREAM_NO_CONSUMER), ...onGroup, consumer: word }),
  fc.record({
    tag: fc.constant(TAG.STREAM_POSITION),
    ...onGroup,
    cursor: streamId,
    entriesRead,
    late: streamIds,
  }),
]

/** An element of a list; the places of a run end at 2^21. */
const node = fc
  .record({ origin: fc.constantFrom(...known), seq, index: fc.nat(4), place: fc.nat(2 ** 21 - 1) })
  .map(({ origin, seq, index, place }) => ({ origin, seq, sub: index * 2 ** 21 + place }))
const someWords = fc.array(word, { minLength: 1, maxLength: 5 })
const listEffects = [
  fc.record({
    tag: fc.constant(TAG.LIST_INSERT),
    ...on,
    creates: fc.boolean(),
    toLeft: fc.boolean(),
    values: someWords,
    place: fc.oneof(
      fc.constant({ parent: undefined, side: 'right' as const }),
      fc.record({ parent: node, side: fc.constantFrom('left' as const, 'right' as const) }),
    ),
  }),
  fc.record({
    tag: fc.constant(TAG.LIST_REMOVE),
    ...on,
    ranges: fc.array(
      fc.tuple(node, fc.nat(2 ** 21)).map(([name, count]) => ({ ...name, count })),
      { maxLength: 4 },
    ),
  }),
  fc.record({ tag: fc.constant(TAG.LIST_SET), ...on, name: node, value: word }),
]
const effect: fc.Arbitrary<Effect> = fc.oneof(
  fc.record({ tag: fc.constant(TAG.SET), ...on, value: word, deadlineMs, seen }),
  fc.record({ tag: fc.constant(TAG.PUT), ...on, value: word, creates: fc.boolean(), seen }),
  fc.record({ tag: fc.constant(TAG.INCREMENT), ...on, ...addition }),
  fc.record({ tag: fc.constant(TAG.HASH_PUT), ...on, pairs: words, creates: fc.boolean(), seen }),
  fc.record({
    tag: fc.constant(TAG.HASH_INCREMENT),
    ...on,
    field: word,
    makesField: fc.boolean(),
    ...addition,
  }),
  fc.record({ tag: fc.constant(TAG.HASH_REMOVE), ...on, fields: words, seen }),
  fc.record({ tag: fc.constant(TAG.SET_ADD), ...on, members: words, creates: fc.boolean() }),
  fc.record({ tag: fc.constant(TAG.SET_REMOVE), ...on, members: words }),
  fc.array(fc.tuple(word, score), { maxLength: 4 }).chain((pairs) =>
    fc.record({
      tag: fc.constant(TAG.ZSET_ADD),
      ...on,
      members: fc.constant(pairs.map(([member]) => member)),
      scores: fc.constant(pairs.map(([, value]) => value)),
      creates: fc.boolean(),
      seen,
    }),
  ),
  fc.record({
    tag: fc.constant(TAG.ZSET_INCREMENT),
    ...on,
    member: word,
    delta: score,
    run: seq,
    total: exact,
    accumulated: score,
    creates: fc.boolean(),
  }),
  fc.record({ tag: fc.constant(TAG.ZSET_REMOVE), ...on, members: words, seen }),
  ...listEffects,
  ...streamEffects,
  fc.record({ tag: fc.constant(TAG.HLL_RAISE), ...on, raises, isDense: fc.boolean(), creates: fc.boolean() }),
  fc.record({ tag: fc.constant(TAG.HLL_JOIN), ...on, text: hllText, creates: fc.boolean() }),
  fc.record({ tag: fc.constant(TAG.HLL_REMOVE), ...on }),
  fc.record({ tag: fc.constant(TAG.FIELD_DEADLINE), ...on, fields: words, deadlineMs }),
  fc.record({ tag: fc.constant(TAG.DEADLINE), ...on, deadlineMs }),
  fc.record({ tag: fc.constant(TAG.CLEAR), ...on, seen }),
  fc.record({
    tag: fc.constant(TAG.FLUSH),
    db: fc.oneof(fc.constant(EVERY_DB), db),
    seen: fc.array(fc.record({ ...on, seen }), { maxLength: 3 }),
  }),
  fc.record({
    tag: fc.constant(TAG.MODE),
    regionId: fc.integer({ min: 1, max: 1023 }),
    mode: fc.constantFrom(...REGION_MODES),
    epoch: count,
  }),
)

interface Written {
  readonly partition: number
  readonly firstSeq: number
  readonly deps: readonly number[]
  readonly hlc: number
  readonly ops: readonly { readonly later: number; readonly effects: readonly Effect[] }[]
}

const written: fc.Arbitrary<Written> = fc.record({
  partition: fc.nat({ max: 1023 }),
  firstSeq: seq,
  deps: fc.tuple(seq, seq).map((pair) => [...pair]),
  hlc: fc.nat({ max: 2 ** 51 }),
  ops: fc.array(
    fc.record({ later: fc.nat({ max: 2 ** 20 }), effects: fc.array(effect, { minLength: 1, maxLength: 4 }) }),
    { minLength: 1, maxLength: 4 },
  ),
})

/** Origins are one object per table, so both sides of a comparison use the same one. */
function encode({ partition, firstSeq, deps, hlc, ops }: Written): Uint8Array {
  const vector = new VersionVector(origins)
  deps.forEach((reached, i) => {
    vector.advance(known[i + 1]!, reached)
  })
  const writer = new BatchWriter()
  writer.begin(partition, known[0]!, firstSeq, vector, hlc)
  let at = hlc
  for (const { later, effects } of ops) {
    at += later
    writer.beginOp(at)
    for (const one of effects) writer.effect(one)
    writer.endOp()
  }
  return writer.finish().record.slice()
}

function encodeAgain(record: Uint8Array): Uint8Array {
  const reader = openRecord(record, origins)
  const { partition, origin, firstSeq, deps } = reader.header
  const ops = reader.ops()
  const writer = new BatchWriter()
  writer.begin(partition, origin, firstSeq, deps, ops[0]!.hlc)
  for (const { hlc, effects } of ops) {
    writer.beginOp(hlc)
    for (const one of effects) writer.effect(one)
    writer.endOp()
  }
  return writer.finish().record
}

describe('a record', () => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(written, (batch) => {
        const reader = openRecord(encode(batch), origins)
        expect(reader.header).toMatchObject({
          partition: batch.partition,
          origin: known[0],
          firstSeq: batch.firstSeq,
        })
        expect(known.slice(1).map((origin) => reader.header.deps.get(origin))).toEqual(batch.deps)
        expect(reader.ops().map(({ effects }) => effects)).toEqual(batch.ops.map(({ effects }) => effects))
      }),
      { numRuns: RUNS },
    )
  })

  it('is written again byte for byte', () => {
    const first = fc.record({ ...recordParts(), hlc: fc.nat({ max: 2 ** 51 }) })
    fc.assert(
      fc.property(first, (batch) => {
        const record = encode({
          ...batch,
          ops: batch.ops.map((op, i) => (i === 0 ? { ...op, later: 0 } : op)),
        })
        expect(encodeAgain(record)).toEqual(record)
      }),
      { numRuns: RUNS },
    )
  })

  it('is not whole when its end is missing', () => {
    fc.assert(
      fc.property(written, fc.nat(), (batch, n) => {
        const record = encode(batch)
        expect(checkRecord(record, 0, n % record.length).kind).toBe('short')
      }),
      { numRuns: RUNS },
    )
  })

  it('is noticed when any bit of it has changed', () => {
    fc.assert(
      fc.property(written, fc.nat(), fc.nat({ max: 7 }), (batch, n, bit) => {
        const record = encode(batch)
        record[n % record.length]! ^= 1 << bit
        expect(checkRecord(record, 0).kind).not.toBe('whole')
      }),
      { numRuns: RUNS },
    )
  })

  it('gives a DecodeError and nothing else for what it cannot mean, checksum or not', () => {
    const damage = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(written, damage, fc.option(fc.nat(), { nil: undefined }), (batch, changes, cut) => {
        const body = encode(batch).slice(RECORD_HEAD_BYTES)
        for (const [at, byte] of changes) body[at % body.length] = byte
        const bytes = cut === undefined ? body : body.slice(0, cut % body.length)
        try {
          new BatchReader(bytes, new OriginTable()).ops()
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError)
        }
      }),
      { numRuns: RUNS * 5 },
    )
  })
})

function recordParts() {
  return {
    partition: fc.nat({ max: 1023 }),
    firstSeq: seq,
    deps: fc.tuple(seq, seq).map((pair) => [...pair]),
    ops: fc.array(
      fc.record({
        later: fc.nat({ max: 2 ** 20 }),
        effects: fc.array(effect, { minLength: 1, maxLength: 4 }),
      }),
      { minLength: 1, maxLength: 4 },
    ),
  }
}

describe('the primitives', () => {
  const read = <T>(write: (out: ByteWriter) => void, take: (from: ByteReader) => T): T => {
    const out = new ByteWriter(undefined, 1)
    write(out)
    const from = new ByteReader(out.bytes, undefined, 0, out.at)
    const value = take(from)
    expect(from.more).toBe(false)
    return value
  }

  it('give back every count up to 2^53', () => {
    const edges = fc.constantFrom(0, 127, 128, 2 ** 31 - 1, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER)
    fc.assert(
      fc.property(fc.oneof(edges, count), (n) => {
        expect(
          read(
            (out) => out.varint(n),
            (from) => from.varint(),
          ),
        ).toBe(n)
      }),
      { numRuns: RUNS },
    )
  })

  it('give back every word', () => {
    fc.assert(
      fc.property(word, (text) => {
        expect(
          read(
            (out) => out.word(text),
            (from) => from.word(),
          ),
        ).toBe(text)
      }),
      { numRuns: RUNS },
    )
  })

  it('give back every amount', () => {
    fc.assert(
      fc.property(amount, (one) => {
        const back = read(
          (out) => out.amount(one),
          (from) => from.amount(),
        )
        expect(back).toEqual(Object.is(one, -0) ? 0 : one)
        expect(amountText(back)).toBe(amountText(one))
      }),
      { numRuns: RUNS },
    )
  })
})
