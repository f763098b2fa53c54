/**
 * exact-sum.test.ts: sums of doubles against fractions, and one rounding at the end.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addExact, Dyadic, type ExactSum, exactOf, negateExact, roundExact } from '../../../crdt/exact-sum.ts'
import { add, ZERO } from '../../harness/rational.ts'
import { fractionOf, nearestDouble } from '../../harness/scores.ts'

const finite = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer().map((value) => value / 8),
  fc.constantFrom(0, 5e-324, -5e-324, 2 ** -1022, Number.MAX_VALUE, -Number.MAX_VALUE, 0.1, 1e16),
)

function sum(...values: readonly number[]): ExactSum {
  return values.map(exactOf).reduce(addExact, 0)
}

describe('an exact sum', () => {
  it('is the fraction, rounded once, in whatever order it was added up', () => {
    fc.assert(
      fc.property(fc.array(finite, { maxLength: 5 }), (values) => {
        const expected = nearestDouble(values.map(fractionOf).reduce(add, ZERO))
        expect(roundExact(sum(...values))).toBe(expected)
        expect(roundExact(sum(...[...values].reverse()))).toBe(expected)
      }),
      { numRuns: 2000 },
    )
  })

  it('comes back to 0 when everything is taken off again, and is a number whenever it can be', () => {
    fc.assert(
      fc.property(fc.array(finite, { maxLength: 4 }), (values) => {
        const whole = sum(...values)
        expect(addExact(whole, negateExact(whole))).toBe(0)
        let left = whole
        for (const value of values) left = addExact(left, negateExact(exactOf(value)))
        expect(left).toBe(0)
      }),
      { numRuns: 1000 },
    )
  })

  it('keeps what doubles lose', () => {
    expect(roundExact(sum(1e16, 1, -1e16))).toBe(1)
    expect(roundExact(sum(0.1, 0.2))).toBe(0.1 + 0.2)
    expect(roundExact(sum(0.1, 0.2, 0.3))).toBe(0.6)
    expect(sum(0.1, 0.2)).toBeInstanceOf(Dyadic)
    expect(sum(0.5, 0.25)).toBe(0.75)
  })

  it('passes the range of doubles and comes back', () => {
    const max = Number.MAX_VALUE
    expect(roundExact(sum(max, max))).toBe(Number.POSITIVE_INFINITY)
    expect(roundExact(sum(-max, -max))).toBe(Number.NEGATIVE_INFINITY)
    expect(roundExact(sum(max, max, -max))).toBe(max)
  })

  it('counts infinities apart: one of each sign cancel, and none makes NaN', () => {
    const inf = Number.POSITIVE_INFINITY
    expect(roundExact(sum(inf, 3))).toBe(inf)
    expect(roundExact(sum(inf, -inf, 3))).toBe(3)
    expect(roundExact(sum(inf, -inf, -inf))).toBe(-inf)
    expect(() => exactOf(Number.NaN)).toThrow('NaN is no part of a sum')
  })
})
