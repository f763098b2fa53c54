/**
 * mesh.ts: all links of this node, in both directions.
 *
 * A link is a pull. This node dials each configured peer and pulls the ops it lacks; each peer dials
 * this node and pulls from here. So between two regions there are two links, one for each direction of
 * the data, and neither needs to know of the other. See PROTOCOL.md.
 *
 * The node tells the mesh what changed (`logAdvanced`, `durableAdvanced`); the mesh gives received
 * batches to `host.apply`. Everything else runs by four clocks: a linger before ops are sent, a linger
 * before an acknowledgement is sent, a heartbeat, and the waits of the relay plan.
 *
 * Invariants: (1) at most one link each way per peer; a newer one from the same node replaces the older.
 * (2) Nothing happens after `stop`. (3) Nothing here grows with the backlog of a peer: that is in the log.
 */
import type { RegionRecord } from '../crdt/membership.ts'
import type { Origin } from '../crdt/origin.ts'
import { VersionVector } from '../crdt/version-vector.ts'
import { CatchUp } from './catch-up.ts'
import { DurableWaits, type WaitedPeer } from './durable-waits.ts'
import { judgePeer } from './handshake.ts'
import { HeldPublications } from './held-publications.ts'
import { Inbox } from './inbox.ts'
import { type LinkStatus, linkStatus } from './link-status.ts'
import type { Ack, Status, WireStanding } from './messages.ts'
import { OpsFrames } from './ops-frame.ts'
import { OutgoingPublications } from './outgoing-publications.ts'
import { type HearingReport, Peer } from './peer.ts'
import type { Identity, Link, LinkEvents, Publication, SyncEnv, SyncHost, Timer, Transport } from './ports.ts'
import { decodePublications } from './publication.ts'
import { Puller } from './puller.ts'
import { hasLeft, linkDown, type Reason, reason } from './reason.ts'
import { opsOfRegion } from './region-vector.ts'
import { RelayPlan } from './relay-plan.ts'
import { ServerLink } from './server-link.ts'
import type { PeerAddress, SyncSettings } from './settings.ts'
import { SnapshotFetch } from './snapshot-fetch.ts'
import { type CutMember, type Holdup, StableCut, type Standing } from './stable-cut.ts'
import { fencesFromWire, ownStanding, standingFromWire, standingToWire } from './standings.ts'

/** A peer with both of its links. */
interface Member {
  readonly peer: Peer
  readonly puller: Puller
  /** What its clients published and not everybody here may know yet. */
  readonly held: HeldPublications
  server: ServerLink | undefined
}

export class Mesh {
  readonly #host: SyncHost
  readonly #transport: Transport
  readonly #env: SyncEnv
  readonly #settings: SyncSettings
  readonly #inbox: Inbox<Puller>
  readonly #catchUp: CatchUp
  readonly #plan: RelayPlan
  /** Where all regions stand, and what nothing can be minted against any more. */
  readonly cut: StableCut
  readonly #snapshots: SnapshotFetch
  readonly #frames = new OpsFrames()
  readonly #members = new Map<string, Member>()
  /** Accepted links whose handshake is not done. */
  readonly #strangers = new Set<ServerLink>()
  readonly #publications: OutgoingPublications
  readonly #waits: DurableWaits
  /** The epoch of the own region that the links were opened with. */
  #ownEpoch: number
  /** When this was made, our monotonic clock: a region never heard counts as heard then. */
  readonly #madeMs: number
  #state: 'new' | 'running' | 'stopped' = 'new'
  /** This node can take ops in. */
  #pulls = true
  #heartbeat: Timer | undefined
  #linger: Timer | undefined
  #ackLinger: Timer | undefined
  #replan: Timer | undefined

