/**
 * mirror.ts: everything under a prefix, read once and then followed by a watch, for as long as the node runs.
 *
 * When the watch loses its place all is read anew, after a while that grows with each failure. What was known
 * stays known meanwhile, but is not current.
 */

import type { Coordinator, Event, Reading, Revision } from '../coordinator/port.ts'
import type { Env, Timer } from '../env.ts'
import { Retry } from './retry.ts'

export interface MirrorEvents {
  /** The highest revision that anything known is of. */
  known(): Revision
  /**
   * All that there is, in the place of what was known.
   * @param isPutBack  what was known before this was asked for is later: the coordinator was put back from a backup
   */
  replaced(reading: Reading, isPutBack: boolean): void
  changed(events: readonly Event[]): void
  lost(sentence: string): void
}

export class Mirror {
  readonly #coordinator: Coordinator
  readonly #env: Pick<Env, 'monoMs' | 'after'>
  readonly #prefix: string
  readonly #events: MirrorEvents
  readonly #retry: Retry
  #watch: { cancel(): void } | undefined
  #timer: Timer | undefined
  /** Of the reading that is awaited: answers to an earlier one come too late. */
  #attempt = 0
  #isCurrent = false
  #unbrokenMs: number | undefined

  constructor(
    coordinator: Coordinator,
    env: Pick<Env, 'monoMs' | 'after' | 'random'>,
    prefix: string,
    events: MirrorEvents,
  ) {
    this.#coordinator = coordinator
    this.#env = env
    this.#prefix = prefix
    this.#events = events
    this.#retry = new Retry(() => env.random())
  }

  /** Changes arrive as they happen. */
  get isCurrent(): boolean {
    return this.#isCurrent
  }

  /** Since when no change was missed, monotonic clock; undefined: the watch has lost its place. */
  get unbrokenMs(): number | undefined {
    return this.#unbrokenMs
  }

  /** Reads all, now, and watches from there. */
  read(): void {
    this.close()
    const attempt = this.#attempt
    const known = this.#events.known()
    this.#coordinator.read(this.#prefix, (answer) => {
      if (attempt !== this.#attempt) return
      if (!answer.ok) {
        this.#timer = this.#env.after(this.#retry.delayMs(), () => this.read())
        return
      }
      this.#retry.succeeded()
      this.#isCurrent = true
      const isPutBack = answer.result.revision < known
      if (isPutBack) this.#unbrokenMs = undefined
      this.#unbrokenMs ??= this.#env.monoMs()
      this.#follow(answer.result, attempt)
      this.#events.replaced(answer.result, isPutBack)
    })
  }

  close(): void {
    this.#attempt++
    this.#isCurrent = false
    this.#watch?.cancel()
    this.#timer?.cancel()
  }

  #follow({ revision }: Reading, attempt: number): void {
    this.#watch = this.#coordinator.watch(this.#prefix, revision, {
      changed: (events) => {
        if (attempt === this.#attempt) this.#events.changed(events)
      },
      lost: (sentence) => {
        if (attempt !== this.#attempt) return
        this.close()
        this.#unbrokenMs = undefined
        this.#timer = this.#env.after(this.#retry.delayMs(), () => this.read())
        this.#events.lost(sentence)
      },
    })
  }
}
