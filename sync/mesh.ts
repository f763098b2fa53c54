/**
 * mesh.ts: all links of this node, in both directions.
 *
 * A link is a pull. This node dials each configured peer and pulls the ops it lacks; each peer dials this node and
 * pulls from here. So between two regions there are two links, one for each direction of the data, and neither needs
 * to know of the other. Replicas of this region pull by links of the same kind. See PROTOCOL.md.
 *
 * The node tells the mesh what changed (`logAdvanced`, `durableAdvanced`); the mesh gives received batches to
 * `host.apply`. Everything else runs by four clocks: a linger between two sends, a linger before an
 * acknowledgement is sent, a heartbeat, and the waits of the relay plan.
 *
 * Invariants: (1) at most one link each way per peer; a newer one from the same node replaces the older.
 * (2) Nothing happens after `stop`. (3) Nothing here grows with the backlog of a peer: that is in the log.
 */
import type { RegionRecord } from '../crdt/membership.ts'
import type { Origin } from '../crdt/origin.ts'
import { VersionVector } from '../crdt/version-vector.ts'
import { CatchUp } from './catch-up.ts'
import { Departures } from './departures.ts'
import { DurableWaits } from './durable-waits.ts'
import { ExpiryPeers } from './expiry-peers.ts'
import { Following } from './following.ts'
import { Gatekeeper } from './gatekeeper.ts'
import { judgeNeighbour } from './handshake.ts'
import { Hearsay } from './hearsay.ts'
import type { HeldPublications } from './held-publications.ts'
import { Inbox, type Source } from './inbox.ts'
import { type LinkStatus, linkStatus } from './link-status.ts'
import { type Member, Members } from './members.ts'
import { type Ack, EVERY_REGION, type Status } from './messages.ts'
import { Neighbours } from './neighbours.ts'
import { OpsFrames } from './ops-frame.ts'
import { Peer, type PeerReport } from './peer.ts'
import type { Identity, Link, LinkEvents, Publication, SyncEnv, SyncHost, Timer, Transport } from './ports.ts'
import { Publications } from './publications.ts'
import { Puller } from './puller.ts'
import { hasLeft, linkDown, ProtocolViolation, type Reason, reason } from './reason.ts'
import { opsOfRegion } from './region-vector.ts'
import { RelayPlan } from './relay-plan.ts'
import { Replicas } from './replicas.ts'
import { ServerLink } from './server-link.ts'
import { addressesOf, type SyncSettings } from './settings.ts'
import { SnapshotFetch } from './snapshot-fetch.ts'
import { type CutMember, type Holdup, StableCut } from './stable-cut.ts'
import { fencesFromWire, standingsOf } from './standings.ts'

export class Mesh {
  readonly #host: SyncHost
  readonly #transport: Transport
  readonly #env: SyncEnv
  readonly #settings: SyncSettings
  readonly #inbox: Inbox<Source>
  readonly #catchUp: CatchUp
  readonly #plan: RelayPlan
  /** Where all regions stand, and what nothing can be minted against any more. */
  readonly cut: StableCut
  readonly #hearsay: Hearsay
  /** Whom the removal of due keys waits for. */
  readonly expiry: ExpiryPeers
  readonly #snapshots: SnapshotFetch
  readonly #frames = new OpsFrames()
  readonly #members = new Members()
  /** Accepted links whose handshake is not done. */
  readonly #strangers = new Set<ServerLink>()
  readonly publications: Publications
  /** The other nodes of this region, for what is published. */
  readonly neighbours: Neighbours
  readonly #waits: DurableWaits
  readonly #gatekeeper: Gatekeeper
  /** Nodes of this region that pull from this one. */
  readonly replicas: Replicas
  /** The link to the primary that this node follows; undefined when it follows none. */
  following: Following | undefined
  /** The epoch of the own region that the links were opened with. */
  #ownEpoch: number
  #state: 'new' | 'running' | 'stopped' = 'new'
  /** This node can take ops in. */
  #pulls = true
  #heartbeat: Timer | undefined
  readonly #departures: Departures
  #ackLinger: Timer | undefined
  #replan: Timer | undefined

