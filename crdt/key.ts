/**
 * key.ts: everything one key holds, and the rules that cross its types.
 *
 * A key may hold states of several types when regions created it apart. The type of the live dot with
 * the highest stamp is visible; the others are hidden, not gone, and only a removal that saw them takes
 * them away. Beside the states stand the key's deadlines.
 *
 * A key whose whole state is one string register, with the "never" its creation wrote as its only
 * deadline, is stored as that Register. `openKey` gives any entry its full form and `closeKey` brings it
 * back to the short one; both keep the meaning.
 *
 * A state may be gone (`state.ts`): what it must still be remembered for waits behind the live ones, and where
 * it is alone the key does not exist for any read.
 *
 * Invariants: (1) `state` is undefined only if `hidden` is too: then only deadlines remain. (2) `state` holds
 * the highest stamp of all live states; those that are gone come last. (3) A Register as an entry means:
 * deadline "never", written by the very same dot.
 */
import { ManyCell } from './cell.ts'
import type { CounterEntry } from './counter.ts'
import {
  Deadline,
  type Deadlines,
  deadlinesWithoutSeen,
  describeDeadlines,
  momentOf,
  winningDeadline,
  writeDeadline,
} from './deadline.ts'
import { Fingerprint } from './digest.ts'
import { compareStamps, Dot, type OpPoint, sameDot } from './dot.ts'
import { Register } from './register.ts'
import type { Description, SeenCounter, TypedState, TypeName } from './state.ts'

export class KeyState {
  state: TypedState | undefined
  hidden: TypedState[] | undefined
  deadlines: Deadlines

  constructor(state: TypedState | undefined, deadlines: Deadlines) {
    this.state = state
    this.hidden = undefined
    this.deadlines = deadlines
  }
}

export type KeyEntry = Register | KeyState

/** The state that reads address; undefined when the key does not exist. */
export function visibleState(entry: KeyEntry | undefined): TypedState | undefined {
  if (!(entry instanceof KeyState)) return entry
  const { state } = entry
  return state?.isUnseen === true ? undefined : state
}

/** Something live is in the key, whether the clock hides it or not. */
export function isLive(entry: KeyState): boolean {
  return entry.state !== undefined && entry.state.isGone !== true
}

/** The state of one type, visible or hidden. */
export function stateOfType(entry: KeyEntry, type: TypeName): TypedState | undefined {
  if (entry instanceof Register) return type === 'string' ? entry : undefined
  if (entry.state?.type === type) return entry.state
  return entry.hidden?.find((state) => state.type === type)
}

/** When the key is due, milliseconds since the Unix epoch; Infinity for never. */
export function deadlineOf(entry: KeyEntry): number {
  if (entry instanceof Register) return Number.POSITIVE_INFINITY
  const winner = winningDeadline(entry.deadlines)
  return winner === undefined ? Number.POSITIVE_INFINITY : momentOf(winner)
}

export function openKey(entry: KeyEntry | undefined): KeyState {
  if (entry === undefined) return new KeyState(undefined, undefined)
  // The Register may be renewed in place later, so "never" needs a dot of its own.
  if (entry instanceof Register) return new KeyState(entry, new Dot(entry))
  return entry
}

/** Puts the new state of one type in place of its old one, and keeps invariant 2. */
export function placeState(key: KeyState, type: TypeName, state: TypedState | undefined, at: OpPoint): void {
  if (key.hidden === undefined && (key.state === undefined || key.state.type === type)) {
    key.state = state
    return
  }
  const others = key.state === undefined ? [] : [key.state]
  if (key.hidden !== undefined) others.push(...key.hidden)
  const kept = others.filter((other) => other.type !== type)
  if (state !== undefined) kept.push(state)
  showHighest(key, kept, at)
}

function showHighest(key: KeyState, states: TypedState[], at: OpPoint): void {
  const wasHidden = hidesLive(key)
  states.sort(byHighest)
  key.state = states[0]
  key.hidden = states.length > 1 ? states.slice(1) : undefined
  if (!wasHidden && hidesLive(key)) at.report('type', states[0]!.latest(), states[1]!.latest())
}

/** Live ones first, by their highest stamp. */
function byHighest(a: TypedState, b: TypedState): number {
  if (a.isGone === true || b.isGone === true) return Number(a.isGone === true) - Number(b.isGone === true)
  return compareStamps(b.latest(), a.latest())
}

