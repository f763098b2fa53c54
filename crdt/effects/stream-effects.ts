/**
 * stream-effects.ts: the effects on a stream as one family, which is how the registry knows them.
 */
import type { OpPoint } from '../dot.ts'
import type { KeyEntry } from '../key.ts'
import { type EffectReader, type EffectWriter, TAG } from './effect.ts'
import {
  applyEntryEffect,
  decodeEntryEffect,
  type EntryEffect,
  encodeEntryEffect,
} from './stream-entry-effects.ts'
import {
  applyGroupEffect,
  decodeGroupEffect,
  encodeGroupEffect,
  type GroupEffect,
} from './stream-group-effects.ts'

export type StreamEffect = EntryEffect | GroupEffect

const REGIONAL_MIN = 40
const REGIONAL_MAX = 49

/** The effect is for the region of its origin alone. */
export function isRegional(tag: number): boolean {
  return tag >= REGIONAL_MIN && tag <= REGIONAL_MAX
}

/** The effect applies in the region `home`: it is for all, or for that one. */
export function concerns(effect: { readonly tag: number }, at: OpPoint): boolean {
  return !isRegional(effect.tag) || at.origin.region === at.home
}

/** The effect is about who reads a stream: to Redis it is no change of the key. */
export function isOfReaders(effect: { readonly tag: number; readonly creates?: boolean }): boolean {
  return effect.tag >= TAG.STREAM_GROUP && effect.tag <= REGIONAL_MAX && effect.creates !== true
}

export function encodeStreamEffect(effect: StreamEffect, out: EffectWriter): void {
  if (isOnEntries(effect)) encodeEntryEffect(effect, out)
  else encodeGroupEffect(effect, out)
}

export function decodeStreamEffect(
  tag: StreamEffect['tag'],
  db: number,
  key: string,
  from: EffectReader,
): StreamEffect {
  switch (tag) {
    case TAG.STREAM_ADD:
    case TAG.STREAM_REMOVE:
    case TAG.STREAM_TRIM:
    case TAG.STREAM_BAR:
    case TAG.STREAM_HINTS:
      return decodeEntryEffect(tag, db, key, from)
    default:
      return decodeGroupEffect(tag, db, key, from)
  }
}

export function applyStreamEffect(
  effect: StreamEffect,
  entry: KeyEntry | undefined,
  at: OpPoint,
): KeyEntry | undefined {
  if (!concerns(effect, at)) return entry
  return isOnEntries(effect) ? applyEntryEffect(effect, entry, at) : applyGroupEffect(effect, entry, at)
}

function isOnEntries(effect: StreamEffect): effect is EntryEffect {
  return effect.tag <= TAG.STREAM_BAR || effect.tag === TAG.STREAM_HINTS
}
