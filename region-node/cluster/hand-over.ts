/**
 * hand-over.ts: waits until another member lacks nothing, with clients' writes held back.
 *
 * Every millisecond of it is one that clients wait, so it looks often, and gives up in time.
 *
 * Under synchronous replication replies wait for all that are in sync, and not only for the one that takes over. What
 * still waits when the primary ends is never answered: its connection is closed. So the others are given a moment
 * to acknowledge as well, and no more than that: one of them may hang.
 */
import type { Env, Timer } from '../env.ts'
import type { Member } from './member.ts'

/** From one look to the next. */
const LOOK_MS = 2
/** How long others than the target may take to have everything. */
const OTHERS_MS_MAX = 100

export class HandOver {
  readonly #target: string
  readonly #member: Member
  readonly #env: Pick<Env, 'monoMs' | 'after'>
  readonly #timeoutMs: number
  readonly #endMs: number
  readonly #othersEndMs: number
  readonly #inSync: () => readonly string[]
  readonly #mayGo: () => boolean
  readonly #over: (failure?: string) => void
  #timer: Timer | undefined

  /**
   * Writes are paused from now on; whoever is told ends the pause.
   * @param timeoutMs  how long to wait at most
   * @param inSync  those that replies may wait for, the target among them
   * @param mayGo  asked besides: nothing else is on its way that the hand-over would collide with
   * @param over  once, in a later turn; with the reason when the target still lacks something
   */
  constructor(
    target: string,
    timeoutMs: number,
    member: Member,
    env: Pick<Env, 'monoMs' | 'after'>,
    inSync: () => readonly string[],
    mayGo: () => boolean,
    over: (failure?: string) => void,
  ) {
    this.#target = target
    this.#member = member
    this.#env = env
    this.#timeoutMs = timeoutMs
    this.#endMs = env.monoMs() + timeoutMs
    this.#othersEndMs = env.monoMs() + OTHERS_MS_MAX
    this.#inSync = inSync
    this.#mayGo = mayGo
    this.#over = over
    member.pauseWrites()
    this.#lookSoon()
  }

  cancel(reason: string): void {
    this.#timer?.cancel()
    this.#over(reason)
  }

  #lookSoon(): void {
    this.#timer = this.#env.after(LOOK_MS, () => this.#look())
  }

  #look(): void {
    const nowMs = this.#env.monoMs()
    const isTime = nowMs >= this.#othersEndMs || this.#inSync().every((nodeId) => this.#hasAll(nodeId))
    if (isTime && this.#hasAll(this.#target) && this.#mayGo()) this.#over()
    else if (nowMs < this.#endMs) this.#lookSoon()
    else this.#over(`${this.#target} did not catch up within ${this.#timeoutMs} ms`)
  }

  #hasAll(nodeId: string): boolean {
    const replica = this.#member.replicas().find((one) => one.nodeId === nodeId)
    return replica?.isConnected === true && replica.lagOps === 0
  }
}
