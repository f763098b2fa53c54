/**
 * set-effects.ts: what SADD, SREM and SPOP do to a key.
 */
import type { OpPoint } from '../dot.ts'
import { beginKey, closeKey, type KeyEntry, openKey, placeState, stateOfType } from '../key.ts'
import { SetState } from '../set-aw.ts'
import { decodeWords, type EffectReader, type EffectWriter, encodeWords, type OnKey, TAG } from './effect.ts'

export interface SetAddEffect extends OnKey {
  readonly tag: typeof TAG.SET_ADD
  readonly members: readonly string[]
  readonly creates: boolean
}

export interface SetRemoveEffect extends OnKey {
  readonly tag: typeof TAG.SET_REMOVE
  readonly members: readonly string[]
}

/** The set of a key, visible or hidden. */
export function setOf(entry: KeyEntry): SetState | undefined {
  const state = stateOfType(entry, 'set')
  return state instanceof SetState ? state : undefined
}

export function encodeSetAdd({ members, creates }: SetAddEffect, out: EffectWriter): void {
  out.byte(creates ? 1 : 0)
  encodeWords(members, out)
}

export function decodeSetAdd(db: number, key: string, from: EffectReader): SetAddEffect {
  const creates = from.byte() === 1
  return { tag: TAG.SET_ADD, db, key, creates, members: decodeWords(from) }
}

export function applySetAdd(
  effect: SetAddEffect,
  entry: KeyEntry | undefined,
  at: OpPoint,
): KeyEntry | undefined {
  const key = openKey(entry)
  const set = setOf(key) ?? new SetState()
  set.add(effect.members, at)
  placeState(key, 'set', set, at)
  if (effect.creates) beginKey(key, at)
  return closeKey(key)
}

export function encodeSetRemove({ members }: SetRemoveEffect, out: EffectWriter): void {
  encodeWords(members, out)
}

export function decodeSetRemove(db: number, key: string, from: EffectReader): SetRemoveEffect {
  return { tag: TAG.SET_REMOVE, db, key, members: decodeWords(from) }
}

export function applySetRemove(
  effect: SetRemoveEffect,
  entry: KeyEntry | undefined,
  at: OpPoint,
): KeyEntry | undefined {
  const set = entry === undefined ? undefined : setOf(entry)
  if (entry === undefined || set === undefined) return entry
  const key = openKey(entry)
  set.remove(effect.members, at)
  placeState(key, 'set', set.size > 0 ? set : undefined, at)
  return closeKey(key)
}
