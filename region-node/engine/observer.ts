/**
 * observer.ts: the port of whoever looks at commands as they run: MONITOR, SLOWLOG, LATENCY.
 *
 * Nearly always nobody needs to, and then a command costs one look at an empty field of the engine.
 */
import type { Session } from '../commands/session.ts'

/** A row of the command table, as far as it matters here. */
export interface ObservedCommand {
  readonly name: string
  readonly flags: readonly string[]
}

/** What `began` returns when it does not need to hear of the end. */
export const UNTIMED = -1

export interface CommandObserver {
  /**
   * A command begins; those of a transaction begin and end within its EXEC.
   * @param nowMs  the engine's clock, read a moment ago
   * @returns what `ended` is to be given, or UNTIMED
   */
  began(session: Session, command: ObservedCommand, words: readonly string[], nowMs: number): number
  /** It has ended, with an error perhaps, or it has begun to wait. */
  ended(session: Session, command: ObservedCommand, words: readonly string[], began: number): void
  /** A script calls a command, which counts as part of the script's time. */
  called(session: Session, command: ObservedCommand, words: readonly string[]): void
  /** The last command has ended, and what comes next is none. */
  turnEnded(): void
}
