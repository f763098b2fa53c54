/**
 * stored-state.ts: what ops and snapshots have made of a node: its keys, its membership, the vector they are
 * the sum of, and what of them waits to be forgotten.
 *
 * The engine has one, and a snapshot that is being adopted has another one aside; both take effects in by
 * the same road, so they cannot come to mean different things.
 */
import type { ConflictRule, OpPoint } from '../../crdt/dot.ts'
import { TAG } from '../../crdt/effects/effect.ts'
import { type KeyEntry, KeyState } from '../../crdt/key.ts'
import type { Membership } from '../../crdt/membership.ts'
import { isReclaimable, reclaimableFields } from '../../crdt/reclaim.ts'
import { type Effect, isKeyEffect, type KeyEffect } from '../../crdt/registry.ts'
import type { VersionVector } from '../../crdt/version-vector.ts'
import type { Keyspace } from './keyspace.ts'
import { Reclaimer } from './reclaimer.ts'

export class StoredState {
  readonly keyspace: Keyspace
  readonly membership: Membership
  readonly applied: VersionVector
  /** What of it may be forgotten once the cut is stable. */
  reclaimer: Reclaimer = new Reclaimer()
  /** The effect on a key that was applied last; undefined between records. */
  effect: KeyEffect | undefined = undefined

  constructor(keyspace: Keyspace, membership: Membership, applied: VersionVector) {
    this.keyspace = keyspace
    this.membership = membership
    this.applied = applied
  }

  /** An entry of a snapshot. */
  restore(db: number, key: string, entry: KeyEntry): void {
    this.keyspace.restore(db, key, entry)
    if (isReclaimable(entry)) this.reclaimer.note(db, key)
    for (const field of reclaimableFields(entry)) this.reclaimer.note(db, key, field)
  }

  /** Applies an effect of an op that is not in `applied` yet. @returns false when the rest of the op is to be left out */
  apply(effect: Effect, at: OpPoint): boolean {
    if (isKeyEffect(effect)) {
      this.effect = effect
      this.keyspace.apply(effect, at)
      this.#noteOrphan(effect)
      return true
    }
    switch (effect.tag) {
      case TAG.FLUSH:
        this.keyspace.apply(effect, at, at.coversAll(this.applied))
        for (const { db, key } of this.keyspace.orphans(effect.db)) this.reclaimer.note(db, key)
        return true
      case TAG.WAS:
        if (!this.membership.remint(effect)) return false
        at.recast(effect.hlc)
        return true
      default:
        this.membership.apply(effect, at, this.applied)
        return true
    }
  }

  /** A conflict leaves a loser behind, or a deadline. */
  noteConflict({ db, key }: KeyEffect, rule: ConflictRule, field: string | undefined): void {
    if (rule === 'register') this.reclaimer.note(db, key, field)
    if (rule === 'deadline') this.reclaimer.note(db, key)
  }

  /** An effect that can leave a key without a value may leave its deadlines behind. */
  #noteOrphan({ tag, db, key }: KeyEffect): void {
    if (tag !== TAG.HASH_REMOVE && tag !== TAG.SET_REMOVE && tag !== TAG.CLEAR && tag !== TAG.DEADLINE) return
    const entry = this.keyspace.get(db, key)
    if (entry instanceof KeyState && entry.state === undefined) this.reclaimer.note(db, key)
  }
}
