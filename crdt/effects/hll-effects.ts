/**
 * hll-effects.ts: what PFADD and PFMERGE do to a key, and what a removal does to the HyperLogLog it saw.
 *
 * - `hll raise` raises registers: PFADD.
 * - `hll join` joins a whole value: PFMERGE, COPY, RENAME, RESTORE.
 * - `hll remove` stands beside every removal of a key whose origin saw a HyperLogLog there (DEL, SET over it,
 *   expiry, FLUSHALL for each such key): it clears the registers, and its dot is the mark that stays.
 *
 * Removals of other types take what they had seen by `deps` alone; that a HyperLogLog was seen has to be said,
 * because what is removed of it was not all seen.
 */
import { DecodeError } from '../codec/bytes.ts'
import type { OpPoint } from '../dot.ts'
import { HllState } from '../hll.ts'
import { indexOf, levelOf, packed, REGISTER_COUNT } from '../hll-hash.ts'
import { HllRegisters, isHllText } from '../hll-registers.ts'
import { beginKey, closeKey, type KeyEntry, openKey, placeState, stateOfType } from '../key.ts'
import { type EffectReader, type EffectWriter, type OnKey, TAG } from './effect.ts'

export interface HllRaiseEffect extends OnKey {
  readonly tag: typeof TAG.HLL_RAISE
  /** Registers and values, packed (`hll-hash.ts`). */
  readonly raises: readonly number[]
  /** The origin has it dense. */
  readonly isDense: boolean
  readonly creates: boolean
}

export interface HllJoinEffect extends OnKey {
  readonly tag: typeof TAG.HLL_JOIN
  /** As Redis keeps it. */
  readonly text: string
  readonly creates: boolean
}

export interface HllRemoveEffect extends OnKey {
  readonly tag: typeof TAG.HLL_REMOVE
}

export type HllEffect = HllRaiseEffect | HllJoinEffect | HllRemoveEffect

const FLAG_CREATES = 1
const FLAG_DENSE = 2

/** The HyperLogLog of a key, visible, hidden or gone. */
export function hllOf(entry: KeyEntry): HllState | undefined {
  const state = stateOfType(entry, 'hll')
  return state instanceof HllState ? state : undefined
}

export function encodeHllEffect(effect: HllEffect, out: EffectWriter): void {
  if (effect.tag === TAG.HLL_RAISE) {
    const { raises, isDense, creates } = effect
    out.byte((creates ? FLAG_CREATES : 0) | (isDense ? FLAG_DENSE : 0))
    out.varint(raises.length)
    for (const raise of raises) out.varint(raise)
  } else if (effect.tag === TAG.HLL_JOIN) {
    out.byte(effect.creates ? FLAG_CREATES : 0)
    out.word(effect.text)
  }
}

/** @throws DecodeError */
export function decodeHllEffect(
  tag: HllEffect['tag'],
  db: number,
  key: string,
  from: EffectReader,
): HllEffect {
  if (tag === TAG.HLL_REMOVE) return { tag, db, key }
  const flags = from.byte()
  const creates = (flags & FLAG_CREATES) !== 0
  if (tag === TAG.HLL_JOIN) {
    const text = from.word()
    readText(text)
    return { tag, db, key, creates, text }
  }
  const raises: number[] = []
  for (let left = from.varint(); left > 0; left--) {
    const raise = from.varint()
    if (raise >= packed(REGISTER_COUNT, 0) || levelOf(raise) === 0)
      throw new DecodeError(`no register ${indexOf(raise)} of a HyperLogLog`)
    raises.push(raise)
  }
  return { tag, db, key, creates, raises, isDense: (flags & FLAG_DENSE) !== 0 }
}

function readText(text: string): HllRegisters {
  const registers = isHllText(text) ? HllRegisters.read(text) : undefined
  if (registers === undefined) throw new DecodeError('no HyperLogLog')
  return registers
}

export function applyHllEffect(
  effect: HllEffect,
  entry: KeyEntry | undefined,
  at: OpPoint,
): KeyEntry | undefined {
  const key = openKey(entry)
  const hll = hllOf(key) ?? new HllState()
  if (effect.tag === TAG.HLL_REMOVE) hll.clear(at)
  else if (effect.tag === TAG.HLL_RAISE) hll.raise(effect.raises, effect.isDense, at)
  else hll.join(readText(effect.text), effect.text, at)
  placeState(key, 'hll', hll, at)
  // Also where a mark keeps the write from counting: whichever of the two comes first.
  if (effect.tag !== TAG.HLL_REMOVE && effect.creates) beginKey(key, at)
  return closeKey(key)
}
