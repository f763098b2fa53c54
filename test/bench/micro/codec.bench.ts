/**
 * codec.bench.ts: nanoseconds to encode an op into the log's memory, and to decode it again.
 *
 * Run it built: `npm run build && node dist/test/bench/micro/codec.bench.js`.
 */
import { type BatchReader, BatchWriter, openRecord } from '../../../crdt/codec/batch.ts'
import { TAG } from '../../../crdt/effects/effect.ts'
import { OriginTable, originId } from '../../../crdt/origin.ts'
import type { Effect } from '../../../crdt/registry.ts'
import { NOTHING_SEEN } from '../../../crdt/state.ts'
import { VersionVector } from '../../../crdt/version-vector.ts'
import { nodeLatin1 } from '../../../region-node/latin1-node.ts'
import { measure } from './measure.ts'

const OPS_PER_ROUND = 16_000
const HLC = 1_704_067_200_000 * 4096
const KEYS = Array.from({ length: 1000 }, (_, i) => `key:${String(i).padStart(12, '0')}`)

const origins = new OriginTable()
const own = origins.intern(originId(1, new Uint8Array(6).fill(1)))
const deps = new VersionVector(origins)
for (const region of [2, 3]) deps.advance(origins.intern(originId(region, new Uint8Array(6))), 1_000_000)

/** Encodes one round as batches of `perBatch` ops. @returns the records */
function encode(writer: BatchWriter, effects: readonly Effect[], perBatch: number): Uint8Array[] {
  const records: Uint8Array[] = []
  writer.at = 0
  for (let op = 0; op < OPS_PER_ROUND; op += perBatch) {
    writer.begin(0, own, op + 1, deps, HLC)
    for (let i = 0; i < perBatch; i++) {
      writer.beginOp(HLC + i)
      writer.effect(effects[(op + i) % effects.length]!)
      writer.endOp()
    }
    records.push(writer.finish().record)
  }
  return records
}

function decode(records: readonly Uint8Array[]): number {
  let ops = 0
  for (const record of records) {
    const batch: BatchReader = openRecord(record, origins, nodeLatin1)
    ops += batch.ops().length
  }
  return ops
}

function both(name: string, effect: (key: string) => Effect): void {
  const effects = KEYS.map(effect)
  const writer = new BatchWriter(nodeLatin1, 16 * 1024 * 1024)
  for (const perBatch of [1, 16, 800]) {
    measure(
      `encode ${name}, ${perBatch} a batch`,
      OPS_PER_ROUND,
      () => encode(writer, effects, perBatch).length,
    )
    const records = encode(writer, effects, perBatch)
    measure(`decode ${name}, ${perBatch} a batch`, OPS_PER_ROUND, () => decode(records))
  }
}

function set(key: string, value: string): Effect {
  return { tag: TAG.SET, db: 0, key, value, deadlineMs: Number.POSITIVE_INFINITY, seen: NOTHING_SEEN }
}

both('SET, 3 bytes', (key) => set(key, 'xxx'))
both('SET, 100 bytes', (key) => set(key, 'x'.repeat(100)))
both('SADD', (key) => ({ tag: TAG.SET_ADD, db: 0, key: 'myset', members: [key], creates: false }))
