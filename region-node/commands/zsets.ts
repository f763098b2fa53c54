/**
 * zsets.ts: the commands on members of sorted sets and their scores.
 *
 * Sorted sets are add-wins: a ZADD of a member that is already there is an add all the same, also with the
 * score it has, and beats a ZREM that did not see it. ZADD writes a score, ZINCRBY and ZADD INCR add to it
 * (semantics.md, Sorted set). What NX, XX, GT and LT turn down is not written.
 */
import type { ZsetState } from '../../crdt/zset-aw.ts'
import { errors } from '../errors.ts'
import { doubleText } from '../resp/double-text.ts'
import { type CommandContext, defineCommands, ONE_KEY } from './command.ts'
import { drawDistinct, drawPosition, drawRepeated, PAIRED_COUNT_MAX, parseDrawCount } from './draws.ts'
import { parseDouble } from './floats.ts'
import { globMatch } from './glob.ts'
import { parseCursor, parseScanOptions, scanNames, WHOLE_SIZE_MAX, writeScanHead } from './scan.ts'
import { membersIn, writeMembers, writeScoreOrNil } from './zset-replies.ts'

/** NX, XX and their like. */
interface AddOptions {
  nx: boolean
  xx: boolean
  gt: boolean
  lt: boolean
  ch: boolean
  incr: boolean
}

/** What ZADD is asked for. */
export interface Additions {
  readonly members: readonly string[]
  readonly scores: readonly number[]
}

export type AddRules = Readonly<Omit<AddOptions, 'incr'>>

/** @returns where the first score stands */
function parseAddOptions(words: readonly string[], options: AddOptions): number {
  for (let at = 2; at < words.length; at++) {
    const option = words[at]!.toLowerCase()
    if (!Object.hasOwn(options, option)) return at
    options[option as keyof AddOptions] = true
  }
  return words.length
}

/** @throws CommandError */
function checkAddOptions({ nx, xx, gt, lt, incr }: AddOptions, pairCount: number): void {
  if (nx && xx) throw errors.addNxXx
  if ((gt && nx) || (lt && nx) || (gt && lt)) throw errors.addGtLtNx
  if (incr && pairCount > 1) throw errors.addManyIncrements
}

/** ZADD and ZINCRBY, which is ZADD INCR under another name. */
function zadd(ctx: CommandContext, words: readonly string[], incr: boolean): void {
  const options: AddOptions = { nx: false, xx: false, gt: false, lt: false, ch: false, incr }
  const first = parseAddOptions(words, options)
  const pairCount = (words.length - first) / 2
  if (pairCount === 0 || !Number.isInteger(pairCount)) throw errors.syntax
  checkAddOptions(options, pairCount)
  const scores: number[] = []
  const members: string[] = []
  for (let at = first; at < words.length; at += 2) {
    scores.push(parseDouble(words[at]!))
    members.push(words[at + 1]!)
  }
  if (options.incr) increment(ctx, words[1]!, members[0]!, scores[0]!, options)
  else ctx.out.integer(addScores(ctx, words[1]!, { members, scores }, options))
}

function isRefused(score: number, known: number | undefined, { nx, xx, gt, lt }: AddRules): boolean {
  if (known === undefined) return xx
  return nx || (gt && score <= known) || (lt && score >= known)
}

function increment(ctx: CommandContext, key: string, member: string, delta: number, rules: AddRules): void {
  const known = ctx.zset(key)?.get(member)
  const score = (known ?? 0) + delta
  // In Redis's order: a member that NX or XX turns down is not added up.
  const isOutOfPlace = known === undefined ? rules.xx : rules.nx
  if (!isOutOfPlace && Number.isNaN(score)) throw errors.scoreNaN
  if (isOutOfPlace || isRefused(score, known, rules)) {
    ctx.out.nil()
    return
  }
  ctx.write.zset.increment(key, member, delta)
  // What reads show, which is rounded once: it may differ from `score` in the last digit.
  ctx.out.double(ctx.zset(key)!.get(member)!)
}

/**
 * Adds members as far as the rules allow. A member named twice is looked at twice and written once.
 * @returns how many are new, with CH also how many have another score than before
 * @throws CommandError WRONGTYPE
 */
