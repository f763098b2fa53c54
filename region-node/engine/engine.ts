/**
 * engine.ts: the one road of every op, and the state it leads to.
 *
 *   words → dispatcher: a command runs ─→ effects → minter: encode + apply ─→ journal
 *   record from a peer → decode → apply ────────────────────────────────────────→ journal
 *   record of the own log → decode → apply
 *
 * It knows no clock, disk or socket: those who drive it (the server's turn, the simulator) tell it when a
 * turn ends, and keep replies back until the journal has what they promise.
 *
 * Invariants: (1) whatever happens inside a command, its op is ended before anything else is applied.
 * (2) All effects of an op are applied before anybody reads. (3) `applied` advances only when an op has
 * been applied whole.
 */
import { type BatchHeader, type BatchReader, lastSeq, type Op } from '../../crdt/codec/batch.ts'
import { DecodeError } from '../../crdt/codec/bytes.ts'
import { momentOf } from '../../crdt/deadline.ts'
import { type ConflictRule, type ConflictSink, type Dot, OpPoint } from '../../crdt/dot.ts'
import { TAG } from '../../crdt/effects/effect.ts'
import type { HorizonEffect } from '../../crdt/effects/horizon-effects.ts'
import { EVERY_DB, LIBRARY_DB } from '../../crdt/effects/key-effects.ts'
import { type Hlc, hlcWallMs } from '../../crdt/hlc.ts'
import type { KeyEntry } from '../../crdt/key.ts'
import type { IsCovered } from '../../crdt/list-names.ts'
import { Membership } from '../../crdt/membership.ts'
import type { Origin, OriginTable } from '../../crdt/origin.ts'
import { listWithMarkers, reclaimEntry } from '../../crdt/reclaim.ts'
import { type Effect, isKeyEffect } from '../../crdt/registry.ts'
import { VersionVector } from '../../crdt/version-vector.ts'
import type { ChannelKind } from '../../sync/ports.ts'
import type { AccessControl } from '../acl/access-control.ts'
import type { Services } from '../commands/services.ts'
import type { Session } from '../commands/session.ts'
import type { CommandTable } from '../commands/table.ts'
import type { CommandError } from '../errors.ts'
import type { Aside } from './aside.ts'
import type { Audience } from './audience.ts'
import { type ConflictLog, describeSide } from './conflict-log.ts'
import { Dispatcher } from './dispatcher.ts'
import { DueRemovals, type Removed } from './due-removals.ts'
import { Eviction, type EvictionSettings } from './eviction.ts'
import { ExpiryClock } from './expiry-clock.ts'
import { GroupReaders } from './group-readers.ts'
import type { Journal } from './journal.ts'
import { Keyspace } from './keyspace.ts'
import { Minter } from './minter.ts'
import { type Reminted, Reminter } from './reminter.ts'
import { StoredState } from './stored-state.ts'
import { KeyWrites } from './writes/key-writes.ts'

/** What evictions are called where events are named after commands. */
const EVICTION = 'eviction'
/** Keys and fields looked at in one step of reclamation. */
const RECLAIM_STEP_KEYS = 2000

export interface EngineOptions {
  readonly origins: OriginTable
  /** Under which the node mints; it enters the vector with the first write. */
  readonly origin: Origin
  readonly table: CommandTable
  readonly journal: Journal
  readonly services: Services
  readonly conflicts: ConflictLog
  /** Wall clock, milliseconds since the Unix epoch; may jump. */
  readonly wallMs: () => number
  /** A random number in [0, 1). */
  readonly random: () => number
  /** `max-drift-ms`. */
  readonly driftMaxMs: () => number
  readonly access: AccessControl
  readonly eviction: EvictionSettings
  /** `tracking-table-max-keys` */
  readonly trackedKeysMax: () => number
  /** From how many members on a collection is packed. */
  readonly packedFrom?: number
  /** The partition of the database that it holds; absent: the only one. */
  readonly partition?: number
}

