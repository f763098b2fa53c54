/**
 * hash-aw.ts: the add-wins map behind HSET, HDEL and HINCRBY.
 *
 * A field is present while its cell holds a write or an increment; its value follows the string rule
 * (`cell.ts`). HDEL takes what it saw of a field, so a concurrent HSET or HINCRBY of it survives.
 *
 * Invariant: every field has a cell, and no cell is empty.
 * Source: Bieniusa et al., RR-8083, 2012, for the fields; `cell.ts` for their values.
 */
import { type Cell, cellText, incrementCell, withoutSeen, writeCell } from './cell.ts'
import type { Increment } from './counter.ts'
import { Fingerprint } from './digest.ts'
import { compareStamps, type Dot, type OpPoint } from './dot.ts'
import { MemberIndex } from './member-index.ts'
import type { Description, SeenCounter, TypedState } from './state.ts'

export class HashState implements TypedState {
  readonly fields = new Map<string, Cell>()
  #index: MemberIndex | undefined = undefined

  get type(): 'hash' {
    return 'hash'
  }

  get size(): number {
    return this.fields.size
  }

  get(field: string): string | undefined {
    const cell = this.fields.get(field)
    return cell === undefined ? undefined : cellText(cell)
  }

  /** Fields by position, for random draws; positions change with every put and remove. */
  get index(): MemberIndex {
    this.#index ??= new MemberIndex(this.fields.keys())
    return this.#index
  }

  put(field: string, value: string, seen: readonly SeenCounter[] | undefined, at: OpPoint): void {
    at.field = field
    this.fields.set(field, writeCell(this.fields.get(field), value, seen, at))
    at.field = undefined
    this.#index?.add(field)
  }

  increment(field: string, increment: Increment, at: OpPoint): void {
    at.field = field
    this.fields.set(field, incrementCell(this.fields.get(field), increment, at))
    at.field = undefined
    this.#index?.add(field)
  }

  remove(field: string, seen: readonly SeenCounter[] | undefined, at: OpPoint): void {
    const cell = this.fields.get(field)
    if (cell === undefined) return
    const rest = withoutSeen(cell, seen, at)
    if (rest !== undefined) {
      this.fields.set(field, rest)
      return
    }
    this.fields.delete(field)
    this.#index?.remove(field)
  }

  latest(): Dot {
    let latest: Dot | undefined
    for (const cell of this.fields.values()) {
      const dot = cell.latest()
      if (latest === undefined || compareStamps(dot, latest) > 0) latest = dot
    }
    return latest!
  }

  withoutSeen(seen: readonly SeenCounter[], at: OpPoint): HashState | undefined {
    const byField = seenByField(seen)
    for (const field of this.fields.keys()) this.remove(field, byField?.get(field), at)
    return this.size > 0 ? this : undefined
  }

  collectSeen(into: SeenCounter[]): void {
    for (const [field, cell] of this.fields) cell.collectSeen(into, field)
  }

  fingerprint(into: Fingerprint): void {
    for (const [field, cell] of this.fields) into.sum(new Fingerprint().word(field).word(cellText(cell)))
  }

  describe(): Description {
    const fields: { [field: string]: Description } = {}
    for (const [field, cell] of this.fields) fields[field] = cell.describe()
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
