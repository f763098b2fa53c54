/**
 * crc32c.ts: the Castagnoli checksum that guards every batch on disk and wire.
 *
 * Table-driven, four bytes a step (Intel's slicing-by-4). Source: RFC 3720, appendix B.4.
 */
const POLYNOMIAL = 0x82f63b78

const tables: Int32Array[] = makeTables()

function makeTables(): Int32Array[] {
  const first = new Int32Array(256)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1
    first[byte] = crc
  }
  const all = [first]
  for (let step = 1; step < 4; step++) {
    const previous = all[step - 1]!
    all.push(previous.map((crc) => (crc >>> 8) ^ first[crc & 255]!))
  }
  return all
}

/** @returns the checksum as an unsigned 32-bit number */
export function crc32c(bytes: Uint8Array, start: number, end: number): number {
  const [t0, t1, t2, t3] = tables as [Int32Array, Int32Array, Int32Array, Int32Array]
  let crc = -1
  let at = start
  for (; at + 4 <= end; at += 4) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
    crc = t3[crc & 255]! ^ t2[(crc >>> 8) & 255]! ^ t1[(crc >>> 16) & 255]! ^ t0[crc >>> 24]!
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ t0[(crc ^ bytes[at]!) & 255]!
  return ~crc >>> 0
}