  constructor(host: SyncHost, transport: Transport, env: SyncEnv, settings: SyncSettings) {
    this.#host = host
    this.#transport = transport
    this.#env = env
    this.#settings = settings
    this.#madeMs = env.monoMs()
    this.#inbox = new Inbox(host, settings)
    const released = (): void => this.#took()
    this.#catchUp = new CatchUp({ host, env, settings, inbox: this.#inbox, released })
    this.#publications = new OutgoingPublications(settings.publicationBytesMax)
    this.#waits = new DurableWaits({
      peers: () => this.#waitedPeers(),
      after: (delayMs, task) => env.after(delayMs, task),
    })
    this.#plan = new RelayPlan(host.identity.regionId)
    this.#snapshots = new SnapshotFetch({
      host,
      env,
      givers: () => this.#pullers(),
      adopted: () => this.#adopted(),
    })
    this.cut = new StableCut(host)
    this.#ownEpoch = host.identity.epoch
    for (const address of settings.peers) this.#addMember(address)
    this.membershipChanged()
  }

  #addMember(address: PeerAddress): Member {
    const peer = new Peer(address, (sentence) => this.#host.report(sentence))
    const held = new HeldPublications(this.#settings.publicationBytesMax, (one) => this.#host.published(one))
    const member: Member = { peer, puller: this.#pullerOf(peer, held), held, server: undefined }
    this.#members.set(peer.name, member)
    return member
  }

  /** A region joined, left, was suspended or came back; or an origin was ended. */
  membershipChanged(): void {
    const { membership, identity } = this.#host
    if (identity.epoch !== this.#ownEpoch) this.#beginAnew(identity.epoch)
    for (const record of membership.regions.values()) {
      if (record.regionId === identity.regionId) continue
      const member = this.#members.get(record.name)
      if (record.status === 'left') {
        this.cut.forget(record.regionId)
        if (member !== undefined) this.#removeMember(member)
        continue
      }
      // Its id is known though it may not have been reached since the start: a suspended region is dark.
      if (member !== undefined) {
        member.peer.regionId ??= record.regionId
        this.#endIfBehind(member)
      } else if (record.url !== '') {
        this.#welcomeRegion(record)
      }
    }
    this.#inbox.reconsider()
    this.#catchUp.releaseSoon()
  }

  /** A region that is not in the configuration has joined. */
  #welcomeRegion({ regionId, name, url }: RegionRecord): void {
    const member = this.#addMember({ name, url })
    member.peer.regionId = regionId
    this.#join(member)
  }

  /** This node's own region joined or came back: peers have to hear its new epoch. */
  #beginAnew(epoch: number): void {
    this.#ownEpoch = epoch
    const why = reason('superseded', `region ${this.#host.identity.region} opens its links anew, as a member`)
    for (const { puller, server } of this.#members.values()) {
      puller.giveUp(why)
      server?.end(why)
    }
  }

  #join({ peer, puller }: Member): void {
    if (this.#state === 'running' && this.#pulls && !peer.paused) puller.start()
  }

  #removeMember(member: Member): void {
    const { peer, puller } = member
    const why = hasLeft(peer.name)
    puller.stop(why)
    member.server?.end(why)
    this.#members.delete(peer.name)
  }

  /** Links made before the region was suspended end: what flows over them would no longer count. */
  #endIfBehind({ puller, server }: Member): void {
    const why = puller.identity === undefined ? undefined : this.#isBehind(puller.identity)
    if (why !== undefined) puller.giveUp(why)
    if (server?.identity === undefined) return
    const behind = this.#isBehind(server.identity)
    if (server.isStale) server.offerSnapshot()
    else if (behind !== undefined) server.end(behind)
  }

  /** The peer does not know yet that its region was suspended, or that it may come back. */
  #isBehind({ region, regionId, epoch }: Identity): Reason | undefined {
    const { membership } = this.#host
    const known = membership.epochOf(regionId)
    // Who knows of a later change of its own was not left behind: this node was.
    if (epoch > known || (epoch === known && membership.statusOf(regionId) === 'member')) return undefined
    return reason(
      'region-behind',
      `region ${region} was away for too long and has to take a snapshot before its ops count again`,
    )
  }

  #pullerOf(peer: Peer, held: HeldPublications): Puller {
    return new Puller(peer, {
      host: this.#host,
      env: this.#env,
      transport: this.#transport,
      settings: this.#settings,
      inbox: this.#inbox,
      catchUp: this.#catchUp,
      snapshots: this.#snapshots,
      judge: (identity) => this.#judgeServer(peer, identity),
      relays: () => this.#plan.relayedBy(peer.name),
      changed: () => {
        if (!this.#members.get(peer.name)?.puller.streaming) held.clear()
        this.#replanNow()
      },
      took: () => this.#took(),
      heard: (status) => this.#heard(peer, status),
      welcomed: (joined) => this.#host.welcomed(joined),
      told: (bytes) => this.#told(held, bytes),
      delivered: (origin, seq) => this.#members.get(peer.name)?.server?.has(origin, seq),
    })
  }

  /** Listens for peers and dials them. Rejects when listening fails. */
  async start(): Promise<void> {
    await this.#transport.listen((link) => this.#accept(link))
    if (this.#state !== 'new') return
    this.#state = 'running'
    this.#beatLater()
    for (const member of this.#members.values()) this.#join(member)
  }

  /**
   * Sends what has lingered, says goodbye and closes every link.
   * @param why  a sentence for the people at the other ends
   */
  async stop(why = 'the node is stopping'): Promise<void> {
    if (this.#state === 'stopped') return
    const goodbye = reason('stopping', why)
    for (const { server } of this.#members.values()) server?.pump()
    this.#state = 'stopped'
    for (const timer of [this.#heartbeat, this.#linger, this.#ackLinger, this.#replan]) timer?.cancel()
    this.#catchUp.stop()
    this.#waits.stop()
    this.#snapshots.stop()
    for (const stranger of this.#strangers) stranger.end(goodbye)
    for (const { puller, server } of this.#members.values()) {
      puller.stop(goodbye)
      server?.end(goodbye)
    }
    await this.#transport.close()
  }

  /** Records that may travel were added to the log. */
  logAdvanced(): void {
    if (this.#linger !== undefined || this.#state !== 'running') return
    this.#linger = this.#env.after(this.#settings.lingerMs, () => this.#pump())
  }

  /** Clients of this node have published: sent beside the next ops, to the peers that are connected. */
  publish(publication: Publication): void {
    if (this.#state !== 'running' || this.#members.size === 0) return
    this.#publications.add(publication)
    this.logAdvanced()
  }

  /** Published messages that found a peer, or this node, too slow to be told, since the start. */
  get droppedPublications(): number {
    let { dropped } = this.#publications
    for (const { held } of this.#members.values()) dropped += held.dropped
    return dropped
  }

  *#publicationPeers(): IterableIterator<(message: Uint8Array) => boolean> {
    for (const { server } of this.#members.values())
      if (server !== undefined) yield (message) => server.publish(message)
  }

  /** @throws ProtocolViolation */
  #told(held: HeldPublications, bytes: Uint8Array): void {
    const { origins, applied, latin1 } = this.#host
    const { publications, deps } = decodePublications(bytes, latin1)
    held.take(publications, VersionVector.fromWire(origins, deps), applied)
  }

  /** `host.durable` advanced. */
  durableAdvanced(): void {
    if (this.#state !== 'running') return
    for (const { puller } of this.#members.values()) if (puller.isHurried) puller.acknowledge()
    this.#acknowledgeSoon()
  }

  /**
   * Cuts or heals the links with a region, or with all of them. Not remembered over a restart: a cut
   * is for a test or an emergency, and must not outlast the person who made it.
   *
   * @param region  name of a configured peer, or 'ALL'
   * @returns false when there is no such peer
   */
  setLink(region: string, up: boolean): boolean {
    const chosen = region === 'ALL' ? [...this.#members.values()] : [this.#members.get(region)]
    for (const member of chosen) {
      if (member === undefined) return false
      this.#setMember(member, up)
    }
    return true
  }

  /**
   * Rebuilds this node from a snapshot of a peer. Ops that the peer does not have stay.
   * @returns why not, for people; undefined when it has begun
   */
  resync(region: string): string | undefined {
    const member = this.#members.get(region)
    return member === undefined
      ? `region ${region} is no peer`
      : this.#snapshots.resync(member.puller, 'an operator asked for it')
  }

  /** Rebuilds this node from a snapshot of whichever peer is linked, unless one is fetched already. */
  rebuild(): void {
    for (const { puller } of this.#members.values()) {
      if (!puller.streaming) continue
      this.#snapshots.resync(puller, 'this node holds ops that count no more')
      return
    }
  }

  *#pullers(): IterableIterator<Puller> {
    for (const { puller } of this.#members.values()) yield puller
  }

  /** `host.applied` has advanced by a snapshot, and so has `host.durable`. */
  #adopted(): void {
    this.#inbox.jumped()
    this.cut.rebuilt()
    for (const { server } of this.#members.values()) server?.adopted()
    this.#took()
    this.durableAdvanced()
    this.#replanNow()
  }

  /**
   * Pulls nothing until `resumePulling`: ops that cannot be logged must not be applied. Peers may pull
   * from here all the time.
   * @param why  for the status of the links
   */
  stopPulling(why: Reason): void {
    this.#pulls = false
    for (const { puller } of this.#members.values()) puller.stop(why)
  }

  resumePulling(): void {
    if (this.#pulls) return
    this.#pulls = true
    for (const member of this.#members.values()) this.#join(member)
  }

  links(): LinkStatus[] {
    return [...this.#members.values()].map(({ peer, puller, server }) =>
      linkStatus(this.#host, peer, this.#env.monoMs(), {
        pull: puller.state,
        serve: server === undefined ? 'absent' : 'streaming',
        relays: this.#plan.relayedBy(peer.name),
        snapshotIn: this.#snapshots.progressOf(puller),
        snapshotOut: server?.snapshotProgress,
      }),
    )
  }

  /** Received batches that wait for others they depend on. */
  get waiting(): { readonly batches: number; readonly bytes: number } {
    return { batches: this.#inbox.waitingBatches, bytes: this.#inbox.waitingBytes }
  }

  /** Other regions that count: those that may mint, or may come to. */
  *cutMembers(): IterableIterator<CutMember> {
    for (const { peer } of this.#members.values()) {
      const { name, regionId } = peer
      if (regionId !== undefined && this.#host.membership.statusOf(regionId) !== 'member') continue
      yield { name, regionId }
    }
  }

  /** When a region itself was last heard, our monotonic clock, milliseconds; undefined for never in this run. */
  heardMs(regionId: number): number | undefined {
    return this.#peerOf(regionId)?.heardMs
  }

  /** What a region last said of whom it hears, over its own link; undefined when it never did. */
  reportOf(regionId: number): HearingReport | undefined {
    return this.#peerOf(regionId)?.report
  }

  #peerOf(regionId: number): Peer | undefined {
    for (const { peer } of this.#members.values()) if (peer.regionId === regionId) return peer
    return undefined
  }

  /** Works the stable cut out anew. @returns who holds it back altogether */
  updateCut(): Holdup | undefined {
    return this.cut.update(this.cutMembers(), this.#env.monoMs())
  }

  /** Whom the cut waits for now, when nobody holds it back altogether. */
  slowestMember(): Holdup | undefined {
    return this.cut.slowest(this.cutMembers(), this.#env.monoMs())
  }

  /** Milliseconds since a region was heard, directly or through another one; undefined for never in this run. */
  heardMsAgo(regionId: number): number | undefined {
    const standing = this.cut.standing(regionId)
    return standing === undefined ? undefined : this.#env.monoMs() - standing.heardMs
  }

  /** Suspended regions that have opened a link to come back. */
  *returning(): IterableIterator<number> {
    for (const { server } of this.#members.values()) {
      const regionId = server?.identity?.regionId
      if (regionId !== undefined && this.#host.membership.statusOf(regionId) === 'suspended') yield regionId
    }
  }

  /** A peer refuses this node's region as one that has left: the op that says so does not come here any more. */
  get isDisowned(): boolean {
    for (const { peer } of this.#members.values()) if (peer.lastError?.code === 'region-left') return true
    return false
  }

  /** What a peer has fsynced, as it last acknowledged; undefined when it was never heard. */
  acknowledged(region: string): VersionVector | undefined {
    return this.#members.get(region)?.peer.durable
  }

  /**
   * The expiry clock before which no member can have minted anything that is not applied here, milliseconds
   * since the Unix epoch; -Infinity when a member was never heard, Infinity when there is none to wait for.
   */
  settledClockMs(): number {
    let settledMs = Number.POSITIVE_INFINITY
    for (const { regionId, settled } of this.#expiryPeers()) {
      if (regionId === undefined) return Number.NEGATIVE_INFINITY
      settledMs = Math.min(settledMs, settled.settledMs(regionId, this.#host.applied))
    }
    return settledMs
  }

  /** Every member had applied that op when it announced the clock that `settledClockMs` counts. */
  seenByAll(origin: Origin, seq: number): boolean {
    for (const { settled } of this.#expiryPeers()) if (!settled.hadApplied(origin, seq)) return false
    return true
  }

  /**
   * Members that the removal of a due key waits for. One that nobody heard for too long is not among them:
   * what it extends meanwhile may be lost (algorithms.md, Expiry). One that was suspended is, until its origins have
   * ended: what somebody holds of them may still come.
   */
  *#expiryPeers(): IterableIterator<Peer> {
    const { membership, applied } = this.#host
    for (const { peer } of this.#members.values()) {
      const { regionId } = peer
      const isMember = regionId === undefined || membership.statusOf(regionId) === 'member'
      if (!isMember && membership.haveEnded(regionId, this.cut.known, applied)) continue
      const standing = regionId === undefined ? undefined : this.cut.standing(regionId)
      const unheardMs = this.#env.monoMs() - (standing?.heardMs ?? this.#madeMs)
      if (unheardMs <= this.#settings.expireTakeoverMs) yield peer
    }
  }

  *#waitedPeers(): IterableIterator<WaitedPeer> {
    for (const { server, peer } of this.#members.values())
      yield { isConnected: server !== undefined, durable: peer.durable }
  }

  /** How many peers have acknowledged all of `target` as fsynced. */
  durableCount(target: VersionVector): number {
    return this.#waits.count(target)
  }

  /**
   * Waits until every connected peer has fsynced all of `target`, and makes them hurry.
   *
   * @param timeoutMs  0 waits without end
   * @param done  called once, later: with the number of peers that have it
   */
  awaitDurable(target: VersionVector, timeoutMs: number, done: (count: number) => void): { cancel(): void } {
    return this.#waits.begin(target, timeoutMs, done, () => {
      this.#pump()
      for (const { server, peer } of this.#members.values())
        if (!peer.durable?.covers(target)) server?.hurry(target)
    })
  }

  #setMember(member: Member, up: boolean): void {
    const { peer, puller } = member
    if (peer.paused === !up) return
    peer.paused = !up
    if (up) {
      this.#join(member)
      return
    }
    const why = linkDown(this.#host.identity.region, peer.name)
    puller.stop(why)
    member.server?.end(why)
  }

  #accept(link: Link): LinkEvents {
    if (this.#state === 'stopped' || this.#strangers.size >= this.#settings.handshakesMax) {
      link.close('too-many-handshakes')
      return { message: () => {}, drained: () => {}, closed: () => {} }
    }
    const server = new ServerLink(link, {
      host: this.#host,
      env: this.#env,
      settings: this.#settings,
      frames: this.#frames,
      judge: (identity) => this.#judgePuller(identity),
      accepted: (accepted, identity) => this.#accepted(accepted, identity),
      acknowledged: (from, ack) => this.#credit(from, ack),
      standings: () => this.#standings(),
      isStale: (identity) => this.#isBehind(identity) !== undefined,
      ended: (ended, why) => this.#serverEnded(ended, why),
    })
    this.#strangers.add(server)
    return server.events
  }

  #judgePuller(identity: Identity): Reason | undefined {
    const objection = judgePeer(this.#host.identity, identity, this.#linkedNodes())
    if (objection !== undefined) return this.#refused(identity.region, objection)
    if (this.#host.membership.statusOf(identity.regionId) === 'left') return hasLeft(identity.region)
    const member = this.#members.get(identity.region)
    if (member === undefined) {
      const own = this.#host.identity.region
      return reason(
        'unknown-region',
        `region ${identity.region} is not a peer of region ${own}: add it with 'causeway region add'`,
      )
    }
    return member.peer.paused ? linkDown(this.#host.identity.region, identity.region) : undefined
  }

  #judgeServer(peer: Peer, identity: Identity): Reason | undefined {
    const objection = judgePeer(this.#host.identity, identity, this.#linkedNodes())
    if (objection !== undefined) return objection
    if (identity.region === peer.name) return this.#isBehind(identity)
    return reason(
      'wrong-region',
      `at the address of region ${peer.name} region ${identity.region} answers: correct the peers`,
    )
  }

  /** Shows the refusal in this node's own status as well. */
  #refused(region: string, why: Reason): Reason {
    this.#members.get(region)?.peer.failed(why)
    return why
  }

  *#linkedNodes(): IterableIterator<Identity> {
    for (const { puller, server } of this.#members.values()) {
      if (puller.identity !== undefined) yield puller.identity
      if (server?.identity !== undefined) yield server.identity
    }
  }

  #accepted(server: ServerLink, identity: Identity): void {
    this.#strangers.delete(server)
    const member = this.#members.get(identity.region)!
    const { peer } = member
    const older = member.server
    member.server = server
    older?.end(reason('superseded', `region ${identity.region} has opened a newer link`))
    server.connection.traffic = peer.traffic
    peer.regionId = identity.regionId
    // A peer that reached us can be reached: no need to wait out the backoff.
    member.puller.redial()
  }

  #serverEnded(server: ServerLink, why: Reason): void {
    this.#strangers.delete(server)
    const region = server.identity?.region
    const member = region === undefined ? undefined : this.#members.get(region)
    if (member?.server !== server) return
    member.server = undefined
    member.peer.failed(why)
    this.#waits.finishMet()
  }

  #credit(server: ServerLink, ack: Ack): void {
    const { peer } = this.#members.get(server.identity!.region)!
    const { origins, identity } = this.#host
    const applied = VersionVector.fromWire(origins, ack.applied)
    const nowMs = this.#env.monoMs()
    peer.heardMs = nowMs
    // What a region that is behind has counts for nothing until it has come back.
    if (server.isStale) return
    peer.announce(applied, ack.clockMs, nowMs)
    peer.durable = VersionVector.fromWire(origins, ack.durable)
    this.#stands({
      regionId: server.identity!.regionId,
      origin: origins.intern(ack.origin),
      durable: peer.durable,
      fences: fencesFromWire(origins, ack.fences),
      heardMs: nowMs,
    })
    this.#host.stood()
    peer.lag.applied(opsOfRegion(applied, identity.regionId))
    if (ack.echoMs > 0) {
      peer.roundTripMs = Math.max(0, Math.round(nowMs - ack.echoMs))
      peer.skewMs = Math.round(ack.wallMs + peer.roundTripMs / 2 - this.#env.wallMs())
    }
    server.hasAll(applied)
    this.#waits.finishMet()
  }

  #pump(): void {
    this.#linger?.cancel()
    this.#linger = undefined
    const nowMs = this.#env.monoMs()
    const opCount = opsOfRegion(this.#host.applied, this.#host.identity.regionId)
    for (const { peer, server } of this.#members.values()) {
      peer.lag.minted(opCount, nowMs, this.#settings.ackLingerMs)
      server?.pump()
    }
    if (this.#publications.isEmpty) return
    const { applied, latin1 } = this.#host
    this.#publications.send(applied.toWire(), latin1, this.#publicationPeers())
  }

  #standings(): WireStanding[] {
    const nowMs = this.#env.monoMs()
    const standings = [ownStanding(this.#host)]
    for (const standing of this.cut.standings) standings.push(standingToWire(standing, nowMs))
    return standings
  }

  #heard(peer: Peer, { standings, unheard }: Status): void {
    const { origins, identity, membership } = this.#host
    const nowMs = this.#env.monoMs()
    peer.report = { atMs: nowMs, unheardMs: new Map(unheard) }
    for (const standing of standings) {
      const { regionId } = standing
      // One that is suspended here may be back by now: a node that returns itself has to hear that it knows.
      if (membership.statusOf(regionId) === 'left') continue
      const heard = standingFromWire(origins, standing, nowMs)
      if (regionId === identity.regionId) this.cut.remembered(heard)
      else this.#stands(heard)
    }
    this.#host.stood()
  }

  #stands(standing: Standing): void {
    const { membership } = this.#host
    this.cut.heard(standing)
    if (membership.statusOf(standing.regionId) !== 'member') return
    // What a member holds lies before the seal, whether it has answered, sealed already, or not heard of it.
    for (const origin of [...membership.fences.keys()]) membership.raise(origin, standing.durable.get(origin))
  }

  #took(): void {
    for (const { puller, held } of this.#members.values()) {
      puller.hurryAlong()
      held.release(this.#host.applied)
    }
    this.#acknowledgeSoon()
    this.#catchUp.releaseSoon()
  }

  #acknowledgeSoon(): void {
    if (this.#ackLinger !== undefined || this.#state !== 'running') return
    this.#ackLinger = this.#env.after(this.#settings.ackLingerMs, () => {
      this.#ackLinger = undefined
      for (const { puller } of this.#members.values()) puller.acknowledge()
    })
  }

  #beatLater(): void {
    this.#heartbeat = this.#env.after(this.#settings.heartbeatMs, () => {
      const nowMs = this.#env.monoMs()
      for (const stranger of this.#strangers) stranger.beat(nowMs)
      for (const { puller, server } of this.#members.values()) {
        puller.beat(nowMs)
        server?.beat(nowMs)
      }
      this.#snapshots.beat(nowMs)
      this.#replanNow()
      if (this.#state === 'running') this.#beatLater()
    })
  }

  #replanNow(): void {
    if (this.#state !== 'running') return
    this.#replan?.cancel()
    this.#replan = undefined
    const candidates = [...this.#members.values()].map(({ peer, puller }) => ({
      name: peer.name,
      regionId: peer.regionId,
      open: puller.streaming && !puller.isTrimmed,
      announced: peer.applied,
    }))
    const checkAfterMs = this.#plan.update(candidates, this.#host.applied, this.#env.monoMs(), this.#settings)
    if (checkAfterMs < Number.POSITIVE_INFINITY) {
      this.#replan = this.#env.after(checkAfterMs, () => this.#replanNow())
    }
    for (const { puller } of this.#members.values()) puller.adjust()
  }
}
