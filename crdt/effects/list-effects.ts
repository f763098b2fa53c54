/**
 * list-effects.ts: what LPUSH, LINSERT, LPOP, LTRIM and LSET do to a key.
 *
 * - `insert` brings a run of elements and says where in the tree its first one hangs; the others hang under one
 *   another.
 * - `remove` names elements, as ranges of what one effect had inserted.
 * - `set` writes the value of one element.
 *
 * Names of nodes are an origin, a seq, the effect in that op and the place in its run.
 */
import { unreachable } from '../assert.ts'
import { DecodeError } from '../codec/bytes.ts'
import type { OpPoint } from '../dot.ts'
import { beginKey, closeKey, type KeyEntry, openKey, placeState, stateOfType } from '../key.ts'
import { ListState } from '../list-fugue.ts'
import { type ListPlace, type NodeName, type NodeRange, RUN_PLACES } from '../list-names.ts'
import { decodeWords, type EffectReader, type EffectWriter, encodeWords, type OnKey, TAG } from './effect.ts'

export interface ListInsertEffect extends OnKey {
  readonly tag: typeof TAG.LIST_INSERT
  readonly creates: boolean
  readonly place: ListPlace
  /** Each value goes before the one before it. */
  readonly toLeft: boolean
  /** One at least. */
  readonly values: readonly string[]
}

export interface ListRemoveEffect extends OnKey {
  readonly tag: typeof TAG.LIST_REMOVE
  readonly ranges: readonly NodeRange[]
}

export interface ListSetEffect extends OnKey {
  readonly tag: typeof TAG.LIST_SET
  readonly name: NodeName
  readonly value: string
}

export type ListEffect = ListInsertEffect | ListRemoveEffect | ListSetEffect

const CREATES = 1
const TO_LEFT = 2
const ON_LEFT = 4
const UNDER_ROOT = 8

/** The list of a key, visible or hidden, or what is left of one. */
export function listOf(entry: KeyEntry): ListState | undefined {
  const state = stateOfType(entry, 'list')
  return state instanceof ListState ? state : undefined
}

export function encodeListEffect(effect: ListEffect, out: EffectWriter): void {
  switch (effect.tag) {
    case TAG.LIST_INSERT:
      encodeInsert(effect, out)
      break
    case TAG.LIST_REMOVE:
      encodeRanges(effect.ranges, out)
      break
    case TAG.LIST_SET:
      encodeName(effect.name, out)
      out.word(effect.value)
      break
    default:
      unreachable(effect)
  }
}

/** @throws DecodeError */
export function decodeListEffect(
  tag: ListEffect['tag'],
  db: number,
  key: string,
  from: EffectReader,
): ListEffect {
  switch (tag) {
    case TAG.LIST_INSERT:
      return decodeInsert(db, key, from)
    case TAG.LIST_REMOVE:
      return { tag, db, key, ranges: decodeRanges(from) }
    case TAG.LIST_SET:
      return { tag, db, key, name: decodeName(from), value: from.word() }
    default:
      return unreachable(tag)
  }
}

export function applyListEffect(
  effect: ListEffect,
  entry: KeyEntry | undefined,
  at: OpPoint,
): KeyEntry | undefined {
  if (effect.tag === TAG.LIST_INSERT) return applyInsert(effect, entry, at)
  const list = entry === undefined ? undefined : listOf(entry)
  if (entry === undefined || list === undefined) return entry
  const key = openKey(entry)
  if (effect.tag === TAG.LIST_REMOVE) list.remove(effect.ranges, at)
  else list.set(effect.name, effect.value, at)
  placeState(key, 'list', list, at)
  return closeKey(key)
}

function applyInsert(
  { place, values, toLeft, creates }: ListInsertEffect,
  entry: KeyEntry | undefined,
  at: OpPoint,
): KeyEntry | undefined {
  const key = openKey(entry)
  const list = listOf(key) ?? new ListState()
  list.insert(place, values, toLeft, at)
  placeState(key, 'list', list, at)
  if (creates) beginKey(key, at)
  return closeKey(key)
}

function encodeInsert({ creates, toLeft, place, values }: ListInsertEffect, out: EffectWriter): void {
  const { parent, side } = place
  out.byte(
    (creates ? CREATES : 0) |
      (toLeft ? TO_LEFT : 0) |
      (side === 'left' ? ON_LEFT : 0) |
      (parent === undefined ? UNDER_ROOT : 0),
  )
  if (parent !== undefined) encodeName(parent, out)
  encodeWords(values, out)
}

function decodeInsert(db: number, key: string, from: EffectReader): ListInsertEffect {
  const flags = from.byte()
  const parent = (flags & UNDER_ROOT) === 0 ? decodeName(from) : undefined
  const side = (flags & ON_LEFT) === 0 ? 'right' : 'left'
  if (parent === undefined && side === 'left') throw new DecodeError('nothing lies before the root of a list')
  const values = decodeWords(from)
  if (values.length === 0) throw new DecodeError('a run without elements')
  if (values.length > RUN_PLACES) throw new DecodeError('a run of too many elements')
  const creates = (flags & CREATES) !== 0
  const toLeft = (flags & TO_LEFT) !== 0
  return { tag: TAG.LIST_INSERT, db, key, creates, place: { parent, side }, toLeft, values }
}

export function encodeName({ origin, seq, sub }: NodeName, out: EffectWriter): void {
  out.originRef(origin)
  out.varint(seq)
  out.varint(Math.floor(sub / RUN_PLACES))
  out.varint(sub % RUN_PLACES)
}

export function decodeName(from: EffectReader): NodeName {
  const origin = from.originRef()
  const seq = from.varint()
  const index = from.varint()
  const place = from.varint()
  if (place >= RUN_PLACES || index > 2 ** 31) throw new DecodeError('a place beyond every run')
  return { origin, seq, sub: index * RUN_PLACES + place }
}

function encodeRanges(ranges: readonly NodeRange[], out: EffectWriter): void {
  out.varint(ranges.length)
  for (const range of ranges) {
    encodeName(range, out)
    out.varint(range.count)
  }
}

function decodeRanges(from: EffectReader): NodeRange[] {
  const ranges: NodeRange[] = []
  for (let left = from.varint(); left > 0; left--) {
    const name = decodeName(from)
    const count = from.varint()
    if (count > RUN_PLACES) throw new DecodeError('more elements than a run can have')
    ranges.push({ ...name, count })
  }
  return ranges
}
