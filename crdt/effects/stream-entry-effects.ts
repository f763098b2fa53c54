/**
 * stream-entry-effects.ts: what XADD, XDEL, XTRIM, XSETID and the removal of a key do to a stream.
 *
 * A trim says up to where, not what: the removal takes what its origin had seen up to there, and leaves what others
 * added below meanwhile. `bar` goes with every removal of a key in which its origin had seen a stream: groups that
 * others create at the same time do not count (`stream.ts`).
 */
import type { OpPoint } from '../dot.ts'
import { beginKey, closeKey, type KeyEntry, openKey, placeState, stateOfType } from '../key.ts'
import { StreamState } from '../stream.ts'
import { EntryPoint } from '../stream-group.ts'
import { decodeId, encodeId, type StreamId } from '../stream-id.ts'
import { decodeWords, type EffectReader, type EffectWriter, encodeWords, type OnKey, TAG } from './effect.ts'

export interface StreamAddEffect extends OnKey {
  readonly tag: typeof TAG.STREAM_ADD
  readonly creates: boolean
  readonly id: StreamId
  /** Fields and values in turn. */
  readonly fields: readonly string[]
}

export interface StreamRemoveEffect extends OnKey {
  readonly tag: typeof TAG.STREAM_REMOVE
  readonly ids: readonly StreamId[]
}

export interface StreamTrimEffect extends OnKey {
  readonly tag: typeof TAG.STREAM_TRIM
  /** The last entry to go. */
  readonly bound: EntryPoint
}

export interface StreamBarEffect extends OnKey {
  readonly tag: typeof TAG.STREAM_BAR
}

/** Of one region alone, as `stream-group-effects.ts` explains it. */
export interface StreamHintsEffect extends OnKey {
  readonly tag: typeof TAG.STREAM_HINTS
  readonly lastId: StreamId
  readonly entriesAdded: number
  readonly maxDeletedId: StreamId
}

export type EntryEffect =
  | StreamAddEffect
  | StreamRemoveEffect
  | StreamTrimEffect
  | StreamBarEffect
  | StreamHintsEffect

/** The stream of a key, visible or hidden. */
export function streamOf(entry: KeyEntry): StreamState | undefined {
  const state = stateOfType(entry, 'stream')
  return state instanceof StreamState ? state : undefined
}

export function encodeIds(ids: readonly StreamId[], out: EffectWriter): void {
  out.varint(ids.length)
  for (const id of ids) encodeId(id, out)
}

export function decodeIds(from: EffectReader): StreamId[] {
  const ids: StreamId[] = []
  for (let left = from.varint(); left > 0; left--) ids.push(decodeId(from))
  return ids
}

export function encodeEntryEffect(effect: EntryEffect, out: EffectWriter): void {
  switch (effect.tag) {
    case TAG.STREAM_ADD:
      out.byte(effect.creates ? 1 : 0)
      encodeId(effect.id, out)
      encodeWords(effect.fields, out)
      break
    case TAG.STREAM_REMOVE:
      encodeIds(effect.ids, out)
      break
    case TAG.STREAM_TRIM:
      encodePoint(effect.bound, out)
      break
    case TAG.STREAM_BAR:
      break
    case TAG.STREAM_HINTS:
      encodeId(effect.lastId, out)
      out.varint(effect.entriesAdded)
      encodeId(effect.maxDeletedId, out)
      break
  }
}

function encodePoint(point: EntryPoint, out: EffectWriter): void {
  encodeId(point, out)
  out.originRef(point.origin)
  out.varint(point.seq)
  out.varint(point.index)
  out.u32(point.hlcHigh)
  out.u24(point.hlcLow)
}

function decodePoint(from: EffectReader): EntryPoint {
  const id = decodeId(from)
  const origin = from.originRef()
  const seq = from.varint()
  const index = from.varint()
  return new EntryPoint(id, { origin, seq, index, hlcHigh: from.u32(), hlcLow: from.u24() })
}

export function decodeEntryEffect(
  tag: EntryEffect['tag'],
  db: number,
  key: string,
  from: EffectReader,
): EntryEffect {
  switch (tag) {
    case TAG.STREAM_ADD: {
      const creates = from.byte() === 1
      const id = decodeId(from)
      return { tag, db, key, creates, id, fields: decodeWords(from) }
    }
    case TAG.STREAM_REMOVE:
      return { tag, db, key, ids: decodeIds(from) }
    case TAG.STREAM_TRIM:
      return { tag, db, key, bound: decodePoint(from) }
    case TAG.STREAM_BAR:
      return { tag, db, key }
    case TAG.STREAM_HINTS: {
      const lastId = decodeId(from)
      const entriesAdded = from.varint()
      return { tag, db, key, lastId, entriesAdded, maxDeletedId: decodeId(from) }
    }
  }
}

export function applyEntryEffect(
  effect: EntryEffect,
  entry: KeyEntry | undefined,
  at: OpPoint,
): KeyEntry | undefined {
  switch (effect.tag) {
    case TAG.STREAM_ADD:
      return applyAdd(effect, entry, at)
    case TAG.STREAM_BAR:
      return applyBar(entry, at)
    default:
      return applyToStream(effect, entry, at)
  }
}

function applyAdd(effect: StreamAddEffect, entry: KeyEntry | undefined, at: OpPoint): KeyEntry | undefined {
  const key = openKey(entry)
  const stream = streamOf(key) ?? new StreamState()
  stream.add(effect.id, effect.fields, at)
  placeState(key, 'stream', stream, at)
  if (effect.creates) beginKey(key, at)
  return closeKey(key)
}

function applyBar(entry: KeyEntry | undefined, at: OpPoint): KeyEntry | undefined {
  const key = openKey(entry)
  const stream = streamOf(key) ?? new StreamState()
  stream.destroyGroups(at)
  placeState(key, 'stream', stream.rest(), at)
  return closeKey(key)
}

function applyToStream(
  effect: StreamRemoveEffect | StreamTrimEffect | StreamHintsEffect,
  entry: KeyEntry | undefined,
  at: OpPoint,
): KeyEntry | undefined {
  const stream = entry === undefined ? undefined : streamOf(entry)
  if (entry === undefined || stream === undefined) return entry
  if (effect.tag === TAG.STREAM_REMOVE) {
    stream.remove(effect.ids, at)
  } else if (effect.tag === TAG.STREAM_TRIM) {
    stream.trim(effect.bound, at)
  } else {
    stream.lastId = effect.lastId
    stream.entriesAdded = effect.entriesAdded
    stream.maxDeletedId = effect.maxDeletedId
    return entry
  }
  const key = openKey(entry)
  placeState(key, 'stream', stream.rest(), at)
  return closeKey(key)
}
