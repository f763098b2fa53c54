/**
 * server-link.ts: one accepted link, by which a peer pulls from this node.
 *
 * Sends the peer what it lacks of the log: a slice per event-loop turn while there is a backlog, then
 * whatever each turn adds; and a snapshot beside it, slice by slice in turn with the log, when the peer
 * fetches one. What the network has not taken yet is bounded by `unsentBytesMax`; beyond it
 * the log is simply not read on, so a slow peer costs its place in the log and no memory.
 *
 * Invariants: (1) at most one continuation (`#resume`) is under way. (2) One record may exceed
 * `unsentBytesMax` and `sliceBytesMax`: records are never split. (3) A peer that was told `trimmed` gets
 * no ops until it subscribes anew: it could not apply them.
 */
import type { RegionRecord } from '../crdt/membership.ts'
import type { Origin } from '../crdt/origin.ts'
import { VersionVector, type WireVector } from '../crdt/version-vector.ts'
import { Connection } from './connection.ts'
import { olderTerm } from './handshake.ts'
import type { Source } from './inbox.ts'
import { LogTrimmed } from './log-trimmed.ts'
import {
  type Ack,
  EVERY_REGION,
  type Fetch,
  PART_AT,
  RECORDS_AT,
  type Status,
  type Wanted,
  type WireStanding,
} from './messages.ts'
import type { OpsFrames } from './ops-frame.ts'
import type { Identity, Link, LinkEvents, SyncEnv, SyncHost, Timer } from './ports.ts'
import { type Reason, reason } from './reason.ts'
import { ServeSession } from './serve-session.ts'
import type { Action, Judge } from './session.ts'
import type { SyncSettings } from './settings.ts'
import type { TransferProgress } from './snapshot-progress.ts'
import { SnapshotSend } from './snapshot-send.ts'
import { type Slice, Subscription } from './subscription.ts'

export interface ServerParts {
  readonly host: SyncHost
  readonly env: SyncEnv
  readonly settings: SyncSettings
  readonly frames: OpsFrames
  /** What forbids serving the node that dialed. */
  readonly judge: Judge
  /** Sync addresses of those that have what the node looks for that was refused. */
  elsewhere(why: Reason, peer: Identity): readonly string[]
  /** The handshake is done. `nodes`: where the peer says that it is dialed, and the others of its partition. */
  accepted(link: ServerLink, peer: Identity, nodes: readonly string[]): void
  /** The same for a node that wants to hear what is published here. */
  readonly judgeHearer: Judge
  /** That one is let in. */
  heard(link: ServerLink, peer: Identity): void
  acknowledged(link: ServerLink, ack: Ack): void
  /** The peer's region has to take a snapshot before anything else. */
  isStale(peer: Identity): boolean
  /** What this node says of itself and heard of others. */
  standings(): readonly WireStanding[]
  /** A replica has sent all that it holds of its region's ops and this node may lack: `tail` messages. */
  rescued(link: ServerLink, messages: readonly Uint8Array[]): void
  /** Up to where this node forgets. */
  cuts(): Pick<Status, 'cut' | 'announced'>
  /** Once, at the end of the link. */
  ended(link: ServerLink, why: Reason): void
}

export class ServerLink {
  readonly connection: Connection
  readonly #parts: ServerParts
  readonly #session: ServeSession
  #identity: Identity | undefined
  /** The peer's region was suspended before this link was opened: it gets a snapshot and no ops. */
  isStale = false
  /** The peer only hears what is published here. */
  #isHearer = false
  #subscription: Subscription | undefined
  #snapshot: SnapshotSend | undefined
  /** Largest message the peer takes, bytes. */
  #frameBytesMax = Number.POSITIVE_INFINITY
  #resume: Timer | undefined
  /** What a replica has sent so far of what it holds. */
  #tail: Uint8Array[] = []
  #tailBytes = 0
  #ended = false

