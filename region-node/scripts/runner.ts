/**
 * runner.ts: runs scripts and functions for a client, and the commands that they call.
 *
 *   EVAL → runner → host (Lua) ─ redis.call ─→ runner → look up → check → run
 *
 * The commands of a script run as those of a transaction do: they answer at once, and their effects are one op
 * with that of the EVAL or EXEC around them. What was written before a script fails stays written, as in Redis.
 * Each has a session of its own: a SELECT inside is over with the script.
 *
 * A script that has run longer than `busy-reply-threshold` and has written nothing is ended when it calls the
 * next command: in Redis that is when SCRIPT KILL can end it, and here nobody is heard while it runs. One that
 * has written may go on.
 *
 * Source: scriptPrepareForRun and scriptCall in script.c of Redis 7.2, in their order.
 */
import { isInReach } from '../cluster/redirect.ts'
import type { Services } from '../commands/services.ts'
import { Session } from '../commands/session.ts'
import type { FoundCommand } from '../commands/table.ts'
import type { Admission } from '../engine/admission.ts'
import type { Keyspace } from '../engine/keyspace.ts'
import { CommandError, errors } from '../errors.ts'
import { FunctionLibraries } from './libraries.ts'
import type { Script, ScriptCalls, ScriptFlag } from './port.ts'
import { ScriptCache } from './script-cache.ts'

/** The engine's context, as far as it is moved from the client to the script and back. */
export interface ScriptStage {
  readonly session: Session
  inTransaction: boolean
  enter(session: Session): void
}

/** What the runner asks of the engine. */
export interface ScriptPorts {
  readonly keyspace: Keyspace
  readonly services: Services
  readonly admission: Admission
  readonly stage: () => ScriptStage
  /** @throws CommandError when there is no such command, or the number of words is wrong */
  find(words: readonly string[]): FoundCommand
  /** Why the session's user may not run that, logged as a refusal; undefined when it may. */
  refusal(session: Session, command: FoundCommand, words: readonly string[]): CommandError | undefined
  /** The same as a question only. */
  mayRun(session: Session, command: FoundCommand, words: readonly string[]): boolean
  /** Runs a command in the script's session, for the client's. */
  run(session: Session, client: Session, command: FoundCommand, words: readonly string[]): void
}

/** How often a script is asked for how long it has run: every so many calls. */
const CALLS_PER_LOOK = 64

export class ScriptRunner implements ScriptCalls {
  readonly cache = new ScriptCache()
  readonly libraries: FunctionLibraries
  readonly #ports: ScriptPorts
  #session: Session | undefined = undefined
  /** Whose script runs. */
  #client: Session | undefined = undefined
  #isReadOnly = false
  #deniesMemory = false
  #hasWritten = false
  #callsLeft = CALLS_PER_LOOK
  #beganMs = 0

  constructor(ports: ScriptPorts) {
    const { keyspace, services } = ports
    this.#ports = ports
    this.libraries = new FunctionLibraries(
      keyspace,
      () => services.scripts,
      () => services.scriptLimitMs,
    )
  }

  /** SCRIPT FLUSH. Functions are loaded again when they are called. */
  flush(): void {
    this.cache.clear()
    this.#ports.services.scripts.reset()
  }

  /** @throws CommandError when it does not compile */
  take(text: string): Script {
    const script = this.cache.take(text, this.#ports.services.scripts)
    if (typeof script === 'string') throw errors.scriptCompile(script)
    return script
  }

  /**
   * Runs a script and writes its reply.
   * @param readOnly  EVAL_RO and EVALSHA_RO
   * @throws CommandError when it must not run now
   */
  run(script: Script, keys: readonly string[], args: readonly string[], readOnly: boolean): void {
    const { scripts, scriptLimitMs } = this.#ports.services
    this.#begin(script.flags, readOnly)
    const client = this.#ports.stage().session
    this.#inside(client, () => scripts.run(script, keys, args, this, scriptLimitMs, client.out))
  }

  /** Runs a function. @throws CommandError when there is none of that name, or it must not run now */
  runFunction(name: string, keys: readonly string[], args: readonly string[], readOnly: boolean): void {
    const { scripts, scriptLimitMs } = this.#ports.services
    const found = this.libraries.find(name)
    if (found === undefined) throw errors.noFunction
    const { library, flags } = found
    this.#begin(flags, readOnly)
    const client = this.#ports.stage().session
    this.#inside(client, () =>
      scripts.runFunction(library, found.name, keys, args, this, scriptLimitMs, client.out),
    )
  }

