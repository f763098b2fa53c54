/**
 * in-sync.ts: a primary's care for those that may be promoted in its place as they are.
 *
 * Two lists have to agree: whom the primary waits for before it acknowledges (`Member.setInSync`), and whom the
 * state of the partition names. The first is never smaller than the second, or something would be acknowledged
 * that one who may be promoted does not hold. So a member is let in when it has been waited for long enough to
 * have everything, and is let out only when the state that does not name it is stored.
 *
 * A change that timed out may have happened, or may still. Until the document has moved on from what the change
 * was conditioned on, whoever is named by either version counts as named.
 *
 * While the coordinator is out of reach nothing is changed: who cannot be put out is waited for.
 * Source: Kafka, KIP-101 and KIP-279, whose in-sync replicas these are.
 */

import type { Change, Condition, Revision } from '../coordinator/port.ts'
import type { Env } from '../env.ts'
import type { Directory } from './directory.ts'
import { encode, type Keys, type StateDocument } from './documents.ts'
import type { LeaseKeeper } from './lease-keeper.ts'
import type { Member, ReplicaState } from './member.ts'

/** One that has lacked something for longer is put out. */
const LAG_MS_MAX = 2000
/** One that lacks something for no longer may come in: under steady writes everybody always lacks the last few. */
const JOIN_LAG_MS_MAX = 100
/** How long those that the former primary had in sync may take to find the new one. */
const ARRIVAL_MS_MAX = 2000

export type Outcome = 'done' | 'not done' | 'unknown'

/** Sends a change; whatever was done of it is in the directory when the outcome is told. */
export type Commit = (
  conditions: readonly Condition[],
  changes: readonly Change[],
  told: (outcome: Outcome) => void,
) => void

export interface InSyncParts {
  readonly self: string
  readonly partition: number
  readonly keys: Keys
  readonly member: Member
  readonly directory: Directory
  readonly env: Pick<Env, 'monoMs'>
  readonly lease: LeaseKeeper
  readonly commit: Commit
  /** The latest state that was seen: later than the stored one when that was restored from a backup. */
  readonly remembered: () => StateDocument | undefined
}

/** A change of the state that was sent, and whose outcome is not known. */
interface Attempt {
  readonly base: Revision
  readonly inSync: readonly string[]
}

export class InSync {
  readonly #parts: InSyncParts
  readonly #arrivalEndMs: number
  #attempts: Attempt[] = []
  /** Those that are waited for and not named yet, and since when. */
  readonly #joining = new Map<string, number>()
  #told: ReadonlySet<string> = new Set()
  #isBusy = false

  /** The node has just become primary. */
  constructor(parts: InSyncParts) {
    this.#parts = parts
    this.#arrivalEndMs = parts.env.monoMs() + ARRIVAL_MS_MAX
    this.#tell()
  }

  /** A change is on its way. */
  get isBusy(): boolean {
    return this.#isBusy
  }

  /** All that may be promoted as they are, this node among them. */
  get named(): Set<string> {
    const { self, partition, directory, remembered } = this.#parts
    const { revision, document } = directory.of(partition).state
    const mayBe = this.#attempts.filter(({ base }) => base === revision).flatMap(({ inSync }) => inSync)
    return new Set([self, ...(document?.inSync ?? []), ...(remembered()?.inSync ?? []), ...mayBe])
  }

