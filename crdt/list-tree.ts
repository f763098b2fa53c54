/**
 * list-tree.ts: the nodes of a list, and where each of them hangs: the tree of `list-fugue.ts`.
 *
 * It is not stored as a tree. Nodes lie in the order of the list (`list-chunks`), and most hang under their
 * neighbour, which takes two bits; only what does not is written down, in `parents` and `children`. So an
 * insert finds its place by looking at the few nodes that its region had not seen.
 *
 * Invariants: (1) a chunk of the list is never empty. (2) A node whose link is WRITTEN has an entry in `parents`
 * and stands in `children` of its parent, others in neither. (3) Children of one side are listed in the order of
 * the list; one that hangs by its place is the nearest to the parent and not listed.
 */
import { assert } from './assert.ts'
import type { OpPoint } from './dot.ts'
import { CHUNK_NODES_MAX, LINK, ListChunk } from './list-chunk.ts'
import { ListChunks } from './list-chunks.ts'
import { ListLocator } from './list-locator.ts'
import { type IsCovered, type ListPlace, type NodeName, RUN_PLACES, type Side } from './list-names.ts'
import type { Origin } from './origin.ts'

const HLC_LOW = 2 ** 22
/** Chunks that hold together less than this become one. */
const MERGE_NODES_MAX = CHUNK_NODES_MAX / 2

/** Where a node lies, until something changes. */
export interface Spot {
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

export const ROOT = ''
const NO_CHILDREN: Children = { left: [], right: [] }

export class ListTree {
  readonly chunks = new ListChunks()
  protected readonly locator = new ListLocator()
  /** By index; only those that have nodes here. */
  protected readonly origins: Origin[] = []
  protected readonly parents = new Map<string, Parent>()
  protected readonly children = new Map<string, Children>()
  readonly #root: Children = { left: [], right: [] }
  protected nodes = 0
  /** Told of a chunk before it changes: for a snapshot that is being written. */
  beforeChange: ((chunk: ListChunk) => void) | undefined = undefined

  nameIn(chunk: ListChunk, slot: number): NodeName {
    const origin = this.origins[chunk.originIndex(slot)]!
    return { origin, seq: chunk.seq(slot), sub: chunk.sub(slot) }
  }

  /**
   * Inserts a run.
   * @param toLeft  each value goes before the one before it (LPUSH), not behind it
   */
  insert(place: ListPlace, values: readonly string[], toLeft: boolean, at: OpPoint): void {
    const { origin, seq } = at
    this.origins[origin.index] = origin
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
    const parent = place.parent === undefined ? undefined : this.spotOf(place.parent)
    // Nobody names a marker that is gone (see above): what would is kept, at the end.
    const isLost = place.parent !== undefined && parent === undefined
    const side = isLost ? 'right' : place.side
    const { before, sibling } =
      side === 'right' ? this.#placeRight(parent, at, isLost) : this.#placeLeft(parent!, at)
    const next = before === undefined ? this.firstSpot() : nextOf(before)
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
      if (this.#yields(near, at, 'right')) return { before: parent, sibling: this.nameOf(near) }
      previous = near
    }
    for (const sibling of this.#listed(parent).right) {
      const spot = this.spotOf(sibling)!
      if (!isLost && this.#yields(spot, at, 'right'))
        return { before: previous === undefined ? parent : this.endOf(previous), sibling }
      previous = spot
    }
    return { before: previous === undefined ? parent : this.endOf(previous), sibling: undefined }
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
      sibling = this.nameOf(near)
    }
    const { left } = this.#listed(parent)
    for (let i = left.length - 1; i >= 0; i--) {
      const spot = this.spotOf(left[i]!)!
      if (this.#yields(spot, at, 'left')) return { before: this.endOf(spot), sibling }
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
    const isLater = isLaterOrigin(this.origins[originIndex]!, at.origin)
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
    const name = this.nameOf(node)
    const key = keyOf(this.nameOf(parent))
    const listed = this.childrenOf(key)
    this.parents.set(keyOf(name), { key, parent: this.nameOf(parent), side })
    // It was the nearest: the last one on the left, the first one on the right.
    if (side === 'left') listed.left.push(name)
    else listed.right.unshift(name)
  }

  /** Lists a child of `parent` before `sibling`, or last. */
  #attach(name: NodeName, parent: Spot | undefined, side: Side, sibling: NodeName | undefined): void {
    const parentName = parent === undefined ? undefined : this.nameOf(parent)
    const key = parentName === undefined ? ROOT : keyOf(parentName)
    const list = this.childrenOf(key)[side]
    this.parents.set(keyOf(name), { key, parent: parentName, side })
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
    this.locator.added(originIndex, seq, sub, target.chunk)
    this.nodes++
    return { chunk: target.chunk, slot: place }
  }

  /** A chunk that is not full, and the slot in it that stands for `slot` of `chunk`. */
  #roomAt(chunk: ListChunk | undefined, slot: number): Spot {
    if (chunk === undefined) return this.newChunk(undefined, false)
    this.beforeChange?.(chunk)
    if (!chunk.isFull) return { chunk, slot }
    if (slot === chunk.to) return this.newChunk(chunk, false)
    if (slot === chunk.from) return this.newChunk(chunk.previous, true)
    const middle = (chunk.from + chunk.to) >>> 1
    const tail = new ListChunk(false, CHUNK_NODES_MAX)
    this.chunks.insertAfter(chunk, tail)
    const live = chunk.live
    chunk.giveTail(middle, tail)
    this.chunks.changed(chunk, chunk.live - live)
    this.chunks.changed(tail, tail.live)
    this.locator.moved([chunk, tail])
    return slot <= middle ? { chunk, slot } : { chunk: tail, slot: tail.from + slot - middle }
  }

