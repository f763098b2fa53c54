/**
 * hand-over.ts: waits until another member lacks nothing, with clients' writes held back.
 *
 * Every millisecond of it is one that clients wait, so it looks often, and gives up in time.
 */
import type { Env, Timer } from '../env.ts'
import type { Member } from './member.ts'

/** From one look to the next. */
const LOOK_MS = 2

export class HandOver {
  readonly #target: string
  readonly #member: Member
  readonly #env: Pick<Env, 'monoMs' | 'after'>
  readonly #timeoutMs: number
  readonly #endMs: number
  readonly #mayGo: () => boolean
  readonly #over: (failure?: string) => void
  #timer: Timer | undefined

  /**
   * Writes are paused from now on; whoever is told ends the pause.
   * @param timeoutMs  how long to wait at most
   * @param mayGo  asked besides: nothing else is on its way that the hand-over would collide with
   * @param over  once, in a later turn; with the reason when the target still lacks something
   */
  constructor(
    target: string,
    timeoutMs: number,
    member: Member,
    env: Pick<Env, 'monoMs' | 'after'>,
    mayGo: () => boolean,
    over: (failure?: string) => void,
  ) {
    this.#target = target
    this.#member = member
    this.#env = env
    this.#timeoutMs = timeoutMs
    this.#endMs = env.monoMs() + timeoutMs
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
    const replica = this.#member.replicas().find(({ nodeId }) => nodeId === this.#target)
    if (replica?.isConnected === true && replica.lagOps === 0 && this.#mayGo()) this.#over()
    else if (this.#env.monoMs() < this.#endMs) this.#lookSoon()
    else this.#over(`${this.#target} did not catch up within ${this.#timeoutMs} ms`)
  }
}
