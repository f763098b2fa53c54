/**
 * stream-parts.ts: a large stream as a snapshot's writer takes it apart: by the ids of its entries.
 *
 * Entries never change, they come and go. So an effect touches the ids of those that it brings or takes, and the
 * walk can go on from the last entry it has seen, whatever was put in or taken out meanwhile. What is not entries
 * (groups, marks, hints) is written when the stream is opened.
 */
import { TAG } from '../../crdt/effects/effect.ts'
import { isRegional } from '../../crdt/effects/stream-effects.ts'
import type { KeyEffect } from '../../crdt/registry.ts'
import type { StreamEntry, StreamState } from '../../crdt/stream.ts'
import { ID_MIN, idOfText, idText } from '../../crdt/stream-id.ts'

/** All entries with the text of their ids, in order. */
export class EntryWalk implements Iterator<[string, StreamEntry]> {
  readonly #stream: StreamState
  #last: StreamEntry | undefined = undefined

  constructor(stream: StreamState) {
    this.#stream = stream
  }

  next(): IteratorResult<[string, StreamEntry]> {
    const { entries } = this.#stream
    const entry = this.#last === undefined ? entries.first : entries.after(this.#last)
    if (entry === undefined) return { done: true, value: undefined }
    this.#last = entry
    return { done: false, value: [idText(entry), entry] }
  }
}

/** The entries of that id. */
export function entriesNamed({ entries }: StreamState, text: string): readonly StreamEntry[] {
  const id = idOfText(text)
  return entries.range(id, id, Number.POSITIVE_INFINITY)
}

/** Ids of the entries that the effect touches; undefined when it may leave nothing of the stream. */
export function touchedIds(effect: KeyEffect, stream: StreamState): string[] | undefined {
  switch (effect.tag) {
    case TAG.STREAM_ADD:
      return [idText(effect.id)]
    case TAG.STREAM_REMOVE:
      return unlessAll(effect.ids.map(idText), stream)
    case TAG.STREAM_TRIM: {
      const { bound } = effect
      return unlessAll(stream.entries.range(ID_MIN, bound, Number.POSITIVE_INFINITY).map(idText), stream)
    }
    case TAG.STREAM_BAR:
    case TAG.STREAM_UNGROUP:
      return unlessAll([], stream)
    case TAG.STREAM_GROUP:
    case TAG.STREAM_ACK:
      return []
    default:
      return isRegional(effect.tag) ? [] : undefined
  }
}

function unlessAll(ids: readonly string[], stream: StreamState): string[] | undefined {
  const names = [...new Set(ids)]
  let count = 0
  for (const name of names) count += entriesNamed(stream, name).length
  return count < stream.size ? names : undefined
}
