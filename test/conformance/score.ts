/**
 * score.ts: how many cases passed, by type, and which are pending and why; printed at the end of a way of
 * running them.
 */
import type { Pending } from './case.ts'

interface Row {
  passed: number
  failed: number
  /** Ids of cases by the ability they lack. */
  readonly pending: string[]
  readonly missing: Set<string>
}

const NAME_COLUMNS = 14

export class Score {
  readonly #title: string
  readonly #rows = new Map<string, Row>()

  constructor(title: string) {
    this.#title = title
  }

  passed(type: string): void {
    this.#row(type).passed++
  }

  failed(type: string): void {
    this.#row(type).failed++
  }

  pending(type: string, id: string, { missing }: Pending): void {
    const row = this.#row(type)
    row.pending.push(id)
    for (const name of missing) row.missing.add(name)
  }

  #row(type: string): Row {
    const row = this.#rows.get(type) ?? { passed: 0, failed: 0, pending: [], missing: new Set() }
    this.#rows.set(type, row)
    return row
  }

  /** The table, and beneath it what is pending. */
  table(): string {
    const rows = [...this.#rows].sort(([a], [b]) => (a < b ? -1 : 1))
    const lines = [this.#title, line('type', 'passed', 'failed', 'pending')]
    const total = { passed: 0, failed: 0, pending: 0 }
    for (const [type, { passed, failed, pending }] of rows) {
      lines.push(line(type, passed, failed, pending.length))
      total.passed += passed
      total.failed += failed
      total.pending += pending.length
    }
    lines.push(line('all', total.passed, total.failed, total.pending))
    for (const [type, { pending, missing }] of rows) {
      if (pending.length === 0) continue
      lines.push(`pending ${type}: ${pending.join(' ')}`, `  for want of ${[...missing].sort().join(' ')}`)
    }
    return lines.join('\n')
  }
}

function line(type: string, ...columns: readonly (string | number)[]): string {
  return type.padEnd(NAME_COLUMNS) + columns.map((column) => String(column).padStart(8)).join('')
}
