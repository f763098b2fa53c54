/**
 * agent.ts: decides what this node is in its partition: primary, replica or idle.
 *
 * Events only change what is known; `#evaluate` then decides, always the same way:
 *
 *   the leader is this node, by a claim of this process    primary
 *   the leader is another node                             its replica
 *   there is no leader                                     idle if it was primary; else as before, until it runs
 *
 * Why no two members answer at one time. A claim succeeds only while there is no leader, and only for one claimant.
 * There is no leader any more for one of three reasons:
 *
 * 1. Its lease ran out. The holder counts from when it sent the last renewal and stops a margin earlier, by
 *    whichever of its two clocks is ahead (`lease-clock.ts`).
 *    Unless it goes on by failsafe: every member that could be promoted has promised not to run. A replica that
 *    hears its primary promises that for as long as a lease lasts, so it does not run before, although there is no
 *    leader. Nor can it promise once it has begun to run: it is idle before its claim leaves, follows nobody and
 *    answers no sign of life, until it knows who has won. A process that has just begun has forgotten what
 *    the one before it may have promised, and keeps that as well.
 *    The end of a connection says nothing: it may be the network's. What was heard over it counts until its time
 *    is over.
 * 2. The primary resigned. It stops answering before the change leaves that deletes the leader, and the state says
 *    from then on that this term has ended: promises to it are void, and the next one claims at once. When the
 *    coordinator does not say whether that happened, it has happened.
 * 3. Its process died, and a guard that saw it die resigned in its name (`farewell.ts`). Without a guard it is 1.
 *    Whoever revokes a lease beside these ways vouches that its holder has stopped: a holder that hears nothing
 *    of it counts on its lease to the end.
 *
 * Why nothing acknowledged is lost. A node claims as whole only when it is in sync by the latest state that anybody
 * knows of (`election.ts`), and the primary waits for all that are (`in-sync.ts`). A process that begins with a
 * term below the one that all in sync have held has lost its disk, or was put back: it follows nobody until the
 * primary has put it out, because following would make it look as if it had been there all the time.
 *
 * A primary that the coordinator does not answer stays primary, and answers its clients as long as it may: then it
 * is silent, and goes on if all have promised again. That its lease is gone is the coordinator's word only.
 */
import type { Neighbour } from '../../sync/neighbours.ts'
import type { Change, Condition, Coordinator, Lease } from '../coordinator/port.ts'
import { DiskError, type Env, type Timer } from '../env.ts'
import { Directory, type Stored } from './directory.ts'
import { encode, isName, Keys, type LeaderDocument, type NodeDocument } from './documents.ts'
import { type Candidacy, candidacyOf, forgottenState, runsAtMs } from './election.ts'
import type { Outcome } from './in-sync.ts'
import { Knowledge } from './knowledge.ts'
import { LeaseClock } from './lease-clock.ts'
import { LeaseKeeper } from './lease-keeper.ts'
import type { Duty, Member } from './member.ts'
import { Mirror } from './mirror.ts'
import { Primacy, type Told } from './primacy.ts'
import type { DetectionProfile } from './profiles.ts'
import { Registration } from './registration.ts'
import { resignation } from './resignation.ts'
import type { Topology } from './topology.ts'
import { holdersOf, type Standing, topologyOf } from './topology-of.ts'

/** From one look at followers, health and registration to the next. */
const BEAT_MS = 100
/** How long a node waits at least when a claim of it has failed: by then it knows what came before it. */
const CLAIM_RETRY_MS = 100
/** How long clients' writes may wait for a primary that resigns because it is not well. */
const RESIGN_MS_MAX = 1000

export interface AgentParts {
  readonly coordinator: Coordinator
  readonly member: Member
  readonly env: Pick<Env, 'wallMs' | 'monoMs' | 'after' | 'random'>
}

