/**
 * amount.ts: exact numbers for counters.
 *
 * Counters are summed exactly and rounded or saturated only when read: doing either in the state would
 * give different results by order of arrival (algorithms.md, Sums). An amount is a JavaScript number as
 * long as it is an integer of at most 53 bits, which nearly all are, and a Decimal beyond.
 *
 * An amount is `fractional` when INCRBYFLOAT or a non-integer value took part: such sums print as Redis
 * prints a long double and do not saturate at 64 bits, integer sums do.
 */
export type Amount = number | Decimal

export const INT64_MAX = 2n ** 63n - 1n
export const INT64_MIN = -(2n ** 63n)

/** Fraction digits that Redis prints of a long double (`%.17Lf`, then trailing zeros are cut). */
const FRACTION_DIGITS_MAX = 17
/** Exponents beyond a long double's range are not numbers to Redis. */
const EXPONENT_MAX = 4932
const TEXT_LENGTH_MAX = 5 * 1024
const INTEGER = /^(0|-?[1-9][0-9]*)$/
const NUMBER = /^([+-]?)(?:([0-9]+)(?:\.([0-9]*))?|\.([0-9]+))(?:[eE]([+-]?[0-9]{1,6}))?$/

/** `units * 10^-scale`, exact. */
export class Decimal {
  readonly units: bigint
  readonly scale: number
  readonly fractional: boolean

  constructor(units: bigint, scale: number, fractional: boolean) {
    this.units = units
    this.scale = scale
    this.fractional = fractional
  }
}

/** A 64-bit integer in Redis's strict form: no sign `+`, no leading zeros, no spaces. */
export function parseInteger(text: string): number | bigint | undefined {
  // 15 digits always fit a double; longer ones are looked at with care.
  if (text.length <= 15) return INTEGER.test(text) ? Number(text) : undefined
  if (text.length > 20 || !INTEGER.test(text)) return undefined
  const value = BigInt(text)
  if (value > INT64_MAX || value < INT64_MIN) return undefined
  return narrowInteger(value)
}

function narrowInteger(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

export function integerAmount(value: number | bigint): Amount {
  const narrow = typeof value === 'bigint' ? narrowInteger(value) : value
  return typeof narrow === 'number' ? narrow : new Decimal(narrow, 0, false)
}

/** Reads a decimal as INCRBYFLOAT does. Undefined for what is not a finite number in decimal form. */
export function parseAmount(text: string): Amount | undefined {
  const integer = parseInteger(text)
  if (integer !== undefined) return integerAmount(integer)
  return parseFractional(text)
}

/** Same, but the result always counts as fractional: the argument of INCRBYFLOAT. */
export function parseFractional(text: string): Decimal | undefined {
  if (text.length > TEXT_LENGTH_MAX) return undefined
  const match = NUMBER.exec(text)
  if (match === null) return undefined
  const whole = match[2] ?? ''
  const fraction = match[3] ?? match[4] ?? ''
  const exponent = match[5] === undefined ? 0 : Number(match[5])
  let units = BigInt(whole + fraction)
  const scale = fraction.length - exponent
  if (units !== 0n) {
    const magnitude = units.toString().length - scale
    if (magnitude > EXPONENT_MAX || magnitude < -EXPONENT_MAX) return undefined
  }
  if (match[1] === '-') units = -units
  return decimal(units, scale, true)
}

/** Brings a decimal to its one form: no trailing zeros in the fraction, no negative scale. */
function decimal(units: bigint, scale: number, fractional: boolean): Decimal {
  if (units === 0n) return new Decimal(0n, 0, fractional)
  if (scale < 0) return new Decimal(units * 10n ** BigInt(-scale), 0, fractional)
  while (scale > 0 && units % 10n === 0n) {
    units /= 10n
    scale--
  }
  return new Decimal(units, scale, fractional)
}

function widen(amount: Amount): Decimal {
  return typeof amount === 'number' ? new Decimal(BigInt(amount), 0, false) : amount
}

export function addAmounts(a: Amount, b: Amount): Amount {
  if (typeof a === 'number' && typeof b === 'number') {
    const sum = a + b
    if (Number.isSafeInteger(sum)) return sum
  }
  const x = widen(a)
  const y = widen(b)
  const scale = Math.max(x.scale, y.scale)
  const units = x.units * 10n ** BigInt(scale - x.scale) + y.units * 10n ** BigInt(scale - y.scale)
  const fractional = x.fractional || y.fractional
  if (!fractional && scale === 0) return integerAmount(units)
  return decimal(units, scale, fractional)
}

export function negateAmount(a: Amount): Amount {
  // 0 - a, not -a: a negative zero would print and encode as something else.
  return typeof a === 'number' ? 0 - a : new Decimal(-a.units, a.scale, a.fractional)
}

/** An integer sum that left the 64-bit range and is shown at its edge. */
export function isSaturated(amount: Amount): boolean {
  return (
    typeof amount !== 'number' && !amount.fractional && (amount.units > INT64_MAX || amount.units < INT64_MIN)
  )
}

/** An integer sum as a read shows it: at most 64 bits. */
export function saturate(value: bigint): bigint {
  if (value > INT64_MAX) return INT64_MAX
  return value < INT64_MIN ? INT64_MIN : value
}

/** The amount as a read shows it. */
export function amountText(amount: Amount): string {
  if (typeof amount === 'number') return String(amount)
  if (!amount.fractional) return String(saturate(amount.units))
  return fractionText(amount)
}

function fractionText(amount: Decimal): string {
  let { units, scale } = amount
  if (scale > FRACTION_DIGITS_MAX) {
    // Half away from zero at the last digit that is shown.
    const step = 10n ** BigInt(scale - FRACTION_DIGITS_MAX)
    const half = step / 2n
    units = (units < 0n ? units - half : units + half) / step
    scale = FRACTION_DIGITS_MAX
  }
  const negative = units < 0n
  const digits = (negative ? -units : units).toString().padStart(scale + 1, '0')
  const whole = digits.slice(0, digits.length - scale)
  const fraction = digits.slice(digits.length - scale).replace(/0+$/, '')
  const text = fraction === '' ? whole : `${whole}.${fraction}`
  return negative && text !== '0' ? `-${text}` : text
}
