/**
 * zset.ts: the rule of sorted sets for late tails: a member is a field whose value is a score.
 *
 * A ZADD competes by stamp with the scores it had not seen; of one that loses nothing is minted, but it takes
 * back the increments of its own tail that it had replaced. One that wins is written, and what it had not seen
 * of counters is added again on top. A ZINCRBY counts always, a ZREM never (`reminter.ts` says why).
 */

import { entryOf, removeSeenRuns } from '../../../crdt/counter.ts'
import { compareStamps, Dot } from '../../../crdt/dot.ts'
import type { OnKey } from '../../../crdt/effects/effect.ts'
import { type ZsetAddEffect, type ZsetIncrementEffect, zsetOf } from '../../../crdt/effects/zset-effects.ts'
import { addExact, type ExactSum, roundExact } from '../../../crdt/exact-sum.ts'
import type { SeenScore } from '../../../crdt/state.ts'
import { seenByMember } from '../../../crdt/zset-aw.ts'
import { ManyScore, type Score, ScoreRegister } from '../../../crdt/zset-score.ts'
import type { TailRules } from './tail-rules.ts'

export function remintZsetAdd(effect: ZsetAddEffect, rules: TailRules): void {
  const { key, members, scores } = effect
  const seen = seenByMember(effect.seen)
  const entry = rules.entry(effect)
  const known = entry === undefined ? undefined : zsetOf(entry)?.scores
  const winning: string[] = []
  const written: number[] = []
  members.forEach((member, i) => {
    const score = known?.get(member)
    if (isBeaten(score, scores[i]!, member, rules)) {
      const counted = score instanceof ManyScore ? entryOf(score.counter, rules)?.part : undefined
      if (counted !== undefined) rules.write(effect).zset.increment(key, member, -roundExact(counted))
      return
    }
    keepScore(effect, member, score, rules)
    winning.push(member)
    written.push(scores[i]!)
  })
  if (winning.length === 0) return
  rules.begin(effect, effect.creates)
  rules.write(effect).zset.add(key, winning, written)
  for (const member of winning) {
    const left = leftOf(effect, member, seen?.get(member), rules)
    if (left !== undefined) rules.write(effect).zset.increment(key, member, left)
  }
}

export function remintZsetIncrement(effect: ZsetIncrementEffect, rules: TailRules): void {
  rules.begin(effect, effect.creates)
  rules.write(effect).zset.increment(effect.key, effect.member, effect.delta)
}

/** A score that the old write had not seen, and that is later, stands. Reported. */
function isBeaten(score: Score | undefined, value: number, member: string, rules: TailRules): boolean {
  const winner = registersOf(score).find((register) => !rules.hadSeen(register))
  if (winner === undefined) return false
  const mine = new ScoreRegister(value, rules.old)
  if (compareStamps(winner, mine) < 0) return false
  rules.overwritten()
  rules.old.field = member
  rules.old.report('register', winner, mine)
  rules.old.field = undefined
  return true
}

function keepScore(on: OnKey, member: string, score: Score | undefined, rules: TailRules): void {
  // It may be renewed in place by the write that replaces it.
  for (const register of registersOf(score)) if (!rules.hadSeen(register)) rules.keep(on, new Dot(register))
  if (!(score instanceof ManyScore)) return
  const unseen = score.counter.filter((entry) => !rules.hadSeen(entry))
  if (unseen.length === 0) return
  const kept = rules.keptScores(on)
  kept.set(member, [...(kept.get(member) ?? []), ...unseen])
}

/** What the counters of a score that was written over hold beyond what the old write had seen of them. */
function leftOf(
  on: OnKey,
  member: string,
  seen: readonly SeenScore[] | undefined,
  rules: TailRules,
): number | undefined {
  const entries = rules.keptScores(on).get(member)
  if (entries === undefined) return undefined
  removeSeenRuns(entries, seen, rules.old)
  if (entries.length === 0) return undefined
  let sum: ExactSum = 0
  for (const entry of entries) sum = addExact(sum, entry.part)
  return roundExact(sum)
}

function registersOf(score: Score | undefined): readonly ScoreRegister[] {
  if (score === undefined) return []
  return score instanceof ManyScore ? score.registers : [score]
}
