/**
 * geo.ts: GEOADD and what is asked about places that are known. A place is a score of a sorted set.
 */
import { errors } from '../errors.ts'
import { type CommandContext, defineCommands, ONE_KEY } from './command.ts'
import { distanceText, parsePlace, parseUnit, writePlace } from './geo-words.ts'
import { distanceM, geohashText, placeOf, scoreOf } from './geohash.ts'
import { addScores } from './zsets.ts'

function geoadd(ctx: CommandContext, words: readonly string[]): void {
  const rules = { nx: false, xx: false, gt: false, lt: false, ch: false }
  let first = 2
  for (; first < words.length; first++) {
    const option = words[first]!.toLowerCase()
    if (option !== 'nx' && option !== 'xx' && option !== 'ch') break
    rules[option] = true
  }
  const count = (words.length - first) / 3
  if (count === 0 || !Number.isInteger(count) || (rules.nx && rules.xx)) throw errors.syntax
  const scores: number[] = []
  const members: string[] = []
  for (let at = first; at < words.length; at += 3) {
    scores.push(scoreOf(parsePlace(words, at)))
    members.push(words[at + 2]!)
  }
  ctx.out.integer(addScores(ctx, words[1]!, { members, scores }, rules))
}

function geopos(ctx: CommandContext, words: readonly string[]): void {
  const zset = ctx.zset(words[1]!)
  ctx.out.array(words.length - 2)
  for (let i = 2; i < words.length; i++) {
    const score = zset?.get(words[i]!)
    if (score === undefined) ctx.out.nilArray()
    else writePlace(ctx.out, placeOf(score))
  }
}

function geohash(ctx: CommandContext, words: readonly string[]): void {
  const zset = ctx.zset(words[1]!)
  ctx.out.array(words.length - 2)
  for (let i = 2; i < words.length; i++) {
    const score = zset?.get(words[i]!)
    ctx.out.bulkOrNil(score === undefined ? undefined : geohashText(placeOf(score)))
  }
}

function geodist(ctx: CommandContext, words: readonly string[]): void {
  if (words.length > 5) throw errors.syntax
  const unitM = words.length === 4 ? 1 : parseUnit(words[4]!)
  const zset = ctx.zset(words[1]!)
  const a = zset?.get(words[2]!)
  const b = zset?.get(words[3]!)
  if (a === undefined || b === undefined) ctx.out.nil()
  else ctx.out.bulk(distanceText(distanceM(placeOf(a), placeOf(b)) / unitM))
}

export const geoCommands = defineCommands([
  {
    name: 'geoadd',
    arity: -5,
    flags: ['write', 'denyoom'],
    keys: ONE_KEY,
    uses: ['W'],
    group: 'geo',
    since: '3.2.0',
    summary: "Adds one or more members to a geospatial index. The key is created if it doesn't exist.",
    syntax: 'key [NX|XX] [CH] longitude latitude member [longitude latitude member ...]',
    complexity: 'O(log(N)) for each item added, where N is the number of elements in the sorted set.',
    run: geoadd,
  },
  {
    name: 'geopos',
    arity: -2,
    flags: ['readonly'],
    keys: ONE_KEY,
    group: 'geo',
    since: '3.2.0',
    summary: 'Returns the longitude and latitude of members from a geospatial index.',
    syntax: 'key [member ...]',
    complexity: 'O(N) where N is the number of members requested.',
    run: geopos,
  },
  {
    name: 'geodist',
    arity: -4,
    flags: ['readonly'],
    keys: ONE_KEY,
    group: 'geo',
    since: '3.2.0',
    summary: 'Returns the distance between two members of a geospatial index.',
    syntax: 'key member1 member2 [M|KM|FT|MI]',
    complexity: 'O(log(N))',
    run: geodist,
  },
  {
    name: 'geohash',
    arity: -2,
    flags: ['readonly'],
    keys: ONE_KEY,
    group: 'geo',
    since: '3.2.0',
    summary: 'Returns members from a geospatial index as geohash strings.',
    syntax: 'key [member ...]',
    complexity: 'O(log(N)) for each member requested, where N is the number of elements in the sorted set.',
    run: geohash,
  },
])
