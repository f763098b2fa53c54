/**
 * list-chunk.ts: a stretch of a list: up to 128 nodes in the order of the list, packed.
 *
 * A node is an element or the marker of a removed one. Its numbers lie in two typed arrays, five per node, its
 * value in a plain one: some 40 bytes beside the value, where an object per node would take 150.
 *
 *   nums   seq, sub, when    `sub` is the effect in the op and the place in its run; `when` is the HLC of an
 *                            element, and of a marker the seq of the op that removed it
 *   ints   origin, link      index of the origin; how it hangs in the tree, and of a marker who removed it
 *
 * Nodes lie in the slots from `from` to `to`, with room on both sides, so that pushing at either end of a list
 * moves nothing.
 *
 * Invariants: (1) `values[slot]` is undefined exactly in markers and in empty slots. (2) `live` counts elements.
 */
import type { Register } from './register.ts'

/** How a node hangs in the tree of `list-fugue.ts`. */
export const LINK = {
  /** Right child of the node before it. */
  RIGHT_OF_PREVIOUS: 0,
  /** Left child of the node behind it. */
  LEFT_OF_NEXT: 1,
  /** Its parent is written down. */
  WRITTEN: 2,
} as const
export type Link = (typeof LINK)[keyof typeof LINK]

/** A value as it was inserted, or the LSETs on it that did not see each other, the winner first. */
export type ListValue = string | Register[]

export const CHUNK_NODES_MAX = 128
const CHUNK_NODES_MIN = 4
const NUMS = 3
const INTS = 2
const LINK_BITS = 2
const LINK_MASK = 3

/** An inner node of the tree of chunks, see `list-chunks.ts`. */
export interface ChunkBranch {
  live: number
  parent: ChunkBranch | undefined
  readonly children: (ChunkBranch | ListChunk)[]
}

export class ListChunk {
  from: number
  to: number
  live = 0
  values: (ListValue | undefined)[]
  #nums: Float64Array
  #ints: Uint32Array
  previous: ListChunk | undefined = undefined
  next: ListChunk | undefined = undefined
  parent: ChunkBranch | undefined = undefined
  /** It is no part of the list any more. */
  isGone = false

  /** @param growsDown  nodes will be put before those that are here */
  constructor(growsDown: boolean, room = CHUNK_NODES_MIN) {
    this.from = growsDown ? room : 0
    this.to = this.from
    this.values = new Array<ListValue | undefined>(room).fill(undefined)
    this.#nums = new Float64Array(room * NUMS)
    this.#ints = new Uint32Array(room * INTS)
  }

  /** Nodes in it, markers included. */
  get size(): number {
    return this.to - this.from
  }

  get isFull(): boolean {
    return this.size >= CHUNK_NODES_MAX
  }

  /** Bytes it takes beside the values. */
  get bytes(): number {
    return this.values.length * (8 * NUMS + 4 * INTS + 8)
  }

  seq(slot: number): number {
    return this.#nums[slot * NUMS]!
  }

  sub(slot: number): number {
    return this.#nums[slot * NUMS + 1]!
  }

  /** HLC of an element; seq of the op that removed a marker. */
  when(slot: number): number {
    return this.#nums[slot * NUMS + 2]!
  }

  originIndex(slot: number): number {
    return this.#ints[slot * INTS]!
  }

