/**
 * geohash.test.ts: cells and scores: known values, and no place inside a shape that its cells miss.
 */
import { describe, expect, it } from 'vitest'
import {
  areaOf,
  cellOf,
  cellsAround,
  distanceM,
  distanceWithin,
  geohashText,
  isOnMap,
  placeOf,
  type Shape,
  scoreOf,
  scoresIn,
} from '../../../../region-node/commands/geohash.ts'
import { Prng } from '../../../harness/prng.ts'

const palermo = { longitude: 13.361389, latitude: 38.115556 }
const catania = { longitude: 15.087269, latitude: 37.502669 }

describe('a place', () => {
  it("has Redis's score, geohash and distance", () => {
    expect(scoreOf(palermo)).toBe(3479099956230698)
    expect(scoreOf(catania)).toBe(3479447370796909)
    expect(geohashText(placeOf(scoreOf(palermo)))).toBe('sqc8b49rny0')
    expect(distanceM(placeOf(scoreOf(palermo)), placeOf(scoreOf(catania)))).toBeCloseTo(166274.1516, 3)
  })

  it('comes back from its score to within a meter, and lies in its own cells', () => {
    const prng = new Prng(1)
    for (let i = 0; i < 500; i++) {
      const place = { longitude: prng.random() * 360 - 180, latitude: prng.random() * 170 - 85 }
      const score = scoreOf(place)
      expect(distanceM(place, placeOf(score))).toBeLessThan(1)
      for (const steps of [1, 5, 13, 26]) {
        const cell = cellOf(place, steps)
        const [first, end] = scoresIn(cell)
        expect(score >= first && score < end).toBe(true)
        const area = areaOf(cell)
        expect(area.west <= place.longitude && place.longitude <= area.east).toBe(true)
        expect(area.south <= place.latitude && place.latitude <= area.north).toBe(true)
      }
    }
  })

  it('is on the map up to its edges, and any score is one', () => {
    expect(isOnMap({ longitude: 180, latitude: 85.05112878 })).toBe(true)
    expect(isOnMap({ longitude: 180.1, latitude: 0 })).toBe(false)
    expect(isOnMap({ longitude: 0, latitude: -85.06 })).toBe(false)
    for (const score of [-1, 0, 0.5, 1e300, Number.POSITIVE_INFINITY])
      expect(isOnMap(placeOf(score))).toBe(true)
  })
})

describe('cells around a shape', () => {
  it('cover it: whatever lies inside is in one of them', () => {
    const prng = new Prng(2)
    for (let i = 0; i < 300; i++) {
      const center = { longitude: prng.random() * 340 - 170, latitude: prng.random() * 120 - 60 }
      const size = 10 ** (prng.random() * 5)
      const shape: Shape = prng.chance(0.5)
        ? { kind: 'circle', center, radiusM: size }
        : { kind: 'box', center, widthM: size, heightM: size * prng.random() }
      const ranges = cellsAround(shape).map(scoresIn)
      expect(ranges.length).toBeLessThanOrEqual(9)
      for (let j = 0; j < 20; j++) {
        const degrees = size / 111_000
        const place = {
          longitude:
            center.longitude + ((prng.random() - 0.5) * 3 * degrees) / Math.cos(center.latitude / 57.3),
          latitude: center.latitude + (prng.random() - 0.5) * 3 * degrees,
        }
        if (!isOnMap(place) || distanceWithin(shape, place) === undefined) continue
        const score = scoreOf(place)
        expect(ranges.some(([first, end]) => score >= first && score < end)).toBe(true)
      }
    }
  })
})
