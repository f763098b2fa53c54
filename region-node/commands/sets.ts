/**
 * sets.ts: the commands on sets.
 *
 * Sets are add-wins: an SADD of a member that is already there is an add all the same, and beats an SREM
 * that did not see it (semantics.md, Set). Draws go through the set's index, O(1) each.
 */
import type { SetState } from '../../crdt/set-aw.ts'
import { errors } from '../errors.ts'
import { type CommandContext, defineCommands, NO_KEYS, ONE_KEY } from './command.ts'
import { drawDistinct, drawPosition, drawRepeated, parseDrawCount } from './draws.ts'
import { globMatch } from './glob.ts'
import { numberedKeys } from './numbered-keys.ts'
import { parseCount } from './parse.ts'
import { parseCursor, parseScanOptions, scanNames, writeScanHead } from './scan.ts'
import { difference, intersection, type MaybeSet, union } from './set-algebra.ts'

function sadd(ctx: CommandContext, words: readonly string[]): void {
  const key = words[1]!
  const set = ctx.set(key)
  if (words.length === 3) {
    const member = words[2]!
    const isNew = set === undefined || !set.has(member)
    ctx.write.addMembers(key, [member])
    ctx.out.integer(isNew ? 1 : 0)
    return
  }
  const members = new Set<string>()
  for (let i = 2; i < words.length; i++) members.add(words[i]!)
  let added = members.size
  if (set !== undefined) for (const member of members) if (set.has(member)) added--
  ctx.write.addMembers(key, [...members])
  ctx.out.integer(added)
}

function srem(ctx: CommandContext, words: readonly string[]): void {
  const key = words[1]!
  const set = ctx.set(key)
  if (set === undefined) {
    ctx.out.integer(0)
    return
  }
  if (words.length === 3) {
    const isThere = set.has(words[2]!)
    if (isThere) ctx.write.removeMembers(key, [words[2]!])
    ctx.out.integer(isThere ? 1 : 0)
    return
  }
  const present = new Set<string>()
  for (let i = 2; i < words.length; i++) if (set.has(words[i]!)) present.add(words[i]!)
  if (present.size > 0) ctx.write.removeMembers(key, [...present])
  ctx.out.integer(present.size)
}

function sismember(ctx: CommandContext, words: readonly string[]): void {
  ctx.out.integer(ctx.set(words[1]!)?.has(words[2]!) ? 1 : 0)
}

function smismember(ctx: CommandContext, words: readonly string[]): void {
  const set = ctx.set(words[1]!)
  ctx.out.array(words.length - 2)
  for (let i = 2; i < words.length; i++) ctx.out.integer(set?.has(words[i]!) ? 1 : 0)
}

function smembers(ctx: CommandContext, words: readonly string[]): void {
  const set = ctx.set(words[1]!)
  ctx.out.set(set?.size ?? 0)
  if (set !== undefined) for (const member of set.members.keys()) ctx.out.bulk(member)
}

function scard(ctx: CommandContext, words: readonly string[]): void {
  ctx.out.integer(ctx.set(words[1]!)?.size ?? 0)
}

function spop(ctx: CommandContext, words: readonly string[]): void {
  const key = words[1]!
  if (words.length === 2) {
    const set = ctx.set(key)
    if (set === undefined) {
      ctx.out.nil()
      return
    }
    const member = set.index.at(drawPosition(set.size, ctx.random))
    ctx.write.removeMembers(key, [member])
    ctx.out.bulk(member)
    return
  }
  if (words.length > 3) throw errors.syntax
  const count = parseCount(words[2]!, errors.notPositive)
  if (count < 0) throw errors.notPositive
  const set = ctx.set(key)
  const members = set === undefined || count === 0 ? [] : drawMembers(set, count, ctx.random)
  if (members.length > 0) ctx.write.removeMembers(key, members)
  writeSet(ctx, members)
}

function srandmember(ctx: CommandContext, words: readonly string[]): void {
  const key = words[1]!
  if (words.length === 2) {
    const set = ctx.set(key)
    if (set === undefined) ctx.out.nil()
    else ctx.out.bulk(set.index.at(drawPosition(set.size, ctx.random)))
    return
  }
  if (words.length > 3) throw errors.syntax
  const count = parseDrawCount(words[2]!)
  const set = ctx.set(key)
  // An array, not a set: a negative count may draw a member more than once.
  ctx.out.words(set === undefined || count === 0 ? [] : drawMembers(set, count, ctx.random))
}

function drawMembers(set: SetState, count: number, random: () => number): string[] {
  if (count >= set.size) return [...set.members.keys()]
  const { index, size } = set
  const positions = count < 0 ? drawRepeated(size, -count, random) : drawDistinct(size, count, random)
  return positions.map((position) => index.at(position))
}

