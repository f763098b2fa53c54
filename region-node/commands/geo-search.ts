/**
 * geo-search.ts: GEOSEARCH, GEOSEARCHSTORE and the older GEORADIUS family.
 *
 * A shape is covered by cells of the grid, each of which is a range of scores; of what lies in them the places
 * inside the shape are kept. All commands share one parser, as in Redis, so that they complain in its order.
 */
import type { ZsetState } from '../../crdt/zset-aw.ts'
import { errors } from '../errors.ts'
import { type CommandContext, defineCommands, ONE_KEY } from './command.ts'
import { parseDouble } from './floats.ts'
import { distanceText, parsePlace, parseUnit, writePlace } from './geo-words.ts'
import { cellsAround, distanceWithin, type Place, placeOf, type Shape, scoresIn } from './geohash.ts'
import { parseCount } from './parse.ts'
import { scoresBetween } from './zset-bounds.ts'

/** How a command says what it searches. */
interface Form {
  /** `place`: GEORADIUS. `member`: GEORADIUSBYMEMBER. `options`: GEOSEARCH. */
  readonly from: 'place' | 'member' | 'options'
  /** `option`: STORE and STOREDIST are options. `first`: the first key is the destination. */
  readonly store: 'never' | 'option' | 'first'
}

/** A circle or a box without its middle. */
type Reach =
  | { readonly kind: 'circle'; readonly radiusM: number }
  | { readonly kind: 'box'; readonly widthM: number; readonly heightM: number }

interface Search {
  /** Undefined: a member of a key that does not exist. */
  center: Place | undefined
  /** FROMMEMBER or FROMLONLAT was said. */
  from: 'member' | 'place' | undefined
  reach: Reach | undefined
  unitM: number
  order: 'asc' | 'desc' | undefined
  /** 0: all. */
  count: number
  /** Whatever is found first will do. */
  any: boolean
  withDistance: boolean
  withHash: boolean
  withPlace: boolean
  storeKey: string | undefined
  storesDistance: boolean
}

/** What a search has found. */
interface Hit {
  readonly member: string
  readonly score: number
  readonly place: Place
  readonly distanceM: number
}

/** @throws CommandError */
function placeOfMember(zset: ZsetState, member: string): Place {
  const score = zset.get(member)
  if (score === undefined) throw errors.geoMember
  return placeOf(score)
}

/** @param at  where the radius stands; its unit follows  @throws CommandError */
function parseCircle(search: Search, words: readonly string[], at: number): void {
  const radius = parseDouble(words[at]!, errors.geoRadius)
  if (radius < 0) throw errors.geoNegativeRadius
  search.unitM = parseUnit(words[at + 1]!)
  search.reach = { kind: 'circle', radiusM: radius * search.unitM }
}

/** @param at  where the width stands; height and unit follow  @throws CommandError */
function parseBox(search: Search, words: readonly string[], at: number): void {
  const width = parseDouble(words[at]!, errors.geoWidth)
  const height = parseDouble(words[at + 1]!, errors.geoHeight)
  if (width < 0 || height < 0) throw errors.geoNegativeBox
  search.unitM = parseUnit(words[at + 2]!)
  search.reach = { kind: 'box', widthM: width * search.unitM, heightM: height * search.unitM }
}

/** @throws CommandError */
function parseSearch(words: readonly string[], form: Form, zset: ZsetState | undefined): Search {
  const search: Search = {
    center: undefined,
    from: undefined,
    reach: undefined,
    unitM: 1,
    order: undefined,
    count: 0,
    any: false,
    withDistance: false,
    withHash: false,
    withPlace: false,
    storeKey: form.store === 'first' ? words[1]! : undefined,
    storesDistance: false,
  }
  let at = form.store === 'first' ? 3 : 2
  if (form.from === 'place') {
    search.center = parsePlace(words, 2)
    parseCircle(search, words, 4)
    at = 6
  } else if (form.from === 'member') {
    if (zset !== undefined) {
      search.center = placeOfMember(zset, words[2]!)
      parseCircle(search, words, 3)
    }
    at = 5
  }
  while (at < words.length) at = parseOption(search, words, at, form, zset)
  check(search, words[0]!, form)
  return search
}

