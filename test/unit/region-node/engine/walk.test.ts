/**
 * walk.test.ts: a walk shows every key as it stood when it began, whatever happens between its steps.
 */
import { describe, expect, it } from 'vitest'
import { portableLatin1 } from '../../../../crdt/codec/bytes.ts'
import { TAG } from '../../../../crdt/effects/effect.ts'
import { HashState } from '../../../../crdt/hash-aw.ts'
import { describeKey, type KeyEntry, KeyState, visibleState } from '../../../../crdt/key.ts'
import type { KeyEffect } from '../../../../crdt/registry.ts'
import type { Description } from '../../../../crdt/state.ts'
import { Keyspace } from '../../../../region-node/engine/keyspace.ts'
import type { WalkVisitor } from '../../../../region-node/engine/walk.ts'
import { Prng } from '../../../harness/prng.ts'
import { TestEngine } from '../../../harness/test-engine.ts'

/** Hashes of more fields than this are written in parts, and kept field by field while they change. */
const PART_FIELDS = 3
const ABSENT = null

/** What is kept of a hash that changes before the walk is done with it. */
interface Kept {
  /** The key but for its fields. */
  readonly head: KeyEntry
  readonly fields: Map<string, Description>
  readonly written: Set<string>
}

/** Writes what it is shown into a Map, as a snapshot writes it into a file. */
class Copier implements WalkVisitor {
  readonly copied = new Map<string, string>()
  readonly #kept = new Map<string, Kept>()

  reached(db: number, key: string, entry: KeyEntry): boolean {
    const name = `${db}:${key}`
    const kept = this.#kept.get(name) ?? this.#keep(name, entry)
    if (kept === undefined) return this.#write(name, describeKey(entry))
    const fields = hashIn(entry)?.fields ?? new Map<string, never>()
    let left = PART_FIELDS
    for (const [field, cell] of fields) {
      if (kept.written.has(field)) continue
      if (left-- === 0) return false
      kept.written.add(field)
      if (!kept.fields.has(field)) kept.fields.set(field, cell.describe())
    }
    const present = [...kept.fields].filter(([, cell]) => cell !== ABSENT)
    const { deadlines } = describeKey(kept.head) as { deadlines: Description }
    return this.#write(name, { type: 'hash', state: Object.fromEntries(present), hidden: [], deadlines })
  }

  changing(db: number, key: string, entry: KeyEntry, effect: KeyEffect): boolean {
    const name = `${db}:${key}`
    const kept = this.#kept.get(name) ?? this.#keep(name, entry)
    const touched = fieldsOf(effect)
    if (kept === undefined) return this.#write(name, describeKey(entry))
    if (touched === undefined) {
      while (!this.reached(db, key, entry));
      return true
    }
    for (const field of touched) {
      if (!kept.fields.has(field))
        kept.fields.set(field, hashIn(entry)?.fields.get(field)?.describe() ?? ABSENT)
    }
    return false
  }

  #keep(name: string, entry: KeyEntry): Kept | undefined {
    const isLarge = entry instanceof KeyState && !entry.hidden && (hashIn(entry)?.size ?? 0) > PART_FIELDS
    if (!isLarge) return undefined
    const head = new KeyState(undefined, entry.deadlines)
    const kept: Kept = { head, fields: new Map(), written: new Set() }
    this.#kept.set(name, kept)
    return kept
  }

  #write(name: string, description: Description): true {
    expect(this.copied.has(name), `${name} is written once`).toBe(false)
    this.copied.set(name, canonical(description))
    return true
  }
}

function hashIn(entry: KeyEntry): HashState | undefined {
  return entry instanceof KeyState && entry.state instanceof HashState ? entry.state : undefined
}

/** The fields an effect touches; undefined: it is about the whole key. */
function fieldsOf(effect: KeyEffect): readonly string[] | undefined {
  if (effect.tag === TAG.HASH_PUT && !effect.creates) return effect.pairs.filter((_, i) => i % 2 === 0)
  if (effect.tag === TAG.HASH_INCREMENT && !effect.creates) return [effect.field]
  return effect.tag === TAG.HASH_REMOVE ? effect.fields : undefined
}

/** As text, whatever order the fields of a hash are stored in. */
function canonical(description: Description): string {
  return JSON.stringify(description, (_, value: unknown) =>
    value !== null && typeof value === 'object' && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  )
}

/** All that is stored, as the copier would write it. */
function contents(keyspace: Keyspace): Map<string, string> {
  const all = new Map<string, string>()
  for (const database of keyspace.databases()) {
    for (const [key, entry] of database.entries())
      all.set(`${database.index}:${key}`, canonical(describeKey(entry)))
  }
  return all
}

const NAMES = Array.from({ length: 60 }, (_, i) => `k${i}`)
const FIELDS = Array.from({ length: 12 }, (_, i) => `f${i}`)

