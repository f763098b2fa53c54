/**
 * channels.ts: who listens to which channels, and what they are told.
 *
 * A message is nobody's state: it is in no log, and who is not listening when it comes never hears it. Three
 * kinds of names are kept apart, as in Redis: channels, patterns over channels, and shard channels.
 *
 * Messages are handed out when the command that brought them is over: a client that publishes to itself gets
 * its reply first, and an error that takes a command's replies back takes no messages with it.
 *
 * Invariants: (1) a name without listeners is not kept. (2) `session.subscriptions` is the number of the
 * session's names of all kinds.
 */

import type { ChannelKind } from '../../sync/ports.ts'
import { globMatch } from '../commands/glob.ts'
import type { Session } from '../commands/session.ts'

/** What a session can listen to. Shard channels are channels of their own. */
export type ListenKind = ChannelKind | 'pattern'

/** The names one session listens to. */
type Names = Readonly<Record<ListenKind, Set<string>>>

interface Delivery {
  readonly session: Session
  /** The reply's words: what it is, the pattern where one matched, the channel, the message. */
  readonly words: readonly string[]
}

export class Channels {
  readonly #listeners: Readonly<Record<ListenKind, Map<string, Set<Session>>>> = {
    channel: new Map(),
    pattern: new Map(),
    shard: new Map(),
  }
  readonly #names = new Map<Session, Names>()
  #due: Delivery[] = []

  /** @returns false when it listened to that already */
  listen(session: Session, kind: ListenKind, name: string): boolean {
    const names = this.#namesOf(session)[kind]
    if (names.has(name)) return false
    names.add(name)
    const listeners = this.#listeners[kind]
    const known = listeners.get(name)
    if (known === undefined) listeners.set(name, new Set([session]))
    else known.add(session)
    session.subscriptions++
    return true
  }

  /** @returns false when it did not listen to that */
  leave(session: Session, kind: ListenKind, name: string): boolean {
    if (this.#names.get(session)?.[kind].delete(name) !== true) return false
    const listeners = this.#listeners[kind]
    const known = listeners.get(name)!
    known.delete(session)
    if (known.size === 0) listeners.delete(name)
    session.subscriptions--
    if (session.subscriptions === 0) this.#names.delete(session)
    return true
  }

  /** The client has gone, or begins anew. */
  leaveAll(session: Session): void {
    const names = this.#names.get(session)
    if (names === undefined) return
    for (const kind of ['channel', 'pattern', 'shard'] as const)
      for (const name of names[kind]) this.leave(session, kind, name)
  }

  /** Ends the listening to shard channels that are told of elsewhere from now on. */
  dismiss(isGone: (name: string) => boolean): void {
    for (const [name, sessions] of [...this.#listeners.shard]) {
      if (!isGone(name)) continue
      for (const session of [...sessions]) {
        this.leave(session, 'shard', name)
        session.out.push(3)
        session.out.bulk('sunsubscribe')
        session.out.bulk(name)
        session.out.integer(this.countOf(session, 'shard'))
        session.resume()
      }
    }
  }

  /** What a session listens to, oldest first. */
  namesOf(session: Session, kind: ListenKind): readonly string[] {
    return [...(this.#names.get(session)?.[kind] ?? [])]
  }

  countOf(session: Session, kind: ListenKind): number {
    return this.#names.get(session)?.[kind].size ?? 0
  }

  /** Names that somebody listens to. */
  names(kind: ListenKind): Iterable<string> {
    return this.#listeners[kind].keys()
  }

  nameCount(kind: ListenKind): number {
    return this.#listeners[kind].size
  }

  listenerCount(kind: ListenKind, name: string): number {
    return this.#listeners[kind].get(name)?.size ?? 0
  }

  /** @returns how many are told: a client once for its channel and once for each pattern that matches */
  tell(kind: ChannelKind, channel: string, message: string): number {
    let told = 0
    const isShard = kind === 'shard'
    for (const session of this.#listeners[kind].get(channel) ?? []) {
      this.#due.push({ session, words: [isShard ? 'smessage' : 'message', channel, message] })
      told++
    }
    if (isShard) return told
    for (const [pattern, sessions] of this.#listeners.pattern) {
      if (!globMatch(pattern, channel)) continue
      for (const session of sessions) {
        this.#due.push({ session, words: ['pmessage', pattern, channel, message] })
        told++
      }
    }
    return told
  }

  /** Messages wait to be handed out. */
  get isDue(): boolean {
    return this.#due.length > 0
  }

  /** Hands out what was told, in its order. */
  handOut(): void {
    const due = this.#due
    this.#due = []
    for (const { session, words } of due) {
      session.out.push(words.length)
      for (const word of words) session.out.bulk(word)
      session.resume()
    }
  }

  #namesOf(session: Session): Names {
    const known = this.#names.get(session)
    if (known !== undefined) return known
    const made = { channel: new Set<string>(), pattern: new Set<string>(), shard: new Set<string>() }
    this.#names.set(session, made)
    return made
  }
}
