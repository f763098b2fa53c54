/**
 * key-waits.ts: which clients wait for which keys: BLPOP, BZPOPMIN, XREAD BLOCK and their like.
 *
 * A command that finds nothing asks to wait and leaves without a reply. When an effect, local or from
 * another region, has touched one of its keys, and the op of that effect is complete, the same command runs
 * again, as an op of its own. It replies then, or asks to wait again and keeps its place.
 *
 *   waiting ── key touched ──→ run again ──→ replied: gone
 *      ↑                          └── still nothing ──┘
 *      └─ also gone: timeout, CLIENT UNBLOCK, client left, command held up (CLIENT PAUSE, full disk),
 *         command refused from now on (the region became passive)
 *
 * Invariants: (1) a session that waits here is `blocked` by its waiter, which stands in the index under each
 * of its keys. (2) Clients that wait for one key are served in the order in which they came. (3) A key that was
 * touched stays `ready` until every client that waits for it and may run was looked at.
 * Source: blocked.c of Redis 7.2.
 */
import type { TypeName } from '../../crdt/state.ts'
import type { Blocked, Session } from '../commands/session.ts'
import type { CommandError } from '../errors.ts'

/** What a command that waits says of itself. */
export interface KeyWait {
  /** Keys of the session's database. */
  readonly keys: readonly string[]
  /** What is run again. */
  readonly words: readonly string[]
  /** The type that one of the keys has to have before it is worth a try; undefined: any change is. */
  readonly awaits: TypeName | undefined
  /** Milliseconds; 0: for ever. */
  readonly timeoutMs: number
}

export interface KeyWaitPorts {
  /** Runs once after `delayMs`. */
  after(delayMs: number, task: () => void): { cancel(): void }
  /** The type of what a read of the key would show. */
  typeOf(db: number, key: string): TypeName | undefined
  /** The command may run now; if not, it is tried when `serve` is called next. */
  mayRun(words: readonly string[]): boolean
  /** Runs a command again. @param isSilent  the client had switched its reply off */
  run(session: Session, words: readonly string[], isSilent: boolean): void
  /** Somebody waits now and nobody did, or the other way round. */
  changed(): void
}

/** A key somebody waits for. */
interface AwaitedKey {
  readonly db: number
  readonly key: string
  /** In the order in which they came. */
  readonly waiters: Set<Waiter>
}

class Waiter implements Blocked {
  readonly session: Session
  readonly wait: KeyWait
  readonly db: number
  readonly isSilent: boolean
  timer: { cancel(): void } | undefined = undefined
  /** Its command runs again, and has not asked to wait on. */
  isTried = false
  readonly #waits: KeyWaits

  constructor(session: Session, wait: KeyWait, waits: KeyWaits) {
    this.session = session
    this.wait = wait
    this.db = session.db
    // Replies that the client switched off are taken back when the command ends: here that is too early.
    this.isSilent = session.replyMode !== 'on'
    this.#waits = waits
  }

  cancel(): void {
    this.#waits.forget(this)
  }

  unblock(error: CommandError | undefined): void {
    const { session } = this
    this.#waits.forget(this)
    session.blocked = undefined
    if (error !== undefined) session.out.error(error.line)
    else if (!this.isSilent) session.out.nilArray()
    session.resume()
  }
}

export class KeyWaits {
  readonly #ports: KeyWaitPorts
  readonly #keys = new Map<string, AwaitedKey>()
  /** Touched since they were served. */
  #ready = new Set<AwaitedKey>()

  constructor(ports: KeyWaitPorts) {
    this.#ports = ports
  }

  /** Nobody waits. */
  get isEmpty(): boolean {
    return this.#keys.size === 0
  }

  /** `serve` has something to do. */
  get hasReady(): boolean {
    return this.#ready.size > 0
  }

  /** Blocks the session; one whose command has been run again waits on, in its place and for its time. */
  wait(session: Session, wait: KeyWait): void {
    if (session.blocked instanceof Waiter && session.blocked.isTried) {
      session.blocked.isTried = false
      return
    }
    const wasEmpty = this.isEmpty
    const waiter = new Waiter(session, wait, this)
    session.blocked = waiter
    for (const key of wait.keys) this.#awaited(session.db, key).waiters.add(waiter)
    if (wait.timeoutMs > 0) waiter.timer = this.#ports.after(wait.timeoutMs, () => waiter.unblock(undefined))
    if (wasEmpty) this.#ports.changed()
  }

  #awaited(db: number, key: string): AwaitedKey {
    const name = nameOf(db, key)
    const known = this.#keys.get(name)
    if (known !== undefined) return known
    const made: AwaitedKey = { db, key, waiters: new Set() }
    this.#keys.set(name, made)
    return made
  }

  /** Takes a waiter out of the index; its session is the caller's. */
  forget(waiter: Waiter): void {
    waiter.timer?.cancel()
    for (const key of waiter.wait.keys) {
      const name = nameOf(waiter.db, key)
      const awaited = this.#keys.get(name)
      if (awaited === undefined) continue
      awaited.waiters.delete(waiter)
      if (awaited.waiters.size > 0) continue
      this.#keys.delete(name)
      this.#ready.delete(awaited)
    }
    if (this.isEmpty) this.#ports.changed()
  }

  /** Ends the waits that there is an error for now. */
  review(refusal: (session: Session, words: readonly string[]) => CommandError | undefined): void {
    for (const { waiters } of [...this.#keys.values()]) {
      for (const waiter of [...waiters]) {
        const error = refusal(waiter.session, waiter.wait.words)
        if (error !== undefined) waiter.unblock(error)
      }
    }
  }

  /** @param key  undefined: a flush of one database, or of all (`db` < 0), touched every key there was */
  touched(db: number, key: string | undefined): void {
    if (key !== undefined) {
      const awaited = this.#keys.get(nameOf(db, key))
      if (awaited !== undefined) this.#ready.add(awaited)
      return
    }
    for (const awaited of this.#keys.values()) if (db < 0 || awaited.db === db) this.#ready.add(awaited)
  }

  /**
   * Runs the commands that touched keys may have something for, until nothing changes: one push may serve
   * several clients, and what one client moves may serve another. No op is open.
   */
  serve(): void {
    const later = new Set<AwaitedKey>()
    while (this.#ready.size > 0) {
      const ready = this.#ready
      this.#ready = new Set()
      for (const awaited of ready) if (!this.#serveKey(awaited)) later.add(awaited)
    }
    for (const awaited of later) if (awaited.waiters.size > 0) this.#ready.add(awaited)
  }

  /** @returns false when somebody could not be looked at */
  #serveKey({ db, key, waiters }: AwaitedKey): boolean {
    let isDone = true
    let type = this.#ports.typeOf(db, key)
    for (const waiter of waiters) {
      const { awaits, words } = waiter.wait
      if (awaits !== undefined && awaits !== type) continue
      if (!this.#ports.mayRun(words)) {
        isDone = false
        continue
      }
      this.#runAgain(waiter)
      type = this.#ports.typeOf(db, key)
    }
    return isDone
  }

  #runAgain(waiter: Waiter): void {
    const { session, wait } = waiter
    waiter.isTried = true
    this.#ports.run(session, wait.words, waiter.isSilent)
    if (!waiter.isTried) return
    this.forget(waiter)
    // Somebody else may hold the command up now.
    if (session.blocked !== waiter) return
    session.blocked = undefined
    session.resume()
  }
}

function nameOf(db: number, key: string): string {
  return `${db}:${key}`
}
