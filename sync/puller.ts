/**
 * puller.ts: keeps one link open by which this node pulls from a peer.
 *
 * Dials, redials with exponential backoff and jitter, and carries out what the pull session asks for.
 * The backoff is reset by the first sign of life behind a welcome, not by the welcome: a link that breaks
 * right after it was opened must not be redialled without a pause. Where the right node may be is kept in
 * `whereabouts.ts`: one address after the other, and only behind all of them comes the pause.
 *
 * Invariants: (1) at most one attempt or link at a time; what a former attempt still reports is ignored.
 * (2) What the peer announced but did not send is asked for again: a status is behind all ops sent
 * before it, so two in a row with the same op missing and no ops between mean that it will not come.
 * (3) A peer whose log is trimmed is not asked again before a snapshot has advanced this node.
 */
import type { Origin } from '../crdt/origin.ts'
import { VersionVector, type WireVector } from '../crdt/version-vector.ts'
import { Backoff } from './backoff.ts'
import type { CatchUp } from './catch-up.ts'
import { Connection } from './connection.ts'
import { olderTerm } from './handshake.ts'
import type { Inbox, Source } from './inbox.ts'
import {
  EVERY_REGION,
  encodeOps,
  type Hello,
  type Hurry,
  type Status,
  type Wanted,
  type Welcome,
} from './messages.ts'
import type { Peer } from './peer.ts'
import type { Identity, Link, LinkEvents, SyncEnv, SyncHost, Timer, Transport } from './ports.ts'
import { type Hail, PullSession, type PullTerms } from './pull-session.ts'
import { ProtocolViolation, type Reason, reason } from './reason.ts'
import type { Action, SnapshotMessage } from './session.ts'
import type { SyncSettings } from './settings.ts'
import type { SnapshotFetch, SnapshotGiver } from './snapshot-fetch.ts'
import { durableFences, durableOf } from './standings.ts'

/**
 * First pause of a replica, milliseconds: its primary may be about to take its term up, and under synchronous
 * replication clients of it wait for this link.
 */
const FOLLOW_REDIAL_MS = 5

/** A dial that takes longer than this is given up for a peer that has reached this node meanwhile, milliseconds. */
const DIAL_MS_PATIENT = 500

/** What a puller shares with the others of its node. */
export interface PullerParts {
  readonly host: SyncHost
  readonly env: SyncEnv
  readonly transport: Transport
  readonly settings: SyncSettings
  readonly inbox: Inbox<Source>
  readonly catchUp: CatchUp
  readonly snapshots: SnapshotFetch
  /** What forbids a link with the peer that answered. */
  readonly judge: PullTerms['judge']
  /** Regions that the peer should relay, as planned now. */
  relays(): readonly number[]
  /** The link opened, ended, or brought news of what exists where. */
  changed(): void
  /** Ops were applied, or wait to be released. */
  took(): void
  /** The peer said where it and others stand. */
  heard(status: Status): void
  /** The peer let us in, and knows by which op our region joined or came back. */
  welcomed(identity: Identity, joined: VersionVector): void
  /** Clients of the peer have published. @throws ProtocolViolation */
  told(bytes: Uint8Array): void
  /** The peer delivered ops of that origin up to `seq`. */
  delivered(origin: Origin, seq: number): void
  /** The peer hands over to this node, which is its replica. */
  led(term: number): void
}

export type PullState = 'stopped' | 'waiting' | 'dialing' | 'greeting' | 'streaming'

export class Puller implements Source, SnapshotGiver {
  readonly peer: Peer
  readonly #parts: PullerParts
  readonly #backoff: Backoff
  #running = false
  #redial: Timer | undefined
  /** Names the present attempt; an event with another number is stale. */
  #attempt = 0
  #dialing = false
  #dialedMs = Number.NEGATIVE_INFINITY
  #connection: Connection | undefined
  #session: PullSession | undefined
  #identity: Identity | undefined
  /** What the last subscription asked to relay. */
  #asked: readonly number[] = []
  /** The causal buffer was full: ask for every region until this link has caught up. */
  #everything = false
  /** What the peer had applied when the link was opened. */
  #welcomeVector: VersionVector | undefined
  /** A status that announced ops we lack, no ops having come since. */
  #suspect: VersionVector | undefined
  #askedAgainMs = Number.NEGATIVE_INFINITY
  #lastStatus: { readonly atMs: number; readonly heardMs: number } | undefined
  /** Somebody at the peer waits until we have this durably. */
  #hurry: VersionVector | undefined
  #isTrimmed = false

  constructor(peer: Peer, parts: PullerParts) {
    this.peer = peer
    this.#parts = parts
    this.#backoff = new Backoff(parts.env, parts.settings)
  }

