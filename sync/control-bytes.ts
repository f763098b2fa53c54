/**
 * control-bytes.ts: checks the MessagePack of a control message before it is decoded.
 *
 * A general decoder trusts the lengths it reads: five bytes can ask it for an array of a billion entries.
 * Anyone who reaches the port may send those five bytes, so a walk without allocation comes first.
 *
 * Allowed are booleans, integers up to 32 bits, 64-bit floats, strings and arrays: what our messages
 * are made of. Invariant: what passes decodes to no more values than it has bytes, nested no deeper
 * than `DEPTH_MAX`, and to plain values only.
 * Source: the MessagePack specification, "Formats".
 */
import { ProtocolViolation } from './reason.ts'

export const DEPTH_MAX = 6

/** @throws ProtocolViolation unless the bytes from `at` on are one allowed value and nothing else */
export function checkControlBytes(bytes: Uint8Array, at: number): void {
  if (endOfValue(bytes, at, 0) !== bytes.length) throw malformed('bytes behind the message')
}

function endOfValue(bytes: Uint8Array, at: number, depth: number): number {
  const form = byteAt(bytes, at)
  const next = at + 1
  if (form <= 0x7f || form >= 0xe0) return next
  if (form >= 0x90 && form <= 0x9f) return endOfArray(bytes, next, form & 15, depth)
  if (form >= 0xa0 && form <= 0xbf) return endOfString(bytes, next, form & 31)
  switch (form) {
    case 0xc2: // false
    case 0xc3: // true
      return next
    case 0xcc: // uint 8
    case 0xd0: // int 8
      return within(bytes, next + 1)
    case 0xcd: // uint 16
    case 0xd1: // int 16
      return within(bytes, next + 2)
    case 0xce: // uint 32
    case 0xd2: // int 32
      return within(bytes, next + 4)
    case 0xcb: // float 64
      return within(bytes, next + 8)
    case 0xd9: // str 8
      return endOfString(bytes, next + 1, bigEndian(bytes, next, 1))
    case 0xda: // str 16
      return endOfString(bytes, next + 2, bigEndian(bytes, next, 2))
    case 0xdb: // str 32
      return endOfString(bytes, next + 4, bigEndian(bytes, next, 4))
    case 0xdc: // array 16
      return endOfArray(bytes, next + 2, bigEndian(bytes, next, 2), depth)
    case 0xdd: // array 32
      return endOfArray(bytes, next + 4, bigEndian(bytes, next, 4), depth)
    default:
      throw malformed(`a value of a form that control messages do not have (0x${form.toString(16)})`)
  }
}

function endOfArray(bytes: Uint8Array, at: number, count: number, depth: number): number {
  if (depth === DEPTH_MAX) throw malformed('values nested too deep')
  // Every value has at least one byte.
  within(bytes, at + count)
  let end = at
  for (let left = count; left > 0; left--) end = endOfValue(bytes, end, depth + 1)
  return end
}

function endOfString(bytes: Uint8Array, at: number, length: number): number {
  return within(bytes, at + length)
}

function bigEndian(bytes: Uint8Array, at: number, width: number): number {
  let value = 0
  for (let i = 0; i < width; i++) value = value * 256 + byteAt(bytes, at + i)
  return value
}

function byteAt(bytes: Uint8Array, at: number): number {
  within(bytes, at + 1)
  return bytes[at]!
}

function within(bytes: Uint8Array, end: number): number {
  if (end > bytes.length) throw malformed('a message that ends too early')
  return end
}

function malformed(sentence: string): ProtocolViolation {
  return new ProtocolViolation('malformed-message', sentence)
}
