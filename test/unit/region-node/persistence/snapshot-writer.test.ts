/**
 * snapshot-writer.test.ts: a snapshot is exact at one vector, whatever is written while it is made.
 *
 * A copy of all that the node holds is taken when the walk begins; then the walk and random commands, local
 * ones and ones from another region, take turns. What is read back has to be the copy, to the last dot.
 */
import { expect, it } from 'vitest'
import { portableLatin1 } from '../../../../crdt/codec/bytes.ts'
import { describeKey } from '../../../../crdt/key.ts'
import { OriginTable } from '../../../../crdt/origin.ts'
import type { Keyspace } from '../../../../region-node/engine/keyspace.ts'
import { SnapshotEncoder, SnapshotReader } from '../../../../region-node/persistence/snapshot-file.ts'
import { LARGE_MEMBERS, SnapshotWriter } from '../../../../region-node/persistence/snapshot-writer.ts'
import { Prng } from '../../../harness/prng.ts'
import { TestEngine } from '../../../harness/test-engine.ts'

const KEYS = 30
const BIG = LARGE_MEMBERS * 3

/** Everything in a keyspace, as text by database and key. Members are sorted: their order means nothing. */
function describeAll(keyspace: Keyspace): Map<string, string> {
  const all = new Map<string, string>()
  for (const database of keyspace.databases()) {
    for (const [key, entry] of database.entries())
      all.set(`${database.index} ${key}`, JSON.stringify(describeKey(entry), sorted))
  }
  return all
}

