/**
 * parse.ts: numbers and moments out of the words of a command.
 *
 * Integers are 64 bits wide and exact: a number while it is safe to be one, a bigint beyond. Only
 * Redis's strict form is one: no `+`, no leading zeros, no spaces.
 *
 * Invariant: a deadline is at least 0 and at most DEADLINE_MS_MAX, the largest integer the op codec
 * carries; Redis's own range ends some 292 million years later, and what lies between is cut to it.
 */
import { type Decimal, parseFractional, parseInteger } from '../../crdt/amount.ts'
import { type CommandError, commandError, errors } from '../errors.ts'

/** In the year 287396. The codec adds one to a deadline, and must stay a safe integer with it. */
export const DEADLINE_MS_MAX = Number.MAX_SAFE_INTEGER - 1

const INT64_MAX = 2n ** 63n - 1n
const INT64_MIN = -(2n ** 63n)
/** Most digits, a sign included, that are always a safe integer. */
const SAFE_LENGTH = 15
const DASH = 45
const ZERO = 48

/** A 64-bit integer; undefined for anything else. */
export function readInt64(word: string): number | bigint | undefined {
  const { length } = word
  // Twice as fast as the regular expression behind parseInteger, and nearly all integers are short.
  if (length > SAFE_LENGTH || length === 0) return parseInteger(word)
  const isNegative = word.charCodeAt(0) === DASH
  let at = isNegative ? 1 : 0
  if (at === length) return undefined
  let value = word.charCodeAt(at) - ZERO
  if (value === 0) return length === 1 ? 0 : undefined
  if (value < 0 || value > 9) return undefined
  for (at++; at < length; at++) {
    const digit = word.charCodeAt(at) - ZERO
    if (digit < 0 || digit > 9) return undefined
    value = value * 10 + digit
  }
  return isNegative ? -value : value
}

/** Same. @throws CommandError `otherwise` when the word is no 64-bit integer */
export function parseInt64(word: string, otherwise: CommandError = errors.notInteger): number | bigint {
  const value = readInt64(word)
  if (value === undefined) throw otherwise
  return value
}

/**
 * A 64-bit integer of which only the order of magnitude matters past 2^53: a count, an index, a timeout.
 * @throws CommandError
 */
export function parseCount(word: string, otherwise: CommandError = errors.notInteger): number {
  return Number(parseInt64(word, otherwise))
}

/** A 64-bit integer between two bounds, both included. @throws CommandError */
export function parseWithin(word: string, low: bigint, high: bigint): number | bigint {
  const value = parseInt64(word)
  if (value < low || value > high) {
    throw commandError(`ERR value is out of range, value must between ${low} and ${high}`)
  }
  return value
}

const INFINITE = /^[+-]?inf(inity)?$/i

/**
 * A decimal for INCRBYFLOAT and HINCRBYFLOAT, exact.
 * @throws CommandError `infinite` for an infinity, `otherwise` for what is no number at all
 */
export function parseDecimal(word: string, infinite: CommandError, otherwise: CommandError): Decimal {
  const decimal = parseFractional(word)
  if (decimal !== undefined) return decimal
  throw INFINITE.test(word) ? infinite : otherwise
}

/** a + b; undefined when it leaves the 64-bit range. */
export function addInt64(a: number | bigint, b: number | bigint): number | bigint | undefined {
  if (typeof a === 'number' && typeof b === 'number') {
    const sum = a + b
    if (Number.isSafeInteger(sum)) return sum
  }
  const sum = BigInt(a) + BigInt(b)
  if (sum > INT64_MAX || sum < INT64_MIN) return undefined
  const narrow = Number(sum)
  return Number.isSafeInteger(narrow) ? narrow : sum
}

/** What an expiry option counts, and from when. */
export interface ExpiryUnit {
  readonly unitMs: 1 | 1000
  /** Counted from now, not from 1970. */
  readonly isRelative: boolean
}

export const SECONDS: ExpiryUnit = { unitMs: 1000, isRelative: true }
export const MILLISECONDS: ExpiryUnit = { unitMs: 1, isRelative: true }
export const UNIX_SECONDS: ExpiryUnit = { unitMs: 1000, isRelative: false }
export const UNIX_MILLISECONDS: ExpiryUnit = { unitMs: 1, isRelative: false }

/**
 * The moment that `value` units stand for, milliseconds since the Unix epoch; it may be negative.
 * Undefined when Redis would overflow on the way.
 */
export function momentAt(value: number | bigint, unit: ExpiryUnit, nowMs: number): number | undefined {
  const base = unit.isRelative ? nowMs : 0
  if (typeof value === 'number') {
    const moment = value * unit.unitMs + base
    if (Number.isSafeInteger(moment)) return Math.min(moment, DEADLINE_MS_MAX)
  }
  const moment = BigInt(value) * BigInt(unit.unitMs) + BigInt(Math.trunc(base))
  if (moment > INT64_MAX || moment < INT64_MIN) return undefined
  return Math.min(Number(moment), DEADLINE_MS_MAX)
}

/**
 * The deadline that SET, SETEX and GETEX are given, milliseconds since the Unix epoch.
 * @param command  full name, for the error
 * @throws CommandError when the word is no integer, not positive, or too large
 */
export function parseDeadline(word: string, unit: ExpiryUnit, nowMs: number, command: string): number {
  const value = parseInt64(word)
  const moment = value > 0 ? momentAt(value, unit, nowMs) : undefined
  if (moment === undefined) throw errors.invalidExpire(command)
  return moment
}

/** The expiry options of SET and GETEX by name. */
const EXPIRY_OPTIONS: Readonly<Record<string, ExpiryUnit>> = {
  ex: SECONDS,
  px: MILLISECONDS,
  exat: UNIX_SECONDS,
  pxat: UNIX_MILLISECONDS,
}

/** @param option  lower case */
export function expiryUnit(option: string): ExpiryUnit | undefined {
  return Object.hasOwn(EXPIRY_OPTIONS, option) ? EXPIRY_OPTIONS[option] : undefined
}
