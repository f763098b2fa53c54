/**
 * list-fugue.test.ts: lists of three regions under random causal histories, markers dropped as cuts are announced,
 * against a tree that never forgets anything (`test/harness/fugue-model.ts`).
 *
 * Each region is an op history with a list; ops travel in causal order, late and in any interleaving. Regions hear
 * what others have applied, work out the stable cut from it, and announce it by an op of their own.
 */
import { describe, expect, test } from 'vitest'
import { StateReader, StateWriter } from '../../crdt/codec/state.ts'
import { Dot, OpPoint } from '../../crdt/dot.ts'
import { KeyState } from '../../crdt/key.ts'
import { ListState } from '../../crdt/list-fugue.ts'
import { type ListPlace, type NodeName, type NodeRange, RUN_PLACES } from '../../crdt/list-names.ts'
import { type Origin, OriginTable } from '../../crdt/origin.ts'
import { VersionVector } from '../../crdt/version-vector.ts'
import { FugueModel, type ModelName } from '../harness/fugue-model.ts'
import { Prng } from '../harness/prng.ts'

type Change =
  | {
      readonly kind: 'insert'
      readonly place: ListPlace
      readonly toLeft: boolean
      readonly values: string[]
    }
  | { readonly kind: 'remove'; readonly ranges: readonly NodeRange[] }
  | { readonly kind: 'clear' }
  | { readonly kind: 'cut'; readonly cut: VersionVector }

interface Op {
  readonly origin: Origin
  readonly seq: number
  readonly deps: VersionVector
  readonly change: Change
}

const SEEDS = 300
const STEPS = 200

function nameOf({ origin, seq, sub }: NodeName): ModelName {
  return { region: origin.region, origin: origin.id, seq, place: sub % RUN_PLACES }
}

class Region {
  readonly origin: Origin
  readonly applied: VersionVector
  readonly model = new FugueModel()
  list = new ListState()
  /** What each region was heard to have applied, and has announced, by origin index. */
  readonly heard: VersionVector[] = []
  readonly announced: VersionVector[] = []
  readonly #at: OpPoint

  constructor(origins: OriginTable, origin: Origin, all: readonly Origin[]) {
    this.origin = origin
    this.applied = new VersionVector(origins)
    this.#at = new OpPoint(origin, this.applied, { conflict() {} })
    for (const one of all) {
      this.heard[one.index] = new VersionVector(origins)
      this.announced[one.index] = new VersionVector(origins)
    }
  }

  mint(change: Change): Op {
    const op = {
      origin: this.origin,
      seq: this.applied.get(this.origin) + 1,
      deps: this.applied.copy(),
      change,
    }
    this.apply(op)
    return op
  }

  takes(op: Op): boolean {
    return this.applied.get(op.origin) === op.seq - 1 && this.applied.covers(op.deps)
  }

