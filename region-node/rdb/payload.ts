/**
 * payload.ts: what DUMP answers and RESTORE takes: a value, the version of the format, and a checksum.
 *
 * The version is two bytes, low one first, and the checksum is a CRC-64 of everything before it.
 */
import { DecodeError, type Latin1 } from '../../crdt/codec/bytes.ts'
import { crc64 } from './crc64.ts'
import { RdbReader, RdbWriter } from './rdb-bytes.ts'
import { type RdbValue, readValue, writeValue } from './values.ts'

/** Redis 7.0's: what is written needs nothing newer, and a Redis refuses what is newer than itself. */
const VERSION_WRITTEN = 10
/** Redis 7.2's. */
const VERSION_MAX = 11
const VERSION_BYTES = 2
const CHECKSUM_BYTES = 8

/** @returns the payload, one character a byte */
export function payloadOf(value: RdbValue, latin1: Latin1): string {
  const out = new RdbWriter(latin1)
  writeValue(value, out)
  return sealPayload(out, latin1)
}

/** Ends a payload with version and checksum. @returns all of it, one character a byte */
export function sealPayload(out: RdbWriter, latin1: Latin1): string {
  out.littleEndian(VERSION_WRITTEN, VERSION_BYTES)
  out.raw(crc64(out.bytes, out.at))
  return latin1.read(out.bytes, 0, out.at)
}

/**
 * The part of a payload that is a value.
 * @returns undefined when its version is too new or its checksum is wrong
 */
export function openPayload(payload: string, latin1: Latin1): RdbReader | undefined {
  const bytes = new Uint8Array(payload.length)
  latin1.write(bytes, payload, 0)
  const checksumAt = bytes.length - CHECKSUM_BYTES
  const valueEnd = checksumAt - VERSION_BYTES
  if (valueEnd < 0) return undefined
  const version = bytes[valueEnd]! | (bytes[valueEnd + 1]! << 8)
  const checksum = crc64(bytes, checksumAt)
  if (version > VERSION_MAX || checksum.some((byte, i) => byte !== bytes[checksumAt + i])) return undefined
  return new RdbReader(bytes, latin1, 0, valueEnd)
}

/** @returns undefined when the bytes are no value */
export function valueIn(from: RdbReader): RdbValue | undefined {
  try {
    const value = readValue(from)
    return from.more ? undefined : value
  } catch (error) {
    if (error instanceof DecodeError) return undefined
    throw error
  }
}
