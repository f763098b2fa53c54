/**
 * values.test.ts: shapes of values that a redis-server of today reads and no longer writes, byte by byte; and
 * damaged bytes, which are refused and never break anything.
 */
import { describe, expect, it } from 'vitest'
import { DecodeError } from '../../../../crdt/codec/bytes.ts'
import { RdbReader } from '../../../../region-node/rdb/rdb-bytes.ts'
import { type RdbValue, readValue } from '../../../../region-node/rdb/values.ts'
import { Prng } from '../../../harness/prng.ts'

function bytesOf(text: string): number[] {
  return Array.from(text, (character) => character.charCodeAt(0))
}

function u16(value: number): number[] {
  return [value & 255, value >> 8]
}

function u32(value: number): number[] {
  return [...u16(value & 65535), ...u16(value >>> 16)]
}

/** A string of at most 63 bytes. */
function blob(bytes: readonly number[]): number[] {
  return [bytes.length, ...bytes]
}

/** Entries are given as their encoding and data; the length of the one before is put in front of each. */
function ziplist(...entries: number[][]): number[] {
  let previous = 0
  let tail = 10
  const body: number[] = []
  for (const entry of entries) {
    tail = 10 + body.length
    body.push(previous, ...entry)
    previous = entry.length + 1
  }
  return [...u32(body.length + 11), ...u32(tail), ...u16(entries.length), ...body, 255]
}

function short(text: string): number[] {
  return [text.length, ...bytesOf(text)]
}

function read(bytes: readonly number[]): RdbValue {
  return readValue(new RdbReader(Uint8Array.from(bytes)))
}

const ZIPLIST_NUMBERS = ziplist(
  short('a'),
  [0xf1],
  [0xfd],
  [0xfe, 0x80],
  [0xc0, 0, 0x80],
  [0xf0, 0xff, 0xff, 0x7f],
  [0xd0, 0xff, 0xff, 0xff, 0xff],
  [0xe0, 0, 0, 0, 0, 0, 0, 0, 0x80],
  [0x40, 2, ...bytesOf('hi')],
  [0x80, 0, 0, 0, 3, ...bytesOf('you')],
)
const AS_TEXTS = ['a', '0', '12', '-128', '-32768', '8388607', '-1', '-9223372036854775808', 'hi', 'you']

const readable: { readonly [name: string]: readonly [readonly number[], RdbValue] } = {
  'a list as a ziplist': [[10, ...blob(ZIPLIST_NUMBERS)], { type: 'list', elements: AS_TEXTS }],
  'a list as a list of ziplists': [
    [14, 2, ...blob(ziplist(short('x'))), ...blob(ziplist(short('y'), [0xf3]))],
    { type: 'list', elements: ['x', 'y', '2'] },
  ],
  'a hash as a ziplist': [[13, ...blob(ziplist(short('f'), [0xf2]))], { type: 'hash', pairs: ['f', '1'] }],
  'a sorted set as a ziplist': [
    [12, ...blob(ziplist(short('m'), short('1.5'), short('n'), short('-inf')))],
    { type: 'zset', members: ['m', 'n'], scores: [1.5, Number.NEGATIVE_INFINITY] },
  ],
  'a hash as a zipmap': [
    [9, ...blob([2, 1, ...bytesOf('f'), 2, 1, ...bytesOf('vw'), 0, 0, 1, 0, ...bytesOf('x'), 255])],
    { type: 'hash', pairs: ['f', 'vw', '', 'x'] },
  ],
  'a set as an intset of four bytes a number': [
    [11, ...blob([...u32(4), ...u32(2), ...u32(0xffffffff), ...u32(70_000)])],
    { type: 'set', members: ['-1', '70000'] },
  ],
  'a sorted set with scores as text': [
    [3, 3, ...short('a'), ...short('2.5'), ...short('b'), 254, ...short('c'), 255],
    {
      type: 'zset',
      members: ['a', 'b', 'c'],
      scores: [2.5, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
    },
  ],
  'a set as a listpack': [
    [20, ...blob([...u32(12), ...u16(2), 0x81, 97, 2, 7, 1, 255])],
    { type: 'set', members: ['a', '7'] },
  ],
  'a packed string': [
    [0, 0xc3, 7, 12, 2, ...bytesOf('abc'), 0xe0, 0, 2],
    { type: 'string', text: 'abcabcabcabc' },
  ],
}

describe('a value is read', () => {
  for (const [name, [bytes, value]] of Object.entries(readable)) {
    it(`from ${name}`, () => {
      expect(read(bytes)).toEqual(value)
    })
  }
})

describe('a damaged value', () => {
  it('is refused with a DecodeError, or means something else, and breaks nothing', () => {
    const prng = new Prng(11)
    for (const [bytes] of Object.values(readable)) {
      for (let round = 0; round < 400; round++) {
        const changed = [...bytes.slice(0, prng.chance(0.3) ? prng.below(bytes.length) : undefined)]
        for (let i = 0; i < 3; i++)
          if (changed.length > 0) changed[prng.below(changed.length)] = prng.below(256)
        try {
          read(changed)
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError)
        }
      }
    }
  })
})
