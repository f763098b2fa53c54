/**
 * access.ts: when and how often keys are used: 32 bits for each, kept only under the policies that ask.
 *
 * Under LRU they are the moment of the last use, in tenths of a second; under LFU, as in Redis, 16 bits are the
 * minute in which the count was last looked at, and 8 a count whose logarithm it is: each use makes the next
 * step less likely, and each idle minute takes steps back.
 *
 * Source: LFULogIncr and LFUDecrAndReturn in evict.c of Redis 7.2.
 */

/** How uses are written down. */
export type AccessClock = LastUse | UseCount

interface UseRecord {
  /** Of a key that has just come to be. */
  readonly born: number
  /** @param before  what was written down. @returns what to write down for a use now */
  used(before: number): number
  /** How well a key would go: the larger, the rather. */
  idleness(written: number): number
}

const TENTH_MS = 100

export class LastUse implements UseRecord {
  readonly #nowMs: () => number

  /** @param nowMs  milliseconds; never goes back */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  get born(): number {
    return Math.floor(this.#nowMs() / TENTH_MS) >>> 0
  }

  used(): number {
    return this.born
  }

  idleness(written: number): number {
    return this.idleSeconds(written)
  }

  /** Since the last use: OBJECT IDLETIME. */
  idleSeconds(written: number): number {
    return (((this.born - written) >>> 0) * TENTH_MS) / 1000
  }
}

const MINUTE_MS = 60_000
const MINUTES_MASK = 0xffff
const COUNT_MAX = 255
/** What a new key begins with, so that it does not go before it had a chance. */
const COUNT_AT_FIRST = 5

export interface UseCountSettings {
  /** `lfu-log-factor`: how many uses make a step. */
  readonly logFactor: number
  /** `lfu-decay-time`: minutes that take a step back; 0: none do. */
  readonly decayMinutes: number
}

export class UseCount implements UseRecord {
  readonly #nowMs: () => number
  readonly #random: () => number
  readonly #settings: UseCountSettings

  constructor(nowMs: () => number, random: () => number, settings: UseCountSettings) {
    this.#nowMs = nowMs
    this.#random = random
    this.#settings = settings
  }

  get #minute(): number {
    return Math.floor(this.#nowMs() / MINUTE_MS) & MINUTES_MASK
  }

  get born(): number {
    return (this.#minute << 8) | COUNT_AT_FIRST
  }

  used(before: number): number {
    let count = this.count(before)
    const step = 1 / (Math.max(0, count - COUNT_AT_FIRST) * this.#settings.logFactor + 1)
    if (count < COUNT_MAX && this.#random() < step) count++
    return (this.#minute << 8) | count
  }

  idleness(written: number): number {
    return COUNT_MAX - this.count(written)
  }

  /** The count as it is now: OBJECT FREQ. */
  count(written: number): number {
    const { decayMinutes } = this.#settings
    const count = written & COUNT_MAX
    if (decayMinutes === 0) return count
    const minutes = (this.#minute - (written >>> 8)) & MINUTES_MASK
    return Math.max(0, count - Math.floor(minutes / decayMinutes))
  }
}
