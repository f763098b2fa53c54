/**
 * scores.ts: what the oracle says about scores: doubles added up as fractions, and one rounding.
 *
 * Deliberately not how `crdt/exact-sum.ts` does it: a double is taken apart by its binary digits, and rounded
 * by reading a decimal that is exact.
 */
import { add, type Rational, rational, ZERO } from './rational.ts'

/** @param value  finite */
export function fractionOf(value: number): Rational {
  const [whole, fraction = ''] = Math.abs(value).toString(2).split('.') as [string, string?]
  const over = BigInt(`0b${whole}${fraction}`)
  return rational(value < 0 ? -over : over, 2n ** BigInt(fraction.length))
}

/** The double nearest to a sum of doubles, the denominator of which is a power of two. */
export function nearestDouble({ over, under }: Rational): number {
  const places = under.toString(2).length - 1
  return Number(`${over * 5n ** BigInt(places)}e-${places}`) + 0
}

/** Increments of one origin that nobody has taken away, in its order. */
export interface OwnIncrements {
  readonly deltas: readonly number[]
  /** None that came before them was taken away: they add up as they did at their origin. */
  readonly isWhole: boolean
}

/** @param base  the value written, if one shows */
export function scoreOf(base: number | undefined, byOrigin: readonly OwnIncrements[]): number {
  if (base !== undefined && byOrigin.length === 0) return base
  const infinities = [base ?? 0, ...byOrigin.flatMap(({ deltas }) => deltas)].filter(isInfinite)
  const more = infinities.reduce((sum, value) => sum + Math.sign(value), 0)
  if (more !== 0) return more * Number.POSITIVE_INFINITY
  let sum = base === undefined || isInfinite(base) ? ZERO : fractionOf(base)
  for (const one of byOrigin) sum = add(sum, partOf(one))
  return nearestDouble(sum)
}

function partOf({ deltas, isWhole }: OwnIncrements): Rational {
  const finite = deltas.filter((delta) => !isInfinite(delta))
  const accumulated = finite.reduce((sum, delta) => sum + delta, 0)
  if (isWhole && Number.isFinite(accumulated)) return fractionOf(accumulated)
  return finite.map(fractionOf).reduce(add, ZERO)
}

function isInfinite(value: number): boolean {
  return Math.abs(value) === Number.POSITIVE_INFINITY
}
