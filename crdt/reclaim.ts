/**
 * reclaim.ts: what of a key's state may be forgotten below the stable cut.
 *
 * Every op that is not applied here yet has seen all writes below the cut. So a write below it that stands
 * behind a winner can be dropped: whatever removes the winner from now on removes it too. And the deadlines
 * of a key that is gone: whatever creates the key from now on has seen them, and replaces them. Hidden types
 * of a key never go this way, because reads answer for them once the visible one is removed.
 *
 * A mark of a removed HyperLogLog or consumer group can be dropped for the same reason. A marker of a list cannot, it takes one round
 * more (`list-fugue.ts`): by then `isAnnounced` lets it go.
 *
 * Nothing that a read or a digest can answer changes. Source: algorithms.md, Register and TTL.
 */
import { type Cell, ManyCell } from './cell.ts'
import { Deadline, type Deadlines, winningDeadline } from './deadline.ts'
import type { Dot } from './dot.ts'
import { HashState } from './hash-aw.ts'
import { HllState } from './hll.ts'
import { closeKey, isLive, type KeyEntry, KeyState } from './key.ts'
import { ListState } from './list-fugue.ts'
import type { IsCovered } from './list-names.ts'
import type { TypedState } from './state.ts'
import { StreamState } from './stream.ts'
import { ZsetState } from './zset-aw.ts'
import { ManyScore, type Score } from './zset-score.ts'

/** The dot lies below the stable cut. */
export type IsStable = (dot: Dot) => boolean

/** Markers of one list that are looked at in one step. */
const LIST_STEP_MARKERS = 200_000

const nothingIsAnnounced: IsCovered = () => false

/**
 * Drops what may be forgotten. May change and reuse `entry`.
 * @param field  the hash field or member of a sorted set to look at; undefined for the key itself
 * @param isAnnounced  covered by the cut that every origin which may still bring an op has announced
 * @returns the entry to store; undefined when nothing of the key is left
 */
export function reclaimEntry(
  entry: KeyEntry,
  field: string | undefined,
  isStable: IsStable,
  isAnnounced = nothingIsAnnounced,
): KeyEntry | undefined {
  if (!(entry instanceof KeyState)) return entry
  for (const state of statesOf(entry)) if (field !== undefined) reclaimField(state, field, isStable)
  const kept: TypedState[] = []
  for (const state of statesOf(entry)) {
    const rest = withoutLosers(state, isStable, isAnnounced)
    if (rest !== undefined) kept.push(rest)
  }
  entry.state = kept[0]
  entry.hidden = kept.length > 1 ? kept.slice(1) : undefined
  if (isLive(entry)) entry.deadlines = winnerOnly(entry.deadlines, isStable)
  else if (listOf(entry.deadlines).every(isStable)) entry.deadlines = undefined
  return closeKey(entry)
}

/** Something of the key itself, its fields left out, waits to be forgotten. */
export function isReclaimable(entry: KeyEntry): boolean {
  if (!(entry instanceof KeyState)) return false
  if (!isLive(entry) || Array.isArray(entry.deadlines)) return true
  return statesOf(entry).some(holdsReclaimable)
}

function holdsReclaimable(state: TypedState): boolean {
  if (state instanceof HllState || state instanceof StreamState) return state.marks.length > 0
  if (state instanceof ListState) return state.isReclaimable
  return state instanceof ManyCell && state.registers.length > 1
}

/**
 * Fields and members of sorted sets in which several concurrent writes stand, and fields with several deadlines
 * or one that says nothing any more. Looks at all that are not packed.
 */
export function reclaimableFields(entry: KeyEntry): string[] {
  const fields: string[] = []
  if (!(entry instanceof KeyState)) return fields
  for (const state of statesOf(entry)) {
    if (state instanceof HashState) {
      const { timed } = state
      for (const [field, cell] of state.manyCells())
        if (!timed?.byField.has(field) && isFieldReclaimable(state, field, cell)) fields.push(field)
      for (const field of timed?.byField.keys() ?? [])
        if (isFieldReclaimable(state, field, state.cellOf(field))) fields.push(field)
    } else if (state instanceof ZsetState) {
      for (const [member, score] of state.scores)
        if (score instanceof ManyScore && score.registers.length > 1) fields.push(member)
    }
  }
  return fields
}

