/**
 * comparison.ts: whether two replies to the same command say the same.
 *
 * They must be the same text, but for order where Redis promises none, for random draws, where kind and
 * number count, for scores, where the number counts, and for time that went by. What differs on purpose is in
 * `differences.ts`.
 */
import { integerIn, isError, partsOf } from '../harness/reply-text.ts'
import { differenceFor } from './differences.ts'

/** How far apart the clocks of both servers may be when they run the same command. */
const CLOCK_TOLERANCE_MS = 10_000

type Sameness = (redis: string, ours: string, words: readonly string[]) => boolean

function sameUnordered(redis: string, ours: string): boolean {
  return sorted(redis, 1) === sorted(ours, 1)
}

function samePairs(redis: string, ours: string): boolean {
  return sorted(redis, 2) === sorted(ours, 2)
}

/** An aggregate with its parts in order, `width` of them at a time; anything else as it is. */
function sorted(reply: string, width: number): string {
  const whole = partsOf(reply)
  if (whole === undefined) return reply
  const groups: string[] = []
  for (let i = 0; i < whole.parts.length; i += width) groups.push(whole.parts.slice(i, i + width).join(''))
  return [whole.head, ...groups.sort()].join('\n')
}

/** Random draws: the same kind of reply, and as many parts of the same kinds. */
function sameShape(redis: string, ours: string): boolean {
  return shape(redis) === shape(ours)
}

function shape(reply: string): string {
  const whole = partsOf(reply)
  if (whole !== undefined) return whole.head + whole.parts.map(shape).join('')
  return reply.startsWith('$') && reply !== '$-1\r\n' ? '$' : reply
}

/** Random draws of RESP3, where a score is of another length than the next one. */
function sameDraw(redis: string, ours: string): boolean {
  return shape(redis).replaceAll(/,[^\r]*/g, ',') === shape(ours).replaceAll(/,[^\r]*/g, ',')
}

/** Scores as numbers: Redis 7.0 prints 17 digits, and we the shortest text that says the same, as 7.2 does. */
function sameScores(redis: string, ours: string): boolean {
  return numbersOf(redis) === numbersOf(ours)
}

/** In any order. */
function sameScoredPairs(redis: string, ours: string): boolean {
  const pairs = (reply: string): string => {
    const parts = partsOf(reply)?.parts ?? []
    return parts
      .flatMap((part, i) => (i % 2 === 0 ? [`${part}${numbersOf(parts[i + 1] ?? '')}`] : []))
      .sort()
      .join('\n')
  }
  return pairs(redis) === pairs(ours)
}

function numbersOf(reply: string): string {
  const whole = partsOf(reply)
  if (whole !== undefined) return whole.head + whole.parts.map(numbersOf).join('')
  const number = /^(?:\$\d+\r\n|,)(-?[0-9.]+(?:e[+-]?[0-9]+)?)\r\n$/.exec(reply)
  // A negative zero is none.
  return number === null ? reply : `number ${Number(number[1]) + 0}`
}

function sameTime(redis: string, ours: string, words: readonly string[]): boolean {
  const a = integerIn(redis)
  const b = integerIn(ours)
  if (a === undefined || b === undefined || a < 0 || b < 0) return redis === ours
  const isMs = words[0]!.toLowerCase().startsWith('p')
  return Math.abs(a - b) <= (isMs ? CLOCK_TOLERANCE_MS : CLOCK_TOLERANCE_MS / 1000)
}

/** A walk that both end in one step returned the same; one that goes on looks the same from outside. */
function sameStep(redis: string, ours: string, words: readonly string[]): boolean {
  const a = partsOf(redis)?.parts
  const b = partsOf(ours)?.parts
  if (a === undefined || b === undefined) return redis === ours
  const isScan = words[0]!.toLowerCase() === 'scan'
  const isWhole = a[0] === '$1\r\n0\r\n' && b[0] === a[0] && words[isScan ? 1 : 2] === '0'
  if (!isWhole) return a.length === b.length && shape(b[0]!) === '$'
  if (words[0]!.toLowerCase() === 'zscan') return sameScoredPairs(a[1]!, b[1]!)
  return words[0]!.toLowerCase() === 'hscan' ? samePairs(a[1]!, b[1]!) : sameUnordered(a[1]!, b[1]!)
}