export interface AgentOptions {
  /** Both of letters, digits and `_.:-`, like node ids. */
  readonly database: string
  readonly region: string
  /** The one that this node holds, of so many. */
  readonly partition: number
  readonly partitions: number
  /** The same on all nodes of the region. */
  readonly profile: DetectionProfile
  /** Where and what this node is. */
  readonly describe: () => Pick<
    NodeDocument,
    'host' | 'port' | 'tlsPort' | 'syncUrl' | 'zone' | 'version' | 'configVersion' | 'configNotApplied'
  >
  /**
   * One that is not in sync may be promoted when nobody else is there. The same on all nodes, and never with
   * synchronous replication. While it is allowed a primary without a lease goes on only if every member promises.
   */
  readonly isUncleanAllowed: () => boolean
  /** False: an fsync or a turn of the event loop takes longer than a lease lasts. Somebody else should be primary. */
  readonly isHealthy: () => boolean
}

export interface AgentEvents {
  /** `topology` is another one than before. */
  topologyChanged(): void
  /** What a guard needs to say farewell with; undefined: at the moment there is no lease. */
  leaseChanged(lease: Lease | undefined): void
  /** For the log. */
  noted(sentence: string): void
}

/** For INFO and the admin API. */
export interface AgentStatus {
  readonly duty: Duty['kind']
  /** The latest that anybody knows of. */
  readonly term: number
  /** '' for none. */
  readonly leader: string
  readonly inSync: readonly string[]
  /** What is known is known as it is now. */
  readonly isCoordinatorThere: boolean
  /** For how long the lease may be counted on, milliseconds. */
  readonly leaseLeftMs: number
  readonly mayAnswer: boolean
}

/** A claim of this process: nothing else makes it primary. */
interface Claim {
  readonly term: number
  readonly leaseId: string
  readonly isWhole: boolean
}

export class Agent {
  readonly #parts: AgentParts
  readonly #options: AgentOptions
  readonly #events: AgentEvents
  readonly #keys: Keys
  readonly #directory: Directory
  readonly #mirror: Mirror
  readonly #clock: LeaseClock
  readonly #lease: LeaseKeeper
  readonly #registration: Registration
  readonly #knowledge: Knowledge
  #topology: Topology | undefined
  /** That the topology was made for. */
  #topologyStanding: Standing = 'none'
  /** The topology that was told. */
  #shown: Topology | undefined
  /** Clients of a former primary are told who is primary now. */
  #isSendingOn = false
  /** Clients' writes wait for the outcome of a claim. */
  #holdsWrites = false
  /** Present while this node is primary. */
  #primacy: Primacy | undefined
  /** The last one, until it has come to nothing. */
  #claim: Claim | undefined
  #isClaiming = false
  #noClaimBeforeMs = Number.NEGATIVE_INFINITY
  #isClearing = false
  /** Of the disk, as it was told last. */
  #trouble = ''
  #notedForgotten = ''
  #noResigningBeforeMs = Number.NEGATIVE_INFINITY
  #beatTimer: Timer | undefined
  #runTimer: Timer | undefined
  #isEnding = false
  #isClosed = false

