/**
 * zset-effects.ts: what ZADD, ZINCRBY and ZREM do to a key, and GEOADD with them.
 */
import { DecodeError } from '../codec/bytes.ts'
import { decodeDouble, decodeExact, encodeDouble, encodeExact } from '../codec/doubles.ts'
import type { OpPoint } from '../dot.ts'
import { beginKey, closeKey, type KeyEntry, openKey, placeState, stateOfType } from '../key.ts'
import { NOTHING_SEEN, type SeenCounter } from '../state.ts'
import { seenByMember, ZsetState } from '../zset-aw.ts'
import type { ScoreIncrement } from '../zset-score.ts'
import {
  decodeSeen,
  decodeWords,
  type EffectReader,
  type EffectWriter,
  encodeSeen,
  encodeWords,
  type OnKey,
  TAG,
} from './effect.ts'

export interface ZsetAddEffect extends OnKey {
  readonly tag: typeof TAG.ZSET_ADD
  /** No member twice. */
  readonly members: readonly string[]
  /** One for each member, neither NaN nor -0. */
  readonly scores: readonly number[]
  readonly creates: boolean
  readonly seen: readonly SeenCounter[]
}

export interface ZsetIncrementEffect extends OnKey, ScoreIncrement {
  readonly tag: typeof TAG.ZSET_INCREMENT
  readonly member: string
  readonly creates: boolean
}

export interface ZsetRemoveEffect extends OnKey {
  readonly tag: typeof TAG.ZSET_REMOVE
  readonly members: readonly string[]
  readonly seen: readonly SeenCounter[]
}

export type ZsetEffect = ZsetAddEffect | ZsetIncrementEffect | ZsetRemoveEffect

/** The sorted set of a key, visible or hidden. */
export function zsetOf(entry: KeyEntry): ZsetState | undefined {
  const state = stateOfType(entry, 'zset')
  return state instanceof ZsetState ? state : undefined
}

const FLAG_CREATES = 1
const FLAG_SEEN = 2
/** The running total is what the increment says in doubles, too: it is not written twice. */
const FLAG_SAME = 4

export function encodeZsetEffect(effect: ZsetEffect, out: EffectWriter): void {
  if (effect.tag === TAG.ZSET_ADD) encodeAdd(effect, out)
  else if (effect.tag === TAG.ZSET_INCREMENT) encodeIncrement(effect, out)
  else {
    encodeWords(effect.members, out)
    encodeSeen(effect.seen, out)
  }
}

function encodeAdd({ members, scores, creates, seen }: ZsetAddEffect, out: EffectWriter): void {
  out.byte((creates ? FLAG_CREATES : 0) | (seen.length === 0 ? 0 : FLAG_SEEN))
  out.varint(members.length)
  for (let i = 0; i < members.length; i++) {
    out.word(members[i]!)
    encodeDouble(scores[i]!, out)
  }
  if (seen.length > 0) encodeSeen(seen, out)
}

function encodeIncrement(effect: ZsetIncrementEffect, out: EffectWriter): void {
  const { creates, member, delta, run, total, accumulated } = effect
  const isSame = total === accumulated
  out.byte((creates ? FLAG_CREATES : 0) | (isSame ? FLAG_SAME : 0))
  out.word(member)
  encodeDouble(delta, out)
  out.varint(run)
  encodeExact(total, out)
  if (!isSame) encodeDouble(accumulated, out)
}

/** @throws DecodeError */
export function decodeZsetEffect(
  tag: ZsetEffect['tag'],
  db: number,
  key: string,
  from: EffectReader,
): ZsetEffect {
  if (tag === TAG.ZSET_ADD) return decodeAdd(db, key, from)
  if (tag === TAG.ZSET_INCREMENT) return decodeIncrement(db, key, from)
  return { tag, db, key, members: decodeWords(from), seen: decodeSeen(from) }
}

function decodeAdd(db: number, key: string, from: EffectReader): ZsetAddEffect {
  const flags = from.byte()
  if (flags > (FLAG_CREATES | FLAG_SEEN)) throw new DecodeError(`unknown flags ${flags} of a zset add`)
  const members: string[] = []
  const scores: number[] = []
  for (let left = from.varint(); left > 0; left--) {
    members.push(from.word())
    scores.push(decodeDouble(from))
  }
  const seen = flags & FLAG_SEEN ? decodeSeen(from) : NOTHING_SEEN
  return { tag: TAG.ZSET_ADD, db, key, members, scores, creates: (flags & FLAG_CREATES) !== 0, seen }
}

function decodeIncrement(db: number, key: string, from: EffectReader): ZsetIncrementEffect {
  const flags = from.byte()
  if ((flags & ~(FLAG_CREATES | FLAG_SAME)) !== 0)
    throw new DecodeError(`unknown flags ${flags} of a zset increment`)
  const member = from.word()
  const delta = decodeDouble(from)
  const run = from.varint()
  const total = decodeExact(from)
  const isSame = (flags & FLAG_SAME) !== 0
  if (isSame && typeof total !== 'number') throw new DecodeError('a running total that no double holds')
  const accumulated = typeof total === 'number' && isSame ? total : decodeDouble(from)
  const creates = (flags & FLAG_CREATES) !== 0
  return { tag: TAG.ZSET_INCREMENT, db, key, member, creates, delta, run, total, accumulated }
}

export function applyZsetEffect(
  effect: ZsetEffect,
  entry: KeyEntry | undefined,
  at: OpPoint,
): KeyEntry | undefined {
  if (effect.tag === TAG.ZSET_REMOVE) return applyRemove(effect, entry, at)
  const key = openKey(entry)
  const zset = zsetOf(key) ?? new ZsetState()
  if (effect.tag === TAG.ZSET_ADD) addMembers(effect, zset, at)
  else zset.increment(effect.member, effect, at)
  placeState(key, 'zset', zset, at)
  if (effect.creates) beginKey(key, at)
  return closeKey(key)
}

function addMembers({ members, scores, seen }: ZsetAddEffect, zset: ZsetState, at: OpPoint): void {
  const byMember = seenByMember(seen)
  for (let i = 0; i < members.length; i++) {
    const member = members[i]!
    zset.add(member, scores[i]!, byMember?.get(member), at)
  }
}

function applyRemove(
  effect: ZsetRemoveEffect,
  entry: KeyEntry | undefined,
  at: OpPoint,
): KeyEntry | undefined {
  const zset = entry === undefined ? undefined : zsetOf(entry)
  if (entry === undefined || zset === undefined) return entry
  const key = openKey(entry)
  const byMember = seenByMember(effect.seen)
  for (const member of effect.members) zset.remove(member, byMember?.get(member), at)
  placeState(key, 'zset', zset.size > 0 ? zset : undefined, at)
  return closeKey(key)
}