  /** Looks who has fallen behind and who has caught up. */
  review(isCoordinatorThere: boolean): void {
    const replicas = new Map(this.#parts.member.replicas().map((replica) => [replica.nodeId, replica]))
    for (const nodeId of this.#joining.keys())
      if (!canJoin(replicas.get(nodeId))) this.#joining.delete(nodeId)
    if (isCoordinatorThere && !this.#isBusy) this.#change(replicas)
    this.#tell()
  }

  /**
   * Takes one that is gone for good out of the members; the state tells when that has happened.
   * @returns why not; undefined when it has begun
   */
  forget(nodeId: string): string | undefined {
    const { partition, directory, member, remembered } = this.#parts
    const { document: state } = directory.of(partition).state
    const isConnected = member.replicas().some((one) => one.nodeId === nodeId && one.isConnected)
    if (this.named.has(nodeId)) return `${nodeId} is in sync: it may be promoted`
    if (isConnected || directory.nodes.has(nodeId)) return `${nodeId} is there: stop it first`
    if (state?.members.includes(nodeId) !== true) return `${nodeId} is no member of partition ${partition}`
    if (this.#isBusy || this.#attempts.length > 0 || state !== remembered())
      return 'another change of the state is on its way: say it again'
    this.#store({ ...state, members: state.members.filter((one) => one !== nodeId) })
    return undefined
  }

  #change(replicas: ReadonlyMap<string, ReplicaState>): void {
    const { partition, directory, remembered } = this.#parts
    const { revision, document } = directory.of(partition).state
    const state = remembered()
    if (state === undefined) return
    this.#attempts = this.#attempts.filter(({ base }) => base === revision)
    const inSync = state.inSync.filter((nodeId) => this.#isFit(nodeId, replicas.get(nodeId)))
    for (const replica of replicas.values()) {
      if (state.inSync.includes(replica.nodeId) || !canJoin(replica)) continue
      if (directory.nodes.get(replica.nodeId)?.partition !== partition) continue
      if (this.#hasJoined(replica)) inSync.push(replica.nodeId)
    }
    const registered = [...directory.nodes.values()].filter((node) => node.partition === partition)
    const members = new Set([...state.members, ...registered.map(({ nodeId }) => nodeId)])
    const heldTerm = inSync.every((nodeId) => this.#holdsTerm(nodeId, replicas)) ? state.term : state.heldTerm
    const isWhole = state.isWhole || this.#parts.member.isWhole
    const isSame =
      state === document &&
      isWhole === state.isWhole &&
      heldTerm === state.heldTerm &&
      members.size === state.members.length &&
      inSync.length === state.inSync.length &&
      inSync.every((nodeId) => state.inSync.includes(nodeId))
    // What may still happen is settled by a change that takes its place.
    if (isSame && this.#attempts.length === 0) return
    this.#store({ ...state, heldTerm, isWhole, inSync, members: [...members].sort() })
  }

  #isFit(nodeId: string, replica: ReplicaState | undefined): boolean {
    const { self, env, directory } = this.#parts
    if (nodeId === self) return true
    if (replica?.isConnected === true) return replica.lagMs <= LAG_MS_MAX && !replica.isBeyondEnd
    // One whose lease is gone does not come: a former primary that has died, as its guard says.
    return replica === undefined && directory.nodes.has(nodeId) && env.monoMs() < this.#arrivalEndMs
  }

  /** It follows this term, and so has noted it. */
  #holdsTerm(nodeId: string, replicas: ReadonlyMap<string, ReplicaState>): boolean {
    return nodeId === this.#parts.self || replicas.get(nodeId)?.isConnected === true
  }

  /** It is waited for, and has said since then that it holds durably what could be acknowledged without it. */
  #hasJoined({ nodeId, isDurable, confirmedMs }: ReplicaState): boolean {
    const sinceMs = this.#joining.get(nodeId)
    if (sinceMs !== undefined) return isDurable && confirmedMs > sinceMs
    this.#joining.set(nodeId, this.#parts.env.monoMs())
    return false
  }

  #store(state: StateDocument): void {
    const { partition, keys, directory, commit } = this.#parts
    const { lease } = this.#parts.lease
    const stored = directory.of(partition)
    const leader = stored.leader.document
    if (lease === undefined || leader === undefined) return
    const leaderKey = keys.of('leader', partition)
    const stateKey = keys.of('state', partition)
    const base = stored.state.revision
    const attempt: Attempt = { base, inSync: state.inSync }
    this.#attempts.push(attempt)
    this.#isBusy = true
    commit(
      [
        { key: leaderKey, revision: stored.leader.revision },
        { key: stateKey, revision: base },
      ],
      [
        // A coordinator that was restored may have this leader, and not the lease: then nothing is changed.
        { do: 'put', key: leaderKey, value: encode(leader), lease },
        { do: 'put', key: stateKey, value: encode({ ...state, edition: state.edition + 1 }) },
      ],
      (outcome) => {
        this.#isBusy = false
        if (outcome === 'not done') this.#attempts = this.#attempts.filter((one) => one !== attempt)
      },
    )
  }

  #tell(): void {
    const waitedFor = this.named
    for (const nodeId of this.#joining.keys()) {
      if (waitedFor.has(nodeId)) this.#joining.delete(nodeId)
      else waitedFor.add(nodeId)
    }
    const isSame =
      waitedFor.size === this.#told.size && [...waitedFor].every((nodeId) => this.#told.has(nodeId))
    if (isSame) return
    this.#told = waitedFor
    this.#parts.member.setInSync(waitedFor)
  }
}

function canJoin(replica: ReplicaState | undefined): boolean {
  return replica?.isConnected === true && replica.lagMs <= JOIN_LAG_MS_MAX && !replica.isBeyondEnd
}
