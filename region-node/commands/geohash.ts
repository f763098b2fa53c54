/**
 * geohash.ts: places on earth as 52-bit numbers, cells of a grid, and distances.
 *
 * Longitude and latitude are cut into 2^26 steps each and their bits interleaved, latitude in the lowest: near
 * places share their high bits, so a cell of the grid is a range of numbers, which is what makes a sorted set
 * an index of places. Pure arithmetic; degrees and meters everywhere.
 *
 * Source: Niemeyer's geohash, 2008, with the ranges and the haversine formula of Redis (geohash.c and
 * geohash_helper.c), so that scores and distances are Redis's to the digit.
 */

export interface Place {
  readonly longitude: number
  readonly latitude: number
}

/** The cut of the Mercator projection that makes the map a square (EPSG:3857). */
const MERCATOR_LATITUDE_MAX = 85.05112878
export const LONGITUDE_MAX = 180
const EARTH_RADIUS_M = 6372797.560856
const RADIANS_PER_DEGREE = Math.PI / 180
const STEPS_MAX = 26
/** Half of the equator as Mercator draws it: a search as wide as this needs the coarsest grid. */
const MERCATOR_M_MAX = 20037726.37
const BASE32 = '0123456789bcdefghjkmnpqrstuvwxyz'
const TEXT_LENGTH = 11

export function isOnMap({ longitude, latitude }: Place): boolean {
  return Math.abs(longitude) <= LONGITUDE_MAX && Math.abs(latitude) <= MERCATOR_LATITUDE_MAX
}

/** A cell of the grid: column and row, counted from south-west, of 2^steps each. */
export interface Cell {
  readonly steps: number
  readonly column: number
  readonly row: number
}

interface Area {
  readonly west: number
  readonly east: number
  readonly south: number
  readonly north: number
}

function offset(value: number, max: number, steps: number): number {
  return Math.floor(((value + max) / (2 * max)) * 2 ** steps)
}

export function cellOf({ longitude, latitude }: Place, steps: number): Cell {
  return {
    steps,
    column: offset(longitude, LONGITUDE_MAX, steps),
    row: offset(latitude, MERCATOR_LATITUDE_MAX, steps),
  }
}

export function areaOf({ steps, column, row }: Cell): Area {
  return {
    west: edge(column, LONGITUDE_MAX, steps),
    east: edge(column + 1, LONGITUDE_MAX, steps),
    south: edge(row, MERCATOR_LATITUDE_MAX, steps),
    north: edge(row + 1, MERCATOR_LATITUDE_MAX, steps),
  }
}

function edge(offset: number, max: number, steps: number): number {
  return -max + (offset / 2 ** steps) * (2 * max)
}

const HALF = 2 ** 13
const HALF_SQUARED = 2 ** 26

/** Puts a 0 between any two bits of a number of at most 14 bits. */
function spread(bits: number): number {
  let spread = bits
  spread = (spread | (spread << 8)) & 0x00ff00ff
  spread = (spread | (spread << 4)) & 0x0f0f0f0f
  spread = (spread | (spread << 2)) & 0x33333333
  return (spread | (spread << 1)) & 0x55555555
}

/** The inverse, for the even ones of 32 bits. */
function gather(bits: number): number {
  let gathered = bits & 0x55555555
  gathered = (gathered | (gathered >>> 1)) & 0x33333333
  gathered = (gathered | (gathered >>> 2)) & 0x0f0f0f0f
  gathered = (gathered | (gathered >>> 4)) & 0x00ff00ff
  return (gathered | (gathered >>> 8)) & 0x0000ffff
}

function interleave(even: number, odd: number): number {
  const low = spread(even % HALF) + 2 * spread(odd % HALF)
  const high = spread(Math.floor(even / HALF)) + 2 * spread(Math.floor(odd / HALF))
  return high * HALF_SQUARED + low
}

