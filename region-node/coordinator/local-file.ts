/**
 * local-file.ts: the coordinator of one machine: a folder that all its nodes share.
 *
 * There is no second machine to vote, so it protects from a process that ends or hangs, not from the loss of the
 * machine. Leases run by the wall clock, which all processes of a machine have in common; one that is set forward
 * ends leases early, one that is set back lets none last longer than it was granted for. Watches look at the file
 * ten times in a second.
 */
import { DiskError, type Timer } from '../env.ts'
import type { Committed, DocumentStore } from './document-store.ts'
import { type LocalEnv, LocalState, StateDamagedError } from './local-state.ts'
import type { Change, Condition, Coordinator, Lease, Reading, Revision, Told, WatchEvents } from './port.ts'

const POLL_MS = 100
/** Between two tries to take the lock, milliseconds, on average. */
const RETRY_MS = 20
const LEASE_ID_BYTES = 8

interface Watch {
  readonly prefix: string
  readonly events: WatchEvents
  /** What has been told. */
  at: Revision
}

export interface LocalSettings {
  /** Shared by all nodes of the region, and by nothing else. */
  readonly folder: string
  /** Longest wait for a call, milliseconds. */
  readonly deadlineMs: number
}

export class LocalFileCoordinator implements Coordinator {
  readonly description: string
  readonly #env: LocalEnv
  readonly #deadlineMs: number
  readonly #state: LocalState
  readonly #watches = new Set<Watch>()
  #poll: Timer | undefined
  #isClosed = false

  /** @throws DiskError when the folder cannot be made */
  constructor({ folder, deadlineMs }: LocalSettings, env: LocalEnv) {
    this.description = `the folder ${folder}`
    this.#env = env
    this.#deadlineMs = deadlineMs
    this.#state = new LocalState(env, folder)
  }

  read(prefix: string, told: Told<Reading>): void {
    this.#call(told, () => {
      const store = this.#state.load()
      if (store.isDue(this.#env.wallMs())) return this.#state.change((current) => current.read(prefix))
      return { result: store.read(prefix) }
    })
  }

  commit(conditions: readonly Condition[], changes: readonly Change[], told: Told<Committed>): void {
    this.#call(told, () => this.#state.change((store) => store.commit(conditions, changes)))
  }

  grant(ttlMs: number, told: Told<Lease>): void {
    const id = Array.from(this.#env.randomBytes(LEASE_ID_BYTES), (byte) =>
      byte.toString(16).padStart(2, '0'),
    ).join('')
    this.#call(told, () => this.#state.change((store, nowMs) => store.grant(id, ttlMs, nowMs)))
  }

  renew({ id }: Lease, told: Told<boolean>): void {
    this.#call(told, () => {
      const isExtended = this.#state.extend(id)
      if (isExtended === undefined) return this.#state.change((store, nowMs) => store.renew(id, nowMs))
      return { result: isExtended }
    })
  }

  revoke({ id }: Lease, told: Told<void>): void {
    this.#call(told, () => this.#state.change((store) => store.revoke(id)))
  }

  watch(prefix: string, after: Revision, events: WatchEvents): { cancel(): void } {
    const watch = { prefix, events, at: after }
    if (!this.#isClosed) {
      this.#watches.add(watch)
      this.#poll ??= this.#env.after(0, () => this.#look())
    }
    return { cancel: () => this.#watches.delete(watch) }
  }

  close(): void {
    this.#isClosed = true
    this.#watches.clear()
    this.#poll?.cancel()
  }

  /** @param attempt  answers undefined as long as another process holds the lock */
  #call<Result>(told: Told<Result>, attempt: () => { readonly result: Result } | undefined): void {
    const endMs = this.#env.monoMs() + this.#deadlineMs
    const tryIt = (): void => {
      if (this.#isClosed) return
      let done: { readonly result: Result } | undefined
      try {
        done = attempt()
      } catch (error) {
        const sentence = messageOf(error)
        // A disk may fail in the middle of a change.
        told({
          ok: false,
          failure: { code: error instanceof DiskError ? 'timeout' : 'unavailable', sentence },
        })
        return
      }
      const waitMs = RETRY_MS * (0.5 + this.#env.random())
      if (done !== undefined) told({ ok: true, result: done.result })
      else if (this.#env.monoMs() + waitMs < endMs) this.#env.after(waitMs, tryIt)
      else {
        const sentence = `${this.description}: another process has held the lock for ${this.#deadlineMs} ms`
        told({ ok: false, failure: { code: 'unavailable', sentence } })
      }
    }
    this.#env.after(0, tryIt)
  }

  #look(): void {
    this.#poll = undefined
    if (this.#watches.size === 0) return
    this.#poll = this.#env.after(POLL_MS, () => this.#look())
    let store: DocumentStore
    try {
      store = this.#state.load()
      if (store.isDue(this.#env.wallMs())) store = this.#state.change((current) => current)?.result ?? store
    } catch (error) {
      const sentence = messageOf(error)
      for (const watch of [...this.#watches]) this.#lose(watch, sentence)
      return
    }
    for (const watch of [...this.#watches]) this.#tell(watch, store)
  }

  #tell(watch: Watch, store: DocumentStore): void {
    if (!this.#watches.has(watch)) return
    const events = store.changesBehind(watch.prefix, watch.at)
    if (events === undefined) {
      this.#lose(watch, `${this.description} does not know all changes behind revision ${watch.at}`)
      return
    }
    watch.at = store.revision
    if (events.length > 0) watch.events.changed(events)
  }

  #lose(watch: Watch, sentence: string): void {
    if (this.#watches.delete(watch)) watch.events.lost(sentence)
  }
}

/** @throws what is neither the disk's doing nor the file's */
function messageOf(error: unknown): string {
  if (error instanceof DiskError || error instanceof StateDamagedError) return error.message
  throw error
}
