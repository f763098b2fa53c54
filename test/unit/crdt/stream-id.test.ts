/**
 * stream-id.test.ts: ids of 64 bits in numbers and bigints: order, neighbours, texts, bytes, and the ids that
 * regions make.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ByteReader, ByteWriter, DecodeError } from '../../../crdt/codec/bytes.ts'
import {
  compareIds,
  decodeId,
  encodeId,
  generatedId,
  generatedSequence,
  ID_MAX,
  ID_MIN,
  idOfText,
  idText,
  nextId,
  parseU64,
  previousId,
  type StreamId,
  type U64,
  U64_MAX,
} from '../../../crdt/stream-id.ts'

const SAFE = BigInt(Number.MAX_SAFE_INTEGER)
const narrow = (wide: bigint): U64 => (wide > SAFE ? wide : Number(wide))
const part = fc
  .oneof(
    fc.bigInt({ min: 0n, max: U64_MAX }),
    fc.bigInt({ min: 0n, max: 5n }),
    fc.bigInt({ min: SAFE - 3n, max: SAFE + 3n }),
    fc.bigInt({ min: U64_MAX - 3n, max: U64_MAX }),
  )
  .map(narrow)
const id: fc.Arbitrary<StreamId> = fc.record({ ms: part, sequence: part })
const whole = ({ ms, sequence }: StreamId): bigint => BigInt(ms) * 2n ** 64n + BigInt(sequence)

describe('ids', () => {
  it('are ordered as the numbers they stand for', () => {
    fc.assert(
      fc.property(id, id, (a, b) => {
        const difference = whole(a) - whole(b)
        expect(Math.sign(compareIds(a, b))).toBe(difference < 0n ? -1 : Number(difference > 0n))
      }),
    )
  })

  it('have the neighbours of those numbers, and none beyond the ends', () => {
    fc.assert(
      fc.property(id, (one) => {
        const next = nextId(one)
        const previous = previousId(one)
        expect(next === undefined ? undefined : whole(next)).toBe(
          whole(one) === whole(ID_MAX) ? undefined : whole(one) + 1n,
        )
        expect(previous === undefined ? undefined : whole(previous)).toBe(
          whole(one) === 0n ? undefined : whole(one) - 1n,
        )
      }),
    )
    expect(nextId(ID_MAX)).toBeUndefined()
    expect(previousId(ID_MIN)).toBeUndefined()
  })

  it('come back from their text and from their bytes in the one form there is', () => {
    fc.assert(
      fc.property(id, (one) => {
        expect(idOfText(idText(one))).toEqual(one)
        const out = new ByteWriter()
        encodeId(one, out)
        expect(decodeId(new ByteReader(out.bytes, undefined, 0, out.at))).toEqual(one)
      }),
    )
  })

  it('beyond 64 bits are refused by the decoder', () => {
    const out = new ByteWriter()
    out.varint(2 ** 32)
    out.varint(0)
    expect(() => decodeId(new ByteReader(out.bytes, undefined, 0, out.at))).toThrow(DecodeError)
  })
})

describe('a part of an id', () => {
  it.each([
    ['0', 0],
    ['00017', 17],
    ['+5', 5],
    [' 5', 5],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
    ['9007199254740992', 2n ** 53n],
    ['18446744073709551615', U64_MAX],
    ['000018446744073709551615', U64_MAX],
    ['18446744073709551616', undefined],
    ['-1', undefined],
    ['', undefined],
    ['1 ', undefined],
    ['0x1', undefined],
  ])('%j is read as C reads it', (word, value) => {
    expect(parseU64(word)).toBe(value)
  })
})

describe('the ids that a region makes', () => {
  it('carry its number in their sequence, and grow', () => {
    expect(generatedId(1000, ID_MIN, 7)).toEqual({ ms: 1000, sequence: 7 })
    expect(generatedId(1000, { ms: 1000, sequence: 7 }, 7)).toEqual({ ms: 1000, sequence: 1031 })
    expect(generatedId(1000, { ms: 1000, sequence: 3 }, 7)).toEqual({ ms: 1000, sequence: 7 })
    expect(generatedId(1000, { ms: 2000, sequence: 9 }, 7)).toEqual({ ms: 2000, sequence: 1031 })
    expect(generatedId(1000, { ms: 2000, sequence: U64_MAX }, 7)).toEqual({ ms: 2001, sequence: 7 })
    expect(generatedId(1000, ID_MAX, 7)).toBeUndefined()
  })

  it('are the next ones above any sequence', () => {
    fc.assert(
      fc.property(part, fc.integer({ min: 1, max: 1023 }), (last, region) => {
        const made = generatedSequence(last, region)
        if (made === undefined) {
          expect(BigInt(last)).toBeGreaterThan(U64_MAX - 1024n)
          return
        }
        expect(BigInt(made) % 1024n).toBe(BigInt(region))
        expect(BigInt(made) - BigInt(last)).toBeGreaterThan(0n)
        expect(BigInt(made) - BigInt(last)).toBeLessThanOrEqual(1024n)
      }),
    )
  })
})
