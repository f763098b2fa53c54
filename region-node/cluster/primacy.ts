/**
 * primacy.ts: one term of this node as primary: until when it may answer, who is in sync, and how it ends.
 */
import type { Env } from '../env.ts'
import { failsafeDeadlineMs } from './failsafe.ts'
import { HandOver } from './hand-over.ts'
import { InSync, type InSyncParts } from './in-sync.ts'
import type { Knowledge } from './knowledge.ts'
import type { LeaseClock } from './lease-clock.ts'
import type { ReplicaState } from './member.ts'
import type { DetectionProfile } from './profiles.ts'
import { resignation } from './resignation.ts'

const DEPOSED = 'this node was deposed meanwhile'

/** Once; with the reason when what was asked for has not happened, or may not have. */
export type Told = (failure?: string) => void

export interface PrimacyParts extends Omit<InSyncParts, 'remembered'> {
  readonly env: Pick<Env, 'monoMs' | 'after'>
  readonly clock: LeaseClock
  readonly profile: DetectionProfile
  readonly knowledge: Knowledge
  readonly isUncleanAllowed: () => boolean
  /** The term is over by this node's own word; it becomes idle. */
  readonly resigned: () => void
  /** It may be over, and so it has to be: the lease is given up with it. */
  readonly abandoned: () => void
}

export class Primacy {
  readonly #parts: PrimacyParts
  readonly #inSync: InSync
  #handOver: HandOver | undefined
  /** What it answers from now on might be answered by another one as well. */
  #isSilent = false
  #isOver = false

  constructor(parts: PrimacyParts) {
    this.#parts = parts
    this.#inSync = new InSync({ ...parts, remembered: () => parts.knowledge.remembered })
  }

  mayAnswer(): boolean {
    if (this.#isSilent) return false
    const { member, clock, lease, profile } = this.#parts
    const nowMs = clock.nowMs()
    if (nowMs < lease.deadlineMs) return true
    return nowMs < failsafeDeadlineMs(this.#rivals(), member.replicas(), clock, profile)
  }

  /** Looks after the members in sync. */
  review(isCoordinatorThere: boolean): void {
    const isResigning = this.#handOver !== undefined || this.#isSilent
    this.#inSync.review(isCoordinatorThere && !isResigning)
  }

  /** See `InSync.forget`. */
  forget(nodeId: string): string | undefined {
    if (this.#handOver !== undefined || this.#isSilent) return 'a hand-over is under way'
    return this.#inSync.forget(nodeId)
  }

  /** Members that may be promoted and are there, the best one first. */
  get successors(): readonly string[] {
    const { self, partition, member, directory } = this.#parts
    const named = directory.of(partition).state.document?.inSync ?? []
    const isFit = ({ nodeId, isConnected }: ReplicaState): boolean =>
      nodeId !== self && isConnected && named.includes(nodeId) && directory.nodes.has(nodeId)
    return member
      .replicas()
      .filter(isFit)
      .sort((a, b) => a.lagOps - b.lagOps || (a.nodeId < b.nodeId ? -1 : 1))
      .map(({ nodeId }) => nodeId)
  }

  /** See `Agent.handOver`. */
  handOver(target: string | undefined, timeoutMs: number, told: Told): void {
    const { successors } = this
    const successor = target ?? successors[0]
    if (this.#handOver !== undefined || this.#isSilent) told('a hand-over is under way')
    else if (successor === undefined) told('no other member is connected and in sync')
    else if (!successors.includes(successor)) told(`${successor} is not connected, or not in sync`)
    else this.#handOverTo(successor, timeoutMs, told)
  }

  /** Ends the term, and is silent until that is known to have happened, or not to have. */
  resign(successor: string | undefined, told: Told): void {
    const { keys, partition, directory, knowledge, member, commit, resigned, abandoned } = this.#parts
    const stored = directory.of(partition)
    const { conditions, changes } = resignation(keys, partition, stored, knowledge.latest, successor)
    this.#isSilent = true
    this.#handOver?.cancel('the primary resigns meanwhile')
    commit(conditions, changes, (outcome) => {
      if (outcome === 'done') {
        resigned()
        told()
      } else if (this.#isOver) {
        told(DEPOSED)
      } else if (outcome === 'unknown') {
        abandoned()
        told('the coordinator did not say whether the term has ended')
      } else {
        this.#isSilent = false
        member.letWritesGo()
        told('the coordinator refused the end of the term')
      }
    })
  }

  /** The node is no primary any more. */
  end(): void {
    this.#isOver = true
    this.#isSilent = true
    this.#handOver?.cancel(DEPOSED)
  }

  #handOverTo(successor: string, timeoutMs: number, told: Told): void {
    const { member, env } = this.#parts
    const isReady = (): boolean => !this.#inSync.isBusy && this.successors.includes(successor)
    this.#handOver = new HandOver(successor, timeoutMs, member, env, isReady, (failure) => {
      this.#handOver = undefined
      if (failure === undefined) {
        this.resign(successor, told)
        return
      }
      if (!this.#isSilent) member.letWritesGo()
      told(failure)
    })
  }

  /** All that might be promoted in the place of this node. */
  #rivals(): Set<string> {
    const { self, partition, directory, isUncleanAllowed } = this.#parts
    const rivals = this.#inSync.named
    if (isUncleanAllowed()) {
      for (const nodeId of directory.of(partition).state.document?.members ?? []) rivals.add(nodeId)
      for (const node of directory.known.values()) if (node.partition === partition) rivals.add(node.nodeId)
    }
    rivals.delete(self)
    return rivals
  }
}
