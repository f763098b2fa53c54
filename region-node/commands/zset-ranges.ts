/**
 * zset-ranges.ts: ZRANGE and its older forms, ZRANGESTORE, counts and removals of ranges.
 */
import { errors } from '../errors.ts'
import { type CommandContext, defineCommands, ONE_KEY } from './command.ts'
import { parseCount } from './parse.ts'
import {
  type FindRange,
  limited,
  parseLexRange,
  parseRankRange,
  parseReverseRankRange,
  parseScoreRange,
} from './zset-bounds.ts'
import { membersIn, writeMembers } from './zset-replies.ts'

type RangeKind = 'rank' | 'score' | 'lex'

/** What a command's name says already. */
interface Form {
  /** Undefined: BYSCORE and BYLEX may say it. */
  readonly kind: RangeKind | undefined
  /** Undefined: REV may say it. */
  readonly isReverse: boolean | undefined
  readonly isStored: boolean
}

interface RangeOptions {
  readonly find: FindRange
  readonly isReverse: boolean
  readonly withScores: boolean
  readonly offset: number
  readonly count: number
}

/** @param at  where the key stands; both ends follow it  @throws CommandError */
function parseRange(words: readonly string[], at: number, form: Form): RangeOptions {
  let { kind, isReverse } = form
  let withScores = false
  let offset = 0
  let count = -1
  for (let i = at + 3; i < words.length; i++) {
    const option = words[i]!.toLowerCase()
    if (option === 'withscores' && !form.isStored) {
      withScores = true
    } else if (option === 'limit' && i + 2 < words.length) {
      offset = parseCount(words[++i]!)
      count = parseCount(words[++i]!)
    } else if (option === 'rev' && isReverse === undefined) {
      isReverse = true
    } else if (option === 'bylex' && kind === undefined) {
      kind = 'lex'
    } else if (option === 'byscore' && kind === undefined) {
      kind = 'score'
    } else {
      throw errors.syntax
    }
  }
  if (count !== -1 && (kind ?? 'rank') === 'rank') throw errors.limitByRank
  if (withScores && kind === 'lex') throw errors.scoresByLex
  const find = parseEnds(words[at + 1]!, words[at + 2]!, kind ?? 'rank', isReverse === true)
  // LIMIT with a count of -1 is let pass by rank, and means nothing.
  if ((kind ?? 'rank') === 'rank') offset = 0
  return { find, isReverse: isReverse === true, withScores, offset, count }
}

/** @throws CommandError */
function parseEnds(first: string, last: string, kind: RangeKind, isReverse: boolean): FindRange {
  if (kind === 'rank') return isReverse ? parseReverseRankRange(first, last) : parseRankRange(first, last)
  // From the greatest to the least.
  const [min, max] = isReverse ? [last, first] : [first, last]
  return kind === 'score' ? parseScoreRange(min, max) : parseLexRange(min, max)
}

function range(kind: RangeKind | undefined, isReverse: boolean | undefined) {
  return (ctx: CommandContext, words: readonly string[]): void => {
    const options = parseRange(words, 1, { kind, isReverse, isStored: false })
    const zset = ctx.zset(words[1]!)
    if (zset === undefined) {
      ctx.out.array(0)
      return
    }
    const found = limited(options.find(zset), options.offset, options.count, options.isReverse)
    writeMembers(ctx.out, membersIn(zset, found, options.isReverse), options.withScores)
  }
}

function zrangestore(ctx: CommandContext, words: readonly string[]): void {
  const options = parseRange(words, 2, { kind: undefined, isReverse: undefined, isStored: true })
  const zset = ctx.zset(words[2]!)
  const to = words[1]!
  const found =
    zset === undefined
      ? { members: [], scores: [] }
      : membersIn(zset, limited(options.find(zset), options.offset, options.count, options.isReverse))
  ctx.write.clear(to)
  if (found.members.length > 0) ctx.write.zset.add(to, found.members, found.scores)
  ctx.out.integer(found.members.length)
}

function count(parse: (min: string, max: string) => FindRange) {
  return (ctx: CommandContext, words: readonly string[]): void => {
    const find = parse(words[2]!, words[3]!)
    const zset = ctx.zset(words[1]!)
    const { from, to } = zset === undefined ? { from: 0, to: 0 } : find(zset)
    ctx.out.integer(Math.max(0, to - from))
  }
}

function remove(parse: (min: string, max: string) => FindRange) {
  return (ctx: CommandContext, words: readonly string[]): void => {
    const key = words[1]!
    const find = parse(words[2]!, words[3]!)
    const zset = ctx.zset(key)
    const members = zset === undefined ? [] : membersIn(zset, find(zset)).members
    if (members.length > 0) ctx.write.zset.remove(key, members)
    ctx.out.integer(members.length)
  }
}

/** The destination and the source. */
const TWO_KEYS = { first: 1, last: 2, step: 1 }

