/**
 * replica-waits.ts: WAIT and WAITAOF: who waits until replicas have what is applied here now.
 *
 * WAIT counts replicas that have written it to their log, WAITAOF those that have it on disk, and this node among
 * the local ones once it has. Other regions are not counted: CRDT.WAIT asks them.
 *
 * Invariant: a wait ends once: when there are enough, by its time, or by `cancel`, which calls nobody.
 */
import type { VersionVector } from '../../crdt/version-vector.ts'
import type { Timer } from '../../sync/ports.ts'
import type { Replicas } from '../../sync/replicas.ts'

/** How many a wait asks for. */
export interface Wanted {
  /** 1: this node must have it on disk. */
  readonly local: number
  readonly replicas: number
  readonly what: 'applied' | 'durable'
}

export interface Counts {
  readonly local: number
  readonly replicas: number
}

interface Wait {
  readonly target: VersionVector
  readonly wanted: Wanted
  readonly done: (counts: Counts) => void
  timer: Timer | undefined
}

export interface ReplicaWaitPorts {
  readonly replicas: () => Replicas
  /** What is fsynced here. */
  readonly durable: () => VersionVector
  after(delayMs: number, task: () => void): Timer
  /** Asks for an fsync soon. */
  hurry(): void
}

export class ReplicaWaits {
  readonly #ports: ReplicaWaitPorts
  readonly #waits = new Set<Wait>()

  constructor(ports: ReplicaWaitPorts) {
    this.#ports = ports
  }

  /** How many have `target` now. */
  count(target: VersionVector, what: Wanted['what']): Counts {
    const { durable, replicas } = this.#ports
    return { local: Number(durable().covers(target)), replicas: replicas().countOf(target, what) }
  }

  /**
   * @param timeoutMs  0 waits without end
   * @param done  called once, perhaps at once
   * @returns what forgets about it
   */
  begin(
    target: VersionVector,
    wanted: Wanted,
    timeoutMs: number,
    done: (counts: Counts) => void,
  ): () => void {
    const wait: Wait = { target, wanted, done, timer: undefined }
    if (this.#isMet(wait)) {
      done(this.count(target, wanted.what))
      return () => {}
    }
    this.#waits.add(wait)
    if (timeoutMs > 0) wait.timer = this.#ports.after(timeoutMs, () => this.#finish(wait))
    if (wanted.what === 'durable') {
      this.#ports.hurry()
      for (const link of this.#ports.replicas().links()) link.hurry(target)
    }
    return () => {
      wait.timer?.cancel()
      this.#waits.delete(wait)
    }
  }

  #isMet({ target, wanted }: Wait): boolean {
    const { local, replicas } = this.count(target, wanted.what)
    return local >= wanted.local && replicas >= wanted.replicas
  }

  /** A replica has acknowledged, or this node has fsynced. */
  look(): void {
    for (const wait of this.#waits) if (this.#isMet(wait)) this.#finish(wait)
  }

  #finish(wait: Wait): void {
    wait.timer?.cancel()
    if (this.#waits.delete(wait)) wait.done(this.count(wait.target, wait.wanted.what))
  }

  stop(): void {
    for (const wait of [...this.#waits]) this.#finish(wait)
  }
}
