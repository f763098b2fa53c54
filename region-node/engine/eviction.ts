/**
 * eviction.ts: which keys go when memory is short, by `maxmemory-policy`.
 *
 * Keys are drawn at random, as in Redis, and the best of what was drawn lately are remembered: after a while those
 * that go are close to the ones that a full order would name, and no order has to be kept. Under volatile-ttl the
 * order is there: the heap of deadlines.
 *
 * An eviction is a removal like DEL: it takes what this region has seen, and is an op that others apply too. So a
 * key that another region writes meanwhile stays, with what was written; and one that two regions evict at once
 * goes once.
 *
 * Source: evict.c of Redis 7.2.
 */
import { LIBRARY_DB } from '../../crdt/effects/key-effects.ts'
import type { KeyEntry } from '../../crdt/key.ts'
import type { Database } from './database.ts'
import type { ExpiryClock } from './expiry-clock.ts'
import { keyBytes } from './key-memory.ts'
import type { Keyspace } from './keyspace.ts'
import { type AccessClock, LastUse, UseCount, type UseCountSettings } from './table/access.ts'

export const EVICTING_POLICIES = [
  'volatile-lru',
  'volatile-lfu',
  'volatile-random',
  'volatile-ttl',
  'allkeys-lru',
  'allkeys-lfu',
  'allkeys-random',
] as const

export type EvictionPolicy = (typeof EVICTING_POLICIES)[number] | 'noeviction'

/** Keys that may go next, the best last. */
const POOL_SIZE = 16
/** Keys that go in one step at most, and which part of all: what is used may be something else than keys. */
const STEP_KEYS_MAX = 1000
const STEP_SHARE = 1 / 20
/** Elements looked at to tell how large a key is. */
const SAMPLED_ELEMENTS = 5
/** Draws for one victim that may find nothing. */
const EMPTY_DRAWS_MAX = 100

/** Settings, as they are now. */
export interface EvictionSettings {
  readonly policy: () => EvictionPolicy
  /** `maxmemory-samples` */
  readonly samples: () => number
  /** `lfu-log-factor`, `lfu-decay-time` */
  readonly useCount: UseCountSettings
}

export interface Victim {
  readonly db: number
  readonly key: string
  readonly entry: KeyEntry
}

interface Candidate {
  readonly db: number
  readonly key: string
  readonly idleness: number
}

export class Eviction {
  readonly #keyspace: Keyspace
  readonly #clock: ExpiryClock
  readonly #random: () => number
  readonly #settings: EvictionSettings
  #pool: Candidate[] = []

  constructor(keyspace: Keyspace, clock: ExpiryClock, random: () => number, settings: EvictionSettings) {
    this.#keyspace = keyspace
    this.#clock = clock
    this.#random = random
    this.#settings = settings
  }

  /** What was written down of uses meant something else, and what was drawn was in another order. */
  policyChanged(): void {
    this.#keyspace.recordUses(this.#usesUnder(this.#settings.policy()))
    this.#pool = []
  }

  #usesUnder(policy: EvictionPolicy): AccessClock | undefined {
    const nowMs = (): number => this.#clock.nowMs
    if (policy.endsWith('lru')) return new LastUse(nowMs)
    return policy.endsWith('lfu') ? new UseCount(nowMs, this.#random, this.#settings.useCount) : undefined
  }

  /**
   * Lets keys of about `bytes` go.
   * @param remove  removes the one that should go next
   * @returns how many went, and about what they took
   */
  step(bytes: number, remove: (victim: Victim) => void): { readonly keys: number; readonly freed: number } {
    const keysMax = this.#stepKeysMax
    let keys = 0
    let freed = 0
    while (keys < keysMax && freed < bytes) {
      const victim = this.next()
      if (victim === undefined) break
      const { db, key, entry } = victim
      freed += this.#keyspace.db(db).packedBytes(key) ?? keyBytes(key, entry, SAMPLED_ELEMENTS)
      remove(victim)
      keys++
    }
    return { keys, freed }
  }

  get #stepKeysMax(): number {
    let keys = 0
    for (const { size } of this.#keyspace.databases()) keys += size
    return Math.min(STEP_KEYS_MAX, Math.ceil(keys * STEP_SHARE))
  }

  /** The key that should go next; undefined when none may. It is not removed here. */
  next(): Victim | undefined {
    const policy = this.#settings.policy()
    if (policy === 'noeviction') return undefined
    if (policy === 'volatile-ttl') return this.#firstDue()
    const isVolatile = policy.startsWith('volatile')
    const clock = this.#keyspace.uses
    for (let left = EMPTY_DRAWS_MAX; left > 0; left--) {
      const victim = clock === undefined ? this.#any(isVolatile) : this.#idlest(isVolatile, clock)
      if (victim !== undefined) return victim
    }
    return undefined
  }

  #firstDue(): Victim | undefined {
    let first: { database: Database; atMs: number; key: string } | undefined
    for (const database of this.#keyspace.databases()) {
      const next = database.nextDeadline()
      if (next === undefined || (first !== undefined && first.atMs <= next.atMs)) continue
      first = { database, ...next }
    }
    return first === undefined ? undefined : this.#victim(first.database, first.key)
  }

  #any(isVolatile: boolean): Victim | undefined {
    const database = this.#draw(isVolatile)
    const key = database?.draw(isVolatile, this.#random)?.key
    return database === undefined || key === undefined ? undefined : this.#victim(database, key)
  }

  #idlest(isVolatile: boolean, clock: AccessClock): Victim | undefined {
    for (let left = this.#settings.samples(); left > 0; left--) {
      const database = this.#draw(isVolatile)
      const drawn = database?.draw(isVolatile, this.#random)
      if (database === undefined || drawn === undefined) continue
      this.#remember({ db: database.index, key: drawn.key, idleness: clock.idleness(drawn.access) })
    }
    for (let best = this.#pool.pop(); best !== undefined; best = this.#pool.pop()) {
      const database = this.#keyspace.db(best.db)
      const access = database.accessOf(best.key)
      // It may have been used, or have gone, since it was drawn.
      if (access === undefined || clock.idleness(access) < best.idleness) continue
      if (isVolatile && !database.isVolatile(best.key)) continue
      const victim = this.#victim(database, best.key)
      if (victim !== undefined) return victim
    }
    return undefined
  }

  #remember(candidate: Candidate): void {
    const pool = this.#pool
    if (pool.some(({ db, key }) => db === candidate.db && key === candidate.key)) return
    let at = pool.length
    while (at > 0 && pool[at - 1]!.idleness > candidate.idleness) at--
    if (pool.length === POOL_SIZE) {
      if (at === 0) return
      pool.shift()
      at--
    }
    pool.splice(at, 0, candidate)
  }

  /** A database, the likelier the more keys it has. */
  #draw(isVolatile: boolean): Database | undefined {
    const databases = [...this.#keyspace.databases()].filter(({ index }) => index !== LIBRARY_DB)
    const sizeOf = (one: Database): number => (isVolatile ? one.volatileSize : one.size)
    let at = this.#random() * databases.reduce((sum, one) => sum + sizeOf(one), 0)
    for (const database of databases) {
      at -= sizeOf(database)
      if (at < 0) return database
    }
    return undefined
  }

  #victim(database: Database, key: string): Victim | undefined {
    const entry = database.get(key)
    return entry === undefined ? undefined : { db: database.index, key, entry }
  }
}
