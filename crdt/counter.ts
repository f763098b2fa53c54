/**
 * counter.ts: increments that survive unless somebody had seen them.
 *
 * Per origin one entry `{run, last increment, total, resetSeq, resetTotal}`; the value is the exact sum
 * of `total - resetTotal`. Removing "the dots that deps cover" from a running total diverges when one
 * origin has an increment inside and another outside the remover's view; so a removal names the run and
 * the total it saw, and the receiver remembers that much as reset. A run is named by the seq of its
 * first increment and begins when the origin holds no entry of its own.
 *
 * Invariants: (1) at most one entry per origin. (2) `resetSeq < seq`: an entry whose last increment was
 * seen by a remover is gone. (3) An entry exists by dot, not by amount: INCRBY 0 makes one.
 * Source: Weidner and Almeida, "An Oblivious Observed-Reset Embeddable Replicated Counter", PaPoC 2022.
 */
import { type Amount, addAmounts, amountText, negateAmount } from './amount.ts'
import { assert } from './assert.ts'
import { Dot, type OpPoint, removeCovered, type Stamp } from './dot.ts'
import type { Origin } from './origin.ts'
import { type Description, describeDot } from './state.ts'

/** One origin's increments. Its dot and stamp are those of the last one. */
export class CounterEntry extends Dot {
  run: number
  total: Amount
  resetSeq: number
  resetTotal: Amount

  constructor(at: Stamp, run: number, total: Amount, resetTotal: Amount) {
    super(at)
    this.run = run
    this.total = total
    // An entry that begins in the middle of a run stands where an older one was removed, so all
    // that its origin counted before this op is already reset.
    this.resetSeq = at.seq - 1
    this.resetTotal = resetTotal
  }

  get amount(): Amount {
    return this.resetTotal === 0 ? this.total : addAmounts(this.total, negateAmount(this.resetTotal))
  }
}

export interface Increment {
  readonly delta: Amount
  readonly run: number
  /** The origin's running total after this increment. */
  readonly total: Amount
}

export function entryOf<Entry extends { readonly origin: Origin }>(
  entries: readonly Entry[],
  { origin }: { readonly origin: Origin },
): Entry | undefined {
  for (const entry of entries) if (entry.origin === origin) return entry
  return undefined
}

/**
 * Adds an increment of the op at `at`. May change `entries`.
 * @returns the entries to keep: a new array when one is added, because pushing would reserve room for many
 */
export function withIncrement(
  entries: CounterEntry[],
  { delta, run, total }: Increment,
  at: OpPoint,
): CounterEntry[] {
  const entry = entryOf(entries, at)
  if (entry === undefined) {
    const resetTotal = run === at.seq ? 0 : addAmounts(total, negateAmount(delta))
    const added = new CounterEntry(at, run, total, resetTotal)
    return entries.length === 0 ? [added] : [...entries, added]
  }
  // Whatever ended the old run at its origin was applied here before, and ended it here too.
  assert(entry.run === run, 'an origin counts in one run at a time')
  entry.total = total
  entry.renew(at)
  return entries
}

/** What one origin counts, in amounts or in scores. */
interface CountedRun<Total> extends Dot {
  readonly run: number
  resetSeq: number
  resetTotal: Total
}

/** Takes away, in place, what the op at `at` had seen. `seen` holds this counter's runs only. */
export function removeSeenRuns<Total>(
  entries: CountedRun<Total>[],
  seen: readonly { readonly origin: Origin; readonly run: number; readonly total: Total }[] | undefined,
  at: OpPoint,
): void {
  removeCovered(entries, at)
  if (seen === undefined) return
  for (const entry of entries) {
    const one = seen.find(({ origin, run }) => origin === entry.origin && run === entry.run)
    const seq = at.deps.get(entry.origin)
    if (one === undefined || seq <= entry.resetSeq) continue
    entry.resetSeq = seq
    entry.resetTotal = one.total
  }
}

/** The exact sum of all entries. */
export function sumOf(entries: readonly CounterEntry[]): Amount {
  let sum: Amount = 0
  for (const entry of entries) sum = addAmounts(sum, entry.amount)
  return sum
}

export function describeEntry(entry: CounterEntry): Description {
  return {
    origin: entry.origin.id,
    amount: amountText(entry.amount),
    run: entry.run,
    last: describeDot(entry),
    total: amountText(entry.total),
    resetSeq: entry.resetSeq,
    resetTotal: amountText(entry.resetTotal),
  }
}
