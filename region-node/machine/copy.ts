/**
 * copy.ts: one copy of a partition on this machine: a folder, and the process of its node while it is to run.
 *
 * Invariants: (1) There is one process of a copy at most: the next one is started when the last one has ended, and one
 * that a former life of this machine has left holds the lock of the folder, so that a second one ends at once and is
 * tried again. (2) A copy is discarded only when no process of it runs.
 */
import type { Env, Timer } from '../env.ts'
import type { Child, Folders, StartChild } from './children.ts'
import { Restarts, WELL_MS } from './restarts.ts'

/** An orderly stop that takes longer is no stop. */
const STOP_MS_MAX = 30_000

export interface CopyParts {
  readonly env: Pick<Env, 'monoMs' | 'after'>
  readonly startChild: StartChild
  readonly folders: Folders
  /** For the log. */
  readonly report: (sentence: string) => void
  /** Its process has ended. */
  readonly changed: () => void
}

export class Copy {
  readonly partition: number
  readonly #parts: CopyParts
  readonly #restarts = new Restarts()
  #nodeId = ''
  /** What it is started with, when it is to run. */
  #words: readonly string[] | undefined
  #child: Child | undefined
  #startedMs = 0
  #restart: Timer | undefined
  #limit: Timer | undefined
  /** Why it could not be discarded, as it was said last. */
  #refusal: string | undefined

  constructor(partition: number, parts: CopyParts) {
    this.partition = partition
    this.#parts = parts
  }

  /** '' while none has begun in the folder. */
  get nodeId(): string {
    if (this.#nodeId === '') this.#nodeId = this.#parts.folders.nodeIdIn(this.partition)
    return this.#nodeId
  }

  /** There is a process, although it may be ending. */
  get hasProcess(): boolean {
    return this.#child !== undefined
  }

  /** It is to run; if its process ends, another one is started. */
  get isWanted(): boolean {
    return this.#words !== undefined
  }

  /** It is to run, and starts do not help. */
  get isHopeless(): boolean {
    const runsWell = this.#child !== undefined && this.#parts.env.monoMs() - this.#startedMs >= WELL_MS
    return this.isWanted && this.#restarts.isHopeless && !runsWell
  }

  run(words: readonly string[]): void {
    this.#words = words
    if (this.#child === undefined && this.#restart === undefined) this.#start()
  }

  /** Ends its process in order, or by force if that takes too long. */
  halt(): void {
    this.#words = undefined
    this.#restart?.cancel()
    this.#restart = undefined
    const child = this.#child
    if (child === undefined || this.#limit !== undefined) return
    this.#limit = this.#parts.env.after(STOP_MS_MAX, () => {
      this.#parts.report(`the node of partition ${this.partition} does not end in order: it is killed`)
      child.kill()
    })
    child.stop()
  }

  /** While no process of it runs. @returns whether it is gone; if not, it may be tried again */
  discard(): boolean {
    const { folders, report } = this.#parts
    const refusal = folders.discard(this.partition)
    if (refusal !== undefined && refusal !== this.#refusal)
      report(`the copy of partition ${this.partition} was let go, but stays on the disk: ${refusal}`)
    this.#refusal = refusal
    return refusal === undefined
  }

  #start(): void {
    const { env, startChild, report } = this.#parts
    this.#restart = undefined
    this.#startedMs = env.monoMs()
    report(`starts a node of partition ${this.partition}`)
    this.#child = startChild(this.#words!, (how) => this.#ended(how))
  }

  #ended(how: string): void {
    const { env, report, changed } = this.#parts
    this.#child = undefined
    this.#limit?.cancel()
    this.#limit = undefined
    if (this.#words === undefined) {
      report(`the node of partition ${this.partition} has ended`)
    } else {
      const delayMs = this.#restarts.ended(env.monoMs() - this.#startedMs)
      const seconds = (delayMs / 1000).toFixed(1)
      report(
        `the node of partition ${this.partition} has ended by itself (${how}): again in ${seconds} seconds`,
      )
      this.#restart = env.after(delayMs, () => this.#start())
    }
    changed()
  }
}