  constructor(parts: AgentParts, options: AgentOptions, events: AgentEvents) {
    const { coordinator, member, env } = parts
    const { database, region, partition, profile } = options
    for (const name of [database, region, member.nodeId])
      if (!isName(name)) throw new Error(`'${name}' is no name: it takes letters, digits and _ . : -`)
    this.#parts = parts
    this.#options = options
    this.#events = events
    this.#keys = new Keys(database, region)
    this.#directory = new Directory(this.#keys)
    this.#knowledge = new Knowledge(member, this.#directory, partition, env)
    this.#mirror = new Mirror(coordinator, env, this.#keys.prefix, {
      known: () => this.#directory.revision,
      replaced: (reading, isPutBack) => {
        if (isPutBack) events.noted('the coordinator has gone back: it was put back from a backup')
        this.#directory.replace(reading, isPutBack)
        // Its lease may be there all the same, with what the node said of itself at that time.
        if (isPutBack) this.#registration.lost()
        this.#documentsChanged()
      },
      changed: (changes) => {
        this.#directory.apply(changes)
        this.#documentsChanged()
      },
      lost: (sentence) => events.noted(`news of the region do not arrive: ${sentence}`),
    })
    this.#clock = new LeaseClock(env)
    this.#lease = new LeaseKeeper(coordinator, env, this.#clock, profile, {
      granted: (lease) => {
        events.leaseChanged(lease)
        this.#evaluate()
      },
      lost: () => this.#leaseLost(),
    })
    this.#registration = new Registration(this.#keys, env, this.#commit)
  }

  start(): void {
    this.#parts.member.mayAnswer = () => this.#primacy?.mayAnswer() ?? false
    this.#mirror.read()
    this.#lease.grant()
    this.#beat()
  }

  /** Undefined until the documents were read. */
  get topology(): Topology | undefined {
    if (!this.#directory.hasRead) return undefined
    const standing = this.#standing
    if (standing !== this.#topologyStanding) this.#topology = undefined
    this.#topologyStanding = standing
    this.#topology ??= topologyOf(this.#directory, this.#describe(), this.#options.partitions, standing)
    return this.#topology
  }

  get #standing(): Standing {
    if (this.#primacy !== undefined) return 'primary'
    return this.#isClaiming ? 'claiming' : 'none'
  }

  /** Where others dial this node. */
  get syncUrl(): string {
    return this.#options.describe().syncUrl
  }

  /** Sync addresses of the other nodes that hold a partition, its primary first. */
  nodesOf(partition: number): string[] {
    const others = holdersOf(this.#directory, partition).filter(
      ({ nodeId }) => nodeId !== this.#parts.member.nodeId,
    )
    return others.map(({ syncUrl }) => syncUrl)
  }

  /** The other nodes of the region that are registered. */
  get neighbours(): Neighbour[] {
    const others = [...this.#directory.nodes.values()].filter(
      ({ nodeId }) => nodeId !== this.#parts.member.nodeId,
    )
    return others.map(({ nodeId, syncUrl }) => ({ nodeId, url: syncUrl }))
  }

  get status(): AgentStatus {
    const { state, leader } = this.#directory.of(this.#options.partition)
    return {
      duty: this.#parts.member.duty.kind,
      term: this.#knowledge.latest.term,
      leader: leader.document?.nodeId ?? '',
      inSync: state.document?.inSync ?? [],
      isCoordinatorThere: this.#mirror.isCurrent,
      leaseLeftMs: Math.max(0, this.#lease.deadlineMs - this.#clock.nowMs()),
      mayAnswer: this.#primacy?.mayAnswer() ?? false,
    }
  }

  /**
   * Makes another member primary. Clients' writes wait until it lacks nothing, for `timeoutMs` at most.
   * @param target  a member that is in sync; undefined: the one that lacks least
   * @param told  once; with the reason when it has not come to that
   */
  handOver(target: string | undefined, timeoutMs: number, told: Told): void {
    if (this.#primacy === undefined) told('this node is not the primary')
    else this.#primacy.handOver(target, timeoutMs, told)
  }

  /**
   * Takes a node that is gone for good out of the members of the partition; otherwise they only grow.
   * @returns why not; undefined when it has begun: the state of the partition tells when it has happened
   */
  forget(nodeId: string): string | undefined {
    if (this.#primacy === undefined) return 'only the primary of its partition can forget a node'
    if (!this.#mirror.isCurrent) return 'the coordinator is out of reach'
    return this.#primacy.forget(nodeId)
  }

  /**
   * Ends in order: hands over if somebody is there, resigns, and gives the lease back.
   * @param limitMs  how long that may take; the lease is left to run out then
   */
  stop(limitMs: number, done: () => void): void {
    if (this.#isEnding) return
    this.#isEnding = true
    const end = (): void => {
      limit.cancel()
      if (this.#isClosed) return
      this.#close()
      done()
    }
    const limit = this.#parts.env.after(limitMs, end)
    const giveBack = (): void => this.#lease.end(end)
    this.handOver(undefined, limitMs / 2, (failure) => {
      if (failure !== undefined && this.#primacy !== undefined) this.#primacy.resign(undefined, giveBack)
      else giveBack()
    })
  }

  #close(): void {
    this.#stepDown('it stops')
    this.#isClosed = true
    this.#beatTimer?.cancel()
    this.#runTimer?.cancel()
    this.#mirror.close()
    this.#lease.close()
  }

  #beat(): void {
    const { env } = this.#parts
    this.#beatTimer = env.after(BEAT_MS, () => this.#beat())
    // A jump of a clock that another one takes back is noticed only if it is read in between.
    this.#clock.nowMs()
    this.#primacy?.review(this.#mirror.isCurrent)
    this.#resignWhenUnwell()
    this.#evaluate()
  }

  #resignWhenUnwell(): void {
    const { env } = this.#parts
    const { isHealthy, profile } = this.#options
    if (this.#primacy === undefined || this.#primacy.successors.length === 0 || isHealthy()) return
    if (env.monoMs() < this.#noResigningBeforeMs) return
    this.#noResigningBeforeMs = env.monoMs() + profile.ttlMs
    const primacy = this.#primacy
    primacy.handOver(undefined, RESIGN_MS_MAX, (failure) => {
      this.#events.noted(`not well, this node resigns: ${failure ?? 'another one takes over'}`)
      // What waits for this node's disk is sent to nobody: with that, nobody ever catches up.
      if (failure !== undefined && primacy === this.#primacy) primacy.resign(undefined, () => {})
    })
  }

  #documentsChanged(): void {
    this.#topology = undefined
    this.#evaluate()
    this.#primacy?.review(this.#mirror.isCurrent)
  }

  /** Tells who serves what as it is known now. @returns whether that was news */
  #show(): boolean {
    const { topology } = this
    if (topology === this.#shown) return false
    this.#shown = topology
    this.#events.topologyChanged()
    return true
  }

  #leaseLost(): void {
    this.#events.leaseChanged(undefined)
    this.#registration.lost()
    this.#stepDown('its lease is gone')
    // A coordinator that was restored from a backup knows nothing of the lease, and has other documents.
    if (!this.#isClosed) this.#mirror.read()
  }

  #describe(): NodeDocument {
    const { member } = this.#parts
    const { term, edition } = this.#knowledge.latest
    return {
      ...this.#options.describe(),
      nodeId: member.nodeId,
      partition: this.#options.partition,
      partitions: this.#options.partitions,
      opCount: member.opCount,
      term,
      edition,
      isWhole: this.#knowledge.isInSync,
    }
  }

  readonly #commit = (
    conditions: readonly Condition[],
    changes: readonly Change[],
    told: (outcome: Outcome) => void,
  ): void =>
    this.#parts.coordinator.commit(conditions, changes, (answer) => {
      if (this.#isClosed) return
      const isDone = answer.ok && answer.result.isCommitted
      if (isDone) this.#directory.learn(changes, answer.result.revision)
      if (!answer.ok && answer.failure.code === 'timeout') told('unknown')
      else told(isDone ? 'done' : 'not done')
      if (isDone) this.#documentsChanged()
      else this.#evaluate()
    })

  /** Decides what this node is now, from all that is known. */
  #evaluate(): void {
    if (this.#isClosed || !this.#directory.hasRead) return
    this.#knowledge.look(this.#mirror.unbrokenMs)
    const { leader } = this.#directory.of(this.#options.partition)
    if (leader.revision === 0) this.#withoutLeader()
    else this.#withLeader(leader)
    this.#show()
    if (this.#holdsWrites && !this.#isClaiming) {
      this.#holdsWrites = false
      this.#parts.member.letWritesGo()
    }
    const { lease } = this.#lease
    if (lease !== undefined && !this.#isEnding) this.#registration.refresh(this.#describe(), lease)
  }

  #withLeader({ document }: Stored<LeaderDocument>): void {
    this.#runTimer?.cancel()
    if (document === undefined) {
      this.#stepDown('the leader cannot be read')
    } else if (document.nodeId !== this.#parts.member.nodeId) {
      this.#stepDown(`${document.nodeId} is primary of term ${document.term}`)
      // A leader of an earlier term is one that a backup of the coordinator has brought back.
      if (document.term < this.#knowledge.latest.term) return
      // Clients of a former primary wait to be sent there: that leaves before the disk is asked to note the term.
      if (this.#show() && this.#parts.member.duty.kind === 'idle') this.#sendClientsOn()
      else if (!this.#isSendingOn) this.#follow(document)
    } else if (this.#isOwn(document)) {
      // When the answer came late others may have claimed since: the next renewal tells.
      const isLate = this.#clock.nowMs() >= this.#lease.deadlineMs
      if (this.#primacy === undefined && !isLate) this.#takeUp(this.#claim!)
    } else {
      this.#stepDown('its claim is one of an earlier life')
      this.#clear()
    }
  }

  #isOwn({ term, leaseId }: LeaderDocument): boolean {
    const claim = this.#claim
    if (claim === undefined || term < this.#knowledge.latest.term) return false
    return claim.term === term && claim.leaseId === leaseId && this.#lease.lease?.id === leaseId
  }

  /** Ends what an earlier life of this node has left, or a claim that was given up: nobody answers by it. */
  #clear(): void {
    if (this.#isClearing || !this.#mirror.isCurrent) return
    this.#isClearing = true
    const { partition } = this.#options
    const stored = this.#directory.of(partition)
    const { conditions, changes } = resignation(this.#keys, partition, stored, this.#knowledge.latest)
    this.#commit(conditions, changes, () => {
      this.#isClearing = false
    })
  }

  /** In one turn of the event loop commands that were held run, in the next one what they are told leaves. */
  #sendClientsOn(): void {
    const { env } = this.#parts
    this.#isSendingOn = true
    const sent = (): void => {
      this.#isSendingOn = false
      this.#evaluate()
    }
    env.after(0, () => env.after(0, sent))
  }

  #follow({ nodeId, term }: LeaderDocument): void {
    if (this.#knowledge.hasLostData) return
    const { member } = this.#parts
    const syncUrl = this.#directory.known.get(nodeId)?.syncUrl
    if (syncUrl === undefined) return
    const { duty } = member
    const isSame = duty.kind === 'replica' && duty.term === term && duty.primary.nodeId === nodeId
    if (isSame && duty.primary.syncUrl === syncUrl) return
    const isTaken = this.#take({ kind: 'replica', term, primary: { nodeId, syncUrl } })
    if (isTaken && !isSame) this.#events.noted(`this node follows ${nodeId}, primary of term ${term}`)
  }

  #withoutLeader(): void {
    this.#stepDown('it is not the leader any more')
    this.#runTimer?.cancel()
    const { env } = this.#parts
    const { profile, isHealthy, isUncleanAllowed } = this.#options
    const { lease } = this.#lease
    if (this.#isEnding || this.#isClaiming || !this.#mirror.isCurrent) return
    if (lease === undefined || !this.#registration.isUnder(lease)) return
    const { state } = this.#directory.of(this.#options.partition)
    const isDamaged = state.revision !== 0 && state.document === undefined
    const candidacy = isDamaged ? undefined : candidacyOf(this.#knowledge.facts(isUncleanAllowed()))
    if (candidacy === undefined) {
      this.#noteForgotten()
      return
    }
    const runsMs = runsAtMs(candidacy, this.#knowledge.moments, isHealthy(), profile)
    const waitMs = Math.max(runsMs, this.#noClaimBeforeMs) - env.monoMs()
    if (waitMs <= 0) this.#run(candidacy, lease)
    else if (waitMs < Number.POSITIVE_INFINITY) this.#runTimer = env.after(waitMs, () => this.#evaluate())
  }

  /** Says once why this node waits, when no node that is here can know better. */
  #noteForgotten(): void {
    const { moments, latest, remembered } = this.#knowledge
    const { env } = this.#parts
    const { ttlMs } = this.#options.profile
    if (env.monoMs() < Math.max(moments.absentMs, moments.unbrokenMs) + 2 * ttlMs) return
    const sentence = forgottenState(remembered, latest)
    if (sentence === undefined || sentence === this.#notedForgotten) return
    this.#notedForgotten = sentence
    this.#events.noted(`this node waits: ${sentence}`)
  }

  #run({ state, isWhole }: Candidacy, lease: Lease): void {
    const { member, env } = this.#parts
    const { partition } = this.#options
    const { term } = state
    const stored = this.#directory.of(partition)
    const leaderKey = this.#keys.of('leader', partition)
    const stateKey = this.#keys.of('state', partition)
    const leader: LeaderDocument = { nodeId: member.nodeId, term, leaseId: lease.id }
    const changes: Change[] = [
      { do: 'put', key: leaderKey, value: encode(leader), lease },
      { do: 'put', key: stateKey, value: encode(state) },
    ]
    if (stored.handover.revision !== 0)
      changes.push({ do: 'delete', key: this.#keys.of('handover', partition) })
    // From here on it follows nobody: a promise that it gave now would be broken by its own claim.
    if (member.duty.kind !== 'idle') member.take({ kind: 'idle' })
    this.#claim = { term, leaseId: lease.id, isWhole }
    this.#isClaiming = true
    // Others may send clients here before this node has heard that it has won.
    this.#holdsWrites = true
    member.pauseWrites()
    this.#commit(
      [
        { key: leaderKey, revision: 0 },
        { key: stateKey, revision: stored.state.revision },
      ],
      changes,
      (outcome) => {
        this.#isClaiming = false
        if (outcome === 'done') return
        this.#noClaimBeforeMs = env.monoMs() + CLAIM_RETRY_MS * (1 + env.random())
        if (outcome === 'not done') this.#mirror.read()
      },
    )
  }

  #takeUp({ term, isWhole }: Claim): void {
    const { member, env } = this.#parts
    const { partition, profile, isUncleanAllowed } = this.#options
    if (!this.#take({ kind: 'primary', term, isWhole })) {
      this.#claim = undefined
      this.#noClaimBeforeMs = env.monoMs() + profile.ttlMs
      this.#clear()
      return
    }
    this.#knowledge.forgetLoss()
    this.#primacy = new Primacy({
      self: member.nodeId,
      partition,
      keys: this.#keys,
      member,
      directory: this.#directory,
      env,
      commit: this.#commit,
      clock: this.#clock,
      lease: this.#lease,
      profile,
      knowledge: this.#knowledge,
      isUncleanAllowed,
      resigned: () => this.#stepDown('it has resigned'),
      abandoned: () => this.#lease.renounce(),
    })
    this.#events.noted(`this node is primary of term ${term}${isWhole ? '' : ', and may lack writes'}`)
  }

  /**
   * A term has to be durable before anything is done under it.
   * @returns false when the disk does not take it: the node stays what it was, until it is tried again
   */
  #take(duty: Duty): boolean {
    try {
      this.#parts.member.take(duty)
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      if (this.#trouble !== error.message)
        this.#events.noted(`this node cannot become ${duty.kind}: ${error.message}`)
      this.#trouble = error.message
      return false
    }
    this.#trouble = ''
    return true
  }

  #stepDown(reason: string): void {
    if (this.#primacy === undefined) return
    const primacy = this.#primacy
    if (primacy.mayAnswer()) this.#knowledge.wasPrimary()
    this.#primacy = undefined
    this.#claim = undefined
    this.#parts.member.take({ kind: 'idle' })
    primacy.end()
    this.#events.noted(`this node is primary no more: ${reason}`)
  }
}
