/**
 * registry.ts: tag → effect. A new type adds its effects here and nowhere else.
 *
 * A switch over literal tags, not a table of functions: the compiler then checks that every effect has
 * its three functions, and the engine inlines the hot ones.
 *
 * On the wire an effect is its tag, the database index if it is not 0 (bit 7 of the tag says so), the
 * key, and what its family file writes. Tag 0 ends an op.
 */
import { unreachable } from './assert.ts'
import { DecodeError } from './codec/bytes.ts'
import type { OpPoint } from './dot.ts'
import { type EffectReader, type EffectWriter, TAG } from './effects/effect.ts'
import {
  applyFieldDeadline,
  decodeFieldDeadline,
  encodeFieldDeadline,
  type FieldDeadlineEffect,
} from './effects/field-deadline-effects.ts'
import {
  applyHashIncrement,
  applyHashPut,
  applyHashRemove,
  decodeHashIncrement,
  decodeHashPut,
  decodeHashRemove,
  encodeHashIncrement,
  encodeHashPut,
  encodeHashRemove,
  type HashIncrementEffect,
  type HashPutEffect,
  type HashRemoveEffect,
} from './effects/hash-effects.ts'
import { applyHllEffect, decodeHllEffect, encodeHllEffect, type HllEffect } from './effects/hll-effects.ts'
import {
  decodeCut,
  decodeFence,
  decodeMode,
  decodeRegion,
  decodeSeal,
  decodeWas,
  encodeCut,
  encodeFence,
  encodeMode,
  encodeRegion,
  encodeSeal,
  encodeWas,
  type HorizonEffect,
  type WasEffect,
} from './effects/horizon-effects.ts'
import {
  applyClear,
  applyDeadline,
  type ClearEffect,
  type DeadlineEffect,
  decodeClear,
  decodeDeadline,
  decodeFlush,
  encodeClear,
  encodeDeadline,
  encodeFlush,
  type FlushEffect,
} from './effects/key-effects.ts'
import {
  applyListEffect,
  decodeListEffect,
  encodeListEffect,
  type ListEffect,
} from './effects/list-effects.ts'
import {
  applySetAdd,
  applySetRemove,
  decodeSetAdd,
  decodeSetRemove,
  encodeSetAdd,
  encodeSetRemove,
  type SetAddEffect,
  type SetRemoveEffect,
} from './effects/set-effects.ts'
import {
  applyStreamEffect,
  decodeStreamEffect,
  encodeStreamEffect,
  type StreamEffect,
} from './effects/stream-effects.ts'
import {
  applyIncrement,
  applyPut,
  applySet,
  decodeIncrement,
  decodePut,
  decodeSet,
  encodeIncrement,
  encodePut,
  encodeSet,
  type IncrementEffect,
  type PutEffect,
  type SetEffect,
} from './effects/string-effects.ts'
import {
  applyZsetEffect,
  decodeZsetEffect,
  encodeZsetEffect,
  type ZsetEffect,
} from './effects/zset-effects.ts'
import type { KeyEntry } from './key.ts'

/** An effect on one key. */
export type KeyEffect =
  | SetEffect
  | PutEffect
  | IncrementEffect
  | HashPutEffect
  | HashIncrementEffect
  | HashRemoveEffect
  | SetAddEffect
  | SetRemoveEffect
  | ZsetEffect
  | ListEffect
  | StreamEffect
  | HllEffect
  | FieldDeadlineEffect
  | DeadlineEffect
  | ClearEffect

/** An effect on keys: on one, or on all of a database. */
export type KeyspaceEffect = KeyEffect | FlushEffect

export type Effect = KeyspaceEffect | HorizonEffect | WasEffect

const DB_FOLLOWS = 128
export const END_OF_OP = 0

/** The effect is on one key. */
export function isKeyEffect(effect: Effect): effect is KeyEffect {
  return effect.tag < TAG.REGION && effect.tag !== TAG.FLUSH
}

