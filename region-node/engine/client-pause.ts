/**
 * client-pause.ts: CLIENT PAUSE: commands of clients wait, all of them or those that write.
 *
 * A command that must wait is kept with its session, and the connection runs it again when the pause is
 * over; its reply comes then. Expiry mints nothing meanwhile. What other regions send is applied all the
 * same: it was acknowledged to somebody already.
 *
 * Invariants: (1) a session that waits here is `blocked` and has `postponed` words. (2) `mode` is set exactly
 * while a pause lasts. (3) Of two pauses the later end and the stricter mode count, as in Redis.
 */
import type { Session } from '../commands/session.ts'
import { HeldCommands } from './held-commands.ts'

export type PauseMode = 'write' | 'all'

export class ClientPause {
  mode: PauseMode | undefined = undefined
  readonly #held = new HeldCommands()
  #endMs = 0
  #timer: { cancel(): void } | undefined

  /**
   * @param nowMs  a clock that never goes back, milliseconds
   * @param after  runs a task once after a number of milliseconds
   */
  begin(
    mode: PauseMode,
    durationMs: number,
    nowMs: number,
    after: (delayMs: number, task: () => void) => { cancel(): void },
  ): void {
    const isOn = this.mode !== undefined
    if (this.mode !== 'all') this.mode = mode
    if (isOn && nowMs + durationMs <= this.#endMs) return
    this.#endMs = nowMs + durationMs
    this.#timer?.cancel()
    this.#timer = after(durationMs, () => this.end())
  }

  /** Lets everybody go on. */
  end(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.mode = undefined
    this.#held.letGo()
  }

  /** Makes a command wait for the end of the pause. */
  postpone(session: Session, words: readonly string[]): void {
    this.#held.hold(session, words)
  }
}
