/**
 * client.ts: a coordinator as tests talk to it: calls are awaited, and what a watch says is written down.
 *
 * Holds every engine to what the port says of all calls: no answer before the call has returned, and no second
 * one.
 */
import type {
  Answer,
  Change,
  Condition,
  Coordinator,
  Event,
  Lease,
  Reading,
  Revision,
  Told,
} from '../../region-node/coordinator/port.ts'

/** Lets time pass, real or virtual, until it is so. Rejects when that takes too long. */
export type Until = (isSo: () => boolean) => Promise<void>

export class Client {
  readonly coordinator: Coordinator
  readonly #until: Until

  constructor(coordinator: Coordinator, until: Until) {
    this.coordinator = coordinator
    this.#until = until
  }

  async read(prefix: string): Promise<Reading> {
    return resultOf(await this.tryRead(prefix))
  }

  /** Keys and values only. */
  async documents(prefix: string): Promise<Record<string, string>> {
    const { entries } = await this.read(prefix)
    return Object.fromEntries(entries.map(({ key, value }) => [key, value]))
  }

  async commit(
    conditions: readonly Condition[],
    changes: readonly Change[],
  ): Promise<{ isCommitted: boolean; revision: Revision }> {
    return resultOf(await this.tryCommit(conditions, changes))
  }

  /** Puts one document, whatever is there. @returns its revision */
  async put(key: string, value: string, lease?: Lease): Promise<Revision> {
    const { isCommitted, revision } = await this.commit([], [put(key, value, lease)])
    if (!isCommitted) throw new Error(`${key} was not put`)
    return revision
  }

  async grant(ttlMs: number): Promise<Lease> {
    return resultOf(await this.tryGrant(ttlMs))
  }

  async renew(lease: Lease): Promise<boolean> {
    return resultOf(await this.tryRenew(lease))
  }

  async revoke(lease: Lease): Promise<void> {
    return resultOf(await this.tryRevoke(lease))
  }

  tryRead(prefix: string): Promise<Answer<Reading>> {
    return this.#ask((told) => this.coordinator.read(prefix, told))
  }

  tryCommit(
    conditions: readonly Condition[],
    changes: readonly Change[],
  ): Promise<Answer<{ readonly isCommitted: boolean; readonly revision: Revision }>> {
    return this.#ask((told) => this.coordinator.commit(conditions, changes, told))
  }

  tryGrant(ttlMs: number): Promise<Answer<Lease>> {
    return this.#ask((told) => this.coordinator.grant(ttlMs, told))
  }

  tryRenew(lease: Lease): Promise<Answer<boolean>> {
    return this.#ask((told) => this.coordinator.renew(lease, told))
  }

  tryRevoke(lease: Lease): Promise<Answer<void>> {
    return this.#ask((told) => this.coordinator.revoke(lease, told))
  }

  watch(prefix: string, after: Revision): Watched {
    return new Watched(this.coordinator, this.#until, prefix, after)
  }

  async #ask<Result>(call: (told: Told<Result>) => void): Promise<Answer<Result>> {
    const answers: Answer<Result>[] = []
    let hasReturned = false
    call((answer) => {
      if (!hasReturned) throw new Error('answered before the call returned')
      answers.push(answer)
      if (answers.length > 1) throw new Error('answered twice')
    })
    hasReturned = true
    await this.#until(() => answers.length > 0)
    return answers[0]!
  }
}

/** A watch and what it has said. */
export class Watched {
  readonly events: Event[] = []
  readonly losses: string[] = []
  /** How often it spoke. */
  calls = 0
  readonly cancel: () => void
  readonly #until: Until

  constructor(coordinator: Coordinator, until: Until, prefix: string, after: Revision) {
    this.#until = until
    let hasReturned = false
    const { cancel } = coordinator.watch(prefix, after, {
      changed: (events) => {
        if (!hasReturned) throw new Error('an event before the call returned')
        this.calls++
        this.events.push(...events)
      },
      lost: (sentence) => {
        if (!hasReturned) throw new Error('lost before the call returned')
        this.losses.push(sentence)
      },
    })
    hasReturned = true
    this.cancel = cancel
  }

  /** Waits for so many events. @returns them as `key=value`, deleted ones as `key-` */
  async told(count: number): Promise<string[]> {
    await this.#until(() => this.events.length >= count)
    return this.events.map(({ key, value }) => (value === undefined ? `${key}-` : `${key}=${value}`))
  }

  async lost(): Promise<void> {
    await this.#until(() => this.losses.length > 0)
  }
}

export function put(key: string, value: string, lease?: Lease): Change {
  return lease === undefined ? { do: 'put', key, value } : { do: 'put', key, value, lease }
}

export function remove(key: string): Change {
  return { do: 'delete', key }
}

export function resultOf<Result>(answer: Answer<Result>): Result {
  if (answer.ok) return answer.result
  throw new Error(`${answer.failure.code}: ${answer.failure.sentence}`)
}
