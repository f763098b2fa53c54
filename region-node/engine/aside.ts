/**
 * aside.ts: a state of the node that is built beside the one it serves from: a snapshot received, and onto
 * it what this node has applied beyond it.
 *
 *   snapshot(k), then the logged effects on k that the snapshot's vector does not cover, in log order
 *
 * for every key k at once. The order is a causal one: what an op of the own log depends on is in the log
 * before it or was never in this log, and then the snapshot has to cover it.
 *
 * A region that was suspended and is back takes the snapshot as it is. What it holds beyond it, nobody was asked
 * about, and the cut went on without it: the members have what counts, and its own late tail is minted again.
 *
 * Until it takes the place of the engine's keyspace, memory holds both.
 *
 * Invariants: (1) `applied` names exactly the ops that `keyspace` is the sum of. (2) An op behind the seal
 * of its origin, as the snapshot knows it, is never applied under its old dot, nor one that has seen it.
 * Source: algorithms.md, A snapshot received into a live region.
 */
import type { BatchReader } from '../../crdt/codec/batch.ts'
import type { EntrySink } from '../../crdt/codec/state.ts'
import { type ConflictRule, type ConflictSink, type Dot, OpPoint } from '../../crdt/dot.ts'
import type { Hlc } from '../../crdt/hlc.ts'
import type { Membership } from '../../crdt/membership.ts'
import type { Origin } from '../../crdt/origin.ts'
import type { RecordContext } from '../../crdt/table/record-context.ts'
import type { VersionVector } from '../../crdt/version-vector.ts'
import type { Keyspace } from './keyspace.ts'
import { StoredState } from './stored-state.ts'

export class Aside extends StoredState implements EntrySink, ConflictSink {
  /** The latest reading known where the snapshot was made. */
  readonly hlc: Hlc
  readonly #at: OpPoint

  /**
   * @param vector  what the snapshot holds
   * @param membership  as the snapshot knows it; kept and changed
   * @param origin  any: the point of application has to begin somewhere
   * @param keyspace  empty
   */
  constructor(vector: VersionVector, hlc: Hlc, membership: Membership, origin: Origin, keyspace: Keyspace) {
    super(keyspace, membership, vector.copy(), origin.region)
    this.hlc = hlc
    this.#at = new OpPoint(origin, this.applied, this, keyspace.records)
  }

  get records(): RecordContext {
    return this.keyspace.records
  }

  /**
   * Applies what a record of the own log has beyond the snapshot.
   * @param live  what this node has applied: a record may hold ops behind that, which were never taken
   */
  replay(batch: BatchReader, live: VersionVector): void {
    const { origin, firstSeq, deps } = batch.header
    const end = this.membership.sealOf(origin)?.end ?? Number.POSITIVE_INFINITY
    const last = Math.min(end, live.get(origin))
    if (last <= this.applied.get(origin)) return
    if (this.applied.get(origin) === 0 && !this.membership.admits(origin, deps)) return
    // It has seen an op that does not count, or stands behind one: nobody who holds the snapshot could take it.
    if (firstSeq > this.applied.get(origin) + 1 || !this.applied.covers(deps)) return
    const at = this.#at
    for (const { seq, hlc, effects } of batch.ops()) {
      if (seq <= this.applied.get(origin)) continue
      if (seq > last) return
      at.moveTo(origin, seq, hlc, deps)
      for (const effect of effects) {
        if (!this.apply(effect, at)) break
        at.index++
      }
      this.applied.advance(origin, seq)
    }
  }

  /** Told of when the op was applied for the first time; here only what it leaves to be forgotten counts. */
  conflict(rule: ConflictRule, _winner: Dot, _hidden: Dot, at: OpPoint): void {
    if (this.effect !== undefined) this.noteConflict(this.effect, rule, at.field)
  }
}