  /** @param flags  undefined for a script without a shebang, which may do anything */
  #begin(flags: readonly ScriptFlag[] | undefined, readOnly: boolean): void {
    const writesNothing = flags?.includes('no-writes') === true
    const isShort = this.#ports.admission.has('memory')
    if (flags !== undefined && !writesNothing) {
      if (readOnly) throw errors.scriptMayWrite
      if (isShort && !flags.includes('allow-oom')) throw errors.scriptOutOfMemory
    }
    this.#isReadOnly = readOnly || writesNothing
    this.#deniesMemory = isShort && flags?.includes('allow-oom') !== true
    this.#hasWritten = false
    this.#callsLeft = CALLS_PER_LOOK
    this.#beganMs = this.#ports.services.wallMs()
  }

  #inside(client: Session, run: () => void): void {
    const stage = this.#ports.stage()
    const wasInside = stage.inTransaction
    const session = this.#sessionFor(client)
    this.#client = client
    stage.inTransaction = true
    stage.enter(session)
    try {
      run()
    } finally {
      this.#client = undefined
      stage.inTransaction = wasInside
      stage.enter(client)
    }
  }

  #sessionFor({ db, name, user, readsReplicas }: Session): Session {
    this.#session ??= new Session(0, 'lua', '', 0, user, this.#ports.services.scripts.values)
    const session = this.#session
    session.db = db
    session.name = name
    session.user = user
    session.readsReplicas = readsReplicas
    return session
  }

  call(words: readonly string[]): boolean {
    if (--this.#callsLeft === 0 && this.#isOverdue()) return false
    const stage = this.#ports.stage()
    const session = stage.session
    const mark = session.out.mark()
    try {
      const command = this.#commandFor(session, words)
      // A SELECT moves the commands behind it.
      stage.enter(session)
      this.#ports.run(session, this.#client ?? session, command, words)
    } catch (error) {
      if (!(error instanceof CommandError)) throw error
      session.out.rollback(mark)
      session.out.error(error.line)
    }
    return true
  }

  mayRun(words: readonly string[]): boolean | undefined {
    try {
      return this.#ports.mayRun(this.#ports.stage().session, this.#ports.find(words), words)
    } catch (error) {
      if (!(error instanceof CommandError)) throw error
      return undefined
    }
  }

  #isOverdue(): boolean {
    this.#callsLeft = CALLS_PER_LOOK
    const limitMs = this.#ports.services.scriptLimitMs
    return limitMs > 0 && !this.#hasWritten && this.#ports.services.wallMs() - this.#beganMs > limitMs
  }

  #commandFor(session: Session, words: readonly string[]): FoundCommand {
    const command = this.#find(words)
    const { flags } = command
    if (flags.includes('noscript')) throw errors.notFromScript
    if (session.user?.isUnrestricted === false) this.#checkAccess(session, command, words)
    if (flags.includes('write')) {
      if (this.#isReadOnly) throw errors.scriptWrites
      // The first of a script's writes may be refused; what comes behind it belongs to it.
      if (this.#deniesMemory && !this.#hasWritten && flags.includes('denyoom')) throw errors.outOfMemory
      this.#hasWritten = true
    }
    const { topology } = this.#ports.services
    if (topology !== undefined && !isInReach(topology, command, words, session)) throw errors.scriptNotLocal
    if (!this.#ports.admission.isOpen) this.#checkAdmission(command)
    return command
  }

  #checkAccess(session: Session, command: FoundCommand, words: readonly string[]): void {
    const refusal = this.#ports.refusal(session, command, words)
    if (refusal === undefined) return
    throw errors.scriptNoPermission(refusal.line.slice(refusal.code.length + 1))
  }

  #find(words: readonly string[]): FoundCommand {
    try {
      return this.#ports.find(words)
    } catch (error) {
      if (!(error instanceof CommandError)) throw error
      throw error.line.startsWith('ERR wrong number') ? errors.scriptWordCount : errors.scriptUnknownCommand
    }
  }

  #checkAdmission(command: FoundCommand): void {
    const admission = this.#ports.admission
    if (admission.has('passive') && command.flags.includes('write')) throw errors.passiveRegion
    if (admission.has('disk')) {
      const refusal = admission.refusal(command, [], false)
      if (refusal !== undefined && refusal !== errors.outOfMemory) throw refusal
      // What it would read may not be durable, and a script cannot wait.
      if (admission.mustWait(command, [])) throw errors.diskFull
    }
  }
}
