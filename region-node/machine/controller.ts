/**
 * controller.ts: carries out what is to be done in the region, on one of its machines at a time.
 *
 * What that is follows from the documents alone (`placement/steps.ts`): a controller keeps nothing, and when it dies
 * the next one goes on. Which machine it is decides a document under that machine's lease. Two that both take themselves
 * for it, because one has lost its lease and does not know it yet, do no harm: every change is committed on
 * condition that what it follows from is still so, and what is said to a node is checked by the node itself.
 *
 * While it does not know the documents as they are now it does nothing.
 */
import type { DetectionProfile } from '../cluster/profiles.ts'
import type { Coordinator, Lease, Revision } from '../coordinator/port.ts'
import type { Env } from '../env.ts'
import { encodePlacing } from '../placement/documents.ts'
import { Patience } from '../placement/patience.ts'
import { type NodePlace, type Order, orderOf, type Scene, type Step, stepsOf } from '../placement/steps.ts'
import type { Outlook } from './outlook.ts'

/** Between two tries to become controller. */
const CLAIM_RETRY_MS = 1000
/** A node that has agreed to something is given so long to do it, before it is told again. */
const SAID_MS = 5000
/** By then a change is known to everybody. One that is tried again before that is refused. */
const COMMITTED_MS = 500
/** After something was refused, twice as long each time. */
const REFUSED_MS_MIN = 500
const REFUSED_MS_MAX = 30_000

/** One command to a node. @param told  later, and once; with a sentence when it refuses, or does not answer */
export type SayToNode = (
  to: NodePlace,
  words: readonly string[],
  told: (refusal: string | undefined) => void,
) => void

export interface ControllerParts {
  readonly coordinator: Coordinator
  readonly env: Pick<Env, 'monoMs' | 'wallMs'>
  readonly outlook: Outlook
  /** Of the nodes. */
  readonly profile: Pick<DetectionProfile, 'ttlMs'>
  readonly sayToNode: SayToNode
  /** For the log. */
  readonly report: (sentence: string) => void
}

/** What is under way in a partition, or was refused there. */
interface Progress {
  /** Nothing is done before. */
  readonly untilMs: number
  /** Of the last refusals in a row. */
  readonly refusals: number
  readonly refusal: string
}

const NOTHING_YET: Progress = { untilMs: 0, refusals: 0, refusal: '' }

export class Controller {
  readonly #name: string
  readonly #parts: ControllerParts
  readonly #patience = new Patience()
  readonly #progress = new Map<number, Progress>()
  /** That made this process controller, and the lease it is under. */
  #claim: { readonly revision: Revision; readonly leaseId: string } | undefined
  #noClaimBeforeMs = Number.NEGATIVE_INFINITY

  /** @param name  of this machine */
  constructor(name: string, parts: ControllerParts) {
    this.#name = name
    this.#parts = parts
  }

  /** Every machine looks, so that whoever is next knows for how long things have been as they are. */
  look(lease: Lease | undefined): void {
    const { env, outlook } = this.#parts
    const { placing, directory, isCurrent } = outlook
    this.#patience.look(placing, directory, env.monoMs(), isCurrent)
    if (!isCurrent || lease === undefined) return
    const { revision, document } = placing.controller
    if (this.#isController(lease)) this.#work()
    // One that names this machine is of its former life, or of a claim whose answer was lost.
    else if (revision === 0 || document?.name === this.#name) this.#run(lease, revision)
  }

  #isController(lease: Lease): boolean {
    const claim = this.#claim
    return claim?.leaseId === lease.id && this.#parts.outlook.placing.controller.revision === claim.revision
  }

  /** Tries to become controller. @param revision  of the document that this takes the place of; 0: there is none */
  #run(lease: Lease, revision: Revision): void {
    const { coordinator, env, outlook, report } = this.#parts
    if (env.monoMs() < this.#noClaimBeforeMs) return
    this.#noClaimBeforeMs = env.monoMs() + CLAIM_RETRY_MS
    const key = outlook.keys.controller
    const value = encodePlacing({ name: this.#name })
    coordinator.commit([{ key, revision }], [{ do: 'put', key, value, lease }], (answer) => {
      if (!answer.ok || !answer.result.isCommitted) return
      this.#claim = { revision: answer.result.revision, leaseId: lease.id }
      this.#progress.clear()
      report('this machine carries out what is to be done in the region')
    })
  }

  #work(): void {
    const { env, outlook } = this.#parts
    const { placing, directory } = outlook
    const scene: Scene = {
      ...{ placing, directory, patience: this.#patience },
      ...{ wallMs: env.wallMs(), claimAfterMs: this.#parts.profile.ttlMs },
    }
    for (const step of stepsOf(scene))
      if (env.monoMs() >= this.#progressOf(step).untilMs)
        this.#carryOut(step, orderOf(step, scene, outlook.keys))
  }

  #carryOut(step: Step, order: Order): void {
    const { report } = this.#parts
    if (this.#progressOf(step).refusals === 0)
      report(`partition ${step.partition}: ${step.kind}: ${step.why}`)
    // Nothing else of this partition until it is known what has become of it.
    this.#note(step, { untilMs: Number.POSITIVE_INFINITY })
    if (order.do === 'say') this.#say(step, order)
    else this.#commit(step, order)
  }

  #say(step: Step, { to, words }: Extract<Order, { do: 'say' }>): void {
    const { env, sayToNode } = this.#parts
    sayToNode(to, words, (refusal) => {
      if (refusal === undefined) this.#done(step, env.monoMs() + SAID_MS)
      else this.#refused(step, refusal)
    })
  }

  #commit(step: Step, { conditions, changes }: Extract<Order, { do: 'commit' }>): void {
    const { coordinator, env } = this.#parts
    coordinator.commit(conditions, changes, (answer) => {
      // Not committed: something has changed meanwhile, and what is to be done now follows from that.
      if (answer.ok) this.#done(step, env.monoMs() + COMMITTED_MS)
      else this.#refused(step, answer.failure.sentence)
    })
  }

  #done(step: Step, untilMs: number): void {
    this.#note(step, { untilMs, refusals: 0, refusal: '' })
  }

  #refused(step: Step, refusal: string): void {
    const { env, report } = this.#parts
    const before = this.#progressOf(step)
    const refusals = before.refusals + 1
    const waitMs = Math.min(REFUSED_MS_MAX, REFUSED_MS_MIN * 2 ** (refusals - 1))
    if (before.refusal !== refusal)
      report(`partition ${step.partition}: ${step.kind} was not done: ${refusal}; it is tried again`)
    this.#note(step, { untilMs: env.monoMs() + waitMs, refusals, refusal })
  }

  #progressOf({ partition }: Step): Progress {
    return this.#progress.get(partition) ?? NOTHING_YET
  }

  #note(step: Step, change: Partial<Progress>): void {
    this.#progress.set(step.partition, { ...this.#progressOf(step), ...change })
  }
}
