/**
 * list-parts.ts: a large list in a snapshot: written chunk by chunk, while it changes.
 *
 * When the list is opened its chunks are noted, and each is written once: when the walk comes to it, or just
 * before it changes for the first time, which the list tells (`ListState.beforeChange`). A chunk's part says the
 * place that it had, so they may come in any order; a chunk made later holds nothing that was there.
 */
import type { ListChunk } from '../../crdt/list-chunk.ts'
import type { ListState } from '../../crdt/list-fugue.ts'
import type { SnapshotEncoder } from './snapshot-file.ts'

export class ListParts {
  readonly #out: SnapshotEncoder
  readonly #db: number
  readonly #key: string
  readonly #list: ListState
  readonly #chunks: ListChunk[] = []
  /** Place of each chunk that is not written yet. */
  readonly #places = new Map<ListChunk, number>()
  #at = 0

  constructor(out: SnapshotEncoder, db: number, key: string, list: ListState) {
    this.#out = out
    this.#db = db
    this.#key = key
    this.#list = list
    for (let chunk = list.chunks.first; chunk !== undefined; chunk = chunk.next) {
      this.#places.set(chunk, this.#chunks.length)
      this.#chunks.push(chunk)
    }
    list.beforeChange = (chunk) => this.#write(chunk)
  }

  #write(chunk: ListChunk): void {
    const place = this.#places.get(chunk)
    if (place === undefined) return
    this.#places.delete(chunk)
    this.#out.select(this.#db)
    this.#out.listPart(this.#key, place, this.#list, chunk)
  }

  /** Goes on by at most `chunks` chunks. @returns true when all are written */
  writeRest(chunks: number): boolean {
    for (let left = chunks; left > 0 && this.#at < this.#chunks.length; left--)
      this.#write(this.#chunks[this.#at++]!)
    return this.#at === this.#chunks.length
  }

  /** Nothing is written of it any more. */
  end(): void {
    this.#list.beforeChange = undefined
  }
}
