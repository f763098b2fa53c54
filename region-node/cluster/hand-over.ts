/**
 * hand-over.ts: waits until another member lacks nothing, with clients' writes held back.
 *
 * Every millisecond of it is one that clients wait, so it looks often, and gives up in time.
 *
 * Under synchronous replication replies wait for all that are in sync, and not only for the one that takes over; under
 * `appendfsync always` they wait for disks. What still waits when the primary ends is never answered: its connection is
 * closed. So replies are given a moment to leave, those to writes a longer one, which may not be sent again; and no more
 * than that: one of the others may hang. Reads go on and may have seen what another region has just sent, so while that
 * writes there may always be some that wait.
 */
import type { Env, Timer } from '../env.ts'
import type { Member } from './member.ts'

/** From one look to the next. */
const LOOK_MS = 2
/** How long replies to reads may take, and to writes that ran before the pause. */
const READS_MS_MAX = 50
const WRITES_MS_MAX = 300

export class HandOver {
  readonly #target: string
  readonly #member: Member
  readonly #env: Pick<Env, 'monoMs' | 'after'>
  readonly #timeoutMs: number
  readonly #endMs: number
  readonly #beganMs: number
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
    this.#beganMs = env.monoMs()
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
    if (this.#isAnswered(nowMs - this.#beganMs) && this.#hasAllOps() && this.#mayGo()) this.#over()
    else if (nowMs < this.#endMs) this.#lookSoon()
    else this.#over(`${this.#target} did not catch up within ${this.#timeoutMs} ms`)
  }

  #isAnswered(sinceMs: number): boolean {
    const { unanswered } = this.#member
    if (unanswered === 'none') return true
    return sinceMs >= (unanswered === 'reads' ? READS_MS_MAX : WRITES_MS_MAX)
  }

  #hasAllOps(): boolean {
    const replica = this.#member.replicas().find(({ nodeId }) => nodeId === this.#target)
    return replica?.isConnected === true && replica.lagOps === 0
  }
}
