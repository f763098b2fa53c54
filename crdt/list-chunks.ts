/**
 * list-chunks.ts: the chunks of a list in order, found by position: a counted tree.
 *
 * Each branch knows how many elements lie below it, so the element at an index is found in O(log n), and a
 * change costs its way up. Markers do not count.
 *
 * Invariants: (1) a branch has 1 to BRANCH_CHUNKS_MAX children, but for a root without chunks. (2) `live` of a
 * branch is the sum over its children. (3) `previous` and `next` of the chunks give the same order.
 */
import { assert } from './assert.ts'
import { type ChunkBranch, ListChunk } from './list-chunk.ts'

const BRANCH_CHUNKS_MAX = 32

function branchOf(children: (ChunkBranch | ListChunk)[], live: number): ChunkBranch {
  const made: ChunkBranch = { live, parent: undefined, children }
  for (const child of children) child.parent = made
  return made
}

export class ListChunks {
  #root: ChunkBranch = branchOf([], 0)
  first: ListChunk | undefined = undefined
  last: ListChunk | undefined = undefined

  /** Elements in all chunks. */
  get live(): number {
    return this.#root.live
  }

  /** The chunk of the element at `index`, which exists, and where its elements begin. */
  find(index: number): { readonly chunk: ListChunk; readonly start: number } {
    let start = 0
    let node: ChunkBranch | ListChunk = this.#root
    while (!(node instanceof ListChunk)) {
      let below: ChunkBranch | ListChunk | undefined
      for (const child of node.children) {
        if (index < start + child.live) {
          below = child
          break
        }
        start += child.live
      }
      assert(below !== undefined, 'an index within the list')
      node = below
    }
    return { chunk: node, start }
  }

  /** Elements before a chunk. */
  startOf(chunk: ListChunk): number {
    let start = 0
    let node: ChunkBranch | ListChunk = chunk
    for (let parent = chunk.parent; parent !== undefined; parent = parent.parent) {
      for (const child of parent.children) {
        if (child === node) break
        start += child.live
      }
      node = parent
    }
    return start
  }

  /** Elements have come or gone in a chunk, whose own count says so already. */
  changed(chunk: ListChunk, by: number): void {
    for (let node = chunk.parent; node !== undefined; node = node.parent) node.live += by
  }

  /** Puts an empty chunk behind another one, or first. */
  insertAfter(before: ListChunk | undefined, chunk: ListChunk): void {
    const next = before === undefined ? this.first : before.next
    chunk.previous = before
    chunk.next = next
    if (before === undefined) this.first = chunk
    else before.next = chunk
    if (next === undefined) this.last = chunk
    else next.previous = chunk
    const neighbour = before ?? next
    if (neighbour === undefined) {
      this.#root.children.push(chunk)
      chunk.parent = this.#root
      return
    }
    const branch = neighbour.parent!
    const place = before === undefined ? 0 : branch.children.indexOf(before) + 1
    branch.children.splice(place, 0, chunk)
    chunk.parent = branch
    if (branch.children.length > BRANCH_CHUNKS_MAX) this.#split(branch)
  }

  #split(branch: ChunkBranch): void {
    const { children } = branch
    // At the ends of the list, where most chunks are added, the full half stays full.
    const isLast = children[children.length - 1] === this.last
    const isFirst = children[0] === this.first
    const at = isLast ? children.length - 2 : isFirst ? 2 : children.length >> 1
    const tail = children.splice(at)
    let live = 0
    for (const child of tail) live += child.live
    const right = branchOf(tail, live)
    branch.live -= live
    const { parent } = branch
    if (parent === undefined) {
      this.#root = branchOf([branch, right], branch.live + live)
      return
    }
    parent.children.splice(parent.children.indexOf(branch) + 1, 0, right)
    right.parent = parent
    if (parent.children.length > BRANCH_CHUNKS_MAX) this.#split(parent)
  }

  /** Takes out a chunk without elements. */
  remove(chunk: ListChunk): void {
    const { previous, next } = chunk
    if (previous === undefined) this.first = next
    else previous.next = next
    if (next === undefined) this.last = previous
    else next.previous = previous
    chunk.leave()
    let node: ChunkBranch | ListChunk = chunk
    let parent = chunk.parent
    while (parent !== undefined) {
      parent.children.splice(parent.children.indexOf(node), 1)
      if (parent.children.length > 0) break
      node = parent
      parent = parent.parent
    }
    while (this.#root.children.length === 1) {
      const only = this.#root.children[0]!
      if (only instanceof ListChunk) break
      only.parent = undefined
      this.#root = only
    }
  }
}
