/**
 * list-fugue.ts: the list behind LPUSH, LINSERT, LRANGE and LPOP: a sequence whose elements have identity.
 *
 * The order is that of a tree: a node's left children, the node, its right children. An insert names its parent
 * and the side (`placeAt`): the visible left neighbour if nothing hangs to the right of it, else the left of
 * the node that comes next, markers included. What two regions insert apart at one place hangs side by side
 * under one parent, the lower region first, and stays together with all that hangs under it: runs do not
 * interleave. A removed element stays as a marker, because inserts on their way may name it as a parent.
 *
 * How the tree is stored, and how an insert finds its place in it, is in `list-tree`.
 *
 * A marker goes when every origin that may still bring an op has *announced*, by an op of its own, a cut that
 * covers the removal and the inserts of the marker's children (`crdt/membership`, `cut`). From then on an origin
 * names no marker as a parent whose removal that covers, nor does a region that was away when the others announced
 * theirs and comes to know it with all that they had: so nobody refers to one that is gone.
 * Its children hang under its parent then. They cannot be mistaken for siblings of what comes: all that comes has
 * seen them, and what an insert has seen does not compete with it by name; it only has to lie further away from the
 * parent. That is why `list-tree` (`#yields`) asks that first.
 *
 * Invariant: `size` counts elements, `markers` the rest.
 * Source: Weidner and Kleppmann, "The Art of the Fugue", arXiv 2305.00583.
 */
import { assert } from './assert.ts'
import { insertRegister } from './cell.ts'
import type { Fingerprint } from './digest.ts'
import { compareStamps, Dot, type OpPoint } from './dot.ts'
import { LINK, type ListChunk, type ListValue } from './list-chunk.ts'
import {
  type IsCovered,
  type ListPlace,
  type NodeName,
  type NodeRange,
  RangeGatherer,
  RUN_PLACES,
} from './list-names.ts'
import { keyIn, keyOf, ListTree, nextOf, ROOT, type Spot } from './list-tree.ts'
import type { Origin } from './origin.ts'
import { Register } from './register.ts'
import { type Description, describeDot, type SeenCounter, type TypedState } from './state.ts'

const HLC_LOW = 2 ** 22

export class ListState extends ListTree implements TypedState {
  /** Other ops that removed a marker, not having seen the one that it names. */
  readonly #alsoRemoved = new Map<string, Dot[]>()
  /** Elements on which LSETs stand that did not see each other. */
  readonly #contested = new Map<string, NodeName>()

  get type(): 'list' {
    return 'list'
  }

  get size(): number {
    return this.chunks.live
  }

  get markers(): number {
    return this.nodes - this.chunks.live
  }

  get isGone(): boolean {
    return this.chunks.live === 0
  }

  get isUnseen(): boolean {
    return this.chunks.live === 0
  }

  /** Bytes it takes beside the values, roughly. */
  get bytes(): number {
    let bytes = 0
    for (let chunk = this.chunks.first; chunk !== undefined; chunk = chunk.next) bytes += chunk.bytes
    return bytes + 200 * (this.parents.size + this.children.size)
  }

  // Reading

  /** The value at an index from 0 to `size` - 1. */
  at(index: number): string {
    const { chunk, slot } = this.#spotAt(index)
    return shown(chunk.values[slot]!)
  }

