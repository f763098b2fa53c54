/**
 * exact-sum.ts: sums of doubles without rounding: the parts of a score.
 *
 * Scores are added up exactly and rounded once, when they are read, because doubles added in the order of
 * their arrival would differ from region to region in the last digit. An exact sum is a JavaScript number as
 * long as a double holds it, which is nearly always, and beyond that a whole number times a power of two.
 * Infinities are counted apart: one of each sign cancel, so no sum is ever NaN.
 *
 * Invariant: an ExactSum is a number whenever it can be one, never -0, and a Dyadic's mantissa is odd or 0.
 * Source: the test for a lost remainder is Knuth's TwoSum, as in Shewchuk, "Adaptive Precision Floating-Point
 * Arithmetic", 1997; what does not fit goes on as integers instead of expansions, which cannot overflow.
 */
import { assert } from './assert.ts'

/** `mantissa * 2^exponent`, and how many more positive than negative infinities. */
export class Dyadic {
  readonly mantissa: bigint
  readonly exponent: number
  readonly infinities: number

  constructor(mantissa: bigint, exponent: number, infinities: number) {
    this.mantissa = mantissa
    this.exponent = exponent
    this.infinities = infinities
  }
}

export type ExactSum = number | Dyadic

const MANTISSA_BITS = 53
/** Of the lowest bit of the smallest double. */
const EXPONENT_MIN = -1074
/** 2 to this is more than any finite double. */
const MAGNITUDE_MAX = 1024
const FRACTION_BITS = 52n
const FRACTION_MASK = (1n << FRACTION_BITS) - 1n

/** A double as a sum of one. It is not NaN. */
export function exactOf(value: number): ExactSum {
  assert(!Number.isNaN(value), 'NaN is no part of a sum')
  if (Number.isFinite(value)) return value + 0
  return new Dyadic(0n, 0, value > 0 ? 1 : -1)
}

export function addExact(a: ExactSum, b: ExactSum): ExactSum {
  if (typeof a === 'number' && typeof b === 'number') {
    const sum = a + b
    const ofB = sum - a
    // NaN where something overflowed, which is not 0 either.
    if (a - (sum - ofB) + (b - ofB) === 0) return sum + 0
  }
  const x = widen(a)
  const y = widen(b)
  const exponent = Math.min(x.exponent, y.exponent)
  const mantissa = shifted(x, exponent) + shifted(y, exponent)
  return narrow(mantissa, exponent, x.infinities + y.infinities)
}

export function negateExact(sum: ExactSum): ExactSum {
  // 0 - sum, not -sum, which would be a negative zero.
  if (typeof sum === 'number') return 0 - sum
  return new Dyadic(-sum.mantissa, sum.exponent, 0 - sum.infinities)
}

/** Its infinities alone. */
export function infinitiesOf(sum: ExactSum): ExactSum {
  return typeof sum === 'number' || sum.infinities === 0 ? 0 : new Dyadic(0n, 0, sum.infinities)
}

/** The double nearest to the sum, ties to the even one; an infinity when there are more of it than of the other. */
export function roundExact(sum: ExactSum): number {
  if (typeof sum === 'number') return sum
  if (sum.infinities !== 0) return sum.infinities > 0 ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY
  return sum.mantissa < 0n
    ? -roundMagnitude(-sum.mantissa, sum.exponent)
    : roundMagnitude(sum.mantissa, sum.exponent)
}

/** The sum that is `mantissa * 2^exponent` and so many infinities, in its one form. */
export function narrow(mantissa: bigint, exponent: number, infinities: number): ExactSum {
  let odd = mantissa
  let power = exponent
  if (odd === 0n) power = 0
  else {
    const zeros = trailingZeros(odd)
    odd >>= BigInt(zeros)
    power += zeros
  }
  if (infinities !== 0) return new Dyadic(odd, power, infinities)
  const magnitude = odd < 0n ? -odd : odd
  const bits = bitLength(magnitude)
  if (bits > MANTISSA_BITS || power < EXPONENT_MIN || bits + power > MAGNITUDE_MAX)
    return new Dyadic(odd, power, 0)
  return Number(odd) * 2 ** power + 0
}

/** For who looks at states and logs. */
export function exactText(sum: ExactSum): string {
  if (typeof sum === 'number') return String(sum)
  const infinite = sum.infinities === 0 ? '' : ` with ${sum.infinities} infinities`
  return `${sum.mantissa} * 2^${sum.exponent}${infinite}`
}

function widen(sum: ExactSum): Dyadic {
  if (typeof sum !== 'number') return sum
  const bits = bitsOf(sum)
  const biased = Number((bits >> FRACTION_BITS) & 0x7ffn)
  const fraction = bits & FRACTION_MASK
  const magnitude = biased === 0 ? fraction : fraction | (1n << FRACTION_BITS)
  return new Dyadic(sum < 0 ? -magnitude : magnitude, EXPONENT_MIN + Math.max(0, biased - 1), 0)
}

const scratch = new DataView(new ArrayBuffer(8))

function bitsOf(value: number): bigint {
  scratch.setFloat64(0, value)
  return scratch.getBigUint64(0)
}

function shifted({ mantissa, exponent }: Dyadic, to: number): bigint {
  return mantissa << BigInt(exponent - to)
}

function bitLength(magnitude: bigint): number {
  if (magnitude === 0n) return 0
  const digits = magnitude.toString(16)
  return 4 * digits.length - Math.clz32(Number.parseInt(digits[0]!, 16)) + 28
}

/** @param mantissa  not 0 */
function trailingZeros(mantissa: bigint): number {
  let zeros = 0
  let rest = mantissa
  while ((rest & 0xffffffffn) === 0n) {
    rest >>= 32n
    zeros += 32
  }
  const low = Number(rest & 0xffffffffn)
  return zeros + 31 - Math.clz32(low & -low)
}

function roundMagnitude(magnitude: bigint, exponent: number): number {
  const bits = bitLength(magnitude)
  if (bits + exponent > MAGNITUDE_MAX) return Number.POSITIVE_INFINITY
  const cut = Math.max(bits - MANTISSA_BITS, EXPONENT_MIN - exponent)
  if (cut <= 0) return Number(magnitude) * 2 ** exponent
  const kept = magnitude >> BigInt(cut)
  const twiceRest = (magnitude - (kept << BigInt(cut))) << 1n
  const one = 1n << BigInt(cut)
  const isUp = twiceRest > one || (twiceRest === one && (kept & 1n) === 1n)
  return Number(isUp ? kept + 1n : kept) * 2 ** (exponent + cut)
}
