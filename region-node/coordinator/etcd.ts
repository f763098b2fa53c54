/**
 * etcd.ts: the coordinator that is an etcd of one member or several.
 *
 * Reads are linearizable, never serializable: a member that is cut off answers those with the past. A commit is
 * made at one member only as soon as it may have happened there: made twice it could find its own conditions
 * broken by itself.
 *
 * A keepalive is the one call that etcd answers without a quorum: a leader that was cut off renews leases, for a
 * second or two, while the others have elected another one. So a renewal counts only when the same member has
 * answered a linearizable read after it, in the same term. A leader that comes later grants every lease its whole
 * time anew.
 *
 * Source: etcd.io/docs, "etcd API guarantees"; server/etcdserver and lease/lessor.go for what a new leader does.
 */
import {
  type Ask,
  EtcdError,
  EtcdGateway,
  type EtcdSettings,
  type GatewayClock,
  NOT_FOUND,
} from './etcd-gateway.ts'
import {
  entriesOf,
  type KeepAliveReply,
  keysUnder,
  type LeaseReply,
  oneKeyUnder,
  type RangeReply,
  type TxnReply,
  txnOf,
} from './etcd-messages.ts'
import { EtcdWatch } from './etcd-watch.ts'
import type { Change, Condition, Coordinator, Lease, Reading, Revision, Told, WatchEvents } from './port.ts'

export class EtcdCoordinator implements Coordinator {
  readonly description: string
  readonly #gateway: EtcdGateway
  readonly #root: string
  readonly #watches = new Set<EtcdWatch>()
  #isClosed = false

  constructor(settings: EtcdSettings, clock: GatewayClock) {
    this.description = `etcd at ${settings.endpoints.join(', ')}`
    this.#gateway = new EtcdGateway(settings, clock)
    this.#root = settings.root
  }

  read(prefix: string, told: Told<Reading>): void {
    this.#call('repeatable', told, async (ask) => {
      const reply = await ask<RangeReply>('/v3/kv/range', keysUnder(this.#root + prefix))
      return { revision: Number(reply.header.revision), entries: entriesOf(this.#root, reply) }
    })
  }

  commit(
    conditions: readonly Condition[],
    changes: readonly Change[],
    told: Told<{ readonly isCommitted: boolean; readonly revision: Revision }>,
  ): void {
    this.#call('once', told, async (ask) => {
      try {
        const reply = await ask<TxnReply>('/v3/kv/txn', txnOf(this.#root, conditions, changes))
        return { isCommitted: reply.succeeded === true, revision: Number(reply.header.revision) }
      } catch (error) {
        if (!isGone(error)) throw error
        const { header } = await ask<RangeReply>('/v3/kv/range', oneKeyUnder(this.#root))
        return { isCommitted: false, revision: Number(header.revision) }
      }
    })
  }

  /** In whole seconds; etcd may grant more than was asked. */
  grant(ttlMs: number, told: Told<Lease>): void {
    this.#call('repeatable', told, async (ask) => {
      const { ID, TTL } = await ask<LeaseReply>('/v3/lease/grant', { TTL: String(Math.ceil(ttlMs / 1000)) })
      return { id: ID, ttlMs: Number(TTL) * 1000 }
    })
  }

  renew({ id }: Lease, told: Told<boolean>): void {
    this.#call('repeatable', told, async (ask) => {
      const { result } = await ask<KeepAliveReply>('/v3/lease/keepalive', { ID: id })
      const { header } = await ask<RangeReply>('/v3/kv/range', oneKeyUnder(this.#root))
      if (header.raft_term !== result.header.raft_term)
        throw new EtcdError('unclear', 'etcd changed its leader during a renewal')
      return result.TTL !== undefined
    })
  }

  revoke({ id }: Lease, told: Told<void>): void {
    this.#call('repeatable', told, async (ask) => {
      try {
        await ask('/v3/lease/revoke', { ID: id })
      } catch (error) {
        if (!isGone(error)) throw error
      }
    })
  }

  watch(prefix: string, after: Revision, events: WatchEvents): { cancel(): void } {
    if (this.#isClosed) return { cancel: () => {} }
    const watch = new EtcdWatch(this.#gateway, prefix, after, events)
    this.#watches.add(watch)
    return {
      cancel: () => {
        watch.cancel()
        this.#watches.delete(watch)
      },
    }
  }

  close(): void {
    this.#isClosed = true
    for (const watch of this.#watches) watch.cancel()
    this.#watches.clear()
    this.#gateway.close()
  }

  #call<Result>(how: 'repeatable' | 'once', told: Told<Result>, work: (ask: Ask) => Promise<Result>): void {
    if (this.#isClosed) return
    void this.#gateway.perform(how, work).then((answer) => {
      if (!this.#isClosed) told(answer)
    })
  }
}

/** What is gone is a lease: nothing else is looked for by name. */
function isGone(error: unknown): boolean {
  return error instanceof EtcdError && error.code === NOT_FOUND
}
