/**
 * etcd-watch.ts: one watch of an etcd, which goes on with another member when its member fails.
 *
 * A stream that says nothing looks the same whether nothing changes, its member is frozen, or its member is cut
 * off from the others. So the member is asked for a linearizable read before the stream begins and from time to
 * time after that; when it does not answer, the stream goes on elsewhere, behind the last change that was told.
 * The read also tells when the place of the watch is ahead of the store: etcd was put back from a backup.
 *
 * Invariants: (1) `#next` is one above the last revision that was told, or is known to hold nothing. (2) Nothing
 * is said after `cancel` or `lost`.
 */
import type { Timer } from '../env.ts'
import { EtcdError, type EtcdGateway } from './etcd-gateway.ts'
import { eventsOf, keysUnder, oneKeyUnder, type RangeReply, type WatchFrame } from './etcd-messages.ts'
import type { Revision, WatchEvents } from './port.ts'

/** Between two tries to find a member that serves a watch, milliseconds. */
const RETRY_MS = 100

export class EtcdWatch {
  readonly #gateway: EtcdGateway
  /** With the root. */
  readonly #prefix: string
  readonly #events: WatchEvents
  #next: Revision
  #isEnded = false
  #abort: (reason: EtcdError) => void = () => {}
  #timer: Timer | undefined

  constructor(gateway: EtcdGateway, prefix: string, after: Revision, events: WatchEvents) {
    this.#gateway = gateway
    this.#prefix = gateway.settings.root + prefix
    this.#next = after + 1
    this.#events = events
    void this.#follow()
  }

  cancel(): void {
    this.#isEnded = true
    this.#timer?.cancel()
    this.#abort(new EtcdError('unclear', 'cancelled'))
  }

  async #follow(): Promise<void> {
    const { endpoint } = this.#gateway
    try {
      await this.#check(endpoint)
      if (!this.#isEnded) await this.#stream(endpoint)
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error
      if (error.outcome === 'refused') return this.#lose(error.message)
      this.#gateway.leave(endpoint)
    }
    this.#later(RETRY_MS, () => void this.#follow())
  }

  async #stream(endpoint: string): Promise<void> {
    const { settings } = this.#gateway
    let isOver = false
    const checkLater = (abort: (reason: EtcdError) => void): void =>
      this.#later(settings.deadlineMs, async () => {
        const failure = await this.#failureOf(endpoint)
        if (isOver) return
        if (failure === undefined) checkLater(abort)
        else abort(failure)
      })
    const begun = (abort: (reason: EtcdError) => void): void => {
      this.#abort = abort
      checkLater(abort)
    }
    const request = { ...keysUnder(this.#prefix), start_revision: String(this.#next), progress_notify: true }
    try {
      await this.#gateway.stream(endpoint, '/v3/watch', { create_request: request }, begun, (frame) =>
        this.#take(frame as WatchFrame),
      )
    } finally {
      isOver = true
      this.#timer?.cancel()
    }
  }

  #take({ result }: WatchFrame): void {
    if (this.#isEnded) return
    if (result === undefined) throw new EtcdError('unclear', 'etcd ended the watch')
    if (result.canceled) {
      const isCompacted = result.compact_revision !== undefined
      throw new EtcdError(
        'refused',
        isCompacted ? `etcd has compacted revision ${this.#next}` : `etcd: ${result.cancel_reason}`,
      )
    }
    const events = eventsOf(this.#gateway.settings.root, result)
    if (events.length > 0) {
      this.#next = events.at(-1)!.revision + 1
      this.#events.changed(events)
    } else if (!result.created) {
      // A sign of progress: everything up to there has been told.
      this.#next = Math.max(this.#next, Number(result.header.revision) + 1)
    }
  }

  /** The member has a quorum behind it, and the store has come to where the watch is. */
  async #check(endpoint: string): Promise<void> {
    // While the answer is on its way the watch goes on.
    const known = this.#next - 1
    const { header } = await this.#gateway.attempt(endpoint, (ask) =>
      ask<RangeReply>('/v3/kv/range', oneKeyUnder(this.#prefix)),
    )
    const revision = Number(header.revision)
    if (revision >= known) return
    throw new EtcdError('refused', `etcd is at revision ${revision}, the watch at ${known}`)
  }

  async #failureOf(endpoint: string): Promise<EtcdError | undefined> {
    try {
      await this.#check(endpoint)
      return undefined
    } catch (error) {
      if (error instanceof EtcdError) return error
      throw error
    }
  }

  #later(ms: number, task: () => void): void {
    if (!this.#isEnded) this.#timer = this.#gateway.clock.after(ms, task)
  }

  #lose(sentence: string): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#events.lost(sentence)
  }
}
