/**
 * lease-keeper.ts: the one lease of a node: granted, renewed, given back, and until when it may be counted on.
 *
 * A renewal is counted from when it was sent: the coordinator cannot have begun the new term of the lease before.
 * That the lease is gone is only ever the coordinator's word; while that is out of reach the lease is unknown, and
 * the deadline tells what may still be done under it.
 * Source: the rule is that of TiKV's placement driver, `pkg/election/lease.go`.
 */

import type { Coordinator, Lease } from '../coordinator/port.ts'
import type { Env, Timer } from '../env.ts'
import type { LeaseClock } from './lease-clock.ts'
import type { DetectionProfile } from './profiles.ts'
import { Retry } from './retry.ts'

export interface LeaseEvents {
  granted(lease: Lease): void
  /** All that was under it is gone. Another one is asked for. */
  lost(): void
}

export class LeaseKeeper {
  readonly #coordinator: Coordinator
  readonly #env: Pick<Env, 'after'>
  readonly #clock: LeaseClock
  readonly #profile: DetectionProfile
  readonly #events: LeaseEvents
  readonly #retry: Retry
  #lease: Lease | undefined
  #deadlineMs = Number.NEGATIVE_INFINITY
  #timer: Timer | undefined
  /** Of the call that is awaited: answers to an earlier one come too late. */
  #attempt = 0

  constructor(
    coordinator: Coordinator,
    env: Pick<Env, 'after' | 'random'>,
    clock: LeaseClock,
    profile: DetectionProfile,
    events: LeaseEvents,
  ) {
    this.#coordinator = coordinator
    this.#env = env
    this.#clock = clock
    this.#profile = profile
    this.#events = events
    this.#retry = new Retry(() => env.random())
  }

  /** Undefined: there is none. */
  get lease(): Lease | undefined {
    return this.#lease
  }

  /** Until when nobody else can hold what is under the lease, lease time. */
  get deadlineMs(): number {
    return this.#deadlineMs
  }

  grant(): void {
    const attempt = ++this.#attempt
    const sentMs = this.#clock.nowMs()
    this.#coordinator.grant(this.#profile.ttlMs, (answer) => {
      if (attempt !== this.#attempt) return
      if (!answer.ok) {
        this.#later(this.#retry.delayMs(), () => this.grant())
        return
      }
      this.#lease = answer.result
      this.#extend(answer.result, sentMs)
      this.#events.granted(answer.result)
    })
  }

  /** Gives the lease back, with all that is under it; another one is asked for. */
  renounce(): void {
    if (this.#lease !== undefined) this.#coordinator.revoke(this.#lease, () => {})
    this.#lose()
  }

  /**
   * Gives it back for good.
   * @param done  when the coordinator has answered, in whatever way
   */
  end(done: () => void): void {
    const lease = this.#lease
    this.close()
    if (lease === undefined) done()
    else this.#coordinator.revoke(lease, () => done())
  }

  /** Leaves the lease to run out. */
  close(): void {
    this.#attempt++
    this.#timer?.cancel()
    this.#lease = undefined
    this.#deadlineMs = Number.NEGATIVE_INFINITY
  }

  #renew(lease: Lease): void {
    const attempt = ++this.#attempt
    const sentMs = this.#clock.nowMs()
    this.#coordinator.renew(lease, (answer) => {
      if (attempt !== this.#attempt) return
      if (!answer.ok) this.#later(this.#retry.delayMs(), () => this.#renew(lease))
      else if (answer.result) this.#extend(lease, sentMs)
      else this.#lose()
    })
  }

  #extend(lease: Lease, sentMs: number): void {
    this.#retry.succeeded()
    this.#deadlineMs = sentMs + lease.ttlMs - this.#profile.marginMs
    const spentMs = this.#clock.nowMs() - sentMs
    this.#later(this.#profile.renewMs - spentMs, () => this.#renew(lease))
  }

  #lose(): void {
    this.close()
    this.#events.lost()
    this.grant()
  }

  #later(delayMs: number, task: () => void): void {
    this.#timer?.cancel()
    this.#timer = this.#env.after(Math.max(0, delayMs), task)
  }
}
