/**
 * sort.ts: SORT and SORT_RO, of sets and sorted sets in this version.
 *
 * Elements are compared as numbers or as bytes; equal numbers fall back to the bytes of the elements, so
 * the reply is the same in every region. With a constant BY nothing is sorted, and a set comes in whatever
 * order it is stored, a sorted set in its own. GET and BY read other keys as they are now, one moment for all of them.
 */
import { cellText, ManyCell } from '../../crdt/cell.ts'
import { HashState } from '../../crdt/hash-aw.ts'
import { HllState } from '../../crdt/hll.ts'
import { ListState } from '../../crdt/list-fugue.ts'
import { Register } from '../../crdt/register.ts'
import { SetState } from '../../crdt/set-aw.ts'
import { ZsetState } from '../../crdt/zset-aw.ts'
import { errors } from '../errors.ts'
import { type CommandContext, type CommandDef, defineCommands, ONE_KEY } from './command.ts'
import { parseCount } from './parse.ts'

interface Options {
  readonly isDescending: boolean
  readonly isAlphabetic: boolean
  readonly offset: number
  /** Negative: all. */
  readonly count: number
  readonly by: Pattern | undefined
  readonly gets: readonly Pattern[]
  readonly storeKey: string | undefined
}

/** A pattern of BY or GET, taken apart. */
interface Pattern {
  /** `#`: the element itself. */
  readonly isElement: boolean
  /** What stands before and behind the star in the key's name; undefined without a star. */
  readonly key: readonly [before: string, behind: string] | undefined
  readonly field: string | undefined
}

function parsePattern(word: string): Pattern {
  const star = word.indexOf('*')
  if (star < 0) return { isElement: word === '#', key: undefined, field: undefined }
  const arrow = word.indexOf('->', star + 1)
  // An arrow with nothing behind it belongs to the name.
  const hasField = arrow >= 0 && arrow + 2 < word.length
  const behind = word.slice(star + 1, hasField ? arrow : undefined)
  return {
    isElement: false,
    key: [word.slice(0, star), behind],
    field: hasField ? word.slice(arrow + 2) : undefined,
  }
}

/** @throws CommandError */
function parseOptions(words: readonly string[], mayStore: boolean): Options {
  let isDescending = false
  let isAlphabetic = false
  let offset = 0
  let count = -1
  let by: Pattern | undefined
  let storeKey: string | undefined
  const gets: Pattern[] = []
  for (let at = 2; at < words.length; at++) {
    const option = words[at]!.toLowerCase()
    const left = words.length - at - 1
    if (option === 'asc' || option === 'desc') {
      isDescending = option === 'desc'
    } else if (option === 'alpha') {
      isAlphabetic = true
    } else if (option === 'limit' && left >= 2) {
      offset = parseCount(words[++at]!)
      count = parseCount(words[++at]!)
    } else if (option === 'store' && mayStore && left >= 1) {
      storeKey = words[++at]!
    } else if (option === 'by' && left >= 1) {
      by = parsePattern(words[++at]!)
    } else if (option === 'get' && left >= 1) {
      gets.push(parsePattern(words[++at]!))
    } else {
      throw errors.syntax
    }
  }
  return { isDescending, isAlphabetic, offset, count, by, gets, storeKey }
}

/** @throws CommandError WRONGTYPE */
function elementsOf(ctx: CommandContext, key: string, options: Options): string[] {
  const state = ctx.state(key)
  if (state === undefined) return []
  if (state instanceof ListState) return state.slice(0, state.size)
  if (state instanceof ZsetState) {
    const { members } = state.order.slice(0, state.size)
    return options.isDescending && isUnsorted(options) ? members.reverse() : members
  }
  if (!(state instanceof SetState)) throw errors.wrongType
  return [...state.members.keys()]
}

/** What a pattern means for an element; undefined when there is no such value. */
function lookUp(
  ctx: CommandContext,
  { isElement, key, field }: Pattern,
  element: string,
): string | undefined {
  if (isElement) return element
  if (key === undefined) return undefined
  const state = ctx.state(key[0] + element + key[1])
  if (field === undefined) {
    if (state instanceof HllState) return state.text()
    return state instanceof Register || state instanceof ManyCell ? cellText(state) : undefined
  }
  const cell = state instanceof HashState ? state.fields.get(field) : undefined
  return cell === undefined ? undefined : cellText(cell)
}

interface Weighed {
  readonly element: string
  readonly weight: number
  /** What ALPHA compares; undefined when BY finds nothing. */
  readonly text: string | undefined
}

/** @throws CommandError when a weight is no number */
function weigh(ctx: CommandContext, element: string, { by, isAlphabetic }: Options): Weighed {
  const text = by === undefined ? element : lookUp(ctx, by, element)
  return { element, text, weight: isAlphabetic || text === undefined ? 0 : parseWeight(text) }
}

const DECIMAL = /^[ \t\n\v\f\r]*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i
const INFINITE = /^[ \t\n\v\f\r]*([+-]?)inf(inity)?$/i
/** Below it C's strtod reports that the number has lost digits. */
const SMALLEST_NORMAL = 2 ** -1022

