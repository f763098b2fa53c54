/**
 * stream-group-effects.ts: what XGROUP, XREADGROUP, XCLAIM and XACK do to a stream.
 *
 * The creation and destruction of groups and acknowledgements are for every region. The rest says what one
 * region's readers did and is for that region alone: it travels in the log as anything else, so that vectors stay
 * without holes, and whoever applies it in another region leaves the key as it is.
 */
import type { OpPoint } from '../dot.ts'
import { beginKey, closeKey, type KeyEntry, openKey, placeState } from '../key.ts'
import type { Origin } from '../origin.ts'
import { type StreamEntry, StreamState } from '../stream.ts'
import { EntryPoint, type Group } from '../stream-group.ts'
import { compareIds, decodeId, encodeId, type StreamId, type U64 } from '../stream-id.ts'
import { type EffectReader, type EffectWriter, type OnKey, TAG } from './effect.ts'
import { decodeIds, encodeIds, streamOf } from './stream-entry-effects.ts'

interface OnGroup extends OnKey {
  readonly group: string
}

export interface StreamGroupEffect extends OnGroup {
  readonly tag: typeof TAG.STREAM_GROUP
  readonly creates: boolean
  readonly start: StreamId
  /** What the creator says of the history before `start`; undefined: nothing. */
  readonly entriesRead: number | undefined
}

export interface StreamUngroupEffect extends OnGroup {
  readonly tag: typeof TAG.STREAM_UNGROUP
}

export interface StreamAckEffect extends OnGroup {
  readonly tag: typeof TAG.STREAM_ACK
  readonly ids: readonly StreamId[]
}

/** An entry by its id and dot. */
export interface EntryName {
  readonly ms: U64
  readonly sequence: U64
  readonly origin: Origin
  readonly seq: number
  readonly index: number
}

/** Entries were given to a consumer. */
export interface StreamDeliverEffect extends OnGroup {
  readonly tag: typeof TAG.STREAM_DELIVER
  readonly consumer: string
  /** Milliseconds since the Unix epoch. */
  readonly atMs: number
  /** They wait for an acknowledgement. */
  readonly isRecorded: boolean
  /** In order. */
  readonly entries: readonly EntryName[]
}

export interface Claim extends StreamId {
  /** Milliseconds since the Unix epoch. */
  readonly deliveredMs: number
  readonly deliveries: number
}

/** Pending entries became a consumer's, or were given to him once more; others were found to be gone. */
export interface StreamClaimEffect extends OnGroup {
  readonly tag: typeof TAG.STREAM_CLAIM
  readonly consumer: string
  /** Milliseconds since the Unix epoch. */
  readonly atMs: number
  readonly claims: readonly Claim[]
  readonly gone: readonly StreamId[]
}

export interface StreamConsumerEffect extends OnGroup {
  readonly tag: typeof TAG.STREAM_CONSUMER
  readonly consumer: string
  /** Milliseconds since the Unix epoch. */
  readonly atMs: number
}

export interface StreamNoConsumerEffect extends OnGroup {
  readonly tag: typeof TAG.STREAM_NO_CONSUMER
  readonly consumer: string
}

/** XGROUP SETID: everything up to the cursor counts as given, but for some entries. */
export interface StreamPositionEffect extends OnGroup {
  readonly tag: typeof TAG.STREAM_POSITION
  readonly cursor: StreamId
  readonly entriesRead: number | undefined
  readonly late: readonly StreamId[]
}

export type GroupEffect =
  | StreamGroupEffect
  | StreamUngroupEffect
  | StreamAckEffect
  | StreamDeliverEffect
  | StreamClaimEffect
  | StreamConsumerEffect
  | StreamNoConsumerEffect
  | StreamPositionEffect

/** A count, or undefined as 0. */
function encodeCount(count: number | undefined, out: EffectWriter): void {
  out.varint(count === undefined ? 0 : count + 1)
}

function decodeCount(from: EffectReader): number | undefined {
  const shifted = from.varint()
  return shifted === 0 ? undefined : shifted - 1
}

