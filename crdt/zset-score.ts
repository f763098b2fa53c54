/**
 * zset-score.ts: the score of one member: a register and a counter at once, in doubles.
 *
 * ZADD writes the register, ZINCRBY adds to the counter; shown is the register with the highest stamp plus
 * all increments. As in `cell.ts`, concurrent registers are all kept, and a removal takes of the counters what
 * it had seen (observed-reset counter, `counter.ts`).
 *
 * One origin's increments accumulate in double arithmetic, in its own order, as they would in Redis
 * (`accumulated`). Beside it stands their exact sum: it is what a removal that saw a part of a run takes away,
 * so that the increments it had not seen remain as if they had been made alone. The parts of several origins
 * and the register are summed exactly and rounded once.
 *
 * Invariants: (1) a ManyScore holds at least one register or increment, and not just one register.
 * (2) `registers` is sorted by stamp, winner first, and no op of one had seen another one here. (3) `shown` is
 * what the rest says, and never NaN.
 * Source: algorithms.md, Counter and Sums; see also `exact-sum.ts`.
 */
import { assert } from './assert.ts'
import { insertRegister } from './cell.ts'
import { entryOf, removeSeenRuns } from './counter.ts'
import { Dot, latestOf, type OpPoint, removeCovered, type Stamp } from './dot.ts'
import {
  addExact,
  type ExactSum,
  exactOf,
  exactText,
  infinitiesOf,
  negateExact,
  roundExact,
} from './exact-sum.ts'
import type { Origin } from './origin.ts'
import { type Description, describeDot, type SeenCounter, type SeenScore } from './state.ts'

/** One ZADD of a member. Where a member holds nothing else it is the whole of its score. */
export class ScoreRegister extends Dot {
  score: number

  constructor(score: number, at: Stamp) {
    super(at)
    this.score = score
  }

  get shown(): number {
    return this.score
  }
}

/** What an origin says with a ZINCRBY. */
export interface ScoreIncrement {
  /** Not NaN. */
  readonly delta: number
  readonly run: number
  /** The exact sum of the origin's run after this increment. */
  readonly total: ExactSum
  /** The same, accumulated in doubles, infinities left out; Infinity once that has left their range. */
  readonly accumulated: number
}

/** One origin's increments. Its dot and stamp are those of the last one. */
export class ScoreEntry extends Dot {
  run: number
  total: ExactSum
  accumulated: number
  resetSeq: number
  resetTotal: ExactSum

  constructor(at: Stamp, { run, total, accumulated }: Omit<ScoreIncrement, 'delta'>, resetTotal: ExactSum) {
    super(at)
    this.run = run
    this.total = total
    this.accumulated = accumulated
    // As in CounterEntry: what begins in the middle of a run stands where an older one was removed.
    this.resetSeq = at.seq - 1
    this.resetTotal = resetTotal
  }

  /** What the entry adds to the score. */
  get part(): ExactSum {
    // A removal had seen a part of the run, or it is more than doubles can accumulate.
    if (this.resetSeq >= this.run) return addExact(this.total, negateExact(this.resetTotal))
    if (!Number.isFinite(this.accumulated)) return this.total
    return addExact(exactOf(this.accumulated), infinitiesOf(this.total))
  }
}

export class ManyScore {
  readonly registers: ScoreRegister[]
  readonly counter: ScoreEntry[]
  shown = 0

  constructor(registers: ScoreRegister[], counter: ScoreEntry[]) {
    this.registers = registers
    this.counter = counter
    this.settle()
  }

  /** Works out what is shown, after a change. */
  settle(): void {
    const winner = this.registers[0]
    if (winner !== undefined && this.counter.length === 0) {
      this.shown = winner.score
      return
    }
    let sum = winner === undefined ? 0 : exactOf(winner.score)
    for (const entry of this.counter) sum = addExact(sum, entry.part)
    this.shown = roundExact(sum)
  }
}

export type Score = ScoreRegister | ManyScore