/** The score of a place. */
export function scoreOf(place: Place): number {
  const { column, row } = cellOf(place, STEPS_MAX)
  return interleave(row, column)
}

/** The scores in a cell: from the first, included, to the second. */
export function scoresIn({ steps, column, row }: Cell): readonly [number, number] {
  const width = 4 ** (STEPS_MAX - steps)
  const first = interleave(row, column)
  return [first * width, (first + 1) * width]
}

/** The middle of the finest cell, on the map. Any score is some place: the bits of others are taken as they are. */
export function placeOf(score: number): Place {
  const [low, high] = wordsOf(score)
  const area = areaOf({
    steps: STEPS_MAX,
    row: gather(low) + gather(high) * 2 ** 16,
    column: gather(low >>> 1) + gather(high >>> 1) * 2 ** 16,
  })
  return {
    longitude: within((area.west + area.east) / 2, LONGITUDE_MAX),
    latitude: within((area.south + area.north) / 2, MERCATOR_LATITUDE_MAX),
  }
}

const WORD = 2 ** 32

/** The low and the high 32 bits of a score as a whole number. */
function wordsOf(score: number): readonly [number, number] {
  if (score >= 0 && score <= Number.MAX_SAFE_INTEGER) return [score % WORD, Math.floor(score / WORD)]
  const isOutside = score >= 2 ** 64 || score < -(2 ** 63)
  // What the instruction of x86-64 makes of it, and Redis with it.
  const bits = isOutside ? (score > 0 ? 0n : 2n ** 63n) : BigInt.asUintN(64, BigInt(Math.trunc(score)))
  return [Number(bits & 0xffffffffn), Number(bits >> 32n)]
}

function within(value: number, max: number): number {
  return Math.min(max, Math.max(-max, value))
}

/** The standard geohash of a place: 11 characters, the last one always 0, because 52 bits reach for 10. */
export function geohashText({ longitude, latitude }: Place): string {
  const bits = BigInt(
    interleave(offset(latitude, 90, STEPS_MAX), offset(longitude, LONGITUDE_MAX, STEPS_MAX)),
  )
  let text = ''
  for (let i = 1; i < TEXT_LENGTH; i++) text += BASE32[Number((bits >> BigInt(2 * STEPS_MAX - 5 * i)) & 31n)]
  return `${text}0`
}

/** Great-circle distance, meters. */
export function distanceM(a: Place, b: Place): number {
  const latitudeA = a.latitude * RADIANS_PER_DEGREE
  const latitudeB = b.latitude * RADIANS_PER_DEGREE
  const u = Math.sin((latitudeB - latitudeA) / 2)
  const v = Math.sin((b.longitude * RADIANS_PER_DEGREE - a.longitude * RADIANS_PER_DEGREE) / 2)
  return 2 * EARTH_RADIUS_M * Math.asin(Math.sqrt(u * u + Math.cos(latitudeA) * Math.cos(latitudeB) * v * v))
}

/** Between two circles of latitude, meters. */
function latitudeDistanceM(a: number, b: number): number {
  return EARTH_RADIUS_M * Math.abs(b * RADIANS_PER_DEGREE - a * RADIANS_PER_DEGREE)
}

/** What is searched: all within a radius, or within a box whose sides run along the compass. Meters. */
export type Shape =
  | { readonly kind: 'circle'; readonly center: Place; readonly radiusM: number }
  | { readonly kind: 'box'; readonly center: Place; readonly widthM: number; readonly heightM: number }

/** How far a place inside the shape is from its center, meters; undefined for one outside. */
export function distanceWithin(shape: Shape, place: Place): number | undefined {
  const { center } = shape
  if (shape.kind === 'box') {
    if (latitudeDistanceM(place.latitude, center.latitude) > shape.heightM / 2) return undefined
    const sameLatitude = { longitude: center.longitude, latitude: place.latitude }
    if (distanceM(place, sameLatitude) > shape.widthM / 2) return undefined
    return distanceM(center, place)
  }
  const distance = distanceM(center, place)
  return distance > shape.radiusM ? undefined : distance
}