/** What `reclaimableFields` asks of one field. @param cell  the field's own */
export function isFieldReclaimable({ timed }: HashState, field: string, cell: Cell | undefined): boolean {
  if (cell instanceof ManyCell && cell.registers.length > 1) return true
  const deadlines = timed?.byField.get(field)
  if (deadlines === undefined) return false
  return cell === undefined || !(deadlines instanceof Deadline)
}

function statesOf({ state, hidden }: KeyState): TypedState[] {
  return state === undefined ? [] : [state, ...(hidden ?? [])]
}

function listOf(deadlines: Deadlines): readonly Dot[] {
  return deadlines === undefined ? [] : Array.isArray(deadlines) ? deadlines : [deadlines]
}

function withoutLosers(
  state: TypedState,
  isStable: IsStable,
  isAnnounced: IsCovered,
): TypedState | undefined {
  if (state instanceof HashState) return state.isEmpty ? undefined : state
  if (state instanceof HllState) return withoutMarks(state, isStable)
  if (state instanceof StreamState) return withoutGroupMarks(state, isStable)
  if (state instanceof ListState) {
    state.reclaim(isAnnounced, isStable, LIST_STEP_MARKERS)
    return state.isGone && state.markers === 0 ? undefined : state
  }
  return state instanceof ManyCell ? reclaimCell(state, isStable) : state
}

/** What comes from now on has seen a stable removal: its mark has nothing left to keep out. */
function withoutMarks(state: HllState, isStable: IsStable): HllState | undefined {
  state.marks = state.marks.filter((mark) => !isStable(mark))
  return state.isGone && state.marks.length === 0 ? undefined : state
}

function withoutGroupMarks(state: StreamState, isStable: IsStable): StreamState | undefined {
  state.marks = state.marks.filter((mark) => !isStable(mark))
  return state.rest()
}

function reclaimField(state: TypedState, field: string, isStable: IsStable): void {
  if (state instanceof ZsetState) state.reclaim(field, (score) => reclaimScore(score, isStable))
  if (!(state instanceof HashState)) return
  const cell = state.cellOf(field)
  if (cell instanceof ManyCell) state.replaceCell(field, reclaimCell(cell, isStable))
  const { timed } = state
  const deadlines = timed?.byField.get(field)
  if (timed === undefined || deadlines === undefined) return
  const rest = cell === undefined ? deadlines : winnerOnly(deadlines, isStable)
  // "Never" is what a field without a deadline means, too.
  const saysNothing = cell === undefined || !(rest instanceof Deadline)
  if (saysNothing && listOf(rest).every(isStable)) timed.byField.delete(field)
  else timed.byField.set(field, rest)
}

function reclaimCell(cell: ManyCell, isStable: IsStable): Cell {
  const { registers, counter } = cell
  dropLosers(registers, isStable)
  return registers.length === 1 && counter.length === 0 ? registers[0]! : cell
}

function reclaimScore(score: Score, isStable: IsStable): Score {
  if (!(score instanceof ManyScore)) return score
  const { registers, counter } = score
  dropLosers(registers, isStable)
  return registers.length === 1 && counter.length === 0 ? registers[0]! : score
}

/** @param registers  the winner first, which stays */
function dropLosers(registers: Dot[], isStable: IsStable): void {
  let kept = Math.min(1, registers.length)
  for (let i = 1; i < registers.length; i++) {
    const loser = registers[i]!
    if (!isStable(loser)) registers[kept++] = loser
  }
  registers.length = kept
}

function winnerOnly(deadlines: Deadlines, isStable: IsStable): Deadlines {
  if (!Array.isArray(deadlines)) return deadlines
  const winner = winningDeadline(deadlines)!
  const rest = deadlines.filter((one) => one === winner || !isStable(one))
  return rest.length > 1 ? rest : rest[0]
}

/** The list of a key, when it holds markers. */
export function listWithMarkers(entry: KeyEntry | undefined): ListState | undefined {
  if (!(entry instanceof KeyState)) return undefined
  for (const state of statesOf(entry)) if (state instanceof ListState && state.markers > 0) return state
  return undefined
}
