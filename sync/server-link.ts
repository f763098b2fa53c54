/**
 * server-link.ts: one accepted link, by which a peer pulls from this node.
 *
 * Sends the peer what it lacks of the log: a slice per event-loop turn while there is a backlog, then
 * whatever each turn adds. What the network has not taken yet is bounded by `unsentBytesMax`; beyond it
 * the log is simply not read on, so a slow peer costs its place in the log and no memory.
 *
 * Invariants: (1) at most one continuation (`#resume`) is under way. (2) One record may exceed
 * `unsentBytesMax` and `sliceBytesMax`: records are never split.
 */
import type { Origin } from '../crdt/origin.ts'
import type { VersionVector } from '../crdt/version-vector.ts'
import { Connection } from './connection.ts'
import { type Ack, EVERY_REGION, RECORDS_AT, type Wanted } from './messages.ts'
import type { OpsFrames } from './ops-frame.ts'
import type { Identity, Link, LinkEvents, SyncEnv, SyncHost, Timer } from './ports.ts'
import { type Reason, reason } from './reason.ts'
import { ServeSession } from './serve-session.ts'
import type { Action, Judge } from './session.ts'
import type { SyncSettings } from './settings.ts'
import { type Slice, Subscription } from './subscription.ts'

export interface ServerParts {
  readonly host: SyncHost
  readonly env: SyncEnv
  readonly settings: SyncSettings
  readonly frames: OpsFrames
  /** What forbids serving the node that dialed. */
  readonly judge: Judge
  /** The handshake is done. */
  accepted(link: ServerLink, peer: Identity): void
  acknowledged(link: ServerLink, ack: Ack): void
  /** Once, at the end of the link. */
  ended(link: ServerLink, why: Reason): void
}

export class ServerLink {
  readonly connection: Connection
  readonly #parts: ServerParts
  readonly #session: ServeSession
  #identity: Identity | undefined
  #subscription: Subscription | undefined
  /** Largest message the peer takes, bytes. */
  #frameBytesMax = Number.POSITIVE_INFINITY
  #resume: Timer | undefined
  #ended = false

  constructor(link: Link, parts: ServerParts) {
    this.#parts = parts
    this.connection = new Connection(link, parts.env.monoMs())
    this.#session = new ServeSession(parts.host, {
      secret: parts.settings.secret,
      judge: parts.judge,
      applied: () => parts.host.applied.toWire(),
    })
    this.#perform(this.#session.open())
  }

  get streaming(): boolean {
    return this.#session.streaming
  }

  /** The node at the other end, once the handshake is done. */
  get identity(): Identity | undefined {
    return this.#identity
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
    const subscription = this.#subscription
    if (subscription === undefined || this.#resume !== undefined || !this.#hasRoom) return
    if (!subscription.caughtUp) this.#sendSlice(subscription)
    if (this.#ended || subscription.caughtUp || !this.#hasRoom) return
    this.#resume = this.#parts.env.after(0, () => {
      this.#resume = undefined
      this.pump()
    })
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
    if (!this.streaming || !this.#hasRoom) return
    this.connection.send({
      type: 'status',
      applied: host.applied.toWire(),
      clockMs: host.expiryClockMs(),
      atMs: Math.round(env.monoMs()),
    })
  }

  hurry(until: VersionVector): void {
    this.connection.send({ type: 'hurry', until: until.toWire() })
  }

  /** Called once per heartbeat. */
  beat(nowMs: number): void {
    const why = this.connection.judge(nowMs, this.streaming, this.#parts.settings)
    if (why !== undefined) this.end(why)
    else this.sendStatus()
  }

  /** Ends the link from this side, and says why. */
  end(why: Reason): void {
    if (this.#ended) return
    this.connection.send({ type: 'bye', ...why })
    this.#finish(why)
  }

  get #hasRoom(): boolean {
    return this.connection.unsentBytes < this.#parts.settings.unsentBytesMax
  }

  #sendSlice(subscription: Subscription): void {
    const slice = this.#read(subscription)
    if (slice === undefined || slice.records.length === 0) return
    this.connection.traffic.opsOut += slice.opCount
    const message = this.#parts.frames.of(slice.records)
    if (message.length > this.#frameBytesMax) this.#sendOneByOne(slice.records)
    else this.connection.sendBytes(message)
  }

  #read(subscription: Subscription): Slice | undefined {
    try {
      return subscription.next(this.#parts.settings.sliceBytesMax)
    } catch (error) {
      this.#logUnavailable(error)
      return undefined
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
          this.#frameBytesMax = action.frameBytesMax
          this.#parts.accepted(this, action.peer)
          break
        case 'serve':
          this.#serve(action.wanted)
          break
        case 'credit':
          this.#parts.acknowledged(this, action.ack)
          break
      }
    }
  }

  #serve({ vector, relay }: Wanted): void {
    const { host } = this.#parts
    const regions = new Set([host.identity.regionId, this.#identity!.regionId, ...relay])
    const wants = regions.has(EVERY_REGION) ? () => true : (region: number) => regions.has(region)
    try {
      this.#subscription = new Subscription(host.log, host.origins, vector, wants)
    } catch (error) {
      this.#logUnavailable(error)
      return
    }
    this.pump()
  }

  /** Takes note of what the peer has from elsewhere. */
  hasAll(vector: VersionVector): void {
    this.#subscription?.hasAll(vector)
  }

  #logUnavailable(error: unknown): void {
    const { region } = this.#parts.host.identity
    const detail = error instanceof Error ? error.message : String(error)
    this.end(
      reason('log-unavailable', `the log of region ${region} cannot serve what is asked for: ${detail}`),
    )
  }

  #finish(why: Reason): void {
    if (this.#ended) return
    this.#ended = true
    this.#resume?.cancel()
    this.#resume = undefined
    this.#subscription = undefined
    this.connection.close(why)
    this.#parts.ended(this, why)
  }
}
