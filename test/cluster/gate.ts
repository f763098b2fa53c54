/**
 * gate.ts: the coordinator as one process sees it: answers wait while its machine stands still, and the store
 * behind it may be replaced by one that was restored from a backup.
 *
 * Leases bear the number of the world they come from: a restored store knows none of those that were granted since.
 */
import type { MemoryCoordinator, MemoryStore } from '../../region-node/coordinator/memory.ts'
import type {
  Change,
  Condition,
  Coordinator,
  Lease,
  Reading,
  Revision,
  Told,
  WatchEvents,
} from '../../region-node/coordinator/port.ts'
import type { Process } from './machine.ts'

const DEADLINE_MS = 1000

/** One store after another. */
export interface World {
  readonly number: number
  readonly store: MemoryStore
}

export class Gate implements Coordinator {
  readonly description = 'in memory'
  readonly #process: Process
  readonly #delayMs: number
  readonly #watches = new Set<WatchEvents>()
  #world: World
  #connection: MemoryCoordinator
  #isCut = false

  constructor(process: Process, world: World, delayMs: number) {
    this.#process = process
    this.#world = world
    this.#delayMs = delayMs
    this.#connection = this.#connect()
  }

  cut(): void {
    this.#isCut = true
    this.#connection.cut()
  }

  heal(): void {
    this.#isCut = false
    this.#connection.heal()
  }

  /** The store is another one now: what was asked of the former one is not answered. */
  move(world: World): void {
    this.#connection.close()
    this.#world = world
    this.#connection = this.#connect()
    const watches = [...this.#watches]
    this.#watches.clear()
    for (const watch of watches) this.#process.run(() => watch.lost('the coordinator was restored'))
  }

  read(prefix: string, told: Told<Reading>): void {
    this.#connection.read(prefix, this.#once(told))
  }

  commit(
    conditions: readonly Condition[],
    changes: readonly Change[],
    told: Told<{ readonly isCommitted: boolean; readonly revision: Revision }>,
  ): void {
    const inside = changes.map((change) =>
      change.do === 'put' && change.lease !== undefined
        ? { ...change, lease: this.#inside(change.lease) }
        : change,
    )
    this.#connection.commit(conditions, inside, this.#once(told))
  }

  grant(ttlMs: number, told: Told<Lease>): void {
    const { number } = this.#world
    const outside: Told<Lease> = (answer) =>
      told(
        answer.ok ? { ok: true, result: { ...answer.result, id: `${number}-${answer.result.id}` } } : answer,
      )
    this.#connection.grant(ttlMs, this.#once(outside))
  }

  renew(lease: Lease, told: Told<boolean>): void {
    this.#connection.renew(this.#inside(lease), this.#once(told))
  }

  revoke(lease: Lease, told: Told<void>): void {
    this.#connection.revoke(this.#inside(lease), this.#once(told))
  }

  watch(prefix: string, after: Revision, events: WatchEvents): { cancel(): void } {
    this.#watches.add(events)
    const watch = this.#connection.watch(prefix, after, {
      changed: (changes) => this.#process.run(() => this.#watches.has(events) && events.changed(changes)),
      lost: (sentence) =>
        this.#process.run(() => {
          if (this.#watches.delete(events)) events.lost(sentence)
        }),
    })
    return {
      cancel: () => {
        this.#watches.delete(events)
        watch.cancel()
      },
    }
  }

  close(): void {
    this.#connection.close()
  }

  #connect(): MemoryCoordinator {
    const connection = this.#world.store.connect({ deadlineMs: DEADLINE_MS, delayMs: this.#delayMs })
    if (this.#isCut) connection.cut()
    return connection
  }

  #inside(lease: Lease): Lease {
    const [world, id] = lease.id.split('-')
    return { ...lease, id: Number(world) === this.#world.number ? id! : 'of another world' }
  }

  /** Answers when the process runs, and by its own clock in time when the store does not. */
  #once<Result>(told: Told<Result>): Told<Result> {
    let isAnswered = false
    const answer: Told<Result> = (result) => {
      if (isAnswered) return
      isAnswered = true
      deadline.cancel()
      told(result)
    }
    const sentence = 'the store was replaced'
    const deadline = this.#process.after(DEADLINE_MS + 1, () =>
      answer({ ok: false, failure: { code: 'timeout', sentence } }),
    )
    return (result) => this.#process.run(() => answer(result))
  }
}
