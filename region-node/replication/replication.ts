/**
 * replication.ts: what this node is in its region, and what follows from it.
 *
 *   primary   mints, under an origin of its own; links with the other regions; feeds its replicas
 *   replica   pulls everything from the primary, serves reads, mints nothing
 *   idle      neither: nobody has said yet who is primary, or this node may not answer as primary any more
 *
 * Who decides it stands behind the port `cluster/member.ts`: an operator (REPLICAOF, FAILOVER, `replica-of`), or an
 * agent with a lease. Every primary is a new origin, so nothing has to be truncated: what a former primary minted and
 * nobody got is sent to the present one when it comes back as a replica (`sync/following`, `late-tail`).
 *
 * Invariants: (1) the term is durable before the node acts under it. (2) A node that changes its role closes every
 * link of the former one first. (3) A node that was promoted without being in sync, or whose folder was put back
 * from a copy, mints nothing before it holds what its region acknowledged to some other one (`horizon-keeper`).
 * Source: algorithms.md, The horizon, 2 and 3.
 */
import type { VersionVector } from '../../crdt/version-vector.ts'
import type { Mesh } from '../../sync/mesh.ts'
import type { Identity, ReplicationHost, Role } from '../../sync/ports.ts'
import type { PullState } from '../../sync/puller.ts'
import { reason } from '../../sync/reason.ts'
import type { Replica } from '../../sync/replicas.ts'
import { addressIn, syncUrlOf } from '../../sync/sync-url.ts'
import { NODES_MAX } from '../../sync/whereabouts.ts'
import type { Duty, Member, ReplicaState } from '../cluster/member.ts'
import type { PrimaryLink, ReplicationState } from '../commands/services.ts'
import type { Session } from '../commands/session.ts'
import type { Engine } from '../engine/engine.ts'
import { DiskError, type Env } from '../env.ts'
import { CommandError, errors } from '../errors.ts'
import type { HorizonKeeper } from '../horizon-keeper.ts'
import type { LateTail } from '../late-tail.ts'
import type { OpLog } from '../persistence/op-log.ts'
import type { RunTerms } from '../persistence/run-terms.ts'
import { dropAll, type Waiting } from '../server/connection.ts'
import { HandOver } from './hand-over.ts'
import { ReplicaWaits } from './replica-waits.ts'
import { type AckMode, ReplyGate } from './reply-gate.ts'
import { TermFile } from './term-file.ts'

/** Client writes are held for a planned hand-over at most this long, milliseconds. */
const PAUSE_MS_MAX = 60_000
/** How long they are held for a replica that wishes to be primary. */
const WISH_MS_MAX = 5000

/** Where the nodes of the region are dialed by others. */
export interface Places {
  /** This node. */
  readonly syncUrl: string
  /** The others that hold a partition, its primary first. */
  nodesOf(partition: number): readonly string[]
}

export interface ReplicationParts {
  readonly env: Env
  readonly folder: string
  readonly nodeId: string
  readonly partition: number
  /** Nodes reach each other inside TLS. */
  readonly isTls: boolean
  readonly engine: Engine
  readonly log: OpLog
  readonly terms: RunTerms
  readonly lateTail: LateTail
  readonly mesh: () => Mesh
  readonly keeper: () => HorizonKeeper
  readonly sessions: () => Iterable<Session>
  readonly ackMode: () => AckMode
  readonly minReplicas: () => { readonly count: number; readonly lagSecondsMax: number }
  readonly isDurableAck: () => boolean
  /** The open turn is to be ended, as soon as what runs now is over. */
  readonly turnBegan: () => void
  /** Replies to what has run in this turn must not leave any more. */
  readonly silence: () => void
  readonly info: (sentence: string) => void
  /** The node follows another one now, or none: what `replica-of` is to say. */
  readonly noted: (address: string) => void
}