  link(slot: number): Link {
    return (this.#ints[slot * INTS + 1]! & LINK_MASK) as Link
  }

  /** Index of the origin that removed a marker. */
  removerIndex(slot: number): number {
    return this.#ints[slot * INTS + 1]! >>> LINK_BITS
  }

  isNamed(slot: number, originIndex: number, seq: number, sub: number): boolean {
    const num = slot * NUMS
    return this.#nums[num] === seq && this.#nums[num + 1] === sub && this.#ints[slot * INTS] === originIndex
  }

  /** @returns the slot of the node, or -1 */
  find(originIndex: number, seq: number, sub: number): number {
    const nums = this.#nums
    for (let slot = this.from; slot < this.to; slot++) {
      if (nums[slot * NUMS] === seq && this.isNamed(slot, originIndex, seq, sub)) return slot
    }
    return -1
  }

  setLink(slot: number, link: Link): void {
    const at = slot * INTS + 1
    this.#ints[at] = (this.#ints[at]! & ~LINK_MASK) | link
  }

  /** Fills an empty slot with an element. */
  write(slot: number, value: ListValue, originIndex: number, seq: number, sub: number, hlc: number): void {
    this.values[slot] = value
    const num = slot * NUMS
    this.#nums[num] = seq
    this.#nums[num + 1] = sub
    this.#nums[num + 2] = hlc
    this.#ints[slot * INTS] = originIndex
    this.#ints[slot * INTS + 1] = LINK.WRITTEN
    this.live++
  }

  /** Makes a marker of an element. */
  mark(slot: number, removerIndex: number, seq: number): void {
    if (this.values[slot] !== undefined) this.live--
    this.values[slot] = undefined
    this.#nums[slot * NUMS + 2] = seq
    this.#ints[slot * INTS + 1] = ((removerIndex << LINK_BITS) | this.link(slot)) >>> 0
  }

  /**
   * Makes room for a node before the one in `slot`. The chunk is not full.
   * @returns the empty slot
   */
  open(slot: number): number {
    const { from, to } = this
    const room = this.values.length
    if (slot === to && to < room) {
      this.to++
      return slot
    }
    if (slot === from && from > 0) return --this.from
    if (from === 0 && to === room) {
      const shift = this.#grow(slot - from < to - slot)
      return this.open(slot + shift)
    }
    if (to < room && (from === 0 || to - slot <= slot - from)) {
      this.#move(slot, to, slot + 1)
      this.to++
      return slot
    }
    this.#move(from, slot, from - 1)
    this.from--
    return slot - 1
  }

  /** @returns by how much the nodes have moved */
  #grow(growsDown: boolean): number {
    const room = this.values.length
    const more = Math.min(CHUNK_NODES_MAX, room * 2) - room
    const shift = growsDown ? more : 0
    const nums = new Float64Array((room + more) * NUMS)
    const ints = new Uint32Array((room + more) * INTS)
    const values = new Array<ListValue | undefined>(room + more).fill(undefined)
    nums.set(this.#nums, shift * NUMS)
    ints.set(this.#ints, shift * INTS)
    for (let slot = this.from; slot < this.to; slot++) values[slot + shift] = this.values[slot]
    this.#nums = nums
    this.#ints = ints
    this.values = values
    this.from += shift
    this.to += shift
    return shift
  }

  #move(start: number, end: number, target: number): void {
    this.#nums.copyWithin(target * NUMS, start * NUMS, end * NUMS)
    this.#ints.copyWithin(target * INTS, start * INTS, end * INTS)
    this.values.copyWithin(target, start, end)
  }

  /** Takes a marker out. */
  drop(slot: number): void {
    if (slot - this.from < this.to - slot) {
      this.#move(this.from, slot, this.from + 1)
      this.values[this.from++] = undefined
    } else {
      this.#move(slot + 1, this.to, slot)
      this.values[--this.to] = undefined
    }
  }

  /** It is empty, and no part of the list any more: it gives its memory back, though somebody may know it still. */
  leave(): void {
    this.isGone = true
    this.from = 0
    this.to = 0
    this.values = []
    this.#nums = new Float64Array(0)
    this.#ints = new Uint32Array(0)
    this.previous = undefined
    this.next = undefined
  }

  /** Gives its nodes from `slot` on to a chunk that is empty, or ends where they begin. */
  giveTail(slot: number, target: ListChunk): void {
    for (let at = slot; at < this.to; at++) {
      const to = target.open(target.to)
      target.values[to] = this.values[at]
      for (let i = 0; i < NUMS; i++) target.#nums[to * NUMS + i] = this.#nums[at * NUMS + i]!
      for (let i = 0; i < INTS; i++) target.#ints[to * INTS + i] = this.#ints[at * INTS + i]!
      if (this.values[at] !== undefined) {
        target.live++
        this.live--
      }
      this.values[at] = undefined
    }
    this.to = slot
  }
}
