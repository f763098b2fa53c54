/**
 * peer.ts: what this node knows of one configured region, over all links to it.
 *
 * Links come and go; vectors, clocks and counters stay here. Invariant: `durable` is what the peer last
 * acknowledged as fsynced, and it stays when the link is lost: the peer still has it.
 */
import type { VersionVector } from '../crdt/version-vector.ts'
import { noTraffic, type Traffic } from './connection.ts'
import { LagMeter } from './lag-meter.ts'
import type { Reason } from './reason.ts'
import type { PeerAddress } from './settings.ts'
import { SettledClock } from './settled-clock.ts'

export class Peer {
  readonly name: string
  readonly url: string
  readonly traffic: Traffic = noTraffic()
  readonly settled: SettledClock = new SettledClock()
  readonly lag: LagMeter = new LagMeter()
  /** Undefined until the peer was reached once. */
  regionId: number | undefined
  /** Cut by the operator. */
  paused = false
  /** What it last said it has applied, on either link. */
  applied: VersionVector | undefined
  /** What it last acknowledged as fsynced. */
  durable: VersionVector | undefined
  /** Its wall clock minus ours, milliseconds. */
  skewMs: number | undefined
  roundTripMs: number | undefined
  lastError: Reason | undefined

  constructor({ name, url }: PeerAddress) {
    this.name = name
    this.url = url
  }

  /** The peer says what it has applied, and its expiry clock at that moment. */
  announce(applied: VersionVector, clockMs: number, heardMs: number): void {
    this.applied = applied
    this.settled.announce(applied, clockMs, heardMs)
  }
}
