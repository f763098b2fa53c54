/**
 * field-deadline-effects.ts: what HEXPIRE and HPERSIST do to fields of a hash.
 */
import type { OpPoint } from '../dot.ts'
import { HashState } from '../hash-aw.ts'
import { closeKey, type KeyEntry, openKey, placeState } from '../key.ts'
import { decodeWords, type EffectReader, type EffectWriter, encodeWords, type OnKey, TAG } from './effect.ts'
import { hashOf } from './hash-effects.ts'
import { decodeMoment, encodeMoment } from './key-effects.ts'

export interface FieldDeadlineEffect extends OnKey {
  readonly tag: typeof TAG.FIELD_DEADLINE
  readonly fields: readonly string[]
  /** Milliseconds since the Unix epoch; Infinity for never. */
  readonly deadlineMs: number
}

export function encodeFieldDeadline({ fields, deadlineMs }: FieldDeadlineEffect, out: EffectWriter): void {
  encodeMoment(deadlineMs, out)
  encodeWords(fields, out)
}

export function decodeFieldDeadline(db: number, key: string, from: EffectReader): FieldDeadlineEffect {
  const deadlineMs = decodeMoment(from)
  return { tag: TAG.FIELD_DEADLINE, db, key, deadlineMs, fields: decodeWords(from) }
}

/** Where a field or the whole hash is gone meanwhile, the deadline waits until that is stable. */
export function applyFieldDeadline(
  { fields, deadlineMs }: FieldDeadlineEffect,
  entry: KeyEntry | undefined,
  at: OpPoint,
): KeyEntry | undefined {
  const key = openKey(entry)
  const hash = hashOf(key) ?? new HashState()
  for (const field of fields) hash.setDeadline(field, deadlineMs, at)
  placeState(key, 'hash', hash.isEmpty ? undefined : hash, at)
  return closeKey(key)
}
