/**
 * stored-state.ts: what ops and snapshots have made of a node: its keys, its membership, the vector they are
 * the sum of, and what of them waits to be forgotten.
 *
 * The engine has one, and a snapshot that is being adopted has another one aside; both take effects in by
 * the same road, so they cannot come to mean different things.
 */
import type { ConflictRule, OpPoint } from '../../crdt/dot.ts'
import { TAG } from '../../crdt/effects/effect.ts'
import { timedHashOf } from '../../crdt/effects/hash-effects.ts'
import { listOf } from '../../crdt/effects/list-effects.ts'
import { streamOf } from '../../crdt/effects/stream-entry-effects.ts'
import { isLive, type KeyEntry, KeyState } from '../../crdt/key.ts'
import type { Membership } from '../../crdt/membership.ts'
import { isFieldReclaimable, isReclaimable, reclaimableFields } from '../../crdt/reclaim.ts'
import { type Effect, isKeyEffect, type KeyEffect } from '../../crdt/registry.ts'
import type { VersionVector } from '../../crdt/version-vector.ts'
import type { Keyspace } from './keyspace.ts'
import { Reclaimer } from './reclaimer.ts'

/** Effects after which a key may hold a deadline and nothing that it is for, or markers of a list. */
const CAN_LEAVE_ORPHANS: ReadonlySet<number> = new Set([
  TAG.HASH_REMOVE,
  TAG.SET_REMOVE,
  TAG.ZSET_REMOVE,
  TAG.SET,
  TAG.CLEAR,
  TAG.DEADLINE,
  // A mark may keep the write from counting, and not the deadline of it.
  TAG.HLL_RAISE,
  TAG.HLL_JOIN,
  TAG.STREAM_REMOVE,
  TAG.STREAM_TRIM,
  TAG.STREAM_GROUP,
])

export class StoredState {
  readonly keyspace: Keyspace
  readonly membership: Membership
  readonly applied: VersionVector
  readonly #region: number
  /** What of it may be forgotten once the cut is stable. */
  reclaimer: Reclaimer = new Reclaimer()
  /** The effect on a key that was applied last; undefined between records. */
  effect: KeyEffect | undefined = undefined

  /** @param region  the node's own: what others know of theirs alone is not kept */
  constructor(keyspace: Keyspace, membership: Membership, applied: VersionVector, region: number) {
    this.#region = region
    this.keyspace = keyspace
    this.membership = membership
    this.applied = applied
  }

  /** An entry of a snapshot. */
  restore(db: number, key: string, entry: KeyEntry): void {
    if (entry instanceof KeyState) streamOf(entry)?.settleIn(this.#region)
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
        for (const { db, key } of this.keyspace.keysOf('hash', effect.db)) this.#noteAllFields(db, key)
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
    if (rule === 'deadline') this.reclaimer.note(db, key, field)
  }

  /** An effect that can leave a key without a value may leave its deadlines behind, or a mark. */
  #noteOrphan(effect: KeyEffect): void {
    const { tag, db, key } = effect
    if (
      tag === TAG.HLL_REMOVE ||
      tag === TAG.LIST_REMOVE ||
      tag === TAG.STREAM_BAR ||
      tag === TAG.STREAM_UNGROUP
    ) {
      this.reclaimer.note(db, key)
      return
    }
    if (tag === TAG.FIELD_DEADLINE) this.#noteFields(db, key, effect.fields)
    if (!CAN_LEAVE_ORPHANS.has(tag)) return
    // Most that are SET: a plain string has none, and a look at it would make an object of it.
    if (this.keyspace.isPlain(db, key)) return
    if (tag === TAG.HASH_REMOVE) this.#noteFields(db, key, effect.fields)
    else if (tag === TAG.CLEAR || tag === TAG.SET) this.#noteAllFields(db, key)
    const entry = this.keyspace.get(db, key)
    if (entry instanceof KeyState && (!isLive(entry) || listOf(entry)?.isReclaimable))
      this.reclaimer.note(db, key)
  }

  /** Deadlines of fields that are gone, or that say nothing any more. A hash may have many fields, an effect names few. */
  #noteFields(db: number, key: string, fields: readonly string[]): void {
    const hash = timedHashOf(this.keyspace.get(db, key))
    if (hash === undefined) return
    for (const field of fields)
      if (isFieldReclaimable(hash, field, hash.cellOf(field))) this.reclaimer.note(db, key, field)
  }

  /** The same where every field may have lost its value. */
  #noteAllFields(db: number, key: string): void {
    const entry = this.keyspace.get(db, key)
    if (entry === undefined || timedHashOf(entry) === undefined) return
    for (const field of reclaimableFields(entry)) this.reclaimer.note(db, key, field)
  }
}
