/**
 * backoff.ts: how long to wait before something is dialed again: twice as long each time, half of it by chance.
 */
import type { SyncEnv } from './ports.ts'
import type { SyncSettings } from './settings.ts'

export class Backoff {
  readonly #env: Pick<SyncEnv, 'random'>
  readonly #settings: Pick<SyncSettings, 'redialMsMin' | 'redialMsMax'>
  #failures = 0

  constructor(env: Pick<SyncEnv, 'random'>, settings: Pick<SyncSettings, 'redialMsMin' | 'redialMsMax'>) {
    this.#env = env
    this.#settings = settings
  }

  /** It works, or something has changed. */
  reset(): void {
    this.#failures = 0
  }

  /** It has failed again. @param firstMs  for the first time @returns milliseconds */
  nextMs(firstMs: number = this.#settings.redialMsMin): number {
    const delayMs = Math.min(this.#settings.redialMsMax, firstMs * 2 ** Math.min(this.#failures, 30))
    this.#failures++
    // Half of it is chance, so that those that lost a peer together do not come back together.
    return delayMs * (0.5 + this.#env.random() / 2)
  }
}
