/**
 * stream-writes.ts: what commands may do to streams: each call is one effect of the open op.
 */
import { TAG } from '../../../crdt/effects/effect.ts'
import type { Claim } from '../../../crdt/effects/stream-group-effects.ts'
import type { StreamEntry } from '../../../crdt/stream.ts'
import type { StreamId } from '../../../crdt/stream-id.ts'
import type { StreamWrites } from '../../commands/stream-writes.ts'
import type { Minter } from '../minter.ts'

export class MintedStreamWrites implements StreamWrites {
  readonly #mint: Minter

  constructor(mint: Minter) {
    this.#mint = mint
  }

  get region(): number {
    return this.#mint.origin.region
  }

  add(key: string, id: StreamId, fields: readonly string[], db = this.#mint.db): void {
    const creates = this.#mint.live(db, key) === undefined
    this.#mint.emit({ tag: TAG.STREAM_ADD, db, key, creates, id, fields })
  }

  remove(key: string, ids: readonly StreamId[]): void {
    const { db } = this.#mint
    this.#mint.emit({ tag: TAG.STREAM_REMOVE, db, key, ids })
    this.#mint.noteEmptied(db, key)
  }

  trim(key: string, last: StreamEntry): void {
    const { db } = this.#mint
    this.#mint.emit({ tag: TAG.STREAM_TRIM, db, key, bound: last })
    this.#mint.noteEmptied(db, key)
  }

  createGroup(
    key: string,
    group: string,
    start: StreamId,
    entriesRead: number | undefined,
    db = this.#mint.db,
  ): void {
    const creates = this.#mint.live(db, key) === undefined
    this.#mint.emit({ tag: TAG.STREAM_GROUP, db, key, group, creates, start, entriesRead })
  }

  destroyGroup(key: string, group: string): void {
    const { db } = this.#mint
    this.#mint.emit({ tag: TAG.STREAM_UNGROUP, db, key, group })
    this.#mint.noteMarked(db, key)
  }

  ack(key: string, group: string, ids: readonly StreamId[]): void {
    this.#mint.emit({ tag: TAG.STREAM_ACK, db: this.#mint.db, key, group, ids })
  }

  deliver(
    key: string,
    group: string,
    consumer: string,
    atMs: number,
    isRecorded: boolean,
    entries: readonly StreamEntry[],
  ): void {
    const { db } = this.#mint
    this.#mint.emit({ tag: TAG.STREAM_DELIVER, db, key, group, consumer, atMs, isRecorded, entries })
  }

  claim(
    key: string,
    group: string,
    consumer: string,
    atMs: number,
    claims: readonly Claim[],
    gone: readonly StreamId[],
    db = this.#mint.db,
  ): void {
    this.#mint.emit({ tag: TAG.STREAM_CLAIM, db, key, group, consumer, atMs, claims, gone })
  }

  addConsumer(key: string, group: string, consumer: string, atMs: number, db = this.#mint.db): void {
    this.#mint.emit({ tag: TAG.STREAM_CONSUMER, db, key, group, consumer, atMs })
  }

  removeConsumer(key: string, group: string, consumer: string): void {
    this.#mint.emit({ tag: TAG.STREAM_NO_CONSUMER, db: this.#mint.db, key, group, consumer })
  }

  setPosition(
    key: string,
    group: string,
    cursor: StreamId,
    entriesRead: number | undefined,
    late: readonly StreamId[],
    db = this.#mint.db,
  ): void {
    this.#mint.emit({ tag: TAG.STREAM_POSITION, db, key, group, cursor, entriesRead, late })
  }

  setHints(
    key: string,
    lastId: StreamId,
    entriesAdded: number,
    maxDeletedId: StreamId,
    db = this.#mint.db,
  ): void {
    this.#mint.emit({ tag: TAG.STREAM_HINTS, db, key, lastId, entriesAdded, maxDeletedId })
  }
}
