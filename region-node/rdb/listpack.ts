/**
 * listpack.ts: Redis's compact list of strings and integers, read and written.
 *
 * Six bytes of head (size and number of entries), the entries, a byte 255. An entry is its encoding, its data,
 * and the length of both once more for whoever walks backwards. Integers stand for their decimal text.
 * Source: Sanfilippo and Oshchepkov, "Listpack" specification, github.com/antirez/listpack.
 */
import { DecodeError } from '../../crdt/codec/bytes.ts'
import { RdbReader, RdbWriter } from './rdb-bytes.ts'

const HEAD_BYTES = 6
const END = 255
const COUNT_UNKNOWN = 65535

/** Reads the next entry's text. */
function readEntry(from: RdbReader): string {
  const first = from.byte()
  if (first < 0x80) return String(first)
  if (first < 0xc0) return from.characters(first & 63)
  if (first < 0xe0) return String(((((first & 31) << 8) | from.byte()) << 19) >> 19)
  if (first < 0xf0) return from.characters(((first & 15) << 8) | from.byte())
  switch (first) {
    case 0xf0:
      return from.characters(from.u32())
    case 0xf1:
      return String(from.view(2).getInt16(0, true))
    case 0xf2:
      return String(readInt24(from))
    case 0xf3:
      return String(from.view(4).getInt32(0, true))
    case 0xf4:
      return String(from.view(8).getBigInt64(0, true))
    default:
      throw new DecodeError(`an unknown entry of a listpack ${first}`)
  }
}

/** Three bytes, low one first, with a sign. */
export function readInt24(from: RdbReader): number {
  const bytes = from.raw(3)
  return ((bytes[0]! << 8) | (bytes[1]! << 16) | (bytes[2]! << 24)) >> 8
}

/** How many bytes the length of an entry takes behind it. */
function backLengthBytes(length: number): number {
  if (length <= 127) return 1
  if (length < 16383) return 2
  if (length < 2097151) return 3
  return length < 268435455 ? 4 : 5
}

/** The entries as words. @throws DecodeError */
export function readListpack(blob: Uint8Array): string[] {
  const from = new RdbReader(blob)
  if (from.u32() !== blob.length) throw new DecodeError('a listpack of another size than it says')
  const count = from.view(2).getUint16(0, true)
  const words: string[] = []
  for (let start = from.at; blob[start] !== END; start = from.at) {
    words.push(readEntry(from))
    from.raw(backLengthBytes(from.at - start))
  }
  if (from.at + 1 !== blob.length || (count !== COUNT_UNKNOWN && count !== words.length))
    throw new DecodeError('a listpack of another length than it says')
  return words
}

/** Makes a listpack of words and of integers. */
export class ListpackWriter {
  readonly #out = new RdbWriter()
  #count = 0

  constructor() {
    for (let i = 0; i < HEAD_BYTES; i++) this.#out.byte(0)
  }

  word(word: string): void {
    const out = this.#out
    const begin = out.at
    if (word.length < 64) {
      out.byte(0x80 | word.length)
    } else if (word.length < 4096) {
      out.byte(0xe0 | (word.length >> 8))
      out.byte(word.length & 255)
    } else {
      out.byte(0xf0)
      out.u32(word.length)
    }
    out.characters(word)
    this.#endEntry(begin)
  }

  /** An integer of at most 64 bits with its sign. */
  integer(value: number | bigint): void {
    const out = this.#out
    const begin = out.at
    if (value >= 0 && value < 0x80) {
      out.byte(Number(value))
    } else {
      out.byte(0xf4)
      out.wide(BigInt(value), true)
    }
    this.#endEntry(begin)
  }

  #endEntry(begin: number): void {
    this.#count++
    // High bits first, bit 7 set on all but the first, so that it can be read backwards.
    const length = this.#out.at - begin
    const bytes = backLengthBytes(length)
    for (let left = bytes - 1; left >= 0; left--)
      this.#out.byte((Math.floor(length / 2 ** (7 * left)) & 127) | (left === bytes - 1 ? 0 : 128))
  }

  finish(): Uint8Array {
    const out = this.#out
    out.byte(END)
    const bytes = out.bytes.slice(0, out.at)
    const head = new DataView(bytes.buffer)
    head.setUint32(0, bytes.length, true)
    head.setUint16(4, Math.min(this.#count, COUNT_UNKNOWN), true)
    return bytes
  }
}
