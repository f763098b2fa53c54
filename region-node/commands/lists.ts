/**
 * lists.ts: LPUSH, LRANGE, LINSERT, LTRIM and all others that do not take elements out at an end.
 *
 * Elements are found by index here and removed by name, so what another region pushes meanwhile neither moves nor
 * goes. Indexes past 2^53 only have to be far away.
 */
import type { ListState } from '../../crdt/list-fugue.ts'
import { RangeGatherer } from '../../crdt/list-names.ts'
import { type CommandError, errors } from '../errors.ts'
import { type CommandContext, type CommandDef, defineCommands, ONE_KEY } from './command.ts'
import { parseCount } from './parse.ts'

function push(toLeft: boolean, mustExist: boolean) {
  return (ctx: CommandContext, words: readonly string[]): void => {
    const key = words[1]!
    const list = ctx.list(key)
    if (list === undefined && mustExist) {
      ctx.out.integer(0)
      return
    }
    const length = (list?.size ?? 0) + words.length - 2
    ctx.write.list.push(key, words.slice(2), toLeft)
    ctx.out.integer(length)
  }
}

function llen(ctx: CommandContext, words: readonly string[]): void {
  ctx.out.integer(ctx.list(words[1]!)?.size ?? 0)
}

/** The place an index means, counted from the end when it is negative; undefined when there is nothing. */
function placeOf(index: number, { size }: ListState): number | undefined {
  const place = index < 0 ? size + index : index
  return place >= 0 && place < size ? place : undefined
}

function lindex(ctx: CommandContext, words: readonly string[]): void {
  const list = ctx.list(words[1]!)
  if (list === undefined) {
    ctx.out.nil()
    return
  }
  const place = placeOf(parseCount(words[2]!), list)
  ctx.out.bulkOrNil(place === undefined ? undefined : list.at(place))
}

function lset(ctx: CommandContext, words: readonly string[]): void {
  const list = ctx.list(words[1]!)
  if (list === undefined) throw errors.noSuchKey
  const place = placeOf(parseCount(words[2]!), list)
  if (place === undefined) throw errors.indexOutOfRange
  ctx.write.list.set(words[1]!, place, words[3]!)
  ctx.out.ok()
}

/** What a start and a stop include of a list: `from` to `to`, `to` not included. */
function rangeOf(
  start: number,
  stop: number,
  { size }: ListState,
): { readonly from: number; readonly to: number } {
  const from = Math.max(0, start < 0 ? size + start : start)
  const last = Math.min(size - 1, stop < 0 ? size + stop : stop)
  return from > last ? { from: 0, to: 0 } : { from, to: last + 1 }
}

function lrange(ctx: CommandContext, words: readonly string[]): void {
  const start = parseCount(words[2]!)
  const stop = parseCount(words[3]!)
  const list = ctx.list(words[1]!)
  if (list === undefined) {
    ctx.out.array(0)
    return
  }
  const { from, to } = rangeOf(start, stop, list)
  ctx.out.array(to - from)
  if (to === from) return
  let left = to - from
  list.walk(from, 1, (value) => {
    ctx.out.bulk(value)
    return --left > 0
  })
}

function ltrim(ctx: CommandContext, words: readonly string[]): void {
  const start = parseCount(words[2]!)
  const stop = parseCount(words[3]!)
  const list = ctx.list(words[1]!)
  if (list !== undefined) {
    const { from, to } = rangeOf(start, stop, list)
    const ranges = [...list.rangesAt(0, from), ...list.rangesAt(to, list.size - to)]
    if (ranges.length > 0) ctx.write.list.removeRanges(words[1]!, ranges)
  }
  ctx.out.ok()
}

