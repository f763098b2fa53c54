/**
 * posting.ts: keeps the document of this machine under its lease, and up to date.
 *
 * Two machines of one name would be taken for one. Whoever comes later waits until the other one is gone; one that was
 * started anew at the same address is no other.
 */
import type { Coordinator, Lease } from '../coordinator/port.ts'
import type { Env } from '../env.ts'
import { encodePlacing, type MachineDocument } from '../placement/documents.ts'
import type { Outlook } from './outlook.ts'

/** From one try to the next. */
const RETRY_MS = 200

export class Posting {
  readonly #coordinator: Coordinator
  readonly #env: Pick<Env, 'monoMs'>
  readonly #outlook: Outlook
  readonly #report: (sentence: string) => void
  /** The lease that it was put under last. */
  #leaseId = ''
  #sentMs = Number.NEGATIVE_INFINITY
  #isBusy = false
  #hasSucceeded = false
  #isTaken = false

  constructor(
    coordinator: Coordinator,
    env: Pick<Env, 'monoMs'>,
    outlook: Outlook,
    report: (sentence: string) => void,
  ) {
    this.#coordinator = coordinator
    this.#env = env
    this.#outlook = outlook
    this.#report = report
  }

  /** This machine was registered by its name, in this life of it. */
  get hasSucceeded(): boolean {
    return this.#hasSucceeded
  }

  /** The lease is gone, and the document with it. */
  lost(): void {
    this.#leaseId = ''
  }

  /** Stores the document when it has changed. @param done  it is stored */
  refresh(machine: MachineDocument, lease: Lease, done: () => void): void {
    const nowMs = this.#env.monoMs()
    const text = encodePlacing(machine)
    if (this.#isBusy || nowMs - this.#sentMs < RETRY_MS || this.#isTakenBy(machine)) return
    if (this.#leaseId === lease.id && this.#isKnown(machine.name, text)) return
    this.#isBusy = true
    this.#sentMs = nowMs
    const key = this.#outlook.keys.machine(machine.name)
    this.#coordinator.commit([], [{ do: 'put', key, value: text, lease }], (answer) => {
      this.#isBusy = false
      if (!answer.ok || !answer.result.isCommitted) return
      this.#leaseId = lease.id
      this.#hasSucceeded = true
      done()
    })
  }

  /** A coordinator that was put back from a backup may hold an earlier one, under the same lease. */
  #isKnown(name: string, text: string): boolean {
    const known = this.#outlook.placing.machines.get(name)
    return known !== undefined && encodePlacing(known) === text
  }

  /** Another machine has the name. */
  #isTakenBy({ name, host, firstPort }: MachineDocument): boolean {
    const other = this.#outlook.placing.machines.get(name)
    const isTaken = other !== undefined && (other.host !== host || other.firstPort !== firstPort)
    if (isTaken && !this.#isTaken)
      this.#report(
        `a machine at ${other.host}, from port ${other.firstPort} on, has the name ${name}: this one waits until it ` +
          'is gone; give each machine a name of its own',
      )
    this.#isTaken = isTaken
    return isTaken
  }
}
