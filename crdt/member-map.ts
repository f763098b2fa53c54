/**
 * member-map.ts: what a set or a hash holds by name: a Map while it is small, a table of records once it is large
 * (`table/member-table.ts`). Both are asked in the same way.
 *
 * Names can be asked for by number, for random draws and scans. A Map gets an index for that when it is first asked,
 * and keeps it up to date from then on; a table has numbers of its own.
 */
import type { Dot, OpPoint } from './dot.ts'
import { MemberIndex, type Positions } from './member-index.ts'
import { type Members, MemberTable, type Names, type PlainForm } from './table/member-table.ts'
import type { RecordContext } from './table/record-context.ts'

/**
 * @typeParam V  what a name stands for
 * @typeParam Plain  what it stands for when it was written once: that can be packed
 */
export class MemberMap<V extends object, Plain extends V & Dot> implements Names, Iterable<[string, V]> {
  readonly #form: PlainForm<V, Plain>
  #all: Members<V> = new Map<string, V>()
  /** The same, once it is one. */
  #table: MemberTable<V, Plain> | undefined = undefined
  #index: MemberIndex | undefined = undefined

  constructor(form: PlainForm<V, Plain>) {
    this.#form = form
  }

  get size(): number {
    return this.#all.size
  }

  /** Bytes of the table, if it is one. */
  get packedBytes(): number | undefined {
    return this.#table?.bytes
  }

  /** By number; the numbers change with everything that comes or goes. */
  get index(): Positions {
    if (this.#table !== undefined) return this.#table
    this.#index ??= new MemberIndex(this.#all.keys())
    return this.#index
  }

  has(name: string): boolean {
    return this.#all.has(name)
  }

  /** Who changes what is answered has to `set` it. */
  get(name: string): V | undefined {
    return this.#all.get(name)
  }

  /** What a name stands for, if that is not packed. */
  getUnpacked(name: string): V | undefined {
    return this.#table === undefined ? this.#all.get(name) : this.#table.getUnpacked(name)
  }

  keys(): IterableIterator<string> {
    return this.#all.keys()
  }

  values(): IterableIterator<V> {
    return this.#all.values()
  }

  entries(): IterableIterator<[string, V]> {
    return this.#all.entries()
  }

  [Symbol.iterator](): IterableIterator<[string, V]> {
    return this.#all.entries()
  }

  /** All that `getUnpacked` answers; nothing may change meanwhile. */
  unpacked(): IterableIterator<[string, V]> {
    return this.#table === undefined ? this.#all.entries() : this.#table.unpacked()
  }

  /** @param records  to pack with what has become large; undefined: nothing is packed */
  set(name: string, value: V, records: RecordContext | undefined): void {
    this.#all.set(name, value)
    if (this.#table !== undefined) return
    this.#index?.add(name)
    if (records !== undefined && this.size >= records.packedFrom) this.#pack(records)
  }

  delete(name: string): boolean {
    this.#index?.remove(name)
    return this.#all.delete(name)
  }

  /** Writes a plain value over what the op had seen, where that can be done in a record. @returns whether it was */
  write(name: string, text: string, at: OpPoint): boolean {
    return this.#table?.write(name, text, at) === true
  }

  /** Removes what the op had seen, where that is a record. @returns whether it was */
  removeSeen(name: string, at: OpPoint): boolean {
    return this.#table?.removeSeen(name, at) === true
  }

  /** All of it is records that the op had seen. */
  isAllSeen(at: OpPoint): boolean {
    return this.#table?.isAllSeen(at) === true
  }

  #pack(records: RecordContext): void {
    const table = new MemberTable(records, this.#form)
    // In the order in which a scan under way goes through them.
    for (const name of this.#index?.names ?? this.#all.keys()) table.set(name, this.#all.get(name)!)
    this.#all = table
    this.#table = table
    this.#index = undefined
  }
}
