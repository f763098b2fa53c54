/**
 * stream-id.ts: names of stream entries as clients see them: `<milliseconds>-<sequence>`, 64 bits each.
 *
 * A part is a number while that is exact and a bigint beyond, and never both ways: so `===` and `<` work on
 * the two together. Nearly all are numbers, and ordinary comparisons of numbers is what the hot paths do.
 *
 * Invariant: a part is at least 0 and at most 2^64 - 1, and a bigint only above 2^53 - 1.
 * Source: the stream ids of Redis 7.2 (streamGenericParseIDOrReply, string2ull).
 */
import { type ByteReader, type ByteWriter, DecodeError } from './codec/bytes.ts'

/** An unsigned integer of 64 bits. */
export type U64 = number | bigint

export interface StreamId {
  readonly ms: U64
  readonly sequence: U64
}

export const U64_MAX = 2n ** 64n - 1n
const HALF = 2 ** 32
/** High halves below this belong to numbers. */
const HIGH_SAFE = 2 ** 21

export const ID_MIN: StreamId = { ms: 0, sequence: 0 }
export const ID_MAX: StreamId = { ms: U64_MAX, sequence: U64_MAX }

/** < 0 when `a` comes first, 0 for equal ids. */
export function compareIds(a: StreamId, b: StreamId): number {
  if (a.ms !== b.ms) return a.ms < b.ms ? -1 : 1
  if (a.sequence !== b.sequence) return a.sequence < b.sequence ? -1 : 1
  return 0
}

export function idText({ ms, sequence }: StreamId): string {
  return `${ms}-${sequence}`
}

/** Reads what `idText` wrote. */
export function idOfText(text: string): StreamId {
  const dash = text.indexOf('-')
  return { ms: parseU64(text.slice(0, dash))!, sequence: parseU64(text.slice(dash + 1))! }
}

function narrow(wide: bigint): U64 {
  return wide > Number.MAX_SAFE_INTEGER ? wide : Number(wide)
}

/** n + 1; undefined when there is none in 64 bits. */
function above(n: U64): U64 | undefined {
  if (typeof n === 'number' && n < Number.MAX_SAFE_INTEGER) return n + 1
  return n === U64_MAX ? undefined : narrow(BigInt(n) + 1n)
}

/** The id right behind; undefined behind the last one. */
export function nextId({ ms, sequence }: StreamId): StreamId | undefined {
  const next = above(sequence)
  if (next !== undefined) return { ms, sequence: next }
  const nextMs = above(ms)
  return nextMs === undefined ? undefined : { ms: nextMs, sequence: 0 }
}

/** The id right before; undefined before the first one. */
export function previousId({ ms, sequence }: StreamId): StreamId | undefined {
  if (sequence !== 0) return { ms, sequence: below(sequence) }
  return ms === 0 ? undefined : { ms: below(ms), sequence: U64_MAX }
}

function below(n: U64): U64 {
  return typeof n === 'number' ? n - 1 : narrow(n - 1n)
}

/** Sequences of generated ids come in steps of this, one place in each for every region. */
const REGION_STEP = 1024

/**
 * The id that `*` stands for: no other region generates the same one (semantics.md, Stream).
 * @param nowMs  milliseconds since the Unix epoch
 * @param last  the highest id known here
 * @returns undefined when there is none above `last`
 */
export function generatedId(nowMs: number, last: StreamId, region: number): StreamId | undefined {
  if (nowMs > last.ms) return { ms: nowMs, sequence: region }
  const sequence = generatedSequence(last.sequence, region)
  if (sequence !== undefined) return { ms: last.ms, sequence }
  const ms = above(last.ms)
  return ms === undefined ? undefined : { ms, sequence: region }
}

/** The region's first sequence above `last`; undefined when there is none in 64 bits. */
export function generatedSequence(last: U64, region: number): U64 | undefined {
  if (typeof last === 'number' && last < Number.MAX_SAFE_INTEGER - REGION_STEP) {
    const here = Math.floor(last / REGION_STEP) * REGION_STEP + region
    return here > last ? here : here + REGION_STEP
  }
  const wide = BigInt(last)
  const step = BigInt(REGION_STEP)
  const here = (wide / step) * step + BigInt(region)
  const next = here > wide ? here : here + step
  return next > U64_MAX ? undefined : narrow(next)
}

/** What C's strtoull takes for an unsigned integer of ten digits base, as Redis calls it. */
const UNSIGNED = /^[ \t\n\v\f\r]*\+?([0-9]+)$/
/** Most digits that are always a safe integer. */
const SAFE_DIGITS = 15
const U64_DIGITS_MAX = 20

/** One part of an id; undefined when the word is none. */
export function parseU64(word: string): U64 | undefined {
  const digits = UNSIGNED.exec(word)?.[1]
  if (digits === undefined) return undefined
  if (digits.length <= SAFE_DIGITS) return Number(digits)
  const significant = digits.replace(/^0+(?=.)/, '')
  if (significant.length > U64_DIGITS_MAX) return undefined
  const wide = BigInt(significant)
  return wide > U64_MAX ? undefined : narrow(wide)
}

export function encodeId({ ms, sequence }: StreamId, out: ByteWriter): void {
  encodeU64(ms, out)
  encodeU64(sequence, out)
}

export function decodeId(from: ByteReader): StreamId {
  const ms = decodeU64(from)
  return { ms, sequence: decodeU64(from) }
}

/** In two halves, low one first: what is short stays short, and no number is beyond a varint. */
function encodeU64(n: U64, out: ByteWriter): void {
  if (typeof n === 'number') {
    out.varint(n % HALF)
    out.varint(Math.floor(n / HALF))
  } else {
    out.varint(Number(n & 0xffffffffn))
    out.varint(Number(n >> 32n))
  }
}

export function decodeU64(from: ByteReader): U64 {
  const low = from.varint()
  const high = from.varint()
  if (low >= HALF || high >= HALF) throw new DecodeError('a part of a stream id beyond 64 bits')
  return high < HIGH_SAFE ? high * HALF + low : (BigInt(high) << 32n) | BigInt(low)
}
