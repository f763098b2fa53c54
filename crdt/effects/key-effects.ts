/**
 * key-effects.ts: what EXPIRE, PERSIST, DEL, expiry and FLUSHALL do, whatever the type of a key.
 *
 * - `deadline` writes a deadline beside the value.
 * - `clear` removes all that its origin had seen of a key.
 * - `flush` removes all that its origin had seen of one database or of all of them, and carries the
 *   counter entries it saw, key by key. It has no key of its own: the keyspace applies it to each.
 */
import type { OpPoint } from '../dot.ts'
import { closeKey, type KeyEntry, openKey, removeSeen, setDeadline } from '../key.ts'
import type { SeenCounter } from '../state.ts'
import { decodeSeen, type EffectReader, type EffectWriter, encodeSeen, type OnKey, TAG } from './effect.ts'

export interface DeadlineEffect extends OnKey {
  readonly tag: typeof TAG.DEADLINE
  /** Milliseconds since the Unix epoch; Infinity for never. */
  readonly deadlineMs: number
}

export interface ClearEffect extends OnKey {
  readonly tag: typeof TAG.CLEAR
  readonly seen: readonly SeenCounter[]
}

/** All databases that clients can select, in place of a database index. */
export const EVERY_DB = -1
/**
 * Holds the function libraries: a string of code under each name. Behind the last index that `databases` allows;
 * EVERY_DB does not mean it.
 */
export const LIBRARY_DB = 1024

export interface FlushEffect {
  readonly tag: typeof TAG.FLUSH
  /** A database index, or EVERY_DB. */
  readonly db: number
  readonly seen: readonly {
    readonly db: number
    readonly key: string
    readonly seen: readonly SeenCounter[]
  }[]
}

export function encodeMoment(moment: number, out: EffectWriter): void {
  // Shifted by one so that 0 can stand for never.
  out.varint(moment === Number.POSITIVE_INFINITY ? 0 : moment + 1)
}

export function decodeMoment(from: EffectReader): number {
  const shifted = from.varint()
  return shifted === 0 ? Number.POSITIVE_INFINITY : shifted - 1
}

export function encodeDeadline({ deadlineMs }: DeadlineEffect, out: EffectWriter): void {
  encodeMoment(deadlineMs, out)
}

export function decodeDeadline(db: number, key: string, from: EffectReader): DeadlineEffect {
  return { tag: TAG.DEADLINE, db, key, deadlineMs: decodeMoment(from) }
}

export function applyDeadline(
  effect: DeadlineEffect,
  entry: KeyEntry | undefined,
  at: OpPoint,
): KeyEntry | undefined {
  const key = openKey(entry)
  setDeadline(key, effect.deadlineMs, at)
  return closeKey(key)
}

export function encodeClear({ seen }: ClearEffect, out: EffectWriter): void {
  encodeSeen(seen, out)
}

export function decodeClear(db: number, key: string, from: EffectReader): ClearEffect {
  return { tag: TAG.CLEAR, db, key, seen: decodeSeen(from) }
}

export function applyClear(
  { seen }: Pick<ClearEffect, 'seen'>,
  entry: KeyEntry | undefined,
  at: OpPoint,
): KeyEntry | undefined {
  if (entry === undefined) return undefined
  const key = openKey(entry)
  removeSeen(key, seen, at)
  return closeKey(key)
}

export function encodeFlush({ db, seen }: FlushEffect, out: EffectWriter): void {
  out.varint(db - EVERY_DB)
  out.varint(seen.length)
  for (const one of seen) {
    out.varint(one.db)
    out.word(one.key)
    encodeSeen(one.seen, out)
  }
}

export function decodeFlush(from: EffectReader): FlushEffect {
  const db = from.varint() + EVERY_DB
  const seen: { db: number; key: string; seen: readonly SeenCounter[] }[] = []
  for (let left = from.varint(); left > 0; left--) {
    seen.push({ db: from.varint(), key: from.word(), seen: decodeSeen(from) })
  }
  return { tag: TAG.FLUSH, db, seen }
}
