/**
 * string-effects.ts: what SET, APPEND and INCR do to a key.
 *
 * - `set` replaces all that its origin had seen of the key, of every type, with one value and a deadline.
 * - `put` writes the string's value and leaves the deadline: APPEND, SETRANGE, SET KEEPTTL.
 * - `increment` adds to the string's counter.
 */
import { type Cell, incrementCell, ManyCell, writeCell } from '../cell.ts'
import { DecodeError } from '../codec/bytes.ts'
import type { Increment } from '../counter.ts'
import type { OpPoint } from '../dot.ts'
import {
  beginKey,
  closeKey,
  type KeyEntry,
  openKey,
  placeState,
  removeSeen,
  setDeadline,
  stateOfType,
} from '../key.ts'
import { Register } from '../register.ts'
import { NOTHING_SEEN, type SeenCounter } from '../state.ts'
import { decodeSeen, type EffectReader, type EffectWriter, encodeSeen, type OnKey, TAG } from './effect.ts'

export interface SetEffect extends OnKey {
  readonly tag: typeof TAG.SET
  readonly value: string
  /** Milliseconds since the Unix epoch; Infinity for never. */
  readonly deadlineMs: number
  readonly seen: readonly SeenCounter[]
}

export interface PutEffect extends OnKey {
  readonly tag: typeof TAG.PUT
  readonly value: string
  /** The origin had seen no value of the key. */
  readonly creates: boolean
  readonly seen: readonly SeenCounter[]
}

export interface IncrementEffect extends OnKey, Increment {
  readonly tag: typeof TAG.INCREMENT
  readonly creates: boolean
}

/** The string of a key, visible or hidden. */
export function stringOf(entry: KeyEntry): Cell | undefined {
  const state = stateOfType(entry, 'string')
  return state instanceof Register || state instanceof ManyCell ? state : undefined
}

const FLAG_DEADLINE = 1
const FLAG_SEEN = 2

export function encodeSet({ value, deadlineMs, seen }: SetEffect, out: EffectWriter): void {
  const never = deadlineMs === Number.POSITIVE_INFINITY
  out.byte((never ? 0 : FLAG_DEADLINE) | (seen.length === 0 ? 0 : FLAG_SEEN))
  out.word(value)
  if (!never) out.varint(deadlineMs)
  if (seen.length > 0) encodeSeen(seen, out)
}

export function decodeSet(db: number, key: string, from: EffectReader): SetEffect {
  const flags = from.byte()
  if (flags > (FLAG_DEADLINE | FLAG_SEEN)) throw new DecodeError(`unknown flags ${flags} of a set`)
  const value = from.word()
  const deadlineMs = flags & FLAG_DEADLINE ? from.varint() : Number.POSITIVE_INFINITY
  return {
    tag: TAG.SET,
    db,
    key,
    value,
    deadlineMs,
    seen: flags & FLAG_SEEN ? decodeSeen(from) : NOTHING_SEEN,
  }
}

export function applySet(effect: SetEffect, entry: KeyEntry | undefined, at: OpPoint): KeyEntry | undefined {
  const { value, deadlineMs, seen } = effect
  // The hot road: a plain key overwritten by one who had seen it stays the same object.
  if (deadlineMs === Number.POSITIVE_INFINITY) {
    if (entry === undefined) return new Register(value, at)
    if (entry instanceof Register && at.covers(entry)) {
      entry.value = value
      entry.renew(at)
      return entry
    }
  }
  const key = openKey(entry)
  removeSeen(key, seen, at)
  placeState(key, 'string', writeCell(stringOf(key), value, undefined, at), at)
  setDeadline(key, deadlineMs, at)
  return closeKey(key)
}

const FLAG_CREATES = 1

export function encodePut({ value, creates, seen }: PutEffect, out: EffectWriter): void {
  out.byte((creates ? FLAG_CREATES : 0) | (seen.length === 0 ? 0 : FLAG_SEEN))
  out.word(value)
  if (seen.length > 0) encodeSeen(seen, out)
}

export function decodePut(db: number, key: string, from: EffectReader): PutEffect {
  const flags = from.byte()
  const value = from.word()
  const seen = flags & FLAG_SEEN ? decodeSeen(from) : NOTHING_SEEN
  return { tag: TAG.PUT, db, key, value, creates: (flags & FLAG_CREATES) !== 0, seen }
}

export function applyPut(effect: PutEffect, entry: KeyEntry | undefined, at: OpPoint): KeyEntry | undefined {
  const key = openKey(entry)
  placeState(key, 'string', writeCell(stringOf(key), effect.value, effect.seen, at), at)
  if (effect.creates) beginKey(key, at)
  return closeKey(key)
}

export function encodeIncrement(effect: IncrementEffect, out: EffectWriter): void {
  out.byte(effect.creates ? FLAG_CREATES : 0)
  encodeAddition(effect, out)
}

/** The part that strings and hash fields share. Each decodes it in place: an object more for each op shows. */
export function encodeAddition({ delta, run, total }: Increment, out: EffectWriter): void {
  out.amount(delta)
  out.varint(run)
  out.amount(total)
}

export function decodeIncrement(db: number, key: string, from: EffectReader): IncrementEffect {
  const creates = from.byte() === FLAG_CREATES
  return {
    tag: TAG.INCREMENT,
    db,
    key,
    creates,
    delta: from.amount(),
    run: from.varint(),
    total: from.amount(),
  }
}

export function applyIncrement(
  effect: IncrementEffect,
  entry: KeyEntry | undefined,
  at: OpPoint,
): KeyEntry | undefined {
  const key = openKey(entry)
  placeState(key, 'string', incrementCell(stringOf(key), effect, at), at)
  if (effect.creates) beginKey(key, at)
  return closeKey(key)
}
