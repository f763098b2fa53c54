/**
 * stream-order.ts: things in the order of their stream ids: entries, and what groups know of entries.
 *
 * An array of short sorted arrays. A place is found by two binary searches, adding at the end and taking
 * away at the beginning touch one short array, and a long stream is never copied or moved as a whole.
 *
 * Several items may have one id (two regions were given the same one): `tie` then says which comes first.
 *
 * Invariants: (1) no chunk is empty or longer than CHUNK_ITEMS. (2) Items grow strictly, from chunk to chunk too.
 */
import { compareIds, type StreamId } from './stream-id.ts'

const CHUNK_ITEMS = 128

/** @typeParam P  what of an item its place depends on */
export class IdOrder<T extends P, P extends StreamId = T> {
  readonly #tie: (a: P, b: P) => number
  #chunks: T[][] = []
  #size = 0
  /** Where the last search ended: a chunk, and a place in it. */
  #chunk = 0
  #place = 0

  /** @param tie  order of two items with one id; 0 for one and the same */
  constructor(tie: (a: P, b: P) => number) {
    this.#tie = tie
  }

  get size(): number {
    return this.#size
  }

  get first(): T | undefined {
    return this.#chunks[0]?.[0]
  }

  get last(): T | undefined {
    return this.#chunks.at(-1)?.at(-1)
  }

