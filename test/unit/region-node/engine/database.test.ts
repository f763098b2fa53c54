/**
 * database.test.ts: the packed table against a plain Map that holds what `applyEffect` makes: random
 * effects of two origins, removals, restores and flushes, with keys and values of all sizes.
 */
import { describe, expect, it, vi } from 'vitest'
import { parseAmount } from '../../../../crdt/amount.ts'
import { prepareIncrement } from '../../../../crdt/cell.ts'
import { portableLatin1 } from '../../../../crdt/codec/bytes.ts'
import { OpPoint } from '../../../../crdt/dot.ts'
import { TAG } from '../../../../crdt/effects/effect.ts'
import { stringOf } from '../../../../crdt/effects/string-effects.ts'
import {
  collectSeen,
  deadlineOf,
  describeKey,
  type KeyEntry,
  stateOfType,
  visibleState,
} from '../../../../crdt/key.ts'
import { type Origin, OriginTable, originId } from '../../../../crdt/origin.ts'
import { applyEffect, type KeyEffect } from '../../../../crdt/registry.ts'
import type { SeenCounter } from '../../../../crdt/state.ts'
import { VersionVector } from '../../../../crdt/version-vector.ts'
import { Database, GROUP_COUNT } from '../../../../region-node/engine/database.ts'
import { SlotGroup, TableContext } from '../../../../region-node/engine/table/slot-group.ts'
import { Prng } from '../../../harness/prng.ts'

const NEVER = Number.POSITIVE_INFINITY
const SILENT = { conflict(): void {} }
/** Some keys share a slot by their tag, one is longer than a heap takes. */
const KEYS = [
  '',
  ...Array.from({ length: 150 }, (_, i) => `key${i}`),
  ...Array.from({ length: 80 }, (_, i) => `{tag}${i}`),
  'long'.repeat(5000),
]
const LENGTHS = [0, 1, 3, 19, 20, 200, 3000, 9000, 16383, 16384]

