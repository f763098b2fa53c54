/**
 * key-draw.ts: picks a random key of a database, for RANDOMKEY.
 *
 * A slot is drawn by its share of the keys, then a position in it. The shares are counted once over all
 * slots and used for many draws: a draw that finds its slot shrunk since is repeated, and keys that came
 * since are missed only until the next count. Small databases are counted at every change.
 */
import type { KeyEntry } from '../../crdt/key.ts'
import type { MemberIndex } from '../../crdt/member-index.ts'
import { SLOT_COUNT } from './slot.ts'

/** Shares are counted again when more than this part of the keys has come or gone ... */
const STALE_SHARE = 1 / 64
/** ... or something has, and this many draws have been made. */
const STALE_DRAWS = 64
/** Draws that met no key that is shown, after which the first one that is shown is taken. */
const TRIES = 100
/** Up to this many keys a slot is walked to the drawn position; beyond, it is indexed. */
const WALKED_KEYS_MAX = 1024

/** What a draw needs of a database. */
export interface DrawnFrom {
  readonly size: number
  readonly changes: number
  slot(slot: number): ReadonlyMap<string, KeyEntry> | undefined
  slotIndex(slot: number): MemberIndex
  get(key: string): KeyEntry | undefined
  dueKeys(nowMs: number): ReadonlySet<string>
  entries(): Iterable<[string, KeyEntry]>
}

export class KeyDraw {
  readonly #database: DrawnFrom
  /** Entries in the slots up to each one. */
  readonly #sums = new Uint32Array(SLOT_COUNT)
  #countedAt = -1
  #draws = 0

  constructor(database: DrawnFrom) {
    this.#database = database
  }

  /** @returns undefined when there is no key, or all are due at `nowMs` */
  draw(nowMs: number, random: () => number, isShown: (entry: KeyEntry) => boolean): string | undefined {
    if (this.#database.dueKeys(nowMs).size >= this.#database.size) return undefined
    this.#count()
    for (let left = TRIES; left > 0; left--) {
      const key = this.#drawStored(random)
      const entry = key === undefined ? undefined : this.#database.get(key)
      if (entry !== undefined && isShown(entry)) return key
    }
    for (const [key, entry] of this.#database.entries()) if (isShown(entry)) return key
    return undefined
  }

  #count(): void {
    const { changes, size } = this.#database
    const since = this.#countedAt < 0 ? Number.POSITIVE_INFINITY : changes - this.#countedAt
    this.#draws++
    if (since === 0 || (since <= size * STALE_SHARE && this.#draws < STALE_DRAWS)) return
    this.#countedAt = changes
    this.#draws = 0
    let sum = 0
    for (let slot = 0; slot < SLOT_COUNT; slot++) {
      sum += this.#database.slot(slot)?.size ?? 0
      this.#sums[slot] = sum
    }
  }

  #drawStored(random: () => number): string | undefined {
    const sums = this.#sums
    const target = Math.floor(random() * sums[SLOT_COUNT - 1]!)
    let low = 0
    let high = SLOT_COUNT - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (sums[middle]! > target) high = middle
      else low = middle + 1
    }
    return this.#at(low, low === 0 ? target : target - sums[low - 1]!)
  }

  #at(slot: number, position: number): string | undefined {
    const keys = this.#database.slot(slot)
    if (keys === undefined || position >= keys.size) return undefined
    if (keys.size > WALKED_KEYS_MAX) return this.#database.slotIndex(slot).at(position)
    let left = position
    for (const key of keys.keys()) if (left-- === 0) return key
    return undefined
  }
}