/**
 * Redis leaves the order open of what ALPHA or BY find to be alike, and of a set that is not sorted at all: so it does
 * which of them a LIMIT lets through.
 */
function sameSorted(redis: string, ours: string, words: readonly string[]): boolean {
  const lower = words.map((word) => word.toLowerCase())
  const by = lower.indexOf('by')
  const isOpen = lower.includes('alpha') || (by > 0 && !(lower[by + 1] ?? '').includes('*'))
  const gets = lower.filter((word) => word === 'get').length
  if (isOpen && lower.includes('limit')) {
    const head = partsOf(redis)?.head
    return head !== undefined && head === partsOf(ours)?.head
  }
  return isOpen && sorted(redis, Math.max(1, gets)) === sorted(ours, Math.max(1, gets))
}

/** Commands that answer with scores. */
const SCORED = [
  ...['zadd', 'zincrby', 'zscore', 'zmscore', 'zrange', 'zrevrange', 'zrangebyscore', 'zrevrangebyscore'],
  ...['zpopmin', 'zpopmax', 'zmpop', 'bzpopmin', 'bzpopmax', 'bzmpop', 'zunion', 'zinter', 'zdiff'],
]

const GEO_SEARCHES = ['geosearch', 'georadius', 'georadius_ro', 'georadiusbymember', 'georadiusbymember_ro']

const SAMENESS: Readonly<Record<string, Sameness>> = {
  smembers: sameUnordered,
  sinter: sameUnordered,
  sunion: sameUnordered,
  sdiff: sameUnordered,
  keys: sameUnordered,
  hkeys: sameUnordered,
  hvals: sameUnordered,
  hgetall: samePairs,
  spop: sameShape,
  sort: sameSorted,
  sort_ro: sameSorted,
  srandmember: sameShape,
  hrandfield: sameShape,
  randomkey: sameShape,
  ttl: sameTime,
  pttl: sameTime,
  expiretime: sameTime,
  pexpiretime: sameTime,
  // From a script that asked for RESP3, which makes doubles of them.
  geopos: sameScores,
  ...Object.fromEntries(GEO_SEARCHES.map((name) => [name, sameScores])),
  zrandmember: sameDraw,
  zscan: sameStep,
  ...Object.fromEntries(SCORED.map((name) => [name, sameScores])),
  scan: sameStep,
  hscan: sameStep,
  sscan: sameStep,
}

/** The command that a script runs which only hands it on. */
function scriptedWords([name, script, count, ...words]: readonly string[]): readonly string[] | undefined {
  const isScripted = name?.toLowerCase() === 'eval' && script!.endsWith('call(unpack(ARGV))') && count === '0'
  return isScripted && words.length > 0 ? words : undefined
}

/** Compares the replies of one connection, of which EXEC holds those of the commands queued before. */
export class Comparison {
  /** Replies that differed as documented, by the name of the difference. */
  readonly counts = new Map<string, number>()
  /** A documented difference was met after which the servers hold different data. */
  isApart = false
  #queued: (readonly string[])[] = []

  isSame(words: readonly string[], redis: string, ours: string): boolean {
    const name = words[0]!.toLowerCase()
    if (redis === '+QUEUED\r\n') this.#queued.push(words)
    if (name === 'exec') return this.#isSameExec(redis, ours)
    if (name === 'discard') this.#queued = []
    return redis === ours || this.#meansTheSame(scriptedWords(words) ?? words, redis, ours)
  }

  #meansTheSame(words: readonly string[], redis: string, ours: string): boolean {
    const name = words[0]!.toLowerCase()
    if (!isError(redis) && !isError(ours) && SAMENESS[name]?.(redis, ours, words)) return true
    const difference = differenceFor(words, redis, ours)
    if (difference === undefined) return false
    this.counts.set(difference.name, (this.counts.get(difference.name) ?? 0) + 1)
    this.isApart ||= difference.parts === true
    return true
  }

  #isSameExec(redis: string, ours: string): boolean {
    const queued = this.#queued
    this.#queued = []
    const a = partsOf(redis)
    const b = partsOf(ours)
    if (a === undefined || b === undefined || a.head !== b.head) return redis === ours
    return a.parts.every((part, i) => this.isSame(queued[i]!, part, b.parts[i]!))
  }
}
