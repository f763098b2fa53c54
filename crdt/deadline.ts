/**
 * deadline.ts: when a key is due: a multi-value register of deadlines beside its value.
 *
 * EXPIRE, PERSIST, GETEX and SET each write one and remove those they saw. A Dot that is no Deadline
 * stands for "never", which is what PERSIST, a SET without a TTL and the creation of a key write. Of
 * concurrent ones the longest shows; a tie belongs to the lower region. Deadlines outlive an empty key
 * (an EXPIRE that did not see the DEL), or regions would diverge; a write that creates the key anew
 * removes the ones it saw.
 *
 * Nearly every key has one, so one is kept as itself and only several as an array.
 * Source: algorithms.md, TTL.
 */
import { Dot, type OpPoint, type Stamp } from './dot.ts'
import { type Description, describeDot } from './state.ts'

/** A finite deadline: milliseconds since the Unix epoch. */
export class Deadline extends Dot {
  readonly atMs: number

  constructor(atMs: number, at: Stamp) {
    super(at)
    this.atMs = atMs
  }
}

export type Deadlines = Dot | Dot[] | undefined

/** Readable form for CRDT.INSPECT. */
export function describeDeadlines(deadlines: Deadlines): Description[] {
  const list = deadlines === undefined ? [] : Array.isArray(deadlines) ? deadlines : [deadlines]
  return list.map((one) => ({
    dot: describeDot(one),
    atMs: one instanceof Deadline ? one.atMs : 'never',
  }))
}

/** The moment of one deadline; Infinity for "never". */
export function momentOf(deadline: Dot): number {
  return deadline instanceof Deadline ? deadline.atMs : Number.POSITIVE_INFINITY
}

/** The deadline that shows; undefined when there is none, which means "never". */
export function winningDeadline(deadlines: Deadlines): Dot | undefined {
  if (!Array.isArray(deadlines)) return deadlines
  let winner: Dot | undefined
  for (const one of deadlines) if (winner === undefined || beats(one, winner)) winner = one
  return winner
}

function beats(a: Dot, b: Dot): boolean {
  const difference = momentOf(a) - momentOf(b)
  // Two infinities differ by NaN, which is neither: the lower region decides, as between equals.
  return difference > 0 || (!(difference < 0) && a.origin.region < b.origin.region)
}

/** Takes away what the op had seen. */
export function deadlinesWithoutSeen(deadlines: Deadlines, at: OpPoint): Deadlines {
  if (deadlines === undefined) return undefined
  if (!Array.isArray(deadlines)) return at.covers(deadlines) ? undefined : deadlines
  const rest = deadlines.filter((one) => !at.covers(one))
  return rest.length > 1 ? rest : rest[0]
}

/** Writes a deadline: replaces what the op had seen, stands beside what it had not. */
export function writeDeadline(deadlines: Deadlines, written: Dot, at: OpPoint): Deadlines {
  const rest = deadlinesWithoutSeen(deadlines, at)
  if (rest === undefined) return written
  const all = Array.isArray(rest) ? [...rest, written] : [rest, written]
  const winner = winningDeadline(all)!
  const loser = all.find((one) => momentOf(one) !== momentOf(winner)) ?? all.find((one) => one !== winner)!
  at.report('deadline', winner, winner === written ? loser : written)
  return all
}
