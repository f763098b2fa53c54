/**
 * group-readers.ts: how far this region's readers of consumer groups are, taken over an adoption.
 *
 * A snapshot from another region says nothing of the readers here, and the ops that would say it are behind it. So
 * before the snapshot takes over, the streams as they were are kept, and their groups' part of this region goes over
 * to the same groups of the new state. What the snapshot brought and this node had not applied is news to them,
 * wherever their cursor is.
 *
 * No op tells of this. Until the node has made a snapshot of its own, a restart finds the readers at the beginning
 * of their groups, and they are given again what they had: once more is allowed, once less would not be.
 */
import { EVERY_DB } from '../../crdt/effects/key-effects.ts'
import { streamOf } from '../../crdt/effects/stream-entry-effects.ts'
import type { StreamState } from '../../crdt/stream.ts'
import type { Group } from '../../crdt/stream-group.ts'
import { ID_MIN } from '../../crdt/stream-id.ts'
import type { VersionVector } from '../../crdt/version-vector.ts'
import type { Keyspace } from './keyspace.ts'

export class GroupReaders {
  /** As they were: nobody changes them any more. */
  readonly #streams: { readonly db: number; readonly key: string; readonly stream: StreamState }[] = []
  readonly #applied: VersionVector
  readonly #region: number

  /**
   * Keeps what there is, of a keyspace that is about to be replaced.
   * @param applied  what it is the sum of; live
   */
  constructor(keyspace: Keyspace, applied: VersionVector, region: number) {
    this.#applied = applied.copy()
    this.#region = region
    for (const { db, key } of keyspace.keysOf('stream', EVERY_DB)) {
      const stream = streamOf(keyspace.get(db, key)!)
      if (stream !== undefined && stream.groups.size > 0) this.#streams.push({ db, key, stream })
    }
  }

  /** There is nothing to go over. */
  get isEmpty(): boolean {
    return this.#streams.length === 0
  }

  /** Lets what was kept go over to every group that is still the same and has not got it yet. */
  resume(keyspace: Keyspace): void {
    for (const { db, key, stream } of this.#streams) {
      const entry = keyspace.get(db, key)
      const now = entry === undefined ? undefined : streamOf(entry)
      if (now === undefined) continue
      for (const old of stream.groups.values()) {
        const group = now.groups.get(old.name)
        if (group === undefined || !this.#isSame(old, group)) continue
        this.#resumeGroup(old, group, now)
        stream.groups.delete(old.name)
      }
    }
  }

  /** One of its creations is the same, or this region's own, which was minted again. */
  #isSame(old: Group, group: Group): boolean {
    return group.creations.some(
      ({ origin, seq, index }) =>
        (origin.region === this.#region && seq > this.#applied.get(origin)) ||
        old.creations.some((one) => one.origin === origin && one.seq === seq && one.index === index),
    )
  }

  #resumeGroup(old: Group, group: Group, { entries }: StreamState): void {
    group.resumeFrom(old)
    for (const entry of entries.range(ID_MIN, old.cursor, Number.POSITIVE_INFINITY)) {
      const isNew = entry.origin.region !== this.#region && entry.seq > this.#applied.get(entry.origin)
      if (old.late.find(entry) !== undefined || (isNew && group.isFor(entry))) group.late.add(entry)
    }
  }
}
