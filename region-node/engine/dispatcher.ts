/**
 * dispatcher.ts: the road of a command: found, let in, queued or run, and answered.
 *
 *   words → look up → may the user, is it here, may anybody now → queue or run ─→ reply
 *                                                                   └─→ effects, by `minter`
 *
 * What a command writes becomes one op, ended when the command is over; then clients that wait for a key it has
 * changed have their turn, each with an op of its own, and those are told who listen.
 *
 * Invariants: (1) whatever happens inside a command, its op is ended before anything else runs. (2) A command is
 * run with all that concerns it, or not at all: looked at by the observer, heard by the audience.
 * Source: processCommand and call in server.c of Redis 7.2, in their order.
 */
import type { AccessControl } from '../acl/access-control.ts'
import type { User } from '../acl/user.ts'
import { redirect } from '../cluster/redirect.ts'
import { partitionOf, type Topology } from '../cluster/topology.ts'
import { requestOf } from '../commands/access.ts'
import { clientLine } from '../commands/client-line.ts'
import type { TransactionControl, Writes } from '../commands/command.ts'
import type { Services } from '../commands/services.ts'
import { Session } from '../commands/session.ts'
import type { CommandTable, FoundCommand } from '../commands/table.ts'
import { CommandError, errors } from '../errors.ts'
import type { ReplyMark } from '../resp/reply.ts'
import { ScriptRunner } from '../scripts/runner.ts'
import { Admission } from './admission.ts'
import { Audience } from './audience.ts'
import { ClientPause } from './client-pause.ts'
import { Context } from './context.ts'
import type { ExpiryClock } from './expiry-clock.ts'
import { KeyWaits } from './key-waits.ts'
import type { Keyspace } from './keyspace.ts'
import type { Minter } from './minter.ts'
import { type CommandObserver, UNTIMED } from './observer.ts'
import { slotOf } from './slot.ts'
import { WatchedKeys } from './watched-keys.ts'

/** Most bytes that a transaction may queue: its effects become one op, which has to fit a message to a peer. */
const QUEUE_BYTES_MAX = 512 * 1024 * 1024
const WORD_OVERHEAD_BYTES = 16

export interface DispatcherParts {
  readonly table: CommandTable
  readonly keyspace: Keyspace
  readonly minter: Minter
  readonly writes: Writes
  readonly clock: ExpiryClock
  readonly services: Services
  readonly access: AccessControl
  /** A random number in [0, 1). */
  readonly random: () => number
  /** `tracking-table-max-keys` */
  readonly trackedKeysMax: () => number
}

export class Dispatcher implements TransactionControl {
  readonly #table: CommandTable
  readonly #keyspace: Keyspace
  readonly #minter: Minter
  readonly #clock: ExpiryClock
  readonly #services: Services
  readonly #access: AccessControl
  readonly #ctx: Context
  readonly #watched = new WatchedKeys()
  readonly #waits: KeyWaits
  readonly pause = new ClientPause()
  /** What clients may do while the node is short of something: set by those who watch over it. */
  readonly admission = new Admission()
  /** Who hears of what happens beside the replies. */
  readonly audience: Audience
  /** Who looks at commands as they run. */
  observer: CommandObserver | undefined = undefined
  /** Commands run since the start, refused ones included. */
  commandCount = 0
  /** Of them, those that were answered with an error. */
  errorCount = 0

