/**
 * judge.ts: what must hold in a simulated region at every moment, whatever happens.
 *
 * 1. At most one member answers, and none does under a lower term than one that has answered before.
 * 2. A term is taken by one member, once.
 * 3. Who is promoted as whole was in sync by the state before, and holds everything that was acknowledged.
 * 4. Who was named by a handover lacks nothing that the former primary had; for a second nobody else takes over.
 */
import {
  decodeHandover,
  decodeState,
  type HandoverDocument,
  isOlder,
  type StateDocument,
} from '../../region-node/cluster/documents.ts'
import type { Duty } from '../../region-node/cluster/member.ts'
import type { FakeMember } from './fake-member.ts'
import { covers, join, meet, type Vector } from './vector.ts'

/** A second, by a clock that runs a little fast. */
const RESERVED_MS = 990

export interface Seat {
  readonly nodeId: string
  readonly member: FakeMember | undefined
  /** Its machine stands still: nothing leaves it. */
  readonly isStill: boolean
}

interface Handover {
  readonly document: HandoverDocument
  /** What the former primary had. */
  readonly held: Vector
  readonly atMs: number
}

export class Judge {
  readonly faults: string[] = []
  readonly #nowMs: () => number
  readonly #takers = new Map<number, string>()
  #acknowledged: Vector = new Map()
  #answeredTerm = 0
  /** The latest state that was ever stored, and the one before it of another term. */
  #state: StateDocument | undefined
  #stateBefore: StateDocument | undefined
  /** Somebody was promoted without being whole: what a deposed member acknowledges to itself counts no more. */
  #uncleanTerm = 0
  #handover: Handover | undefined
  /** Who answers now. */
  answering: string | undefined
  answeringTerm = 0

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  /** To clients; no less ever, unless somebody was promoted unclean. */
  get acknowledgedOps(): Vector {
    return this.#acknowledged
  }

  look(seats: readonly Seat[]): void {
    this.answering = undefined
    for (const { nodeId, member, isStill } of seats) {
      if (member === undefined || isStill || member.duty.kind !== 'primary') continue
      if (member.mayAnswer?.() !== true) continue
      const { term } = member.duty
      if (this.answering !== undefined) this.#fault(`${this.answering} and ${nodeId} both answer`)
      if (term < this.#answeredTerm)
        this.#fault(`${nodeId} answers under ${term} after ${this.#answeredTerm} was`)
      this.#answeredTerm = term
      this.answering = nodeId
      this.answeringTerm = term
    }
  }

  stored(text: string): void {
    const state = decodeState(text)
    if (state === undefined) {
      this.#fault(`no state: ${text}`)
      return
    }
    if (this.#state !== undefined && !isOlder(this.#state, state)) return
    if (state.term !== this.#state?.term) this.#stateBefore = this.#state
    this.#state = state
  }

  /** The primary has handed over. */
  named(text: string, seats: readonly Seat[]): void {
    const document = decodeHandover(text)
    if (document === undefined) {
      this.#fault(`no handover: ${text}`)
      return
    }
    const former = seats.find(
      ({ member }) => member?.duty.kind === 'primary' && member.term === document.term,
    )
    if (former?.member !== undefined)
      this.#handover = { document, held: former.member.applied, atMs: this.#nowMs() }
  }

  took({ nodeId, applied }: FakeMember, duty: Duty): void {
    if (duty.kind !== 'primary') return
    const { term, isWhole } = duty
    if (this.#handover?.document.term === term - 1) this.#tookOver(nodeId, applied, isWhole, this.#handover)
    // An operator has let it: what was known before may be forgotten everywhere, down to the terms.
    if (!isWhole && term <= this.#answeredTerm) {
      this.#takers.clear()
      this.#answeredTerm = 0
    }
    const taker = this.#takers.get(term)
    if (taker !== undefined) this.#fault(`${nodeId} takes term ${term}, which ${taker} has taken`)
    this.#takers.set(term, nodeId)
    if (!isWhole) {
      this.#acknowledged = meet(this.#acknowledged, applied)
      this.#uncleanTerm = term
      return
    }
    const before = this.#stateBefore
    if (before !== undefined && !before.inSync.includes(nodeId))
      this.#fault(`${nodeId} was promoted to ${term} as whole, and was not in sync`)
    if (!covers(applied, this.#acknowledged))
      this.#fault(`${nodeId} lacks what was acknowledged before ${term}`)
  }

  #tookOver(nodeId: string, applied: Vector, isWhole: boolean, { document, held, atMs }: Handover): void {
    const isNamed = document.to === nodeId
    // One that was named may lose its disk before it claims; it is not promoted as whole then.
    if (isNamed && isWhole && !covers(applied, held))
      this.#fault(`${nodeId} lacks what was handed over to it`)
    if (!isNamed && this.#nowMs() < atMs + RESERVED_MS)
      this.#fault(`${nodeId} takes what was handed over to ${document.to}`)
  }

  acknowledged({ duty }: FakeMember, ops: Vector): void {
    if (duty.kind !== 'primary' || duty.term < this.#uncleanTerm) return
    this.#acknowledged = join(this.#acknowledged, ops)
  }

  #fault(sentence: string): void {
    this.faults.push(`${(this.#nowMs() / 1000).toFixed(3)} s: ${sentence}`)
  }
}
