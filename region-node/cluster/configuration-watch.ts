/**
 * configuration-watch.ts: follows the configuration of a region in its coordinator, for as long as the node runs.
 */
import type { Coordinator } from '../coordinator/port.ts'
import type { Env } from '../env.ts'
import { type ConfigDocument, decodeConfig, type Keys } from './documents.ts'
import { Mirror } from './mirror.ts'

export interface ConfigurationWatchEvents {
  /** Undefined: there is none. */
  read(document: ConfigDocument | undefined): void
  /** For the log. */
  warned(sentence: string): void
}

export class ConfigurationWatch {
  readonly #key: string
  readonly #mirror: Mirror
  readonly #events: ConfigurationWatchEvents

  constructor(
    coordinator: Coordinator,
    env: Pick<Env, 'monoMs' | 'after' | 'random'>,
    keys: Keys,
    events: ConfigurationWatchEvents,
  ) {
    this.#key = keys.config
    this.#events = events
    this.#mirror = new Mirror(coordinator, env, keys.config, {
      // Whatever is read takes the place of what was read before.
      known: () => 0,
      replaced: ({ entries }) => this.#told(entries.find(({ key }) => key === this.#key)?.value),
      changed: (changes) => {
        const last = changes.findLast(({ key }) => key === this.#key)
        if (last !== undefined) this.#told(last.value)
      },
      // The mirror reads again; what was known stays in force meanwhile.
      lost: () => {},
    })
  }

  /** Reads it, once more where that was done before. */
  read(): void {
    this.#mirror.read()
  }

  close(): void {
    this.#mirror.close()
  }

  #told(text: string | undefined): void {
    const document = text === undefined ? undefined : decodeConfig(text)
    if (text !== undefined && document === undefined)
      this.#events.warned(
        'the configuration of the region cannot be read: what it said before stays in force',
      )
    else this.#events.read(document)
  }
}
