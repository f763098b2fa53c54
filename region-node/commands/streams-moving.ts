/**
 * streams-moving.ts: a stream as RENAME, COPY, MOVE and SWAPDB take it to another key, its groups along with it.
 *
 * The entries keep their ids and are new entries all the same. For the other regions the groups begin where they
 * began before; what this region's readers had done goes along for this region alone.
 */
import type { StreamEntry, StreamState } from '../../crdt/stream.ts'
import type { Group } from '../../crdt/stream-group.ts'
import type { StreamId } from '../../crdt/stream-id.ts'
import type { StreamWrites } from './stream-writes.ts'

export interface ShownStream {
  readonly type: 'stream'
  readonly entries: readonly StreamEntry[]
  /** The removal of a key takes its groups off the stream, and leaves them as they were. */
  readonly groups: readonly Group[]
  readonly lastId: StreamId
  readonly entriesAdded: number
  readonly maxDeletedId: StreamId
}

export function shownStream(stream: StreamState): ShownStream {
  const { lastId, entriesAdded, maxDeletedId } = stream
  return {
    type: 'stream',
    entries: [...stream.entries],
    groups: [...stream.groups.values()],
    lastId,
    entriesAdded,
    maxDeletedId,
  }
}

export function streamBytes({ entries }: ShownStream): number {
  let bytes = 0
  for (const { fields } of entries) for (const { length } of fields) bytes += length
  return bytes
}

/** Writes the stream to a key that does not exist. */
export function writeStream(write: StreamWrites, key: string, db: number, stream: ShownStream): void {
  for (const entry of stream.entries) write.add(key, entry, entry.fields, db)
  for (const group of stream.groups) {
    const { name, start, cursor, entriesRead, late, consumers } = group
    write.createGroup(key, name, start, undefined, db)
    write.setPosition(key, name, cursor, entriesRead, [...late], db)
    for (const consumer of consumers.values()) {
      write.addConsumer(key, name, consumer.name, consumer.seenMs, db)
      const { pending, seenMs } = consumer
      if (pending.size > 0) write.claim(key, name, consumer.name, seenMs, [...pending], [], db)
    }
  }
  write.setHints(key, stream.lastId, stream.entriesAdded, stream.maxDeletedId, db)
}