  /** Adds an item; one that compares as the same is replaced. */
  add(item: T): void {
    const { last } = this
    if (last === undefined || this.#compare(last, item) < 0) {
      this.#append(item)
      return
    }
    this.#seek(item, item)
    const chunk = this.#chunks[this.#chunk]!
    const at = chunk[this.#place]!
    if (this.#compare(at, item) === 0) {
      chunk[this.#place] = item
      return
    }
    chunk.splice(this.#place, 0, item)
    this.#size++
    if (chunk.length > CHUNK_ITEMS) this.#chunks.splice(this.#chunk + 1, 0, chunk.splice(CHUNK_ITEMS / 2))
  }

  #append(item: T): void {
    const chunk = this.#chunks.at(-1)
    if (chunk === undefined || chunk.length === CHUNK_ITEMS) this.#chunks.push([item])
    else chunk.push(item)
    this.#size++
  }

  /** Takes out what compares as the same. @returns it, or undefined */
  remove(item: P): T | undefined {
    const found = this.find(item)
    if (found === undefined) return undefined
    const chunk = this.#chunks[this.#chunk]!
    if (this.#place === 0) chunk.shift()
    else chunk.splice(this.#place, 1)
    this.#size--
    if (chunk.length === 0) this.#dropChunk(this.#chunk)
    return found
  }

  #dropChunk(at: number): void {
    if (at === 0) this.#chunks.shift()
    else this.#chunks.splice(at, 1)
  }

  /** What compares as the same as `item`. */
  find(item: P): T | undefined {
    this.#seek(item, item)
    const found = this.#chunks[this.#chunk]?.[this.#place]
    return found !== undefined && this.#compare(found, item) === 0 ? found : undefined
  }

  /** The first item with that id. */
  at(id: StreamId): T | undefined {
    const found = this.from(id)
    return found !== undefined && compareIds(found, id) === 0 ? found : undefined
  }

  /** The first item whose id is not below `id`. */
  from(id: StreamId): T | undefined {
    this.#seek(id, undefined)
    return this.#chunks[this.#chunk]?.[this.#place]
  }

  /** The first item behind `item`, which need not be in here any more. */
  after(item: P): T | undefined {
    this.#seek(item, item)
    const found = this.#chunks[this.#chunk]?.[this.#place]
    if (found === undefined || this.#compare(found, item) !== 0) return found
    return this.#chunks[this.#chunk]![this.#place + 1] ?? this.#chunks[this.#chunk + 1]?.[0]
  }

  /** Items with ids from `from` to `to`, both included, at most `limit` of them. */
  range(from: StreamId, to: StreamId, limit: number): T[] {
    const found: T[] = []
    this.#seek(from, undefined)
    let place = this.#place
    for (let c = this.#chunk; c < this.#chunks.length; c++) {
      const chunk = this.#chunks[c]!
      for (; place < chunk.length; place++) {
        const item = chunk[place]!
        if (found.length >= limit || compareIds(item, to) > 0) return found
        found.push(item)
      }
      place = 0
    }
    return found
  }

  /** The same from the end: the highest first. */
  rangeBack(from: StreamId, to: StreamId, limit: number): T[] {
    const found: T[] = []
    for (let c = this.#lastChunkUpTo(to); c >= 0; c--) {
      const chunk = this.#chunks[c]!
      for (let place = chunk.length - 1; place >= 0; place--) {
        const item = chunk[place]!
        if (compareIds(item, to) > 0) continue
        if (found.length >= limit || compareIds(item, from) < 0) return found
        found.push(item)
      }
    }
    return found
  }

  /** The last chunk that may hold an id up to `id`; -1 for none. */
  #lastChunkUpTo(id: StreamId): number {
    let low = 0
    let high = this.#chunks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (compareIds(this.#chunks[middle]![0]!, id) <= 0) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  /** How many items come before the first one whose id is not below `id`. Costs a look at each chunk. */
  countBelow(id: StreamId): number {
    this.#seek(id, undefined)
    let count = this.#place
    for (let c = 0; c < this.#chunk; c++) count += this.#chunks[c]!.length
    return count
  }

  /** The item with `count` items before it. Costs a look at each chunk up to it. */
  nth(count: number): T | undefined {
    let left = count
    for (const chunk of this.#chunks) {
      if (left < chunk.length) return chunk[left]
      left -= chunk.length
    }
    return undefined
  }

  /**
   * Takes out, from the beginning up to `bound` and `bound` included, whatever `isTaken` says.
   * @param bound  undefined: up to the end
   * @param taken  called with each of them
   */
  takeUpTo(bound: P | undefined, isTaken: (item: T) => boolean, taken: (item: T) => void): void {
    let c = 0
    while (c < this.#chunks.length) {
      const chunk = this.#chunks[c]!
      let kept = 0
      let place = 0
      for (; place < chunk.length; place++) {
        const item = chunk[place]!
        if (bound !== undefined && this.#compare(item, bound) > 0) break
        if (isTaken(item)) taken(item)
        else chunk[kept++] = item
      }
      const isOver = place < chunk.length
      this.#size -= place - kept
      if (kept === 0 && !isOver) {
        // A run of whole chunks at the beginning goes in one step.
        let gone = 1
        while (c === 0 && gone < this.#chunks.length && this.#takeWhole(gone, bound, isTaken, taken)) gone++
        this.#chunks.splice(c, gone)
        continue
      }
      if (place > kept) chunk.splice(kept, place - kept)
      if (isOver) return
      c++
    }
  }

  #takeWhole(
    at: number,
    bound: P | undefined,
    isTaken: (item: T) => boolean,
    taken: (item: T) => void,
  ): boolean {
    const chunk = this.#chunks[at]!
    if (bound !== undefined && this.#compare(chunk.at(-1)!, bound) > 0) return false
    for (const item of chunk) if (!isTaken(item)) return false
    for (const item of chunk) taken(item)
    this.#size -= chunk.length
    return true
  }

  clear(): void {
    this.#chunks = []
    this.#size = 0
  }

  *[Symbol.iterator](): IterableIterator<T> {
    for (const chunk of this.#chunks) yield* chunk
  }

  #compare(a: P, b: P): number {
    return compareIds(a, b) || this.#tie(a, b)
  }

  /** Ends at the first item that is not before `id`, nor, where there is one, before `item`. */
  #seek(id: StreamId, item: P | undefined): void {
    const chunks = this.#chunks
    let low = 0
    let high = chunks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const chunk = chunks[middle]!
      if (this.#isBefore(chunk[chunk.length - 1]!, id, item)) low = middle + 1
      else high = middle
    }
    this.#chunk = low
    const chunk = chunks[low]
    low = 0
    high = chunk === undefined ? 0 : chunk.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#isBefore(chunk![middle]!, id, item)) low = middle + 1
      else high = middle
    }
    this.#place = low
  }

  #isBefore(one: P, id: StreamId, item: P | undefined): boolean {
    const order = compareIds(one, id)
    return order < 0 || (order === 0 && item !== undefined && this.#tie(one, item) < 0)
  }
}