export function encodeEffect(effect: Effect, out: EffectWriter): void {
  if (!isKeyEffect(effect)) {
    encodeKeyless(effect, out)
    return
  }
  if (effect.db === 0) {
    out.byte(effect.tag)
  } else {
    out.byte(effect.tag | DB_FOLLOWS)
    out.varint(effect.db)
  }
  out.word(effect.key)
  switch (effect.tag) {
    case TAG.SET:
      encodeSet(effect, out)
      break
    case TAG.PUT:
      encodePut(effect, out)
      break
    case TAG.INCREMENT:
      encodeIncrement(effect, out)
      break
    case TAG.HASH_PUT:
      encodeHashPut(effect, out)
      break
    case TAG.HASH_INCREMENT:
      encodeHashIncrement(effect, out)
      break
    case TAG.HASH_REMOVE:
      encodeHashRemove(effect, out)
      break
    case TAG.SET_ADD:
      encodeSetAdd(effect, out)
      break
    case TAG.SET_REMOVE:
      encodeSetRemove(effect, out)
      break
    case TAG.ZSET_ADD:
    case TAG.ZSET_INCREMENT:
    case TAG.ZSET_REMOVE:
      encodeZsetEffect(effect, out)
      break
    case TAG.STREAM_ADD:
    case TAG.STREAM_REMOVE:
    case TAG.STREAM_TRIM:
    case TAG.STREAM_BAR:
    case TAG.STREAM_GROUP:
    case TAG.STREAM_UNGROUP:
    case TAG.STREAM_ACK:
    case TAG.STREAM_DELIVER:
    case TAG.STREAM_CLAIM:
    case TAG.STREAM_CONSUMER:
    case TAG.STREAM_NO_CONSUMER:
    case TAG.STREAM_POSITION:
    case TAG.STREAM_HINTS:
      encodeStreamEffect(effect, out)
      break
    case TAG.LIST_INSERT:
    case TAG.LIST_REMOVE:
    case TAG.LIST_SET:
      encodeListEffect(effect, out)
      break
    case TAG.HLL_RAISE:
    case TAG.HLL_JOIN:
    case TAG.HLL_REMOVE:
      encodeHllEffect(effect, out)
      break
    case TAG.FIELD_DEADLINE:
      encodeFieldDeadline(effect, out)
      break
    case TAG.DEADLINE:
      encodeDeadline(effect, out)
      break
    case TAG.CLEAR:
      encodeClear(effect, out)
      break
    default:
      unreachable(effect)
  }
}

function encodeKeyless(effect: Exclude<Effect, KeyEffect>, out: EffectWriter): void {
  out.byte(effect.tag)
  switch (effect.tag) {
    case TAG.FLUSH:
      encodeFlush(effect, out)
      break
    case TAG.REGION:
      encodeRegion(effect, out)
      break
    case TAG.FENCE:
      encodeFence(effect, out)
      break
    case TAG.SEAL:
      encodeSeal(effect, out)
      break
    case TAG.WAS:
      encodeWas(effect, out)
      break
    case TAG.CUT:
      encodeCut(effect, out)
      break
    case TAG.MODE:
      encodeMode(effect, out)
      break
    default:
      unreachable(effect)
  }
}

/** @returns undefined when the tag is none of those without a key. @throws DecodeError */
function decodeKeyless(tag: number, from: EffectReader): Effect | undefined {
  switch (tag) {
    case TAG.FLUSH:
      return decodeFlush(from)
    case TAG.REGION:
      return decodeRegion(from)
    case TAG.FENCE:
      return decodeFence(from)
    case TAG.SEAL:
      return decodeSeal(from)
    case TAG.WAS:
      return decodeWas(from)
    case TAG.CUT:
      return decodeCut(from)
    case TAG.MODE:
      return decodeMode(from)
    default:
      return undefined
  }
}