export function encodeGroupEffect(effect: GroupEffect, out: EffectWriter): void {
  out.word(effect.group)
  switch (effect.tag) {
    case TAG.STREAM_GROUP:
      out.byte(effect.creates ? 1 : 0)
      encodeId(effect.start, out)
      encodeCount(effect.entriesRead, out)
      break
    case TAG.STREAM_UNGROUP:
      break
    case TAG.STREAM_ACK:
      encodeIds(effect.ids, out)
      break
    case TAG.STREAM_DELIVER:
      encodeDeliver(effect, out)
      break
    case TAG.STREAM_CLAIM:
      encodeClaim(effect, out)
      break
    case TAG.STREAM_CONSUMER:
      out.word(effect.consumer)
      out.varint(effect.atMs)
      break
    case TAG.STREAM_NO_CONSUMER:
      out.word(effect.consumer)
      break
    case TAG.STREAM_POSITION:
      encodeId(effect.cursor, out)
      encodeCount(effect.entriesRead, out)
      encodeIds(effect.late, out)
      break
  }
}

function encodeDeliver(
  { consumer, atMs, isRecorded, entries }: StreamDeliverEffect,
  out: EffectWriter,
): void {
  out.word(consumer)
  out.varint(atMs)
  out.byte(isRecorded ? 1 : 0)
  out.varint(entries.length)
  for (const entry of entries) {
    encodeId(entry, out)
    out.originRef(entry.origin)
    out.varint(entry.seq)
    out.varint(entry.index)
  }
}

function encodeClaim({ consumer, atMs, claims, gone }: StreamClaimEffect, out: EffectWriter): void {
  out.word(consumer)
  out.varint(atMs)
  out.varint(claims.length)
  for (const claim of claims) {
    encodeId(claim, out)
    out.varint(claim.deliveredMs)
    out.varint(claim.deliveries)
  }
  encodeIds(gone, out)
}

export function decodeGroupEffect(
  tag: GroupEffect['tag'],
  db: number,
  key: string,
  from: EffectReader,
): GroupEffect {
  const group = from.word()
  switch (tag) {
    case TAG.STREAM_GROUP: {
      const creates = from.byte() === 1
      const start = decodeId(from)
      return { tag, db, key, group, creates, start, entriesRead: decodeCount(from) }
    }
    case TAG.STREAM_UNGROUP:
      return { tag, db, key, group }
    case TAG.STREAM_ACK:
      return { tag, db, key, group, ids: decodeIds(from) }
    case TAG.STREAM_DELIVER: {
      const consumer = from.word()
      const atMs = from.varint()
      const isRecorded = from.byte() === 1
      return { tag, db, key, group, consumer, atMs, isRecorded, entries: decodeNames(from) }
    }
    case TAG.STREAM_CLAIM: {
      const consumer = from.word()
      const atMs = from.varint()
      const claims = decodeClaims(from)
      return { tag, db, key, group, consumer, atMs, claims, gone: decodeIds(from) }
    }
    case TAG.STREAM_CONSUMER:
      return { tag, db, key, group, consumer: from.word(), atMs: from.varint() }
    case TAG.STREAM_NO_CONSUMER:
      return { tag, db, key, group, consumer: from.word() }
    case TAG.STREAM_POSITION: {
      const cursor = decodeId(from)
      const entriesRead = decodeCount(from)
      return { tag, db, key, group, cursor, entriesRead, late: decodeIds(from) }
    }
  }
}

function decodeNames(from: EffectReader): EntryName[] {
  const names: EntryName[] = []
  for (let left = from.varint(); left > 0; left--) {
    const { ms, sequence } = decodeId(from)
    names.push({ ms, sequence, origin: from.originRef(), seq: from.varint(), index: from.varint() })
  }
  return names
}

function decodeClaims(from: EffectReader): Claim[] {
  const claims: Claim[] = []
  for (let left = from.varint(); left > 0; left--) {
    const { ms, sequence } = decodeId(from)
    claims.push({ ms, sequence, deliveredMs: from.varint(), deliveries: from.varint() })
  }
  return claims
}

