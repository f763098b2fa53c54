/**
 * held-commands.ts: commands that have come and must wait: their clients are blocked until they are let go.
 *
 * Invariant: a session in here is `blocked` and has a `postponed` command, which its connection runs again
 * when it is let go.
 */
import type { Session } from '../commands/session.ts'

export class HeldCommands {
  readonly #waiting = new Set<Session>()

  hold(session: Session, words: readonly string[]): void {
    session.postponed = words
    session.blocked = { cancel: () => this.#waiting.delete(session) }
    this.#waiting.add(session)
  }

  /** Lets everybody go on, in the order in which they came. */
  letGo(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const session of waiting) {
      session.blocked = undefined
      session.resume()
    }
  }
}