function someCommand(prng: Prng): string[] {
  const key = prng.pick(NAMES)
  const field = prng.pick(FIELDS)
  return prng.pick([
    ['SET', key, String(prng.below(1000))],
    ['SET', key, 'x'.repeat(prng.below(300)), 'PX', '100000'],
    ['INCRBY', key, String(prng.below(10))],
    ['APPEND', key, 'more'],
    ['HSET', `h${key}`, field, String(prng.below(100))],
    ['HSET', `h${key}`, ...FIELDS.flatMap((one) => [one, '1'])],
    ['HINCRBY', `h${key}`, field, '2'],
    ['HDEL', `h${key}`, field, prng.pick(FIELDS)],
    ['HDEL', `h${key}`, ...FIELDS],
    ['SADD', `s${key}`, field],
    ['SREM', `s${key}`, field],
    ['DEL', key, `h${key}`],
    ['PEXPIRE', `h${key}`, '100000'],
    ['SELECT', String(prng.below(2))],
  ])
}

/** Both engines learn of all that the other has minted, in order. */
function exchange(a: TestEngine, b: TestEngine): void {
  a.pullFrom(b)
  b.pullFrom(a)
}

describe('a walk', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])('is exact while commands and received ops run (seed %i)', (seed) => {
    const prng = new Prng(seed)
    const here = new TestEngine(1)
    const there = new TestEngine(2)
    const churn = (commands: number): void => {
      for (let i = 0; i < commands; i++) prng.pick([here, here, there]).run(...someCommand(prng))
      if (prng.chance(0.1)) prng.pick([here, there]).run(prng.chance(0.5) ? 'FLUSHALL' : 'FLUSHDB')
      if (prng.chance(0.3)) exchange(here, there)
    }
    for (let round = 0; round < 12; round++) {
      churn(300)
      here.engine.endBatch()
      const { keyspace } = here.engine
      const before = contents(keyspace)
      const copier = new Copier()
      const walk = keyspace.walk(copier)
      if (round % 3 === 1) {
        for (let steps = prng.below(20); steps > 0 && !walk.step(3); steps--) churn(3)
        walk.abandon()
        continue
      }
      let progress = 0
      while (!walk.step(1 + prng.below(6))) {
        expect(walk.progress).toBeGreaterThanOrEqual(progress)
        progress = walk.progress
        churn(prng.below(8))
      }
      expect(walk.progress).toBe(1)
      expect(copier.copied).toEqual(before)
    }
  })

  it('reaches a key that goes before it was written, with no state, until the visitor is done', () => {
    const engine = new TestEngine()
    engine.run('SET', 'gone', 'x')
    engine.run('SET', 'stays', 'x')
    const heard: string[] = []
    const walk = engine.engine.keyspace.walk({
      reached: (_db, key, entry) => {
        heard.push(`${key} ${visibleState(entry)?.type}`)
        return heard.length > 2
      },
      changing: (_db, key) => {
        heard.push(`${key} changes`)
        return false
      },
    })
    engine.run('DEL', 'gone')
    expect(heard).toEqual(['gone changes', 'gone undefined', 'gone undefined'])
    expect(walk.step(10)).toBe(true)
    expect(heard.slice(3)).toEqual(['stays string'])
  })

  it('is left what a FLUSHALL takes', () => {
    const engine = new TestEngine()
    for (const name of NAMES) engine.run('SET', name, 'x')
    const before = contents(engine.engine.keyspace)
    const copier = new Copier()
    const walk = engine.engine.keyspace.walk(copier)
    walk.step(10)
    engine.run('FLUSHALL')
    expect(copier.copied.size).toBe(10)
    expect(engine.run('DBSIZE')).toBe(0)
    engine.run('SET', 'new', 'x')
    while (!walk.step(10));
    expect(walk.isAbandoned).toBe(false)
    expect(copier.copied).toEqual(before)
  })

  it('goes on alone', () => {
    const { keyspace } = new TestEngine().engine
    const walk = keyspace.walk(new Copier())
    expect(() => keyspace.walk(new Copier())).toThrow('one walk')
    walk.abandon()
    expect(keyspace.walk(new Copier()).step(1)).toBe(true)
  })
})

describe('restore', () => {
  it('gives what a walk showed back to an empty keyspace', () => {
    const engine = new TestEngine()
    for (let left = 500, prng = new Prng(1); left > 0; left--) engine.run(...someCommand(prng))
    const { keyspace } = engine.engine
    const other = new Keyspace(engine.origins, portableLatin1)
    const walk = keyspace.walk({
      reached: (db, key, entry) => {
        other.restore(db, key, entry)
        return true
      },
      changing: () => true,
    })
    while (!walk.step(100));
    expect(contents(other)).toEqual(contents(keyspace))
    for (const { index, size, volatileSize } of keyspace.databases()) {
      expect([index, other.db(index).size, other.db(index).volatileSize]).toEqual([index, size, volatileSize])
    }
  })
})

describe('become', () => {
  it('shows the keys of the other, ends a walk and touches what is watched', () => {
    const engine = new TestEngine()
    const aside = new Keyspace(engine.origins, portableLatin1)
    engine.run('SET', 'old', '1')
    aside.restore(0, 'new', engine.engine.keyspace.get(0, 'old')!)
    engine.runAs(2, 'WATCH', 'old')
    const walk = engine.engine.keyspace.walk(new Copier())
    engine.engine.keyspace.become(aside)
    expect(walk.step(1)).toBe(true)
    expect(walk.isAbandoned).toBe(true)
    expect(engine.run('GET', 'new')).toBe('1')
    expect(engine.run('GET', 'old')).toBeNull()
    engine.runAs(2, 'MULTI')
    engine.runAs(2, 'PING')
    expect(engine.runAs(2, 'EXEC')).toBeNull()
  })
})
