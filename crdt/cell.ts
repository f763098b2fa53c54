/**
 * cell.ts: a value that is a register and a counter at once: a string, or one field of a hash.
 *
 * A SET-like write replaces what it saw of both halves; an increment adds on top. Shown is the register
 * with the highest stamp plus the sum of all increments; increments under a value that is no number
 * stay hidden until that value goes. Concurrent registers are all kept: the losers wait behind the
 * winner, because a DEL may come that saw only the winner (algorithms.md, Register).
 *
 * A cell that holds one register and nothing else *is* that Register, which is what memory is made of.
 *
 * Invariants: (1) a ManyCell holds at least one register or increment, and not just one register.
 * (2) `registers` is sorted by stamp, winner first. (3) No register's op had seen another one here.
 */
import { type Amount, addAmounts, amountText, isSaturated, parseAmount } from './amount.ts'
import {
  type CounterEntry,
  describeEntry,
  entryOf,
  type Increment,
  removeSeenRuns,
  sumOf,
  withIncrement,
} from './counter.ts'
import type { Fingerprint } from './digest.ts'
import { compareStamps, type Dot, latestOf, type OpPoint, removeCovered } from './dot.ts'
import type { Origin } from './origin.ts'
import { Register } from './register.ts'
import { type Description, isSeenAmount, type SeenCounter, type TypedState } from './state.ts'

/** Several concurrent registers, or increments, or both. */
export class ManyCell implements TypedState {
  readonly registers: Register[]
  counter: CounterEntry[]

  constructor(registers: Register[], counter: CounterEntry[]) {
    this.registers = registers
    this.counter = counter
  }

  get type(): 'string' {
    return 'string'
  }

  latest(): Dot {
    return latestOf(this.registers, this.counter)!
  }

  withoutSeen(seen: readonly SeenCounter[], at: OpPoint): Cell | undefined {
    const mine = seen.filter(({ type, field }) => type === 'string' && field === undefined)
    return withoutSeen(this, mine, at)
  }

  collectSeen(into: SeenCounter[], field?: string): void {
    const type = field === undefined ? 'string' : 'hash'
    for (const { origin, run, total } of this.counter) into.push({ type, field, origin, run, total })
  }

  fingerprint(into: Fingerprint): void {
    into.word(cellText(this))
  }

  describe(): Description {
    return {
      registers: this.registers.map((register) => register.describe()),
      counter: this.counter.map(describeEntry),
    }
  }
}

export type Cell = Register | ManyCell

/** The value as a read shows it. */
export function cellText(cell: Cell): string {
  if (cell instanceof Register) return cell.value
  const winner = cell.registers[0]
  if (cell.counter.length === 0) return winner!.value
  const shown = shownAmount(cell)
  return shown === undefined ? winner!.value : amountText(shown)
}

/** Base plus increments, exact; undefined when the winning value is not a number. */
function shownAmount(cell: ManyCell): Amount | undefined {
  const winner = cell.registers[0]
  if (winner === undefined) return sumOf(cell.counter)
  const base = parseAmount(winner.value)
  return base === undefined ? undefined : addAmounts(base, sumOf(cell.counter))
}

/** Writes a value: replaces what the op had seen, stands beside what it had not. May reuse `cell`. */
export function writeCell(
  cell: Cell | undefined,
  value: string,
  seen: readonly SeenCounter[] | undefined,
  at: OpPoint,
): Cell {
  if (cell === undefined) return new Register(value, at)
  if (cell instanceof Register && at.covers(cell)) {
    cell.value = value
    cell.renew(at)
    return cell
  }
  const rest = withoutSeen(cell, seen, at)
  const register = new Register(value, at)
  if (rest === undefined) return register
  const many = rest instanceof Register ? new ManyCell([rest], []) : rest
  insertRegister(many.registers, register, at)
  reportCounter(many, at)
  return many
}

/** Puts a register among those it had not seen, by stamp. Reported. */
export function insertRegister<R extends Dot>(registers: R[], register: R, at: OpPoint): void {
  const winner = registers[0]
  let place = 0
  while (place < registers.length && compareStamps(registers[place]!, register) > 0) place++
  registers.splice(place, 0, register)
  if (winner === undefined) return
  if (place === 0) at.report('register', register, winner)
  else at.report('register', winner, register)
}

/** Adds an increment. May reuse `cell`. */
export function incrementCell(cell: Cell | undefined, increment: Increment, at: OpPoint): Cell {
  if (cell instanceof ManyCell) {
    cell.counter = withIncrement(cell.counter, increment, at)
    reportCounter(cell, at)
    return cell
  }
  const many = new ManyCell(cell === undefined ? [] : [cell], withIncrement([], increment, at))
  reportCounter(many, at)
  return many
}

/** An increment that is hidden under text, or a sum past 64 bits, is a conflict somebody should know of. */
function reportCounter(cell: ManyCell, at: OpPoint): void {
  const entry = cell.counter[0]
  if (entry === undefined || !hasConcurrent(cell, at)) return
  const winner = cell.registers[0]
  const shown = shownAmount(cell)
  if (shown === undefined) at.report('hidden-increment', winner!, entry)
  else if (isSaturated(shown)) at.report('saturation', winner ?? entry, entry)
}

/** Something is here that the op at `at` neither saw nor wrote. */
function hasConcurrent(cell: ManyCell, at: OpPoint): boolean {
  for (const register of cell.registers)
    if (register.origin !== at.origin && !at.covers(register)) return true
  for (const entry of cell.counter) if (entry.origin !== at.origin && !at.covers(entry)) return true
  return false
}

/** Takes away what the op had seen. `seen` holds this cell's counter entries only. May reuse `cell`. */
export function withoutSeen(
  cell: Cell,
  seen: readonly SeenCounter[] | undefined,
  at: OpPoint,
): Cell | undefined {
  if (cell instanceof Register) return at.covers(cell) ? undefined : cell
  const { registers, counter } = cell
  removeCovered(registers, at)
  removeSeenRuns(counter, seen?.filter(isSeenAmount), at)
  return counter.length > 0 || registers.length > 1 ? cell : registers[0]
}

/**
 * What an origin must say with an increment: where its running total stands afterwards.
 * @param seq  the op the increment will be in
 */
export function prepareIncrement(
  cell: Cell | undefined,
  delta: Amount,
  origin: Origin,
  seq: number,
): Increment {
  const entry = cell instanceof ManyCell ? entryOf(cell.counter, { origin }) : undefined
  if (entry === undefined) return { delta, run: seq, total: delta }
  return { delta, run: entry.run, total: addAmounts(entry.total, delta) }
}
