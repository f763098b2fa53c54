/**
 * engine.ts: the one road of every command and of every op.
 *
 *   words → look up → check → queue or run ─→ effects → minter: encode + apply ─→ journal
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
import { type BatchReader, lastSeq, type Op } from '../../crdt/codec/batch.ts'
import { DecodeError } from '../../crdt/codec/bytes.ts'
import { momentOf, winningDeadline } from '../../crdt/deadline.ts'
import { type ConflictRule, type ConflictSink, type Dot, OpPoint } from '../../crdt/dot.ts'
import { TAG } from '../../crdt/effects/effect.ts'
import type { HorizonEffect } from '../../crdt/effects/horizon-effects.ts'
import { EVERY_DB } from '../../crdt/effects/key-effects.ts'
import { type Hlc, hlcWallMs } from '../../crdt/hlc.ts'
import { type KeyEntry, KeyState } from '../../crdt/key.ts'
import { Membership } from '../../crdt/membership.ts'
import type { Origin, OriginTable } from '../../crdt/origin.ts'
import { reclaimEntry } from '../../crdt/reclaim.ts'
import { type Effect, isKeyEffect } from '../../crdt/registry.ts'
import { VersionVector } from '../../crdt/version-vector.ts'
import type { TransactionControl } from '../commands/command.ts'
import type { Services } from '../commands/services.ts'
import { Session } from '../commands/session.ts'
import type { CommandTable, FoundCommand } from '../commands/table.ts'
import { CommandError, errors } from '../errors.ts'
import type { ReplyMark } from '../resp/reply.ts'
import { Admission } from './admission.ts'
import type { Aside } from './aside.ts'
import { ClientPause } from './client-pause.ts'
import { type ConflictLog, describeSide } from './conflict-log.ts'
import { Context } from './context.ts'
import { ExpiryClock } from './expiry-clock.ts'
import type { Journal } from './journal.ts'
import { Keyspace } from './keyspace.ts'
import { Minter } from './minter.ts'
import { type CommandObserver, UNTIMED } from './observer.ts'
import { type Reminted, Reminter } from './reminter.ts'
import { StoredState } from './stored-state.ts'
import { WatchedKeys } from './watched-keys.ts'
import { KeyWrites } from './writes/key-writes.ts'

/** Above what `databases` may be set to: an op that names a higher one is not ours. */
const DATABASE_INDEX_MAX = 16383
/** How long the regions that do not own a due key's deadline leave its removal to the one that does. */
const EXPIRE_OWNER_HEADSTART_MS = 5000
/** Most bytes that a transaction may queue: its effects become one op, which has to fit a message to a peer. */
const QUEUE_BYTES_MAX = 512 * 1024 * 1024
const WORD_OVERHEAD_BYTES = 16
/** Due keys removed in one step; the rest wait for the next one. */
const EXPIRE_STEP_KEYS = 500
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
}

export class Engine implements ConflictSink, TransactionControl {
  readonly keyspace: Keyspace
  readonly membership = new Membership()
  readonly #state: StoredState
  /** What is applied here: live, changes in place. */
  readonly applied: VersionVector
  readonly clock: ExpiryClock
  /** What clients may do while the node is short of something: set by those who watch over it. */
  readonly admission = new Admission()
  readonly #minter: Minter
  readonly #reminter: Reminter
  readonly #table: CommandTable
  readonly #journal: Journal
  readonly #conflicts: ConflictLog
  readonly #ctx: Context
  readonly #at: OpPoint
  readonly #watched = new WatchedKeys()
  readonly #pause = new ClientPause()
  /** Who looks at commands as they run. */
  observer: CommandObserver | undefined = undefined
  /** What is being applied, for conflict events. */
  /** Commands run since the start, refused ones included. */
  commandCount = 0
  /** Of them, those that were answered with an error. */
  errorCount = 0
  /** Ops of other origins applied since the start. */
  receivedCount = 0
  /** Replaying the own log met ops that this region minted behind the end of their origins. */
  hasLateTail = false
  /** Due keys removed by this node since the start. */
  expiredCount = 0