/** @returns undefined at the end of the op. @throws DecodeError */
export function decodeEffect(from: EffectReader): Effect | undefined {
  const first = from.byte()
  if (first === END_OF_OP) return undefined
  const keyless = decodeKeyless(first, from)
  if (keyless !== undefined) return keyless
  const db = first & DB_FOLLOWS ? from.varint() : 0
  const key = from.word()
  const tag = first & ~DB_FOLLOWS
  switch (tag) {
    case TAG.SET:
      return decodeSet(db, key, from)
    case TAG.PUT:
      return decodePut(db, key, from)
    case TAG.INCREMENT:
      return decodeIncrement(db, key, from)
    case TAG.HASH_PUT:
      return decodeHashPut(db, key, from)
    case TAG.HASH_INCREMENT:
      return decodeHashIncrement(db, key, from)
    case TAG.HASH_REMOVE:
      return decodeHashRemove(db, key, from)
    case TAG.SET_ADD:
      return decodeSetAdd(db, key, from)
    case TAG.SET_REMOVE:
      return decodeSetRemove(db, key, from)
    case TAG.ZSET_ADD:
    case TAG.ZSET_INCREMENT:
    case TAG.ZSET_REMOVE:
      return decodeZsetEffect(tag, db, key, from)
    case TAG.STREAM_ADD:
    case TAG.STREAM_REMOVE:
    case TAG.STREAM_TRIM:
    case TAG.STREAM_BAR:
    case TAG.STREAM_GROUP:
    case TAG.STREAM_UNGROUP:
    case TAG.STREAM_ACK:
    case TAG.STREAM_DELIVER:
    case TAG.STREAM_CLAIM:
    case TAG.STREAM_CONSUMER:
    case TAG.STREAM_NO_CONSUMER:
    case TAG.STREAM_POSITION:
    case TAG.STREAM_HINTS:
      return decodeStreamEffect(tag, db, key, from)
    case TAG.LIST_INSERT:
    case TAG.LIST_REMOVE:
    case TAG.LIST_SET:
      return decodeListEffect(tag, db, key, from)
    case TAG.HLL_RAISE:
    case TAG.HLL_JOIN:
    case TAG.HLL_REMOVE:
      return decodeHllEffect(tag, db, key, from)
    case TAG.FIELD_DEADLINE:
      return decodeFieldDeadline(db, key, from)
    case TAG.DEADLINE:
      return decodeDeadline(db, key, from)
    case TAG.CLEAR:
      return decodeClear(db, key, from)
    default:
      throw new DecodeError(`an unknown effect ${first}`)
  }
}

/**
 * Applies an effect to what its key holds. May change and reuse `entry`.
 * @returns the entry to store; undefined when nothing of the key is left
 */
export function applyEffect(
  effect: KeyEffect,
  entry: KeyEntry | undefined,
  at: OpPoint,
): KeyEntry | undefined {
  switch (effect.tag) {
    case TAG.SET:
      return applySet(effect, entry, at)
    case TAG.PUT:
      return applyPut(effect, entry, at)
    case TAG.INCREMENT:
      return applyIncrement(effect, entry, at)
    case TAG.HASH_PUT:
      return applyHashPut(effect, entry, at)
    case TAG.HASH_INCREMENT:
      return applyHashIncrement(effect, entry, at)
    case TAG.HASH_REMOVE:
      return applyHashRemove(effect, entry, at)
    case TAG.SET_ADD:
      return applySetAdd(effect, entry, at)
    case TAG.SET_REMOVE:
      return applySetRemove(effect, entry, at)
    case TAG.ZSET_ADD:
    case TAG.ZSET_INCREMENT:
    case TAG.ZSET_REMOVE:
      return applyZsetEffect(effect, entry, at)
    case TAG.STREAM_ADD:
    case TAG.STREAM_REMOVE:
    case TAG.STREAM_TRIM:
    case TAG.STREAM_BAR:
    case TAG.STREAM_GROUP:
    case TAG.STREAM_UNGROUP:
    case TAG.STREAM_ACK:
    case TAG.STREAM_DELIVER:
    case TAG.STREAM_CLAIM:
    case TAG.STREAM_CONSUMER:
    case TAG.STREAM_NO_CONSUMER:
    case TAG.STREAM_POSITION:
    case TAG.STREAM_HINTS:
      return applyStreamEffect(effect, entry, at)
    case TAG.LIST_INSERT:
    case TAG.LIST_REMOVE:
    case TAG.LIST_SET:
      return applyListEffect(effect, entry, at)
    case TAG.HLL_RAISE:
    case TAG.HLL_JOIN:
    case TAG.HLL_REMOVE:
      return applyHllEffect(effect, entry, at)
    case TAG.FIELD_DEADLINE:
      return applyFieldDeadline(effect, entry, at)
    case TAG.DEADLINE:
      return applyDeadline(effect, entry, at)
    case TAG.CLEAR:
      return applyClear(effect, entry, at)
    default:
      return unreachable(effect)
  }
}
