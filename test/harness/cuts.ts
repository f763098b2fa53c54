/**
 * cuts.ts: stable cuts of a few writers, worked out from outside, and what is forgotten below them.
 *
 * A node takes its cut from what the others acknowledge; a test sees all of them, and takes the highest cut
 * that holds. Source: algorithms.md, The horizon, 1.
 */
import { openRecord } from '../../crdt/codec/batch.ts'
import type { VersionVector } from '../../crdt/version-vector.ts'
import { recordsOf, type Writer } from './history.ts'

/** The highest cut that holds for one writer. */
export function cutOf(writer: Writer, writers: readonly Writer[]): VersionVector {
  const { engine, origins } = writer
  let cut = engine.applied.copy()
  for (const other of writers) other.engine.endBatch()
  for (const other of writers) {
    const standing = cut.copy()
    for (const [origin, seq] of cut.entries()) {
      const has = other.vector.get(origin.id) ?? 0
      if (has < seq) standing.retreat(origin, has)
    }
    cut = standing
  }
  for (const record of recordsOf(writers)) {
    const { origin, firstSeq, opCount, deps } = openRecord(record, origins).header
    if (firstSeq + opCount - 1 <= engine.applied.get(origin)) continue
    const seen = deps.copy()
    seen.advance(origin, engine.applied.get(origin))
    cut = cut.meet(seen)
  }
  return cut
}

/** Everybody takes what everybody has. */
export function exchange(writers: readonly Writer[]): void {
  for (const to of writers) for (const from of writers) to.pull(from, Number.POSITIVE_INFINITY)
}

/** Everything that waits below a cut goes. @returns how many keys and fields were given out */
export function reclaim(writer: Writer, cut: VersionVector): number {
  let count = 0
  // The first call may have to close a set that the second one gives out.
  for (let i = 0; i < 2; i++) count += writer.engine.reclaim(cut)
  return count
}
