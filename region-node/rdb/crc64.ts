/**
 * crc64.ts: the checksum at the end of a serialised value: CRC-64 with the Jones polynomial, reflected, from 0.
 *
 * JavaScript has no cheap 64-bit integers, so the register and the table are pairs of 32-bit halves.
 */
const POLYNOMIAL_HIGH = 0x95ac9329
const POLYNOMIAL_LOW = 0xac4bc9b5

const tableHigh = new Uint32Array(256)
const tableLow = new Uint32Array(256)
for (let byte = 0; byte < 256; byte++) {
  let high = 0
  let low = byte
  for (let bit = 0; bit < 8; bit++) {
    const isOdd = (low & 1) === 1
    low = (low >>> 1) | (high << 31)
    high >>>= 1
    if (isOdd) {
      high ^= POLYNOMIAL_HIGH
      low ^= POLYNOMIAL_LOW
    }
  }
  tableHigh[byte] = high
  tableLow[byte] = low
}

/** @returns the checksum of the first `length` bytes, as it stands in a payload: eight bytes, low one first */
export function crc64(bytes: Uint8Array, length: number): Uint8Array {
  let high = 0
  let low = 0
  for (let i = 0; i < length; i++) {
    const at = (low ^ bytes[i]!) & 255
    low = ((low >>> 8) | (high << 24)) ^ tableLow[at]!
    high = (high >>> 8) ^ tableHigh[at]!
  }
  const checksum = new Uint8Array(8)
  for (let i = 0; i < 4; i++) {
    checksum[i] = low >>> (8 * i)
    checksum[i + 4] = high >>> (8 * i)
  }
  return checksum
}
