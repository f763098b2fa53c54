/**
 * memory.ts: a coordinator in memory, for tests and the simulator: one store, and a connection for each node.
 *
 * Time, and with it every order of events, comes from the clock that is given; there is no chance in it.
 * A connection can be cut: what is on its way then does not arrive, so a commit may have happened and its answer be
 * lost. It can be cut one way only, so that calls still arrive and nothing is heard of them. The store can be halted, as etcd is without a quorum: nothing is answered and no lease
 * ends, and when it goes on every lease begins anew, which is what a new leader of etcd does. It can be put back
 * as it was when a backup was made: revisions, documents and leases are old ones then, as with etcd.
 */
import type { Env, Timer } from '../env.ts'
import { type Committed, DocumentStore, type StoreImage } from './document-store.ts'
import type { Change, Condition, Coordinator, Lease, Reading, Revision, Told, WatchEvents } from './port.ts'

export type MemoryClock = Pick<Env, 'monoMs' | 'after'>

/** Looked at with every call, so that a simulator may change them. */
export interface ConnectionSettings {
  /** A call is answered by then, milliseconds. A watch that is cut off for so long is lost. */
  readonly deadlineMs: number
  /** From the node to the store, and the same back, milliseconds. */
  readonly delayMs: number
}

/** What all nodes share. */
export class MemoryStore {
  readonly clock: MemoryClock
  #documents = new DocumentStore()
  readonly #connections = new Set<MemoryCoordinator>()
  #grants = 0
  #isHalted = false
  #expiry: Timer | undefined

  constructor(clock: MemoryClock) {
    this.clock = clock
  }

  connect(settings: ConnectionSettings): MemoryCoordinator {
    const connection = new MemoryCoordinator(this, settings)
    this.#connections.add(connection)
    return connection
  }

  disconnect(connection: MemoryCoordinator): void {
    this.#connections.delete(connection)
  }

  get isHalted(): boolean {
    return this.#isHalted
  }

  halt(): void {
    this.#isHalted = true
    this.#expiry?.cancel()
  }

  /** After `halt`. */
  goOn(): void {
    this.#isHalted = false
    this.#documents.renewAll(this.clock.monoMs())
    this.#settle()
  }

