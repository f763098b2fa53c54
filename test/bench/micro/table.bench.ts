/**
 * table.bench.ts: nanoseconds per lookup, overwrite and increment in one database, bytes per key, the longest
 * single insertion while it fills, and the time of a walk through all of it. No commands, no log.
 *
 * Run it built: `npm run build && node --expose-gc dist/test/bench/micro/table.bench.js [KEYS] [VALUE_BYTES]`.
 * Random keys: a thousand lie in the processor's caches, millions do not, and there a lookup costs what its
 * two or three places in memory cost. The longest insertion holds garbage collection, too.
 */
import { OpPoint } from '../../../crdt/dot.ts'
import { TAG } from '../../../crdt/effects/effect.ts'
import { OriginTable, originId } from '../../../crdt/origin.ts'
import { NOTHING_SEEN } from '../../../crdt/state.ts'
import { VersionVector } from '../../../crdt/version-vector.ts'
import { Database, GROUP_COUNT } from '../../../region-node/engine/database.ts'
import { KeyProbe } from '../../../region-node/engine/table/key-probe.ts'
import { TableContext } from '../../../region-node/engine/table/slot-group.ts'
import { nodeLatin1 } from '../../../region-node/latin1-node.ts'
import { wordAt } from '../../../region-node/resp/word.ts'
import { measure } from './measure.ts'

const PER_ROUND = 16_000
const KEY_BYTES = 16
const NEVER = Number.POSITIVE_INFINITY
const numberOfKeys = Number(process.argv[2] ?? 1_000_000)
const value = 'x'.repeat(Number(process.argv[3] ?? 3))

const origins = new OriginTable()
const own = origins.intern(originId(1, new Uint8Array(6)))
const applied = new VersionVector(origins)
const at = new OpPoint(own, applied, { conflict() {} })
const database = new Database(0, new TableContext(origins, nodeLatin1))
let seq = 0
let seed = 1

const keyBytes = Buffer.alloc(numberOfKeys * KEY_BYTES)
for (let i = 0; i < numberOfKeys; i++)
  keyBytes.write(`key:${String(i).padStart(12, '0')}`, i * KEY_BYTES, 'latin1')

function keyAt(i: number): string {
  return wordAt(keyBytes, i * KEY_BYTES, KEY_BYTES)
}

function someKey(): string {
  seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff
  return keyAt(seed % numberOfKeys)
}

/** Moves to the next op of a writer that has seen everything. */
function nextOp(): void {
  applied.advance(own, seq)
  at.moveTo(own, ++seq, 2 ** 50 + seq, applied)
}

function set(key: string): void {
  nextOp()
  database.apply({ tag: TAG.SET, db: 0, key, value, deadlineMs: NEVER, seen: NOTHING_SEEN }, at)
}

function increment(key: string): void {
  nextOp()
  const { run, total } = database.plainCounter(key) ?? { run: seq, total: 0 }
  const creates = run === seq
  database.apply({ tag: TAG.INCREMENT, db: 0, key, creates, delta: 1, run, total: total + 1 }, at)
}

function repeated(name: string, once: () => number): void {
  measure(`${name}, ${numberOfKeys} keys`, PER_ROUND, () => {
    let sum = 0
    for (let i = 0; i < PER_ROUND; i++) sum += once()
    return sum
  })
}

let longestMs = 0
const beganMs = performance.now()
for (let i = 0; i < numberOfKeys; i++) {
  const key = keyAt(i)
  const startMs = performance.now()
  set(key)
  longestMs = Math.max(longestMs, performance.now() - startMs)
}
const filledMs = performance.now() - beganMs
globalThis.gc?.()
let bytes = 0
for (let group = 0; group < GROUP_COUNT; group++) bytes += database.group(group)?.bytes ?? 0
console.log(
  `${(bytes / numberOfKeys).toFixed(1)} bytes a key, filled in ${filledMs.toFixed(0)} ms, longest insertion ${longestMs.toFixed(1)} ms`,
)

const probe = new KeyProbe()
repeated('(making the key alone)', () => someKey().length)
repeated('(the same and its slot and hash)', () => {
  probe.aim(someKey())
  return probe.hash
})
repeated('look up', () => database.plainText(someKey())!.length)
repeated('overwrite', () => {
  set(someKey())
  return 1
})
for (let i = 0; i < numberOfKeys; i++) increment(`c${keyAt(i)}`)
repeated('increment', () => {
  increment(`c${someKey()}`)
  return 1
})

database.beginWalk({ reached: (_db, key) => key.length > 0, changing: () => true })
const walkMs = performance.now()
while (database.walkOn(1000) === 1000);
console.log(`walk: ${(((performance.now() - walkMs) * 1e6) / database.size).toFixed(0)} ns a key`)