function linsert(ctx: CommandContext, words: readonly string[]): void {
  const where = words[2]!.toLowerCase()
  if (where !== 'before' && where !== 'after') throw errors.syntax
  const list = ctx.list(words[1]!)
  if (list === undefined) {
    ctx.out.integer(0)
    return
  }
  const pivot = positions(list, words[3]!, 1, 1, 0)[0]
  if (pivot === undefined) {
    ctx.out.integer(-1)
    return
  }
  const length = list.size + 1
  ctx.write.list.insertBefore(words[1]!, where === 'before' ? pivot : pivot + 1, [words[4]!], false)
  ctx.out.integer(length)
}

function lrem(ctx: CommandContext, words: readonly string[]): void {
  const count = parseCount(words[2]!)
  const list = ctx.list(words[1]!)
  if (list === undefined) {
    ctx.out.integer(0)
    return
  }
  const ranges = new RangeGatherer()
  let left = count === 0 ? list.size : Math.abs(count)
  let removed = 0
  list.walk(count < 0 ? list.size - 1 : 0, count < 0 ? -1 : 1, (value, chunk, slot) => {
    if (value !== words[3]) return true
    ranges.add(list.nameIn(chunk, slot))
    removed++
    return --left > 0
  })
  if (removed > 0) ctx.write.list.removeRanges(words[1]!, ranges.list)
  ctx.out.integer(removed)
}

/**
 * Places of an element.
 * @param rank  from which match on, 1 being the first one; negative: counted from the end, and looked for backwards
 * @param count  how many, at most
 * @param lengthMax  how many elements are compared, at most; 0: all
 */
function positions(
  list: ListState,
  element: string,
  rank: number,
  count: number,
  lengthMax: number,
): number[] {
  const step = rank < 0 ? -1 : 1
  const found: number[] = []
  let skip = Math.abs(rank) - 1
  let at = rank < 0 ? list.size - 1 : 0
  let left = lengthMax === 0 ? list.size : lengthMax
  list.walk(at, step, (value) => {
    if (value === element && skip-- <= 0) found.push(at)
    at += step
    return --left > 0 && found.length < count
  })
  return found
}

/** A number that is not negative. @throws CommandError */
function parseLposCount(word: string, otherwise: CommandError): number {
  const value = parseCount(word, otherwise)
  if (value < 0) throw otherwise
  return value
}

function lpos(ctx: CommandContext, words: readonly string[]): void {
  let rank = 1
  let count: number | undefined
  let lengthMax = 0
  for (let at = 3; at < words.length; at += 2) {
    const option = words[at]!.toLowerCase()
    const value = words[at + 1]
    if (value === undefined) throw errors.syntax
    if (option === 'rank') {
      rank = parseCount(value)
      if (rank === 0) throw errors.rankZero
    } else if (option === 'count') {
      count = parseLposCount(value, errors.negativeCount)
    } else if (option === 'maxlen') {
      lengthMax = parseLposCount(value, errors.negativeMaxLength)
    } else {
      throw errors.syntax
    }
  }
  const list = ctx.list(words[1]!)
  const most = count === 0 ? Number.POSITIVE_INFINITY : (count ?? 1)
  const found = list === undefined ? [] : positions(list, words[2]!, rank, most, lengthMax)
  if (count !== undefined) {
    ctx.out.array(found.length)
    for (const place of found) ctx.out.integer(place)
  } else if (found.length > 0) {
    ctx.out.integer(found[0]!)
  } else {
    ctx.out.nil()
  }
}

const PUSH: CommandDef['flags'] = ['write', 'denyoom', 'fast']
const PUSH_COMPLEXITY =
  'O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments.'
const ON_LIST = { keys: ONE_KEY, group: 'list' } as const