  protected newChunk(before: ListChunk | undefined, growsDown: boolean): Spot {
    // The first one of a list is as small as most lists are.
    const made = this.nodes === 0 ? new ListChunk(growsDown) : new ListChunk(growsDown, CHUNK_NODES_MAX)
    this.chunks.insertAfter(before, made)
    return { chunk: made, slot: made.from }
  }

  /** Nearly all markers have at most one child, which hangs by its place, and goes on to. */
  protected hasKnownNeighbours(spot: Spot, isAnnounced: IsCovered): boolean {
    const next = nextOf(spot)
    if (next?.chunk.link(next.slot) === LINK.RIGHT_OF_PREVIOUS && !isInserted(next, isAnnounced)) return false
    const previous = previousOf(spot)
    return previous?.chunk.link(previous.slot) !== LINK.LEFT_OF_NEXT || isInserted(previous, isAnnounced)
  }

  /**
   * Hangs the children of a marker under its parent.
   * @returns false when one of them is not known to everybody
   */
  protected unhang(spot: Spot, isAnnounced: IsCovered): boolean {
    const { chunk, slot } = spot
    const key = keyIn(chunk, slot)
    const previous = previousOf(spot)
    const next = nextOf(spot)
    const nearLeft = previous?.chunk.link(previous.slot) === LINK.LEFT_OF_NEXT ? previous : undefined
    const nearRight = next?.chunk.link(next.slot) === LINK.RIGHT_OF_PREVIOUS ? next : undefined
    const listed = this.children.get(key)
    const link = chunk.link(slot)
    const children = [...(listed?.left ?? []), ...(listed?.right ?? [])]
    for (const one of [nearLeft, nearRight]) if (one !== undefined) children.push(this.nameOf(one))
    if (!children.every(({ origin, seq }) => isAnnounced(origin.index, seq))) return false
    if (link === LINK.WRITTEN) this.#hangListed(key, nearLeft, nearRight, listed)
    else if (listed !== undefined)
      this.#hangNear(link === LINK.LEFT_OF_NEXT ? next! : previous!, link, listed)
    this.children.delete(key)
    return true
  }

  /** The marker hangs under a neighbour: a child that hangs by its place now has that neighbour itself. */
  #hangNear(parent: Spot, link: number, listed: Children): void {
    const side = link === LINK.LEFT_OF_NEXT ? 'left' : 'right'
    const moved = listed[side]
    if (moved.length === 0) return
    const name = this.nameOf(parent)
    const key = keyOf(name)
    const children = this.childrenOf(key)
    for (const child of moved) this.parents.set(keyOf(child), { key, parent: name, side })
    if (side === 'left') children.left.push(...moved)
    else children.right.unshift(...moved)
  }

