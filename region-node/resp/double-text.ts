/**
 * double-text.ts: a double as Redis prints it.
 *
 * The digits are the shortest that read back as the same number, which JavaScript finds too; where
 * the point stands, and when an exponent is used, differs: JavaScript writes 1e20 in full and Redis
 * as 1e+20, 1.5e-6 is 0.0000015 here and an exponent there.
 *
 * Source: Redis 7.2, d2string in util.c and emit_digits in deps/fpconv/fpconv_dtoa.c.
 */

/** Doubles beyond this are not printed as integers digit by digit: half the range of 64 bits. */
const INTEGER_MAX = 2 ** 62

export function doubleText(value: number): string {
  if (Number.isSafeInteger(value)) return Object.is(value, -0) ? '-0' : String(value)
  if (Number.isNaN(value)) return 'nan'
  if (value === Number.POSITIVE_INFINITY) return 'inf'
  if (value === Number.NEGATIVE_INFINITY) return '-inf'
  if (Number.isInteger(value) && Math.abs(value) <= INTEGER_MAX) return BigInt(value).toString()
  return value < 0 ? `-${shortest(-value)}` : shortest(value)
}

/** A positive number: its digits d and the exponent k for which it is d * 10^k. */
function shortest(value: number): string {
  const [mantissa, exponentText] = value.toExponential().split('e') as [string, string]
  const digits = mantissa.replace('.', '')
  const exponent = Number(exponentText)
  const k = exponent - digits.length + 1
  if (k >= 0 && Math.abs(exponent) < digits.length + 7) return digits + '0'.repeat(k)
  if (k < 0 && (k > -7 || Math.abs(exponent) < 4)) {
    const point = digits.length + k
    return point <= 0
      ? `0.${'0'.repeat(-point)}${digits}`
      : `${digits.slice(0, point)}.${digits.slice(point)}`
  }
  return `${mantissa}e${exponent < 0 ? '-' : '+'}${Math.abs(exponent)}`
}
