/**
 * hostile-input.ts: input that no client would send, from a seed: noise, and commands that were damaged on
 * their way.
 */
import type { Prng } from '../harness/prng.ts'

/** Counts and lengths at and beyond the edges of their types. */
const COUNTS = [
  '-1',
  '-2',
  '-9223372036854775808',
  '0',
  '00',
  '+1',
  '1.5',
  '1e9',
  '2147483647',
  '2147483648',
  '536870911',
  '4294967296',
  '9223372036854775807',
  '18446744073709551616',
  '9'.repeat(70_000),
  '',
  'x',
]
/** What RESP is made of, so that noise gets further than its first byte. */
const ALPHABET = [
  '*',
  '$',
  ':',
  '\r\n',
  '\n',
  '\r',
  '0',
  '1',
  '3',
  '-',
  ' ',
  '"',
  "'",
  '\\x',
  '\x00',
  '\xff',
  'GET',
]
const NOISE_MAX = 4000

/** Bytes that mean nothing, or nearly something. */
export function noise(r: Prng): string {
  const length = r.below(NOISE_MAX)
  if (r.chance(0.5)) return Buffer.from(r.bytes(length)).toString('latin1')
  return Array.from({ length }, () => r.pick(ALPHABET)).join('')
}

/** Encoded commands with a few things wrong in them. */
export function damaged(r: Prng, text: string): string {
  let result = text
  for (let left = r.between(1, 4); left > 0; left--) result = damagedOnce(r, result)
  return result
}

function damagedOnce(r: Prng, text: string): string {
  const at = r.below(text.length + 1)
  const end = Math.min(text.length, at + r.between(1, 30))
  const [before, part, after] = [text.slice(0, at), text.slice(at, end), text.slice(end)]
  switch (r.below(6)) {
    case 0:
      return before + after
    case 1:
      return before + part + part + after
    case 2:
      return before + String.fromCharCode(r.below(256)) + part.slice(1) + after
    case 3:
      return before + noise(r).slice(0, 50) + part + after
    case 4:
      return before
    default:
      return withOtherCount(r, text)
  }
}

/** One header of an array or a bulk says something else. */
function withOtherCount(r: Prng, text: string): string {
  const headers = [...text.matchAll(/[*$]\d+(?=\r\n)/g)]
  if (headers.length === 0) return text
  const { 0: header, index } = r.pick(headers)
  return text.slice(0, index + 1) + r.pick(COUNTS) + text.slice(index + header.length)
}
