/**
 * older-forms.ts: the compact forms of collections that Redis wrote before listpacks, and intsets: read only.
 *
 * - A ziplist holds words, each behind the length of the one before.
 * - A zipmap holds fields and values, each value behind a number of bytes left free.
 * - An intset holds integers of one width, sorted.
 */
import { DecodeError } from '../../crdt/codec/bytes.ts'
import { readInt24 } from './listpack.ts'
import { RdbReader } from './rdb-bytes.ts'

const END = 255
const LONG_LENGTH = 254
/** From here on the length of an entry's predecessor takes four more bytes. */
const LONG_PREVIOUS = 254
const ZIPLIST_HEAD_BYTES = 8

function readZiplistEntry(from: RdbReader): string {
  if (from.byte() >= LONG_PREVIOUS) from.raw(4)
  const first = from.byte()
  switch (first >> 6) {
    case 0:
      return from.characters(first & 63)
    case 1:
      return from.characters(((first & 63) << 8) | from.byte())
    case 2:
      return from.characters(from.view(4).getUint32(0))
  }
  switch (first) {
    case 0xc0:
      return String(from.view(2).getInt16(0, true))
    case 0xd0:
      return String(from.view(4).getInt32(0, true))
    case 0xe0:
      return String(from.view(8).getBigInt64(0, true))
    case 0xf0:
      return String(readInt24(from))
    case 0xfe:
      return String(from.view(1).getInt8(0))
  }
  // A number from 0 to 12 in the low four bits.
  if (first > 0xf0 && first < 0xfe) return String((first & 15) - 1)
  throw new DecodeError(`an unknown entry of a ziplist ${first}`)
}

/** @throws DecodeError */
export function readZiplist(blob: Uint8Array): string[] {
  const from = new RdbReader(blob)
  if (from.u32() !== blob.length) throw new DecodeError('a ziplist of another size than it says')
  from.raw(ZIPLIST_HEAD_BYTES - 4)
  const count = from.view(2).getUint16(0, true)
  const words: string[] = []
  while (from.more && blob[from.at] !== END) words.push(readZiplistEntry(from))
  if (from.byte() !== END || from.more || (count < 65535 && count !== words.length))
    throw new DecodeError('a ziplist of another length than it says')
  return words
}

/** Fields and values in turn. @throws DecodeError */
export function readZipmap(blob: Uint8Array): string[] {
  const from = new RdbReader(blob)
  const pairs: string[] = []
  from.byte()
  for (let first = from.byte(); first !== END; first = from.byte()) {
    pairs.push(from.characters(zipmapLength(first, from)))
    const length = zipmapLength(from.byte(), from)
    const free = from.byte()
    pairs.push(from.characters(length))
    from.raw(free)
  }
  return pairs
}

function zipmapLength(first: number, from: RdbReader): number {
  return first < LONG_LENGTH ? first : from.u32()
}

/** @throws DecodeError */
export function readIntset(blob: Uint8Array): string[] {
  const from = new RdbReader(blob)
  const width = from.u32()
  const count = from.u32()
  if (blob.length !== 8 + width * count) throw new DecodeError('an intset of another size than it says')
  const numbers: string[] = []
  for (let i = 0; i < count; i++) {
    const view = from.view(width)
    if (width === 2) numbers.push(String(view.getInt16(0, true)))
    else if (width === 4) numbers.push(String(view.getInt32(0, true)))
    else if (width === 8) numbers.push(String(view.getBigInt64(0, true)))
    else throw new DecodeError(`an intset of ${width} bytes a number`)
  }
  return numbers
}