export const listCommands = defineCommands([
  {
    ...ON_LIST,
    name: 'lpush',
    arity: -3,
    uses: ['W'],
    flags: PUSH,
    since: '1.0.0',
    summary: "Prepends one or more elements to a list. Creates the key if it doesn't exist.",
    syntax: 'key element [element ...]',
    complexity: PUSH_COMPLEXITY,
    run: push(true, false),
  },
  {
    ...ON_LIST,
    name: 'rpush',
    arity: -3,
    uses: ['W'],
    flags: PUSH,
    since: '1.0.0',
    summary: "Appends one or more elements to a list. Creates the key if it doesn't exist.",
    syntax: 'key element [element ...]',
    complexity: PUSH_COMPLEXITY,
    run: push(false, false),
  },
  {
    ...ON_LIST,
    name: 'lpushx',
    arity: -3,
    uses: ['W'],
    flags: PUSH,
    since: '2.2.0',
    summary: 'Prepends one or more elements to a list only when the list exists.',
    syntax: 'key element [element ...]',
    complexity: PUSH_COMPLEXITY,
    run: push(true, true),
  },
  {
    ...ON_LIST,
    name: 'rpushx',
    arity: -3,
    uses: ['W'],
    flags: PUSH,
    since: '2.2.0',
    summary: 'Appends an element to a list only when the list exists.',
    syntax: 'key element [element ...]',
    complexity: PUSH_COMPLEXITY,
    run: push(false, true),
  },
  {
    ...ON_LIST,
    name: 'llen',
    arity: 2,
    uses: [''],
    flags: ['readonly', 'fast'],
    since: '1.0.0',
    summary: 'Returns the length of a list.',
    syntax: 'key',
    complexity: 'O(1)',
    run: llen,
  },
  {
    ...ON_LIST,
    name: 'lrange',
    arity: 4,
    flags: ['readonly'],
    since: '1.0.0',
    summary: 'Returns a range of elements from a list.',
    syntax: 'key start stop',
    complexity: 'O(log(L)+N) where L is the length of the list and N the number of elements in the range.',
    run: lrange,
  },
  {
    ...ON_LIST,
    name: 'lindex',
    arity: 3,
    flags: ['readonly'],
    since: '1.0.0',
    summary: 'Returns an element from a list by its index.',
    syntax: 'key index',
    complexity: 'O(log(N)) where N is the length of the list.',
    run: lindex,
  },
  {
    ...ON_LIST,
    name: 'lset',
    arity: 4,
    uses: ['W'],
    flags: ['write', 'denyoom'],
    since: '1.0.0',
    summary: 'Sets the value of an element in a list by its index.',
    syntax: 'key index element',
    complexity: 'O(log(N)) where N is the length of the list.',
    run: lset,
  },
  {
    ...ON_LIST,
    name: 'linsert',
    arity: 5,
    uses: ['W'],
    flags: ['write', 'denyoom'],
    since: '2.2.0',
    summary: 'Inserts an element before or after another element in a list.',
    syntax: 'key <BEFORE|AFTER> pivot element',
    complexity: 'O(N) where N is the number of elements to traverse before seeing the value pivot.',
    run: linsert,
  },
  {
    ...ON_LIST,
    name: 'lrem',
    arity: 4,
    uses: ['W'],
    flags: ['write'],
    since: '1.0.0',
    summary: 'Removes elements from a list. Deletes the list if the last element was removed.',
    syntax: 'key count element',
    complexity: 'O(N+M) where N is the length of the list and M is the number of elements removed.',
    run: lrem,
  },
  {
    ...ON_LIST,
    name: 'ltrim',
    arity: 4,
    uses: ['W'],
    flags: ['write'],
    since: '1.0.0',
    summary: 'Removes elements from both ends a list. Deletes the list if all elements were trimmed.',
    syntax: 'key start stop',
    complexity: 'O(N) where N is the number of elements to be removed by the operation.',
    run: ltrim,
  },
  {
    ...ON_LIST,
    name: 'lpos',
    arity: -3,
    flags: ['readonly'],
    since: '6.0.6',
    summary: 'Returns the index of matching elements in a list.',
    syntax: 'key element [RANK rank] [COUNT num-matches] [MAXLEN len]',
    complexity: 'O(N) where N is the number of elements that are compared.',
    run: lpos,
  },
])
