/**
 * zset-algebra.ts: ZUNION, ZINTER, ZDIFF, their forms that store, and ZINTERCARD.
 *
 * Sets take part as sorted sets in which every score is 1. What is stored replaces whatever the destination
 * held; scores are sums in double arithmetic, from the smallest input to the largest, as in Redis.
 */
import { SetState } from '../../crdt/set-aw.ts'
import type { Names } from '../../crdt/table/member-table.ts'
import { ZsetState } from '../../crdt/zset-aw.ts'
import { type Scored, ScoreOrder } from '../../crdt/zset-order.ts'
import { errors } from '../errors.ts'
import { type CommandContext, defineCommands, NO_KEYS, ONE_KEY } from './command.ts'
import { parseDouble } from './floats.ts'
import { numberedKeys } from './numbered-keys.ts'
import { parseCount } from './parse.ts'
import { writeMembers } from './zset-replies.ts'

type Operation = 'union' | 'inter' | 'diff'
type Aggregate = (a: number, b: number) => number

interface Input {
  readonly members: Names
  scoreOf(member: string): number
  weight: number
}

/** What a command may be told behind its keys. */
interface Allowed {
  readonly weights: boolean
  readonly withScores: boolean
  readonly limit: boolean
}

interface Request {
  readonly inputs: readonly Input[]
  readonly aggregate: Aggregate
  readonly withScores: boolean
  /** 0: none. */
  readonly limit: number
}

const NOBODY: Names = new Map<string, unknown>()

/** @throws CommandError WRONGTYPE */
function inputOf(ctx: CommandContext, key: string): Input {
  const state = ctx.state(key)
  if (state === undefined || state instanceof SetState)
    return { members: state?.members ?? NOBODY, scoreOf: () => 1, weight: 1 }
  if (state instanceof ZsetState)
    return { members: state.scores, scoreOf: (member) => state.get(member)!, weight: 1 }
  throw errors.wrongType
}

const AGGREGATES: Readonly<Record<string, Aggregate>> = {
  // Of two infinities of different sign Redis makes 0.
  sum: (a, b) => numberOr0(a + b),
  min: (a, b) => (Number.isNaN(b) ? a : Math.min(a, b)),
  max: (a, b) => (Number.isNaN(b) ? a : Math.max(a, b)),
}

function numberOr0(value: number): number {
  return Number.isNaN(value) ? 0 : value
}

/**
 * @param at  where `numkeys` stands
 * @throws CommandError
 */
function parseRequest(
  ctx: CommandContext,
  words: readonly string[],
  at: number,
  command: string,
  allowed: Allowed,
): Request {
  const keyCount = parseCount(words[at]!)
  if (keyCount < 1) throw errors.noInputKeys(command)
  const end = at + 1 + keyCount
  if (end > words.length) throw errors.syntax
  const inputs: Input[] = []
  for (let i = at + 1; i < end; i++) inputs.push(inputOf(ctx, words[i]!))
  let aggregate = AGGREGATES.sum!
  let withScores = false
  let limit = 0
  for (let i = end; i < words.length; i++) {
    const option = words[i]!.toLowerCase()
    if (option === 'weights' && allowed.weights && i + keyCount < words.length) {
      for (const input of inputs) input.weight = parseDouble(words[++i]!, errors.weightNotFloat)
    } else if (option === 'aggregate' && allowed.weights && i + 1 < words.length) {
      aggregate = parseAggregate(words[++i]!)
    } else if (option === 'withscores' && allowed.withScores) {
      withScores = true
    } else if (option === 'limit' && allowed.limit && i + 1 < words.length) {
      limit = parseCount(words[++i]!, errors.negativeLimit)
      if (limit < 0) throw errors.negativeLimit
    } else {
      throw errors.syntax
    }
  }
  return { inputs, aggregate, withScores, limit }
}

/** @throws CommandError */
function parseAggregate(word: string): Aggregate {
  const name = word.toLowerCase()
  if (!Object.hasOwn(AGGREGATES, name)) throw errors.syntax
  return AGGREGATES[name]!
}

/** From the smallest on. */
function bySize(inputs: readonly Input[]): Input[] {
  return [...inputs].sort((a, b) => a.members.size - b.members.size)
}

function weighed({ scoreOf, weight }: Input, member: string): number {
  return numberOr0(scoreOf(member) * weight)
}

function union({ inputs, aggregate }: Request): Map<string, number> {
  const result = new Map<string, number>()
  for (const input of bySize(inputs)) {
    for (const member of input.members.keys()) {
      const score = weighed(input, member)
      const known = result.get(member)
      result.set(member, known === undefined ? score : aggregate(known, score))
    }
  }
  return result
}

function intersection({ inputs, aggregate, limit }: Request): Map<string, number> {
  const [smallest, ...others] = bySize(inputs)
  const result = new Map<string, number>()
  for (const member of smallest!.members.keys()) {
    if (!others.every(({ members }) => members.has(member))) continue
    let score = weighed(smallest!, member)
    // NaN (infinity times 0) is for the aggregate here, not 0 as elsewhere: Redis has it so.
    for (const { scoreOf, weight } of others) score = aggregate(score, scoreOf(member) * weight)
    result.set(member, score)
    if (result.size === limit) break
  }
  return result
}

function difference({ inputs: [first, ...others] }: Request): Map<string, number> {
  const result = new Map<string, number>()
  for (const member of first!.members.keys())
    if (!others.some(({ members }) => members.has(member))) result.set(member, first!.scoreOf(member))
  return result
}

