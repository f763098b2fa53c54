/**
 * registration.ts: keeps the document of this node under its lease, and up to date.
 *
 * What others decide by is renewed soon, not at once: it changes with every election, on all nodes together, and a
 * coordinator that stores all of that has no time for the claim. How many ops the node holds is renewed only now and
 * then, because every change is told to every node of the region.
 */

import type { Lease } from '../coordinator/port.ts'
import type { Env } from '../env.ts'
import { encode, type Keys, type NodeDocument } from './documents.ts'
import type { Commit } from './in-sync.ts'

/** How old the count of ops may become while the rest stays. */
const COUNT_MS_MAX = 5000
/** How long a change may take that others may follow. */
const SETTLE_MS = 200
/** From a failure to the next try. */
const RETRY_MS = 200

export class Registration {
  readonly #keys: Keys
  readonly #env: Pick<Env, 'monoMs'>
  readonly #commit: Commit
  /** What is stored, and the lease it is under. */
  #stored: { readonly node: NodeDocument; readonly leaseId: string } | undefined
  #sentMs = Number.NEGATIVE_INFINITY
  /** Since when the document is another one than what is stored. */
  #changedMs: number | undefined
  #isBusy = false

  constructor(keys: Keys, env: Pick<Env, 'monoMs'>, commit: Commit) {
    this.#keys = keys
    this.#env = env
    this.#commit = commit
  }

  isUnder(lease: Lease | undefined): boolean {
    return lease !== undefined && this.#stored?.leaseId === lease.id
  }

  /** The lease is gone, and the document with it. */
  lost(): void {
    this.#stored = undefined
    this.#sentMs = Number.NEGATIVE_INFINITY
  }

  /** Stores the document when it has changed. */
  refresh(node: NodeDocument, lease: Lease): void {
    const nowMs = this.#env.monoMs()
    const stored = this.isUnder(lease) ? this.#stored : undefined
    const isSame = stored !== undefined && encode({ ...stored.node, opCount: node.opCount }) === encode(node)
    this.#changedMs = isSame ? undefined : (this.#changedMs ?? nowMs)
    const ageMs = nowMs - this.#sentMs
    if (this.#isBusy || ageMs < RETRY_MS) return
    if (isSame && (stored.node.opCount === node.opCount || ageMs < COUNT_MS_MAX)) return
    if (!isSame && stored !== undefined && nowMs - this.#changedMs! < SETTLE_MS) return
    this.#isBusy = true
    this.#sentMs = nowMs
    const key = this.#keys.node(node.nodeId)
    this.#commit([], [{ do: 'put', key, value: encode(node), lease }], (outcome) => {
      this.#isBusy = false
      if (outcome === 'done') this.#stored = { node, leaseId: lease.id }
    })
  }
}