  constructor(options: EngineOptions) {
    const { origins, origin, journal, services } = options
    this.#table = options.table
    this.#journal = journal
    this.#conflicts = options.conflicts
    this.keyspace = new Keyspace(origins, services.latin1)
    this.applied = new VersionVector(origins)
    this.#state = new StoredState(this.keyspace, this.membership, this.applied)
    this.clock = new ExpiryClock(options.wallMs)
    this.#at = new OpPoint(origin, this.applied, this)
    this.#minter = new Minter(
      origin,
      this.keyspace,
      this.membership,
      journal,
      this.applied,
      this.#at,
      this.clock,
      options.driftMaxMs,
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
    this.#minter.onEmptied = (db, key) => this.#state.reclaimer.note(db, key)
    const nobody = new Session(0, '', '', 0, true)
    this.#ctx = new Context(
      nobody,
      this.keyspace,
      this.#minter,
      writes,
      this.clock,
      services,
      options.table,
      this,
      this.#pause,
      options.random,
    )
  }

  /** CONFIG RESETSTAT. */
  resetStatistics(): void {
    this.commandCount = 0
    this.errorCount = 0
    this.expiredCount = 0
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

  /** Runs one command of a session; the reply is in `session.out` when it returns, or later if it blocks. */
  execute(session: Session, words: readonly string[]): void {
    const ctx = this.#ctx
    const mark = session.out.mark()
    const skipped = session.replyMode === 'skip-this'
    ctx.enter(session)
    session.lastActiveMs = this.clock.read()
    this.commandCount++
    try {
      this.#dispatch(session, words)
    } catch (error) {
      this.#answerError(session, mark, error)
    } finally {
      this.#minter.endOp()
    }
    if (session.replyMode !== 'on' && session.postponed === undefined)
      silence(session, skipped, () => session.out.rollback(mark))
  }

  /** A client's mistake takes the place of what the command had replied; anything else is ours, and thrown on. */
  #answerError(session: Session, mark: ReplyMark, error: unknown): void {
    const answer = isTooLongForString(error) ? errors.replyTooLong : error
    if (!(answer instanceof CommandError)) throw error
    this.errorCount++
    session.out.rollback(mark)
    session.out.error(answer.line)
  }

  #dispatch(session: Session, words: readonly string[]): void {
    const command = this.#findOrBreakQueue(session, words)
    session.lastCommand = command.name
    if (!session.authenticated && !command.flags.includes('no_auth')) throw errors.noAuth
    if (!this.admission.isOpen && !this.#admit(session, command, words)) return
    if (this.#pause.mode !== undefined && this.#mustWait(session, command)) {
      this.#pause.postpone(session, words)
      return
    }
    if (session.queue !== undefined && !RUN_WHILE_QUEUEING.has(command.name)) {
      this.#queue(session, session.queue, command, words)
      return
    }
    if (this.observer === undefined) command.run(this.#ctx, words)
    else this.#runObserved(this.observer, session, command, words, this.clock.nowMs)
  }

  #runObserved(
    observer: CommandObserver,
    session: Session,
    command: FoundCommand,
    words: readonly string[],
    nowMs: number,
  ): void {
    const began = observer.began(session, command, words, nowMs)
    if (began === UNTIMED) {
      command.run(this.#ctx, words)
      return
    }
    try {
      command.run(this.#ctx, words)
    } finally {
      observer.ended(session, command, words, began)
    }
  }

  /** @returns false when the command is held. @throws CommandError when it is refused: a transaction breaks by that */
  #admit(session: Session, command: FoundCommand, words: readonly string[]): boolean {
    const { admission } = this
    const isExec = command.name === 'exec'
    const queued = isExec ? (session.queue ?? []).map((one) => this.#table.find(one)) : []
    const refusal = admission.refusal(command, queued, session.queue !== undefined)
    if (refusal !== undefined) {
      if (isExec) throw this.#abort(session, refusal.line)
      if (session.queue !== undefined) session.queueBroken = true
      throw refusal
    }
    const isQueued = session.queue !== undefined && !RUN_WHILE_QUEUEING.has(command.name)
    if (isQueued || !admission.mustWait(command, queued)) return true
    admission.held.hold(session, words)
    return false
  }

  /** A pause holds the command up. In Redis it may hold up the one that ends it, too. */
  #mustWait(session: Session, { name, flags }: FoundCommand): boolean {
    if (this.#pause.mode === 'all') return name !== 'client|unpause'
    if (name !== 'exec') return flags.includes('write')
    return (session.queue ?? []).some((words) => this.#table.find(words).flags.includes('write'))
  }

  /** A command that cannot be queued makes the EXEC behind it fail. */
  #findOrBreakQueue(session: Session, words: readonly string[]): FoundCommand {
    try {
      return this.#table.find(words)
    } catch (error) {
      if (error instanceof CommandError && words[0]!.toLowerCase() === 'exec')
        throw this.#abort(session, error.line.slice('ERR '.length))
      if (session.queue !== undefined) session.queueBroken = true
      throw error
    }
  }

  /** An EXEC that is refused ends the transaction all the same. */
  #abort(session: Session, why: string): CommandError {
    session.queue = undefined
    session.queueBroken = false
    this.unwatch(session)
    return errors.execAbortBecause(why)
  }

  #queue(
    session: Session,
    queue: (readonly string[])[],
    command: FoundCommand,
    words: readonly string[],
  ): void {
    if (command.flags.includes('no_multi')) {
      session.queueBroken = true
      throw errors.notInsideMulti
    }
    if (queue.length === 0) session.queueBytes = 0
    session.queueBytes += bytesOf(words)
    if (session.queueBytes > QUEUE_BYTES_MAX) {
      session.queueBroken = true
      throw errors.transactionTooLarge
    }
    queue.push(words)
    session.out.simple('QUEUED')
  }

  watch(session: Session, db: number, key: string): void {
    session.watched.push({ db, key, existed: this.#ctx.entry(key, db) !== undefined })
    this.#watched.add(session, db, key)
    this.keyspace.onTouch = (touchedDb, touchedKey) => this.#watched.touched(touchedDb, touchedKey)
  }

  unwatch(session: Session): void {
    this.#watched.release(session)
    if (this.#watched.isEmpty) this.keyspace.onTouch = undefined
  }

  exec(session: Session): void {
    const ctx = this.#ctx
    const queue = session.queue ?? []
    const broken = session.queueBroken
    // A watched key that was there and is past its deadline now has changed too.
    const dirty =
      session.watchDirty ||
      session.watched.some(({ db, key, existed }) => existed && ctx.entry(key, db) === undefined)
    session.queue = undefined
    session.queueBroken = false
    this.unwatch(session)
    if (broken) throw errors.execAbort
    if (dirty) {
      session.out.nilArray()
      return
    }
    session.out.array(queue.length)
    ctx.inTransaction = true
    try {
      for (const words of queue) this.#runQueued(session, words)
    } finally {
      ctx.inTransaction = false
    }
  }

  #runQueued(session: Session, words: readonly string[]): void {
    const mark = session.out.mark()
    // SELECT inside the transaction moves the commands behind it.
    this.#ctx.enter(session)
    try {
      const command = this.#table.find(words)
      if (this.observer === undefined) command.run(this.#ctx, words)
      // The engine's own clock stands still during a transaction.
      else this.#runObserved(this.observer, session, command, words, this.clock.wallMs())
    } catch (error) {
      this.#answerError(session, mark, error)
    }
  }

  /** The client has gone. */
  release(session: Session): void {
    session.blocked?.cancel()
    session.blocked = undefined
    this.unwatch(session)
  }

  /** The turn of the event loop is over, or the rest of it is not about commands. */
  endTurn(): void {
    this.observer?.turnEnded()
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
    this.clock.read()
    this.receivedCount += this.#applyBatch(batch, false, this.membership.limitOf(batch.header.origin))
    this.#journal.received(record, batch.header)
  }

  /** Applies a record of the own log at start. @throws DecodeError */
  replay(batch: BatchReader): void {
    const { origin } = batch.header
    // What is in the log was taken, fenced or not: a fence may have been raised meanwhile.
    const end = this.membership.sealOf(origin)?.end ?? Number.POSITIVE_INFINITY
    this.#applyBatch(batch, origin.region === this.origin.region, end)
  }

  /**
   * @param end  the last op of its origin that may be applied under its dot
   * @returns how many of its ops were new
   */
  #applyBatch(batch: BatchReader, isOwn: boolean, end: number): number {
    let applied = 0
    const { origin, deps } = batch.header
    const ops = batch.ops()
    for (const op of ops) for (const effect of op.effects) checkDatabase(effect)
    const at = this.#at
    const limit = this.applied.get(origin) > 0 || this.membership.admits(origin, deps) ? end : 0
    if (isOwn && lastSeq(batch.header) > limit) this.hasLateTail = true
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
   * @returns how many keys and fields were looked at
   */
  reclaim(cut: VersionVector): number {
    // A walk shows each key as it was; it must not find some of them gone.
    if (this.keyspace.isWalked) return 0
    const due = this.#state.reclaimer.take(cut, this.applied, RECLAIM_STEP_KEYS)
    const isStable = (dot: Dot): boolean => dot.seq <= cut.get(dot.origin)
    for (const { db, key, field } of due) {
      this.keyspace.forget(db, key, (entry) => reclaimEntry(entry, field, isStable))
    }
    return due.length
  }

  /** Keys and fields that wait for the cut. */
  get reclaimPending(): number {
    return this.#state.reclaimer.pending
  }

  /** What was built aside takes the place of everything here. Between two turns: no batch is open. */
  adopt(aside: Aside): void {
    this.keyspace.become(aside.keyspace)
    this.#state.reclaimer = aside.reclaimer
    // Not a join: what lies behind the end of an origin counts no more.
    this.applied.become(aside.applied)
    this.#minter.witness(aside.hlc)
    this.membership.become(aside.membership, this.applied)
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

  /** Every op of the late tail has been looked at. */
  endRemint(): void {
    this.#reminter.end()
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

  /**
   * Mints the removal of keys that are due and that no member can still extend (algorithms.md, Expiry).
   * @param settledMs  every member has announced an expiry clock past this and its ops up to then are here
   * @param seenByAll  every member had applied the op of that deadline when it announced its clock: one that
   *   had not could still extend the key as it knew it
   * @returns how many keys went
   */
  removeDue(settledMs: number, seenByAll: (deadline: Dot) => boolean): number {
    let removed = 0
    if (this.#pause.mode !== undefined || this.refusal !== undefined) return removed
    const now = this.clock.read()
    for (const database of this.keyspace.databases()) {
      for (const key of [...database.dueKeys(now)]) {
        if (removed >= EXPIRE_STEP_KEYS) return removed
        const entry = database.get(key)
        const winner = entry instanceof KeyState ? winningDeadline(entry.deadlines) : undefined
        if (entry === undefined || winner === undefined) continue
        const headstart = winner.origin.region === this.origin.region ? 0 : EXPIRE_OWNER_HEADSTART_MS
        if (momentOf(winner) + headstart >= settledMs) continue
        if (!seenByAll(winner)) continue
        this.#minter.clear(database.index, key, entry)
        this.#minter.endOp()
        removed++
        this.expiredCount++
      }
    }
    return removed
  }
}

/** What queued words cost in an op or in memory, roughly. */
function bytesOf(words: readonly string[]): number {
  let bytes = 0
  for (const { length } of words) bytes += length + WORD_OVERHEAD_BYTES
  return bytes
}

/** What runs at once between MULTI and EXEC. */
const RUN_WHILE_QUEUEING: ReadonlySet<string> = new Set([
  'exec',
  'discard',
  'multi',
  'watch',
  'quit',
  'reset',
])

/** V8's own words: replies are gathered in one string, which ends 24 characters below 512 MiB. */
function isTooLongForString(error: unknown): boolean {
  return error instanceof RangeError && error.message === 'Invalid string length'
}

/** CLIENT REPLY OFF and SKIP: takes the reply back where the client asked for none. */
function silence(session: Session, skipped: boolean, takeBack: () => void): void {
  if (session.replyMode === 'off' || session.replyMode === 'skip-next' || skipped) takeBack()
  if (session.replyMode === 'skip-next') session.replyMode = 'skip-this'
  else if (skipped && session.replyMode === 'skip-this') session.replyMode = 'on'
}

function checkDatabase(effect: Effect): void {
  if (!isKeyEffect(effect) && effect.tag !== TAG.FLUSH) return
  const { db } = effect
  if (db > DATABASE_INDEX_MAX || (db < 0 && !(effect.tag === TAG.FLUSH && db === EVERY_DB))) {
    throw new DecodeError(`a database index out of range: ${db}`)
  }
}
