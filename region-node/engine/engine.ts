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
import { type BatchHeader, type BatchReader, lastSeq, type Op } from '../../crdt/codec/batch.ts'
import { DecodeError } from '../../crdt/codec/bytes.ts'
import { momentOf } from '../../crdt/deadline.ts'
import { type ConflictRule, type ConflictSink, type Dot, OpPoint } from '../../crdt/dot.ts'
import { TAG } from '../../crdt/effects/effect.ts'
import type { HorizonEffect } from '../../crdt/effects/horizon-effects.ts'
import { EVERY_DB, LIBRARY_DB } from '../../crdt/effects/key-effects.ts'
import { type Hlc, hlcWallMs } from '../../crdt/hlc.ts'
import type { KeyEntry } from '../../crdt/key.ts'
import type { IsCovered } from '../../crdt/list-fugue.ts'
import { Membership } from '../../crdt/membership.ts'
import type { Origin, OriginTable } from '../../crdt/origin.ts'
import { listWithMarkers, reclaimEntry } from '../../crdt/reclaim.ts'
import { type Effect, isKeyEffect } from '../../crdt/registry.ts'
import { VersionVector } from '../../crdt/version-vector.ts'
import type { ChannelKind } from '../../sync/publication.ts'
import type { AccessControl } from '../acl/access-control.ts'
import type { User } from '../acl/user.ts'
import { requestOf } from '../commands/access.ts'
import { clientLine } from '../commands/client-line.ts'
import type { TransactionControl } from '../commands/command.ts'
import type { Services } from '../commands/services.ts'
import { Session } from '../commands/session.ts'
import type { CommandTable, FoundCommand } from '../commands/table.ts'
import { CommandError, errors } from '../errors.ts'
import type { ReplyMark } from '../resp/reply.ts'
import { ScriptRunner } from '../scripts/runner.ts'
import { Admission } from './admission.ts'
import type { Aside } from './aside.ts'
import { Audience } from './audience.ts'
import { ClientPause } from './client-pause.ts'
import { type ConflictLog, describeSide } from './conflict-log.ts'
import { Context } from './context.ts'
import { DueRemovals } from './due-removals.ts'
import { Eviction, type EvictionPolicy, type EvictionSettings } from './eviction.ts'
import { ExpiryClock } from './expiry-clock.ts'
import { GroupReaders } from './group-readers.ts'
import type { Journal } from './journal.ts'
import { keyBytes } from './key-memory.ts'
import { KeyWaits } from './key-waits.ts'
import { Keyspace } from './keyspace.ts'
import { Minter } from './minter.ts'
import { type CommandObserver, UNTIMED } from './observer.ts'
import { type Reminted, Reminter } from './reminter.ts'
import { StoredState } from './stored-state.ts'
import { type AccessClock, LastUse, UseCount } from './table/access.ts'
import { WatchedKeys } from './watched-keys.ts'
import { KeyWrites } from './writes/key-writes.ts'