export class Replication implements Member, ReplicationHost {
  readonly nodeId: string
  readonly #parts: ReplicationParts
  readonly #term: TermFile
  readonly gate: ReplyGate
  readonly waits: ReplicaWaits
  /** FAILOVER. */
  readonly handOver: HandOver
  #duty: Duty
  #isSettled = false
  /** As replica, in this process: what its folder may have lacked when it began, it has since. */
  #hasCaughtUp = false
  /** What the primary that it follows had when it was heard first. It has more at every moment, if it is written to. */
  #toCatchUp: VersionVector | undefined
  /** What the log has of what is applied; undefined: nobody asks. */
  #logged: VersionVector | undefined
  /** Since the start; and of them those on their way to the log. */
  #turns = 0
  #turnsUnderWay = 0
  /** When writes were held back for a hand-over: what was applied, and the turn that was open. */
  #pausedAt: { readonly applied: VersionVector; readonly turn: number } | undefined
  /** Counts how often replies were kept from leaving. */
  #silences = 0
  #heardMs = Number.NEGATIVE_INFINITY
  /** Where clients reach the primary, once it has said so. */
  #clientAddress: string | undefined
  mayAnswer: (() => boolean) | undefined = undefined
  /** Set where an agent decides who is primary. */
  handOverByAgent: ((nodeId: string, timeoutMs: number) => void) | undefined = undefined
  /** Likewise: where nodes are. */
  places: Places | undefined = undefined

  /**
   * @param duty  what the node begins as, once it has recovered
   * @throws StartError
   */
  constructor(parts: ReplicationParts, duty: Duty['kind'], primaryAddress: string) {
    this.#parts = parts
    this.nodeId = parts.nodeId
    this.#term = new TermFile(parts.env.disk, parts.folder)
    this.#duty = this.#firstDuty(duty, this.#urlOf(primaryAddress))
    this.gate = new ReplyGate({
      mode: parts.ackMode,
      isDurable: parts.isDurableAck,
      replicas: () => parts.mesh().replicas,
      applied: () => parts.engine.applied,
      mayAnswer: () => this.role !== 'primary' || (this.mayAnswer?.() ?? true),
      drop: dropAll,
    })
    this.waits = new ReplicaWaits({
      replicas: () => parts.mesh().replicas,
      durable: () => parts.log.durable,
      after: (delayMs, task) => parts.env.after(delayMs, task),
      hurry: () => parts.log.hurryDurable(),
    })
    this.handOver = new HandOver({
      replicas: () => parts.mesh().replicas,
      applied: () => parts.engine.applied,
      nowMs: () => parts.env.monoMs(),
      after: (delayMs, task) => parts.env.after(delayMs, task),
      pauseWrites: () => this.pauseWrites(),
      letWritesGo: () => this.letWritesGo(),
      give: (replica) => this.#give(replica),
      agent: () => this.handOverByAgent,
    })
    this.#refuse()
  }