/** Writes a score: replaces what the op had seen, stands beside what it had not. May reuse `score`. */
export function writeScore(
  score: Score | undefined,
  value: number,
  seen: readonly SeenScore[] | undefined,
  at: OpPoint,
): Score {
  if (score === undefined) return new ScoreRegister(value, at)
  if (score instanceof ScoreRegister && at.covers(score)) {
    score.score = value
    score.renew(at)
    return score
  }
  const rest = scoreWithoutSeen(score, seen, at)
  const register = new ScoreRegister(value, at)
  if (rest === undefined) return register
  const many = rest instanceof ScoreRegister ? new ManyScore([rest], []) : rest
  insertRegister(many.registers, register, at)
  many.settle()
  return many
}

/** Adds an increment. May reuse `score`. */
export function incrementScore(score: Score | undefined, increment: ScoreIncrement, at: OpPoint): Score {
  const entry = score instanceof ManyScore ? entryOf(score.counter, at) : undefined
  if (score instanceof ManyScore && entry !== undefined) {
    assert(entry.run === increment.run, 'an origin counts in one run at a time')
    entry.total = increment.total
    entry.accumulated = increment.accumulated
    entry.renew(at)
    score.settle()
    return score
  }
  const { delta, run, total } = increment
  const resetTotal = run === at.seq ? 0 : addExact(total, negateExact(exactOf(delta)))
  const added = new ScoreEntry(at, increment, resetTotal)
  if (!(score instanceof ManyScore)) return new ManyScore(score === undefined ? [] : [score], [added])
  score.counter.push(added)
  score.settle()
  return score
}

/** Takes away what the op had seen. `seen` holds this member's entries only. May reuse `score`. */
export function scoreWithoutSeen(
  score: Score,
  seen: readonly SeenScore[] | undefined,
  at: OpPoint,
): Score | undefined {
  if (score instanceof ScoreRegister) return at.covers(score) ? undefined : score
  const { registers, counter } = score
  removeCovered(registers, at)
  removeSeenRuns(counter, seen, at)
  if (counter.length === 0 && registers.length <= 1) return registers[0]
  score.settle()
  return score
}

/**
 * What an origin must say with an increment: where its run stands afterwards.
 * @param delta  not NaN
 * @param seq  the op the increment will be in
 */
export function prepareScoreIncrement(
  score: Score | undefined,
  delta: number,
  origin: Origin,
  seq: number,
): ScoreIncrement {
  const entry = score instanceof ManyScore ? entryOf(score.counter, { origin }) : undefined
  if (entry === undefined) {
    return { delta, run: seq, total: exactOf(delta), accumulated: Number.isFinite(delta) ? delta + 0 : 0 }
  }
  const accumulated = Number.isFinite(delta) ? entry.accumulated + delta : entry.accumulated
  return {
    delta,
    run: entry.run,
    total: addExact(entry.total, exactOf(delta)),
    accumulated: Number.isFinite(accumulated) ? accumulated : Number.POSITIVE_INFINITY,
  }
}

/** The live write with the highest stamp. */
export function latestIn(score: Score): Dot {
  return score instanceof ScoreRegister ? score : latestOf(score.registers, score.counter)!
}

/** Adds the counter entries of a member to what a removal carries. */
export function collectSeenScore(member: string, score: Score, into: SeenCounter[]): void {
  if (score instanceof ScoreRegister) return
  for (const { origin, run, total } of score.counter)
    into.push({ type: 'zset', field: member, origin, run, total })
}

export function describeScore(score: Score): Description {
  if (score instanceof ScoreRegister) return describeRegister(score)
  return {
    registers: score.registers.map(describeRegister),
    counter: score.counter.map((entry) => ({
      origin: entry.origin.id,
      amount: String(roundExact(entry.part)),
      run: entry.run,
      last: describeDot(entry),
      total: exactText(entry.total),
      accumulated: String(entry.accumulated),
      resetSeq: entry.resetSeq,
      resetTotal: exactText(entry.resetTotal),
    })),
  }
}

function describeRegister(register: ScoreRegister): Description {
  // As text: JSON has no infinities.
  return { score: String(register.score), dot: describeDot(register), hlc: register.hlc }
}
