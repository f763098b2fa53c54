/**
 * tracking.ts: which clients keep copies of which keys, and when they are told to throw them away.
 *
 * A client that tracks is remembered for every key it reads; the first effect on such a key, of this region or
 * of another one, tells it once and forgets it. In broadcast mode nothing is remembered: it is told of every
 * key that begins with one of its prefixes. Messages are handed out when the command or record that brought
 * the change is over, after the replies; broadcasts of one turn are one message.
 *
 * Which database a key is in does not matter here, as in Redis: a client is told once too often rather than
 * never. Invariants: (1) `readers` holds at most `keysMax` keys; beyond it a key is given up, and its readers
 * are told as if it had changed. (2) A session is in here exactly while `session.tracking` is set.
 * Source: tracking.c of Redis 7.2.
 */
import type { Session, Tracked, TrackingOptions } from '../commands/session.ts'

/** RESP2 clients are told on this channel, when another connection of theirs listens to it. */
const CHANNEL = '__redis__:invalidate'

interface Due {
  readonly session: Session
  /** Undefined: every key. */
  readonly keys: readonly string[] | undefined
}

export class Tracking {
  readonly #keysMax: () => number
  readonly #changed: () => void
  readonly #sessions = new Set<Session>()
  readonly #readers = new Map<string, Set<Session>>()
  #due: Due[] = []
  /** By client that broadcasts, the keys that changed this turn. */
  readonly #broadcast = new Map<Session, Set<string>>()

  /**
   * @param keysMax  `tracking-table-max-keys`; 0: no limit
   * @param changed  somebody tracks now and nobody did, or the other way round
   */
  constructor(keysMax: () => number, changed: () => void) {
    this.#keysMax = keysMax
    this.#changed = changed
  }

  /** Nobody tracks. */
  get isEmpty(): boolean {
    return this.#sessions.size === 0
  }

  /** Keys that somebody read and has not been told of. */
  get keyCount(): number {
    return this.#readers.size
  }

  get clientCount(): number {
    return this.#sessions.size
  }

  /** Turns tracking on, or changes it; prefixes are added to those there were. */
  begin(session: Session, options: TrackingOptions): void {
    const before = session.tracking?.options.prefixes ?? []
    const prefixes = [...before, ...options.prefixes]
    session.tracking = { options: { ...options, prefixes }, caching: undefined, isRedirectBroken: false }
    this.#sessions.add(session)
    this.#changed()
  }

  end(session: Session): void {
    session.tracking = undefined
    this.#sessions.delete(session)
    this.#broadcast.delete(session)
    if (this.isEmpty) this.#readers.clear()
    this.#changed()
  }

  /** The client has gone: it tracks nothing, and nobody is told through it. */
  release(session: Session): void {
    if (session.tracking !== undefined) this.end(session)
    for (const one of this.#sessions) {
      const { tracking } = one
      if (tracking?.options.redirect !== session) continue
      tracking.isRedirectBroken = true
      if (one.out.protocol === 2) continue
      one.out.push(2)
      one.out.bulk('tracking-redir-broken')
      one.out.integer(session.id)
      one.resume()
    }
  }

  /** The client has read these keys. */
  remember(session: Session, tracked: Tracked, keys: readonly string[]): void {
    const { options, caching } = tracked
    if (options.broadcasts) return
    if (options.mode === 'optin' ? caching !== 'yes' : options.mode === 'optout' && caching === 'no') return
    for (const key of keys) {
      const readers = this.#readers.get(key)
      if (readers === undefined) this.#readers.set(key, new Set([session]))
      else readers.add(session)
    }
    this.#keepWithinLimit()
  }

  /** The oldest keys go first. */
  #keepWithinLimit(): void {
    const keysMax = this.#keysMax()
    if (keysMax === 0) return
    for (const key of this.#readers.keys()) {
      if (this.#readers.size <= keysMax) return
      this.#tellReaders(key, undefined)
    }
  }

  /**
   * An effect has touched a key; undefined: every key.
   * @param by  the client whose command it was; undefined for an effect of another region
   */
  touched(key: string | undefined, by: Session | undefined): void {
    if (key === undefined) {
      this.#readers.clear()
      for (const session of this.#sessions) this.#due.push({ session, keys: undefined })
      return
    }
    this.#tellReaders(key, by)
    for (const session of this.#sessions) {
      const { options } = session.tracking!
      if (!options.broadcasts || (options.noLoop && session === by)) continue
      const { prefixes } = options
      if (prefixes.length > 0 && !prefixes.some((prefix) => key.startsWith(prefix))) continue
      const keys = this.#broadcast.get(session)
      if (keys === undefined) this.#broadcast.set(session, new Set([key]))
      else keys.add(key)
    }
  }

  #tellReaders(key: string, by: Session | undefined): void {
    const readers = this.#readers.get(key)
    if (readers === undefined) return
    this.#readers.delete(key)
    for (const session of readers) {
      const { tracking } = session
      // It may have ended, or begun anew as one that broadcasts.
      if (tracking === undefined || tracking.options.broadcasts) continue
      if (tracking.options.noLoop && session === by) continue
      this.#due.push({ session, keys: [key] })
    }
  }

  /** Somebody is to be told of something. */
  get isDue(): boolean {
    return this.#due.length > 0
  }

  /** Tells the readers of what has changed. */
  handOut(): void {
    const due = this.#due
    this.#due = []
    for (const { session, keys } of due) tell(session, keys)
  }

  /** The turn is over: tells those that broadcast. */
  turnEnded(): void {
    for (const [session, keys] of this.#broadcast) tell(session, [...keys])
    this.#broadcast.clear()
  }
}

function tell(session: Session, keys: readonly string[] | undefined): void {
  const { tracking } = session
  if (tracking === undefined || tracking.isRedirectBroken) return
  const target = tracking.options.redirect ?? session
  const { out } = target
  if (out.protocol === 3) {
    out.push(2)
    out.bulk('invalidate')
  } else if (target !== session && target.subscriptions > 0) {
    out.push(3)
    out.bulk('message')
    out.bulk(CHANNEL)
  } else {
    // A RESP2 connection cannot be told anything between its replies.
    return
  }
  if (keys === undefined) out.nil()
  else out.words(keys)
  target.resume()
}
