/**
 * peer.ts: what this node knows of one configured region, over all links to it.
 *
 * Links come and go; vectors, clocks and counters stay here. Invariant: `durable` is what the peer last
 * acknowledged as fsynced, and it stays when the link is lost: the peer still has it.
 */
import type { VersionVector } from '../crdt/version-vector.ts'
import { noTraffic, type Traffic } from './connection.ts'
import { LagMeter } from './lag-meter.ts'
import type { Ack } from './messages.ts'
import type { Reason } from './reason.ts'
import { SettledClock } from './settled-clock.ts'
import { Whereabouts } from './whereabouts.ts'

/** What a peer last said in a status. */
export interface PeerReport {
  /** When it said so, our monotonic clock, milliseconds. */
  readonly atMs: number
  /** By region id: for how long it had not heard that region, milliseconds. */
  readonly unheardMs: ReadonlyMap<number, number>
  /** What it has applied, fsynced or not. */
  readonly applied: VersionVector
}

/** Refusals after which another address of the region is the right one. */
const SEARCH_CODES: ReadonlySet<string> = new Set(['other-partition', 'not-primary', 'older-term'])

export class Peer {
  readonly name: string
  /** Where it is dialed: at whichever of its nodes is the right one. */
  readonly whereabouts: Whereabouts
  readonly traffic: Traffic = noTraffic()
  readonly settled: SettledClock = new SettledClock()
  readonly lag: LagMeter = new LagMeter()
  /** Undefined until the peer was reached once, unless the membership knows it. */
  regionId: number | undefined
  /** Cut by the operator. */
  paused = false
  /** When it last acknowledged anything, our monotonic clock, milliseconds. */
  heardMs: number | undefined
  /** Undefined until it was heard. */
  report: PeerReport | undefined
  /** What it last said it has applied, on either link. */
  applied: VersionVector | undefined
  /** What it last acknowledged as fsynced. */
  durable: VersionVector | undefined
  /** Its wall clock minus ours, milliseconds. */
  skewMs: number | undefined
  roundTripMs: number | undefined
  #lastError: Reason | undefined
  readonly #report: (sentence: string) => void

  /**
   * @param seeds  addresses of its nodes, at least one
   * @param report  told once when the link breaks or is refused, for each reason, and when it works again
   */
  constructor(name: string, seeds: readonly string[], report: (sentence: string) => void) {
    this.name = name
    this.whereabouts = new Whereabouts(seeds)
    this.#report = report
  }

  /** Where it is dialed now. */
  get url(): string {
    return this.whereabouts.url
  }

  get lastError(): Reason | undefined {
    return this.#lastError
  }

  /** A link with the peer ended, or was refused by either side. */
  failed(why: Reason): void {
    // One of several nodes was met, and it was not the one that is looked for.
    const isSearch = this.whereabouts.isSearch && SEARCH_CODES.has(why.code)
    if (why.code !== this.#lastError?.code && !isSearch) {
      this.#report(`link with region ${this.name}: ${why.code}: ${why.sentence}`)
    }
    this.#lastError = why
  }

  /** The link by which this node pulls is up. */
  works(): void {
    if (this.#lastError !== undefined) this.#report(`link with region ${this.name} works`)
    this.#lastError = undefined
    this.whereabouts.arrived()
  }

  /** It has answered a status. @param nowMs  our monotonic clock @param wallMs  our wall clock */
  answered({ echoMs, wallMs: theirMs }: Ack, nowMs: number, wallMs: number): void {
    if (echoMs === 0) return
    this.roundTripMs = Math.max(0, Math.round(nowMs - echoMs))
    this.skewMs = Math.round(theirMs + this.roundTripMs / 2 - wallMs)
  }

  /** The peer says what it has applied and fsynced, and its expiry clock at that moment. */
  announce(applied: VersionVector, durable: VersionVector, clockMs: number, heardMs: number): void {
    this.applied = applied
    this.settled.announce(applied, durable, clockMs, heardMs)
  }
}
