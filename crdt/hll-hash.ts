/**
 * hll-hash.ts: which register of a HyperLogLog an element belongs to, and how far it raises it.
 *
 * An element is hashed with MurmurHash64A (Appleby, public domain) and Redis's seed. The low 14 bits of the
 * hash name the register; one more than the number of zeros that the next 50 bits begin with, counted from the
 * low end, is the value. The same element must come to the same place in every region and in Redis.
 *
 * JavaScript has no 64-bit integers that are cheap, so a hash is two 32-bit halves.
 *
 * Source: Flajolet et al., "HyperLogLog", AofA 2007; the choice of bits is that of Redis's `hllPatLen`.
 */

/** 2^14 registers: a standard error of 0.81%. */
export const REGISTER_COUNT = 16384
/** Bits of the hash that are looked at for zeros. */
export const HASH_BITS = 50

const INDEX_BITS = 14
const SEED = 0xadc83b19
const MULTIPLIER_HIGH = 0xc6a4a793
const MULTIPLIER_LOW = 0x5bd1e995
const MULTIPLIER_LOW_HIGH = MULTIPLIER_LOW >>> 16
const MULTIPLIER_LOW_LOW = MULTIPLIER_LOW & 0xffff
const LOW_HALF_BITS = 32 - INDEX_BITS

// The 64-bit word that is being multiplied: a pair as a return value would be an object for each call.
let high = 0
let low = 0

/** Multiplies the word by the constant of the hash, modulo 2^64. */
function multiply(): void {
  const l0 = low & 0xffff
  const l1 = low >>> 16
  const p00 = l0 * MULTIPLIER_LOW_LOW
  const p01 = l0 * MULTIPLIER_LOW_HIGH
  const p10 = l1 * MULTIPLIER_LOW_LOW
  const middle = (p00 >>> 16) + (p01 & 0xffff) + (p10 & 0xffff)
  const carried = l1 * MULTIPLIER_LOW_HIGH + (p01 >>> 16) + (p10 >>> 16) + (middle >>> 16)
  high = (carried + Math.imul(low, MULTIPLIER_HIGH) + Math.imul(high, MULTIPLIER_LOW)) | 0
  low = (middle << 16) | (p00 & 0xffff)
}

/** word ^= word >> 47 */
function fold(): void {
  low ^= high >>> 15
}

function byteAt(word: string, at: number): number {
  return word.charCodeAt(at)
}

function fourBytes(word: string, at: number): number {
  return (
    byteAt(word, at) |
    (byteAt(word, at + 1) << 8) |
    (byteAt(word, at + 2) << 16) |
    (byteAt(word, at + 3) << 24)
  )
}

/** Hashes a word of bytes into `high` and `low`. */
function hash(word: string): void {
  const { length } = word
  high = 0
  low = length | 0
  multiply()
  let hashHigh = high
  let hashLow = low ^ SEED
  const whole = length - (length % 8)
  for (let at = 0; at < whole; at += 8) {
    low = fourBytes(word, at)
    high = fourBytes(word, at + 4)
    multiply()
    fold()
    multiply()
    high ^= hashHigh
    low ^= hashLow
    multiply()
    hashHigh = high
    hashLow = low
  }
  high = hashHigh
  low = hashLow
  for (let at = whole; at < length; at++) {
    const shift = 8 * (at - whole)
    if (shift < 32) low ^= byteAt(word, at) << shift
    else high ^= byteAt(word, at) << (shift - 32)
  }
  if (whole < length) multiply()
  fold()
  multiply()
  fold()
}

/** Zeros that a 32-bit number other than 0 ends with. */
function trailingZeros(bits: number): number {
  return 31 - Math.clz32(bits & -bits)
}

/** A register and a value for it as one number. */
export function packed(index: number, value: number): number {
  return index * 64 + value
}

/** The register, 0 to 16383. */
export function indexOf(raise: number): number {
  return raise >>> 6
}

/** The value, 1 to 51; up to 63 from other writers than PFADD. */
export function levelOf(raise: number): number {
  return raise & 63
}

/** @returns the register of an element and the value it raises it to, packed */
export function raiseOf(element: string): number {
  hash(element)
  const index = low & (REGISTER_COUNT - 1)
  const rest = low >>> INDEX_BITS
  let zeros = HASH_BITS
  if (rest !== 0) zeros = trailingZeros(rest)
  else if (high !== 0) zeros = LOW_HALF_BITS + trailingZeros(high)
  return packed(index, zeros + 1)
}