export class Engine implements ConflictSink {
  readonly keyspace: Keyspace
  readonly membership = new Membership()
  readonly #state: StoredState
  /** What is applied here: live, changes in place. */
  readonly applied: VersionVector
  readonly clock: ExpiryClock
  /** Commands, and those who run them. */
  readonly commands: Dispatcher
  readonly #minter: Minter
  readonly #reminter: Reminter
  readonly #dueRemovals: DueRemovals
  readonly #journal: Journal
  readonly #conflicts: ConflictLog
  readonly #at: OpPoint
  /** Kept while a snapshot is adopted. */
  #readers: GroupReaders | undefined = undefined
  readonly #eviction: Eviction
  /** Ops of other origins applied since the start. */
  receivedCount = 0
  /** Replaying the own log met ops that this region minted behind the end of their origins. */
  hasLateTail = false
  /** Markers of lists lie below the cut, and this node has not announced that it knows. */
  awaitsAnnouncement = false
  /**
   * A seal came that lies before what was applied of its origin here: a folder that was put back holds ops that
   * were lost everywhere else. None of them can be taken back alone, so nothing that has seen the seal is taken
   * before the node is rebuilt, from a state that has all of this: the seal. Undefined: there was none.
   */
  rebuildTo: VersionVector | undefined
  /** See `forgetSeals`. */
  readonly #forgotten: VersionVector
  /** Due keys removed by this node since the start. */
  expiredCount = 0
  /** Keys evicted by this node since the start. */
  evictedCount = 0

