/**
 * durable-waits.ts: who waits until the connected peers have something on disk: WAIT and CRDT.WAIT.
 *
 * Invariant: a wait ends once: by its peers, by its time, or by `cancel`, and only the first two call `done`.
 */
import type { VersionVector } from '../crdt/version-vector.ts'
import type { Timer } from './ports.ts'

interface DurableWait {
  readonly target: VersionVector
  readonly done: (count: number) => void
  timer: Timer | undefined
}

/** A peer, as a wait looks at it. */
export interface WaitedPeer {
  /** It pulls from this node. */
  readonly isConnected: boolean
  /** What it has fsynced; undefined when it never said. */
  readonly durable: VersionVector | undefined
}

export interface DurableWaitPorts {
  readonly peers: () => Iterable<WaitedPeer>
  /** Runs once after `delayMs`. */
  after(delayMs: number, task: () => void): Timer
}

export class DurableWaits {
  readonly #ports: DurableWaitPorts
  readonly #waits = new Set<DurableWait>()

  constructor(ports: DurableWaitPorts) {
    this.#ports = ports
  }

  /** How many peers have acknowledged all of `target` as fsynced. */
  count(target: VersionVector): number {
    let count = 0
    for (const { durable } of this.#ports.peers()) if (durable?.covers(target)) count++
    return count
  }

  /** @param hurry  makes the peers that lack it hurry; called when it is not met yet */
  begin(
    target: VersionVector,
    timeoutMs: number,
    done: (count: number) => void,
    hurry: () => void,
  ): { cancel(): void } {
    const wait: DurableWait = { target, done, timer: undefined }
    this.#waits.add(wait)
    if (this.#isMet(wait)) {
      wait.timer = this.#ports.after(0, () => this.#finish(wait))
    } else {
      if (timeoutMs > 0) wait.timer = this.#ports.after(timeoutMs, () => this.#finish(wait))
      hurry()
    }
    return {
      cancel: () => {
        wait.timer?.cancel()
        this.#waits.delete(wait)
      },
    }
  }

  #isMet({ target }: DurableWait): boolean {
    for (const { isConnected, durable } of this.#ports.peers())
      if (isConnected && !durable?.covers(target)) return false
    return true
  }

  #finish(wait: DurableWait): void {
    wait.timer?.cancel()
    if (this.#waits.delete(wait)) wait.done(this.count(wait.target))
  }

  /** A peer has acknowledged, or gone. */
  finishMet(): void {
    for (const wait of this.#waits) if (this.#isMet(wait)) this.#finish(wait)
  }

  stop(): void {
    for (const wait of this.#waits) wait.timer?.cancel()
    this.#waits.clear()
  }
}
