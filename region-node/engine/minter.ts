/**
 * minter.ts: makes this node's ops: dot, stamp, effects; encoded, then applied. What commands may write is in
 * `writes/`; each of those calls ends here, in `emit`.
 *
 * One command, one EXEC or one removal of due keys is one op. An op is begun by its first effect, so a
 * command that changes nothing mints nothing, and ended by the engine. Ops go into the open batch of this
 * turn; the batch is ended at the end of the turn, when it grows past a limit, or before anything of
 * another origin is applied, because a batch has one `deps` for all its ops.
 *
 * Invariants: (1) a dot is minted once: seq is always the vector's own entry plus one. (2) HLCs of one
 * origin grow strictly. (3) What is encoded is what is applied here.
 */
import { assert } from '../../crdt/assert.ts'
import type { OpPoint } from '../../crdt/dot.ts'
import { TAG } from '../../crdt/effects/effect.ts'
import { hllOf } from '../../crdt/effects/hll-effects.ts'
import type { HorizonEffect, WasEffect } from '../../crdt/effects/horizon-effects.ts'
import { listOf } from '../../crdt/effects/list-effects.ts'
import { streamOf } from '../../crdt/effects/stream-entry-effects.ts'
import type { HashState } from '../../crdt/hash-aw.ts'
import { type Hlc, receive, tick } from '../../crdt/hlc.ts'
import { collectSeen, deadlineOf, isLive, type KeyEntry, KeyState, visibleState } from '../../crdt/key.ts'
import type { Membership } from '../../crdt/membership.ts'
import type { Origin } from '../../crdt/origin.ts'
import { Register } from '../../crdt/register.ts'
import type { KeyspaceEffect } from '../../crdt/registry.ts'
import { NOTHING_SEEN, type SeenCounter } from '../../crdt/state.ts'
import type { VersionVector } from '../../crdt/version-vector.ts'
import type { CommandError } from '../errors.ts'
import type { ExpiryClock } from './expiry-clock.ts'
import type { Journal } from './journal.ts'
import type { Keyspace } from './keyspace.ts'

/** A batch is ended when it has grown to this many bytes; a single op may be larger. */
const BATCH_BYTES = 256 * 1024

export class Minter {
  readonly #keyspace: Keyspace
  readonly #membership: Membership
  readonly #journal: Journal
  readonly #applied: VersionVector
  readonly #clock: ExpiryClock
  readonly #at: OpPoint
  readonly #driftMaxMs: () => number
  /** Stands in every batch. */
  readonly #partition: number
  /** The database that calls without a `db` mean. */
  db = 0
  origin: Origin
  #hlc: Hlc = 0
  #opOpen = false
  #isAgain = false
  /** Why nothing may be minted now: thrown before an op begins, so before anything has changed. */
  refusal: CommandError | undefined = undefined
  /** Told of keys, and of fields, of which only deadlines or marks are left. */
  onEmptied: ((db: number, key: string, field?: string) => void) | undefined = undefined
  /** Ops minted since the start. */
  opCount = 0

  constructor(
    origin: Origin,
    keyspace: Keyspace,
    membership: Membership,
    journal: Journal,
    applied: VersionVector,
    at: OpPoint,
    clock: ExpiryClock,
    driftMaxMs: () => number,
    partition: number,
  ) {
    this.origin = origin
    this.#keyspace = keyspace
    this.#membership = membership
    this.#journal = journal
    this.#applied = applied
    this.#at = at
    this.#clock = clock
    this.#driftMaxMs = driftMaxMs
    this.#partition = partition
  }

  /** The last reading minted or received. */
  get hlc(): Hlc {
    return this.#hlc
  }

  /** Learns of a stamp from elsewhere, or from the own log. */
  witness(hlc: Hlc): void {
    this.#hlc = receive(this.#hlc, hlc, this.#clock.wallMs(), this.#driftMaxMs())
  }

