/**
 * doubles.ts: doubles and exact sums of them, to bytes and back. See FORMAT.md beside this file.
 *
 * Most scores are small integers, which take a few bytes; any other double takes its eight.
 * Invariant: what is read is a double that is neither NaN nor -0, or an exact sum in its one form.
 */
import { Dyadic, type ExactSum, narrow } from '../exact-sum.ts'
import { type ByteReader, type ByteWriter, DecodeError } from './bytes.ts'

/** First byte. Bit 7: the integer or the mantissa is negative. */
const KIND = { INTEGER: 0, DOUBLE: 1, DYADIC: 2 } as const
const NEGATIVE = 128
/** Above it a varint takes no less than a double. */
const INTEGER_MAX = 2 ** 49
const DOUBLE_BYTES = 8
/** A sum of doubles has no bits beyond these, however many are added up. */
const EXPONENT_MIN = -1074
const EXPONENT_MAX = 1100
const MANTISSA_DIGITS_MAX = 700

const scratch = new Uint8Array(DOUBLE_BYTES)
const view = new DataView(scratch.buffer)

/** @param value  neither NaN nor -0 */
export function encodeDouble(value: number, out: ByteWriter): void {
  const size = Math.abs(value)
  if (size < INTEGER_MAX && Number.isInteger(value)) {
    out.byte(value < 0 ? KIND.INTEGER | NEGATIVE : KIND.INTEGER)
    out.varint(size)
    return
  }
  out.byte(KIND.DOUBLE)
  view.setFloat64(0, value, true)
  out.raw(scratch)
}

/** @throws DecodeError */
export function decodeDouble(from: ByteReader): number {
  return doubleOf(from.byte(), from)
}

function doubleOf(kind: number, from: ByteReader): number {
  if ((kind & ~NEGATIVE) === KIND.INTEGER) {
    const size = from.varint()
    return kind === KIND.INTEGER ? size : 0 - size
  }
  if (kind !== KIND.DOUBLE) throw new DecodeError(`a double of an unknown kind ${kind}`)
  scratch.set(from.raw(DOUBLE_BYTES))
  const value = view.getFloat64(0, true)
  if (Number.isNaN(value) || Object.is(value, -0)) throw new DecodeError('a double that is no score')
  return value
}

export function encodeExact(sum: ExactSum, out: ByteWriter): void {
  if (typeof sum === 'number') {
    encodeDouble(sum, out)
    return
  }
  const { mantissa, exponent, infinities } = sum
  out.byte(mantissa < 0n ? KIND.DYADIC | NEGATIVE : KIND.DYADIC)
  out.word((mantissa < 0n ? -mantissa : mantissa).toString(16))
  out.varint(exponent - EXPONENT_MIN)
  encodeDouble(infinities, out)
}

/** @throws DecodeError */
export function decodeExact(from: ByteReader): ExactSum {
  const kind = from.byte()
  if ((kind & ~NEGATIVE) !== KIND.DYADIC) {
    const value = doubleOf(kind, from)
    if (!Number.isFinite(value)) throw new DecodeError('an exact sum counts its infinities')
    return value
  }
  const digits = from.word()
  if (digits.length > MANTISSA_DIGITS_MAX || !/^[0-9a-f]+$/.test(digits))
    throw new DecodeError('not the digits of an exact sum')
  const exponent = from.varint() + EXPONENT_MIN
  const infinities = decodeDouble(from)
  if (exponent > EXPONENT_MAX || !Number.isSafeInteger(infinities))
    throw new DecodeError('an exact sum beyond what doubles can add up to')
  const magnitude = BigInt(`0x${digits}`)
  const sum = narrow(kind === KIND.DYADIC ? magnitude : -magnitude, exponent, infinities)
  if (!(sum instanceof Dyadic)) throw new DecodeError('an exact sum that a double holds')
  return sum
}