  #firstDuty(kind: Duty['kind'], syncUrl: string): Duty {
    const { term } = this
    if (kind === 'primary') return { kind, term, isWhole: true }
    return kind === 'idle' ? { kind } : { kind, term, primary: { nodeId: '', syncUrl } }
  }

  /** Without a coordinator a node is reached at its port for clients. @param address  `host:port` */
  #urlOf(address: string): string {
    return syncUrlOf(address, this.#parts.isTls)
  }

  /** Where the primary is that this node follows: `host:port`; '' when it follows none. */
  get primaryAddress(): string {
    return this.#duty.kind === 'replica' ? addressIn(this.#duty.primary.syncUrl) : ''
  }

  /** `replica-of` has changed, at an operator's word. @param address  `host:port`; '' for no one */
  told(address: string): void {
    if (address === this.primaryAddress) return
    const { term } = this
    if (address !== '')
      this.take({ kind: 'replica', term, primary: { nodeId: '', syncUrl: this.#urlOf(address) } })
    else if (this.role !== 'primary') this.take({ kind: 'primary', term: term + 1, isWhole: false })
  }

  get duty(): Duty {
    return this.#duty
  }

  /** Why this node mints nothing; undefined for a primary. */
  get refusal(): CommandError | undefined {
    if (this.role === 'primary') return undefined
    return this.role === 'replica' ? errors.readOnlyReplica : errors.clusterDown
  }

  get role(): Role {
    return this.#duty.kind
  }

  get term(): number {
    return this.#term.term
  }

  get isWhole(): boolean {
    return !this.#parts.keeper().lacking
  }

  get unanswered(): 'none' | 'reads' | 'writes' {
    const waiting = this.#turnsUnderWay + this.gate.waitingCount
    // Turns are answered in order.
    const isPauseAnswered = this.#turns - waiting >= (this.#pausedAt?.turn ?? Number.POSITIVE_INFINITY)
    if (isPauseAnswered) return waiting === 0 ? 'none' : 'reads'
    return 'writes'
  }

  get opCount(): number {
    return this.#parts.engine.applied.opCount
  }

  /** Recovery is over and the mesh listens: the first duty begins. */
  begin(): void {
    this.#isSettled = true
    if (this.#duty.kind === 'replica') this.#parts.mesh().follow(this.#duty.primary.syncUrl)
  }

  take(duty: Duty): void {
    if (duty.kind !== 'idle') {
      if (duty.term < this.term)
        throw new Error(`term ${duty.term} is over: this node knows of term ${this.term}`)
      this.#term.raise(duty.term)
    }
    const before = this.#duty
    const { membership } = this.#parts.engine
    if (isSame(before, duty)) return
    this.#duty = duty
    // What ran in this turn was run under the former duty, and its batch must not go on under another origin.
    this.#parts.engine.endTurn()
    this.#parts.turnBegan()
    membership.takesFenced = duty.kind !== 'primary'
    if (before.kind === 'primary') this.#resign()
    this.#refuse()
    this.#toCatchUp = undefined
    this.#clientAddress = undefined
    if (!this.#isSettled) return
    const mesh = this.#parts.mesh()
    switch (duty.kind) {
      case 'primary':
        this.#lead(duty.isWhole)
        break
      case 'replica':
        mesh.follow(duty.primary.syncUrl)
        this.#parts.info(`this node is a replica of ${duty.primary.syncUrl} from now on`)
        break
      case 'idle':
        mesh.leave()
        this.#parts.info('this node is neither primary nor replica until it is known who is primary')
        break
    }
    // Its region acknowledges by another rule now.
    this.#parts.keeper().judge()
  }

  #lead(isWhole: boolean): void {
    const { engine, terms, mesh, keeper, info } = this.#parts
    const { membership, applied, origin } = engine
    membership.takesFenced = false
    // What its primary took of an origin before it was fenced, this node holds too.
    for (const fenced of [...membership.fences.keys()]) membership.raise(fenced, applied.get(fenced))
    const isFresh = applied.get(origin) === 0 && membership.limitOf(origin) === Number.POSITIVE_INFINITY
    engine.adoptOrigin(isFresh ? origin : terms.renew())
    // Others may call it whole by what it was before its folder was put back from a copy.
    const mayLack = !isWhole || (keeper().lacking && !this.#hasCaughtUp)
    terms.note(mayLack)
    mesh().lead()
    keeper().begin(mayLack)
    info(
      !mayLack
        ? `this node is primary from now on, in term ${this.term}, under origin ${engine.origin.id}`
        : `this node is primary in term ${this.term}; it was not known to be in sync, and asks the other regions first`,
    )
  }

  /** Nothing is answered as primary any more. Clients that wait for keys wait in vain. */
  #resign(): void {
    this.handOver.stop()
    // While nobody knows who is primary, a write that waits for that goes on waiting: see `primaryKnown`.
    if (this.#duty.kind !== 'idle') this.letWritesGo()
    if (this.mayAnswer?.() === false) {
      this.gate.close()
      // Turns that are on their way to the log would pass the gate as those of a replica.
      this.#silences++
      this.#parts.silence()
    }
    for (const session of this.#parts.sessions()) session.blocked?.unblock?.(errors.unblockedByRole)
    this.waits.stop()
  }

  #refuse(): void {
    const { admission } = this.#parts.engine.commands
    for (const kind of ['replica', 'idle'] as const)
      if (this.#duty.kind === kind) admission.begin(kind)
      else admission.end(kind)
    this.#watchCount()
  }

  /** `min-replicas-to-write`. */
  #watchCount(): void {
    const { engine, minReplicas } = this.#parts
    const { admission } = engine.commands
    const { count } = minReplicas()
    const isShort = this.#duty.kind === 'primary' && count > 0 && this.#goodReplicas() < count
    if (isShort === admission.has('replicas')) return
    if (isShort) admission.begin('replicas')
    else admission.end('replicas')
  }

  #goodReplicas(): number {
    if (!this.#isSettled) return 0
    const { mesh, minReplicas, env } = this.#parts
    const { lagSecondsMax } = minReplicas()
    let good = 0
    for (const { link, heardMs } of mesh().replicas.all)
      if (link !== undefined && (lagSecondsMax === 0 || env.monoMs() - heardMs <= lagSecondsMax * 1000))
        good++
    return good
  }

  /** The settings about replicas have changed. */
  configured(): void {
    this.#watchCount()
    this.gate.release()
  }

  replicas(): readonly ReplicaState[] {
    const { mesh, env } = this.#parts
    const { replicas } = mesh()
    const nowMs = env.monoMs()
    const wanted = this.#wanted
    return Array.from(replicas.all, (replica) => ({
      nodeId: replica.nodeId,
      host: replica.host,
      port: replica.port,
      isConnected: replica.link !== undefined,
      lagOps: replicas.lagOf(replica, wanted),
      lagMs: replica.behindSinceMs === undefined ? 0 : nowMs - replica.behindSinceMs,
      isDurable: replicas.isDurable(replica),
      isBeyondEnd: replicas.isBeyondEnd(replica),
      confirmedMs: replica.confirmedMs,
    }))
  }

  /**
   * What a replica should have. Once writes are held back it need not have what other regions go on sending: nothing
   * of that is acknowledged to them before all in sync have it, and without a pause there it would never have all.
   */
  get #wanted(): VersionVector {
    const { applied, origin } = this.#parts.engine
    if (this.#pausedAt === undefined) return applied
    const wanted = this.#pausedAt.applied.copy()
    for (const [one, seq] of applied.entries()) if (one.region === origin.region) wanted.advance(one, seq)
    return wanted
  }

  setInSync(nodeIds: ReadonlySet<string>): void {
    const others = new Set(nodeIds)
    others.delete(this.nodeId)
    const { mesh } = this.#parts
    mesh().replicas.nameInSync(others)
    this.replicasChanged()
  }

  pauseWrites(): void {
    const { engine, env } = this.#parts
    this.#pausedAt = { applied: engine.applied.copy(), turn: this.#turns + 1 }
    this.#parts.turnBegan()
    engine.commands.pause.begin('write', PAUSE_MS_MAX, env.monoMs(), (delayMs, task) =>
      env.after(delayMs, task),
    )
  }

  /** Others are primary, and clients can be told who: writes that were held for a hand-over are sent on. */
  primaryKnown(): void {
    if (this.role !== 'primary') this.letWritesGo()
  }

  letWritesGo(): void {
    this.#pausedAt = undefined
    this.#parts.engine.commands.pause.end()
  }

  #give({ link, nodeId, host, port }: Replica): void {
    const term = this.term + 1
    link?.lead(term)
    const address = `${bracketed(host)}:${port}`
    this.take({ kind: 'replica', term, primary: { nodeId, syncUrl: this.#urlOf(address) } })
    this.#parts.noted(address)
  }

  /** Also when the link is gone: what the node promised by hearing it holds all the same. */
  get primaryHeardMs(): number {
    return this.#heardMs
  }

  /** INFO and ROLE. */
  state(): ReplicationState {
    const { mesh, engine, env } = this.#parts
    const nowMs = env.monoMs()
    const { replicas, following } = mesh()
    const puller = following?.puller
    return {
      role: this.role,
      term: this.term,
      offset: engine.applied.opCount,
      primary:
        this.#duty.kind === 'replica'
          ? {
              address: this.#clientAddress ?? this.primaryAddress,
              link: linkOf(puller?.state, puller?.isTrimmed === true),
              heardMsAgo: following === undefined ? undefined : nowMs - following.heardMs,
              error: puller?.peer.lastError?.sentence,
            }
          : undefined,
      replicas: Array.from(replicas.all, (replica) => ({
        nodeId: replica.nodeId,
        host: replica.host,
        port: replica.port,
        state: replica.link === undefined ? 'offline' : 'online',
        offset: replica.applied?.opCount ?? 0,
        heardMsAgo: nowMs - replica.heardMs,
        keepsUp: replicas.keepsUp(replica),
      })),
    }
  }

  get durable(): VersionVector {
    return this.#parts.log.durable
  }

  get logged(): VersionVector {
    return this.role === 'replica' ? (this.#logged ?? this.durable) : this.#parts.engine.applied
  }

  get offered(): VersionVector {
    return this.#logged ?? this.#parts.engine.applied
  }

  /**
   * A turn is on its way to the log.
   * @param waiting  whom it answers
   * @returns what to call once it is there: its replies leave then, or when replicas have it, if they still may
   */
  turnEnded(waiting: Iterable<Waiting>): () => void {
    const silences = this.#silences
    const isAsked = this.role === 'replica' || !this.#parts.mesh().replicas.isEmpty
    const applied = isAsked ? this.#parts.engine.applied.copy() : undefined
    this.#turns++
    this.#turnsUnderWay++
    return () => {
      this.#turnsUnderWay--
      this.#logged = applied
      if (silences === this.#silences) this.gate.pass(waiting)
      else dropAll(waiting)
    }
  }

  replicasChanged(): void {
    this.#watchCount()
    this.gate.release()
    this.waits.look()
    // It may acknowledge more now.
    if (this.#duty.kind === 'primary') this.#parts.mesh().durableAdvanced()
  }

  followed({ nodeId, term, host, port }: Identity): void {
    const duty = this.#duty
    if (duty.kind !== 'replica') return
    if (port > 0)
      this.#clientAddress = `${host === '' ? hostOf(this.primaryAddress) : bracketed(host)}:${port}`
    if (!this.#note(term)) return
    this.#duty = { ...duty, term: this.term, primary: { ...duty.primary, nodeId } }
  }

  /** @returns false when the disk does not take it: nothing is done under that term, and the link is tried again */
  #note(term: number): boolean {
    try {
      this.#term.raise(term)
      return true
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      this.#parts.mesh().following?.puller.giveUp(reason('disk-full', error.message))
      return false
    }
  }

  rescued(messages: readonly Uint8Array[]): void {
    this.#parts.lateTail.rescue(messages)
  }

  primaryHeard(announced: VersionVector, clockMs: number): void {
    this.#heardMs = this.#parts.env.monoMs()
    const { engine, lateTail } = this.#parts
    // What the primary did at that moment of its clock, this node will not do as "not yet due" later.
    if (clockMs > 0) engine.clock.atLeast(clockMs)
    this.#toCatchUp ??= announced.copy()
    this.#hasCaughtUp ||= engine.applied.covers(this.#toCatchUp)
    if (lateTail.isPending) lateTail.search(() => this.#handUp())
  }

  /** The primary mints again what this node minted behind the end of its origin. */
  #handUp(): void {
    const following = this.#parts.mesh().following
    if (following === undefined) return
    for (const records of this.#parts.lateTail.unminted()) following.puller.sendTail(records)
    following.puller.sendTail([])
  }

  handedOver(term: number): void {
    if (term <= this.term) return
    this.take({ kind: 'primary', term, isWhole: true })
    this.#parts.noted('')
  }

  wished(nodeId: string): void {
    try {
      this.handOver.begin({ to: { nodeId }, isForced: false, timeoutMs: WISH_MS_MAX })
    } catch (error) {
      if (!(error instanceof CommandError)) throw error
      this.#parts.info(`node ${nodeId} wishes to be primary: ${error.line}`)
    }
  }

  /** As replica: asks the primary to hand over to this node. @returns false when there is no link to it */
  wish(): boolean {
    const following = this.#parts.mesh().following
    if (following?.puller.streaming !== true) return false
    following.puller.wish()
    return true
  }

  nodesOf(partition: number): readonly string[] {
    return (this.places?.nodesOf(partition) ?? this.#linkedNodes()).slice(0, NODES_MAX)
  }

  get own(): readonly string[] {
    if (this.places === undefined) return []
    return [this.places.syncUrl, ...this.nodesOf(this.#parts.partition)].slice(0, NODES_MAX)
  }

  /** Without an agent a node knows of those that it has a link with; they are reached at their ports for clients. */
  #linkedNodes(): readonly string[] {
    if (this.#duty.kind === 'replica') return [this.#duty.primary.syncUrl]
    const { replicas } = this.#parts.mesh()
    const linked = Array.from(replicas.all).filter(({ link, port }) => link !== undefined && port > 0)
    return linked.map(({ host, port }) => this.#urlOf(`${bracketed(host)}:${port}`))
  }

  termHeard(term: number): void {
    this.#parts.info(
      `another node of this region is primary in term ${term}, this one was in term ${this.term}`,
    )
    if (this.#duty.kind !== 'primary') return
    this.take({ kind: 'idle' })
    this.letWritesGo()
  }
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

/** The part of `host:port` before the port. */
function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(':'))
}

function linkOf(state: PullState | undefined, isFetching: boolean): PrimaryLink {
  if (state === 'streaming') return isFetching ? 'sync' : 'connected'
  return state === 'dialing' || state === 'greeting' ? 'connecting' : 'connect'
}

function isSame(a: Duty, b: Duty): boolean {
  if (a.kind === 'replica' && b.kind === 'replica')
    return a.primary.syncUrl === b.primary.syncUrl && a.term === b.term
  return a.kind === b.kind
}