  constructor(link: Link, parts: ServerParts) {
    this.#parts = parts
    this.connection = new Connection(link, parts.env.monoMs())
    this.#session = new ServeSession(parts.host, {
      secret: parts.settings.secret,
      judge: parts.judge,
      judgeHearer: parts.judgeHearer,
      elsewhere: (why, peer) => parts.elsewhere(why, peer),
      applied: () => parts.host.applied.toWire(),
      joined: (regionId) => madeBy(parts.host.membership.regions.get(regionId)),
      isBehind: (peer) => parts.isStale(peer),
    })
    this.#perform(this.#session.open())
  }

  /** The handshake is done. */
  get isOpen(): boolean {
    return this.#session.isOpen
  }

  /** The node at the other end, once the handshake is done. */
  get identity(): Identity | undefined {
    return this.#identity
  }

  /** This link as one by which ops come: those of a tail. */
  get source(): Source {
    return {
      delivered: (origin, seq) => this.has(origin, seq),
      applied: (opCount) => {
        this.connection.traffic.opsIn += opCount
      },
      accused: (why) => this.end(why),
    }
  }

  get events(): LinkEvents {
    return {
      message: (bytes) => {
        if (this.#ended) return
        this.connection.received(bytes)
        this.#perform(this.#session.receive(bytes))
      },
      drained: () => this.pump(),
      closed: (sentence) => {
        this.connection.ended()
        this.#finish(reason('lost', sentence))
      },
    }
  }

  /** Sends what is due of the log, one slice now and the rest in later turns. */
  pump(): void {
    if (this.#resume !== undefined || !this.#hasRoom) return
    if (this.#subscription?.caughtUp === false) this.#sendSlice(this.#subscription)
    if (this.#snapshot?.isDue === true && this.#hasRoom) this.#sendPart(this.#snapshot)
    if (this.#ended || !this.#isBehind || !this.#hasRoom) return
    this.#resume = this.#parts.env.after(0, () => {
      this.#resume = undefined
      this.pump()
    })
  }

  get #isBehind(): boolean {
    return this.#subscription?.caughtUp === false || this.#snapshot?.isDue === true
  }

  /** Ops have become applied here that are in no log of this node: a snapshot brought them. */
  adopted(): void {
    const subscription = this.#subscription
    if (subscription !== undefined) this.#guarded(() => subscription.seekAnew())
    this.pump()
  }

  /** How far the snapshot is that the peer fetches; undefined when it fetches none. */
  get snapshotProgress(): TransferProgress | undefined {
    return this.#snapshot?.progress
  }

  /** The peer has that origin up to `seq`: it delivered it to us. */
  has(origin: Origin, seq: number): void {
    this.#subscription?.has(origin, seq)
  }

  /** Sends the state of this node; also the sign of life on this link. */
  sendStatus(): void {
    const { host, env } = this.#parts
    // While ops wait for the network they are sign of life enough, and must be heard first: a peer that is
    // told of ops by one status after another, none of them coming, takes them for lost and asks again.
    if (!this.isOpen || !this.#hasRoom) return
    this.connection.send({
      type: 'status',
      applied: host.applied.toWire(),
      clockMs: host.expiryClockMs(),
      atMs: Math.round(env.monoMs()),
      standings: this.#parts.standings(),
      unheard: host.unheard(),
      ...this.#parts.cuts(),
      nodes: this.#isOfOwnRegion ? [] : host.replication.nodesOf(host.identity.partition),
    })
  }

  /**
   * Sends what clients have published. A peer that does not keep up misses it.
   * @returns false when it was not sent
   */
  publish(message: Uint8Array): boolean {
    if (!this.isOpen || this.isStale) return true
    const { unsentBytesMax, publicationBytesMax } = this.#parts.settings
    const room = unsentBytesMax + publicationBytesMax - this.connection.unsentBytes
    if (message.length > Math.min(room, this.#frameBytesMax)) return false
    this.connection.sendBytes(message)
    return true
  }

  /** Tells a replica that it is primary from now on. */
  lead(term: number): void {
    this.connection.send({ type: 'lead', term })
  }

  hurry(until: VersionVector): void {
    this.connection.send({ type: 'hurry', until: until.toWire() })
  }

  /** Called once per heartbeat. */
  beat(nowMs: number): void {
    const why = this.connection.judge(nowMs, this.isOpen, this.#parts.settings)
    if (why !== undefined) {
      this.end(why)
      return
    }
    this.#snapshot?.beat(nowMs)
    if (this.#isHearer) this.connection.send({ type: 'pulse' })
    else this.sendStatus()
  }

  /** Another node of the peer's region was met: the one that this link leads to may be primary no more. */
  outdate({ term }: Identity): void {
    if (this.#identity !== undefined && this.#identity.term < term) this.end(olderTerm(this.#identity, term))
  }

  /** Ends the link from this side, and says why. */
  end(why: Reason): void {
    if (this.#ended) return
    this.connection.send({ type: 'bye', ...why })
    this.#finish(why)
  }

  get #isOfOwnRegion(): boolean {
    return this.#identity?.regionId === this.#parts.host.identity.regionId
  }

  get #hasRoom(): boolean {
    return this.connection.unsentBytes < this.#parts.settings.unsentBytesMax
  }

  #sendSlice(subscription: Subscription): void {
    const slice: Slice | undefined = this.#guarded(() =>
      subscription.next(this.#parts.settings.sliceBytesMax),
    )
    if (slice === undefined || slice.records.length === 0) return
    this.connection.traffic.opsOut += slice.opCount
    const message = this.#parts.frames.of(slice.records)
    if (message.length > this.#frameBytesMax) this.#sendOneByOne(slice.records)
    else this.connection.sendBytes(message)
  }

  /** Reads the log. One that does not reach back far enough is said so; one that cannot be read ends the link. */
  #guarded<Found>(read: () => Found): Found | undefined {
    try {
      return read()
    } catch (error) {
      if (!(error instanceof LogTrimmed)) this.#unavailable('log', error)
      else if (!this.#ended) this.connection.send({ type: 'trimmed' })
      this.#subscription = undefined
      return undefined
    }
  }

  #sendPart(snapshot: SnapshotSend): void {
    const bytesMax = Math.min(this.#parts.settings.sliceBytesMax, this.#frameBytesMax - PART_AT)
    try {
      snapshot.sendPart(bytesMax, (part) => this.connection.sendBytes(part))
    } catch (error) {
      this.#unavailable('snapshot', error)
    }
  }

  #sendOneByOne(records: readonly Uint8Array[]): void {
    for (const record of records) {
      const length = record.length + RECORDS_AT
      if (length > this.#frameBytesMax) {
        this.end(
          reason(
            'record-too-large',
            `a batch of ${length} bytes is due, and the peer takes ${this.#frameBytesMax}: ` +
              'raise its sync-frame-bytes-max',
          ),
        )
        return
      }
      this.connection.sendBytes(this.#parts.frames.of([record]))
    }
  }

  #perform(actions: readonly Action[]): void {
    for (const action of actions) {
      if (this.#ended) return
      switch (action.do) {
        case 'send':
          this.connection.send(action.message)
          break
        case 'end':
          this.#finish(action.reason)
          break
        case 'accepted':
          this.#identity = action.peer
          this.isStale = this.#parts.isStale(action.peer)
          this.#frameBytesMax = action.frameBytesMax
          this.#parts.accepted(this, action.peer, action.nodes)
          break
        case 'heard':
          this.#identity = action.peer
          this.#isHearer = true
          this.#parts.heard(this, action.peer)
          break
        case 'serve':
          this.#serve(action.wanted)
          break
        case 'fetch':
          this.#fetched(action.fetch)
          break
        case 'credit':
          this.#parts.acknowledged(this, action.ack)
          break
        case 'wish':
          this.#parts.host.replication.wished(this.#identity!.nodeId)
          break
        case 'rescue':
          this.#rescue(action.bytes)
          break
      }
    }
  }

  /** Gathers a tail: what of it is minted again has to be so in one turn. */
  #rescue(message: Uint8Array): void {
    if (message.length === RECORDS_AT) {
      const messages = this.#tail
      this.#tail = []
      this.#tailBytes = 0
      this.#parts.rescued(this, messages)
      return
    }
    this.#tail.push(message)
    this.#tailBytes += message.length
    const { causalBufferBytesMax } = this.#parts.settings
    if (this.#tailBytes <= causalBufferBytesMax) return
    this.end(
      reason(
        'buffer-full',
        `the replica holds more than causal-buffer-bytes (${causalBufferBytesMax}) of ops that its primary lacks: ` +
          'raise it at the primary',
      ),
    )
  }

  #serve({ vector, relay }: Wanted): void {
    const { host } = this.#parts
    if (this.isStale) {
      this.offerSnapshot()
      return
    }
    const regions = new Set([host.identity.regionId, this.#identity!.regionId, ...relay])
    const wants = regions.has(EVERY_REGION) ? () => true : (region: number) => regions.has(region)
    this.#subscription = this.#guarded(() => new Subscription(host.log, host.applied, vector, wants))
    this.pump()
  }

  /** Tells a region that was suspended, once it may come back, that it has to begin with a snapshot. */
  offerSnapshot(): void {
    const { membership } = this.#parts.host
    if (membership.statusOf(this.#identity!.regionId) === 'member') this.connection.send({ type: 'trimmed' })
  }

  /**
   * A region that comes back needs a snapshot that knows of it. It takes that as it is, so it misses nothing that
   * is not held here.
   */
  #leastFor({ least }: Fetch): WireVector {
    if (!this.isStale) return least
    const { origins, applied, membership } = this.#parts.host
    const held = VersionVector.fromWire(origins, least).meet(applied)
    return [...held.toWire(), ...madeBy(membership.regions.get(this.#identity!.regionId))]
  }

  #fetched(fetch: Fetch): void {
    const { host, env } = this.#parts
    this.#snapshot ??= new SnapshotSend({
      host,
      env,
      region: this.#identity!.region,
      send: (message) => this.connection.send(message),
      ready: () => this.pump(),
    })
    this.#snapshot.start({ ...fetch, least: this.#leastFor(fetch) })
  }

  /** Takes note of what the peer has from elsewhere. */
  hasAll(vector: VersionVector): void {
    this.#subscription?.hasAll(vector)
    this.#snapshot?.acknowledged(vector)
  }

  #unavailable(what: 'log' | 'snapshot', error: unknown): void {
    const { region } = this.#parts.host.identity
    const detail = error instanceof Error ? error.message : String(error)
    this.end(
      reason('log-unavailable', `the ${what} of region ${region} cannot serve what is asked for: ${detail}`),
    )
  }

  #finish(why: Reason): void {
    if (this.#ended) return
    this.#ended = true
    this.#resume?.cancel()
    this.#resume = undefined
    this.#subscription = undefined
    this.#snapshot?.end()
    this.#snapshot = undefined
    this.connection.close(why)
    this.#parts.ended(this, why)
  }
}

/** The ops that made a change of a region, as they travel. */
function madeBy(record: RegionRecord | undefined): WireVector {
  return (record?.by ?? []).map(({ origin, seq }) => [origin.id, seq] as const)
}