export function applyGroupEffect(
  effect: GroupEffect,
  entry: KeyEntry | undefined,
  at: OpPoint,
): KeyEntry | undefined {
  if (effect.tag === TAG.STREAM_GROUP) return applyCreation(effect, entry, at)
  if (effect.tag === TAG.STREAM_UNGROUP) return applyDestruction(effect, entry, at)
  const stream = entry === undefined ? undefined : streamOf(entry)
  const group = stream?.groups.get(effect.group)
  if (stream !== undefined && group !== undefined) applyReading(effect, stream, group)
  return entry
}

function applyCreation(
  { group, start, entriesRead, creates }: StreamGroupEffect,
  entry: KeyEntry | undefined,
  at: OpPoint,
): KeyEntry | undefined {
  const key = openKey(entry)
  const stream = streamOf(key) ?? new StreamState()
  stream.createGroup(group, start, entriesRead, at)
  placeState(key, 'stream', stream.rest(), at)
  // Also where the group does not count: elsewhere its creation may have come before what undoes it.
  if (creates) beginKey(key, at)
  return closeKey(key)
}

/** Leaves its mark also where no stream is left. */
function applyDestruction(
  { group }: StreamUngroupEffect,
  entry: KeyEntry | undefined,
  at: OpPoint,
): KeyEntry | undefined {
  const key = openKey(entry)
  const stream = streamOf(key) ?? new StreamState()
  stream.destroyGroup(group, at)
  placeState(key, 'stream', stream.rest(), at)
  return closeKey(key)
}

type ReadingEffect = Exclude<GroupEffect, StreamGroupEffect | StreamUngroupEffect>

function applyReading(effect: ReadingEffect, stream: StreamState, group: Group): void {
  switch (effect.tag) {
    case TAG.STREAM_ACK:
      for (const id of effect.ids) group.settle(id)
      break
    case TAG.STREAM_DELIVER: {
      const points = effect.entries.map((name) => pointOf(name, stream))
      stream.deliver(group, points, effect.consumer, effect.atMs, effect.isRecorded)
      break
    }
    case TAG.STREAM_CLAIM:
      applyClaim(effect, group)
      break
    case TAG.STREAM_CONSUMER:
      group.consumer(effect.consumer, effect.atMs).seenMs = effect.atMs
      break
    case TAG.STREAM_NO_CONSUMER:
      group.removeConsumer(effect.consumer)
      break
    case TAG.STREAM_POSITION:
      applyPosition(effect, stream, group)
      break
  }
}

/** The entry, or only its name where it has gone. */
function pointOf(name: EntryName, { entries }: StreamState): EntryPoint {
  const first = entries.at(name)
  if (first !== undefined && isNamed(first, name)) return first
  const others = first === undefined ? [] : entries.range(name, name, Number.POSITIVE_INFINITY)
  const { origin, seq, index } = name
  return (
    others.find((one) => isNamed(one, name)) ??
    new EntryPoint(name, { origin, seq, index, hlcHigh: 0, hlcLow: 0 })
  )
}

function isNamed(entry: StreamEntry, { origin, seq, index }: EntryName): boolean {
  return entry.origin === origin && entry.seq === seq && entry.index === index
}

function applyClaim({ consumer: name, atMs, claims, gone }: StreamClaimEffect, group: Group): void {
  const consumer = group.consumer(name, atMs)
  consumer.seenMs = atMs
  if (claims.length > 0) consumer.activeMs = atMs
  for (const claim of claims) group.give(claim, consumer, claim.deliveredMs, claim.deliveries)
  for (const id of gone) group.settle(id)
}

function applyPosition(
  { cursor, entriesRead, late }: StreamPositionEffect,
  { entries }: StreamState,
  group: Group,
): void {
  group.cursor = cursor
  group.entriesRead = entriesRead
  group.late.clear()
  for (const id of late) {
    for (const entry of entries.range(id, id, Number.POSITIVE_INFINITY)) {
      if (compareIds(entry, cursor) <= 0) group.late.add(entry)
    }
  }
}