export function addScores(
  ctx: CommandContext,
  key: string,
  { members, scores }: Additions,
  rules: AddRules,
): number {
  const zset = ctx.zset(key)
  let counted = 0
  const written = new Map<string, number>()
  for (let i = 0; i < members.length; i++) {
    const member = members[i]!
    const score = scores[i]!
    const known = written.get(member) ?? zset?.get(member)
    if (isRefused(score, known, rules)) continue
    if (known === undefined || (rules.ch && known !== score)) counted++
    written.set(member, score)
  }
  if (written.size > 0) ctx.write.zset.add(key, [...written.keys()], [...written.values()])
  return counted
}

function zrem(ctx: CommandContext, words: readonly string[]): void {
  const key = words[1]!
  const zset = ctx.zset(key)
  const present = new Set<string>()
  if (zset !== undefined)
    for (let i = 2; i < words.length; i++) if (zset.has(words[i]!)) present.add(words[i]!)
  if (present.size > 0) ctx.write.zset.remove(key, [...present])
  ctx.out.integer(present.size)
}

function zscore(ctx: CommandContext, words: readonly string[]): void {
  writeScoreOrNil(ctx.out, ctx.zset(words[1]!)?.get(words[2]!))
}

function zmscore(ctx: CommandContext, words: readonly string[]): void {
  const zset = ctx.zset(words[1]!)
  ctx.out.array(words.length - 2)
  for (let i = 2; i < words.length; i++) writeScoreOrNil(ctx.out, zset?.get(words[i]!))
}

function zcard(ctx: CommandContext, words: readonly string[]): void {
  ctx.out.integer(ctx.zset(words[1]!)?.size ?? 0)
}

function zrank(ctx: CommandContext, words: readonly string[], isReverse: boolean): void {
  if (words.length > 4) throw errors.wrongArity(isReverse ? 'zrevrank' : 'zrank')
  const withScore = words.length === 4
  if (withScore && words[3]!.toLowerCase() !== 'withscore') throw errors.syntax
  const member = words[2]!
  const zset = ctx.zset(words[1]!)
  const score = zset?.get(member)
  if (zset === undefined || score === undefined) {
    if (withScore) ctx.out.nilArray()
    else ctx.out.nil()
    return
  }
  const place = zset.order.rank(score, member)
  if (withScore) ctx.out.array(2)
  ctx.out.integer(isReverse ? zset.size - 1 - place : place)
  if (withScore) ctx.out.double(score)
}

function zrandmember(ctx: CommandContext, words: readonly string[]): void {
  const key = words[1]!
  if (words.length === 2) {
    const zset = ctx.zset(key)
    ctx.out.bulkOrNil(zset?.order.memberAt(drawPosition(zset.size, ctx.random)))
    return
  }
  const count = parseDrawCount(words[2]!)
  const withScores = words.length === 4 && words[3]!.toLowerCase() === 'withscores'
  if (words.length > 3 && !withScores) throw errors.syntax
  if (withScores && Math.abs(count) >= PAIRED_COUNT_MAX) throw errors.valueOutOfRange
  const zset = ctx.zset(key)
  const members = zset === undefined || count === 0 ? [] : drawMembers(zset, count, ctx.random)
  writeMembers(ctx.out, { members, scores: members.map((member) => zset!.get(member)!) }, withScores)
}

function drawMembers(zset: ZsetState, count: number, random: () => number): string[] {
  const { order, size } = zset
  if (count >= size) return membersIn(zset, { from: 0, to: size }).members
  const ranks = count < 0 ? drawRepeated(size, -count, random) : drawDistinct(size, count, random)
  return ranks.map((place) => order.memberAt(place))
}

function zscan(ctx: CommandContext, words: readonly string[]): void {
  const { out } = ctx
  const start = parseCursor(words[2]!)
  const zset = ctx.zset(words[1]!)
  if (zset === undefined) {
    // Redis answers before it looks at the options.
    writeScanHead(out, 0, 0)
    return
  }
  const { count, match } = parseScanOptions(words, 3)
  const { names, cursor } =
    zset.size <= WHOLE_SIZE_MAX
      ? { names: membersIn(zset, { from: 0, to: zset.size }).members, cursor: 0 }
      : scanNames(zset.scores, zset, start, count)
  const members = match === undefined ? names : names.filter((member) => globMatch(match, member))
  writeScanHead(out, cursor, 2 * members.length)
  for (const member of members) {
    out.bulk(member)
    // Not a double, in RESP3 either.
    out.bulk(doubleText(zset.get(member)!))
  }
}

