/**
 * stream-writes.ts: what commands may do to streams: a part of `Writes`.
 *
 * What a region's readers did (deliveries, claims, consumers, positions, hints) is written for that region alone.
 */
import type { Claim } from '../../crdt/effects/stream-group-effects.ts'
import type { StreamEntry } from '../../crdt/stream.ts'
import type { StreamId } from '../../crdt/stream-id.ts'

/** Changes to streams. Each call is one effect (preceded by a removal when the key is due). */
export interface StreamWrites {
  /** The region for which ids are made. */
  readonly region: number
  /** @param fields  fields and values in turn */
  add(key: string, id: StreamId, fields: readonly string[], db?: number): void
  /** Ids of entries that exist. */
  remove(key: string, ids: readonly StreamId[]): void
  /** Removes all entries up to this one, and this one. */
  trim(key: string, last: StreamEntry): void
  /** The group does not exist. @param entriesRead  of the history before `start`; undefined: nobody knows */
  createGroup(key: string, group: string, start: StreamId, entriesRead: number | undefined, db?: number): void
  /** The group exists; likewise below. */
  destroyGroup(key: string, group: string): void
  ack(key: string, group: string, ids: readonly StreamId[]): void
  /** @param isRecorded  they wait for an acknowledgement  @param entries  in order */
  deliver(
    key: string,
    group: string,
    consumer: string,
    atMs: number,
    isRecorded: boolean,
    entries: readonly StreamEntry[],
  ): void
  /** @param gone  ids of pending entries that are no more in the stream */
  claim(
    key: string,
    group: string,
    consumer: string,
    atMs: number,
    claims: readonly Claim[],
    gone: readonly StreamId[],
    db?: number,
  ): void
  addConsumer(key: string, group: string, consumer: string, atMs: number, db?: number): void
  removeConsumer(key: string, group: string, consumer: string): void
  /** @param late  ids of entries up to the cursor that count as not given */
  setPosition(
    key: string,
    group: string,
    cursor: StreamId,
    entriesRead: number | undefined,
    late: readonly StreamId[],
    db?: number,
  ): void
  setHints(key: string, lastId: StreamId, entriesAdded: number, maxDeletedId: StreamId, db?: number): void
}