function boundsOf(shape: Shape): Area {
  const { longitude, latitude } = shape.center
  const halfHeight = shape.kind === 'circle' ? shape.radiusM : shape.heightM / 2
  const halfWidth = shape.kind === 'circle' ? shape.radiusM : shape.widthM / 2
  const latitudes = halfHeight / EARTH_RADIUS_M / RADIANS_PER_DEGREE
  // Towards the pole a degree of longitude is shorter: the far side of the shape decides.
  const far = latitude < 0 ? latitude - latitudes : latitude + latitudes
  const longitudes = halfWidth / EARTH_RADIUS_M / Math.cos(far * RADIANS_PER_DEGREE) / RADIANS_PER_DEGREE
  return {
    west: longitude - longitudes,
    east: longitude + longitudes,
    south: latitude - latitudes,
    north: latitude + latitudes,
  }
}

/** The finest grid of which a cell and its neighbours cover such a distance all around. */
function stepsFor(distanceM: number, latitude: number): number {
  if (distanceM === 0) return STEPS_MAX
  let steps = -1
  for (let reach = distanceM; reach < MERCATOR_M_MAX; reach *= 2) steps++
  const pole = Math.abs(latitude)
  if (pole > 66) steps--
  if (pole > 80) steps--
  return Math.min(STEPS_MAX, Math.max(1, steps))
}

function neighbour({ steps, column, row }: Cell, east: number, north: number): Cell {
  const count = 2 ** steps
  return { steps, column: (column + east + count) % count, row: (row + north + count) % count }
}

/** East and north, in the order in which Redis looks at them: unsorted replies come in this order. */
const DIRECTIONS: readonly (readonly [east: number, north: number])[] = [
  [0, 0],
  [0, 1],
  [0, -1],
  [1, 0],
  [-1, 0],
  [1, 1],
  [-1, 1],
  [1, -1],
  [-1, -1],
]

/** Cells that together cover a shape; none twice. */
export function cellsAround(shape: Shape): Cell[] {
  const { center } = shape
  const bounds = boundsOf(shape)
  const reachM = shape.kind === 'circle' ? shape.radiusM : Math.hypot(shape.widthM / 2, shape.heightM / 2)
  let steps = stepsFor(reachM, center.latitude)
  if (steps > 1 && !isCovered(cellOf(center, steps), bounds)) steps--
  const middle = cellOf(center, steps)
  const area = areaOf(middle)
  const cells: Cell[] = []
  const known = new Set<number>()
  for (const [east, north] of DIRECTIONS) {
    // In a coarse grid the neighbours on both sides may be one and the same.
    if (steps >= 2 && !reaches(bounds, area, east, north)) continue
    const cell = east === 0 && north === 0 ? middle : neighbour(middle, east, north)
    const [first] = scoresIn(cell)
    if (known.has(first)) continue
    known.add(first)
    cells.push(cell)
  }
  return cells
}

/** The cell and its neighbours cover the bounds. */
function isCovered(cell: Cell, bounds: Area): boolean {
  return (
    areaOf(neighbour(cell, 0, 1)).north >= bounds.north &&
    areaOf(neighbour(cell, 0, -1)).south <= bounds.south &&
    areaOf(neighbour(cell, 1, 0)).east >= bounds.east &&
    areaOf(neighbour(cell, -1, 0)).west <= bounds.west
  )
}

/** The bounds leave the middle cell on that side. */
function reaches(bounds: Area, area: Area, east: number, north: number): boolean {
  return (
    !(north < 0 && area.south < bounds.south) &&
    !(north > 0 && area.north > bounds.north) &&
    !(east < 0 && area.west < bounds.west) &&
    !(east > 0 && area.east > bounds.east)
  )
}
