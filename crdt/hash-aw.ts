/**
 * hash-aw.ts: the add-wins map behind HSET, HDEL and HINCRBY.
 *
 * A field is present while its cell holds a write or an increment; its value follows the string rule
 * (`cell.ts`). HDEL takes what it saw of a field, so a concurrent HSET or HINCRBY of it survives.
 *
 * Fields may have deadlines of their own (`field-deadlines.ts`). What reads see is `fields`; whoever needs all
 * that is live asks for `cells`. A large hash keeps its fields in records (`member-map.ts`).
 *
 * Invariant: every field has a cell, and no cell is empty.
 * Source: Bieniusa et al., RR-8083, 2012, for the fields; `cell.ts` for their values.
 */
import { type Cell, cellText, incrementCell, ManyCell, withoutSeen, writeCell } from './cell.ts'
import type { Increment } from './counter.ts'
import { describeDeadlines } from './deadline.ts'
import { Fingerprint } from './digest.ts'
import { compareStamps, type Dot, type OpPoint } from './dot.ts'
import { FieldDeadlines } from './field-deadlines.ts'
import type { Positions } from './member-index.ts'
import { MemberMap } from './member-map.ts'
import { Register } from './register.ts'
import type { Description, SeenCounter, TypedState } from './state.ts'
import type { PlainForm } from './table/member-table.ts'
import type { RecordContext } from './table/record-context.ts'

/** A field with one write and no increment. */
const PLAIN: PlainForm<Cell, Register> = {
  isPlain: (cell): cell is Register => cell instanceof Register,
  textOf: (register) => register.value,
  make: (text, stamp) => new Register(text, stamp),
}

export class HashState implements TypedState {
  /** What reads see: fields past their own deadline are not in it. */
  readonly fields = new MemberMap(PLAIN)
  /** Deadlines of fields, and those that are past theirs; undefined while no field ever had one. */
  timed: FieldDeadlines | undefined = undefined

  get type(): 'hash' {
    return 'hash'
  }

  get size(): number {
    return this.fields.size
  }

  get isGone(): boolean {
    return this.fields.size === 0 && (this.timed === undefined || this.timed.due.size === 0)
  }

  get isUnseen(): boolean {
    return this.fields.size === 0
  }

  /** Nothing is left of it, no deadline either. */
  get isEmpty(): boolean {
    return this.isGone && (this.timed === undefined || this.timed.byField.size === 0)
  }

  /** Live fields, those that the clock hides included. */
  get cellCount(): number {
    return this.fields.size + (this.timed === undefined ? 0 : this.timed.due.size)
  }

  /** Every name that a snapshot has to hold: fields, and deadlines that outlived one. */
  *names(): IterableIterator<string> {
    yield* this.fields.keys()
    if (this.timed === undefined) return
    yield* this.timed.due.keys()
    for (const field of this.timed.byField.keys()) if (this.cellOf(field) === undefined) yield field
  }

  /** A field's cell, whether the clock hides it or not. */
  cellOf(field: string): Cell | undefined {
    return this.fields.get(field) ?? this.timed?.due.get(field)
  }

  /** Every live field with its cell: those that the clock hides last. */
  *cells(): IterableIterator<[string, Cell]> {
    yield* this.fields
    if (this.timed !== undefined) yield* this.timed.due
  }

  /** Puts another cell in place of a field's. */
  replaceCell(field: string, cell: Cell): void {
    if (this.timed?.due.has(field)) this.timed.due.set(field, cell)
    else this.fields.set(field, cell, undefined)
  }

  get(field: string): string | undefined {
    const cell = this.fields.get(field)
    return cell === undefined ? undefined : cellText(cell)
  }

  /** Fields by position, for random draws; positions change with every put and remove. */
  get index(): Positions {
    return this.fields.index
  }

  /** Every live field whose cell is more than one write. */
  *manyCells(): IterableIterator<[string, ManyCell]> {
    for (const cells of [this.fields.unpacked(), this.timed?.due ?? []])
      for (const [field, cell] of cells) if (cell instanceof ManyCell) yield [field, cell]
  }

  /** A field's cell if it is more than one write. */
  manyOf(field: string): ManyCell | undefined {
    const cell = this.fields.getUnpacked(field)
    return cell instanceof ManyCell ? cell : undefined
  }