function smove(ctx: CommandContext, words: readonly string[]): void {
  const from = words[1]!
  const to = words[2]!
  const member = words[3]!
  const source = ctx.set(from)
  if (source === undefined) {
    ctx.out.integer(0)
    return
  }
  // Redis looks at the destination's type only when there is a source.
  ctx.set(to)
  const isThere = source.has(member)
  if (isThere && from !== to) {
    ctx.write.removeMembers(from, [member])
    ctx.write.addMembers(to, [member])
  }
  ctx.out.integer(isThere ? 1 : 0)
}

/** The sets of the words from `first` to before `end`. @throws CommandError WRONGTYPE */
function setsOf(
  ctx: CommandContext,
  words: readonly string[],
  first: number,
  end = words.length,
): MaybeSet[] {
  const sets: MaybeSet[] = []
  for (let i = first; i < end; i++) sets.push(ctx.set(words[i]!))
  return sets
}

function writeSet(ctx: CommandContext, members: readonly string[]): void {
  ctx.out.set(members.length)
  for (const member of members) ctx.out.bulk(member)
}

/** Replaces whatever the key holds; an empty result leaves no key. */
function store(ctx: CommandContext, key: string, members: readonly string[]): void {
  ctx.write.clear(key)
  if (members.length > 0) ctx.write.addMembers(key, members)
  ctx.out.integer(members.length)
}

function sinter(ctx: CommandContext, words: readonly string[]): void {
  writeSet(ctx, intersection(setsOf(ctx, words, 1)))
}

function sinterstore(ctx: CommandContext, words: readonly string[]): void {
  store(ctx, words[1]!, intersection(setsOf(ctx, words, 2)))
}

function sunion(ctx: CommandContext, words: readonly string[]): void {
  writeSet(ctx, union(setsOf(ctx, words, 1)))
}

function sunionstore(ctx: CommandContext, words: readonly string[]): void {
  store(ctx, words[1]!, union(setsOf(ctx, words, 2)))
}

function sdiff(ctx: CommandContext, words: readonly string[]): void {
  writeSet(ctx, difference(setsOf(ctx, words, 1)))
}

function sdiffstore(ctx: CommandContext, words: readonly string[]): void {
  store(ctx, words[1]!, difference(setsOf(ctx, words, 2)))
}

function sintercard(ctx: CommandContext, words: readonly string[]): void {
  const keyCount = parseCount(words[1]!, errors.numkeysNotPositive)
  if (keyCount < 1) throw errors.numkeysNotPositive
  const end = 2 + keyCount
  if (end > words.length) throw errors.tooManyKeys
  let limit = 0
  for (let at = end; at < words.length; at += 2) {
    const value = words[at + 1]
    if (value === undefined || words[at]!.toLowerCase() !== 'limit') throw errors.syntax
    limit = parseCount(value, errors.negativeLimit)
    if (limit < 0) throw errors.negativeLimit
  }
  ctx.out.integer(intersection(setsOf(ctx, words, 2, end), limit).length)
}

function sscan(ctx: CommandContext, words: readonly string[]): void {
  const { out } = ctx
  const start = parseCursor(words[2]!)
  const set = ctx.set(words[1]!)
  if (set === undefined) {
    // Redis answers before it looks at the options.
    writeScanHead(out, 0, 0)
    return
  }
  const { count, match } = parseScanOptions(words, 3)
  const { names, cursor } = scanNames(set.members, set, start, count)
  const members = match === undefined ? names : names.filter((member) => globMatch(match, member))
  writeScanHead(out, cursor, members.length)
  for (const member of members) out.bulk(member)
}

/** SINTER and its like: every word behind the name is a key. */
const ALL_KEYS = { first: 1, last: -1, step: 1 }
const TWO_KEYS = { first: 1, last: 2, step: 1 }