  apply({ origin, seq, deps, change }: Op): void {
    this.#at.moveTo(origin, seq, 1000 + seq, deps)
    const hasSeen = ({ region, seq: of }: ModelName): boolean => {
      const at = this.heard.length
      for (let i = 0; i < at; i++) {
        const one = deps.origins.at(i)
        if (one.region === region) return one === origin ? of < seq : of <= deps.get(one)
      }
      return false
    }
    if (change.kind === 'insert') {
      const { place, toLeft, values } = change
      this.list.insert(place, values, toLeft, this.#at)
      const parent = place.parent === undefined ? undefined : nameOf(place.parent)
      this.model.insert(
        parent,
        place.side,
        toLeft,
        { region: origin.region, origin: origin.id, seq, place: 0 },
        values,
        hasSeen,
      )
    } else if (change.kind === 'remove') {
      this.list.remove(change.ranges, this.#at)
      for (const { origin: of, seq: named, sub, count } of change.ranges)
        for (let i = 0; i < count; i++) this.model.remove(nameOf({ origin: of, seq: named, sub: sub + i }))
    } else if (change.kind === 'clear') {
      this.list.withoutSeen([], this.#at)
      this.model.clear(hasSeen)
    } else {
      this.announced[origin.index]!.join(change.cut)
    }
    this.applied.advance(origin, seq)
  }

  /** The stable cut as it is known here. */
  cut(): VersionVector {
    let cut = this.applied.copy()
    for (const heard of this.heard) if (heard !== this.heard[this.origin.index]) cut = cut.meet(heard)
    return cut
  }

  reclaim(): void {
    const all = this.announced.reduce((low, one) => low.meet(one))
    const isAnnounced = (index: number, seq: number) => index < all.length && seq <= all.at(index)
    const cut = this.cut()
    this.list.reclaim(isAnnounced, (dot) => dot.seq <= cut.get(dot.origin), Number.POSITIVE_INFINITY)
  }

  placeAt(index: number): ListPlace {
    const own = this.announced[this.origin.index]!
    return this.list.placeAt(index, (of, seq) => of < own.length && seq <= own.at(of))
  }

  values(): string[] {
    return this.list.slice(0, this.list.size)
  }
}

/** Written to a snapshot and read back. */
function throughBytes(list: ListState, origins: OriginTable): ListState {
  if (list.size + list.markers === 0) return new ListState()
  const out = new StateWriter(origins.size)
  out.entry('l', new KeyState(list, undefined))
  const names = Array.from({ length: origins.size }, (_, i) => origins.at(i))
  let read: ListState | undefined
  new StateReader(out.bytes, names, new Map(), undefined, 0, out.at).entry(0, {
    records: undefined,
    restore: (_db, _key, entry) => {
      read = (entry as KeyState).state as ListState
    },
  })
  return read!
}

function run(seed: number): Region[] {
  const prng = new Prng(seed)
  const origins = new OriginTable()
  // The index of an origin is no hint of its region.
  const all = [3, 1, 2].map((region) => origins.intern(`${region}-00000000000${region}`))
  const regions = all.map((origin) => new Region(origins, origin, all))
  const ops: Op[] = []
  let made = 0
  const step = (): void => {
    const region = prng.pick(regions)
    const { list } = region
    const draw = prng.random()
    if (draw < 0.25) {
      const index = prng.below(list.size + 1)
      const values = Array.from({ length: 1 + prng.below(3) }, () => `${region.origin.region}:${made++}`)
      const toLeft = prng.chance(0.4)
      const expected = region.values()
      expected.splice(index, 0, ...(toLeft ? values.toReversed() : values))
      ops.push(region.mint({ kind: 'insert', place: region.placeAt(index), toLeft, values }))
      expect(region.values(), `seed ${seed}: an insert lies where it was meant to`).toEqual(expected)
    } else if (draw < 0.42 && list.size > 0) {
      const start = prng.below(list.size)
      const count = 1 + prng.below(Math.min(4, list.size - start))
      ops.push(region.mint({ kind: 'remove', ranges: list.rangesAt(start, count) }))
    } else if (draw < 0.43 && list.size > 0) {
      ops.push(region.mint({ kind: 'clear' }))
    } else if (draw < 0.66) {
      const from = prng.chance(0.5) ? undefined : prng.pick(regions).origin
      for (const op of ops)
        if ((from === undefined || op.origin === from) && region.takes(op)) region.apply(op)
    } else if (draw < 0.8) {
      // What is heard counts once the ops that its region made before are here.
      for (const { origin, applied } of regions)
        if (applied.get(origin) <= region.applied.get(origin)) region.heard[origin.index]!.join(applied)
    } else if (draw < 0.9) {
      ops.push(region.mint({ kind: 'cut', cut: region.cut() }))
    } else if (draw < 0.98) {
      region.reclaim()
    } else {
      region.list = throughBytes(list, origins)
    }
    expect(region.values(), `seed ${seed}: region ${region.origin.region}`).toEqual(region.model.values())
  }
  for (let i = 0; i < STEPS; i++) step()
  settle(regions, ops)
  return regions
}

/** Everybody gets everything, in causal order. */
function settle(regions: readonly Region[], ops: readonly Op[]): void {
  for (const region of regions) {
    let applied = 1
    while (applied > 0) {
      applied = 0
      for (const op of ops) {
        if (!region.takes(op)) continue
        region.apply(op)
        applied++
      }
    }
  }
}

describe('a list of three regions', () => {
  test(`is the same everywhere and that of the tree, over ${SEEDS} histories`, () => {
    let reclaimed = 0
    for (let seed = 1; seed <= SEEDS; seed++) {
      const regions = run(seed)
      for (const region of regions) {
        expect(region.values(), `seed ${seed}`).toEqual(region.model.values())
        expect(region.values(), `seed ${seed}`).toEqual(regions[0]!.values())
      }
      const markers = regions.map(({ list }) => list.markers)
      if (Math.min(...markers) < Math.max(...markers)) reclaimed++
    }
    expect(
      reclaimed,
      'histories in which one region had dropped markers that another still held',
    ).toBeGreaterThan(SEEDS / 20)
  })

  test('forgets every marker once all have announced that they know of it', () => {
    const regions = run(7)
    const ops: Op[] = []
    for (const region of regions)
      for (const other of regions) region.heard[other.origin.index]!.join(other.applied)
    for (const region of regions) ops.push(region.mint({ kind: 'cut', cut: region.cut() }))
    settle(regions, ops)
    for (const region of regions) {
      expect(region.list.markers).toBeGreaterThan(0)
      region.reclaim()
      expect(region.list.markers).toBe(0)
      expect(region.values()).toEqual(region.model.values())
    }
  })

  test('an LSET that lost is forgotten below the cut, and not before', () => {
    const origins = new OriginTable()
    const [a, b] = [1, 2].map((region) => origins.intern(`${region}-00000000000${region}`)) as [
      Origin,
      Origin,
    ]
    const list = new ListState()
    const nothing = new VersionVector(origins)
    const at = new OpPoint(a, nothing, { conflict() {} })
    at.moveTo(a, 1, 10, nothing)
    list.insert({ parent: undefined, side: 'right' }, ['x'], false, at)
    const seen = VersionVector.fromWire(origins, [[a.id, 1]])
    at.moveTo(a, 2, 20, seen)
    list.set(list.nameAt(0), 'later', at)
    at.moveTo(b, 1, 15, seen)
    list.set(list.nameAt(0), 'earlier', at)
    list.reclaim(
      () => false,
      () => false,
      1,
    )
    expect(list.isReclaimable).toBe(true)
    list.reclaim(
      () => false,
      (dot) => dot.origin === b,
      1,
    )
    expect(list.isReclaimable).toBe(false)
    expect(list.at(0)).toBe('later')
    expect([...list.dots()].filter((dot) => !(dot instanceof Dot && dot.seq === 1)).length).toBe(1)
  })
})
