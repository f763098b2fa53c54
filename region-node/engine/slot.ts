/**
 * slot.ts: which of the 16384 slots a key belongs to.
 *
 * CRC16 (XMODEM) of the key, or of its `{tag}`: the first `{` with a `}` behind it and something between.
 * Source: Redis Cluster specification, "Key distribution model".
 */
export const SLOT_COUNT = 16384

/** The CRC of every single byte. */
export const crcOfByte = new Uint16Array(256)
for (let byte = 0; byte < 256; byte++) {
  let crc = byte << 8
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1
  crcOfByte[byte] = crc
}

/** The CRC of every byte with a zero behind it. With `crcOfByte` two bytes are taken in one step: CRCs add up. */
export const crcOfByteAndZero = crcOfByte.map((crc) => (crc << 8) ^ crcOfByte[crc >>> 8]!)

export function slotOf(key: string): number {
  let start = 0
  let end = key.length
  const open = key.indexOf('{')
  if (open >= 0) {
    const close = key.indexOf('}', open + 1)
    if (close > open + 1) {
      start = open + 1
      end = close
    }
  }
  let crc = 0
  for (let i = start; i < end; i++) crc = ((crc << 8) & 0xffff) ^ crcOfByte[(crc >>> 8) ^ key.charCodeAt(i)]!
  return crc & (SLOT_COUNT - 1)
}