  #hangListed(
    key: string,
    nearLeft: Spot | undefined,
    nearRight: Spot | undefined,
    listed: Children | undefined,
  ): void {
    const place = this.parents.get(key)!
    this.parents.delete(key)
    const names = [...(listed?.left ?? [])]
    for (const near of [nearLeft, nearRight]) {
      if (near === undefined) continue
      near.chunk.setLink(near.slot, LINK.WRITTEN)
      names.push(this.nameOf(near))
    }
    names.push(...(listed?.right ?? []))
    for (const name of names) this.parents.set(keyOf(name), place)
    const siblings = this.childrenOf(place.key)
    const list = siblings[place.side]
    list.splice(
      list.findIndex((one) => keyOf(one) === key),
      1,
      ...names,
    )
    if (siblings.left.length + siblings.right.length === 0) this.children.delete(place.key)
  }

  /** Small neighbours become one chunk. */
  protected mergeBack(chunk: ListChunk): void {
    const { previous } = chunk
    if (previous === undefined || previous.size + chunk.size > MERGE_NODES_MAX) return
    const { live } = chunk
    chunk.giveTail(chunk.from, previous)
    this.chunks.changed(chunk, -live)
    this.chunks.changed(previous, live)
    this.chunks.remove(chunk)
    this.locator.moved([previous])
  }

  protected nameOf({ chunk, slot }: Spot): NodeName {
    return this.nameIn(chunk, slot)
  }

  protected spotOf({ origin, seq, sub }: NodeName): Spot | undefined {
    return this.spotIn(origin.index, seq, sub)
  }

  protected spotIn(originIndex: number, seq: number, sub: number): Spot | undefined {
    const chunk = this.locator.find(originIndex, seq, sub)
    const slot = chunk?.find(originIndex, seq, sub) ?? -1
    return chunk === undefined || slot < 0 ? undefined : { chunk, slot }
  }

  protected firstSpot(): Spot | undefined {
    const { first } = this.chunks
    return first === undefined ? undefined : { chunk: first, slot: first.from }
  }

  #listed(parent: Spot | undefined): Readonly<Children> {
    if (parent === undefined) return this.#root
    if (this.children.size === 0) return NO_CHILDREN
    return this.children.get(keyIn(parent.chunk, parent.slot)) ?? NO_CHILDREN
  }

  protected childrenOf(key: string): Children {
    if (key === ROOT) return this.#root
    const known = this.children.get(key)
    if (known !== undefined) return known
    const made: Children = { left: [], right: [] }
    this.children.set(key, made)
    return made
  }

  protected lastRightChild(spot: Spot): Spot | undefined {
    const listed = this.#listed(spot).right.at(-1)
    if (listed !== undefined) return this.spotOf(listed)
    const next = nextOf(spot)
    return next?.chunk.link(next.slot) === LINK.RIGHT_OF_PREVIOUS ? next : undefined
  }

  /** The last node that hangs somewhere under `spot`, or it itself. */
  protected endOf(spot: Spot): Spot {
    let end = spot
    for (let below = this.lastRightChild(end); below !== undefined; below = this.lastRightChild(end))
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
    if (listed !== undefined) return this.spotOf(listed)
    const previous = previousOf(spot)
    return previous?.chunk.link(previous.slot) === LINK.LEFT_OF_NEXT ? previous : undefined
  }

  /** Where a node hangs whose link is WRITTEN. */
  placeOf(chunk: ListChunk, slot: number): ListPlace {
    return this.parents.get(keyIn(chunk, slot))!
  }
}

export function keyOf({ origin, seq, sub }: NodeName): string {
  return `${origin.index}.${seq}.${sub}`
}

export function keyIn(chunk: ListChunk, slot: number): string {
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

export function nextOf({ chunk, slot }: Spot): Spot | undefined {
  if (slot + 1 < chunk.to) return { chunk, slot: slot + 1 }
  const { next } = chunk
  return next === undefined ? undefined : { chunk: next, slot: next.from }
}

export function previousOf({ chunk, slot }: Spot): Spot | undefined {
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
