/**
 * knowledge.ts: what a node has come to know of its partition while it runs, beside the documents of this moment:
 * the latest state it saw, whether it has lost data, and since when things are as they are.
 */
import type { Env } from '../env.ts'
import type { Directory } from './directory.ts'
import { isOlder, type NodeDocument, type StateDocument, type StateVersion } from './documents.ts'
import { type ElectionFacts, type ElectionMoments, isInSync, latestVersion } from './election.ts'
import type { Member } from './member.ts'

const NEVER = Number.NEGATIVE_INFINITY

export class Knowledge {
  readonly #member: Member
  readonly #directory: Directory
  readonly #partition: number
  readonly #env: Pick<Env, 'monoMs'>
  #remembered: StateDocument | undefined
  #hasLostData: boolean | undefined
  #unbrokenMs: number | undefined
  #primaryMs = NEVER
  #absentMs: number | undefined
  #noneWholeMs: number | undefined
  /** The last claim of another node that was seen. */
  #claim = { term: 0, seenMs: NEVER }
  /** The last handover that was seen. */
  #handover = { revision: 0, seenMs: NEVER, isNew: false }

  constructor(member: Member, directory: Directory, partition: number, env: Pick<Env, 'monoMs'>) {
    this.#member = member
    this.#directory = directory
    this.#partition = partition
    this.#env = env
  }

  /**
   * Takes note of the documents as they are now.
   * @param unbrokenMs  since when no change of them was missed; undefined: some may be missed now
   */
  look(unbrokenMs: number | undefined): void {
    const nowMs = this.#env.monoMs()
    const { state, leader, handover } = this.#directory.of(this.#partition)
    const wasLooking = unbrokenMs !== undefined && unbrokenMs === this.#unbrokenMs
    this.#unbrokenMs = unbrokenMs
    this.#remember(state.document)
    this.#absentMs = leader.revision === 0 ? (this.#absentMs ?? nowMs) : undefined
    const isAnyWhole = this.#nodes.some((node) => node.isWhole)
    this.#noneWholeMs = leader.revision === 0 && !isAnyWhole ? (this.#noneWholeMs ?? nowMs) : undefined
    const { nodeId, term = 0 } = leader.document ?? {}
    if (nodeId !== undefined && nodeId !== this.#member.nodeId && term !== this.#claim.term)
      this.#claim = { term, seenMs: nowMs }
    if (handover.revision !== this.#handover.revision)
      this.#handover = { revision: handover.revision, seenMs: nowMs, isNew: wasLooking }
  }

  /** The process began with less than its node had when the state named it, and that still does. */
  get hasLostData(): boolean {
    return this.#hasLostData === true
  }

  /** This node was primary until now, and might have answered. */
  wasPrimary(): void {
    this.#primaryMs = this.#env.monoMs()
  }

  /** It is primary: what it has is what the partition has. */
  forgetLoss(): void {
    this.#hasLostData = false
  }

  facts(isUncleanAllowed: boolean): ElectionFacts {
    const { state, handover } = this.#directory.of(this.#partition)
    const primary = (this.#remembered ?? state.document)?.primary ?? ''
    return {
      self: this.#member.nodeId,
      memberTerm: this.#member.term,
      hasLostData: this.hasLostData,
      state: state.document,
      remembered: this.#remembered,
      nodes: this.#nodes,
      handover: handover.document,
      lostZone: this.#directory.known.get(primary)?.zone ?? '',
      isUncleanAllowed,
    }
  }

  get moments(): ElectionMoments {
    return {
      absentMs: this.#absentMs ?? Number.POSITIVE_INFINITY,
      claimedMs: this.#claim.seenMs,
      heardMs: this.#member.primaryHeardMs,
      unbrokenMs: this.#unbrokenMs ?? Number.POSITIVE_INFINITY,
      primaryMs: this.#primaryMs,
      handoverMs: this.#handover.seenMs,
      isHandoverNew: this.#handover.isNew,
      noneWholeMs: this.#noneWholeMs ?? Number.POSITIVE_INFINITY,
    }
  }

  /** The latest state that anybody knows of; what it says may be unknown. */
  get latest(): StateVersion {
    return latestVersion(this.facts(false))
  }

  /** The latest state that this process has seen. */
  get remembered(): StateDocument | undefined {
    return this.#remembered
  }

  get isInSync(): boolean {
    return isInSync(this.facts(false))
  }

  get #nodes(): NodeDocument[] {
    return [...this.#directory.nodes.values()].filter(({ partition }) => partition === this.#partition)
  }

  #remember(state: StateDocument | undefined): void {
    const { nodeId, term } = this.#member
    const isNamed = state?.inSync.includes(nodeId) === true
    if (this.#hasLostData === undefined) this.#hasLostData = isNamed && term < state.heldTerm
    else if (!isNamed) this.#hasLostData = false
    if (state === undefined) return
    if (this.#remembered === undefined || !isOlder(state, this.#remembered)) this.#remembered = state
  }
}
