/**
 * key-memory.ts: how much memory a key takes, for MEMORY USAGE and for eviction: an estimate, dots and all, from
 * what was measured of each kind of state.
 */
import { cellText, ManyCell } from '../../crdt/cell.ts'
import { HashState } from '../../crdt/hash-aw.ts'
import { HllState } from '../../crdt/hll.ts'
import { type KeyEntry, visibleState } from '../../crdt/key.ts'
import { ListState } from '../../crdt/list-fugue.ts'
import { Register } from '../../crdt/register.ts'
import { SetState } from '../../crdt/set-aw.ts'
import type { TypedState } from '../../crdt/state.ts'
import { StreamState } from '../../crdt/stream.ts'
import { ZsetState } from '../../crdt/zset-aw.ts'

// Bytes on V8's heap, measured over 200,000 keys each on Node 20 (x64), of what is not packed into the
// keyspace's own arrays. Concurrent values and counters of several regions are not counted.
/** A string that is more than one value or one counter: with a deadline, say, or of several regions. */
const FULL_KEY_BYTES = 320
const COLLECTION_KEY_BYTES = 370
/** A HyperLogLog, its registers not counted. */
const HLL_KEY_BYTES = 620
const FIELD_BYTES = 110
const MEMBER_BYTES = 100
const SCORED_BYTES = 155
const ENTRY_BYTES = 170
const WORD_HEADER_BYTES = 16

function wordBytes(word: string): number {
  return WORD_HEADER_BYTES + 8 * Math.ceil(word.length / 8)
}

/**
 * Bytes that a key takes which is not packed, about.
 * @param samples  of a collection that many elements are looked at, and stand for all; 0: every one
 */
export function keyBytes(key: string, entry: KeyEntry, samples: number): number {
  const state = visibleState(entry)
  const packed = packedBytes(state)
  if (packed !== undefined) return wordBytes(key) + COLLECTION_KEY_BYTES + packed
  if (state instanceof SetState) {
    const members = elementBytes(state.members.keys(), state.size, samples, wordBytes)
    return wordBytes(key) + COLLECTION_KEY_BYTES + MEMBER_BYTES * state.size + members
  }
  if (state instanceof HashState) {
    const { fields } = state
    const bytes = elementBytes(fields, fields.size, samples, ([field, cell]) => {
      return wordBytes(field) + wordBytes(cellText(cell))
    })
    return wordBytes(key) + COLLECTION_KEY_BYTES + FIELD_BYTES * fields.size + bytes
  }
  if (state instanceof ListState) {
    const looked = state.slice(0, samples === 0 ? state.size : Math.min(samples, state.size))
    const words = looked.reduce((sum, value) => sum + wordBytes(value), 0)
    const all = looked.length === 0 ? 0 : Math.round((words / looked.length) * state.size)
    return wordBytes(key) + COLLECTION_KEY_BYTES + state.bytes + all
  }
  if (state instanceof ZsetState) {
    const members = elementBytes(state.scores.keys(), state.size, samples, wordBytes)
    return wordBytes(key) + COLLECTION_KEY_BYTES + SCORED_BYTES * state.size + members
  }
  if (state instanceof HllState) return wordBytes(key) + HLL_KEY_BYTES + state.registers.textBytes
  if (state instanceof StreamState) {
    const fields = elementBytes(state.entries, state.size, samples, (entry) => {
      return entry.fields.reduce((bytes, word) => bytes + wordBytes(word), 0)
    })
    return wordBytes(key) + COLLECTION_KEY_BYTES + ENTRY_BYTES * state.size + fields
  }
  const isString = state instanceof Register || state instanceof ManyCell
  return wordBytes(key) + FULL_KEY_BYTES + (isString ? wordBytes(cellText(state)) : 0)
}

/** Of the members of a large set, or the fields of a large hash. */
function packedBytes(state: TypedState | undefined): number | undefined {
  if (state instanceof SetState) return state.members.packedBytes
  return state instanceof HashState ? state.fields.packedBytes : undefined
}

function elementBytes<T>(
  elements: Iterable<T>,
  size: number,
  samples: number,
  bytesOf: (one: T) => number,
): number {
  let seen = 0
  let bytes = 0
  for (const element of elements) {
    if (seen === samples && samples > 0) break
    seen++
    bytes += bytesOf(element)
  }
  return Math.round((bytes / Math.max(1, seen)) * size)
}