  get state(): PullState {
    if (this.streaming) return 'streaming'
    if (this.#connection !== undefined) return 'greeting'
    if (this.#dialing) return 'dialing'
    return this.#running ? 'waiting' : 'stopped'
  }

  get streaming(): boolean {
    return this.#session?.streaming ?? false
  }

  /** The node at the other end, while the link is open. */
  get identity(): Identity | undefined {
    return this.streaming ? this.#identity : undefined
  }

  get region(): string {
    return this.peer.name
  }

  get stopped(): boolean {
    return !this.#running
  }

  get isTrimmed(): boolean {
    return this.#isTrimmed
  }

  get announced(): VersionVector | undefined {
    return this.peer.applied
  }

  /** Sends ops up the link, to the primary that this node follows. */
  sendTail(records: readonly Uint8Array[]): void {
    this.#connection?.sendBytes(encodeOps(records, 'tail'))
  }

  /** Asks the primary that this node follows to hand over. */
  wish(): void {
    this.#connection?.send({ type: 'wish' })
  }

  /** Bytes that the network has not taken yet. */
  get unsentBytes(): number {
    return this.#connection?.unsentBytes ?? 0
  }

  request(id: string, offset: number, least: WireVector): void {
    this.#connection?.send({ type: 'fetch', id, offset, least })
  }

  start(): void {
    this.#running = true
    this.#backoff.reset()
    if (this.#connection === undefined && !this.#dialing) this.#dial()
  }

  /** The peer has reached this node, so it can be reached: now, if that was waited for, or is taking its time. */
  redial(): void {
    if (!this.#running || this.#connection !== undefined) return
    const dialedMs = this.#parts.env.monoMs() - this.#dialedMs
    if (this.#dialing && dialedMs < DIAL_MS_PATIENT) return
    if (this.#dialing) this.peer.whereabouts.silent()
    this.peer.whereabouts.beginRound()
    this.#dial()
  }

  #dial(): void {
    this.#redial?.cancel()
    this.#redial = undefined
    this.#dialing = true
    this.#dialedMs = this.#parts.env.monoMs()
    const attempt = ++this.#attempt
    this.#parts.transport.dial(
      this.peer.url,
      (link) => this.#opened(link, attempt),
      (sentence) => {
        if (attempt !== this.#attempt) return
        this.peer.whereabouts.silent()
        this.#lost(reason('lost', sentence))
      },
    )
  }

  /** Closes the link and dials no more. */
  stop(why: Reason): void {
    this.#running = false
    this.#redial?.cancel()
    this.#redial = undefined
    this.#dialing = false
    this.#end(why)
    // An attempt that still runs finds itself outdated.
    this.#attempt++
  }

  /** Ends the link from this side and dials again after a while. */
  giveUp(why: Reason): void {
    this.#end(why)
  }

  /** Another node of the peer's region has let us in: the one that this link leads to may be primary no more. */
  outdate({ term }: Identity): void {
    const { identity } = this
    if (identity !== undefined && identity.term < term) this.#end(olderTerm(identity, term))
  }

  /** Sends an acknowledgement; also the sign of life on this link. */
  acknowledge(): void {
    const { host, env } = this.#parts
    if (!this.streaming || !host.isDurableKnown) return
    const { durable } = host
    this.#connection?.send({
      type: 'ack',
      applied: host.replication.logged.toWire(),
      durable: durable.toWire(),
      clockMs: host.expiryClockMs(),
      wallMs: env.wallMs(),
      echoMs: this.#echoMs(),
      sentMs: this.#lastStatus?.atMs ?? 0,
      origin: host.origin.id,
      fences: durableFences(host),
    })
    if (this.#hurry !== undefined && durable.covers(this.#hurry)) this.#hurry = undefined
  }

  #echoMs(): number {
    if (this.#lastStatus === undefined) return 0
    const { atMs, heardMs } = this.#lastStatus
    return atMs + Math.max(0, Math.round(this.#parts.env.monoMs() - heardMs))
  }

  /** Somebody at the peer waits for our acknowledgement. */
  get isHurried(): boolean {
    return this.#hurry !== undefined
  }

  /** Asks for an fsync when all that somebody waits for is applied and not yet durable. */
  hurryAlong(): void {
    if (this.#hurry === undefined) return
    const { host } = this.#parts
    if (host.applied.covers(this.#hurry) && !host.durable.covers(this.#hurry)) host.hurryDurable()
  }

  /** Called once per heartbeat. */
  beat(nowMs: number): void {
    const why = this.#connection?.judge(nowMs, this.streaming, this.#parts.settings)
    if (why !== undefined) this.#end(why)
    else this.acknowledge()
  }

  /** Tells the peer when the plan or the state of the buffer wants something else relayed. */
  adjust(): void {
    // A peer whose log is trimmed sends nothing anyway, until a snapshot has come.
    if (!this.streaming || this.#isTrimmed) return
    const { inbox, host } = this.#parts
    const caughtUp = this.#welcomeVector !== undefined && host.applied.covers(this.#welcomeVector)
    if (caughtUp && inbox.waitingBatches === 0) this.#everything = false
    const wanted = this.#relays()
    if (wanted.length === this.#asked.length && wanted.every((id, i) => id === this.#asked[i])) return
    this.subscribe()
  }

  delivered(origin: Origin, seq: number): void {
    this.#parts.delivered(origin, seq)
  }

  applied(opCount: number): void {
    this.peer.traffic.opsIn += opCount
  }

  accused(why: Reason): void {
    this.#end(why)
  }

  #opened(link: Link, attempt: number): LinkEvents {
    if (attempt !== this.#attempt || !this.#dialing) {
      link.close('stopping')
      return { message: () => {}, drained: () => {}, closed: () => {} }
    }
    const { host, env, settings, judge } = this.#parts
    this.#dialing = false
    this.peer.whereabouts.answered()
    const connection = new Connection(link, env.monoMs())
    connection.traffic = this.peer.traffic
    const session = new PullSession(host, {
      region: this.peer.name,
      secret: settings.secret,
      judge,
      greet: { role: 'puller', greeting: (hail) => ({ ...hail, ...this.#greeting() }) },
    })
    this.#connection = connection
    this.#session = session
    return {
      message: (bytes) => {
        if (!connection.isOpen) return
        connection.received(bytes)
        for (const action of session.receive(bytes)) this.#perform(action, connection)
      },
      drained: () => {},
      closed: (sentence) => {
        if (!connection.isOpen) return
        connection.ended()
        this.#lost(reason('lost', sentence))
      },
    }
  }

  #greeting(): Omit<Hello, keyof Hail> {
    const { host, settings } = this.#parts
    const { frameBytesMax } = settings
    const nodes = this.peer.name === host.identity.region ? [] : host.replication.own
    return { type: 'hello', frameBytesMax, nodes, ...this.#wanted() }
  }

  #perform(action: Action, connection: Connection): void {
    switch (action.do) {
      case 'send':
        connection.send(action.message)
        break
      case 'end':
        if (action.nodes !== undefined) this.peer.whereabouts.learn(action.nodes)
        this.#closed(action.reason)
        break
      case 'opened':
        this.#welcomed(action.peer, action.welcome)
        break
      case 'take':
        this.#take(action.bytes)
        break
      case 'learn':
        this.#learn(action.status)
        break
      case 'tell':
        this.#told(action.bytes)
        break
      case 'lead':
        this.#parts.led(action.term)
        break
      case 'hurry':
        this.#hurried(action.hurry)
        break
      case 'trimmed':
        this.#isTrimmed = true
        this.#parts.changed()
        this.#parts.snapshots.changed()
        break
      case 'snapshot':
        this.#hearSnapshot(action.message)
        break
    }
  }

  #hearSnapshot(message: SnapshotMessage): void {
    const { snapshots } = this.#parts
    switch (message.type) {
      case 'snapshot-wait':
        snapshots.waits(this, message.done)
        break
      case 'snapshot-begin':
        snapshots.began(this, message)
        break
      case 'snapshot-part':
        snapshots.part(this, message.bytes)
        break
      case 'snapshot-none':
        snapshots.refused(this, message.sentence)
        break
    }
  }

  #welcomed(identity: Identity, welcome: Welcome): void {
    const applied = VersionVector.fromWire(this.#parts.host.origins, welcome.applied)
    this.#identity = identity
    this.peer.regionId = identity.regionId
    this.peer.applied = applied
    this.peer.settled.restart()
    this.#welcomeVector = applied
    this.peer.works()
    this.#parts.welcomed(identity, VersionVector.fromWire(this.#parts.host.origins, welcome.joined))
    this.acknowledge()
    this.#parts.changed()
    this.#parts.snapshots.changed()
  }

  #take(bytes: Uint8Array): void {
    const { catchUp, inbox, took } = this.#parts
    this.#suspect = undefined
    this.#checked(() =>
      catchUp.run(() => {
        const { full, gap } = inbox.take(bytes, this)
        if (full) this.#overflow()
        else if (gap) this.#askAgain()
      }),
    )
    took()
    if (this.#connection !== undefined) catchUp.rest(this.#connection)
  }

  #told(bytes: Uint8Array): void {
    this.#checked(() => this.#parts.told(bytes))
  }

  /** What is not well-formed ends the link. */
  #checked(take: () => void): void {
    try {
      take()
    } catch (error) {
      if (!(error instanceof ProtocolViolation)) throw error
      this.#end({ code: error.code, sentence: error.message })
    }
  }

  /**
   * The link is closed and what it delivered dropped. When it is back it asks for every region: a log
   * in its own order, nothing left out, never has to wait for anything.
   */
  #overflow(): void {
    const { inbox, settings } = this.#parts
    this.#everything = true
    inbox.discard(this)
    this.#end(
      reason(
        'buffer-full',
        `ops wait for others they depend on, and the limit of ${settings.causalBufferBytesMax} bytes is reached`,
      ),
    )
  }

  #learn(status: Status): void {
    const { host, env } = this.#parts
    const announced = VersionVector.fromWire(host.origins, status.applied)
    this.#backoff.reset()
    this.#parts.heard(status)
    this.#lastStatus = { atMs: status.atMs, heardMs: env.monoMs() }
    const durable = durableOf(this.peer.regionId, status.standings, host.origins)
    this.peer.announce(announced, durable, status.clockMs, env.monoMs())
    if (this.#suspect !== undefined && this.#lacks(this.#suspect)) this.#askAgain()
    this.#suspect = this.#lacks(announced) ? announced : undefined
    this.#parts.changed()
  }

  /** An op that this link should bring is announced, and is neither applied nor waits. */
  #lacks(announced: VersionVector): boolean {
    const { host, inbox } = this.#parts
    for (const [origin, seq] of announced.entries()) {
      const wanted = Math.min(seq, host.membership.limitOf(origin))
      if (wanted <= host.applied.get(origin) || inbox.holds(origin, seq)) continue
      if (this.#isExpected(origin.region)) return true
    }
    return false
  }

  #isExpected(region: number): boolean {
    return (
      region === this.peer.regionId ||
      region === this.#parts.host.identity.regionId ||
      this.#asked.includes(region) ||
      this.#asked.includes(EVERY_REGION)
    )
  }

  #askAgain(): void {
    const nowMs = this.#parts.env.monoMs()
    if (this.#isTrimmed || nowMs - this.#askedAgainMs < this.#parts.settings.heartbeatMs) return
    this.#askedAgainMs = nowMs
    this.subscribe()
  }

  /** Says anew what this node has and wants. */
  subscribe(): void {
    this.#suspect = undefined
    this.#isTrimmed = false
    this.#connection?.send({ type: 'relay', ...this.#wanted() })
  }

  #wanted(): Wanted {
    this.#asked = this.#relays()
    return { vector: this.#parts.host.applied.toWire(), relay: this.#asked }
  }

  #relays(): readonly number[] {
    return this.#everything ? [EVERY_REGION] : this.#parts.relays()
  }

  #hurried({ until }: Hurry): void {
    const target = VersionVector.fromWire(this.#parts.host.origins, until)
    if (this.#hurry === undefined) this.#hurry = target
    else this.#hurry.join(target)
    if (this.#parts.host.durable.covers(this.#hurry)) this.acknowledge()
    else this.hurryAlong()
  }

  /** Ends the link from this side, and says why. */
  #end(why: Reason): void {
    if (this.#connection === undefined) return
    this.#connection.send({ type: 'bye', ...why })
    this.#closed(why)
  }

  #closed(why: Reason): void {
    this.#connection?.close(why)
    this.#lost(why)
  }

  /** The attempt or link is over: waits and dials again. */
  #lost(why: Reason): void {
    const wasWelcome = this.#welcomeVector !== undefined
    this.#connection = undefined
    this.#session = undefined
    this.#dialing = false
    this.#suspect = undefined
    this.#isTrimmed = false
    this.#welcomeVector = undefined
    this.#lastStatus = undefined
    this.#hurry = undefined
    this.peer.failed(why)
    if (this.#running) {
      const delayMs = this.peer.whereabouts.next() && !wasWelcome ? 0 : this.#backoffMs()
      this.#redial = this.#parts.env.after(delayMs, () => this.#dial())
    }
    if (!wasWelcome) return
    this.#parts.changed()
    this.#parts.snapshots.changed()
  }

  #backoffMs(): number {
    const { host, settings } = this.#parts
    const isFollowing = this.peer.name === host.identity.region
    return this.#backoff.nextMs(isFollowing ? Math.min(FOLLOW_REDIAL_MS, settings.redialMsMin) : undefined)
  }
}
