/**
 * hash-effects.ts: what HSET, HINCRBY and HDEL do to a key.
 */
import type { Increment } from '../counter.ts'
import type { OpPoint } from '../dot.ts'
import { HashState, seenByField } from '../hash-aw.ts'
import { beginKey, closeKey, type KeyEntry, KeyState, openKey, placeState, stateOfType } from '../key.ts'
import type { SeenCounter } from '../state.ts'
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
import { encodeAddition } from './string-effects.ts'

export interface HashPutEffect extends OnKey {
  readonly tag: typeof TAG.HASH_PUT
  /** Fields and values in turn; no field twice. */
  readonly pairs: readonly string[]
  readonly creates: boolean
  readonly seen: readonly SeenCounter[]
}

export interface HashIncrementEffect extends OnKey, Increment {
  readonly tag: typeof TAG.HASH_INCREMENT
  readonly field: string
  readonly creates: boolean
  /** There was no such field: deadlines that outlived an older one, and that the writer had seen, are not its own. */
  readonly makesField: boolean
}

export interface HashRemoveEffect extends OnKey {
  readonly tag: typeof TAG.HASH_REMOVE
  readonly fields: readonly string[]
  readonly seen: readonly SeenCounter[]
}

const CREATES = 1
const MAKES_FIELD = 2

/** The hash of a key, visible or hidden. */
export function hashOf(entry: KeyEntry): HashState | undefined {
  const state = stateOfType(entry, 'hash')
  return state instanceof HashState ? state : undefined
}

/** The same, if fields of it have deadlines. */
export function timedHashOf(entry: KeyEntry | undefined): HashState | undefined {
  if (!(entry instanceof KeyState)) return undefined
  const hash = hashOf(entry)
  return hash?.timed === undefined ? undefined : hash
}

export function encodeHashPut({ pairs, creates, seen }: HashPutEffect, out: EffectWriter): void {
  out.byte(creates ? 1 : 0)
  encodeWords(pairs, out)
  encodeSeen(seen, out)
}

export function decodeHashPut(db: number, key: string, from: EffectReader): HashPutEffect {
  const creates = from.byte() === 1
  return { tag: TAG.HASH_PUT, db, key, creates, pairs: decodeWords(from), seen: decodeSeen(from) }
}

export function applyHashPut(
  effect: HashPutEffect,
  entry: KeyEntry | undefined,
  at: OpPoint,
): KeyEntry | undefined {
  const key = openKey(entry)
  const hash = hashOf(key) ?? new HashState()
  const { pairs } = effect
  const byField = seenByField(effect.seen)
  for (let i = 0; i + 1 < pairs.length; i += 2) {
    const field = pairs[i]!
    hash.put(field, pairs[i + 1]!, byField?.get(field), at)
  }
  placeState(key, 'hash', hash, at)
  if (effect.creates) beginKey(key, at)
  return closeKey(key)
}

export function encodeHashIncrement(effect: HashIncrementEffect, out: EffectWriter): void {
  out.byte((effect.creates ? CREATES : 0) | (effect.makesField ? MAKES_FIELD : 0))
  out.word(effect.field)
  encodeAddition(effect, out)
}

export function decodeHashIncrement(db: number, key: string, from: EffectReader): HashIncrementEffect {
  const flags = from.byte()
  const creates = (flags & CREATES) !== 0
  const makesField = (flags & MAKES_FIELD) !== 0
  return {
    tag: TAG.HASH_INCREMENT,
    db,
    key,
    creates,
    makesField,
    field: from.word(),
    delta: from.amount(),
    run: from.varint(),
    total: from.amount(),
  }
}

export function applyHashIncrement(
  effect: HashIncrementEffect,
  entry: KeyEntry | undefined,
  at: OpPoint,
): KeyEntry | undefined {
  const key = openKey(entry)
  const hash = hashOf(key) ?? new HashState()
  if (effect.makesField) hash.timed?.removeSeen(effect.field, hash.cellOf(effect.field), at)
  hash.increment(effect.field, effect, at)
  placeState(key, 'hash', hash, at)
  if (effect.creates) beginKey(key, at)
  return closeKey(key)
}

export function encodeHashRemove({ fields, seen }: HashRemoveEffect, out: EffectWriter): void {
  encodeWords(fields, out)
  encodeSeen(seen, out)
}

export function decodeHashRemove(db: number, key: string, from: EffectReader): HashRemoveEffect {
  return { tag: TAG.HASH_REMOVE, db, key, fields: decodeWords(from), seen: decodeSeen(from) }
}

export function applyHashRemove(
  effect: HashRemoveEffect,
  entry: KeyEntry | undefined,
  at: OpPoint,
): KeyEntry | undefined {
  const hash = entry === undefined ? undefined : hashOf(entry)
  if (entry === undefined || hash === undefined) return entry
  const key = openKey(entry)
  const byField = seenByField(effect.seen)
  for (const field of effect.fields) hash.remove(field, byField?.get(field), at)
  placeState(key, 'hash', hash.isEmpty ? undefined : hash, at)
  return closeKey(key)
}