  constructor(parts: DispatcherParts) {
    const { table, keyspace, minter, clock, services, access } = parts
    this.#table = table
    this.#keyspace = keyspace
    this.#minter = minter
    this.#clock = clock
    this.#services = services
    this.#access = access
    this.#waits = new KeyWaits({
      after: (delayMs, task) => services.after(delayMs, task),
      typeOf: (db, key) => this.#ctx.state(key, db)?.type,
      mayRun: (words) => minter.refusal === undefined || !table.find(words).flags.includes('write'),
      run: (session, words, isSilent) => this.#runAgain(session, words, isSilent),
      changed: () => this.#listen(),
    })
    this.audience = new Audience(keyspace, () => clock.nowMs, parts.trackedKeysMax)
    this.#ctx = new Context({
      nobody: new Session(0, '', '', 0),
      keyspace,
      minter,
      writes: parts.writes,
      clock,
      services,
      commands: table,
      transaction: this,
      pause: this.pause,
      scripts: this.#scriptRunner(),
      access,
      audience: this.audience,
      random: parts.random,
      waits: this.#waits,
    })
  }

  /** Runs one command of a session; the reply is in `session.out` when it returns, or later if it blocks. */
  execute(session: Session, words: readonly string[]): void {
    const ctx = this.#ctx
    const mark = session.out.mark()
    const skipped = session.replyMode === 'skip-this'
    ctx.enter(session)
    session.lastActiveMs = this.#clock.read()
    this.#keyspace.hideDueFields(session.lastActiveMs)
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
    this.settle()
  }

  /** The same for a command whose client waits for keys, one of which has changed: see `key-waits.ts`. */
  #runAgain(session: Session, words: readonly string[], isSilent: boolean): void {
    const ctx = this.#ctx
    const mark = session.out.mark()
    ctx.enter(session)
    try {
      const command = this.#table.find(words)
      if (!this.#isLetIn(session, command, words)) return
      this.#run(session, command, words, this.#clock.nowMs)
    } catch (error) {
      this.#answerError(session, mark, error)
    } finally {
      this.#minter.endOp()
    }
    if (isSilent) session.out.rollback(mark)
  }

  /** Tries what clients wait for whose keys have changed outside of a command and a record. */
  serveWaiting(): void {
    if (!this.#waits.hasReady) return
    this.#clock.read()
    this.#waits.serve()
  }

  /** Whoever waits with a command that writes waits in vain. */
  endWritingWaits(error: CommandError): void {
    this.#waits.review((_, words) => (this.#table.find(words).flags.includes('write') ? error : undefined))
  }

  /** Not at once: who makes the change of which clients are to profit is not done yet. */
  serveLater(): void {
    if (this.#waits.hasReady) this.#services.after(0, () => this.serveWaiting())
  }

  /** What was done is over, by whomever: clients that wait for it are served, and those told who listen. */
  settle(): void {
    if (this.#waits.hasReady) this.#waits.serve()
    if (this.audience.isDue) this.audience.handOut()
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
    const { topology } = this.#services
    if (topology !== undefined && !this.#isInPlace(topology, session, command, words)) return
    if (session.subscriptions > 0 && session.out.protocol === 2 && !MAY_SUBSCRIBER.has(command.name))
      throw errors.onlySubscriber(command.name)
    if (!this.#isLetIn(session, command, words)) return
    if (session.queue !== undefined && !RUN_WHILE_QUEUEING.has(command.name)) {
      this.#queue(session, session.queue, command, words)
      return
    }
    this.#run(session, command, words, this.#clock.nowMs)
  }

  /** Runs a command, whoever looks at it or hears of it. @param nowMs  the engine's clock, read a moment ago */
  #run(session: Session, command: FoundCommand, words: readonly string[], nowMs: number): void {
    const isUse = this.#keyspace.uses === undefined || !(session.noTouch || LOOKS_ONLY.has(command.name))
    if (!isUse) this.#keyspace.unused(() => this.#runTouching(session, command, words, nowMs))
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

  /**
   * @returns false when the command has to wait until it is known who is primary: a hand-over is under way
   * @throws CommandError when the command is for another node: a transaction breaks by it
   */
  #isInPlace(topology: Topology, session: Session, command: FoundCommand, words: readonly string[]): boolean {
    const isExec = command.name === 'exec'
    // The cluster may have changed since they were queued.
    const refusal =
      isExec && session.queue !== undefined
        ? this.#placeOfQueue(topology, session, session.queue)
        : redirect(topology, command, words, session)
    if (refusal === undefined) return true
    if (refusal === errors.slotNotServed && topology.isOpen && this.pause.mode !== undefined) {
      this.pause.postpone(session, words)
      return false
    }
    if (isExec) this.#discard(session)
    else if (session.queue !== undefined) session.queueBroken = true
    throw refusal
  }

  #placeOfQueue(
    topology: Topology,
    session: Session,
    queue: readonly (readonly string[])[],
  ): CommandError | undefined {
    for (const words of queue) {
      const refusal = redirect(topology, this.#table.find(words), words, session)
      if (refusal !== undefined) return refusal
    }
    return undefined
  }

  /** Clients that wait for what is served elsewhere from now on are sent there. */
  topologyChanged(topology: Topology): void {
    this.#waits.review((session, words) => redirect(topology, this.#table.find(words), words, session))
    const { self, partitions } = topology
    this.audience.channels.dismiss((name) => partitionOf(slotOf(name), partitions) !== self.partition)
  }

  #lineOf(session: Session): string {
    return clientLine(session, this.audience.channels, this.#clock.wallMs())
  }

  /** @returns false when the command has to wait. @throws CommandError when it is refused */
  #isLetIn(session: Session, command: FoundCommand, words: readonly string[]): boolean {
    if (!this.admission.isOpen && !this.#admit(session, command, words)) return false
    if (this.pause.mode === undefined || !this.#mustWait(session, command)) return true
    this.pause.postpone(session, words)
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
    if (this.pause.mode === 'all') return name !== 'client|unpause'
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
    this.#discard(session)
    return errors.execAbortBecause(why)
  }

  #discard(session: Session): void {
    session.queue = undefined
    session.queueBroken = false
    this.unwatch(session)
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
    if (key === undefined) this.#watched.flushed(db)
    else if (isChange) this.#watched.touched(db, key, this.#ctx.entry(key, db) !== undefined)
    this.#waits.touched(db, key)
  }

  /** Effects are told of only while somebody WATCHes a key or waits for one. */
  #listen(): void {
    this.#keyspace.onTouch = this.#watched.isEmpty && this.#waits.isEmpty ? undefined : this.#touched
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
      const nowMs = this.observer === undefined ? this.#clock.nowMs : this.#clock.wallMs()
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

  #scriptRunner(): ScriptRunner {
    const lineOf = (session: Session) => (): string => this.#lineOf(session)
    return new ScriptRunner({
      keyspace: this.#keyspace,
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

  /** Clients go with their user, and subscribers with the right to their channels. */
  userChanged(sessions: Iterable<Session>, user: User, isGone: boolean): void {
    for (const session of sessions) {
      if (session.user !== user) continue
      if (!isGone && this.audience.mayStay(session, user)) continue
      session.closing = true
      session.resume()
    }
  }

  /** The turn of the event loop is over, or the rest of it is not about commands. */
  endTurn(): void {
    this.observer?.turnEnded()
    if (this.audience.isOn) this.audience.tracking.turnEnded()
  }
}

/** What queued words cost in an op or in memory, roughly. */
function bytesOf(words: readonly string[]): number {
  let bytes = 0
  for (const { length } of words) bytes += length + WORD_OVERHEAD_BYTES
  return bytes
}

/** What a client that listens to channels may ask for in RESP2, where messages and replies look alike. */
export const MAY_SUBSCRIBER: ReadonlySet<string> = new Set([
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
