/**
 * draws.ts: the words that commands of the workload are made of: a few keys of each kind, members, scores, values.
 */
import type { Prng } from '../harness/prng.ts'
import type { SimOptions } from './options.ts'

const KINDS = ['string', 'count', 'float', 'hash', 'set', 'list', 'zset', 'hll', 'stream'] as const

export class Draws {
  readonly prng: Prng
  readonly #options: SimOptions
  #made = 0
  #entries = 0

  constructor(prng: Prng, options: SimOptions) {
    this.prng = prng
    this.#options = options
  }

  key(kind: string): string {
    return `${kind}:${this.prng.below(this.#options.keyCount)}`
  }

  anyKey(): string {
    return this.key(this.prng.pick(KINDS))
  }

  /** A value that no other command writes, or one that commands read as a number. */
  value(): string {
    const { prng } = this
    return prng.chance(0.3) ? String(prng.between(-5, 50)) : `v${++this.#made}`
  }

  member(): string {
    return this.prng.pick(['a', 'b', 'c', 'd'])
  }

  /** Scores that round, cancel and are without end. */
  score(): string {
    return this.prng.pick(['1', '2', '-3', '0.1', '0.7', '4.1', '1e16', '9e307', 'inf', '-inf'])
  }

  /** The id of an entry that comes behind those of before, in the same stream or another. */
  nextEntryId(): string {
    return `${++this.#entries}-0`
  }

  /** One of the last of these ids. */
  entryId(): string {
    return `${this.prng.between(Math.max(1, this.#entries - 4), this.#entries + 1)}-0`
  }
}