/** As C reads a number, up to a byte 0 if there is one; the empty text is 0. @throws CommandError */
function parseWeight(word: string): number {
  const end = word.indexOf('\0')
  const text = end < 0 ? word : word.slice(0, end)
  if (text === '') return 0
  const infinite = INFINITE.exec(text)
  if (infinite !== null) return infinite[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  const weight = DECIMAL.test(text) ? Number(text) : Number.NaN
  const isTiny = Math.abs(weight) < SMALLEST_NORMAL && /[1-9]/.test(text.replace(/e.*/i, ''))
  if (!Number.isFinite(weight) || isTiny) throw errors.sortScores
  return weight
}

function compareBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function compareNumbers(a: Weighed, b: Weighed): number {
  return a.weight < b.weight ? -1 : a.weight > b.weight ? 1 : compareBytes(a.element, b.element)
}

/** Redis leaves the order of equal texts open; here the elements decide, for the sake of other regions. */
function compareTexts(a: Weighed, b: Weighed): number {
  if (a.text === b.text) return compareBytes(a.element, b.element)
  if (a.text === undefined) return -1
  return b.text === undefined ? 1 : compareBytes(a.text, b.text)
}

/** BY a constant. */
function isUnsorted({ by }: Options): boolean {
  return by !== undefined && by.key === undefined
}

function sorted(ctx: CommandContext, elements: string[], options: Options): string[] {
  if (isUnsorted(options)) return elements
  const compare = options.isAlphabetic ? compareTexts : compareNumbers
  const weighed = elements.map((element) => weigh(ctx, element, options)).sort(compare)
  if (options.isDescending) weighed.reverse()
  return weighed.map(({ element }) => element)
}

/** @throws CommandError when a pattern may name keys of another node */
function checkPatterns({ services }: CommandContext, { by, gets }: Options): void {
  if (services.topology === undefined || services.topology.partitions === 1) return
  if (by?.key !== undefined) throw errors.sortInCluster('BY')
  if (gets.some(({ key }) => key !== undefined)) throw errors.sortInCluster('GET')
}

function sort(ctx: CommandContext, words: readonly string[], mayStore: boolean): void {
  const options = parseOptions(words, mayStore)
  checkPatterns(ctx, options)
  const elements = elementsOf(ctx, words[1]!, options)
  const first = Math.max(0, options.offset)
  const shown = sorted(ctx, elements, options).slice(
    first,
    options.count < 0 ? undefined : first + options.count,
  )
  const { gets, storeKey } = options
  if (storeKey !== undefined) {
    store(ctx, storeKey, shown, gets)
    return
  }
  ctx.out.array(shown.length * Math.max(1, gets.length))
  for (const element of shown) {
    if (gets.length === 0) ctx.out.bulk(element)
    for (const pattern of gets) ctx.out.bulkOrNil(lookUp(ctx, pattern, element))
  }
}

/** A list of what would be replied takes the place of the key; what GET does not find is empty. */
function store(ctx: CommandContext, key: string, shown: readonly string[], gets: readonly Pattern[]): void {
  const values: string[] = []
  for (const element of shown) {
    if (gets.length === 0) values.push(element)
    for (const pattern of gets) values.push(lookUp(ctx, pattern, element) ?? '')
  }
  ctx.write.clear(key)
  if (values.length > 0) ctx.write.list.push(key, values, false)
  ctx.out.integer(values.length)
}

/** How many words stand behind an option and belong to it. */
const OPTION_WORDS: Readonly<Record<string, number>> = { limit: 2, get: 1, by: 1, store: 1 }

/** The key to sort and the last one to store in; those that patterns make are known only when it runs. */
function sortKeys(words: readonly string[]): string[] {
  let stored: string | undefined
  for (let at = 2; at < words.length; at++) {
    const option = words[at]!.toLowerCase()
    if (option === 'store' && at + 1 < words.length) stored = words[at + 1]!
    at += Object.hasOwn(OPTION_WORDS, option) ? OPTION_WORDS[option]! : 0
  }
  return stored === undefined ? [words[1]!] : [words[1]!, stored]
}

const COMPLEXITY =
  'O(N+M*log(M)) where N is the number of elements in the list or set to sort, and M the number of returned elements. When the elements are not sorted, complexity is O(N).'

export const sortCommands: readonly CommandDef[] = defineCommands([
  {
    name: 'sort',
    arity: -2,
    categories: ['set', 'sortedset', 'list', 'dangerous'],
    flags: ['write', 'denyoom', 'movablekeys'],
    keys: ONE_KEY,
    uses: ['R', 'R', 'W'],
    keysOf: sortKeys,
    group: 'generic',
    since: '1.0.0',
    summary: 'Sorts the elements in a list, a set, or a sorted set, optionally storing the result.',
    syntax: 'key [BY pattern] [LIMIT offset count] [GET pattern ...] [ASC|DESC] [ALPHA] [STORE destination]',
    complexity: COMPLEXITY,
    run: (ctx, words) => sort(ctx, words, true),
  },
  {
    name: 'sort_ro',
    arity: -2,
    categories: ['set', 'sortedset', 'list', 'dangerous'],
    flags: ['readonly', 'movablekeys'],
    keys: ONE_KEY,
    group: 'generic',
    since: '7.0.0',
    summary: 'Returns the sorted elements of a list, a set, or a sorted set.',
    syntax: 'key [BY pattern] [LIMIT offset count] [GET pattern ...] [ASC|DESC] [ALPHA]',
    complexity: COMPLEXITY,
    run: (ctx, words) => sort(ctx, words, false),
  },
])
