/**
 * clocks.test.ts: the laws of the hybrid clock, of version vectors and of stamps.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareStamps, Dot } from '../../crdt/dot.ts'
import { HLC_EPOCH_MS, hlcAt, hlcLogical, hlcWallMs, receive, tick } from '../../crdt/hlc.ts'
import { type Origin, OriginTable, originId } from '../../crdt/origin.ts'
import { VersionVector } from '../../crdt/version-vector.ts'

const DRIFT_MS_MAX = 60_000
const wallMs = fc.integer({ min: HLC_EPOCH_MS - 1000, max: HLC_EPOCH_MS + 2 ** 40 })
const hlc = fc.tuple(wallMs, fc.nat({ max: 4095 })).map(([ms, logical]) => hlcAt(ms) + logical)

describe('the hybrid clock', () => {
  it('mints strictly growing readings, whatever the wall clock does', () => {
    fc.assert(
      fc.property(hlc, fc.array(wallMs, { minLength: 1 }), (start, walls) => {
        let last = start
        for (const wall of walls) {
          const next = tick(last, wall)
          expect(next).toBeGreaterThan(last)
          expect(next).toBeGreaterThanOrEqual(hlcAt(wall))
          last = next
        }
      }),
    )
  })

  it('never goes back when it hears of a reading, and mints above what it heard within the drift limit', () => {
    fc.assert(
      fc.property(hlc, hlc, wallMs, (local, remote, now) => {
        const heard = receive(local, remote, now, DRIFT_MS_MAX)
        expect(heard).toBeGreaterThanOrEqual(local)
        expect(heard).toBeLessThanOrEqual(Math.max(local, hlcAt(now + DRIFT_MS_MAX)))
        if (remote <= hlcAt(now + DRIFT_MS_MAX)) expect(tick(heard, now)).toBeGreaterThan(remote)
      }),
    )
  })

  it('gives back the parts it was made of', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: HLC_EPOCH_MS, max: HLC_EPOCH_MS + 2 ** 40 }),
        fc.nat({ max: 4095 }),
        (ms, logical) => {
          expect(hlcWallMs(hlcAt(ms) + logical)).toBe(ms)
          expect(hlcLogical(hlcAt(ms) + logical)).toBe(logical)
        },
      ),
    )
  })
})

const origins = new OriginTable()
const known: Origin[] = [1, 1, 2, 3].map((region, i) =>
  origins.intern(originId(region, new Uint8Array([0, 0, 0, 0, 0, i]))),
)
const entries = fc.array(fc.tuple(fc.constantFrom(...known), fc.nat({ max: 5 })), { maxLength: 6 })

function vectorOf(list: readonly (readonly [Origin, number])[]): VersionVector {
  const vector = new VersionVector(origins)
  for (const [origin, seq] of list) vector.advance(origin, seq)
  return vector
}

function joined(a: VersionVector, b: VersionVector): VersionVector {
  const sum = a.copy()
  sum.join(b)
  return sum
}

describe('version vectors', () => {
  it('join to the least vector that covers both, in any order', () => {
    fc.assert(
      fc.property(entries, entries, entries, (x, y, z) => {
        const [a, b, c] = [vectorOf(x), vectorOf(y), vectorOf(z)]
        const sum = joined(a, b)
        expect(sum.covers(a) && sum.covers(b)).toBe(true)
        if (c.covers(a) && c.covers(b)) expect(c.covers(sum)).toBe(true)
        expect(sum.equals(joined(b, a))).toBe(true)
        expect(joined(sum, c).equals(joined(a, joined(b, c)))).toBe(true)
        expect(joined(a, a).equals(a)).toBe(true)
      }),
    )
  })

  it('cover each other only when they are equal, and say the same on the wire then', () => {
    fc.assert(
      fc.property(entries, entries, (x, y) => {
        const [a, b] = [vectorOf(x), vectorOf(y)]
        expect(a.equals(b)).toBe(JSON.stringify(a.toWire()) === JSON.stringify(b.toWire()))
        expect(a.covers(b)).toBe(known.every((origin) => a.get(origin) >= b.get(origin)))
      }),
    )
  })

  it('travel: another node with origins in another order reads the same', () => {
    fc.assert(
      fc.property(entries, (x) => {
        const elsewhere = new OriginTable()
        for (const { id } of [...known].reverse()) elsewhere.intern(id)
        const wire = vectorOf(x).toWire()
        expect(VersionVector.fromWire(elsewhere, wire).toWire()).toEqual(wire)
      }),
    )
  })
})

describe('stamps', () => {
  const dot = fc
    .record({
      origin: fc.constantFrom(...known),
      seq: fc.integer({ min: 1, max: 3 }),
      index: fc.nat({ max: 2 }),
      hlcHigh: fc.nat({ max: 2 }),
      hlcLow: fc.nat({ max: 2 }),
    })
    .map((stamp) => new Dot(stamp))

  it('are in one total order', () => {
    fc.assert(
      fc.property(dot, dot, dot, (a, b, c) => {
        expect(Math.sign(compareStamps(a, b))).toBe(0 - Math.sign(compareStamps(b, a)))
        if (compareStamps(a, b) > 0 && compareStamps(b, c) > 0) expect(compareStamps(a, c)).toBeGreaterThan(0)
        const isSame = a.origin === b.origin && a.seq === b.seq && a.index === b.index && a.hlc === b.hlc
        expect(compareStamps(a, b) === 0).toBe(isSame)
      }),
    )
  })

  it('give a tie of the clocks to the lower region', () => {
    const at = { seq: 1, index: 0, hlcHigh: 1, hlcLow: 1 }
    const lower = new Dot({ ...at, origin: known[0]! })
    const higher = new Dot({ ...at, origin: known[2]! })
    expect(compareStamps(lower, higher)).toBeGreaterThan(0)
  })
})
