/**
 * zsets.ts: the sorted set commands of the workload, as Redis's documentation tells them.
 *
 * Scores of several regions add up exactly, and a read rounds their sum: an increment of what was read may end a
 * little beside it. Such a score is taken as the client was told it where it is near enough; whether it is right to
 * the last digit is for `zset-scores.ts` to say.
 */

import type { Reply } from '../../../region-node/resp/parse-reply.ts'
import { manyPopOf } from './many-pop.ts'
import { type Model, type Models, type PlainData, Unsaid, type Words } from './plain-data.ts'

type Scores = ReadonlyMap<string, number>

/** How far beside the sum of two doubles a score may lie, by the greatest number in it. */
const NEAR = 1e-9

function keepScores(data: PlainData, key: string, scores: Scores): void {
  data.keep(key, { type: 'zset', scores })
}

function scoreText(score: number): string {
  // All digits of a whole number, as %.17g prints it; JavaScript stops at those that tell it from its neighbours.
  if (Number.isInteger(score) && Math.abs(score) < 1e17) return String(BigInt(score))
  if (Number.isFinite(score)) return String(score)
  return score > 0 ? 'inf' : '-inf'
}

function scoreIn(text: string): number {
  if (/^-?inf$/.test(text)) return text === 'inf' ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY
  return Number(text)
}

/** By score, then by name. */
function inOrder(scores: Scores): [string, number][] {
  return [...scores].sort(([a, x], [b, y]) => (x === y ? (a < b ? -1 : 1) : x - y))
}

/** @throws Unsaid  where there is no telling whether an infinity was written, or summed up; or what was told */
function increment(data: PlainData, key: string, member: string, delta: number, told: Reply | undefined) {
  const scores = data.zset(key)
  const before = scores.get(member) ?? 0
  if (!Number.isFinite(before) || told === undefined) throw new Unsaid()
  const sum = before + delta
  const heard = typeof told === 'string' ? scoreIn(told) : Number.NaN
  const size = Math.max(Math.abs(before), Math.abs(delta))
  const isNear = Number.isFinite(sum) && Math.abs(heard - sum) <= NEAR * size
  const score = isNear ? heard : sum
  keepScores(data, key, new Map([...scores, [member, score]]))
  return scoreText(score)
}

const OPTIONS: ReadonlySet<string> = new Set(['NX', 'XX', 'GT', 'LT', 'CH', 'INCR'])

/** Whether ZADD's options let it write the score. @param before  undefined: the member is new */
function isLet(options: Words, before: number | undefined, score: number): boolean {
  if (before === undefined) return !options.includes('XX')
  if (options.includes('NX')) return false
  return !(options.includes('GT') && score <= before) && !(options.includes('LT') && score >= before)
}

const zadd: Model = (words, data, told) => {
  const key = words[1]!
  const optionsEnd = words.findIndex((word, i) => i >= 2 && !OPTIONS.has(word))
  const options = words.slice(2, optionsEnd)
  const pairs = words.slice(optionsEnd)
  if (options.includes('INCR')) return increment(data, key, pairs[1]!, scoreIn(pairs[0]!), told)
  const before = data.zset(key)
  const scores = new Map(before)
  let changed = 0
  for (let i = 0; i < pairs.length; i += 2) {
    const [score, member] = [scoreIn(pairs[i]!), pairs[i + 1]!]
    const old = scores.get(member)
    if (old === score || !isLet(options, old, score)) continue
    scores.set(member, score)
    changed++
  }
  keepScores(data, key, scores)
  return options.includes('CH') ? changed : scores.size - before.size
}

function removeWhere(
  data: PlainData,
  key: string,
  isIn: (member: string, score: number, rank: number) => boolean,
) {
  const before = inOrder(data.zset(key))
  const kept = before.filter(([member, score], rank) => !isIn(member, score, rank))
  keepScores(data, key, new Map(kept))
  return before.length - kept.length
}

/** @param bound  a score, behind `(` where it does not itself belong to the range */
function isAbove(score: number, bound: string): boolean {
  return bound.startsWith('(') ? score > scoreIn(bound.slice(1)) : score >= scoreIn(bound)
}

function isBelow(score: number, bound: string): boolean {
  return bound.startsWith('(') ? score < scoreIn(bound.slice(1)) : score <= scoreIn(bound)
}

