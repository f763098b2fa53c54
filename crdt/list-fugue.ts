/**
 * list-fugue.ts: the list behind LPUSH, LINSERT, LRANGE and LPOP: a sequence whose elements have identity.
 *
 * The order is that of a tree: a node's left children, the node, its right children. An insert names its parent
 * and the side (`placeAt`): the visible left neighbour if nothing hangs to the right of it, else the left of
 * the node that comes next, markers included. What two regions insert apart at one place hangs side by side
 * under one parent, the lower region first, and stays together with all that hangs under it: runs do not
 * interleave. A removed element stays as a marker, because inserts on their way may name it as a parent.
 *
 * The tree is not stored as one. Nodes lie in the order of the list (`list-chunks`), and most hang under their
 * neighbour, which takes two bits; only what does not is written down, in `#parents` and `#children`. So an
 * insert finds its place by looking at the few nodes that its region had not seen.
 *
 * A marker goes when every origin that may still bring an op has *announced*, by an op of its own, a cut that
 * covers the removal and the inserts of the marker's children (`crdt/membership`, `cut`). From its announcement
 * on an origin names no marker as a parent whose removal its cut covers, so nobody refers to one that is gone.
 * Its children hang under its parent then. They cannot be mistaken for siblings of what comes: all that comes has
 * seen them, and what an insert has seen does not compete with it by name; it only has to lie further away from the
 * parent. That is why `#yields` asks that first.
 *
 * Invariants: (1) a chunk of the list is never empty. (2) A node whose link is WRITTEN has an entry in
 * `#parents` and stands in `#children` of its parent, others in neither. (3) Children of one side are listed in
 * the order of the list; one that hangs by its place is the nearest to the parent and not listed.
 * (4) `size` counts elements, `markers` the rest.
 * Source: Weidner and Kleppmann, "The Art of the Fugue", arXiv 2305.00583.
 */
import { assert } from './assert.ts'
import { insertRegister } from './cell.ts'
import type { Fingerprint } from './digest.ts'
import { compareStamps, Dot, type OpPoint } from './dot.ts'
import { CHUNK_NODES_MAX, LINK, ListChunk, type ListValue } from './list-chunk.ts'
import { ListChunks } from './list-chunks.ts'
import { ListLocator } from './list-locator.ts'
import type { Origin } from './origin.ts'
import { Register } from './register.ts'
import { type Description, describeDot, type SeenCounter, type TypedState } from './state.ts'

/** Places of a run in one effect: `sub` of a node is its effect's index times this, plus its place. */
export const RUN_PLACES = 2 ** 21
const HLC_LOW = 2 ** 22
/** Chunks that hold together less than this become one. */
const MERGE_NODES_MAX = CHUNK_NODES_MAX / 2

/** Names a node for ever. */
export interface NodeName {
  readonly origin: Origin
  readonly seq: number
  /** See RUN_PLACES. */
  readonly sub: number
}

export type Side = 'left' | 'right'

/** Where an insert hangs itself. */
export interface ListPlace {
  /** Undefined: the root, which lies before all nodes. */
  readonly parent: NodeName | undefined
  readonly side: Side
}

/** Elements that were inserted by one effect, with places in turn. */
export interface NodeRange extends NodeName {
  readonly count: number
}

/** The op with that dot is known to be covered. */
export type IsCovered = (originIndex: number, seq: number) => boolean

interface Spot {
  readonly chunk: ListChunk
  readonly slot: number
}

interface Children {
  left: NodeName[]
  right: NodeName[]
}

interface Parent extends ListPlace {
  readonly key: string
}

const ROOT = ''

export class ListState implements TypedState {
  readonly chunks = new ListChunks()
  readonly #locator = new ListLocator()
  /** By index; only those that have nodes here. */
  readonly #origins: Origin[] = []
  readonly #parents = new Map<string, Parent>()
  readonly #children = new Map<string, Children>()
  readonly #root: Children = { left: [], right: [] }
  /** Other ops that removed a marker, not having seen the one that it names. */
  readonly #alsoRemoved = new Map<string, Dot[]>()
  /** Elements on which LSETs stand that did not see each other. */
  readonly #contested = new Map<string, NodeName>()
  #nodes = 0
  /** Told of a chunk before it changes: for a snapshot that is being written. */
  beforeChange: ((chunk: ListChunk) => void) | undefined = undefined

