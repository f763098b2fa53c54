/**
 * floats.ts: doubles out of the words of a command: scores, bounds, distances, timeouts.
 *
 * Redis reads them with C's strtod. Here the decimal forms and the infinities count; its hexadecimal form is
 * no number, as everywhere in this version.
 */
import { type CommandError, errors } from '../errors.ts'

const DECIMAL = /^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?$/i
const INFINITE = /^([+-]?)inf(?:inity)?$/i
const HAS_DIGIT = /[1-9]/
const LEADING_SPACE = /^[ \t\n\v\f\r]+/

/** As strtod: what is too large is infinite, what is too small is 0; undefined for what is no number. */
function readDouble(text: string): number | undefined {
  if (DECIMAL.test(text)) return Number(text)
  const infinite = INFINITE.exec(text)
  if (infinite === null) return undefined
  return infinite[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
}

/**
 * A score, a weight, a coordinate: never NaN. What a double cannot hold is none, unless it says infinity.
 * @throws CommandError
 */
export function parseDouble(word: string, otherwise: CommandError = errors.notFloat): number {
  const value = readDouble(word)
  if (value === undefined) throw otherwise
  const isLost = value === 0 || !Number.isFinite(value)
  if (isLost && !INFINITE.test(word) && (value !== 0 || HAS_DIGIT.test(word.replace(/e.*/i, ''))))
    throw otherwise
  return value
}

/** The end of a range, which is read with less care: space in front is skipped, nothing at all is 0. */
export function readBound(word: string): number | undefined {
  const end = word.indexOf('\0')
  const text = (end < 0 ? word : word.slice(0, end)).replace(LEADING_SPACE, '')
  if (text === '') return end === 0 || word === '' ? 0 : undefined
  return readDouble(text)
}

const LONG_MAX = 2 ** 63

/**
 * Seconds, in full or in part, that a client waits at most; 0: for ever.
 * @returns milliseconds, rounded up
 * @throws CommandError
 */
export function parseBlockTimeout(word: string): number {
  const seconds = parseDouble(word, errors.timeoutNotFloat)
  const timeoutMs = Math.ceil(seconds * 1000)
  if (timeoutMs >= LONG_MAX) throw errors.timeoutTooLarge
  if (timeoutMs < 0) throw errors.negativeTimeout
  return timeoutMs
}