export const zsetRangeCommands = defineCommands([
  {
    name: 'zrange',
    arity: -4,
    flags: ['readonly'],
    keys: ONE_KEY,
    group: 'sorted-set',
    since: '1.2.0',
    summary: 'Returns members in a sorted set within a range of indexes.',
    syntax: 'key start:string stop:string [BYSCORE|BYLEX] [REV] [LIMIT offset count] [WITHSCORES]',
    complexity:
      'O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements returned.',
    run: range(undefined, undefined),
  },
  {
    name: 'zrevrange',
    arity: -4,
    flags: ['readonly'],
    keys: ONE_KEY,
    group: 'sorted-set',
    since: '1.2.0',
    summary: 'Returns members in a sorted set within a range of indexes in reverse order.',
    syntax: 'key start stop [WITHSCORES]',
    complexity:
      'O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements returned.',
    run: range('rank', true),
  },
  {
    name: 'zrangebyscore',
    arity: -4,
    flags: ['readonly'],
    keys: ONE_KEY,
    group: 'sorted-set',
    since: '1.0.5',
    summary: 'Returns members in a sorted set within a range of scores.',
    syntax: 'key min max [WITHSCORES] [LIMIT offset count]',
    complexity:
      'O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).',
    run: range('score', false),
  },
  {
    name: 'zrevrangebyscore',
    arity: -4,
    flags: ['readonly'],
    keys: ONE_KEY,
    group: 'sorted-set',
    since: '2.2.0',
    summary: 'Returns members in a sorted set within a range of scores in reverse order.',
    syntax: 'key max min [WITHSCORES] [LIMIT offset count]',
    complexity:
      'O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).',
    run: range('score', true),
  },
  {
    name: 'zrangebylex',
    arity: -4,
    flags: ['readonly'],
    keys: ONE_KEY,
    group: 'sorted-set',
    since: '2.8.9',
    summary: 'Returns members in a sorted set within a lexicographical range.',
    syntax: 'key min:string max:string [LIMIT offset count]',
    complexity:
      'O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).',
    run: range('lex', false),
  },
  {
    name: 'zrevrangebylex',
    arity: -4,
    flags: ['readonly'],
    keys: ONE_KEY,
    group: 'sorted-set',
    since: '2.8.9',
    summary: 'Returns members in a sorted set within a lexicographical range in reverse order.',
    syntax: 'key max:string min:string [LIMIT offset count]',
    complexity:
      'O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).',
    run: range('lex', true),
  },
  {
    name: 'zrangestore',
    arity: -5,
    flags: ['write', 'denyoom'],
    keys: TWO_KEYS,
    uses: ['W', 'R'],
    group: 'sorted-set',
    since: '6.2.0',
    summary: 'Stores a range of members from sorted set in a key.',
    syntax: 'dst src min:string max:string [BYSCORE|BYLEX] [REV] [LIMIT offset count]',
    complexity:
      'O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements stored into the destination key.',
    run: zrangestore,
  },
  {
    name: 'zcount',
    arity: 4,
    flags: ['readonly', 'fast'],
    keys: ONE_KEY,
    group: 'sorted-set',
    since: '2.0.0',
    summary: 'Returns the count of members in a sorted set that have scores within a range.',
    syntax: 'key min max',
    complexity: 'O(log(N)) with N being the number of elements in the sorted set.',
    run: count(parseScoreRange),
  },
  {
    name: 'zlexcount',
    arity: 4,
    flags: ['readonly', 'fast'],
    keys: ONE_KEY,
    group: 'sorted-set',
    since: '2.8.9',
    summary: 'Returns the number of members in a sorted set within a lexicographical range.',
    syntax: 'key min:string max:string',
    complexity: 'O(log(N)) with N being the number of elements in the sorted set.',
    run: count(parseLexRange),
  },
  {
    name: 'zremrangebyrank',
    arity: 4,
    flags: ['write'],
    keys: ONE_KEY,
    uses: ['W'],
    group: 'sorted-set',
    since: '2.0.0',
    summary:
      'Removes members in a sorted set within a range of indexes. Deletes the sorted set if all members were removed.',
    syntax: 'key start stop',
    complexity:
      'O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements removed by the operation.',
    run: remove(parseRankRange),
  },
  {
    name: 'zremrangebyscore',
    arity: 4,
    flags: ['write'],
    keys: ONE_KEY,
    uses: ['W'],
    group: 'sorted-set',
    since: '1.2.0',
    summary:
      'Removes members in a sorted set within a range of scores. Deletes the sorted set if all members were removed.',
    syntax: 'key min max',
    complexity:
      'O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements removed by the operation.',
    run: remove(parseScoreRange),
  },
  {
    name: 'zremrangebylex',
    arity: 4,
    flags: ['write'],
    keys: ONE_KEY,
    uses: ['W'],
    group: 'sorted-set',
    since: '2.8.9',
    summary:
      'Removes members in a sorted set within a lexicographical range. Deletes the sorted set if all members were removed.',
    syntax: 'key min:string max:string',
    complexity:
      'O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements removed by the operation.',
    run: remove(parseLexRange),
  },
])
