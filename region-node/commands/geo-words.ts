/**
 * geo-words.ts: places, distances and units in the words of geo commands and in their replies.
 */
import { errors } from '../errors.ts'
import type { ReplyWriter } from '../resp/reply.ts'
import { parseDouble } from './floats.ts'
import { isOnMap, type Place } from './geohash.ts'

const METERS: Readonly<Record<string, number>> = { m: 1, km: 1000, ft: 0.3048, mi: 1609.34 }

/** Meters in the unit a word names. @throws CommandError */
export function parseUnit(word: string): number {
  const unit = word.toLowerCase()
  if (!Object.hasOwn(METERS, unit)) throw errors.geoUnit
  return METERS[unit]!
}

/** @param at  where the longitude stands; the latitude follows  @throws CommandError */
export function parsePlace(words: readonly string[], at: number): Place {
  const place = { longitude: parseDouble(words[at]!), latitude: parseDouble(words[at + 1]!) }
  if (!isOnMap(place)) throw errors.geoPlace(fixed6(place.longitude), fixed6(place.latitude))
  return place
}

function fixed6(degrees: number): string {
  if (!Number.isFinite(degrees)) return degrees > 0 ? 'inf' : '-inf'
  // Beyond it `toFixed` writes an exponent.
  return Math.abs(degrees) < 1e21 ? degrees.toFixed(6) : `${BigInt(degrees)}.000000`
}

/** Four digits behind the point, whatever the unit. */
export function distanceText(distance: number): string {
  return distance.toFixed(4)
}

/** Longitude and latitude. */
export function writePlace(out: ReplyWriter, { longitude, latitude }: Place): void {
  out.array(2)
  writeCoordinate(out, longitude)
  writeCoordinate(out, latitude)
}

/** Seventeen digits behind the point, without zeros at the end. */
function writeCoordinate(out: ReplyWriter, degrees: number): void {
  const text = degrees.toFixed(17).replace(/\.?0+$/, '')
  out.doubleAs(text === '-0' ? '0' : text)
}