export const zsetCommands = defineCommands([
  {
    name: 'zadd',
    arity: -4,
    flags: ['write', 'denyoom', 'fast'],
    keys: ONE_KEY,
    uses: ['W'],
    group: 'sorted-set',
    since: '1.2.0',
    summary:
      "Adds one or more members to a sorted set, or updates their scores. Creates the key if it doesn't exist.",
    syntax: 'key [NX|XX] [GT|LT] [CH] [INCR] score member [score member ...]',
    complexity: 'O(log(N)) for each item added, where N is the number of elements in the sorted set.',
    run: (ctx, words) => zadd(ctx, words, false),
  },
  {
    name: 'zincrby',
    arity: 4,
    flags: ['write', 'denyoom', 'fast'],
    keys: ONE_KEY,
    group: 'sorted-set',
    since: '1.2.0',
    summary: 'Increments the score of a member in a sorted set.',
    syntax: 'key increment member',
    complexity: 'O(log(N)) where N is the number of elements in the sorted set.',
    run: (ctx, words) => zadd(ctx, words, true),
  },
  {
    name: 'zrem',
    arity: -3,
    flags: ['write', 'fast'],
    keys: ONE_KEY,
    uses: ['W'],
    group: 'sorted-set',
    since: '1.2.0',
    summary:
      'Removes one or more members from a sorted set. Deletes the sorted set if all members were removed.',
    syntax: 'key member [member ...]',
    complexity:
      'O(M*log(N)) with N being the number of elements in the sorted set and M the number of elements to be removed.',
    run: zrem,
  },
  {
    name: 'zscore',
    arity: 3,
    flags: ['readonly', 'fast'],
    keys: ONE_KEY,
    group: 'sorted-set',
    since: '1.2.0',
    summary: 'Returns the score of a member in a sorted set.',
    syntax: 'key member',
    complexity: 'O(1)',
    run: zscore,
  },
  {
    name: 'zmscore',
    arity: -3,
    flags: ['readonly', 'fast'],
    keys: ONE_KEY,
    group: 'sorted-set',
    since: '6.2.0',
    summary: 'Returns the score of one or more members in a sorted set.',
    syntax: 'key member [member ...]',
    complexity: 'O(N) where N is the number of members being requested.',
    run: zmscore,
  },
  {
    name: 'zcard',
    arity: 2,
    flags: ['readonly', 'fast'],
    keys: ONE_KEY,
    uses: [''],
    group: 'sorted-set',
    since: '1.2.0',
    summary: 'Returns the number of members in a sorted set.',
    syntax: 'key',
    complexity: 'O(1)',
    run: zcard,
  },
  {
    name: 'zrank',
    arity: -3,
    flags: ['readonly', 'fast'],
    keys: ONE_KEY,
    group: 'sorted-set',
    since: '2.0.0',
    summary: 'Returns the index of a member in a sorted set ordered by ascending scores.',
    syntax: 'key member [WITHSCORE]',
    complexity: 'O(log(N))',
    run: (ctx, words) => zrank(ctx, words, false),
  },
  {
    name: 'zrevrank',
    arity: -3,
    flags: ['readonly', 'fast'],
    keys: ONE_KEY,
    group: 'sorted-set',
    since: '2.0.0',
    summary: 'Returns the index of a member in a sorted set ordered by descending scores.',
    syntax: 'key member [WITHSCORE]',
    complexity: 'O(log(N))',
    run: (ctx, words) => zrank(ctx, words, true),
  },
  {
    name: 'zrandmember',
    arity: -2,
    flags: ['readonly'],
    keys: ONE_KEY,
    group: 'sorted-set',
    since: '6.2.0',
    summary: 'Returns one or more random members from a sorted set.',
    syntax: 'key [count [WITHSCORES]]',
    complexity: 'O(N) where N is the number of elements returned',
    run: zrandmember,
  },
  {
    name: 'zscan',
    arity: -3,
    flags: ['readonly'],
    keys: ONE_KEY,
    group: 'sorted-set',
    since: '2.8.0',
    summary: 'Iterates over members and scores of a sorted set.',
    syntax: 'key cursor [MATCH pattern] [COUNT count]',
    complexity:
      'O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection..',
    run: zscan,
  },
])
