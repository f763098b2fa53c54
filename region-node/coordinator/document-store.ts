/**
 * document-store.ts: what a coordinator keeps, as a value in memory: documents, leases, the latest changes.
 *
 * The engines for one machine and for tests are this and a way of reaching it (`local-file.ts`, `memory.ts`). It
 * knows no clock: whoever asks calls `expire` first with the time it is.
 *
 * Invariants: (1) every change of anything that can be read has a revision of its own, one above the last.
 * (2) An entry names no lease that is gone. (3) The history holds all changes behind `#forgotten`, in order.
 */
import { assert } from '../../crdt/assert.ts'
import {
  type Change,
  COMMIT_PARTS_MAX,
  type Condition,
  type Entry,
  type Event,
  type Lease,
  type Reading,
  type Revision,
} from './port.ts'

/** Keys and values of the changes that are kept for watches, characters. The latest revision is always kept. */
const HISTORY_CHARS_MAX = 256 * 1024

export interface StoredEntry extends Entry {
  /** '' for none. */
  readonly leaseId: string
}

export interface StoredLease extends Lease {
  /** By the clock of the engine, milliseconds. */
  readonly endsMs: number
}

/** A store as plain data. */
export interface StoreImage {
  readonly revision: Revision
  /** Changes up to this one are not in the history any more. */
  readonly forgotten: Revision
  readonly entries: readonly StoredEntry[]
  readonly leases: readonly StoredLease[]
  readonly history: readonly Event[]
}

export interface Committed {
  readonly isCommitted: boolean
  readonly revision: Revision
}

export class DocumentStore {
  #revision: Revision
  #forgotten: Revision
  readonly #entries: Map<string, StoredEntry>
  readonly #leases: Map<string, StoredLease>
  readonly #history: Event[]
  #historyChars: number

  constructor(image: StoreImage = { revision: 0, forgotten: 0, entries: [], leases: [], history: [] }) {
    this.#revision = image.revision
    this.#forgotten = image.forgotten
    this.#entries = new Map(image.entries.map((entry) => [entry.key, entry]))
    this.#leases = new Map(image.leases.map((lease) => [lease.id, lease]))
    this.#history = [...image.history]
    this.#historyChars = image.history.reduce((sum, event) => sum + charsOf(event), 0)
  }

  get image(): StoreImage {
    return {
      revision: this.#revision,
      forgotten: this.#forgotten,
      entries: [...this.#entries.values()],
      leases: [...this.#leases.values()],
      history: this.#history,
    }
  }

  get revision(): Revision {
    return this.#revision
  }

  /** When the next lease ends unless it is renewed; Infinity when there is none. */
  get nextEndMs(): number {
    return Math.min(...[...this.#leases.values()].map(({ endsMs }) => endsMs))
  }

  /** Sorted by key. */
  read(prefix: string): Reading {
    const entries = [...this.#entries.values()]
      .filter(({ key }) => key.startsWith(prefix))
      .map(({ key, value, revision }) => ({ key, value, revision }))
      .sort(byKey)
    return { revision: this.#revision, entries }
  }

  commit(conditions: readonly Condition[], changes: readonly Change[]): Committed {
    assert(Math.max(conditions.length, changes.length) <= COMMIT_PARTS_MAX, 'a commit is too large')
    assert(new Set(changes.map(({ key }) => key)).size === changes.length, 'a commit changes a key twice')
    const isMet = conditions.every(
      ({ key, revision }) => (this.#entries.get(key)?.revision ?? 0) === revision,
    )
    const hasLeases = changes.every(
      (change) => change.do === 'delete' || change.lease === undefined || this.#leases.has(change.lease.id),
    )
    if (isMet && hasLeases) this.#apply(changes)
    return { isCommitted: isMet && hasLeases, revision: this.#revision }
  }

  grant(id: string, ttlMs: number, nowMs: number): Lease {
    this.#leases.set(id, { id, ttlMs, endsMs: nowMs + ttlMs })
    return { id, ttlMs }
  }

  /** @returns false when the lease is gone */
  renew(id: string, nowMs: number): boolean {
    const lease = this.#leases.get(id)
    if (lease === undefined) return false
    this.#leases.set(id, { ...lease, endsMs: nowMs + lease.ttlMs })
    return true
  }

  /** Every lease begins anew. */
  renewAll(nowMs: number): void {
    for (const id of this.#leases.keys()) this.renew(id, nowMs)
  }

  revoke(id: string): void {
    if (!this.#leases.delete(id)) return
    const keys = [...this.#entries.values()].filter(({ leaseId }) => leaseId === id).map(({ key }) => key)
    this.#apply(keys.sort().map((key) => ({ do: 'delete', key })))
  }

  /** `expire` would change something. */
  isDue(nowMs: number): boolean {
    return [...this.#leases.values()].some((lease) => isOver(lease, nowMs) || isTooLong(lease, nowMs))
  }

  /** Ends the leases whose time is over, in order. None lasts longer than it was granted when a clock is set back. */
  expire(nowMs: number): void {
    const leases = [...this.#leases.values()]
    const over = leases.filter((lease) => isOver(lease, nowMs)).sort((a, b) => a.endsMs - b.endsMs)
    for (const { id } of over) this.revoke(id)
    for (const lease of leases) if (isTooLong(lease, nowMs)) this.renew(lease.id, nowMs)
  }

  /** Changes under a prefix behind a revision, in order; undefined when the store does not know them all. */
  changesBehind(prefix: string, after: Revision): readonly Event[] | undefined {
    if (after < this.#forgotten || after > this.#revision) return undefined
    return this.#history.filter(({ key, revision }) => revision > after && key.startsWith(prefix))
  }

  #apply(changes: readonly Change[]): void {
    const revision = this.#revision + 1
    const events: Event[] = []
    for (const change of changes) {
      const { key } = change
      if (change.do === 'put') {
        const { value, lease } = change
        this.#entries.set(key, { key, value, revision, leaseId: lease?.id ?? '' })
        events.push({ key, value, revision })
      } else if (this.#entries.delete(key)) events.push({ key, value: undefined, revision })
    }
    if (events.length === 0) return
    this.#revision = revision
    this.#remember(events)
  }

  #remember(events: readonly Event[]): void {
    for (const event of events) {
      this.#history.push(event)
      this.#historyChars += charsOf(event)
    }
    const isForgotten = ({ revision }: Event): boolean =>
      revision === this.#forgotten || (this.#historyChars > HISTORY_CHARS_MAX && revision < this.#revision)
    while (isForgotten(this.#history[0]!)) {
      const event = this.#history.shift()!
      this.#forgotten = event.revision
      this.#historyChars -= charsOf(event)
    }
  }
}

function isOver({ endsMs }: StoredLease, nowMs: number): boolean {
  return endsMs <= nowMs
}

function isTooLong({ endsMs, ttlMs }: StoredLease, nowMs: number): boolean {
  return endsMs > nowMs + ttlMs
}

function charsOf({ key, value }: Event): number {
  return key.length + (value?.length ?? 0)
}

function byKey(a: Entry, b: Entry): number {
  return a.key < b.key ? -1 : 1
}
