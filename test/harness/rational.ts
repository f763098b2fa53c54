/**
 * rational.ts: fractions of BigInts, for what the oracle says about numbers.
 *
 * Deliberately not how `crdt/amount.ts` does it (scaled integers, plain numbers where they fit): two ways
 * to one text find the mistakes of both. Exact and slow.
 */
export interface Rational {
  readonly over: bigint
  /** Positive; shares no factor with `over`. */
  readonly under: bigint
}

export const ZERO: Rational = { over: 0n, under: 1n }

const INT64_EDGE = 2n ** 63n
const DIGITS_SHOWN = 17
/** Beyond these a long double has no number for the text. */
const MAGNITUDE_MAX = 4932

function greatestDivisor(a: bigint, b: bigint): bigint {
  return b === 0n ? a : greatestDivisor(b, a % b)
}

export function rational(over: bigint, under = 1n): Rational {
  const divisor = greatestDivisor(over < 0n ? -over : over, under)
  return { over: over / divisor, under: under / divisor }
}

export function add(a: Rational, b: Rational): Rational {
  return rational(a.over * b.under + b.over * a.under, a.under * b.under)
}

/** `units` times ten to the power of `-scale`. */
export function scaled(units: bigint, scale: number): Rational {
  return scale < 0 ? rational(units * 10n ** BigInt(-scale)) : rational(units, 10n ** BigInt(scale))
}

/** A number as Redis reads one: `isInteger` for a 64-bit integer in its one strict form. */
export function parseNumber(
  text: string,
): { readonly value: Rational; readonly isInteger: boolean } | undefined {
  if (/^(0|-?[1-9][0-9]{0,18})$/.test(text)) {
    const value = BigInt(text)
    if (value < INT64_EDGE && value >= -INT64_EDGE) return { value: rational(value), isInteger: true }
  }
  const parts = /^([+-]?)([0-9]*)\.?([0-9]*)(?:e([+-]?[0-9]{1,6}))?$/i.exec(text)
  if (parts === null) return undefined
  const [, sign, whole, fraction, exponent] = parts
  const digits = `${whole}${fraction}`
  if (digits === '') return undefined
  const shift = Number(exponent ?? 0)
  const units = BigInt(digits)
  const magnitude = units.toString().length - fraction!.length + shift
  if (units !== 0n && Math.abs(magnitude) > MAGNITUDE_MAX) return undefined
  const value = scaled(sign === '-' ? -units : units, fraction!.length - (units === 0n ? 0 : shift))
  return { value, isInteger: false }
}

/** A whole number held at the edges of 64 bits. */
export function integerText({ over }: Rational): string {
  if (over >= INT64_EDGE) return String(INT64_EDGE - 1n)
  return String(over < -INT64_EDGE ? -INT64_EDGE : over)
}

/** At most 17 digits behind the point, the last one rounded half away from zero; no zeros at the end. */
export function decimalText({ over, under }: Rational): string {
  const size = over < 0n ? -over : over
  const shifted = (size * 10n ** BigInt(DIGITS_SHOWN) * 2n + under) / (under * 2n)
  const padded = shifted.toString().padStart(DIGITS_SHOWN + 1, '0')
  const text = `${padded.slice(0, -DIGITS_SHOWN)}.${padded.slice(-DIGITS_SHOWN)}`.replace(/\.?0+$/, '')
  return over < 0n && shifted !== 0n ? `-${text}` : text
}