const OPERATIONS = { union, inter: intersection, diff: difference }

function inOrder(scores: ReadonlyMap<string, number>): Scored {
  const order = new ScoreOrder()
  for (const [member, score] of scores) order.add(score, member)
  return order.slice(0, order.size)
}

function answer(operation: Operation) {
  const allowed = { weights: operation !== 'diff', withScores: true, limit: false }
  return (ctx: CommandContext, words: readonly string[]): void => {
    const request = parseRequest(ctx, words, 1, `z${operation}`, allowed)
    writeMembers(ctx.out, inOrder(OPERATIONS[operation](request)), request.withScores)
  }
}

function store(operation: Operation) {
  const allowed = { weights: operation !== 'diff', withScores: false, limit: false }
  return (ctx: CommandContext, words: readonly string[]): void => {
    const to = words[1]!
    const request = parseRequest(ctx, words, 2, `z${operation}store`, allowed)
    const result = OPERATIONS[operation](request)
    ctx.write.clear(to)
    if (result.size > 0) ctx.write.zset.add(to, [...result.keys()], [...result.values()])
    ctx.out.integer(result.size)
  }
}

function zintercard(ctx: CommandContext, words: readonly string[]): void {
  const allowed = { weights: false, withScores: false, limit: true }
  const request = parseRequest(ctx, words, 1, 'zintercard', allowed)
  ctx.out.integer(intersection(request).size)
}

/** The destination, then the inputs. */
function storeKeys(words: readonly string[]): string[] {
  return [words[1]!, ...numberedKeys(words, 2)]
}

export const zsetAlgebraCommands = defineCommands([
  {
    name: 'zunion',
    arity: -3,
    flags: ['readonly', 'movablekeys'],
    keys: NO_KEYS,
    keysOf: (words) => numberedKeys(words),
    group: 'sorted-set',
    since: '6.2.0',
    summary: 'Returns the union of multiple sorted sets.',
    syntax: 'numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM|MIN|MAX>] [WITHSCORES]',
    complexity:
      'O(N)+O(M*log(M)) with N being the sum of the sizes of the input sorted sets, and M being the number of elements in the resulting sorted set.',
    run: answer('union'),
  },
  {
    name: 'zinter',
    arity: -3,
    flags: ['readonly', 'movablekeys'],
    keys: NO_KEYS,
    keysOf: (words) => numberedKeys(words),
    group: 'sorted-set',
    since: '6.2.0',
    summary: 'Returns the intersect of multiple sorted sets.',
    syntax: 'numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM|MIN|MAX>] [WITHSCORES]',
    complexity:
      'O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted set, K being the number of input sorted sets and M being the number of elements in the resulting sorted set.',
    run: answer('inter'),
  },
  {
    name: 'zdiff',
    arity: -3,
    flags: ['readonly', 'movablekeys'],
    keys: NO_KEYS,
    keysOf: (words) => numberedKeys(words),
    group: 'sorted-set',
    since: '6.2.0',
    summary: 'Returns the difference between multiple sorted sets.',
    syntax: 'numkeys key [key ...] [WITHSCORES]',
    complexity:
      'O(L + (N-K)log(N)) worst case where L is the total number of elements in all the sets, N is the size of the first set, and K is the size of the result set.',
    run: answer('diff'),
  },
  {
    name: 'zunionstore',
    arity: -4,
    flags: ['write', 'denyoom', 'movablekeys'],
    keys: ONE_KEY,
    uses: ['W', 'R'],
    keysOf: storeKeys,
    group: 'sorted-set',
    since: '2.0.0',
    summary: 'Stores the union of multiple sorted sets in a key.',
    syntax: 'destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM|MIN|MAX>]',
    complexity:
      'O(N)+O(M log(M)) with N being the sum of the sizes of the input sorted sets, and M being the number of elements in the resulting sorted set.',
    run: store('union'),
  },
  {
    name: 'zinterstore',
    arity: -4,
    flags: ['write', 'denyoom', 'movablekeys'],
    keys: ONE_KEY,
    uses: ['W', 'R'],
    keysOf: storeKeys,
    group: 'sorted-set',
    since: '2.0.0',
    summary: 'Stores the intersect of multiple sorted sets in a key.',
    syntax: 'destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM|MIN|MAX>]',
    complexity:
      'O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted set, K being the number of input sorted sets and M being the number of elements in the resulting sorted set.',
    run: store('inter'),
  },
  {
    name: 'zdiffstore',
    arity: -4,
    flags: ['write', 'denyoom', 'movablekeys'],
    keys: ONE_KEY,
    uses: ['W', 'R'],
    keysOf: storeKeys,
    group: 'sorted-set',
    since: '6.2.0',
    summary: 'Stores the difference of multiple sorted sets in a key.',
    syntax: 'destination numkeys key [key ...]',
    complexity:
      'O(L + (N-K)log(N)) worst case where L is the total number of elements in all the sets, N is the size of the first set, and K is the size of the result set.',
    run: store('diff'),
  },
  {
    name: 'zintercard',
    arity: -3,
    flags: ['readonly', 'movablekeys'],
    keys: NO_KEYS,
    keysOf: (words) => numberedKeys(words),
    group: 'sorted-set',
    since: '7.0.0',
    summary: 'Returns the number of members of the intersect of multiple sorted sets.',
    syntax: 'numkeys key [key ...] [LIMIT limit]',
    complexity:
      'O(N*K) worst case with N being the smallest input sorted set, K being the number of input sorted sets.',
    run: zintercard,
  },
])