/** @returns where the next option stands  @throws CommandError */
function parseOption(
  search: Search,
  words: readonly string[],
  at: number,
  form: Form,
  zset: ZsetState | undefined,
): number {
  const option = words[at]!.toLowerCase()
  const left = words.length - at - 1
  const isOpen = form.from === 'options'
  if (option === 'withdist') search.withDistance = true
  else if (option === 'withhash') search.withHash = true
  else if (option === 'withcoord') search.withPlace = true
  else if (option === 'any') search.any = true
  else if (option === 'asc' || option === 'desc') search.order = option
  else if (option === 'storedist' && form.store === 'first') search.storesDistance = true
  else if (option === 'count' && left >= 1) {
    search.count = parseCount(words[at + 1]!)
    if (search.count <= 0) throw errors.geoCount
    return at + 2
  } else if ((option === 'store' || option === 'storedist') && left >= 1 && form.store === 'option') {
    search.storeKey = words[at + 1]!
    search.storesDistance = option === 'storedist'
    return at + 2
  } else if (option === 'frommember' && left >= 1 && isOpen && search.from !== 'place') {
    search.from = 'member'
    if (zset !== undefined) search.center = placeOfMember(zset, words[at + 1]!)
    return at + 2
  } else if (option === 'fromlonlat' && left >= 2 && isOpen && search.from !== 'member') {
    search.from = 'place'
    search.center = parsePlace(words, at + 1)
    return at + 3
  } else if (option === 'byradius' && left >= 2 && isOpen && search.reach?.kind !== 'box') {
    parseCircle(search, words, at + 1)
    return at + 3
  } else if (option === 'bybox' && left >= 3 && isOpen && search.reach?.kind !== 'circle') {
    parseBox(search, words, at + 1)
    return at + 4
  } else {
    throw errors.syntax
  }
  return at + 1
}

/** @param name  as the client wrote it  @throws CommandError */
function check(search: Search, name: string, form: Form): void {
  const { storeKey, withDistance, withHash, withPlace } = search
  if (storeKey !== undefined && (withDistance || withHash || withPlace))
    throw errors.geoStoreWith(form.store === 'first' ? 'GEOSEARCHSTORE' : 'STORE option in GEORADIUS')
  if (form.from === 'options' && search.from === undefined) throw errors.geoFrom(name)
  if (form.from === 'options' && search.reach === undefined) throw errors.geoBy(name)
  if (search.any && search.count === 0) throw errors.geoAny
}

/** @param limit  stop at this many; 0: never */
function hitsWithin(zset: ZsetState, shape: Shape, limit: number): Hit[] {
  const hits: Hit[] = []
  for (const cell of cellsAround(shape)) {
    const [first, end] = scoresIn(cell)
    const { from, to } = scoresBetween(zset, first, end)
    const { members, scores } = zset.order.slice(from, to - from)
    for (let i = 0; i < members.length; i++) {
      const place = placeOf(scores[i]!)
      const distanceM = distanceWithin(shape, place)
      if (distanceM === undefined) continue
      hits.push({ member: members[i]!, score: scores[i]!, place, distanceM })
      if (hits.length === limit) return hits
    }
  }
  return hits
}

function find(zset: ZsetState, center: Place, reach: Reach, { any, count, order }: Search): Hit[] {
  const hits = hitsWithin(zset, { ...reach, center }, any ? count : 0)
  // The nearest ones, if only some are wanted and not any.
  const isSorted = order !== undefined || (count > 0 && !any)
  if (isSorted)
    hits.sort((a, b) => (order === 'desc' ? b.distanceM - a.distanceM : a.distanceM - b.distanceM))
  return count === 0 ? hits : hits.slice(0, count)
}

function search(form: Form) {
  return (ctx: CommandContext, words: readonly string[]): void => {
    const zset = ctx.zset(words[form.store === 'first' ? 2 : 1]!)
    const wanted = parseSearch(words, form, zset)
    const { center, reach, storeKey } = wanted
    const isPossible = zset !== undefined && center !== undefined && reach !== undefined
    const hits = isPossible ? find(zset, center, reach, wanted) : []
    if (storeKey === undefined) writeHits(ctx, hits, wanted)
    else store(ctx, storeKey, hits, wanted)
  }
}

function writeHits({ out }: CommandContext, hits: readonly Hit[], wanted: Search): void {
  const { unitM, withDistance, withHash, withPlace } = wanted
  const extras = Number(withDistance) + Number(withHash) + Number(withPlace)
  out.array(hits.length)
  for (const { member, score, place, distanceM } of hits) {
    if (extras > 0) out.array(1 + extras)
    out.bulk(member)
    if (withDistance) out.bulk(distanceText(distanceM / unitM))
    if (withHash) out.integer(wholeOf(score))
    if (withPlace) writePlace(out, place)
  }
}

const INT64_EDGE = 2 ** 63

/** A score that is no place is cut to the 64-bit integer that C makes of it. */
function wholeOf(score: number): number | bigint {
  const whole = Math.trunc(score) + 0
  if (Number.isSafeInteger(whole)) return whole
  return Math.abs(whole) < INT64_EDGE ? BigInt(whole) : -(2n ** 63n)
}

