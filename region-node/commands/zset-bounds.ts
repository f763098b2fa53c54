/**
 * zset-bounds.ts: ranges of a sorted set, by rank, score or member, as places in its order.
 *
 * Every kind of range comes down to the ranks it begins and ends at, so that what follows need not know how it
 * was asked for.
 */
import type { ZsetState } from '../../crdt/zset-aw.ts'
import { type CommandError, errors } from '../errors.ts'
import { readBound } from './floats.ts'
import { parseCount } from './parse.ts'

/** From rank `from` to before rank `to`; empty when `to` is not above. */
export interface RankRange {
  readonly from: number
  readonly to: number
}

/** A range that has been read, before there is a sorted set to find it in. */
export type FindRange = (zset: ZsetState) => RankRange

/** Both ends by rank and included; negative ones count from the end. @throws CommandError */
export function parseRankRange(first: string, last: string): FindRange {
  const start = parseCount(first)
  const stop = parseCount(last)
  return ({ size }) => ({
    from: start < 0 ? Math.max(0, size + start) : start,
    to: Math.min(size, (stop < 0 ? size + stop : stop) + 1),
  })
}

/** The same in the order from the last member to the first, as ranks of the usual order. @throws CommandError */
export function parseReverseRankRange(first: string, last: string): FindRange {
  const find = parseRankRange(first, last)
  return (zset) => {
    const { from, to } = find(zset)
    return { from: zset.size - to, to: zset.size - from }
  }
}

interface Bound<Value> {
  readonly value: Value
  readonly isExcluded: boolean
}

/** Ends as ZCOUNT takes them: `(` excludes one. @throws CommandError */
export function parseScoreRange(min: string, max: string): FindRange {
  const low = parseScoreBound(min, errors.scoreRange)
  const high = parseScoreBound(max, errors.scoreRange)
  return (zset) => scoreRange(zset, low, high)
}

function parseScoreBound(word: string, otherwise: CommandError): Bound<number> {
  const isExcluded = word.startsWith('(')
  const value = readBound(isExcluded ? word.slice(1) : word)
  if (value === undefined) throw otherwise
  return { value, isExcluded }
}

/** The members with a score from `min`, included, to below `max`. */
export function scoresBetween(zset: ZsetState, min: number, max: number): RankRange {
  return scoreRange(zset, { value: min, isExcluded: false }, { value: max, isExcluded: true })
}

function scoreRange({ order }: ZsetState, low: Bound<number>, high: Bound<number>): RankRange {
  const isBelow = low.isExcluded
    ? (score: number) => score <= low.value
    : (score: number) => score < low.value
  const isWithin = high.isExcluded
    ? (score: number) => score < high.value
    : (score: number) => score <= high.value
  return { from: order.countWhile(isBelow), to: order.countWhile(isWithin) }
}

/** Ends as ZLEXCOUNT takes them: `[` includes, `(` excludes, `-` and `+` are the ends of all. @throws CommandError */
export function parseLexRange(min: string, max: string): FindRange {
  const low = parseLexBound(min)
  const high = parseLexBound(max)
  return (zset) => ({ from: lexPlace(zset, low, false), to: lexPlace(zset, high, true) })
}

type LexBound = 'least' | 'greatest' | Bound<string>

function parseLexBound(word: string): LexBound {
  if (word === '-') return 'least'
  if (word === '+') return 'greatest'
  const isExcluded = word.startsWith('(')
  if (!isExcluded && !word.startsWith('[')) throw errors.lexRange
  return { value: word.slice(1), isExcluded }
}

/** @param isEnd  the rank behind the last one of the range, instead of that of the first */
function lexPlace({ order }: ZsetState, bound: LexBound, isEnd: boolean): number {
  if (bound === 'least') return 0
  if (bound === 'greatest') return order.size
  const { value, isExcluded } = bound
  // An excluded beginning and an included end both lie behind the member itself.
  return isExcluded === isEnd
    ? order.countWhile((_, member) => member < value)
    : order.countWhile((_, member) => member <= value)
}

/** What LIMIT leaves of a range; a negative count is no limit. */
export function limited(
  { from, to }: RankRange,
  offset: number,
  count: number,
  isReverse: boolean,
): RankRange {
  if (offset < 0) return { from, to: from }
  if (isReverse) {
    const end = to - offset
    return { from: count < 0 ? from : Math.max(from, end - count), to: end }
  }
  const start = from + offset
  return { from: start, to: count < 0 ? to : Math.min(to, start + count) }
}