  get type(): 'list' {
    return 'list'
  }

  get size(): number {
    return this.chunks.live
  }

  get markers(): number {
    return this.#nodes - this.chunks.live
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
    return bytes + 200 * (this.#parents.size + this.#children.size)
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

  nameIn(chunk: ListChunk, slot: number): NodeName {
    const origin = this.#origins[chunk.originIndex(slot)]!
    return { origin, seq: chunk.seq(slot), sub: chunk.sub(slot) }
  }

  /** The index of an element; undefined when it is gone. */
  indexOf(name: NodeName): number | undefined {
    const spot = this.#spotOf(name)
    if (spot?.chunk.values[spot.slot] === undefined) return undefined
    let index = this.chunks.startOf(spot.chunk)
    for (let slot = spot.chunk.from; slot < spot.slot; slot++)
      if (spot.chunk.values[slot] !== undefined) index++
    return index
  }

  /** The LSETs that stand on an element, the one that shows first. */
  setsOf(name: NodeName): readonly Register[] {
    const spot = this.#spotOf(name)
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
   * @param isAnnounced  covered by the cut that this region has announced
   */
  placeAt(index: number, isAnnounced: IsCovered): ListPlace {
    const before = index === 0 ? undefined : this.#spotAt(index - 1)
    const skipped: Spot[] = []
    let next = before === undefined ? this.#firstSpot() : nextOf(before)
    while (next !== undefined && this.#isRemovedBelow(next, isAnnounced)) {
      skipped.push(next)
      next = nextOf(next)
    }
    if (before === undefined) {
      if (next === undefined) return { parent: undefined, side: 'right' }
      return { parent: this.#nameOf(next), side: 'left' }
    }
    if (next !== undefined && this.#hangsRight(before, skipped))
      return { parent: this.#nameOf(next), side: 'left' }
    return { parent: this.#nameOf(before), side: 'right' }
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
    const last = this.#lastRightChild(spot)
    if (last === undefined) return false
    if (skipped.length === 0) return true
    const end = this.#endOf(last)
    return !skipped.some(({ chunk, slot }) => chunk === end.chunk && slot === end.slot)
  }

  // Applying

  /**
   * Inserts a run.
   * @param toLeft  each value goes before the one before it (LPUSH), not behind it
   */
  insert(place: ListPlace, values: readonly string[], toLeft: boolean, at: OpPoint): void {
    const { origin, seq } = at
    this.#origins[origin.index] = origin
    const hlc = at.hlcHigh * HLC_LOW + at.hlcLow
    const first = at.index * RUN_PLACES
    // The rest of the run may come to lie between its first element and the parent of that.
    const partsFromParent = values.length > 1 && toLeft === (place.side === 'right')
    let spot = this.#insertHead(place, { origin, seq, sub: first }, values[0]!, hlc, at, partsFromParent)
    for (let i = 1; i < values.length; i++) {
      const target = toLeft ? spot.slot : spot.slot + 1
      spot = this.#put(spot.chunk, target, values[i]!, origin.index, seq, first + i, hlc)
      spot.chunk.setLink(spot.slot, toLeft ? LINK.LEFT_OF_NEXT : LINK.RIGHT_OF_PREVIOUS)
    }
  }

  #insertHead(
    place: ListPlace,
    name: NodeName,
    value: string,
    hlc: number,
    at: OpPoint,
    partsFromParent: boolean,
  ): Spot {
    const parent = place.parent === undefined ? undefined : this.#spotOf(place.parent)
    // Nobody names a marker that is gone (see above): what would is kept, at the end.
    const isLost = place.parent !== undefined && parent === undefined
    const side = isLost ? 'right' : place.side
    const { before, sibling } =
      side === 'right' ? this.#placeRight(parent, at, isLost) : this.#placeLeft(parent!, at)
    const next = before === undefined ? this.#firstSpot() : nextOf(before)
    if (before !== undefined) this.#writeDown(before, LINK.LEFT_OF_NEXT, next)
    if (next !== undefined) this.#writeDown(next, LINK.RIGHT_OF_PREVIOUS, before)
    const link = partsFromParent ? LINK.WRITTEN : linkAt(parent, side, before, next)
    if (link === LINK.WRITTEN) this.#attach(name, parent, side, sibling)
    const chunk = before?.chunk ?? next?.chunk
    const slot = before === undefined ? (next?.slot ?? 0) : before.slot + 1
    const spot = this.#put(chunk, slot, value, name.origin.index, name.seq, name.sub, hlc)
    spot.chunk.setLink(spot.slot, link)
    return spot
  }

  /**
   * The place of a new right child: before the first sibling that it has seen, or that comes later by name.
   * @returns the node it comes to lie behind, and the listed sibling before which it is to be listed
   */
  #placeRight(
    parent: Spot | undefined,
    at: OpPoint,
    isLost: boolean,
  ): { readonly before: Spot | undefined; readonly sibling: NodeName | undefined } {
    let previous: Spot | undefined
    const near = parent === undefined ? undefined : nextOf(parent)
    if (near !== undefined && near.chunk.link(near.slot) === LINK.RIGHT_OF_PREVIOUS) {
      // It will be listed by then.
      if (this.#yields(near, at, 'right')) return { before: parent, sibling: this.#nameOf(near) }
      previous = near
    }
    for (const sibling of this.#listed(parent).right) {
      const spot = this.#spotOf(sibling)!
      if (!isLost && this.#yields(spot, at, 'right'))
        return { before: previous === undefined ? parent : this.#endOf(previous), sibling }
      previous = spot
    }
    return { before: previous === undefined ? parent : this.#endOf(previous), sibling: undefined }
  }

  /** The same for a left child: behind the last sibling that it has seen, or that comes earlier by name. */
  #placeLeft(
    parent: Spot,
    at: OpPoint,
  ): { readonly before: Spot | undefined; readonly sibling: NodeName | undefined } {
    const near = previousOf(parent)
    let next = parent
    let sibling: NodeName | undefined
    if (near !== undefined && near.chunk.link(near.slot) === LINK.LEFT_OF_NEXT) {
      if (this.#yields(near, at, 'left')) return { before: near, sibling }
      next = this.#startOf(near)
      sibling = this.#nameOf(near)
    }
    const { left } = this.#listed(parent)
    for (let i = left.length - 1; i >= 0; i--) {
      const spot = this.#spotOf(left[i]!)!
      if (this.#yields(spot, at, 'left')) return { before: this.#endOf(spot), sibling }
      next = this.#startOf(spot)
      sibling = left[i]
    }
    return { before: previousOf(next), sibling }
  }

  /** A sibling that lies further away from the parent than what the op at `at` inserts. */
  #yields({ chunk, slot }: Spot, at: OpPoint, side: Side): boolean {
    const originIndex = chunk.originIndex(slot)
    if (at.coversDot(originIndex, chunk.seq(slot), Math.floor(chunk.sub(slot) / RUN_PLACES))) return true
    // Of one origin the later has seen the earlier, so these are two.
    const isLater = isLaterOrigin(this.#origins[originIndex]!, at.origin)
    return side === 'right' ? isLater : !isLater
  }

  /** A node that hangs by its place is about to get another neighbour on that side. */
  #writeDown(
    node: Spot,
    link: typeof LINK.LEFT_OF_NEXT | typeof LINK.RIGHT_OF_PREVIOUS,
    parent: Spot | undefined,
  ): void {
    const { chunk, slot } = node
    if (chunk.link(slot) !== link) return
    assert(parent !== undefined, 'what hangs by its place has a neighbour there')
    this.beforeChange?.(chunk)
    chunk.setLink(slot, LINK.WRITTEN)
    const side = link === LINK.LEFT_OF_NEXT ? 'left' : 'right'
    const name = this.#nameOf(node)
    const key = keyOf(this.#nameOf(parent))
    const listed = this.#childrenOf(key)
    this.#parents.set(keyOf(name), { key, parent: this.#nameOf(parent), side })
    // It was the nearest: the last one on the left, the first one on the right.
    if (side === 'left') listed.left.push(name)
    else listed.right.unshift(name)
  }

  /** Lists a child of `parent` before `sibling`, or last. */
  #attach(name: NodeName, parent: Spot | undefined, side: Side, sibling: NodeName | undefined): void {
    const parentName = parent === undefined ? undefined : this.#nameOf(parent)
    const key = parentName === undefined ? ROOT : keyOf(parentName)
    const list = this.#childrenOf(key)[side]
    this.#parents.set(keyOf(name), { key, parent: parentName, side })
    const place = sibling === undefined ? -1 : list.findIndex((one) => isSame(one, sibling))
    if (place < 0) list.push(name)
    else list.splice(place, 0, name)
  }

  /** Writes a node before the one in `slot`. @returns where it lies */
  #put(
    chunk: ListChunk | undefined,
    slot: number,
    value: string,
    originIndex: number,
    seq: number,
    sub: number,
    hlc: number,
  ): Spot {
    const target = this.#roomAt(chunk, slot)
    const place = target.chunk.open(target.slot)
    target.chunk.write(place, value, originIndex, seq, sub, hlc)
    this.chunks.changed(target.chunk, 1)
    this.#locator.added(originIndex, seq, sub, target.chunk)
    this.#nodes++
    return { chunk: target.chunk, slot: place }
  }

  /** A chunk that is not full, and the slot in it that stands for `slot` of `chunk`. */
  #roomAt(chunk: ListChunk | undefined, slot: number): Spot {
    if (chunk === undefined) return this.#newChunk(undefined, false)
    this.beforeChange?.(chunk)
    if (!chunk.isFull) return { chunk, slot }
    if (slot === chunk.to) return this.#newChunk(chunk, false)
    if (slot === chunk.from) return this.#newChunk(chunk.previous, true)
    const middle = (chunk.from + chunk.to) >>> 1
    const tail = new ListChunk(false, CHUNK_NODES_MAX)
    this.chunks.insertAfter(chunk, tail)
    const live = chunk.live
    chunk.giveTail(middle, tail)
    this.chunks.changed(chunk, chunk.live - live)
    this.chunks.changed(tail, tail.live)
    this.#locator.moved([chunk, tail])
    return slot <= middle ? { chunk, slot } : { chunk: tail, slot: tail.from + slot - middle }
  }

  #newChunk(before: ListChunk | undefined, growsDown: boolean): Spot {
    // The first one of a list is as small as most lists are.
    const made = this.#nodes === 0 ? new ListChunk(growsDown) : new ListChunk(growsDown, CHUNK_NODES_MAX)
    this.chunks.insertAfter(before, made)
    return { chunk: made, slot: made.from }
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
    return this.#spotIn(originIndex, seq, sub)
  }

  #mark(chunk: ListChunk, slot: number, at: OpPoint): void {
    this.beforeChange?.(chunk)
    const value = chunk.values[slot]!
    if (typeof value !== 'string') this.#reportLost(value, at)
    if (this.#contested.size > 0) this.#contested.delete(keyIn(chunk, slot))
    chunk.mark(slot, at.origin.index, at.seq)
    this.#origins[at.origin.index] = at.origin
    this.chunks.changed(chunk, -1)
  }

  /** An LSET that the removal had not seen goes with the element. */
  #reportLost(registers: readonly Register[], at: OpPoint): void {
    for (const register of registers) if (!at.covers(register)) at.report('lost-set', new Dot(at), register)
  }

  #removedAgain(chunk: ListChunk, slot: number, at: OpPoint): void {
    const remover = this.#origins[chunk.removerIndex(slot)]!
    if (at.coversDot(remover.index, chunk.when(slot), Number.POSITIVE_INFINITY)) return
    this.beforeChange?.(chunk)
    const key = keyIn(chunk, slot)
    const others = this.#alsoRemoved.get(key)
    if (others === undefined) this.#alsoRemoved.set(key, [new Dot(at)])
    else others.push(new Dot(at))
  }

  /** LSET. On an element that is removed it is lost, and reported. */
  set(name: NodeName, value: string, at: OpPoint): void {
    const spot = this.#spotOf(name)
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
    const origin = this.#origins[chunk.removerIndex(slot)]!
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
      origin: this.#origins[chunk.originIndex(slot)]!,
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
    return this.#nodes > 0 ? this : undefined
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
        if (chunk.values[slot] === undefined && !isBelow(chunk.removerIndex(slot), chunk.when(slot))) return false
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
      else this.#mergeBack(chunk)
      chunk = next
    }
  }

  #dropLosers(isStable: (dot: Dot) => boolean): void {
    for (const [key, name] of this.#contested) {
      const { chunk, slot } = this.#spotOf(name)!
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
    const isPlain = this.#children.size === 0 && this.#alsoRemoved.size === 0
    const hangs =
      isPlain && chunk.link(slot) !== LINK.WRITTEN
        ? this.#hasKnownNeighbours(spot, isAnnounced)
        : this.#unhang(spot, isAnnounced)
    if (!hangs) return
    chunk.drop(slot)
    this.#nodes--
  }

  /** Nearly all markers have at most one child, which hangs by its place, and goes on to. */
  #hasKnownNeighbours(spot: Spot, isAnnounced: IsCovered): boolean {
    const next = nextOf(spot)
    if (next?.chunk.link(next.slot) === LINK.RIGHT_OF_PREVIOUS && !isInserted(next, isAnnounced)) return false
    const previous = previousOf(spot)
    return previous?.chunk.link(previous.slot) !== LINK.LEFT_OF_NEXT || isInserted(previous, isAnnounced)
  }

  /**
   * Hangs the children of a marker under its parent.
   * @returns false when one of them is not known to everybody
   */
  #unhang(spot: Spot, isAnnounced: IsCovered): boolean {
    const { chunk, slot } = spot
    const key = keyIn(chunk, slot)
    const previous = previousOf(spot)
    const next = nextOf(spot)
    const nearLeft = previous?.chunk.link(previous.slot) === LINK.LEFT_OF_NEXT ? previous : undefined
    const nearRight = next?.chunk.link(next.slot) === LINK.RIGHT_OF_PREVIOUS ? next : undefined
    const listed = this.#children.get(key)
    const link = chunk.link(slot)
    const children = [...(listed?.left ?? []), ...(listed?.right ?? [])]
    for (const one of [nearLeft, nearRight]) if (one !== undefined) children.push(this.#nameOf(one))
    if (!children.every(({ origin, seq }) => isAnnounced(origin.index, seq))) return false
    if (link === LINK.WRITTEN) this.#hangListed(key, nearLeft, nearRight, listed)
    else if (listed !== undefined)
      this.#hangNear(link === LINK.LEFT_OF_NEXT ? next! : previous!, link, listed)
    this.#children.delete(key)
    this.#alsoRemoved.delete(key)
    return true
  }

  /** The marker hangs under a neighbour: a child that hangs by its place now has that neighbour itself. */
  #hangNear(parent: Spot, link: number, listed: Children): void {
    const side = link === LINK.LEFT_OF_NEXT ? 'left' : 'right'
    const moved = listed[side]
    if (moved.length === 0) return
    const name = this.#nameOf(parent)
    const key = keyOf(name)
    const children = this.#childrenOf(key)
    for (const child of moved) this.#parents.set(keyOf(child), { key, parent: name, side })
    if (side === 'left') children.left.push(...moved)
    else children.right.unshift(...moved)
  }

  #hangListed(
    key: string,
    nearLeft: Spot | undefined,
    nearRight: Spot | undefined,
    listed: Children | undefined,
  ): void {
    const place = this.#parents.get(key)!
    this.#parents.delete(key)
    const names = [...(listed?.left ?? [])]
    for (const near of [nearLeft, nearRight]) {
      if (near === undefined) continue
      near.chunk.setLink(near.slot, LINK.WRITTEN)
      names.push(this.#nameOf(near))
    }
    names.push(...(listed?.right ?? []))
    for (const name of names) this.#parents.set(keyOf(name), place)
    const siblings = this.#childrenOf(place.key)
    const list = siblings[place.side]
    list.splice(
      list.findIndex((one) => keyOf(one) === key),
      1,
      ...names,
    )
    if (siblings.left.length + siblings.right.length === 0) this.#children.delete(place.key)
  }

  /** Small neighbours become one chunk. */
  #mergeBack(chunk: ListChunk): void {
    const { previous } = chunk
    if (previous === undefined || previous.size + chunk.size > MERGE_NODES_MAX) return
    const { live } = chunk
    chunk.giveTail(chunk.from, previous)
    this.chunks.changed(chunk, -live)
    this.chunks.changed(previous, live)
    this.chunks.remove(chunk)
    this.#locator.moved([previous])
  }