function sorted(_name: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** A snapshot that is being made of an engine, and what it has to be. */
class Making {
  readonly #out: SnapshotEncoder
  readonly #walk: ReturnType<Keyspace['walk']>
  readonly #stretches: Uint8Array[] = []
  readonly #expected: Map<string, string>
  readonly #digest: string

  constructor(engine: TestEngine) {
    const { keyspace, applied } = engine.engine
    engine.engine.endBatch()
    this.#expected = describeAll(keyspace)
    this.#digest = keyspace.digest()
    const header = {
      nodeId: 'node',
      vector: applied.copy(),
      hlc: 5,
      clockMs: 6,
      createdMs: 7,
      databases: 16,
      horizon: Uint8Array.of(1, 2, 3),
    }
    this.#out = new SnapshotEncoder(header, engine.origins, portableLatin1)
    this.#walk = keyspace.walk(new SnapshotWriter(this.#out))
  }

  /** @returns true at its end */
  step(entries: number): boolean {
    const isOver = this.#walk.step(entries)
    if (isOver) this.#out.finish()
    const taken = this.#out.take()
    this.#stretches.push(taken.slice())
    this.#out.giveBack(taken)
    return isOver
  }

  /** Reads it back at another node. */
  check(): void {
    const bytes = Uint8Array.from(this.#stretches.flatMap((stretch) => [...stretch]))
    const source = {
      size: bytes.length,
      read: (at: number, length: number) => bytes.subarray(at, at + length),
    }
    const other = new TestEngine(3, {})
    other.origins.intern('9-00000000000a')
    const reader = new SnapshotReader(source, other.origins, portableLatin1)
    while (!reader.verify(1000));
    const { keyspace } = other.engine
    while (!reader.step(7, keyspace));
    expect(describeAll(keyspace)).toEqual(this.#expected)
    expect(keyspace.digest()).toBe(this.#digest)
    expect(reader.header.horizon).toEqual(Uint8Array.of(1, 2, 3))
  }
}

function randomWords(prng: Prng): string[] {
  const key = `key ${prng.between(0, KEYS)}`
  const big = prng.pick(['big hash', 'big set', 'other set'])
  const member = () => `m ${prng.between(0, BIG + 50)}`
  const value = String(prng.between(0, 1000))
  return prng.pick<string[]>([
    ['SET', key, value],
    ['SET', key, value, 'PX', '60000'],
    ['INCRBY', key, value],
    ['APPEND', key, 'x'],
    ['DEL', key],
    ['HSET', key, member(), value, member(), value],
    ['HINCRBY', key, 'counter', '1'],
    ['SADD', key, member(), member()],
    ['EXPIRE', key, '100'],
    ['PERSIST', key],
    ['HSET', 'big hash', member(), value],
    ['HDEL', 'big hash', member(), member()],
    ['HINCRBY', 'big hash', `counter ${prng.between(0, 5)}`, '2'],
    ['HPEXPIRE', 'big hash', prng.pick(['3', '40', '90000']), 'FIELDS', '2', member(), member()],
    ['HPERSIST', 'big hash', 'FIELDS', '2', member(), member()],
    ['HPEXPIRE', key, '20', 'FIELDS', '1', 'counter'],
    ['PFADD', key, value],
    ['SADD', big, member(), member()],
    ['SREM', big, member(), member()],
    ['SPOP', 'big set', '5'],
    ['ZADD', 'big zset', value, member(), '0.5', member()],
    ['ZINCRBY', 'big zset', '0.1', member()],
    ['ZREM', 'big zset', member(), member()],
    ['ZPOPMIN', 'big zset', '3'],
    ['EXPIRE', big, '1000'],
    ...streamWords(prng, key),
    ...streamWords(prng, 'big stream'),
  ])
}

function streamWords(prng: Prng, key: string): string[][] {
  const id = () => `${prng.between(1, BIG + 50)}-1`
  const group = prng.pick(['g', 'h'])
  return [
    ['XADD', key, '*', 'field', String(prng.between(0, 9))],
    ['XADD', key, 'NOMKSTREAM', 'MAXLEN', '~', String(BIG), '*', 'f', 'v'],
    ['XDEL', key, id(), id(), id()],
    ['XTRIM', key, 'MINID', `${prng.between(1, 200)}`],
    ['XGROUP', 'CREATE', key, group, id()],
    ['XGROUP', 'DESTROY', key, group],
    ['XREADGROUP', 'GROUP', group, 'c', 'COUNT', '20', 'STREAMS', key, '>'],
    ['XACK', key, group, id(), id()],
  ]
}

/** What touches all of a large key, or all keys. */
function drasticWords(prng: Prng): string[] {
  return prng.pick<string[]>([
    ['DEL', prng.pick(['big hash', 'big set', 'other set'])],
    ['SET', 'big set', 'a string now'],
    ['SPOP', 'big set', String(2 * BIG)],
    ['ZPOPMAX', 'big zset', String(2 * BIG)],
    ['DEL', 'big zset'],
    ['XTRIM', 'big stream', 'MAXLEN', String(prng.pick([0, 1, 300]))],
    ['COPY', 'big stream', 'other set', 'REPLACE'],
    ['DEL', 'big stream'],
    ['RENAME', 'other set', 'big set'],
    ['FLUSHDB'],
    ['FLUSHALL'],
    ['MOVE', 'big hash', '3'],
  ])
}

function fill(engine: TestEngine): void {
  for (let i = 0; i < BIG; i += 100) {
    const names = Array.from({ length: 100 }, (_, j) => `m ${i + j}`)
    engine.run('SADD', 'big set', ...names)
    engine.run('SADD', 'other set', ...names)
    engine.run('ZADD', 'big zset', ...names.flatMap((name, j) => [String(j), name]))
    for (let j = 0; j < 100; j++) engine.run('XADD', 'big stream', `${i + j + 1}-1`, 'f', `v ${j}`)
    engine.run('HSET', 'big hash', ...names.flatMap((name) => [name, name]))
  }
}

function twoRegions(): { here: TestEngine; there: TestEngine } {
  const here = new TestEngine(1)
  const there = new TestEngine(2)
  fill(here)
  there.pullFrom(here)
  return { here, there }
}

it('holds every key as it was when it began, while local and received ops go on', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const prng = new Prng(seed)
    const { here, there } = twoRegions()
    for (let i = 0; i < 100; i++) {
      for (const region of [here, there]) region.run(...randomWords(prng))
      // Apart for a while, so that siblings, hidden types and several deadlines come to be.
      if (prng.chance(0.05)) here.pullFrom(there)
      if (prng.chance(0.05)) there.pullFrom(here)
    }
    here.pullFrom(there)
    const making = new Making(here)
    do {
      for (let left = prng.between(0, 4); left > 0; left--) here.run(...randomWords(prng))
      if (prng.chance(0.02)) here.run(...drasticWords(prng))
      there.run(...randomWords(prng))
      if (prng.chance(0.02)) there.run(...drasticWords(prng))
      if (prng.chance(0.2)) here.pullFrom(there)
      here.wallMs += 10
    } while (!making.step(prng.between(1, 3)))
    making.check()
  }
}, 60_000)

it('writes a large collection whole when nothing may be left of it', () => {
  const { here } = twoRegions()
  const making = new Making(here)
  // Every member goes, one by one, before the walk comes to any of them.
  for (let i = 0; i < BIG; i++) here.run('SREM', 'big set', `m ${i}`)
  for (let i = 1; i <= BIG; i++) here.run('XDEL', 'big stream', `${i}-1`)
  here.run('SADD', 'big set', 'created anew')
  while (!making.step(1));
  making.check()
})

it('an empty node has a snapshot too', () => {
  const making = new Making(new TestEngine(1))
  while (!making.step(1));
  making.check()
})

it('a file that ends too early, or in which a bit has changed, is not whole', () => {
  const { here } = twoRegions()
  here.engine.endBatch()
  const header = {
    nodeId: 'node',
    vector: here.engine.applied.copy(),
    hlc: 5,
    clockMs: 6,
    createdMs: 7,
    databases: 16,
    horizon: new Uint8Array(0),
  }
  const out = new SnapshotEncoder(header, here.origins, portableLatin1)
  const walk = here.engine.keyspace.walk(new SnapshotWriter(out))
  while (!walk.step(10));
  out.finish()
  const whole = out.take().slice()
  const isWhole = (bytes: Uint8Array): boolean => {
    const source = { size: bytes.length, read: (at: number, length: number) => bytes.slice(at, at + length) }
    try {
      const reader = new SnapshotReader(source, new OriginTable(), portableLatin1)
      while (!reader.verify(10_000));
      return true
    } catch {
      return false
    }
  }
  expect(isWhole(whole)).toBe(true)
  const prng = new Prng(1)
  for (let i = 0; i < 200; i++) {
    expect(isWhole(whole.slice(0, prng.between(0, whole.length - 1)))).toBe(false)
    const damaged = whole.slice()
    damaged[prng.between(0, whole.length - 1)]! ^= 1 << prng.between(0, 7)
    expect(isWhole(damaged)).toBe(false)
  }
  expect(isWhole(Uint8Array.of(...whole, 0))).toBe(false)
})