/** What a range of names means is said only for members of one score. @throws Unsaid */
const removeByLex: Model = ([, key, first, last], data) => {
  if (new Set(data.zset(key!).values()).size > 1) throw new Unsaid()
  return removeWhere(data, key!, (member) => member >= first!.slice(1) && member < last!.slice(1))
}

/** @returns the pairs that were taken off the low end, or the high one */
function take(data: PlainData, key: string, count: number, isMax: boolean): [string, string][] {
  const before = inOrder(data.zset(key))
  const taken = (isMax ? [...before].reverse() : before).slice(0, count)
  const names = new Set(taken.map(([member]) => member))
  keepScores(data, key, new Map(before.filter(([member]) => !names.has(member))))
  return taken.map(([member, score]) => [member, scoreText(score)])
}

function pop(isMax: boolean): Model {
  return ([, key, count], data) => take(data, key!, Number(count), isMax).flat()
}

/** Keys are looked at in their order, up to the first that is there. */
function firstOf(data: PlainData, keys: Words): string | undefined {
  return keys.find((key) => data.zset(key).size > 0)
}

/** `BZPOPMIN key key timeout` */
function popFirst(isMax: boolean): Model {
  return (words, data) => {
    const key = firstOf(data, words.slice(1, -1))
    return key === undefined ? null : [key, ...take(data, key, 1, isMax).flat()]
  }
}

/** `ZMPOP numkeys key key MIN|MAX [COUNT count]`. @param at  where the number of keys stands */
function popMany(at: number): Model {
  return (words, data) => {
    const { keys, end, count } = manyPopOf(words, at)
    const key = firstOf(data, keys)
    return key === undefined ? null : [key, take(data, key, count, end === 'MAX')]
  }
}

/** Members of a plain set count with the score 1. */
function scoresOf(data: PlainData, key: string): Scores {
  if (data.at(key)?.value.type !== 'set') return data.zset(key)
  return new Map([...data.set(key)].map((member) => [member, 1]))
}

function sumOf(a: number | undefined, b: number | undefined): number {
  const sum = (a ?? 0) + (b ?? 0)
  return Number.isNaN(sum) ? 0 : sum
}

/** `Z…STORE destination 2 key key` */
function store(isIn: (inFirst: boolean, inSecond: boolean) => boolean, isSummed: boolean): Model {
  return (words, data) => {
    const [first, second] = [scoresOf(data, words[3]!), scoresOf(data, words[4]!)]
    const names = [...new Set([...first.keys(), ...second.keys()])]
    const scores = new Map(
      names
        .filter((name) => isIn(first.has(name), second.has(name)))
        .map((name) => [name, isSummed ? sumOf(first.get(name), second.get(name)) : first.get(name)!]),
    )
    data.put(words[1]!, { type: 'zset', scores })
    return scores.size
  }
}

const rangeStore: Model = ([, to, from, first, last], data) => {
  const scores = new Map(inOrder(data.zset(from!)).slice(Number(first), Number(last) + 1))
  data.put(to!, { type: 'zset', scores })
  return scores.size
}

export const ZSET_MODELS: Models = {
  ZADD: zadd,
  ZINCRBY: ([, key, delta, member], data, told) => increment(data, key!, member!, scoreIn(delta!), told),
  ZREM: (words, data) => removeWhere(data, words[1]!, (member) => words.slice(2).includes(member)),
  ZREMRANGEBYRANK: ([, key, first, last], data) =>
    removeWhere(data, key!, (_member, _score, rank) => rank >= Number(first) && rank <= Number(last)),
  ZREMRANGEBYSCORE: ([, key, first, last], data) =>
    removeWhere(data, key!, (_member, score) => isAbove(score, first!) && isBelow(score, last!)),
  ZREMRANGEBYLEX: removeByLex,
  ZPOPMIN: pop(false),
  ZPOPMAX: pop(true),
  BZPOPMIN: popFirst(false),
  BZPOPMAX: popFirst(true),
  ZMPOP: popMany(1),
  BZMPOP: popMany(2),
  ZRANGE: (words, data) =>
    inOrder(data.zset(words[1]!)).flatMap(([member, score]) => [member, scoreText(score)]),
  ZRANGESTORE: rangeStore,
  ZUNIONSTORE: store(() => true, true),
  ZINTERSTORE: store((inFirst, inSecond) => inFirst && inSecond, true),
  ZDIFFSTORE: store((inFirst, inSecond) => inFirst && !inSecond, false),
}
