/**
 * placement-words.ts: numbers, names and times in the words of a command, or a sentence that says what to write.
 */
import { UsageError, type Words } from './words.ts'

/** @throws UsageError */
export function needed(words: Words, option: string, what: string): string {
  const value = words.get(option)
  if (value === undefined) throw new UsageError(`--${option} is missing: ${what}`)
  return value
}

/** @throws UsageError */
export function countIn(words: Words, option: string, max: number, min = 1): number {
  const text = needed(words, option, 'a whole number')
  const count = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (count >= min && count <= max) return count
  throw new UsageError(`--${option} ${text}: it is a whole number from ${min} to ${max}`)
}

const UNITS_MS: Readonly<Record<string, number>> = { s: 1000, min: 60_000, h: 3_600_000 }

/** @throws UsageError */
export function durationIn(words: Words, option: string): number | undefined {
  const text = words.get(option)
  if (text === undefined) return undefined
  const [, count = '', unit = ''] = /^(\d{1,6})(s|min|h)$/.exec(text) ?? []
  if (unit === '') throw new UsageError(`--${option} ${text}: it is a time such as 90s, 10min or 2h`)
  return Number(count) * UNITS_MS[unit]!
}