  // Finding nodes

  #nameOf({ chunk, slot }: Spot): NodeName {
    return this.nameIn(chunk, slot)
  }

  #spotOf({ origin, seq, sub }: NodeName): Spot | undefined {
    return this.#spotIn(origin.index, seq, sub)
  }

  #spotIn(originIndex: number, seq: number, sub: number): Spot | undefined {
    const chunk = this.#locator.find(originIndex, seq, sub)
    const slot = chunk?.find(originIndex, seq, sub) ?? -1
    return chunk === undefined || slot < 0 ? undefined : { chunk, slot }
  }

  #firstSpot(): Spot | undefined {
    const { first } = this.chunks
    return first === undefined ? undefined : { chunk: first, slot: first.from }
  }

  #listed(parent: Spot | undefined): Readonly<Children> {
    if (parent === undefined) return this.#root
    if (this.#children.size === 0) return NO_CHILDREN
    return this.#children.get(keyIn(parent.chunk, parent.slot)) ?? NO_CHILDREN
  }

  #childrenOf(key: string): Children {
    if (key === ROOT) return this.#root
    const known = this.#children.get(key)
    if (known !== undefined) return known
    const made: Children = { left: [], right: [] }
    this.#children.set(key, made)
    return made
  }

  #lastRightChild(spot: Spot): Spot | undefined {
    const listed = this.#listed(spot).right.at(-1)
    if (listed !== undefined) return this.#spotOf(listed)
    const next = nextOf(spot)
    return next?.chunk.link(next.slot) === LINK.RIGHT_OF_PREVIOUS ? next : undefined
  }

  /** The last node that hangs somewhere under `spot`, or it itself. */
  #endOf(spot: Spot): Spot {
    let end = spot
    for (let below = this.#lastRightChild(end); below !== undefined; below = this.#lastRightChild(end))
      end = below
    return end
  }

  /** The first one. */
  #startOf(spot: Spot): Spot {
    let start = spot
    for (let below = this.#firstLeftChild(start); below !== undefined; below = this.#firstLeftChild(start))
      start = below
    return start
  }

  #firstLeftChild(spot: Spot): Spot | undefined {
    const listed = this.#listed(spot).left[0]
    if (listed !== undefined) return this.#spotOf(listed)
    const previous = previousOf(spot)
    return previous?.chunk.link(previous.slot) === LINK.LEFT_OF_NEXT ? previous : undefined
  }

  // For snapshots: see codec/list-state.ts

  /** Where a node hangs whose link is WRITTEN. */
  placeOf(chunk: ListChunk, slot: number): ListPlace {
    return this.#parents.get(keyIn(chunk, slot))!
  }

  /** Every op that is known to have removed a marker: origins and seqs. */
  removalsOf(chunk: ListChunk, slot: number): readonly { readonly origin: Origin; readonly seq: number }[] {
    const first = { origin: this.#origins[chunk.removerIndex(slot)]!, seq: chunk.when(slot) }
    return [first, ...(this.#alsoRemoved.get(keyIn(chunk, slot)) ?? [])]
  }

  /** Begins to put nodes at the end as a snapshot tells them; `restored` ends it. */
  restoreNode(node: RestoredNode): void {
    const { name, value, hlc, place, removals } = node
    const { origin, seq, sub } = name
    this.#origins[origin.index] = origin
    const { last } = this.chunks
    const chunk = last === undefined || last.isFull ? this.#newChunk(last, false).chunk : last
    const slot = chunk.open(chunk.to)
    chunk.write(slot, value ?? '', origin.index, seq, sub, hlc)
    this.chunks.changed(chunk, 1)
    this.#nodes++
    const key = keyOf(name)
    if (value === undefined) {
      const [first, ...others] = removals as [Dot, ...Dot[]]
      for (const one of removals) this.#origins[one.origin.index] = one.origin
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
    this.#parents.set(key, { key: parentKey, ...place })
    // Nodes come in the order of the list, which is that of its children.
    this.#childrenOf(parentKey)[place.side].push(name)
  }

  /** Every node is there. */
  restored(): void {
    const chunks: ListChunk[] = []
    for (let chunk = this.chunks.first; chunk !== undefined; chunk = chunk.next) chunks.push(chunk)
    this.#locator.moved(chunks)
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

const NO_CHILDREN: Children = { left: [], right: [] }

/** Gathers names into ranges. */
export class RangeGatherer {
  readonly list: NodeRange[] = []

  add({ origin, seq, sub }: NodeName): void {
    const last = this.list.at(-1)
    if (last !== undefined && last.origin === origin && last.seq === seq && last.sub + last.count === sub)
      this.list[this.list.length - 1] = { ...last, count: last.count + 1 }
    else this.list.push({ origin, seq, sub, count: 1 })
  }
}

/** The value as a read shows it. */
export function shown(value: ListValue): string {
  return typeof value === 'string' ? value : value[0]!.value
}

function keyOf({ origin, seq, sub }: NodeName): string {
  return `${origin.index}.${seq}.${sub}`
}

function keyIn(chunk: ListChunk, slot: number): string {
  return `${chunk.originIndex(slot)}.${chunk.seq(slot)}.${chunk.sub(slot)}`
}

function isSame(a: NodeName, b: NodeName): boolean {
  return a.origin === b.origin && a.seq === b.seq && a.sub === b.sub
}

/** Siblings of two origins lie in this order: the lower region first. */
function isLaterOrigin(a: Origin, b: Origin): boolean {
  return a.region === b.region ? a.id > b.id : a.region > b.region
}

function isInserted({ chunk, slot }: Spot, isCovered: IsCovered): boolean {
  return isCovered(chunk.originIndex(slot), chunk.seq(slot))
}

function nextOf({ chunk, slot }: Spot): Spot | undefined {
  if (slot + 1 < chunk.to) return { chunk, slot: slot + 1 }
  const { next } = chunk
  return next === undefined ? undefined : { chunk: next, slot: next.from }
}

function previousOf({ chunk, slot }: Spot): Spot | undefined {
  if (slot > chunk.from) return { chunk, slot: slot - 1 }
  const { previous } = chunk
  return previous === undefined ? undefined : { chunk: previous, slot: previous.to - 1 }
}

/** A node that lies right beside its parent hangs by its place. */
function linkAt(parent: Spot | undefined, side: Side, before: Spot | undefined, next: Spot | undefined) {
  if (parent === undefined) return LINK.WRITTEN
  const near = side === 'right' ? before : next
  if (near?.chunk !== parent.chunk || near.slot !== parent.slot) return LINK.WRITTEN
  return side === 'right' ? LINK.RIGHT_OF_PREVIOUS : LINK.LEFT_OF_NEXT
}
