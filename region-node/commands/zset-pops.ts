/**
 * zset-pops.ts: ZPOPMIN, ZMPOP and the forms that wait.
 *
 * A pop removes what it saw of the members it returns: two regions may pop the same one, which goes once.
 */
import type { ZsetState } from '../../crdt/zset-aw.ts'
import type { Scored } from '../../crdt/zset-order.ts'
import { errors } from '../errors.ts'
import { type CommandContext, defineCommands, NO_KEYS, ONE_KEY } from './command.ts'
import { parseBlockTimeout } from './floats.ts'
import { numberedKeys } from './numbered-keys.ts'
import { KEYS_AND_TIMEOUT, type ManyPop, parseManyPop, parsePopCount, waitForAny } from './pops.ts'
import { membersIn, writeScored } from './zset-replies.ts'

/** Takes up to `count` members off the beginning or the end. */
function pop(ctx: CommandContext, key: string, zset: ZsetState, count: number, isMax: boolean): Scored {
  const { size } = zset
  const range = isMax ? { from: Math.max(0, size - count), to: size } : { from: 0, to: Math.min(size, count) }
  const popped = membersIn(zset, range, isMax)
  ctx.write.zset.remove(key, popped.members)
  return popped
}

function zpop(isMax: boolean) {
  return (ctx: CommandContext, words: readonly string[]): void => {
    if (words.length > 3) throw errors.syntax
    const count = parsePopCount(words[2])
    const key = words[1]!
    const zset = ctx.zset(key)
    if (zset === undefined || count === 0) {
      ctx.out.array(0)
      return
    }
    const popped = pop(ctx, key, zset, count ?? 1, isMax)
    writeScored(ctx.out, popped, count !== undefined && ctx.out.protocol === 3)
  }
}

/** The first key that exists; undefined when none does. @throws CommandError when it is no sorted set */
function firstOf(ctx: CommandContext, keys: readonly string[]): string | undefined {
  return keys.find((key) => ctx.zset(key) !== undefined)
}

function bzpop(isMax: boolean) {
  return (ctx: CommandContext, words: readonly string[]): void => {
    const timeoutMs = parseBlockTimeout(words.at(-1)!)
    const keys = words.slice(1, -1)
    const key = firstOf(ctx, keys)
    if (key === undefined) {
      waitForAny(ctx, { keys, words, awaits: 'zset', timeoutMs })
      return
    }
    const { members, scores } = pop(ctx, key, ctx.zset(key)!, 1, isMax)
    ctx.out.array(3)
    ctx.out.bulk(key)
    ctx.out.bulk(members[0]!)
    ctx.out.double(scores[0]!)
  }
}

const ENDS = ['min', 'max'] as const

function writeManyPop(ctx: CommandContext, key: string, { atSecondEnd, count }: ManyPop): void {
  const popped = pop(ctx, key, ctx.zset(key)!, count, atSecondEnd)
  ctx.out.array(2)
  ctx.out.bulk(key)
  writeScored(ctx.out, popped, true)
}

function zmpop(ctx: CommandContext, words: readonly string[]): void {
  const wanted = parseManyPop(words, 1, ENDS)
  const key = firstOf(ctx, wanted.keys)
  if (key === undefined) ctx.out.nilArray()
  else writeManyPop(ctx, key, wanted)
}

function bzmpop(ctx: CommandContext, words: readonly string[]): void {
  const wanted = parseManyPop(words, 2, ENDS)
  const timeoutMs = parseBlockTimeout(words[1]!)
  const key = firstOf(ctx, wanted.keys)
  if (key === undefined) waitForAny(ctx, { keys: wanted.keys, words, awaits: 'zset', timeoutMs })
  else writeManyPop(ctx, key, wanted)
}

export const zsetPopCommands = defineCommands([
  {
    name: 'zpopmin',
    arity: -2,
    flags: ['write', 'fast'],
    keys: ONE_KEY,
    group: 'sorted-set',
    since: '5.0.0',
    summary:
      'Returns the lowest-scoring members from a sorted set after removing them. Deletes the sorted set if the last member was popped.',
    syntax: 'key [count]',
    complexity:
      'O(log(N)*M) with N being the number of elements in the sorted set, and M being the number of elements popped.',
    run: zpop(false),
  },
  {
    name: 'zpopmax',
    arity: -2,
    flags: ['write', 'fast'],
    keys: ONE_KEY,
    group: 'sorted-set',
    since: '5.0.0',
    summary:
      'Returns the highest-scoring members from a sorted set after removing them. Deletes the sorted set if the last member was popped.',
    syntax: 'key [count]',
    complexity:
      'O(log(N)*M) with N being the number of elements in the sorted set, and M being the number of elements popped.',
    run: zpop(true),
  },
  {
    name: 'zmpop',
    arity: -4,
    flags: ['write', 'movablekeys'],
    keys: NO_KEYS,
    keysOf: (words) => numberedKeys(words),
    group: 'sorted-set',
    since: '7.0.0',
    summary:
      'Returns the highest- or lowest-scoring members from one or more sorted sets after removing them. Deletes the sorted set if the last member was popped.',
    syntax: 'numkeys key [key ...] <MIN|MAX> [COUNT count]',
    complexity:
      'O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the sorted set, and M being the number of elements popped.',
    run: zmpop,
  },
  {
    name: 'bzpopmin',
    arity: -3,
    flags: ['write', 'noscript', 'blocking', 'fast'],
    keys: KEYS_AND_TIMEOUT,
    group: 'sorted-set',
    since: '5.0.0',
    summary:
      'Removes and returns the member with the lowest score from one or more sorted sets. Blocks until a member is available otherwise. Deletes the sorted set if the last element was popped.',
    syntax: 'key [key ...] timeout',
    complexity: 'O(log(N)) with N being the number of elements in the sorted set.',
    run: bzpop(false),
  },
  {
    name: 'bzpopmax',
    arity: -3,
    flags: ['write', 'noscript', 'blocking', 'fast'],
    keys: KEYS_AND_TIMEOUT,
    group: 'sorted-set',
    since: '5.0.0',
    summary:
      'Removes and returns the member with the highest score from one or more sorted sets. Blocks until a member available otherwise.  Deletes the sorted set if the last element was popped.',
    syntax: 'key [key ...] timeout',
    complexity: 'O(log(N)) with N being the number of elements in the sorted set.',
    run: bzpop(true),
  },
  {
    name: 'bzmpop',
    arity: -5,
    flags: ['write', 'blocking', 'movablekeys'],
    keys: NO_KEYS,
    keysOf: (words) => numberedKeys(words, 2),
    group: 'sorted-set',
    since: '7.0.0',
    summary:
      'Removes and returns a member by score from one or more sorted sets. Blocks until a member is available otherwise. Deletes the sorted set if the last element was popped.',
    syntax: 'timeout numkeys key [key ...] <MIN|MAX> [COUNT count]',
    complexity:
      'O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the sorted set, and M being the number of elements popped.',
    run: bzmpop,
  },
])
