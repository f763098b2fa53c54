/**
 * effect.ts: the parts that all effects share.
 *
 * An effect says what happened to one key; its op says when and what its origin had seen. Each family
 * file beside this one holds, for its effects, the shape, the codec and what applying does; `registry.ts`
 * collects them. Tags are for ever: they are on disk and on the wire.
 */
import type { ByteReader, ByteWriter } from '../codec/bytes.ts'
import { DecodeError } from '../codec/bytes.ts'
import { decodeExact, encodeExact } from '../codec/doubles.ts'
import type { Origin } from '../origin.ts'
import { NOTHING_SEEN, type SeenCounter, TYPE_NAMES } from '../state.ts'

export const TAG = {
  SET: 1,
  PUT: 2,
  INCREMENT: 3,
  HASH_PUT: 4,
  HASH_INCREMENT: 5,
  HASH_REMOVE: 6,
  SET_ADD: 7,
  SET_REMOVE: 8,
  DEADLINE: 9,
  CLEAR: 10,
  FLUSH: 11,
  ZSET_ADD: 12,
  ZSET_INCREMENT: 13,
  ZSET_REMOVE: 14,
  STREAM_ADD: 30,
  STREAM_REMOVE: 31,
  STREAM_TRIM: 32,
  STREAM_BAR: 33,
  STREAM_GROUP: 34,
  STREAM_UNGROUP: 35,
  STREAM_ACK: 36,
  // 40 to 49: of a region alone.
  STREAM_DELIVER: 40,
  STREAM_CLAIM: 41,
  STREAM_CONSUMER: 42,
  STREAM_NO_CONSUMER: 43,
  STREAM_POSITION: 44,
  STREAM_HINTS: 45,
  LIST_INSERT: 20,
  LIST_REMOVE: 21,
  LIST_SET: 22,
  HLL_RAISE: 50,
  HLL_JOIN: 51,
  HLL_REMOVE: 52,
  FIELD_DEADLINE: 56,
  // From 112 on: effects that touch no key.
  REGION: 112,
  FENCE: 113,
  SEAL: 114,
  WAS: 115,
  CUT: 116,
  MODE: 117,
} as const

/** Writes effects of one batch: knows the batch's table of origins. */
export interface EffectWriter extends ByteWriter {
  /** An origin by its place in the batch header. */
  originRef(origin: Origin): void
  /** An origin that the header may not name. */
  origin(origin: Origin): void
}

export interface EffectReader extends ByteReader {
  originRef(): Origin
  origin(): Origin
}

/** What every effect on a key begins with. */
export interface OnKey {
  readonly db: number
  readonly key: string
}

export function encodeSeen(seen: readonly SeenCounter[], out: EffectWriter): void {
  out.varint(seen.length)
  for (const one of seen) {
    const { type, field, origin, run } = one
    out.byte(TYPE_NAMES.indexOf(type) | (field === undefined ? 0 : 128))
    if (field !== undefined) out.word(field)
    out.originRef(origin)
    out.varint(run)
    if (one.type === 'zset') encodeExact(one.total, out)
    else out.amount(one.total)
  }
}

export function decodeSeen(from: EffectReader): readonly SeenCounter[] {
  const count = from.varint()
  if (count === 0) return NOTHING_SEEN
  const seen: SeenCounter[] = []
  for (let i = 0; i < count; i++) {
    const tag = from.byte()
    const type = TYPE_NAMES[tag & 127]
    if (type === undefined) throw new DecodeError(`an unknown type ${tag & 127}`)
    const field = tag > 127 ? from.word() : undefined
    const of = { field, origin: from.originRef(), run: from.varint() }
    seen.push(
      type === 'zset' ? { type, ...of, total: decodeExact(from) } : { type, ...of, total: from.amount() },
    )
  }
  return seen
}

export function encodeWords(words: readonly string[], out: EffectWriter): void {
  out.varint(words.length)
  for (const word of words) out.word(word)
}

export function decodeWords(from: EffectReader): string[] {
  const words: string[] = []
  for (let left = from.varint(); left > 0; left--) words.push(from.word())
  return words
}