  constructor(host: SyncHost, transport: Transport, env: SyncEnv, settings: SyncSettings) {
    this.#host = host
    this.#transport = transport
    this.#env = env
    this.#settings = settings
    this.cut = new StableCut(host)
    this.#inbox = new Inbox(host, settings, this.cut)
    const released = (): void => this.#took()
    this.#catchUp = new CatchUp({ host, env, settings, inbox: this.#inbox, released })
    this.#departures = new Departures({ env, settings, depart: () => this.#pump() })
    this.publications = new Publications(host, settings, () => this.#departures.soon())
    this.neighbours = new Neighbours({ host, env, transport, settings, publications: this.publications })
    this.#waits = new DurableWaits({
      peers: () => this.#members.waited(),
      after: (delayMs, task) => env.after(delayMs, task),
    })
    this.#gatekeeper = new Gatekeeper({
      host,
      peer: (region) => this.#members.get(region)?.peer,
      linked: () => this.#members.linked(),
    })
    this.replicas = new Replicas({
      applied: host.applied,
      offered: () => host.replication.offered,
      durable: () => host.replication.durable,
      endOf: (origin) => host.membership.sealOf(origin)?.end ?? Number.POSITIVE_INFINITY,
      nowMs: () => env.monoMs(),
      changed: () => host.replication.replicasChanged(),
    })
    this.#plan = new RelayPlan(host.identity.regionId)
    this.#snapshots = new SnapshotFetch({
      host,
      env,
      givers: () => this.#members.pullers(),
      adopted: () => this.#adopted(),
    })
    this.#hearsay = new Hearsay(host, this.cut)
    this.expiry = new ExpiryPeers({ host, env, settings, cut: this.cut, peers: () => this.#members.peers() })
    this.#ownEpoch = host.identity.epoch
    for (const [name, urls] of addressesOf(settings.peers)) this.#addMember(name, urls)
    this.membershipChanged()
  }

  #addMember(name: string, urls: readonly string[]): Member {
    const peer = new Peer(name, urls, (sentence) => this.#host.report(sentence))
    const { publications } = this
    const held = publications.heldFrom((one) =>
      this.#isFollowed(peer) ? publications.followed(one) : publications.arrived(one),
    )
    const member: Member = { peer, puller: this.#pullerOf(peer, held), held, server: undefined }
    this.#members.add(member)
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
    const member = this.#addMember(name, [url])
    member.peer.regionId = regionId
    this.#join(member)
  }

  /** This node's own region joined or came back: peers have to hear its new epoch. */
  #beginAnew(epoch: number): void {
    this.#ownEpoch = epoch
    const why = reason('superseded', `region ${this.#host.identity.region} opens its links anew, as a member`)
    for (const { puller, server } of this.#members) {
      puller.giveUp(why)
      server?.end(why)
    }
  }

  #join({ peer, puller }: Member): void {
    const { role, region } = this.#host.identity
    const isSource = role === 'primary' || (role === 'replica' && peer.name === region)
    if (this.#state === 'running' && this.#pulls && isSource && !peer.paused) puller.start()
  }

  /** This node is primary from now on: it links with the other regions, and takes replicas. */
  lead(): void {
    this.leave()
    this.cut.lead()
    for (const member of this.#members) this.#join(member)
  }

  /** This node follows its primary from now on, and has a link with nobody else. */
  follow(url: string): void {
    this.leave()
    const { region, regionId } = this.#host.identity
    const member = this.#addMember(region, [url])
    member.peer.regionId = regionId
    const parts = { host: this.#host, env: this.#env, settings: this.#settings, cut: this.cut }
    this.following = new Following(member.puller, parts)
    this.#join(member)
  }

  /** This node has a link with nobody from now on. */
  leave(): void {
    const why = reason('not-primary', `a node of region ${this.#host.identity.region} has changed its role`)
    for (const { puller, server } of this.#members) {
      puller.stop(why)
      server?.end(why)
    }
    for (const link of [...this.replicas.links()]) link.end(why)
    this.neighbours.beginAnew(why)
    this.replicas.clear()
    this.following?.stop()
    this.following = undefined
    const followed = this.#members.get(this.#host.identity.region)
    if (followed !== undefined) this.#forget(followed)
  }

  #forget({ peer, held }: Member): void {
    this.publications.forget(held)
    this.#members.delete(peer.name)
  }

  #removeMember(member: Member): void {
    const { peer, puller } = member
    const why = hasLeft(peer.name)
    puller.stop(why)
    member.server?.end(why)
    this.#forget(member)
  }

  /** Links made before the region was suspended end: what flows over them would no longer count. */
  #endIfBehind({ puller, server }: Member): void {
    const why = puller.identity === undefined ? undefined : this.#gatekeeper.isBehind(puller.identity)
    if (why !== undefined) puller.giveUp(why)
    if (server?.identity === undefined) return
    const behind = this.#gatekeeper.isBehind(server.identity)
    if (server.isStale) server.offerSnapshot()
    else if (behind !== undefined) server.end(behind)
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
      judge: (identity, areBehind) => this.#gatekeeper.judgeServer(peer, identity, areBehind),
      relays: () => (this.#isFollowed(peer) ? [EVERY_REGION] : this.#plan.relayedBy(peer.name)),
      changed: () => {
        if (!this.#members.get(peer.name)?.puller.streaming) held.clear()
        this.#replanNow()
      },
      took: () => this.#took(),
      heard: (status) => this.#heard(peer, status),
      welcomed: (identity, joined) => this.#welcomed(peer, identity, joined),
      led: (term) => this.#host.replication.handedOver(term),
      told: (bytes) => this.publications.take(bytes, held),
      delivered: (origin, seq) => this.#members.get(peer.name)?.server?.has(origin, seq),
    })
  }

  /** @param joined  by which op the own region joined or came back */
  #welcomed(peer: Peer, identity: Identity, joined: VersionVector): void {
    if (!this.#isFollowed(peer)) {
      this.#members.get(peer.name)?.server?.outdate(identity)
      this.#host.welcomed(joined)
      return
    }
    this.#host.replication.followed(identity)
    this.following?.heard(peer.applied!, 0)
  }

  /** Listens for peers and dials them. Rejects when listening fails. */
  async start(): Promise<void> {
    await this.#transport.listen((link) => this.#accept(link))
    if (this.#state !== 'new') return
    this.#state = 'running'
    this.#departures.begin()
    this.#beatLater()
    for (const member of this.#members) this.#join(member)
  }

  /**
   * Sends what has lingered, says goodbye and closes every link.
   * @param why  a sentence for the people at the other ends
   */
  async stop(why = 'the node is stopping'): Promise<void> {
    if (this.#state === 'stopped') return
    const goodbye = reason('stopping', why)
    for (const link of this.#servers()) link.pump()
    this.#state = 'stopped'
    for (const timer of [this.#heartbeat, this.#ackLinger, this.#replan]) timer?.cancel()
    this.#departures.stop()
    this.#catchUp.stop()
    this.#waits.stop()
    this.#snapshots.stop()
    for (const stranger of this.#strangers) stranger.end(goodbye)
    for (const link of [...this.#servers()]) link.end(goodbye)
    for (const puller of this.#members.pullers()) puller.stop(goodbye)
    this.following?.stop()
    this.neighbours.stop(goodbye)
    await this.#transport.close()
  }

  /** Every link by which somebody pulls from here: regions first, then replicas. */
  *#servers(): IterableIterator<ServerLink> {
    yield* this.#members.servers()
    yield* this.replicas.links()
  }

  /** Ops that may travel were added to the log. */
  logAdvanced(opCount: number): void {
    // The primary may wait with its replies until this node has them.
    if (this.following !== undefined) this.following.puller.acknowledge()
    this.#departures.logged(opCount)
  }

  /** Clients of this node have published: sent beside the next ops, to those that are connected. */
  publish(publication: Publication): void {
    if (this.#state === 'running') this.publications.publish(publication)
  }

  /** `host.durable` advanced. */
  durableAdvanced(): void {
    if (this.#state !== 'running') return
    for (const puller of this.#members.pullers()) if (puller.isHurried) puller.acknowledge()
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
    const chosen = region === 'ALL' ? [...this.#members] : [this.#members.get(region)]
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
    for (const puller of this.#members.pullers()) {
      if (!puller.streaming) continue
      this.#snapshots.resync(puller, 'this node holds ops that count no more')
      return
    }
  }

  /** `host.applied` has advanced by a snapshot, and so has `host.durable`. */
  #adopted(): void {
    this.#inbox.jumped()
    this.cut.rebuilt()
    this.neighbours.beginAnew(reason('superseded', 'the node was rebuilt from a snapshot'))
    for (const link of this.#servers()) link.adopted()
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
    for (const puller of this.#members.pullers()) puller.stop(why)
  }

  resumePulling(): void {
    if (this.#pulls) return
    this.#pulls = true
    for (const member of this.#members) this.#join(member)
  }

  links(): LinkStatus[] {
    return [...this.#members]
      .filter(({ peer }) => !this.#isFollowed(peer))
      .map(({ peer, puller, server }) =>
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
    for (const peer of this.#members.peers()) {
      const { name, regionId } = peer
      if (regionId !== undefined && this.#host.membership.statusOf(regionId) !== 'member') continue
      yield { name, regionId }
    }
  }

  /** Origins of `ops` of which each other region has said since then that it has less. @see Members.unknownTo */
  unknownElsewhere(ops: VersionVector, sinceMs: number): Origin[] | undefined {
    return this.#members.unknownTo(this.cutMembers(), ops, sinceMs)
  }

  /** When a region itself was last heard, our monotonic clock, milliseconds; undefined for never in this run. */
  heardMs(regionId: number): number | undefined {
    return this.#members.peerOf(regionId)?.heardMs
  }

  /** What a region last said in a status, over its own link; undefined when it never did. */
  reportOf(regionId: number): PeerReport | undefined {
    return this.#members.peerOf(regionId)?.report
  }

  /** @returns who holds the cut back altogether */
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
    for (const { server } of this.#members) {
      const regionId = server?.identity?.regionId
      if (regionId !== undefined && this.#host.membership.statusOf(regionId) === 'suspended') yield regionId
    }
  }

  /** A peer refuses this node's region as one that has left: the op that says so does not come here any more. */
  get isDisowned(): boolean {
    for (const peer of this.#members.peers()) if (peer.lastError?.code === 'region-left') return true
    return false
  }

  /** What a peer has fsynced, as it last acknowledged; undefined when it was never heard. */
  acknowledged(region: string): VersionVector | undefined {
    const peer = this.#members.get(region)?.peer
    if (peer?.durable !== undefined || this.following === undefined || peer?.regionId === undefined)
      return peer?.durable
    // A replica hears of it from its primary.
    return this.cut.standing(peer.regionId)?.durable
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
      this.#departures.now()
      for (const { server, peer } of this.#members) if (!peer.durable?.covers(target)) server?.hurry(target)
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
      judge: (identity) => this.#gatekeeper.judgePuller(identity),
      elsewhere: (why, identity) => this.#gatekeeper.elsewhere(why, identity),
      accepted: (...accepted) => this.#accepted(...accepted),
      judgeHearer: (identity) => judgeNeighbour(this.#host.identity, identity),
      heard: (accepted, identity) => {
        this.#strangers.delete(accepted)
        this.neighbours.accepted(accepted, identity)
      },
      acknowledged: (from, ack) => this.#credit(from, ack),
      standings: () => standingsOf(this.#host, this.cut, this.#env.monoMs()),
      isStale: (identity) => !this.#isOwn(identity) && this.#gatekeeper.isBehind(identity) !== undefined,
      cuts: () => ({ cut: this.cut.cut.toWire(), announced: this.#host.announced()?.toWire() ?? [] }),
      rescued: (from, messages) => this.#rescued(from, messages),
      ended: (ended, why) => this.#serverEnded(ended, why),
    })
    this.#strangers.add(server)
    return server.events
  }

  /** The primary of this region, which this node follows. */
  #isFollowed({ name }: Peer): boolean {
    return name === this.#host.identity.region
  }

  #isOwn({ regionId }: Identity): boolean {
    return regionId === this.#host.identity.regionId
  }

  /** A node that was primary before has sent what it holds of this region's ops. */
  #rescued(link: ServerLink, messages: readonly Uint8Array[]): void {
    try {
      for (const message of messages) this.#inbox.take(message, link.source)
      // What lies behind the end of its origin was not taken.
      this.#host.replication.rescued(messages)
    } catch (error) {
      if (!(error instanceof ProtocolViolation)) throw error
      link.end({ code: error.code, sentence: error.message })
    }
    this.#took()
  }

  #accepted(server: ServerLink, identity: Identity, nodes: readonly string[]): void {
    this.#strangers.delete(server)
    if (this.#isOwn(identity)) {
      this.replicas.accepted(server, identity)
      return
    }
    const member = this.#members.get(identity.region)!
    const { peer } = member
    const older = member.server
    member.server = server
    member.puller.outdate(identity)
    older?.end(reason('superseded', `region ${identity.region} has opened a newer link`))
    server.connection.traffic = peer.traffic
    peer.regionId = identity.regionId
    // A peer that reached us can be reached: no need to wait out the backoff.
    if (nodes.length > 0) peer.whereabouts.learn(nodes)
    member.puller.redial()
  }

  #serverEnded(server: ServerLink, why: Reason): void {
    this.#strangers.delete(server)
    this.replicas.ended(server)
    this.neighbours.ended(server)
    const region = server.identity?.region
    const member = region === undefined ? undefined : this.#members.get(region)
    if (member?.server !== server) return
    member.server = undefined
    member.peer.failed(why)
    this.#waits.finishMet()
  }

  #credit(server: ServerLink, ack: Ack): void {
    if (this.#isOwn(server.identity!)) {
      this.replicas.acknowledged(server, ack)
      return
    }
    const { peer } = this.#members.get(server.identity!.region)!
    const { origins, identity } = this.#host
    const applied = VersionVector.fromWire(origins, ack.applied)
    const nowMs = this.#env.monoMs()
    peer.heardMs = nowMs
    // What a region that is behind has counts for nothing until it has come back.
    if (server.isStale) return
    peer.durable = VersionVector.fromWire(origins, ack.durable)
    peer.announce(applied, peer.durable, ack.clockMs, nowMs)
    this.#hearsay.stands({
      regionId: server.identity!.regionId,
      origin: origins.intern(ack.origin),
      durable: peer.durable,
      fences: fencesFromWire(origins, ack.fences),
      heardMs: nowMs,
      clockMs: ack.clockMs,
    })
    peer.lag.applied(opsOfRegion(applied, identity.regionId))
    peer.answered(ack, nowMs, this.#env.wallMs())
    server.hasAll(applied)
    this.#waits.finishMet()
  }

  /** Everybody is sent what he lacks. */
  #pump(): void {
    const nowMs = this.#env.monoMs()
    const opCount = opsOfRegion(this.#host.applied, this.#host.identity.regionId)
    for (const { peer, server } of this.#members) {
      peer.lag.minted(opCount, nowMs, this.#settings.ackLingerMs)
      server?.pump()
    }
    for (const link of this.replicas.links()) link.pump()
    this.publications.send({
      regions: this.#members.servers(),
      neighbours: this.neighbours.links(),
      replicas: this.neighbours.deafAmong(this.replicas.all),
    })
  }

  #heard(peer: Peer, status: Status): void {
    const { standings, unheard } = status
    const nowMs = this.#env.monoMs()
    const isFollowed = this.#isFollowed(peer)
    if (isFollowed) this.following?.learn(status)
    else peer.whereabouts.learn(status.nodes)
    const applied = VersionVector.fromWire(this.#host.origins, status.applied)
    peer.report = { atMs: nowMs, unheardMs: new Map(unheard), applied }
    this.#hearsay.told(standings, nowMs, isFollowed)
  }

  #took(): void {
    for (const puller of this.#members.pullers()) puller.hurryAlong()
    this.publications.release()
    this.#acknowledgeSoon()
    this.#catchUp.releaseSoon()
  }

  #acknowledgeSoon(): void {
    if (this.#ackLinger !== undefined || this.#state !== 'running') return
    this.#ackLinger = this.#env.after(this.#settings.ackLingerMs, () => {
      this.#ackLinger = undefined
      for (const puller of this.#members.pullers()) puller.acknowledge()
    })
  }

  #beatLater(): void {
    this.#heartbeat = this.#env.after(this.#settings.heartbeatMs, () => {
      const nowMs = this.#env.monoMs()
      for (const stranger of this.#strangers) stranger.beat(nowMs)
      for (const puller of this.#members.pullers()) puller.beat(nowMs)
      for (const link of this.#servers()) link.beat(nowMs)
      this.replicas.beat(nowMs)
      this.neighbours.beat(nowMs)
      this.#snapshots.beat(nowMs)
      this.#replanNow()
      if (this.#state === 'running') this.#beatLater()
    })
  }

  #replanNow(): void {
    if (this.#state !== 'running') return
    this.#replan?.cancel()
    this.#replan = undefined
    const candidates = [...this.#members].map(({ peer, puller }) => ({
      name: peer.name,
      regionId: peer.regionId,
      open: puller.streaming && !puller.isTrimmed,
      announced: peer.applied,
    }))
    const checkAfterMs = this.#plan.update(candidates, this.#host.applied, this.#env.monoMs(), this.#settings)
    if (checkAfterMs < Number.POSITIVE_INFINITY) {
      this.#replan = this.#env.after(checkAfterMs, () => this.#replanNow())
    }
    for (const puller of this.#members.pullers()) puller.adjust()
  }
}