/** Two origins that learn of each other's ops at random moments, and what both made of the keyspace. */
class World {
  readonly origins = new OriginTable()
  readonly #prng: Prng
  readonly #context = new TableContext(this.origins, portableLatin1)
  database = new Database(0, this.#context)
  model = new Map<string, KeyEntry>()
  readonly #writers: readonly Origin[]
  readonly #applied = new VersionVector(this.origins)
  readonly #at: OpPoint
  #hlc = 2 ** 50

  constructor(seed: number) {
    this.#prng = new Prng(seed)
    this.#writers = [1, 2].map((region) =>
      this.origins.intern(originId(region, new Uint8Array(6).fill(seed))),
    )
    // Numbers of seqs, and of origins, that do not fit 32 and 16 bits.
    const first = seed % 2 === 0 ? 2 ** 32 - 300 : 0
    for (const origin of this.#writers) this.#applied.advance(origin, first)
    this.#at = new OpPoint(this.#writers[0]!, this.#applied, SILENT)
  }

  step(): void {
    const prng = this.#prng
    const origin = prng.pick(this.#writers)
    const seq = this.#applied.get(origin) + 1
    // A local writer has seen all that is here; the other one may lag behind.
    const deps = this.#applied.copy()
    const isBehind = origin === this.#writers[1] && prng.chance(0.5)
    this.#at.moveTo(origin, seq, ++this.#hlc, isBehind ? this.#lagging(origin) : deps)
    if (prng.chance(0.1)) this.#at.index = prng.pick([1, 0xffff, 0x10000])
    for (let effects = prng.between(1, 3); effects > 0; effects--) {
      this.#apply(this.#effect(prng.pick(KEYS), origin, seq))
      this.#at.index++
    }
    this.#applied.advance(origin, seq)
  }

  #lagging(origin: Origin): VersionVector {
    const deps = new VersionVector(this.origins)
    deps.advance(origin, this.#applied.get(origin))
    return deps
  }

  #effect(key: string, origin: Origin, seq: number): KeyEffect {
    const prng = this.#prng
    const entry = this.model.get(key)
    const creates = visibleState(entry) === undefined
    const on = { db: 0, key }
    const seen: SeenCounter[] = []
    if (entry !== undefined) collectSeen(entry, seen)
    const known = seen.filter(({ origin: other }) => this.#at.deps.get(other) === this.#applied.get(other))
    const value = prng.chance(0.8) ? String(prng.below(1000)) : 'v'.repeat(prng.pick(LENGTHS))
    switch (prng.below(12)) {
      case 0:
        return { tag: TAG.DEADLINE, ...on, deadlineMs: prng.pick([NEVER, 1000 + prng.below(1000)]) }
      case 1:
        return { tag: TAG.PUT, ...on, value, creates, seen: known }
      case 2:
        return { tag: TAG.SET_ADD, ...on, members: ['m'], creates }
      case 3:
      case 4:
      case 5: {
        const delta = prng.chance(0.9) ? prng.below(100) - 50 : parseAmount('9007199254740993')!
        const cell = entry === undefined ? undefined : stringOf(entry)
        return { tag: TAG.INCREMENT, ...on, creates, ...prepareIncrement(cell, delta, origin, seq) }
      }
      case 6:
      case 7:
        return { tag: TAG.CLEAR, ...on, seen: known }
      case 8:
        return { tag: TAG.SET, ...on, value, deadlineMs: 1000 + prng.below(1000), seen: known }
      default:
        return { tag: TAG.SET, ...on, value, deadlineMs: NEVER, seen: known }
    }
  }

  #apply(effect: KeyEffect): void {
    this.database.apply(effect, this.#at)
    const after = applyEffect(effect, this.model.get(effect.key), this.#at)
    if (after === undefined) this.model.delete(effect.key)
    else this.model.set(effect.key, after)
  }

  flush(): void {
    const origin = this.#writers[1]!
    const seq = this.#applied.get(origin) + 1
    this.#at.moveTo(origin, seq, ++this.#hlc, this.#lagging(origin))
    this.database.flush(new Map(), this.#at)
    for (const [key, entry] of this.model) {
      const after = applyEffect({ tag: TAG.CLEAR, db: 0, key, seen: [] }, entry, this.#at)
      if (after === undefined) this.model.delete(key)
      else this.model.set(key, after)
    }
    this.#applied.advance(origin, seq)
  }

  /** Everything into a new database, as a snapshot would. */
  reload(): void {
    const loaded = new Database(0, this.#context)
    for (const [key, entry] of this.database.entries()) loaded.restore(key, entry)
    this.database = loaded
  }

  check(): void {
    const { database, model } = this
    const stored = new Map([...database.entries()].map(([key, entry]) => [key, describeKey(entry)]))
    expect(stored).toEqual(new Map([...model].map(([key, entry]) => [key, describeKey(entry)])))
    for (const key of KEYS) {
      const entry = database.get(key)
      expect(entry && describeKey(entry)).toEqual(stored.get(key))
    }
    const shown = [...model.values()].filter((entry) => visibleState(entry) !== undefined)
    const volatile = shown.filter((entry) => deadlineOf(entry) !== NEVER)
    expect([database.size, database.volatileSize, database.entryCount]).toEqual([
      shown.length,
      volatile.length,
      model.size,
    ])
    const due = [...model].filter(
      ([, entry]) => visibleState(entry) !== undefined && deadlineOf(entry) < 1500,
    )
    expect([...database.dueKeys(1500)].sort()).toEqual(due.map(([key]) => key).sort())
    this.#checkWhatFlushNames()
  }

  #checkWhatFlushNames(): void {
    const { database, model } = this
    const counted = [...model].filter(([, entry]) => {
      const seen: SeenCounter[] = []
      collectSeen(entry, seen)
      return seen.length > 0
    })
    expect([...database.counters()].map(({ key }) => key).sort()).toEqual(counted.map(([key]) => key).sort())
    const sets = [...model].filter(([, entry]) => stateOfType(entry, 'set') !== undefined)
    expect([...database.keysOf('set')].sort()).toEqual(sets.map(([key]) => key).sort())
  }
}

describe('a database', () => {
  it.each([1, 2, 3, 4, 5, 6])('holds what applyEffect makes, packed or not (seed %i)', (seed) => {
    const world = new World(seed)
    for (let round = 0; round < 25; round++) {
      for (let i = 0; i < 150; i++) world.step()
      if (round % 6 === 5) world.flush()
      if (round % 5 === 4) world.reload()
      world.check()
    }
  })

  it('looks at no plain string for what a flush has to name', () => {
    const world = new World(2)
    const { database } = world
    const at = new OpPoint(world.origins.at(0), new VersionVector(world.origins), SILENT)
    at.moveTo(world.origins.at(0), 1, 2 ** 50, at.deps)
    const value = 'v'
    for (let i = 0; i < 500; i++)
      database.apply({ tag: TAG.SET, db: 0, key: `key${i}`, value, deadlineMs: NEVER, seen: [] }, at)
    database.apply({ tag: TAG.SET_ADD, db: 0, key: 'other', members: ['m'], creates: true }, at)
    const looks = vi.spyOn(SlotGroup.prototype, 'kind')
    expect([...database.keysOf('set')]).toEqual(['other'])
    expect([...database.counters()]).toEqual([])
    // Of the set, twice.
    expect(looks.mock.calls.length).toBeLessThan(10)
    looks.mockRestore()
  })

  it('gives memory back when its keys are gone', () => {
    const world = new World(1)
    const { database } = world
    const at = new OpPoint(world.origins.at(0), new VersionVector(world.origins), SILENT)
    const names = Array.from({ length: 3000 }, (_, i) => `{one}${i}`)
    for (const [i, key] of names.entries()) {
      at.moveTo(world.origins.at(0), i + 1, 2 ** 50 + i, at.deps)
      database.apply({ tag: TAG.SET, db: 0, key, value: 'x'.repeat(100), deadlineMs: NEVER, seen: [] }, at)
    }
    const groups = (): number => {
      let bytes = 0
      for (let i = 0; i < GROUP_COUNT; i++) bytes += database.group(i)?.bytes ?? 0
      return bytes
    }
    const full = groups()
    at.moveTo(world.origins.at(0), 4000, 2 ** 51, at.deps)
    for (const key of names) database.apply({ tag: TAG.CLEAR, db: 0, key, seen: [] }, at)
    expect(database.size).toBe(0)
    expect(groups()).toBeLessThan(full / 100)
  })
})
