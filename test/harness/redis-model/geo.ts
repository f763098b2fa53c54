/**
 * geo.ts: the geo commands of the workload, as Redis's documentation tells them: a score is a place, its latitude
 * and longitude cut into 26 bits each, one bit of the one behind one of the other.
 */
import { type Model, type Models, type PlainData, Refusal, Unsaid } from './plain-data.ts'

const BITS = 26
const LATITUDE_MAX = 85.05112878
const LONGITUDE_MAX = 180
/** As Redis has it, metres. */
const EARTH_RADIUS = 6372797.560856

interface Place {
  readonly longitude: number
  readonly latitude: number
}

/** In which of 2^26 parts from -most to most. */
function partOf(degrees: number, most: number): number {
  return Math.floor(((degrees + most) / (2 * most)) * 2 ** BITS)
}

function bitsOf(part: number): string {
  return part.toString(2).padStart(BITS, '0')
}

function scoreOf({ longitude, latitude }: Place): number {
  const [x, y] = [bitsOf(partOf(longitude, LONGITUDE_MAX)), bitsOf(partOf(latitude, LATITUDE_MAX))]
  return Number.parseInt([...x].map((bit, i) => bit + y[i]!).join(''), 2)
}

/** The middle of the part. */
function degreesOf(bits: string, most: number): number {
  return ((Number.parseInt(bits, 2) + 0.5) / 2 ** BITS) * 2 * most - most
}

/** @throws Unsaid  for a score that is no place: what C makes of it is not said */
function placeOf(score: number): Place {
  if (!(score >= 0 && score < 2 ** (2 * BITS))) throw new Unsaid()
  const bits = [
    ...Math.floor(score)
      .toString(2)
      .padStart(2 * BITS, '0'),
  ]
  const every = (rest: number) => bits.filter((_, i) => i % 2 === rest).join('')
  return { longitude: degreesOf(every(0), LONGITUDE_MAX), latitude: degreesOf(every(1), LATITUDE_MAX) }
}

function metresBetween(a: Place, b: Place): number {
  const radians = (degrees: number) => (degrees * Math.PI) / 180
  const half = (from: number, to: number) => Math.sin(radians(to - from) / 2) ** 2
  const across = Math.cos(radians(a.latitude)) * Math.cos(radians(b.latitude))
  const share = half(a.latitude, b.latitude) + across * half(a.longitude, b.longitude)
  return 2 * EARTH_RADIUS * Math.asin(Math.sqrt(share))
}

function placeIn(longitude: string, latitude: string): Place {
  return { longitude: Number(longitude), latitude: Number(latitude) }
}

/** `GEOADD key longitude latitude member` */
const geoadd: Model = ([, key, longitude, latitude, member], data) => {
  const before = data.zset(key!)
  const scores = new Map([...before, [member!, scoreOf(placeIn(longitude!, latitude!))]])
  data.keep(key!, { type: 'zset', scores })
  return scores.size - before.size
}

/** Stores the members within that many kilometres. */
function store(data: PlainData, from: string, to: string, centre: Place, km: string): number {
  const isNear = (score: number) => metresBetween(centre, placeOf(score)) <= Number(km) * 1000
  const scores = new Map([...data.zset(from)].filter(([, score]) => isNear(score)))
  data.put(to, { type: 'zset', scores })
  return scores.size
}

export const GEO_MODELS: Models = {
  GEOADD: geoadd,
  // GEOSEARCHSTORE destination key FROMLONLAT longitude latitude BYRADIUS number km
  GEOSEARCHSTORE: ([, to, from, , longitude, latitude, , km], data) =>
    store(data, from!, to!, placeIn(longitude!, latitude!), km!),
  // GEORADIUS key longitude latitude number km STORE destination
  GEORADIUS: ([, from, longitude, latitude, km, , , to], data) =>
    store(data, from!, to!, placeIn(longitude!, latitude!), km!),
  // GEORADIUSBYMEMBER key member number km STORE destination
  GEORADIUSBYMEMBER: ([, from, member, km, , , to], data) => {
    const scores = data.zset(from!)
    if (scores.size > 0 && !scores.has(member!)) throw new Refusal('ERR')
    const centre = scores.size === 0 ? placeIn('0', '0') : placeOf(scores.get(member!)!)
    return store(data, from!, to!, centre, km!)
  },
}