/** Most bytes that a transaction may queue: its effects become one op, which has to fit a message to a peer. */
const QUEUE_BYTES_MAX = 512 * 1024 * 1024
const WORD_OVERHEAD_BYTES = 16
/** Keys evicted in one step at most, and which part of all: what is used may be something else than keys. */
const EVICT_STEP_KEYS = 1000
const EVICT_STEP_SHARE = 1 / 20
/** Elements looked at to tell how large a key is. */
const EVICT_SAMPLES = 5
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
  readonly #dueRemovals: DueRemovals
  readonly #table: CommandTable
  readonly #journal: Journal
  readonly #conflicts: ConflictLog
  readonly #ctx: Context
  readonly #at: OpPoint
  readonly #watched = new WatchedKeys()
  readonly #waits: KeyWaits
  /** Kept while a snapshot is adopted. */
  #readers: GroupReaders | undefined = undefined
  readonly #services: Services
  readonly #pause = new ClientPause()
  readonly #access: AccessControl
  readonly #eviction: Eviction
  readonly #evictionSettings: EvictionSettings
  readonly #random: () => number
  /** Who hears of what happens beside the replies. */
  readonly audience: Audience
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
  /** Markers of lists lie below the cut, and this node has not announced that it knows. */
  awaitsAnnouncement = false
  /**
   * A seal came that lies before what was applied of its origin here: a folder that was put back holds ops that
   * were lost everywhere else. None of them can be taken back alone, so nothing that has seen the seal is taken
   * before the node is rebuilt.
   */
  isBeyondEnd = false
  /** Due keys removed by this node since the start. */
  expiredCount = 0
  /** Keys evicted by this node since the start. */
  evictedCount = 0

  constructor(options: EngineOptions) {
    const { origins, origin, journal, services } = options
    this.#table = options.table
    this.#journal = journal
    this.#conflicts = options.conflicts
    this.#access = options.access
    this.#random = options.random
    this.#evictionSettings = options.eviction
    this.keyspace = new Keyspace(origins, services.latin1)
    this.#eviction = new Eviction(this.keyspace, options.random, options.eviction)
    this.applied = new VersionVector(origins)
    this.#state = new StoredState(this.keyspace, this.membership, this.applied, origin.region)
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
    this.#dueRemovals = new DueRemovals(this.keyspace, this.#minter, () => {
      if (this.audience.isOn) this.audience.ended()
      this.#minter.endOp()
    })
    this.#minter.onEmptied = (db, key, field) => this.#state.reclaimer.note(db, key, field)
    this.#services = services
    this.#waits = new KeyWaits({
      after: (delayMs, task) => services.after(delayMs, task),
      typeOf: (db, key) => this.#ctx.state(key, db)?.type,
      mayRun: (words) => this.refusal === undefined || !this.#table.find(words).flags.includes('write'),
      run: (session, words, isSilent) => this.#runAgain(session, words, isSilent),
      changed: () => this.#listen(),
    })
    this.audience = new Audience(this.keyspace, () => this.clock.nowMs, options.trackedKeysMax)
    this.#ctx = new Context({
      nobody: new Session(0, '', '', 0),
      keyspace: this.keyspace,
      minter: this.#minter,
      writes,
      clock: this.clock,
      services,
      commands: options.table,
      transaction: this,
      pause: this.#pause,
      scripts: this.#scriptRunner(),
      access: options.access,
      audience: this.audience,
      random: options.random,
      waits: this.#waits,
    })
  }

  #scriptRunner(): ScriptRunner {
    const lineOf = (session: Session) => (): string => this.#lineOf(session)
    return new ScriptRunner({
      keyspace: this.keyspace,
      services: this.#services,
      admission: this.admission,
      stage: () => this.#ctx,
      find: (words) => this.#table.find(words),
      refusal: (session, command, words) =>
        session.user === undefined
          ? undefined
          : this.#access.refusal(session.user, requestOf(command, words), 'lua', lineOf(session)),
      mayRun: ({ user }, command, words) => user?.denies(requestOf(command, words)) === undefined,
      run: (session, client, command, words) => this.#runCalled(session, client, command, words),
    })
  }

  /** CONFIG RESETSTAT. */
  resetStatistics(): void {
    this.commandCount = 0
    this.errorCount = 0
    this.expiredCount = 0
    this.evictedCount = 0
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
    this.keyspace.hideDueFields(session.lastActiveMs)
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
    if (this.#waits.hasReady) this.#waits.serve()
    if (this.audience.isDue) this.audience.handOut()
  }

  /** The same for a command whose client waits for keys, one of which has changed: see `key-waits.ts`. */
  #runAgain(session: Session, words: readonly string[], isSilent: boolean): void {
    const ctx = this.#ctx
    const mark = session.out.mark()
    ctx.enter(session)
    try {
      const command = this.#table.find(words)
      if (!this.#isLetIn(session, command, words)) return
      this.#run(session, command, words, this.clock.nowMs)
    } catch (error) {
      this.#answerError(session, mark, error)
    } finally {
      this.#minter.endOp()
    }
    if (isSilent) session.out.rollback(mark)
  }

  /** Tries what clients wait for whose keys have changed outside of a command and a record. */
  #serveWaiting(): void {
    if (!this.#waits.hasReady) return
    this.clock.read()
    this.#waits.serve()
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
    const { user } = session
    if (user === undefined) {
      if (!command.flags.includes('no_auth')) throw errors.noAuth
    } else if (!user.isUnrestricted) {
      this.#checkAccess(session, user, command, words)
    }
    if (session.subscriptions > 0 && session.out.protocol === 2 && !MAY_SUBSCRIBER.has(command.name))
      throw errors.onlySubscriber(command.name)
    if (!this.#isLetIn(session, command, words)) return
    if (session.queue !== undefined && !RUN_WHILE_QUEUEING.has(command.name)) {
      this.#queue(session, session.queue, command, words)
      return
    }
    this.#run(session, command, words, this.clock.nowMs)
  }

  /** Runs a command, whoever looks at it or hears of it. @param nowMs  the engine's clock, read a moment ago */
  #run(session: Session, command: FoundCommand, words: readonly string[], nowMs: number): void {
    const isUse = this.keyspace.uses === undefined || !(session.noTouch || LOOKS_ONLY.has(command.name))
    if (!isUse) this.keyspace.unused(() => this.#runTouching(session, command, words, nowMs))
    else this.#runTouching(session, command, words, nowMs)
  }

  /** The keys that are looked up are used. */
  #runTouching(session: Session, command: FoundCommand, words: readonly string[], nowMs: number): void {
    if (this.audience.isOn) this.#runHeard(session, command, words, nowMs)
    else if (this.observer === undefined) command.run(this.#ctx, words)
    else this.#runObserved(this.observer, session, command, words, nowMs)
  }

  #runHeard(session: Session, command: FoundCommand, words: readonly string[], nowMs: number): void {
    const { audience } = this
    audience.began(session, command.name, words)
    try {
      if (this.observer === undefined) command.run(this.#ctx, words)
      else this.#runObserved(this.observer, session, command, words, nowMs)
      audience.read(session, command, words, (key) => this.#ctx.entry(key) !== undefined)
    } finally {
      audience.ended()
    }
    const { tracking } = session
    // It is meant for the next command, or for the transaction that is being queued.
    if (tracking?.caching === undefined || command.name === 'client|caching') return
    if (session.queue === undefined && !this.#ctx.inTransaction) tracking.caching = undefined
  }

  /** Runs a command that a script calls: to those who listen its client did it. */
  #runCalled(session: Session, client: Session, command: FoundCommand, words: readonly string[]): void {
    const { audience } = this
    this.observer?.called(session, command, words)
    if (!audience.isOn) {
      command.run(this.#ctx, words)
      return
    }
    audience.began(client, command.name, words)
    try {
      command.run(this.#ctx, words)
      audience.read(client, command, words, (key) => this.#ctx.entry(key) !== undefined)
    } finally {
      audience.ended()
    }
  }

  /** @throws CommandError when the user may not do that: a transaction breaks by it */
  #checkAccess(session: Session, user: User, command: FoundCommand, words: readonly string[]): void {
    if (command.flags.includes('no_auth')) return
    const context = session.queue === undefined ? 'toplevel' : 'multi'
    const refusal = this.#access.refusal(user, requestOf(command, words), context, () =>
      this.#lineOf(session),
    )
    if (refusal === undefined) return
    if (command.name === 'exec') throw this.#abort(session, refusal.line)
    if (session.queue !== undefined) session.queueBroken = true
    throw refusal
  }

  #lineOf(session: Session): string {
    return clientLine(session, this.audience.channels, this.clock.wallMs())
  }

  /** @returns false when the command has to wait. @throws CommandError when it is refused */
  #isLetIn(session: Session, command: FoundCommand, words: readonly string[]): boolean {
    if (!this.admission.isOpen && !this.#admit(session, command, words)) return false
    if (this.#pause.mode === undefined || !this.#mustWait(session, command)) return true
    this.#pause.postpone(session, words)
    return false
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
    if (name !== 'exec') return mayWrite(name, flags)
    return (session.queue ?? []).some((words) => {
      const queued = this.#table.find(words)
      return mayWrite(queued.name, queued.flags)
    })
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
    this.#listen()
  }

  unwatch(session: Session): void {
    this.#watched.release(session)
    this.#listen()
  }

  /** @param isChange  a read of the value may answer otherwise now: who WATCHes it has to know */
  readonly #touched = (db: number, key: string | undefined, isChange: boolean): void => {
    if (isChange) this.#watched.touched(db, key)
    this.#waits.touched(db, key)
  }

  /** Effects are told of only while somebody WATCHes a key or waits for one. */
  #listen(): void {
    this.keyspace.onTouch = this.#watched.isEmpty && this.#waits.isEmpty ? undefined : this.#touched
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
      const { user } = session
      if (user?.isUnrestricted === false) {
        const refusal = this.#access.refusal(user, requestOf(command, words), 'multi', () =>
          this.#lineOf(session),
        )
        if (refusal !== undefined) throw errors.accessChanged(refusal.line)
      }
      // The engine's own clock stands still during a transaction.
      const nowMs = this.observer === undefined ? this.clock.nowMs : this.clock.wallMs()
      this.#run(session, command, words, nowMs)
    } catch (error) {
      this.#answerError(session, mark, error)
    }
  }

  /** The client has gone. */
  release(session: Session): void {
    session.blocked?.cancel()
    session.blocked = undefined
    this.unwatch(session)
    this.audience.release(session)
  }

  /** Clients of another region published this. */
  published(kind: ChannelKind, channel: string, message: string): void {
    const { channels } = this.audience
    channels.tell(kind, channel, message)
    channels.handOut()
  }

  /** The turn of the event loop is over, or the rest of it is not about commands. */
  endTurn(): void {
    this.observer?.turnEnded()
    if (this.audience.isOn) this.audience.tracking.turnEnded()
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
      this.isBeyondEnd = true
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
    if (this.#waits.hasReady) this.#waits.serve()
    if (this.audience.isDue) this.audience.handOut()
  }

  #endsBeforeApplied(ops: readonly Op[]): boolean {
    for (const { effects } of ops) {
      for (const effect of effects)
        if (effect.tag === TAG.SEAL && effect.end < this.applied.get(effect.origin)) return true
    }
    return false
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
      if (this.audience.isOn) this.audience.ended()
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
    this.isBeyondEnd = false
    this.#minter.witness(aside.hlc)
    this.membership.become(aside.membership, this.applied)
    if (this.audience.isOn) this.audience.replaced()
    this.#serveLater()
  }

  /** Not at once: who makes the change of which clients are to profit is not done yet. */
  #serveLater(): void {
    if (this.#waits.hasReady) this.#services.after(0, () => this.#serveWaiting())
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
    if (refusal === undefined) this.#serveLater()
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
    this.#serveLater()
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
   * Evicts keys of about `bytes`, as one op, in one step of those it may take.
   * @returns about how many bytes went; 0 when the policy, or something else, lets none go
   */
  evict(bytes: number): number {
    if (this.#pause.mode !== undefined || this.refusal !== undefined) return 0
    const nobody = this.#ctx.session
    let freed = 0
    this.clock.read()
    this.audience.began(undefined, EVICTION, [])
    for (let left = this.#evictStep; left > 0 && freed < bytes; left--) {
      const victim = this.#eviction.next()
      if (victim === undefined) break
      const { db, key, entry } = victim
      freed += this.keyspace.db(db).packedBytes(key) ?? keyBytes(key, entry, EVICT_SAMPLES)
      this.#minter.clear(db, key, entry)
      this.evictedCount++
    }
    this.audience.ended()
    this.#minter.endOp()
    this.#ctx.enter(nobody)
    if (this.audience.isDue) this.audience.handOut()
    return freed
  }

  get #evictStep(): number {
    let keys = 0
    for (const { size } of this.keyspace.databases()) keys += size
    return Math.min(EVICT_STEP_KEYS, Math.ceil(keys * EVICT_STEP_SHARE))
  }

  /** `maxmemory-policy` has changed: what was written down of uses meant something else. */
  policyChanged(): void {
    this.keyspace.recordUses(this.#usesOf(this.#evictionSettings.policy()))
    this.#eviction.forget()
  }

  #usesOf(policy: EvictionPolicy): AccessClock | undefined {
    if (policy.endsWith('lru')) return new LastUse(() => this.clock.nowMs)
    if (!policy.endsWith('lfu')) return undefined
    return new UseCount(() => this.clock.nowMs, this.#random, this.#evictionSettings.useCount)
  }

  /**
   * Mints the removal of keys that are due and that no member can still extend (algorithms.md, Expiry).
   * @param settledMs  every member has announced an expiry clock past this and its ops up to then are here
   * @param seenByAll  every member had applied the op of that deadline when it announced its clock: one that
   *   had not could still extend the key as it knew it
   * @returns how many keys and fields went
   */
  removeDue(settledMs: number, seenByAll: (deadline: Dot) => boolean): number {
    if (this.#pause.mode !== undefined || this.refusal !== undefined) return 0
    const removed = this.#dueRemovals.remove({ nowMs: this.clock.read(), settledMs, seenByAll })
    this.expiredCount += removed.keys
    if (this.#waits.hasReady) this.#waits.serve()
    if (this.audience.isDue) this.audience.handOut()
    return removed.keys + removed.fields
  }
}

function coveredBy(vector: VersionVector | undefined): IsCovered {
  return (originIndex, seq) =>
    vector !== undefined && originIndex < vector.length && seq <= vector.at(originIndex)
}

/** What queued words cost in an op or in memory, roughly. */
function bytesOf(words: readonly string[]): number {
  let bytes = 0
  for (const { length } of words) bytes += length + WORD_OVERHEAD_BYTES
  return bytes
}

/** What a client that listens to channels may ask for in RESP2, where messages and replies look alike. */
const MAY_SUBSCRIBER: ReadonlySet<string> = new Set([
  'subscribe',
  'unsubscribe',
  'psubscribe',
  'punsubscribe',
  'ssubscribe',
  'sunsubscribe',
  'ping',
  'quit',
  'reset',
])

/** Whether these write is known only when they do. */
const SCRIPTS: ReadonlySet<string> = new Set(['eval', 'evalsha', 'fcall'])

function mayWrite(name: string, flags: readonly string[]): boolean {
  return flags.includes('write') || SCRIPTS.has(name)
}

/** Commands that look at a key without using it: it is evicted no later for that. */
const LOOKS_ONLY: ReadonlySet<string> = new Set([
  'exists',
  'type',
  'ttl',
  'pttl',
  'expiretime',
  'pexpiretime',
  'object|encoding',
  'object|freq',
  'object|idletime',
  'object|refcount',
  'memory|usage',
])

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
  // LIBRARY_DB lies above what `databases` may be set to: an op that names a higher one is not ours.
  if (db > LIBRARY_DB || (db < 0 && !(effect.tag === TAG.FLUSH && db === EVERY_DB))) {
    throw new DecodeError(`a database index out of range: ${db}`)
  }
}