  /** Learns of the own past: never minted again, whatever the wall clock says now. */
  recall(hlc: Hlc): void {
    if (hlc > this.#hlc) this.#hlc = hlc
  }

  /** The open op was minted before. */
  get isAgain(): boolean {
    return this.#isAgain
  }

  /** Seq of the op that is open or would be opened next. */
  get seq(): number {
    return this.#applied.get(this.origin) + 1
  }

  /** The dot of the effect that was emitted last, while its op is open. */
  get lastDot(): { readonly seq: number; readonly index: number } {
    return { seq: this.#at.seq, index: this.#at.index - 1 }
  }

  /** Adds an effect to the open op, or to a new one, and applies it. @throws CommandError when nothing may be minted */
  emit(effect: KeyspaceEffect): void {
    const { writer } = this.#journal
    if (!this.#opOpen) this.#beginOp()
    writer.effect(effect)
    // A local op has seen all that is here.
    this.#keyspace.apply(effect, this.#at, true)
    this.#at.index++
  }

  #beginOp(): void {
    if (this.refusal !== undefined) throw this.refusal
    const { writer } = this.#journal
    this.#hlc = tick(this.#hlc, this.#clock.readingMs)
    const seq = this.seq
    if (!writer.isOpen) writer.begin(this.#partition, this.origin, seq, this.#applied, this.#hlc)
    writer.beginOp(this.#hlc)
    this.#at.moveTo(this.origin, seq, this.#hlc, this.#applied)
    this.#opOpen = true
  }

  /** Mints one op that changes the horizon. */
  declare(effects: readonly HorizonEffect[]): void {
    for (const effect of effects) this.emitHorizon(effect)
    this.endOp()
  }

  /** As `emit`. @throws CommandError when nothing may be minted */
  emitHorizon(effect: HorizonEffect): void {
    if (!this.#opOpen) this.#beginOp()
    this.#journal.writer.effect(effect)
    this.#membership.apply(effect, this.#at, this.#applied)
    this.#at.index++
  }

  /**
   * Begins an op that counts as an older one: what is written until its end keeps the old stamp.
   * @returns its seq
   */
  beginAgain(was: WasEffect): number {
    this.#beginOp()
    this.#journal.writer.effect(was)
    this.#membership.remint(was)
    this.#at.recast(was.hlc)
    this.#at.index++
    this.#isAgain = true
    return this.seq
  }

  /** Ends the op that the last command began, if it began one. */
  endOp(): void {
    if (!this.#opOpen) return
    const { writer } = this.#journal
    writer.endOp()
    this.#opOpen = false
    this.#isAgain = false
    this.opCount++
    this.#applied.advance(this.origin, this.seq)
    if (writer.openBytes >= BATCH_BYTES) this.endBatch()
  }

  /** Ends the open batch, if there is one, and hands it to the journal. */
  endBatch(): void {
    assert(!this.#opOpen, 'a batch ends between ops')
    const { writer } = this.#journal
    if (!writer.isOpen) return
    const { record, firstSeq, opCount } = writer.finish()
    this.#journal.minted(record, { partition: this.#partition, origin: this.origin, firstSeq, opCount })
  }

  /** The entry a write to the key meets, after a due one has been removed; undefined when the write creates it. */
  live(db: number, key: string): KeyEntry | undefined {
    const entry = this.#keyspace.get(db, key)
    if (!(entry instanceof KeyState)) return entry
    if (!isLive(entry)) return undefined
    // What is due now may not have been when the op was minted first; it goes on to be due.
    if (this.#isAgain) return entry
    const isShown = visibleState(entry) !== undefined
    if (isShown && deadlineOf(entry) >= this.#clock.nowMs) return entry
    this.clear(db, key, entry)
    return undefined
  }

  /** Removes fields, shown or due, and what is seen of their counters and deadlines. */
  removeFields(db: number, key: string, hash: HashState, fields: readonly string[]): void {
    const seen: SeenCounter[] = []
    for (const field of fields) hash.cellOf(field)?.collectSeen(seen, field)
    this.emit({ tag: TAG.HASH_REMOVE, db, key, fields, seen })
    this.noteEmptied(db, key)
  }

  /** What went by its last member leaves its deadline behind, until that is below the stable cut. */
  noteEmptied(db: number, key: string): void {
    const entry = this.#keyspace.get(db, key)
    if (entry instanceof KeyState && !isLive(entry)) this.onEmptied?.(db, key)
  }

  /** The part of a removal that is about a HyperLogLog, where there is one: a mark, until that is stable. */
  removeHll(db: number, key: string, entry: KeyEntry): void {
    if (hllOf(entry)?.isGone === false) this.markHll(db, key)
  }

  /** Removes the HyperLogLog of a key, or what is left of one, and leaves a mark of that. */
  markHll(db: number, key: string): void {
    this.emit({ tag: TAG.HLL_REMOVE, db, key })
    this.onEmptied?.(db, key)
  }

  /** The part of a removal that is about consumer groups, where there is a stream: a mark, until that is stable. */
  removeGroups(db: number, key: string, entry: KeyEntry): void {
    if (streamOf(entry)?.isGone === false) this.barGroups(db, key)
  }

  /** Removes the groups of a key's stream, or of what is left of one, and leaves a mark of that. */
  barGroups(db: number, key: string): void {
    this.emit({ tag: TAG.STREAM_BAR, db, key })
    this.noteMarked(db, key)
  }

  /** The key holds a mark, until that is below the stable cut. */
  noteMarked(db: number, key: string): void {
    this.onEmptied?.(db, key)
  }

  /** What was written over or removed may have been a list, which leaves markers. */
  noteMarkers(db: number, key: string): void {
    const entry = this.#keyspace.get(db, key)
    if (entry instanceof KeyState && listOf(entry)?.isReclaimable) this.onEmptied?.(db, key)
  }

  /** Up to where the stable cut was announced by anybody; undefined when it was not. */
  get announced(): VersionVector | undefined {
    return this.#membership.announcedByAny
  }

  /** Removes all that is seen of the key, deadlines included. */
  clear(db: number, key: string, entry: KeyEntry): void {
    this.removeHll(db, key, entry)
    this.removeGroups(db, key, entry)
    this.emit({ tag: TAG.CLEAR, db, key, seen: seenIn(entry) })
    this.noteMarkers(db, key)
  }
}

/** Every counter entry of the key: what a removal of it carries. */
export function seenIn(entry: KeyEntry): readonly SeenCounter[] {
  if (entry instanceof Register) return NOTHING_SEEN
  const seen: SeenCounter[] = []
  collectSeen(entry, seen)
  return seen
}