  backup(): StoreImage {
    return structuredClone(this.#documents.image)
  }

  /** Puts a backup in the place of what is stored. All leases of then begin anew, and every watch is lost. */
  restore(backup: StoreImage): void {
    this.#documents = new DocumentStore(structuredClone(backup))
    for (const connection of this.#connections) connection.loseWatches('the store was restored from a backup')
    this.goOn()
  }

  /** For connections: asks or changes what is stored now. The store must not be halted. */
  perform<Result>(task: (documents: DocumentStore, nowMs: number) => Result): Result {
    const nowMs = this.clock.monoMs()
    this.#documents.expire(nowMs)
    const result = task(this.#documents, nowMs)
    this.#settle()
    return result
  }

  grant(ttlMs: number): Lease {
    return this.perform((documents, nowMs) => documents.grant(String(++this.#grants), ttlMs, nowMs))
  }

  /** Tells the watches, and comes back when the next lease ends. */
  #settle(): void {
    for (const connection of this.#connections) connection.storeChanged(this.#documents)
    this.#expiry?.cancel()
    const { nextEndMs } = this.#documents
    if (nextEndMs === Number.POSITIVE_INFINITY) return
    this.#expiry = this.clock.after(nextEndMs - this.clock.monoMs(), () => this.perform(() => {}))
  }
}

/** The connection of one node. */
export class MemoryCoordinator implements Coordinator {
  readonly description = 'in memory'
  readonly settings: ConnectionSettings
  readonly clock: MemoryClock
  readonly #store: MemoryStore
  readonly #watches = new Set<MemoryWatch>()
  #cut: 'not' | 'answers' | 'both' = 'not'
  #isClosed = false

  constructor(store: MemoryStore, settings: ConnectionSettings) {
    this.#store = store
    this.settings = settings
    this.clock = store.clock
  }

  /** Nothing arrives here any more, and nothing at the store, unless only `answers` are cut off. */
  cut(what: 'answers' | 'both' = 'both'): void {
    if (this.#cut === 'not') for (const watch of this.#watches) watch.cut()
    this.#cut = what
  }

  /** After `cut`. A watch that was not lost yet is told what it missed. */
  heal(): void {
    this.#cut = 'not'
    if (!this.#isClosed && !this.#store.isHalted) this.#store.perform(() => {})
  }

  read(prefix: string, told: Told<Reading>): void {
    this.#call(told, () => this.#store.perform((documents) => documents.read(prefix)))
  }

  commit(conditions: readonly Condition[], changes: readonly Change[], told: Told<Committed>): void {
    this.#call(told, () => this.#store.perform((documents) => documents.commit(conditions, changes)))
  }

  grant(ttlMs: number, told: Told<Lease>): void {
    this.#call(told, () => this.#store.grant(ttlMs))
  }

  renew({ id }: Lease, told: Told<boolean>): void {
    this.#call(told, () => this.#store.perform((documents, nowMs) => documents.renew(id, nowMs)))
  }

  revoke({ id }: Lease, told: Told<void>): void {
    this.#call(told, () => this.#store.perform((documents) => documents.revoke(id)))
  }

  watch(prefix: string, after: Revision, events: WatchEvents): { cancel(): void } {
    const watch = new MemoryWatch(this, prefix, after, events)
    const end = (): void => {
      watch.end()
      this.#watches.delete(watch)
    }
    if (this.#isClosed) return { cancel: end }
    this.#watches.add(watch)
    if (this.#cut !== 'not') watch.cut()
    else if (!this.#store.isHalted) this.#store.perform((documents) => watch.send(documents))
    return { cancel: end }
  }

  close(): void {
    this.#isClosed = true
    this.#store.disconnect(this)
    for (const watch of this.#watches) watch.end()
    this.#watches.clear()
  }

  /** For the store. */
  storeChanged(documents: DocumentStore): void {
    if (this.#cut !== 'not') return
    for (const watch of this.#watches) watch.send(documents)
  }

  /** For the store. */
  loseWatches(sentence: string): void {
    for (const watch of [...this.#watches]) watch.lose(sentence)
  }

  /** For watches. */
  forget(watch: MemoryWatch): void {
    this.#watches.delete(watch)
  }

  #call<Result>(told: Told<Result>, task: () => Result): void {
    if (this.#isClosed) return
    const { deadlineMs, delayMs } = this.settings
    let isAnswered = false
    const answer = (give: () => void): void => {
      if (isAnswered || this.#isClosed) return
      isAnswered = true
      deadline.cancel()
      give()
    }
    const deadline = this.clock.after(deadlineMs, () => {
      const sentence = `the coordinator did not answer within ${deadlineMs} ms`
      answer(() => told({ ok: false, failure: { code: 'timeout', sentence } }))
    })
    this.clock.after(delayMs, () => {
      if (this.#cut === 'both' || this.#store.isHalted) return
      const result = task()
      this.clock.after(delayMs, () => {
        if (this.#cut === 'not') answer(() => told({ ok: true, result }))
      })
    })
  }
}

/** Events on their way to a node. What a cut has swallowed is sent again, if it heals in time. */
class MemoryWatch {
  readonly #connection: MemoryCoordinator
  readonly #prefix: string
  readonly #events: WatchEvents
  /** Everything up to here has left the store, or has arrived. */
  #sent: Revision
  #arrived: Revision
  /** In the order in which they left, whatever becomes of the delay. */
  #onTheWay: (() => void)[] = []
  #loss: Timer | undefined
  #isEnded = false

  constructor(connection: MemoryCoordinator, prefix: string, after: Revision, events: WatchEvents) {
    this.#connection = connection
    this.#prefix = prefix
    this.#events = events
    this.#sent = after
    this.#arrived = after
  }

  send(documents: DocumentStore): void {
    if (this.#isEnded) return
    this.#loss?.cancel()
    const { revision } = documents
    if (revision === this.#sent) return
    const changes = documents.changesBehind(this.#prefix, this.#sent)
    this.#sent = revision
    this.#dispatch(() => {
      this.#arrived = revision
      if (changes === undefined) this.#lose('the store does not go back that far')
      else if (changes.length > 0) this.#events.changed(changes)
    })
  }

  cut(): void {
    this.#onTheWay = []
    this.#sent = this.#arrived
    const { clock, settings } = this.#connection
    this.#loss = clock.after(settings.deadlineMs, () => this.#lose('the coordinator is out of reach'))
  }

  end(): void {
    this.#isEnded = true
    this.#loss?.cancel()
  }

  /** Told after the time that it takes from the store to here. */
  lose(sentence: string): void {
    this.#dispatch(() => this.#lose(sentence))
  }

  #dispatch(arrive: () => void): void {
    const queue = this.#onTheWay
    queue.push(arrive)
    this.#connection.clock.after(this.#connection.settings.delayMs, () => {
      // A cut has put another queue in the place of this one.
      if (queue === this.#onTheWay && !this.#isEnded) queue.shift()!()
    })
  }

  #lose(sentence: string): void {
    this.#isEnded = true
    this.#connection.forget(this)
    this.#events.lost(sentence)
  }
}