  constructor(options: EngineOptions) {
    const { origins, origin, journal, services } = options
    this.#journal = journal
    this.#conflicts = options.conflicts
    this.keyspace = new Keyspace(origins, services.latin1, options.packedFrom)
    this.applied = new VersionVector(origins)
    this.#forgotten = new VersionVector(origins)
    this.#state = new StoredState(this.keyspace, this.membership, this.applied, origin.region)
    this.clock = new ExpiryClock(options.wallMs)
    this.#at = new OpPoint(origin, this.applied, this, this.keyspace.records)
    this.#minter = new Minter(
      origin,
      this.keyspace,
      this.membership,
      journal,
      this.applied,
      this.#at,
      this.clock,
      options.driftMaxMs,
      options.partition ?? 0,
    )
    const writes = new KeyWrites(this.#minter, this.keyspace, this.clock)
    this.#reminter = new Reminter(
      origin,
      this.keyspace,
      this.membership,
      this.#minter,
      writes,
      this.applied,
      this,
    )
    this.#dueRemovals = new DueRemovals(this.keyspace, this.#minter, () => {
      if (this.#audience.isOn) this.#audience.ended()
      this.#minter.endOp()
    })
    this.#minter.onEmptied = (db, key, field) => this.#state.reclaimer.note(db, key, field)
    this.#eviction = new Eviction(this.keyspace, this.clock, options.random, options.eviction)
    this.commands = new Dispatcher({
      table: options.table,
      keyspace: this.keyspace,
      minter: this.#minter,
      writes,
      clock: this.clock,
      services,
      access: options.access,
      random: options.random,
      trackedKeysMax: options.trackedKeysMax,
    })
  }

  get #audience(): Audience {
    return this.commands.audience
  }

  /** CONFIG RESETSTAT. */
  resetStatistics(): void {
    this.commands.commandCount = 0
    this.commands.errorCount = 0
    this.expiredCount = 0
    this.evictedCount = 0
  }

  /** Runs one command of a session; the reply is in `session.out` when it returns, or later if it blocks. */
  execute(session: Session, words: readonly string[]): void {
    this.commands.execute(session, words)
  }

  /** Settles the origin, once recovery knows it and before anything is minted. */
  adoptOrigin(origin: Origin): void {
    this.#minter.origin = origin
  }

  /** The origin this node mints under. */
  get origin(): Origin {
    return this.#minter.origin
  }

  /** Ops minted here since the start. */
  get mintedCount(): number {
    return this.#minter.opCount
  }

  /** Clients of another node published this. */
  published(kind: ChannelKind, channel: string, message: string): void {
    const { channels } = this.#audience
    channels.tell(kind, channel, message)
    channels.handOut()
  }

  /** The turn of the event loop is over, or the rest of it is not about commands. */
  endTurn(): void {
    this.commands.endTurn()
    this.endBatch()
  }

  /** Ends the open batch: the turn is over, or something else is about to be journaled. */
  endBatch(): void {
    this.#minter.endBatch()
  }

  /**
   * Applies a record from a peer, the part of it that is new, and journals it as it came. Its deps must be
   * covered and its first new op the next one of its origin.
   * @throws DecodeError before anything is applied
   */
  applyReceived(record: Uint8Array, batch: BatchReader): void {
    // Not only the batch: what is applied is no part of the last command.
    this.endTurn()
    const ops = batch.ops()
    if (this.#endsBeforeApplied(ops)) {
      const { origin } = batch.header
      if (this.#forgotten.get(origin) === 0) this.#mustHave(origin, lastSeq(batch.header))
      return
    }
    this.clock.read()
    this.receivedCount += this.#applyOps(
      batch.header,
      ops,
      false,
      this.membership.limitOf(batch.header.origin),
    )
    this.#journal.received(record, batch.header)
    this.commands.settle()
  }

  #endsBeforeApplied(ops: readonly Op[]): boolean {
    for (const { effects } of ops) {
      for (const effect of effects)
        if (effect.tag === TAG.SEAL && effect.end < this.applied.get(effect.origin)) return true
    }
    return false
  }

  /**
   * These ops that `rebuildTo` names count for nobody: whoever minted them is primary no more, and nobody else has them.
   * They come again when that one is back, before their origin has ended.
   */
  forgetSeals(origins: readonly Origin[]): void {
    const named = [...(this.rebuildTo?.entries() ?? [])]
    this.rebuildTo = undefined
    for (const [origin, seq] of named) {
      if (origins.includes(origin)) this.#forgotten.advance(origin, seq)
      else this.#mustHave(origin, seq)
    }
  }

  #mustHave(origin: Origin, seq: number): void {
    this.rebuildTo ??= new VersionVector(this.applied.origins)
    this.rebuildTo.advance(origin, seq)
  }

  /** A snapshot from before the seal would not do: the seal was dropped, and would not be sent again. */
  #isRebuilt(): boolean {
    for (const [origin, seq] of this.rebuildTo?.entries() ?? []) {
      // The seal may itself lie behind an end: then it counts for nobody.
      const counted = Math.min(seq, this.membership.sealOf(origin)?.end ?? seq)
      if (this.applied.get(origin) < counted) return false
    }
    return true
  }

  /**
   * Applies a record of the own log at start.
   * @param held  what of it still counted later, where the log says so
   * @throws DecodeError
   */
  replay(batch: BatchReader, held?: VersionVector): void {
    const { origin } = batch.header
    // What is in the log was taken, fenced or not: a fence may have been raised meanwhile.
    const end = this.membership.sealOf(origin)?.end ?? Number.POSITIVE_INFINITY
    const last = held === undefined ? end : Math.min(end, held.get(origin))
    this.#applyOps(batch.header, batch.ops(), origin.region === this.origin.region, last)
  }

  /**
   * @param end  the last op of its origin that may be applied under its dot
   * @returns how many of its ops were new
   */
  #applyOps(header: BatchHeader, ops: readonly Op[], isOwn: boolean, end: number): number {
    let applied = 0
    const { origin, deps } = header
    for (const op of ops) for (const effect of op.effects) checkDatabase(effect)
    const at = this.#at
    const limit = this.applied.get(origin) > 0 || this.membership.admits(origin, deps) ? end : 0
    if (isOwn && lastSeq(header) > limit) this.hasLateTail = true
    let last = 0
    for (const { seq, hlc, effects } of ops) {
      if (seq <= this.applied.get(origin)) continue
      // Behind the origin's end, or fenced: never applied under this dot.
      if (seq > limit) break
      applied++
      at.moveTo(origin, seq, hlc, deps)
      if (isOwn && effects[0]?.tag === TAG.WAS) this.#reminter.recall(origin, seq)
      for (const effect of effects) {
        if (!this.#state.apply(effect, at)) break
        at.index++
      }
      if (this.#audience.isOn) this.#audience.ended()
      this.applied.advance(origin, seq)
      last = hlc
    }
    // Readings of one batch grow, so its last new one stands for all.
    if (isOwn) this.#minter.recall(last)
    else this.#minter.witness(last)
    this.#state.effect = undefined
    // What this node did at that moment of its clock it will not hide as "not yet due" later.
    if (isOwn) this.clock.atLeast(hlcWallMs(this.#minter.hlc))
    return applied
  }

  /**
   * Forgets what lies below the stable cut and no read can answer.
   * @param announced  what every origin that may still bring an op has announced as the cut
   * @returns how many keys and fields were looked at
   */
  reclaim(cut: VersionVector, announced?: VersionVector): number {
    // A walk shows each key as it was; it must not find some of them gone.
    if (this.keyspace.isWalked) return 0
    const due = this.#state.reclaimer.take(cut, this.applied, RECLAIM_STEP_KEYS)
    const isStable = (dot: Dot): boolean => dot.seq <= cut.get(dot.origin)
    const isAnnounced = coveredBy(announced)
    const own = coveredBy(this.membership.announcedCut(this.origin))
    this.awaitsAnnouncement = false
    for (const { db, key, field } of due) {
      this.keyspace.forget(db, key, (entry) => reclaimEntry(entry, field, isStable, isAnnounced))
      const list = listWithMarkers(this.keyspace.get(db, key))
      if (list === undefined) continue
      this.#state.reclaimer.note(db, key)
      if (!list.liesBelow(own)) this.awaitsAnnouncement = true
    }
    return due.length
  }

  /** Keys and fields that wait for the cut. */
  get reclaimPending(): number {
    return this.#state.reclaimer.pending
  }

  /** What was built aside takes the place of everything here. Between two turns: no batch is open. */
  adopt(aside: Aside): void {
    this.#readers = new GroupReaders(this.keyspace, this.applied, this.origin.region)
    this.keyspace.become(aside.keyspace)
    this.#readers.resume(this.keyspace)
    this.#state.reclaimer = aside.reclaimer
    // Not a join: what lies behind the end of an origin counts no more.
    this.applied.become(aside.applied)
    this.#minter.witness(aside.hlc)
    this.membership.become(aside.membership, this.applied)
    if (this.#isRebuilt()) this.rebuildTo = undefined
    if (this.#audience.isOn) this.#audience.replaced()
    this.commands.serveLater()
  }

  /**
   * After an adoption, and once the late tail was minted again, where there is one: this region's readers go on.
   * @returns whether there are any, of whom only a snapshot will tell a restart
   */
  endReaders(): boolean {
    const readers = this.#readers
    this.#readers = undefined
    readers?.resume(this.keyspace)
    return readers?.isEmpty === false
  }

  /** The latest reading minted or received here. */
  get hlc(): Hlc {
    return this.#minter.hlc
  }

  /**
   * Everything of a snapshot was restored, at the start.
   * @param hlc  the latest reading where it was made
   * @param clockMs  the expiry clock there, milliseconds since the Unix epoch
   * @param isOwn  this very node made it: then both are its own past
   */
  resume(vector: VersionVector, membership: Membership, hlc: Hlc, clockMs: number, isOwn: boolean): void {
    this.applied.join(vector)
    this.membership.become(membership, this.applied)
    if (isOwn) {
      this.#minter.recall(hlc)
      this.clock.atLeast(clockMs)
    } else {
      this.#minter.witness(hlc)
    }
  }

  /** An entry of a snapshot. */
  restore(db: number, key: string, entry: KeyEntry): void {
    this.#state.restore(db, key, entry)
  }

  /** Why this node may mint nothing now; undefined when it may. */
  get refusal(): CommandError | undefined {
    return this.#minter.refusal
  }

  refuseWrites(refusal: CommandError | undefined): void {
    this.#minter.refusal = refusal
    if (refusal === undefined) this.commands.serveLater()
  }

  /** Mints one op that changes the horizon. Not while another is being minted. */
  declare(effects: readonly HorizonEffect[]): void {
    this.clock.read()
    this.#minter.declare(effects)
  }

  /**
   * Mints again what is left of an op that came too late to count under its own dot. The node may mint.
   * @param deps  as its batch says
   * @returns undefined when the op had been minted again before
   */
  remint(origin: Origin, op: Op, deps: VersionVector): Reminted | undefined {
    this.clock.read()
    return this.#reminter.remint(origin, op, deps)
  }

  /** An op of another region that lies among the late tail in the log and does not count here. */
  takenApart(op: Op): void {
    this.#reminter.takenApart(op)
  }

  /** Every op of the late tail has been looked at. */
  endRemint(): void {
    this.#reminter.end()
    this.commands.serveLater()
  }

  conflict(rule: ConflictRule, winner: Dot, hidden: Dot, at: OpPoint): void {
    // Local writes have seen everything here, so only an applied record brings conflicts to light, or an old op.
    const effect = this.#state.effect ?? this.#reminter.current
    if (effect === undefined) return
    this.#state.noteConflict(effect, rule, at.field)
    if (rule === 'deadline' && momentOf(winner) === momentOf(hidden)) return
    this.#conflicts.add({
      rule,
      db: effect.db,
      key: effect.key,
      field: at.field,
      winner: describeSide(winner),
      hidden: describeSide(hidden),
    })
  }

  /** Keys that are due, or have to make room, may go. A passive region leaves that to those that take writes. */
  get #mayRemoveKeys(): boolean {
    const { pause, admission } = this.commands
    return pause.mode === undefined && this.refusal === undefined && !admission.has('passive')
  }

  /**
   * Evicts keys of about `bytes`, as one op, in one step of those it may take.
   * @returns about how many bytes went; 0 when the policy, or something else, lets none go
   */
  evict(bytes: number): number {
    if (!this.#mayRemoveKeys) return 0
    this.clock.read()
    const audience = this.#audience
    audience.began(undefined, EVICTION, [])
    const { keys, freed } = this.#eviction.step(bytes, ({ db, key, entry }) =>
      this.#minter.clear(db, key, entry),
    )
    audience.ended()
    this.#minter.endOp()
    this.evictedCount += keys
    this.commands.settle()
    return freed
  }

  /** `maxmemory-policy` has changed. */
  policyChanged(): void {
    this.#eviction.policyChanged()
  }

  /**
   * Mints the removal of keys that are due and that no member can still extend (algorithms.md, Expiry).
   * @param settledMs  every member has announced an expiry clock past this and its ops up to then are here
   * @param isDurableEverywhere  every member had fsynced the op of that deadline when it announced its clock: one
   *   that had not could still extend the key as it knew it, or as it knows it again after a power failure
   * @returns what of it was done: a step is short
   */
  removeDue(settledMs: number, isDurableEverywhere: (deadline: Dot) => boolean): Removed {
    if (!this.#mayRemoveKeys) return { keys: 0, fields: 0, isOver: true }
    const nowMs = this.clock.read()
    const removed = this.#dueRemovals.remove({ nowMs, settledMs, isDurableEverywhere })
    this.expiredCount += removed.keys
    this.commands.settle()
    return removed
  }
}

function coveredBy(vector: VersionVector | undefined): IsCovered {
  return (originIndex, seq) =>
    vector !== undefined && originIndex < vector.length && seq <= vector.at(originIndex)
}

function checkDatabase(effect: Effect): void {
  if (!isKeyEffect(effect) && effect.tag !== TAG.FLUSH) return
  const { db } = effect
  // LIBRARY_DB lies above what `databases` may be set to: an op that names a higher one is not ours.
  if (db > LIBRARY_DB || (db < 0 && !(effect.tag === TAG.FLUSH && db === EVERY_DB))) {
    throw new DecodeError(`a database index out of range: ${db}`)
  }
}
