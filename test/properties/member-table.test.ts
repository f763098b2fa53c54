/**
 * member-table.test.ts: sets and hashes that pack their members, at once or on the way, hold what those hold that
 * never do; and what goes through one meets all that is there throughout.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { prepareIncrement } from '../../crdt/cell.ts'
import { portableLatin1 } from '../../crdt/codec/bytes.ts'
import { OpPoint } from '../../crdt/dot.ts'
import { HashState } from '../../crdt/hash-aw.ts'
import type { Positions } from '../../crdt/member-index.ts'
import { type Origin, OriginTable, originId } from '../../crdt/origin.ts'
import { SetState } from '../../crdt/set-aw.ts'
import type { SeenCounter, TypedState } from '../../crdt/state.ts'
import type { Names } from '../../crdt/table/member-table.ts'
import { RecordContext } from '../../crdt/table/record-context.ts'
import { VersionVector } from '../../crdt/version-vector.ts'

const RUNS = 200
const NEVER_PACKED = Number.POSITIVE_INFINITY
const SILENT = { conflict(): void {} }
/** One is longer than a record takes. */
const NAMES = ['', ...Array.from({ length: 60 }, (_, i) => `name${i}`), 'n'.repeat(20_000)]
const VALUES = [
  '',
  'v',
  'a longer value',
  'x'.repeat(300),
  ...[3000, 9000, 17_000].map((length) => 'x'.repeat(length)),
]

interface Step {
  readonly kind: 'put' | 'put' | 'put several' | 'increment' | 'remove' | 'remove all' | 'draw'
  readonly names: readonly string[]
  readonly value: string
  readonly by: 0 | 1
  /** How many of the other origin's ops it has not seen. */
  readonly behind: number
}

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom('put', 'put', 'put', 'put several', 'increment', 'remove', 'remove all', 'draw'),
  names: fc.array(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 4 }),
  value: fc.constantFrom(...VALUES),
  by: fc.constantFrom(0, 1),
  behind: fc.constantFrom(0, 0, 0, 1, 5),
})

/** One state, as the ops of two origins make it. */
class Story {
  set = new SetState()
  hash = new HashState()
  readonly #origins = new OriginTable()
  readonly #writers: readonly Origin[]
  readonly #seqs = [0, 0]
  readonly #records: RecordContext
  #hlc = 0

  constructor(packedFrom: number) {
    this.#records = new RecordContext(this.#origins, portableLatin1, packedFrom)
    this.#writers = [1, 2].map((region) => this.#origins.intern(originId(region, new Uint8Array(6))))
  }

  take({ kind, names, value, by, behind }: Step): void {
    const at = this.#point(by, behind)
    const { set, hash } = this
    if (kind === 'draw') this.#draw()
    else if (kind === 'put') {
      set.add([names[0]!], at)
      hash.put(names[0]!, value, this.#seen(names[0]!), at)
    } else if (kind === 'put several') {
      set.add([...new Set(names)], at)
      for (const name of names) hash.put(name, value, this.#seen(name), at)
    } else if (kind === 'increment') {
      const name = names[0]!
      hash.increment(name, prepareIncrement(hash.cellOf(name), 3, at.origin, at.seq), at)
    } else if (kind === 'remove') {
      set.remove(names, at)
      for (const name of names) hash.remove(name, this.#seen(name), at)
    } else {
      const seen: SeenCounter[] = []
      hash.collectSeen(seen)
      this.set = set.withoutSeen([], at) ?? new SetState()
      this.hash = hash.withoutSeen(seen, at) ?? new HashState()
    }
  }

  #point(by: 0 | 1, behind: number): OpPoint {
    const deps = new VersionVector(this.#origins)
    this.#seqs[by]!++
    for (const [i, origin] of this.#writers.entries()) {
      const seen = i === by ? this.#seqs[i]! - 1 : Math.max(0, this.#seqs[i]! - behind)
      if (seen > 0) deps.advance(origin, seen)
    }
    const at = new OpPoint(this.#writers[by]!, deps, SILENT, this.#records)
    at.moveTo(this.#writers[by]!, this.#seqs[by]!, ++this.#hlc, deps)
    return at
  }

  #seen(name: string): SeenCounter[] {
    const seen: SeenCounter[] = []
    this.hash.manyOf(name)?.collectSeen(seen, name)
    return seen
  }

  #draw(): void {
    for (const [names, { index, size }] of [
      [this.set.members, this.set],
      [this.hash.fields, this.hash],
    ] as const) {
      expect(index.size).toBe(size)
      expect(Array.from({ length: size }, (_, i) => index.at(i)).sort()).toEqual([...names.keys()].sort())
    }
  }
}

function isSame(some: TypedState, other: TypedState): void {
  expect(some.describe()).toEqual(other.describe())
}

describe('packed members', () => {
  it('are what they are unpacked', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), fc.constantFrom(1, 2, 20), (steps, packedFrom) => {
        const packed = new Story(packedFrom)
        const plain = new Story(NEVER_PACKED)
        for (const one of steps) {
          packed.take(one)
          plain.take(one)
          expect([packed.set.size, packed.hash.size]).toEqual([plain.set.size, plain.hash.size])
        }
        isSame(packed.set, plain.set)
        isSame(packed.hash, plain.hash)
        for (const name of NAMES) {
          expect(packed.set.has(name)).toBe(plain.set.has(name))
          expect(packed.hash.get(name)).toBe(plain.hash.get(name))
        }
        expect(new Map([...packed.hash.manyCells()].map(([name, cell]) => [name, cell.describe()]))).toEqual(
          new Map([...plain.hash.manyCells()].map(([name, cell]) => [name, cell.describe()])),
        )
        if (plain.set.size >= packedFrom) expect(packed.set.members.packedBytes).toBeGreaterThan(0)
        expect(plain.set.members.packedBytes).toBeUndefined()
      }),
      { numRuns: RUNS },
    )
  })

  it('are met by who goes through them, whatever goes and comes meanwhile', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 120 }), fc.nat({ max: 100 }), (steps, cut) => {
        const story = new Story(1)
        for (const one of steps.slice(0, cut)) story.take(one)
        const walks = [story.set.members, story.hash.fields].map((names: Names) => ({
          names,
          walk: names.keys(),
          stays: new Set(names.keys()),
          met: new Set<string>(),
        }))
        for (const one of steps.slice(cut)) {
          story.take(one)
          for (const { names, walk, stays, met } of walks) {
            for (const name of stays) if (!names.has(name)) stays.delete(name)
            const next = walk.next()
            if (next.done !== true) met.add(next.value)
          }
        }
        for (const { walk, stays, met } of walks) {
          for (const name of walk) met.add(name)
          expect([...stays].filter((name) => !met.has(name))).toEqual([])
        }
      }),
      { numRuns: RUNS },
    )
  })

  it('keep the place of a scan that began before', () => {
    const story = new Story(50)
    const names = Array.from({ length: 60 }, (_, i) => `name${i}`)
    const put = (name: string): void =>
      story.take({ kind: 'put', names: [name], value: 'v', by: 0, behind: 0 })
    for (const name of names.slice(0, 49)) put(name)
    const before: Positions = story.set.index
    const order = Array.from({ length: 49 }, (_, i) => before.at(i))
    for (const name of names.slice(49)) put(name)
    expect(story.set.members.packedBytes).toBeGreaterThan(0)
    expect(Array.from({ length: 49 }, (_, i) => story.set.index.at(i))).toEqual(order)
  })
})
