/**
 * numbers.ts: how Redis reads, adds and writes the numbers in strings and in the fields of hashes.
 */
import type { Reply } from '../../../region-node/resp/parse-reply.ts'
import { add, decimalText, parseNumber } from '../rational.ts'
import { Refusal, Unsaid } from './plain-data.ts'

const INT64_MAX = 2n ** 63n - 1n
const INT64_MIN = -(2n ** 63n)

/** An integer as the parser of replies reads one. */
export function integer(value: bigint): Reply {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

/**
 * INCRBY and HINCRBY.
 * @param text  what is there; undefined for nothing
 * @throws Refusal  where it is no integer, or the sum is none of 64 bits
 */
export function plusInteger(text: string | undefined, delta: bigint): bigint {
  const { value, isInteger } = parseNumber(text ?? '0') ?? {}
  if (value === undefined || isInteger !== true) throw new Refusal('ERR')
  // Increments of several regions may lie beyond the edge at which a read holds them.
  if (value.over === INT64_MAX || value.over === INT64_MIN) throw new Unsaid()
  const sum = value.over + delta
  if (sum > INT64_MAX || sum < INT64_MIN) throw new Refusal('ERR')
  return sum
}

/** INCRBYFLOAT and HINCRBYFLOAT. @throws Refusal  where what is there is no number */
export function plusFloat(text: string | undefined, delta: string): string {
  const number = parseNumber(text ?? '0')
  if (number === undefined) throw new Refusal('ERR')
  if (number.value.over === INT64_MAX || number.value.over === INT64_MIN) throw new Unsaid()
  return decimalText(add(number.value, parseNumber(delta)!.value))
}