  put(field: string, value: string, seen: readonly SeenCounter[] | undefined, at: OpPoint): void {
    if (this.timed === undefined && this.fields.write(field, value, at)) return
    if (this.timed !== undefined) this.#show(field, at.records)
    at.field = field
    const cell = writeCell(this.fields.get(field), value, seen, at)
    this.fields.set(field, cell, at.records)
    at.field = undefined
    if (this.timed?.byField.has(field)) this.timed.write(field, Number.POSITIVE_INFINITY, cell, at)
  }

  increment(field: string, increment: Increment, at: OpPoint): void {
    if (this.timed !== undefined) this.#show(field, at.records)
    at.field = field
    this.fields.set(field, incrementCell(this.fields.get(field), increment, at), at.records)
    at.field = undefined
    // A deadline that outlived an older field of that name is this one's now, unless its writer knew of it.
    if (this.timed?.byField.has(field)) this.timed.changed.add(field)
  }

  remove(field: string, seen: readonly SeenCounter[] | undefined, at: OpPoint): void {
    if (this.timed === undefined && this.fields.removeSeen(field, at)) return
    if (this.timed !== undefined) this.#show(field, at.records)
    const cell = this.fields.get(field)
    const rest = cell === undefined ? undefined : withoutSeen(cell, seen, at)
    if (rest !== undefined) this.fields.set(field, rest, at.records)
    else if (cell !== undefined) this.fields.delete(field)
    this.timed?.removeSeen(field, rest, at)
  }

  /** Writes the deadline of a field, which may be gone; Infinity for never. */
  setDeadline(field: string, atMs: number, at: OpPoint): void {
    this.timed ??= new FieldDeadlines()
    this.#show(field, at.records)
    this.timed.write(field, atMs, this.fields.get(field), at)
  }

  /** When a field is due, milliseconds since the Unix epoch; Infinity for never, or when it is not there. */
  deadlineOf(field: string): number {
    return this.cellOf(field) === undefined || this.timed === undefined
      ? Number.POSITIVE_INFINITY
      : this.timed.momentOf(field)
  }

  /** The clock has passed the field's deadline: no read sees it any more. */
  hide(field: string): void {
    const cell = this.fields.get(field)
    if (cell === undefined || this.timed === undefined) return
    this.fields.delete(field)
    this.timed.due.set(field, cell)
  }

  /** What becomes of a field is about to change: whether it is hidden is for the clock to say anew. */
  #show(field: string, records: RecordContext | undefined): void {
    const { due, changed } = this.timed!
    const cell = due.get(field)
    if (cell === undefined) return
    due.delete(field)
    changed.add(field)
    this.fields.set(field, cell, records)
  }

  latest(): Dot {
    let latest: Dot | undefined
    for (const [, cell] of this.cells()) {
      const dot = cell.latest()
      if (latest === undefined || compareStamps(dot, latest) > 0) latest = dot
    }
    return latest!
  }

  withoutSeen(seen: readonly SeenCounter[], at: OpPoint): HashState | undefined {
    if (this.timed === undefined && this.fields.isAllSeen(at)) return undefined
    const byField = seenByField(seen)
    // A list of the names where removing one moves it from what the clock hides to what it does not.
    const { timed } = this
    const names = timed === undefined ? this.fields.keys() : [...this.fields.keys(), ...timed.byField.keys()]
    for (const field of names) this.remove(field, byField?.get(field), at)
    return this.isEmpty ? undefined : this
  }

  collectSeen(into: SeenCounter[]): void {
    for (const [field, cell] of this.manyCells()) cell.collectSeen(into, field)
  }

  fingerprint(into: Fingerprint): void {
    for (const [field, cell] of this.cells()) {
      const print = new Fingerprint().word(field).word(cellText(cell))
      const deadlineMs = this.deadlineOf(field)
      into.sum(deadlineMs === Number.POSITIVE_INFINITY ? print : print.word(String(deadlineMs)))
    }
  }

  describe(): Description {
    const fields: { [field: string]: Description } = {}
    for (const [field, cell] of this.cells()) fields[field] = cell.describe()
    for (const [field, deadlines] of this.timed?.byField ?? [])
      fields[field] = { value: fields[field] ?? null, deadlines: describeDeadlines(deadlines) }
    return fields
  }
}

/** A hash's share of what a removal saw, by field; undefined when it saw no counters. */
export function seenByField(seen: readonly SeenCounter[]): Map<string, SeenCounter[]> | undefined {
  if (seen.length === 0) return undefined
  const byField = new Map<string, SeenCounter[]>()
  for (const one of seen) {
    if (one.type !== 'hash' || one.field === undefined) continue
    const known = byField.get(one.field)
    if (known === undefined) byField.set(one.field, [one])
    else known.push(one)
  }
  return byField
}