function hidesLive({ hidden }: KeyState): boolean {
  return hidden !== undefined && hidden[0]!.isGone !== true
}

/** Takes away what the op had seen of every type and of the deadlines. */
export function removeSeen(key: KeyState, seen: readonly SeenCounter[], at: OpPoint): void {
  key.deadlines = deadlinesWithoutSeen(key.deadlines, at)
  if (key.hidden === undefined) {
    key.state = key.state?.withoutSeen(seen, at)
    return
  }
  const kept: TypedState[] = []
  for (const state of [key.state!, ...key.hidden]) {
    const rest = state.withoutSeen(seen, at)
    if (rest !== undefined) kept.push(rest)
  }
  showHighest(key, kept, at)
}

/** A write that its origin knows to create the key: the deadlines it saw go, and it counts as "never". */
export function beginKey(key: KeyState, at: OpPoint): void {
  key.deadlines = writeDeadline(key.deadlines, new Dot(at), at)
}

/** Writes a deadline; Infinity for never. */
export function setDeadline(key: KeyState, atMs: number, at: OpPoint): void {
  const written = atMs === Number.POSITIVE_INFINITY ? new Dot(at) : new Deadline(atMs, at)
  key.deadlines = writeDeadline(key.deadlines, written, at)
}

/** @returns the entry to store; undefined when nothing of the key is left. */
export function closeKey(key: KeyState): KeyEntry | undefined {
  const { state, deadlines } = key
  if (state === undefined) return deadlines === undefined ? undefined : key
  if (!(state instanceof Register) || key.hidden !== undefined) return key
  const plain = deadlines instanceof Dot && !(deadlines instanceof Deadline) && sameDot(deadlines, state)
  return plain ? state : key
}

/**
 * The counter entry, when it and the "never" that its first increment wrote are all that the key holds:
 * a key that INCR made and nothing else touched.
 */
export function loneCounter(entry: KeyState): CounterEntry | undefined {
  const { state, hidden, deadlines } = entry
  if (!(state instanceof ManyCell) || hidden !== undefined) return undefined
  const one = state.counter[0]
  if (one === undefined || state.counter.length > 1 || state.registers.length > 0) return undefined
  if (one.resetTotal !== 0 || one.resetSeq !== one.run - 1 || typeof one.total !== 'number') return undefined
  if (!(deadlines instanceof Dot) || deadlines instanceof Deadline) return undefined
  return deadlines.origin === one.origin && deadlines.seq === one.run ? one : undefined
}

/** Puts together what `loneCounter` takes apart. @param born  the first increment */
export function keyOfLoneCounter(one: CounterEntry, born: Dot): KeyState {
  return new KeyState(new ManyCell([], [one]), born)
}

/** Every counter entry in the key: what a removal that saw them must carry. */
export function collectSeen(entry: KeyEntry, into: SeenCounter[]): void {
  if (entry instanceof Register) return
  entry.state?.collectSeen(into)
  if (entry.hidden !== undefined) for (const state of entry.hidden) state.collectSeen(into)
}

/** What is live in the key: the visible state first. */
export function liveStates({ state, hidden }: KeyState): TypedState[] {
  const all = state === undefined ? [] : [state, ...(hidden ?? [])]
  return all.filter(({ isGone }) => isGone !== true)
}

/** What reads of this key can answer, hidden types included; undefined when it does not exist. */
export function fingerprintKey(db: number, key: string, entry: KeyEntry): Fingerprint | undefined {
  const states = entry instanceof Register ? [entry] : liveStates(entry)
  if (states.length === 0) return undefined
  const whole = new Fingerprint().number(db).word(key)
  for (const state of states) {
    const part = new Fingerprint().word(state.type)
    state.fingerprint(part)
    whole.nested(part)
  }
  return whole.word(String(deadlineOf(entry)))
}

export function describeKey(entry: KeyEntry): Description {
  const { state, hidden, deadlines } = openKey(entry)
  return {
    type: state?.type ?? 'none',
    state: state?.describe() ?? null,
    hidden: (hidden ?? []).map((one) => ({ type: one.type, state: one.describe() })),
    deadlines: describeDeadlines(deadlines),
  }
}