export const setCommands = defineCommands([
  {
    name: 'sadd',
    arity: -3,
    flags: ['write', 'denyoom', 'fast'],
    keys: ONE_KEY,
    uses: ['W'],
    group: 'set',
    since: '1.0.0',
    summary: "Adds one or more members to a set. Creates the key if it doesn't exist.",
    syntax: 'key member [member ...]',
    complexity:
      'O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments.',
    run: sadd,
  },
  {
    name: 'srem',
    arity: -3,
    flags: ['write', 'fast'],
    keys: ONE_KEY,
    uses: ['W'],
    group: 'set',
    since: '1.0.0',
    summary: 'Removes one or more members from a set. Deletes the set if the last member was removed.',
    syntax: 'key member [member ...]',
    complexity: 'O(N) where N is the number of members to be removed.',
    run: srem,
  },
  {
    name: 'sismember',
    arity: 3,
    flags: ['readonly', 'fast'],
    keys: ONE_KEY,
    uses: [''],
    group: 'set',
    since: '1.0.0',
    summary: 'Determines whether a member belongs to a set.',
    syntax: 'key member',
    complexity: 'O(1)',
    run: sismember,
  },
  {
    name: 'smismember',
    arity: -3,
    flags: ['readonly', 'fast'],
    keys: ONE_KEY,
    group: 'set',
    since: '6.2.0',
    summary: 'Determines whether multiple members belong to a set.',
    syntax: 'key member [member ...]',
    complexity: 'O(N) where N is the number of elements being checked for membership',
    run: smismember,
  },
  {
    name: 'smembers',
    arity: 2,
    flags: ['readonly'],
    keys: ONE_KEY,
    group: 'set',
    since: '1.0.0',
    summary: 'Returns all members of a set.',
    syntax: 'key',
    complexity: 'O(N) where N is the set cardinality.',
    run: smembers,
  },
  {
    name: 'scard',
    arity: 2,
    flags: ['readonly', 'fast'],
    keys: ONE_KEY,
    uses: [''],
    group: 'set',
    since: '1.0.0',
    summary: 'Returns the number of members in a set.',
    syntax: 'key',
    complexity: 'O(1)',
    run: scard,
  },
  {
    name: 'spop',
    arity: -2,
    flags: ['write', 'fast'],
    keys: ONE_KEY,
    group: 'set',
    since: '1.0.0',
    summary:
      'Returns one or more random members from a set after removing them. Deletes the set if the last member was popped.',
    syntax: 'key [count]',
    complexity: 'Without the count argument O(1), otherwise O(N) where N is the value of the passed count.',
    run: spop,
  },
  {
    name: 'srandmember',
    arity: -2,
    flags: ['readonly'],
    keys: ONE_KEY,
    group: 'set',
    since: '1.0.0',
    summary: 'Get one or multiple random members from a set',
    syntax: 'key [count]',
    complexity:
      'Without the count argument O(1), otherwise O(N) where N is the absolute value of the passed count.',
    run: srandmember,
  },
  {
    name: 'smove',
    arity: 4,
    flags: ['write', 'fast'],
    keys: TWO_KEYS,
    uses: ['RW', 'W'],
    group: 'set',
    since: '1.0.0',
    summary: 'Moves a member from one set to another.',
    syntax: 'source destination member',
    complexity: 'O(1)',
    run: smove,
  },
  {
    name: 'sinter',
    arity: -2,
    flags: ['readonly'],
    keys: ALL_KEYS,
    group: 'set',
    since: '1.0.0',
    summary: 'Returns the intersect of multiple sets.',
    syntax: 'key [key ...]',
    complexity:
      'O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.',
    run: sinter,
  },
  {
    name: 'sinterstore',
    arity: -3,
    flags: ['write', 'denyoom'],
    keys: ALL_KEYS,
    uses: ['W', 'R'],
    group: 'set',
    since: '1.0.0',
    summary: 'Stores the intersect of multiple sets in a key.',
    syntax: 'destination key [key ...]',
    complexity:
      'O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.',
    run: sinterstore,
  },
  {
    name: 'sintercard',
    arity: -3,
    flags: ['readonly', 'movablekeys'],
    keys: NO_KEYS,
    keysOf: (words) => numberedKeys(words),
    group: 'set',
    since: '7.0.0',
    summary: 'Returns the number of members of the intersect of multiple sets.',
    syntax: 'numkeys key [key ...] [LIMIT limit]',
    complexity:
      'O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.',
    run: sintercard,
  },
  {
    name: 'sunion',
    arity: -2,
    flags: ['readonly'],
    keys: ALL_KEYS,
    group: 'set',
    since: '1.0.0',
    summary: 'Returns the union of multiple sets.',
    syntax: 'key [key ...]',
    complexity: 'O(N) where N is the total number of elements in all given sets.',
    run: sunion,
  },
  {
    name: 'sunionstore',
    arity: -3,
    flags: ['write', 'denyoom'],
    keys: ALL_KEYS,
    uses: ['W', 'R'],
    group: 'set',
    since: '1.0.0',
    summary: 'Stores the union of multiple sets in a key.',
    syntax: 'destination key [key ...]',
    complexity: 'O(N) where N is the total number of elements in all given sets.',
    run: sunionstore,
  },
  {
    name: 'sdiff',
    arity: -2,
    flags: ['readonly'],
    keys: ALL_KEYS,
    group: 'set',
    since: '1.0.0',
    summary: 'Returns the difference of multiple sets.',
    syntax: 'key [key ...]',
    complexity: 'O(N) where N is the total number of elements in all given sets.',
    run: sdiff,
  },
  {
    name: 'sdiffstore',
    arity: -3,
    flags: ['write', 'denyoom'],
    keys: ALL_KEYS,
    uses: ['W', 'R'],
    group: 'set',
    since: '1.0.0',
    summary: 'Stores the difference of multiple sets in a key.',
    syntax: 'destination key [key ...]',
    complexity: 'O(N) where N is the total number of elements in all given sets.',
    run: sdiffstore,
  },
  {
    name: 'sscan',
    arity: -3,
    flags: ['readonly'],
    keys: ONE_KEY,
    group: 'set',
    since: '2.8.0',
    summary: 'Iterates over members of a set.',
    syntax: 'key cursor [MATCH pattern] [COUNT count]',
    complexity:
      'O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection.',
    run: sscan,
  },
])
