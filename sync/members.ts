/**
 * members.ts: the peers of this node by name, each with both of its links.
 *
 * They are the other regions; and for a replica, under the name of its own region, the primary that it follows.
 */
import type { Origin } from '../crdt/origin.ts'
import type { VersionVector } from '../crdt/version-vector.ts'
import type { WaitedPeer } from './durable-waits.ts'
import type { HeldPublications } from './held-publications.ts'
import type { Peer } from './peer.ts'
import type { Identity } from './ports.ts'
import type { Puller } from './puller.ts'
import type { ServerLink } from './server-link.ts'

export interface Member {
  readonly peer: Peer
  readonly puller: Puller
  /** What its clients published and not everybody here may know yet. */
  readonly held: HeldPublications
  /** The link by which it pulls from here. */
  server: ServerLink | undefined
}

export class Members implements Iterable<Member> {
  readonly #byName = new Map<string, Member>()

  add(member: Member): void {
    this.#byName.set(member.peer.name, member)
  }

  get(name: string): Member | undefined {
    return this.#byName.get(name)
  }

  delete(name: string): void {
    this.#byName.delete(name)
  }

  [Symbol.iterator](): IterableIterator<Member> {
    return this.#byName.values()
  }

  *peers(): IterableIterator<Peer> {
    for (const { peer } of this) yield peer
  }

  *pullers(): IterableIterator<Puller> {
    for (const { puller } of this) yield puller
  }

  *servers(): IterableIterator<ServerLink> {
    for (const { server } of this) if (server !== undefined) yield server
  }

  /** The same, as those look at them who wait until they have something on disk. */
  *waited(): IterableIterator<WaitedPeer> {
    for (const { server, peer } of this) yield { isConnected: server !== undefined, durable: peer.durable }
  }

  /** Nodes that a link is open with, in either direction. */
  *linked(): IterableIterator<Identity> {
    for (const { puller, server } of this) {
      if (puller.identity !== undefined) yield puller.identity
      if (server?.identity !== undefined) yield server.identity
    }
  }

  /** The peer that is known to be that region. */
  peerOf(regionId: number): Peer | undefined {
    for (const peer of this.peers()) if (peer.regionId === regionId) return peer
    return undefined
  }

  /**
   * Origins of `ops` of which each of these regions has less; undefined until all have been heard.
   * @param sinceMs  what they said before then does not count; our monotonic clock
   */
  unknownTo(
    regions: Iterable<{ readonly name: string }>,
    ops: VersionVector,
    sinceMs: number,
  ): Origin[] | undefined {
    let unknown = [...ops.entries()]
    for (const { name } of regions) {
      const { applied, heardMs } = this.get(name)!.peer
      if (applied === undefined || heardMs === undefined || heardMs < sinceMs) return undefined
      unknown = unknown.filter(([origin, seq]) => applied.get(origin) < seq)
    }
    return unknown.map(([origin]) => origin)
  }
}
