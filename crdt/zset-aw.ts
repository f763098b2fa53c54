/**
 * zset-aw.ts: the sorted set behind ZADD, ZINCRBY and ZREM: an add-wins map of members to scores, kept in order.
 *
 * A member is present while its score holds a write or an increment. ZADD of a member that is there is a write
 * all the same, and beats a concurrent ZREM; an increment that a ZREM had not seen remains as the score.
 *
 * Invariants: (1) every member has a score that is not empty. (2) `order` holds every member once, with the
 * score that is shown. (3) No score is NaN or -0.
 * Source: Bieniusa et al., RR-8083, 2012, for the members; `zset-score.ts` for their scores.
 */
import { Fingerprint } from './digest.ts'
import { compareStamps, type Dot, type OpPoint } from './dot.ts'
import { MemberIndex } from './member-index.ts'
import type { Description, SeenCounter, SeenScore, TypedState } from './state.ts'
import { ScoreOrder } from './zset-order.ts'
import {
  collectSeenScore,
  describeScore,
  incrementScore,
  latestIn,
  type Score,
  type ScoreIncrement,
  scoreWithoutSeen,
  writeScore,
} from './zset-score.ts'

export class ZsetState implements TypedState {
  readonly #scores = new Map<string, Score>()
  #order = new ScoreOrder()
  #index: MemberIndex | undefined = undefined

  get type(): 'zset' {
    return 'zset'
  }

  get size(): number {
    return this.#scores.size
  }

  /** What each member holds; to be looked at only. */
  get scores(): ReadonlyMap<string, Score> {
    return this.#scores
  }

  /** The members in order; to be looked at only. */
  get order(): ScoreOrder {
    return this.#order
  }

  /** Members by position, for scans; positions change with every add and remove. */
  get index(): MemberIndex {
    this.#index ??= new MemberIndex(this.#scores.keys())
    return this.#index
  }

  has(member: string): boolean {
    return this.#scores.has(member)
  }

  /** The score that is shown. */
  get(member: string): number | undefined {
    return this.#scores.get(member)?.shown
  }

  add(member: string, value: number, seen: readonly SeenScore[] | undefined, at: OpPoint): void {
    const score = this.#scores.get(member)
    const before = score?.shown
    at.field = member
    this.#place(member, score, before, writeScore(score, value, seen, at))
    at.field = undefined
  }

  increment(member: string, increment: ScoreIncrement, at: OpPoint): void {
    const score = this.#scores.get(member)
    const before = score?.shown
    this.#place(member, score, before, incrementScore(score, increment, at))
  }

  /** A member as a snapshot holds it; it is not here yet, or as it is now. */
  restore(member: string, score: Score): void {
    const known = this.#scores.get(member)
    this.#place(member, known, known?.shown, score)
  }

  /** @param before  what was shown of `known`, which may have been changed in place since */
  #place(member: string, known: Score | undefined, before: number | undefined, score: Score): void {
    if (score !== known) this.#scores.set(member, score)
    const { shown } = score
    if (before === undefined) this.#index?.add(member)
    else if (before === shown) return
    else this.#order.remove(before, member)
    this.#order.add(shown, member)
  }

  remove(member: string, seen: readonly SeenScore[] | undefined, at: OpPoint): void {
    const score = this.#scores.get(member)
    if (score === undefined) return
    const before = score.shown
    const rest = scoreWithoutSeen(score, seen, at)
    if (rest !== undefined) {
      this.#place(member, score, before, rest)
      return
    }
    this.#scores.delete(member)
    this.#order.remove(before, member)
    this.#index?.remove(member)
  }

  /** Lets `forget` drop what no read can answer of a member. */
  reclaim(member: string, forget: (score: Score) => Score): void {
    const score = this.#scores.get(member)
    if (score !== undefined) this.#place(member, score, score.shown, forget(score))
  }

  latest(): Dot {
    let latest: Dot | undefined
    for (const score of this.#scores.values()) {
      const dot = latestIn(score)
      if (latest === undefined || compareStamps(dot, latest) > 0) latest = dot
    }
    return latest!
  }

  withoutSeen(seen: readonly SeenCounter[], at: OpPoint): ZsetState | undefined {
    const byMember = seenByMember(seen)
    for (const [member, score] of this.#scores) {
      const rest = scoreWithoutSeen(score, byMember?.get(member), at)
      if (rest === undefined) this.#scores.delete(member)
      else if (rest !== score) this.#scores.set(member, rest)
    }
    if (this.size === 0) return undefined
    // Made anew from what is left: mostly that is nothing, and taking members out one by one costs more.
    this.#order = new ScoreOrder()
    for (const [member, { shown }] of this.#scores) this.#order.add(shown, member)
    this.#index = undefined
    return this
  }

  collectSeen(into: SeenCounter[]): void {
    for (const [member, score] of this.#scores) collectSeenScore(member, score, into)
  }

  fingerprint(into: Fingerprint): void {
    // Two doubles never share a text, but for -0, which is no score.
    for (const [member, { shown }] of this.#scores)
      into.sum(new Fingerprint().word(member).word(String(shown)))
  }

  describe(): Description {
    const members: { [member: string]: Description } = {}
    for (const [member, score] of this.#scores) members[member] = describeScore(score)
    return members
  }
}

/** A sorted set's share of what a removal saw, by member; undefined when it saw no counters. */
export function seenByMember(seen: readonly SeenCounter[]): Map<string, SeenScore[]> | undefined {
  if (seen.length === 0) return undefined
  const byMember = new Map<string, SeenScore[]>()
  for (const one of seen) {
    if (one.type !== 'zset' || one.field === undefined) continue
    const known = byMember.get(one.field)
    if (known === undefined) byMember.set(one.field, [one])
    else known.push(one)
  }
  return byMember
}
