/**
 * field-deadlines.ts: deadlines of single hash fields, for the hashes that have any.
 *
 * The rules are those of a key's deadlines (`deadline.ts`), field by field: of concurrent ones the longest shows,
 * and a write of the field counts as "never". Most fields have none, and take nothing here: where a field has no
 * entry, each register of its cell stands for the "never" that it wrote. An entry begins with the first HEXPIRE,
 * and ends when it says no more than the registers do.
 *
 * Fields that are past their deadline are taken out of the hash's `fields` and kept in `due`, so that no read has
 * to look at a clock. When that happens is this node's affair: nothing but reads depends on it.
 *
 * Invariants: (1) an entry holds at least one deadline. (2) A field in `due` has a cell there and none in
 * `fields`. (3) An entry without a cell is an orphan: a removal had not seen it; it goes once it is stable.
 */
import { type Cell, ManyCell } from './cell.ts'
import {
  Deadline,
  type Deadlines,
  deadlinesWithoutSeen,
  momentOf,
  winningDeadline,
  writeDeadline,
} from './deadline.ts'
import { Dot, type OpPoint, sameDot } from './dot.ts'
import type { Register } from './register.ts'

const NEVER = Number.POSITIVE_INFINITY

export class FieldDeadlines {
  readonly byField = new Map<string, Deadlines>()
  /** Fields that the clock hides, with their cells. */
  readonly due = new Map<string, Cell>()
  /** Fields whose moment may be another one since somebody asked last. */
  readonly changed = new Set<string>()

  /** Writes a deadline of a field with that cell, if it has one; Infinity for never. */
  write(field: string, atMs: number, cell: Cell | undefined, at: OpPoint): void {
    const known = this.byField.get(field) ?? impliedBy(cell, at)
    const written = atMs === NEVER ? new Dot(at) : new Deadline(atMs, at)
    at.field = field
    this.byField.set(field, writeDeadline(known, written, at))
    at.field = undefined
    this.settle(field, cell)
  }

  /** Takes away what the op had seen of a field's deadlines. @param cell  what is left of the field */
  removeSeen(field: string, cell: Cell | undefined, at: OpPoint): void {
    const known = this.byField.get(field)
    if (known === undefined) return
    const rest = deadlinesWithoutSeen(known, at)
    if (rest === undefined) this.byField.delete(field)
    else this.byField.set(field, rest)
    this.settle(field, cell)
  }

  /** Drops an entry that says no more than the registers of the cell do. */
  settle(field: string, cell: Cell | undefined): void {
    this.changed.add(field)
    const known = this.byField.get(field)
    if (known === undefined) return
    const registers = registersOf(cell)
    const isImplied = (one: Dot) =>
      !(one instanceof Deadline) && registers.some((register) => sameDot(register, one))
    if (listOf(known).every(isImplied)) this.byField.delete(field)
  }

  /** The deadline of a field that shows, milliseconds since the Unix epoch; Infinity for never. */
  momentOf(field: string): number {
    const winner = winningDeadline(this.byField.get(field))
    return winner === undefined ? NEVER : momentOf(winner)
  }
}

/** The "never" of each register that the op had not seen. */
function impliedBy(cell: Cell | undefined, at: OpPoint): Deadlines {
  const unseen = registersOf(cell).filter((register) => !at.covers(register))
  const dots = unseen.map((register) => new Dot(register))
  return dots.length > 1 ? dots : dots[0]
}

function registersOf(cell: Cell | undefined): readonly Register[] {
  if (cell === undefined) return []
  return cell instanceof ManyCell ? cell.registers : [cell]
}

function listOf(deadlines: Deadlines): readonly Dot[] {
  return deadlines === undefined ? [] : Array.isArray(deadlines) ? deadlines : [deadlines]
}
