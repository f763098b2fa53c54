/**
 * horizon-effects.test.ts: golden bytes of what changes the horizon, and damaged ones.
 */
import { expect, it } from 'vitest'
import { BatchWriter, openRecord } from '../../../crdt/codec/batch.ts'
import { ByteReader, DecodeError } from '../../../crdt/codec/bytes.ts'
import type { EffectReader } from '../../../crdt/effects/effect.ts'
import { TAG } from '../../../crdt/effects/effect.ts'
import { decodeMode, type HorizonEffect } from '../../../crdt/effects/horizon-effects.ts'
import { OriginTable } from '../../../crdt/origin.ts'
import { VersionVector } from '../../../crdt/version-vector.ts'

const END_OF_OP = '00'

/** A record of one op. */
function recordOf(effect: HorizonEffect, origins: OriginTable): Uint8Array {
  const writer = new BatchWriter()
  writer.begin(0, origins.intern('1-00000000000a'), 1, new VersionVector(origins), 0)
  writer.beginOp(0)
  writer.effect(effect)
  writer.endOp()
  return writer.finish().record.slice()
}

it.each<[HorizonEffect, string]>([
  [
    { tag: TAG.REGION, regionId: 2, name: 'B', url: '', status: 'suspended', epoch: 3 },
    '70 02 0142 00 01 03',
  ],
  [{ tag: TAG.MODE, regionId: 2, mode: 'active', epoch: 2 }, '75 02 00 02'],
  [{ tag: TAG.MODE, regionId: 1023, mode: 'passive', epoch: 129 }, '75 ff07 01 8101'],
])('%j is written as %s', (effect, golden) => {
  const origins = new OriginTable()
  const record = recordOf(effect, origins)
  const bytes = golden.replaceAll(' ', '') + END_OF_OP
  expect(Buffer.from(record).toString('hex').endsWith(bytes)).toBe(true)
  expect(openRecord(record, origins).ops()[0]!.effects).toEqual([effect])
})

it.each([
  ['000001', 'a region id out of range: 0'],
  ['80080001', 'a region id out of range: 1024'],
  ['020201', 'an unknown mode of a region'],
  ['0201', 'ends too early'],
])('a mode of %s is refused', (hex, sentence) => {
  const from = new ByteReader(Buffer.from(hex, 'hex')) as unknown as EffectReader
  expect(() => decodeMode(from)).toThrow(new DecodeError(sentence))
})