function store(
  ctx: CommandContext,
  key: string,
  hits: readonly Hit[],
  { storesDistance, unitM }: Search,
): void {
  ctx.write.clear(key)
  if (hits.length > 0) {
    const scores = hits.map(({ score, distanceM }) => (storesDistance ? distanceM / unitM : score))
    ctx.write.zset.add(
      key,
      hits.map(({ member }) => member),
      scores,
    )
  }
  ctx.out.integer(hits.length)
}

const TWO_KEYS = { first: 1, last: 2, step: 1 }

/** @param first  where options may begin */
function keysWithStore(first: number) {
  return (words: readonly string[]): string[] => {
    let stored: string | undefined
    for (let at = first; at + 1 < words.length; at++) {
      const option = words[at]!.toLowerCase()
      if (option === 'store' || option === 'storedist') stored = words[++at]!
    }
    return stored === undefined ? [words[1]!] : [words[1]!, stored]
  }
}

export const geoSearchCommands = defineCommands([
  {
    name: 'geosearch',
    arity: -7,
    flags: ['readonly'],
    keys: ONE_KEY,
    group: 'geo',
    since: '6.2.0',
    summary: 'Queries a geospatial index for members inside an area of a box or a circle.',
    syntax:
      'key <FROMMEMBER member|FROMLONLAT longitude latitude> <BYRADIUS radius <M|KM|FT|MI>|BYBOX width height <M|KM|FT|MI>> [ASC|DESC] [COUNT count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]',
    complexity:
      'O(N+log(M)) where N is the number of elements in the grid-aligned bounding box area around the shape provided as the filter and M is the number of items inside the shape',
    run: search({ from: 'options', store: 'never' }),
  },
  {
    name: 'geosearchstore',
    arity: -8,
    flags: ['write', 'denyoom'],
    keys: TWO_KEYS,
    uses: ['W', 'R'],
    group: 'geo',
    since: '6.2.0',
    summary:
      'Queries a geospatial index for members inside an area of a box or a circle, optionally stores the result.',
    syntax:
      'destination source <FROMMEMBER member|FROMLONLAT longitude latitude> <BYRADIUS radius <M|KM|FT|MI>|BYBOX width height <M|KM|FT|MI>> [ASC|DESC] [COUNT count [ANY]] [STOREDIST]',
    complexity:
      'O(N+log(M)) where N is the number of elements in the grid-aligned bounding box area around the shape provided as the filter and M is the number of items inside the shape',
    run: search({ from: 'options', store: 'first' }),
  },
  {
    name: 'georadius',
    arity: -6,
    flags: ['write', 'denyoom', 'movablekeys'],
    keys: ONE_KEY,
    uses: ['R', 'W'],
    keysOf: keysWithStore(6),
    group: 'geo',
    since: '3.2.0',
    summary:
      'Queries a geospatial index for members within a distance from a coordinate, optionally stores the result.',
    syntax:
      'key longitude latitude radius <M|KM|FT|MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC|DESC] [STORE key] [STOREDIST key]',
    complexity:
      'O(N+log(M)) where N is the number of elements inside the bounding box of the circular area delimited by center and radius and M is the number of items inside the index.',
    run: search({ from: 'place', store: 'option' }),
  },
  {
    name: 'georadius_ro',
    arity: -6,
    flags: ['readonly'],
    keys: ONE_KEY,
    group: 'geo',
    since: '3.2.10',
    summary: 'Returns members from a geospatial index that are within a distance from a coordinate.',
    syntax:
      'key longitude latitude radius <M|KM|FT|MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC|DESC]',
    complexity:
      'O(N+log(M)) where N is the number of elements inside the bounding box of the circular area delimited by center and radius and M is the number of items inside the index.',
    run: search({ from: 'place', store: 'never' }),
  },
  {
    name: 'georadiusbymember',
    arity: -5,
    flags: ['write', 'denyoom', 'movablekeys'],
    keys: ONE_KEY,
    uses: ['R', 'W'],
    keysOf: keysWithStore(5),
    group: 'geo',
    since: '3.2.0',
    summary:
      'Queries a geospatial index for members within a distance from a member, optionally stores the result.',
    syntax:
      'key member radius <M|KM|FT|MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC|DESC] [STORE key] [STOREDIST key]',
    complexity:
      'O(N+log(M)) where N is the number of elements inside the bounding box of the circular area delimited by center and radius and M is the number of items inside the index.',
    run: search({ from: 'member', store: 'option' }),
  },
  {
    name: 'georadiusbymember_ro',
    arity: -5,
    flags: ['readonly'],
    keys: ONE_KEY,
    group: 'geo',
    since: '3.2.10',
    summary: 'Returns members from a geospatial index that are within a distance from a member.',
    syntax: 'key member radius <M|KM|FT|MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC|DESC]',
    complexity:
      'O(N+log(M)) where N is the number of elements inside the bounding box of the circular area delimited by center and radius and M is the number of items inside the index.',
    run: search({ from: 'member', store: 'never' }),
  },
])