  #spotAt(index: number): Spot {
    const { chunk, start } = this.chunks.find(index)
    // A chunk without markers needs no looking.
    if (chunk.live === chunk.size) return { chunk, slot: chunk.from + index - start }
    let left = index - start
    for (let slot = chunk.from; ; slot++) {
      if (chunk.values[slot] !== undefined && left-- === 0) return { chunk, slot }
    }
  }

  /**
   * Shows elements in turn.
   * @param start  index of the first one; it exists
   * @param step  1, or -1 for backwards
   * @param visit  returns false to end it
   */
  walk(start: number, step: 1 | -1, visit: (value: string, chunk: ListChunk, slot: number) => boolean): void {
    const spot = this.#spotAt(start)
    let chunk: ListChunk | undefined = spot.chunk
    let slot = spot.slot
    while (chunk !== undefined) {
      for (; slot >= chunk.from && slot < chunk.to; slot += step) {
        const value = chunk.values[slot]
        if (value !== undefined && !visit(shown(value), chunk, slot)) return
      }
      chunk = step === 1 ? chunk.next : chunk.previous
      slot = chunk === undefined ? 0 : step === 1 ? chunk.from : chunk.to - 1
    }
  }

  /** `count` values from `start` on; all of them exist. */
  slice(start: number, count: number): string[] {
    const values: string[] = []
    if (count <= 0) return values
    this.walk(start, 1, (value) => {
      values.push(value)
      return values.length < count
    })
    return values
  }

  // What a writer has to say

  /** The name of the element at an index. */
  nameAt(index: number): NodeName {
    const { chunk, slot } = this.#spotAt(index)
    return this.nameIn(chunk, slot)
  }

  /** The index of an element; undefined when it is gone. */
  indexOf(name: NodeName): number | undefined {
    const spot = this.spotOf(name)
    if (spot?.chunk.values[spot.slot] === undefined) return undefined
    let index = this.chunks.startOf(spot.chunk)
    for (let slot = spot.chunk.from; slot < spot.slot; slot++)
      if (spot.chunk.values[slot] !== undefined) index++
    return index
  }

  /** The LSETs that stand on an element, the one that shows first. */
  setsOf(name: NodeName): readonly Register[] {
    const spot = this.spotOf(name)
    const value = spot?.chunk.values[spot.slot]
    return value === undefined || typeof value === 'string' ? [] : value
  }

  /** The names of `count` elements from `start` on; all of them exist. */
  rangesAt(start: number, count: number): NodeRange[] {
    const ranges = new RangeGatherer()
    let left = count
    if (left > 0) {
      this.walk(start, 1, (_value, chunk, slot) => {
        ranges.add(this.nameIn(chunk, slot))
        return --left > 0
      })
    }
    return ranges.list
  }

  /**
   * Where an insert before the element at `index` hangs itself; `size` for the end.
   * @param isAnnounced  covered by a cut that was announced, by whomever: others may have let such markers go
   */
  placeAt(index: number, isAnnounced: IsCovered): ListPlace {
    const before = index === 0 ? undefined : this.#spotAt(index - 1)
    const skipped: Spot[] = []
    let next = before === undefined ? this.firstSpot() : nextOf(before)
    while (next !== undefined && this.#isRemovedBelow(next, isAnnounced)) {
      skipped.push(next)
      next = nextOf(next)
    }
    if (before === undefined) {
      if (next === undefined) return { parent: undefined, side: 'right' }
      return { parent: this.nameOf(next), side: 'left' }
    }
    if (next !== undefined && this.#hangsRight(before, skipped))
      return { parent: this.nameOf(next), side: 'left' }
    return { parent: this.nameOf(before), side: 'right' }
  }

  #isRemovedBelow({ chunk, slot }: Spot, isBelow: IsCovered): boolean {
    if (chunk.values[slot] !== undefined) return false
    if (isBelow(chunk.removerIndex(slot), chunk.when(slot))) return true
    if (this.#alsoRemoved.size === 0) return false
    const others = this.#alsoRemoved.get(keyIn(chunk, slot)) ?? []
    return others.some(({ origin, seq }) => isBelow(origin.index, seq))
  }

  /** What lies behind `spot` and those skipped hangs somewhere to the right under `spot`. */
  #hangsRight(spot: Spot, skipped: readonly Spot[]): boolean {
    const last = this.lastRightChild(spot)
    if (last === undefined) return false
    if (skipped.length === 0) return true
    const end = this.endOf(last)
    return !skipped.some(({ chunk, slot }) => chunk === end.chunk && slot === end.slot)
  }

  /** Removes elements by name: those that are here and were not removed before. */
  remove(ranges: readonly NodeRange[], at: OpPoint): void {
    let last: Spot | undefined
    for (const { origin, seq, sub, count } of ranges) {
      for (let i = 0; i < count; i++) {
        const spot: Spot | undefined = this.#spotNear(last, origin.index, seq, sub + i)
        last = spot
        if (spot === undefined) continue
        const { chunk, slot } = spot
        if (chunk.values[slot] !== undefined) this.#mark(chunk, slot, at)
        else this.#removedAgain(chunk, slot, at)
      }
    }
  }

  /** Most ranges go through the list in order. */
  #spotNear(last: Spot | undefined, originIndex: number, seq: number, sub: number): Spot | undefined {
    if (last !== undefined) {
      const near = nextOf(last)
      if (near?.chunk.isNamed(near.slot, originIndex, seq, sub)) return near
    }
    return this.spotIn(originIndex, seq, sub)
  }

  #mark(chunk: ListChunk, slot: number, at: OpPoint): void {
    this.beforeChange?.(chunk)
    const value = chunk.values[slot]!
    if (typeof value !== 'string') this.#reportLost(value, at)
    if (this.#contested.size > 0) this.#contested.delete(keyIn(chunk, slot))
    chunk.mark(slot, at.origin.index, at.seq)
    this.origins[at.origin.index] = at.origin
    this.chunks.changed(chunk, -1)
  }

  /** An LSET that the removal had not seen goes with the element. */
  #reportLost(registers: readonly Register[], at: OpPoint): void {
    for (const register of registers) if (!at.covers(register)) at.report('lost-set', new Dot(at), register)
  }

  #removedAgain(chunk: ListChunk, slot: number, at: OpPoint): void {
    const remover = this.origins[chunk.removerIndex(slot)]!
    if (at.coversDot(remover.index, chunk.when(slot), Number.POSITIVE_INFINITY)) return
    this.beforeChange?.(chunk)
    const key = keyIn(chunk, slot)
    const others = this.#alsoRemoved.get(key)
    if (others === undefined) this.#alsoRemoved.set(key, [new Dot(at)])
    else others.push(new Dot(at))
  }

  /** LSET. On an element that is removed it is lost, and reported. */
  set(name: NodeName, value: string, at: OpPoint): void {
    const spot = this.spotOf(name)
    if (spot === undefined) return
    const { chunk, slot } = spot
    const old = chunk.values[slot]
    const register = new Register(value, at)
    if (old === undefined) {
      at.report('lost-set', this.#removalOf(chunk, slot), register)
      return
    }
    this.beforeChange?.(chunk)
    // Who sets an element has seen it.
    const unseen = typeof old === 'string' ? [] : old.filter((one) => !at.covers(one))
    insertRegister(unseen, register, at)
    chunk.values[slot] = unseen
    if (unseen.length > 1) this.#contested.set(keyIn(chunk, slot), this.nameIn(chunk, slot))
    else if (this.#contested.size > 0) this.#contested.delete(keyIn(chunk, slot))
  }

  /** The op that removed a marker, as far as it is remembered: its HLC is not. */
  #removalOf(chunk: ListChunk, slot: number): Dot {
    const origin = this.origins[chunk.removerIndex(slot)]!
    return new Dot({ origin, seq: chunk.when(slot), index: 0, hlcHigh: 0, hlcLow: 0 })
  }

  // As a state of a key

  latest(): Dot {
    let latest: Dot | undefined
    for (const dot of this.dots()) if (latest === undefined || compareStamps(dot, latest) > 0) latest = dot
    assert(latest !== undefined, 'a list that is not gone has an element')
    return latest
  }

  /** Every live write in it. */
  *dots(): IterableIterator<Dot> {
    for (let chunk = this.chunks.first; chunk !== undefined; chunk = chunk.next) {
      for (let slot = chunk.from; slot < chunk.to; slot++) {
        const value = chunk.values[slot]
        if (value === undefined) continue
        yield this.dotIn(chunk, slot)
        if (typeof value !== 'string') yield* value
      }
    }
  }

  /** The insert of an element. */
  dotIn(chunk: ListChunk, slot: number): Dot {
    const hlc = chunk.when(slot)
    return new Dot({
      origin: this.origins[chunk.originIndex(slot)]!,
      seq: chunk.seq(slot),
      index: Math.floor(chunk.sub(slot) / RUN_PLACES),
      hlcHigh: Math.floor(hlc / HLC_LOW),
      hlcLow: hlc % HLC_LOW,
    })
  }

  withoutSeen(_seen: readonly SeenCounter[], at: OpPoint): ListState | undefined {
    for (let chunk = this.chunks.first; chunk !== undefined; chunk = chunk.next) {
      for (let slot = chunk.from; slot < chunk.to; slot++) {
        const index = Math.floor(chunk.sub(slot) / RUN_PLACES)
        if (!at.coversDot(chunk.originIndex(slot), chunk.seq(slot), index)) continue
        if (chunk.values[slot] !== undefined) this.#mark(chunk, slot, at)
        // Somebody else removed it, and this op may not know.
        else this.#removedAgain(chunk, slot, at)
      }
    }
    return this.nodes > 0 ? this : undefined
  }

  collectSeen(_into: SeenCounter[]): void {}

  fingerprint(into: Fingerprint): void {
    if (this.size === 0) return
    this.walk(0, 1, (value) => {
      into.word(value)
      return true
    })
  }

  describe(): Description {
    const elements: Description[] = []
    for (let chunk = this.chunks.first; chunk !== undefined; chunk = chunk.next) {
      for (let slot = chunk.from; slot < chunk.to; slot++) {
        const value = chunk.values[slot]
        if (value === undefined) continue
        const dot = describeDot(this.dotIn(chunk, slot))
        if (typeof value === 'string') elements.push({ value, dot })
        else elements.push({ value: shown(value), dot, sets: value.map((one) => one.describe()) })
      }
    }
    return { elements, markers: this.markers }
  }

  // Forgetting

  /** Something waits to be forgotten. */
  get isReclaimable(): boolean {
    return this.markers > 0 || this.#contested.size > 0
  }

  /** All inserts and removals that it knows of are covered. Looks at every node, up to the first that is not. */
  liesBelow(isBelow: IsCovered): boolean {
    for (let chunk = this.chunks.first; chunk !== undefined; chunk = chunk.next) {
      for (let slot = chunk.from; slot < chunk.to; slot++) {
        if (!isBelow(chunk.originIndex(slot), chunk.seq(slot))) return false
        if (chunk.values[slot] === undefined && !isBelow(chunk.removerIndex(slot), chunk.when(slot)))
          return false
      }
    }
    return true
  }

  /**
   * Drops markers that nothing can refer to any more, and LSETs that lost below the stable cut.
   * @param isAnnounced  covered by what every origin that may still bring an op has announced
   * @param isStable  below the stable cut
   * @param looks  markers to look at, at most
   */
  reclaim(isAnnounced: IsCovered, isStable: (dot: Dot) => boolean, looks: number): void {
    this.#dropLosers(isStable)
    let left = this.markers === 0 ? 0 : looks
    let chunk = this.chunks.first
    while (chunk !== undefined && left > 0) {
      const { next } = chunk
      if (chunk.live < chunk.size) {
        left -= chunk.size - chunk.live
        this.#dropMarkers(chunk, isAnnounced)
      }
      if (chunk.size === 0) this.chunks.remove(chunk)
      else this.mergeBack(chunk)
      chunk = next
    }
  }

  #dropLosers(isStable: (dot: Dot) => boolean): void {
    for (const [key, name] of this.#contested) {
      const { chunk, slot } = this.spotOf(name)!
      const registers = chunk.values[slot] as Register[]
      const kept = registers.filter((one, i) => i === 0 || !isStable(one))
      chunk.values[slot] = kept
      if (kept.length === 1) this.#contested.delete(key)
    }
  }

  /**
   * First what hangs to the right of its neighbour, backwards, then the rest, forwards: so a run of markers goes
   * from its outer end, and the one that is left hangs where its run did.
   */
  #dropMarkers(chunk: ListChunk, isAnnounced: IsCovered): void {
    for (let slot = chunk.to - 1; slot >= chunk.from; ) {
      const { from } = chunk
      if (chunk.link(slot) === LINK.RIGHT_OF_PREVIOUS) this.#dropMarker(chunk, slot, isAnnounced)
      // What was before it may have moved into its slot.
      if (chunk.from === from) slot--
    }
    for (let slot = chunk.from; slot < chunk.to; ) {
      const { from, to } = chunk
      this.#dropMarker(chunk, slot, isAnnounced)
      // The same with what was behind it.
      if (chunk.to === to || chunk.from > from) slot++
    }
  }

  #dropMarker(chunk: ListChunk, slot: number, isAnnounced: IsCovered): void {
    const spot = { chunk, slot }
    if (!this.#isRemovedBelow(spot, isAnnounced)) return
    const isPlain = this.children.size === 0 && this.#alsoRemoved.size === 0
    const hangs =
      isPlain && chunk.link(slot) !== LINK.WRITTEN
        ? this.hasKnownNeighbours(spot, isAnnounced)
        : this.unhang(spot, isAnnounced)
    if (!hangs) return
    if (!isPlain) this.#alsoRemoved.delete(keyIn(chunk, slot))
    chunk.drop(slot)
    this.nodes--
  }

  /** Every op that is known to have removed a marker: origins and seqs. */
  removalsOf(chunk: ListChunk, slot: number): readonly { readonly origin: Origin; readonly seq: number }[] {
    const first = { origin: this.origins[chunk.removerIndex(slot)]!, seq: chunk.when(slot) }
    return [first, ...(this.#alsoRemoved.get(keyIn(chunk, slot)) ?? [])]
  }

  /** Begins to put nodes at the end as a snapshot tells them; `restored` ends it. */
  restoreNode(node: RestoredNode): void {
    const { name, value, hlc, place, removals } = node
    const { origin, seq, sub } = name
    this.origins[origin.index] = origin
    const { last } = this.chunks
    const chunk = last === undefined || last.isFull ? this.newChunk(last, false).chunk : last
    const slot = chunk.open(chunk.to)
    chunk.write(slot, value ?? '', origin.index, seq, sub, hlc)
    this.chunks.changed(chunk, 1)
    this.nodes++
    const key = keyOf(name)
    if (value === undefined) {
      const [first, ...others] = removals as [Dot, ...Dot[]]
      for (const one of removals) this.origins[one.origin.index] = one.origin
      chunk.mark(slot, first.origin.index, first.seq)
      this.chunks.changed(chunk, -1)
      if (others.length > 0) this.#alsoRemoved.set(key, others)
    } else if (typeof value !== 'string' && value.length > 1) {
      this.#contested.set(key, name)
    }
    if (typeof place === 'number') {
      chunk.setLink(slot, place)
      return
    }
    const parentKey = place.parent === undefined ? ROOT : keyOf(place.parent)
    this.parents.set(key, { key: parentKey, ...place })
    // Nodes come in the order of the list, which is that of its children.
    this.childrenOf(parentKey)[place.side].push(name)
  }

  /** Every node is there. */
  restored(): void {
    const chunks: ListChunk[] = []
    for (let chunk = this.chunks.first; chunk !== undefined; chunk = chunk.next) chunks.push(chunk)
    this.locator.moved(chunks)
  }
}

/** A node as a snapshot holds it. */
export interface RestoredNode {
  readonly name: NodeName
  /** Undefined: a marker. */
  readonly value: ListValue | undefined
  /** Of an element. */
  readonly hlc: number
  readonly place: ListPlace | typeof LINK.RIGHT_OF_PREVIOUS | typeof LINK.LEFT_OF_NEXT
  /** Of a marker, one at least. */
  readonly removals: readonly Dot[]
}

/** The value as a read shows it. */
export function shown(value: ListValue): string {
  return typeof value === 'string' ? value : value[0]!.value
}
