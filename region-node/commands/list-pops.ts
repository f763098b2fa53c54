/**
 * list-pops.ts: LPOP, LMOVE, LMPOP and the forms that wait.
 *
 * A pop removes by name: two regions may pop the same element, which goes once.
 */
import type { ListState } from '../../crdt/list-fugue.ts'
import { errors } from '../errors.ts'
import { type CommandContext, type CommandDef, defineCommands, NO_KEYS, ONE_KEY } from './command.ts'
import { parseBlockTimeout } from './floats.ts'
import { numberedKeys } from './numbered-keys.ts'
import { KEYS_AND_TIMEOUT, type ManyPop, parseManyPop, parsePopCount, waitForAny } from './pops.ts'

/** Takes up to `count` elements off an end. @returns them, the outermost first */
function take(ctx: CommandContext, key: string, list: ListState, count: number, atLeft: boolean): string[] {
  const taken = Math.min(count, list.size)
  const start = atLeft ? 0 : list.size - taken
  const values = list.slice(start, taken)
  ctx.write.list.remove(key, start, taken)
  return atLeft ? values : values.reverse()
}

function pop(atLeft: boolean) {
  return (ctx: CommandContext, words: readonly string[]): void => {
    if (words.length > 3) throw errors.wrongArity(atLeft ? 'lpop' : 'rpop')
    const count = parsePopCount(words[2])
    const key = words[1]!
    const list = ctx.list(key)
    if (count === undefined)
      ctx.out.bulkOrNil(list === undefined ? undefined : take(ctx, key, list, 1, atLeft)[0])
    else if (list === undefined) ctx.out.nilArray()
    else ctx.out.words(count === 0 ? [] : take(ctx, key, list, count, atLeft))
  }
}

/** @throws CommandError */
function isLeft(word: string): boolean {
  const end = word.toLowerCase()
  if (end !== 'left' && end !== 'right') throw errors.syntax
  return end === 'left'
}

interface Move {
  readonly from: string
  readonly to: string
  readonly fromLeft: boolean
  readonly toLeft: boolean
}

/** `source destination LEFT|RIGHT LEFT|RIGHT`. @throws CommandError */
function parseMove(words: readonly string[]): Move {
  return { from: words[1]!, to: words[2]!, fromLeft: isLeft(words[3]!), toLeft: isLeft(words[4]!) }
}

function parsePopPush(words: readonly string[]): Move {
  return { from: words[1]!, to: words[2]!, fromLeft: false, toLeft: true }
}

/** Moves an element of a list that exists, and replies it. @throws CommandError */
function moveElement(ctx: CommandContext, list: ListState, { from, to, fromLeft, toLeft }: Move): void {
  ctx.list(to)
  const place = fromLeft ? 0 : list.size - 1
  const value = list.at(place)
  const ranges = list.rangesAt(place, 1)
  // Pushed before it is removed: a list of one element that is turned round does not cease to exist.
  ctx.write.list.push(to, [value], toLeft)
  ctx.write.list.removeRanges(from, ranges)
  ctx.out.bulk(value)
}

function move(parse: (words: readonly string[]) => Move) {
  return (ctx: CommandContext, words: readonly string[]): void => {
    const wanted = parse(words)
    const list = ctx.list(wanted.from)
    if (list === undefined) ctx.out.nil()
    else moveElement(ctx, list, wanted)
  }
}

function blockingMove(parse: (words: readonly string[]) => Move) {
  return (ctx: CommandContext, words: readonly string[]): void => {
    const wanted = parse(words)
    const timeoutMs = parseBlockTimeout(words.at(-1)!)
    const list = ctx.list(wanted.from)
    if (list !== undefined) moveElement(ctx, list, wanted)
    else if (ctx.inTransaction) ctx.out.nil()
    else ctx.waitForKeys({ keys: [wanted.from], words, awaits: 'list', timeoutMs })
  }
}

/** The first key that exists; undefined when none does. @throws CommandError when it is no list */
function firstOf(ctx: CommandContext, keys: readonly string[]): string | undefined {
  return keys.find((key) => ctx.list(key) !== undefined)
}

function blockingPop(atLeft: boolean) {
  return (ctx: CommandContext, words: readonly string[]): void => {
    const timeoutMs = parseBlockTimeout(words.at(-1)!)
    const keys = words.slice(1, -1)
    const key = firstOf(ctx, keys)
    if (key === undefined) waitForAny(ctx, { keys, words, awaits: 'list', timeoutMs })
    else ctx.out.words([key, take(ctx, key, ctx.list(key)!, 1, atLeft)[0]!])
  }
}

const ENDS = ['left', 'right'] as const

function takeMany(ctx: CommandContext, key: string, { atSecondEnd, count }: ManyPop): void {
  ctx.out.array(2)
  ctx.out.bulk(key)
  ctx.out.words(take(ctx, key, ctx.list(key)!, count, !atSecondEnd))
}

function lmpop(ctx: CommandContext, words: readonly string[]): void {
  const wanted = parseManyPop(words, 1, ENDS)
  const key = firstOf(ctx, wanted.keys)
  if (key === undefined) ctx.out.nilArray()
  else takeMany(ctx, key, wanted)
}

