/**
 * list-writes.ts: what commands may do to lists: each call is one effect of the open op.
 *
 * A removal leaves markers behind, which the reclaimer is told of.
 */
import { TAG } from '../../../crdt/effects/effect.ts'
import { listOf } from '../../../crdt/effects/list-effects.ts'
import { ListState } from '../../../crdt/list-fugue.ts'
import { type NodeName, type NodeRange, RUN_PLACES } from '../../../crdt/list-names.ts'
import type { ListWrites } from '../../commands/list-writes.ts'
import type { Keyspace } from '../keyspace.ts'
import type { Minter } from '../minter.ts'

const EMPTY = new ListState()

export class MintedListWrites implements ListWrites {
  readonly #mint: Minter
  readonly #keyspace: Keyspace
  readonly #isAnnounced = (originIndex: number, seq: number): boolean => {
    const { announced } = this.#mint
    return announced !== undefined && originIndex < announced.length && seq <= announced.at(originIndex)
  }

  constructor(mint: Minter, keyspace: Keyspace) {
    this.#mint = mint
    this.#keyspace = keyspace
  }

  push(key: string, values: readonly string[], toLeft: boolean, db = this.#mint.db): void {
    // More than a run can hold come by COPY, or by SORT with STORE.
    for (let i = 0; i < values.length; i += RUN_PLACES) {
      const run = values.length <= RUN_PLACES ? values : values.slice(i, i + RUN_PLACES)
      const creates = this.#mint.live(db, key) === undefined
      const list = this.#list(db, key)
      const place = list.placeAt(toLeft ? 0 : list.size, this.#isAnnounced)
      this.#mint.emit({ tag: TAG.LIST_INSERT, db, key, creates, place, toLeft, values: run })
    }
  }

  insertBefore(key: string, index: number, values: readonly string[], toLeft: boolean): void {
    const { db } = this.#mint
    const place = this.#list(db, key).placeAt(index, this.#isAnnounced)
    this.#mint.emit({ tag: TAG.LIST_INSERT, db, key, creates: false, place, toLeft, values })
  }

  set(key: string, index: number, value: string): void {
    this.setNode(key, this.#list(this.#mint.db, key).nameAt(index), value)
  }

  setNode(key: string, name: NodeName, value: string): void {
    const { db } = this.#mint
    this.#mint.emit({ tag: TAG.LIST_SET, db, key, name, value })
  }

  remove(key: string, start: number, count: number): void {
    this.removeRanges(key, this.#list(this.#mint.db, key).rangesAt(start, count))
  }

  removeRanges(key: string, ranges: readonly NodeRange[]): void {
    const { db } = this.#mint
    this.#mint.emit({ tag: TAG.LIST_REMOVE, db, key, ranges })
    this.#mint.noteMarked(db, key)
  }

  /** The list as it is stored: what is left of one that is gone counts, because its markers do. */
  #list(db: number, key: string): ListState {
    const entry = this.#keyspace.get(db, key)
    return (entry === undefined ? undefined : listOf(entry)) ?? EMPTY
  }
}
