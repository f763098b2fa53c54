/**
 * machine.ts: a machine of a region: runs the nodes that the placements name it for, says which copies it holds, and is
 * ready to be the one that carries placements out.
 *
 * Nodes elect and fail over without it: a machine whose coordinator is away, or whose lease is gone, leaves its nodes as
 * they are. It starts nothing before it is registered by its name: two machines of one name would run one copy twice.
 */
import { isName, type Keys } from '../cluster/documents.ts'
import { LeaseClock } from '../cluster/lease-clock.ts'
import { LeaseKeeper } from '../cluster/lease-keeper.ts'
import type { DetectionProfile } from '../cluster/profiles.ts'
import type { Coordinator } from '../coordinator/port.ts'
import type { Env, Timer } from '../env.ts'
import type { MachineDocument } from '../placement/documents.ts'
import type { Folders, StartChild } from './children.ts'
import { Controller, type SayToNode } from './controller.ts'
import { Copies } from './copies.ts'
import { Outlook } from './outlook.ts'
import { Posting } from './posting.ts'

/** From one look at everything to the next, if nothing happens. */
const BEAT_MS = 200

export interface MachineParts {
  readonly coordinator: Coordinator
  readonly env: Pick<Env, 'wallMs' | 'monoMs' | 'after' | 'random'>
  readonly startChild: StartChild
  readonly folders: Folders
  readonly sayToNode: SayToNode
  /** For the log. */
  readonly report: (sentence: string) => void
}

export interface MachineOptions {
  readonly keys: Keys
  readonly profile: DetectionProfile
  readonly self: Omit<MachineDocument, 'held'>
  /** Behind `causeway node`. */
  readonly wordsOf: (partition: number, partitions: number) => readonly string[]
}

export class Machine {
  readonly #parts: MachineParts
  readonly #options: MachineOptions
  readonly #outlook: Outlook
  readonly #lease: LeaseKeeper
  readonly #posting: Posting
  readonly #copies: Copies
  readonly #controller: Controller
  #beatTimer: Timer | undefined
  #stopped: (() => void) | undefined

  /** @throws DiskError */
  constructor(parts: MachineParts, options: MachineOptions) {
    const { coordinator, env, startChild, folders, sayToNode, report } = parts
    const { keys, profile, self } = options
    if (!isName(self.name)) throw new Error(`'${self.name}' is no name: it takes letters, digits and _ . : -`)
    this.#parts = parts
    this.#options = options
    this.#outlook = new Outlook(coordinator, env, keys, { changed: () => this.#look(), noted: report })
    this.#lease = new LeaseKeeper(coordinator, env, new LeaseClock(env), profile, {
      granted: () => this.#look(),
      lost: () => this.#leaseLost(),
    })
    this.#posting = new Posting(coordinator, env, this.#outlook, report)
    const changed = (): void => this.#look()
    this.#copies = new Copies(this.#outlook, { env, startChild, folders, report, changed }, options)
    this.#controller = new Controller(self.name, {
      ...{ coordinator, env, outlook: this.#outlook, profile, sayToNode, report },
    })
  }

  start(): void {
    this.#outlook.read()
    this.#lease.grant()
    this.#beat()
  }

  /** Ends its nodes in order, and gives the lease back. */
  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#stopped = resolve
      this.#copies.halt()
      this.#endWhenAlone()
    })
  }

  #beat(): void {
    this.#beatTimer = this.#parts.env.after(BEAT_MS, () => this.#beat())
    this.#look()
    if (this.#stopped === undefined)
      this.#controller.look(this.#posting.hasSucceeded ? this.#lease.lease : undefined)
  }

  #leaseLost(): void {
    this.#posting.lost()
    // A coordinator that was restored from a backup knows nothing of the lease, and has other documents.
    this.#outlook.read()
  }

  #look(): void {
    if (this.#stopped !== undefined) {
      this.#endWhenAlone()
      return
    }
    if (!this.#outlook.hasRead) return
    if (this.#posting.hasSucceeded) this.#copies.look()
    const { lease } = this.#lease
    if (lease === undefined) return
    const machine = { ...this.#options.self, held: this.#copies.held }
    this.#posting.refresh(machine, lease, () => this.#look())
  }

  #endWhenAlone(): void {
    const stopped = this.#stopped
    if (stopped === undefined || this.#copies.processes > 0) return
    this.#beatTimer?.cancel()
    this.#outlook.close()
    this.#lease.end(stopped)
  }
}