function blmpop(ctx: CommandContext, words: readonly string[]): void {
  const wanted = parseManyPop(words, 2, ENDS)
  const timeoutMs = parseBlockTimeout(words[1]!)
  const key = firstOf(ctx, wanted.keys)
  if (key === undefined) waitForAny(ctx, { keys: wanted.keys, words, awaits: 'list', timeoutMs })
  else takeMany(ctx, key, wanted)
}

const TWO_KEYS = { first: 1, last: 2, step: 1 }
const BLOCKING: CommandDef['flags'] = ['write', 'noscript', 'blocking']
const BLOCKING_MOVE: CommandDef['flags'] = ['write', 'denyoom', 'noscript', 'blocking']
const POP_COMPLEXITY = 'O(N) where N is the number of elements returned'
const MANY_COMPLEXITY =
  'O(N+M) where N is the number of provided keys and M is the number of elements returned.'

export const listPopCommands = defineCommands([
  {
    name: 'lpop',
    arity: -2,
    flags: ['write', 'fast'],
    keys: ONE_KEY,
    group: 'list',
    since: '1.0.0',
    summary:
      'Returns the first elements in a list after removing it. Deletes the list if the last element was popped.',
    syntax: 'key [count]',
    complexity: POP_COMPLEXITY,
    run: pop(true),
  },
  {
    name: 'rpop',
    arity: -2,
    flags: ['write', 'fast'],
    keys: ONE_KEY,
    group: 'list',
    since: '1.0.0',
    summary:
      'Returns and removes the last elements of a list. Deletes the list if the last element was popped.',
    syntax: 'key [count]',
    complexity: POP_COMPLEXITY,
    run: pop(false),
  },
  {
    name: 'lmove',
    arity: 5,
    flags: ['write', 'denyoom'],
    keys: TWO_KEYS,
    uses: ['RW', 'W'],
    group: 'list',
    since: '6.2.0',
    summary:
      'Returns an element after popping it from one list and pushing it to another. Deletes the list if the last element was moved.',
    syntax: 'source destination <LEFT|RIGHT> <LEFT|RIGHT>',
    complexity: 'O(1)',
    run: move(parseMove),
  },
  {
    name: 'rpoplpush',
    arity: 3,
    flags: ['write', 'denyoom'],
    keys: TWO_KEYS,
    uses: ['RW', 'W'],
    group: 'list',
    since: '1.2.0',
    summary:
      'Returns the last element of a list after removing and pushing it to another list. Deletes the list if the last element was popped.',
    syntax: 'source destination',
    complexity: 'O(1)',
    run: move(parsePopPush),
  },
  {
    name: 'lmpop',
    arity: -4,
    flags: ['write', 'movablekeys'],
    keys: NO_KEYS,
    keysOf: numberedKeys,
    group: 'list',
    since: '7.0.0',
    summary:
      'Returns multiple elements from a list after removing them. Deletes the list if the last element was popped.',
    syntax: 'numkeys key [key ...] <LEFT|RIGHT> [COUNT count]',
    complexity: MANY_COMPLEXITY,
    run: lmpop,
  },
  {
    name: 'blpop',
    arity: -3,
    flags: BLOCKING,
    keys: KEYS_AND_TIMEOUT,
    group: 'list',
    since: '2.0.0',
    summary:
      'Removes and returns the first element in a list. Blocks until an element is available otherwise. Deletes the list if the last element was popped.',
    syntax: 'key [key ...] timeout',
    complexity: 'O(N) where N is the number of provided keys.',
    run: blockingPop(true),
  },
  {
    name: 'brpop',
    arity: -3,
    flags: BLOCKING,
    keys: KEYS_AND_TIMEOUT,
    group: 'list',
    since: '2.0.0',
    summary:
      'Removes and returns the last element in a list. Blocks until an element is available otherwise. Deletes the list if the last element was popped.',
    syntax: 'key [key ...] timeout',
    complexity: 'O(N) where N is the number of provided keys.',
    run: blockingPop(false),
  },
  {
    name: 'blmove',
    arity: 6,
    flags: BLOCKING_MOVE,
    keys: TWO_KEYS,
    uses: ['RW', 'W'],
    group: 'list',
    since: '6.2.0',
    summary:
      'Pops an element from a list, pushes it to another list and returns it. Blocks until an element is available otherwise. Deletes the list if the last element was moved.',
    syntax: 'source destination <LEFT|RIGHT> <LEFT|RIGHT> timeout',
    complexity: 'O(1)',
    run: blockingMove(parseMove),
  },
  {
    name: 'brpoplpush',
    arity: 4,
    flags: BLOCKING_MOVE,
    keys: TWO_KEYS,
    uses: ['RW', 'W'],
    group: 'list',
    since: '2.2.0',
    summary:
      'Pops an element from a list, pushes it to another list and returns it. Block until an element is available otherwise. Deletes the list if the last element was popped.',
    syntax: 'source destination timeout',
    complexity: 'O(1)',
    run: blockingMove(parsePopPush),
  },
  {
    name: 'blmpop',
    arity: -5,
    flags: ['write', 'blocking', 'movablekeys'],
    keys: NO_KEYS,
    keysOf: (words) => numberedKeys(words, 2),
    group: 'list',
    since: '7.0.0',
    summary:
      'Pops the first element from one of multiple lists. Blocks until an element is available otherwise. Deletes the list if the last element was popped.',
    syntax: 'timeout numkeys key [key ...] <LEFT|RIGHT> [COUNT count]',
    complexity: MANY_COMPLEXITY,
    run: blmpop,
  },
])
