/**
 * reclaim.ts: what of a key's state may be forgotten below the stable cut.
 *
 * Every op that is not applied here yet has seen all writes below the cut. So a write below it that stands
 * behind a winner can be dropped: whatever removes the winner from now on removes it too. And the deadlines
 * of a key that is gone: whatever creates the key from now on has seen them, and replaces them. Hidden types
 * of a key never go this way, because reads answer for them once the visible one is removed.
 *
 * Nothing that a read or a digest can answer changes. Source: algorithms.md, Register and TTL.
 */
import { type Cell, ManyCell } from './cell.ts'
import { type Deadlines, winningDeadline } from './deadline.ts'
import type { Dot } from './dot.ts'
import { HashState } from './hash-aw.ts'
import { closeKey, type KeyEntry, KeyState } from './key.ts'
import type { Register } from './register.ts'
import type { TypedState } from './state.ts'

/** The dot lies below the stable cut. */
export type IsStable = (dot: Dot) => boolean

/**
 * Drops what may be forgotten. May change and reuse `entry`.
 * @param field  the hash field to look at; undefined for the key itself
 * @returns the entry to store; undefined when nothing of the key is left
 */
export function reclaimEntry(
  entry: KeyEntry,
  field: string | undefined,
  isStable: IsStable,
): KeyEntry | undefined {
  if (!(entry instanceof KeyState)) return entry
  for (const state of statesOf(entry)) if (field !== undefined) reclaimField(state, field, isStable)
  if (entry.state === undefined) {
    if (listOf(entry.deadlines).every(isStable)) entry.deadlines = undefined
    return closeKey(entry)
  }
  entry.state = withoutLosers(entry.state, isStable)
  entry.hidden = entry.hidden?.map((state) => withoutLosers(state, isStable))
  entry.deadlines = winnerOnly(entry.deadlines, isStable)
  return closeKey(entry)
}

/** Something of the key itself, its fields left out, waits to be forgotten. */
export function isReclaimable(entry: KeyEntry): boolean {
  if (!(entry instanceof KeyState)) return false
  if (entry.state === undefined || Array.isArray(entry.deadlines)) return true
  return statesOf(entry).some((state) => state instanceof ManyCell && state.registers.length > 1)
}

/** Fields in which several concurrent writes stand. */
export function reclaimableFields(entry: KeyEntry): string[] {
  const fields: string[] = []
  if (!(entry instanceof KeyState)) return fields
  for (const state of statesOf(entry)) {
    if (!(state instanceof HashState)) continue
    for (const [field, cell] of state.fields) {
      if (cell instanceof ManyCell && cell.registers.length > 1) fields.push(field)
    }
  }
  return fields
}

function statesOf({ state, hidden }: KeyState): TypedState[] {
  return state === undefined ? [] : [state, ...(hidden ?? [])]
}

function listOf(deadlines: Deadlines): readonly Dot[] {
  return deadlines === undefined ? [] : Array.isArray(deadlines) ? deadlines : [deadlines]
}

function withoutLosers(state: TypedState, isStable: IsStable): TypedState {
  return state instanceof ManyCell ? reclaimCell(state, isStable) : state
}

function reclaimField(state: TypedState, field: string, isStable: IsStable): void {
  if (!(state instanceof HashState)) return
  const cell = state.fields.get(field)
  if (cell instanceof ManyCell) state.fields.set(field, reclaimCell(cell, isStable))
}

function reclaimCell(cell: ManyCell, isStable: IsStable): Cell {
  const { registers, counter } = cell
  let kept = Math.min(1, registers.length)
  for (let i = 1; i < registers.length; i++) {
    const loser: Register = registers[i]!
    if (!isStable(loser)) registers[kept++] = loser
  }
  registers.length = kept
  return kept === 1 && counter.length === 0 ? registers[0]! : cell
}

function winnerOnly(deadlines: Deadlines, isStable: IsStable): Deadlines {
  if (!Array.isArray(deadlines)) return deadlines
  const winner = winningDeadline(deadlines)!
  const rest = deadlines.filter((one) => one === winner || !isStable(one))
  return rest.length > 1 ? rest : rest[0]
}
