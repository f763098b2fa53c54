/**
 * publications.ts: the ways of what clients publish.
 *
 *   a client of this node ──┬─→ the other nodes of the region      each tells its own clients
 *                           └─→ the other regions                  by the links of a primary
 *   another region ───────────→ the other nodes of the region      it came to the primary of the same partition
 *   another node of the region ─→ the other regions                from a replica, by its primary
 *
 * A node hears of a message in one way only: from the node of its region where it was published, or at which it came
 * in from another region. The messages of one node stay in their order.
 *
 * Messages of shard channels go to the nodes of one partition. They, and the others where they go there, wait at each
 * until it has what the publisher had seen (`held-publications.ts`); between partitions there is no such order.
 *
 * Nothing is stored and nothing is sent again: what is gathered, and what waits for a slow node, is bounded, and
 * beyond that dropped and counted.
 */
import { VersionVector } from '../crdt/version-vector.ts'
import { HeldPublications } from './held-publications.ts'
import { OutgoingPublications } from './outgoing-publications.ts'
import type { Identity, Publication, SyncHost } from './ports.ts'
import {
  decodePublications,
  decodeSpread,
  encodePublications,
  encodeSpread,
  type Spread,
} from './publication.ts'
import type { SyncSettings } from './settings.ts'

export interface PublicationLink {
  /** @returns false when it was not sent */
  publish(message: Uint8Array): boolean
}

/** Who is told of what is gathered. */
export interface Hearers {
  readonly regions: Iterable<PublicationLink>
  /** Nodes of this region that hear what is published at this one. */
  readonly neighbours: Iterable<PublicationLink & { readonly identity: Identity | undefined }>
  /** Replicas of this node that do not. */
  readonly replicas: Iterable<PublicationLink>
}

export class Publications {
  readonly #host: SyncHost
  readonly #settings: SyncSettings
  /** For the other regions. */
  readonly #abroad: OutgoingPublications
  /** For the other nodes of this one. */
  readonly #inside: OutgoingPublications
  /** There is something to send. */
  readonly #due: () => void
  /** Messages that a node was too slow for, since the start. */
  #unsent = 0
  readonly #held = new Set<HeldPublications>()
  /** Of those that are no more. */
  #formerlyHeld = 0

  constructor(host: SyncHost, settings: SyncSettings, due: () => void) {
    this.#host = host
    this.#settings = settings
    this.#abroad = new OutgoingPublications(settings.publicationBytesMax)
    this.#inside = new OutgoingPublications(settings.publicationBytesMax)
    this.#due = due
  }

  /** Messages that found a peer, another node or this one too slow to be told, since the start. */
  get dropped(): number {
    let dropped = this.#abroad.dropped + this.#inside.dropped + this.#unsent + this.#formerlyHeld
    for (const held of this.#held) dropped += held.dropped
    return dropped
  }

  /** Clients of this node have published that, and those of them that listen are told already. */
  publish(publication: Publication): void {
    if (this.#isPrimary) this.#abroad.add(publication)
    this.#inside.add(publication)
    this.#due()
  }

  /** Where messages wait that come by one link. */
  heldFrom(tell: (publication: Publication) => void): HeldPublications {
    const held = new HeldPublications(this.#settings.publicationBytesMax, tell)
    this.#held.add(held)
    return held
  }

  /** Nothing comes by that link any more. */
  forget(held: HeldPublications): void {
    held.clear()
    this.#held.delete(held)
    this.#formerlyHeld += held.dropped
  }

  /** What this node had to wait for may be here. */
  release(): void {
    for (const held of this.#held) held.release(this.#host.applied)
  }

  /** From another region: the other nodes of this one hear of it from here. */
  arrived(publication: Publication): void {
    this.#host.published(publication)
    this.#inside.add(publication)
    this.#due()
  }

  /** From the primary that this node follows: the others hear of it from there. */
  followed(publication: Publication): void {
    this.#host.published(publication)
  }

  /** A message `publish` of a peer. @throws ProtocolViolation */
  take(bytes: Uint8Array, held: HeldPublications): void {
    const { origins, applied, latin1 } = this.#host
    const { publications, deps } = decodePublications(bytes, latin1)
    held.take(publications, VersionVector.fromWire(origins, deps), applied)
  }

  /** A message `spread` of another node of this region. @throws ProtocolViolation */
  takeSpread(bytes: Uint8Array, held: HeldPublications): void {
    const { origins, applied, latin1 } = this.#host
    const { publications, deps, isForRegions } = decodeSpread(bytes, latin1)
    held.take(publications, VersionVector.fromWire(origins, deps), applied)
    if (!isForRegions || !this.#isPrimary) return
    for (const publication of publications) this.#abroad.add(publication)
    this.#due()
  }

  /** Sends what was gathered. Who is told has to know what is applied here: see PROTOCOL.md. */
  send({ regions, neighbours, replicas }: Hearers): void {
    this.#sendWhole(regions, this.#abroad.take())
    const inside = this.#inside.take()
    this.#sendWhole(replicas, inside)
    const [near, far] = [new Set<PublicationLink>(), new Set<PublicationLink>()]
    for (const link of neighbours)
      (link.identity?.partition === this.#host.identity.partition ? near : far).add(link)
    // Another node of the partition has links with the other regions, if this one has not.
    const isForRegions = !this.#isPrimary
    this.#spread(near, { publications: inside, deps: this.#host.applied.toWire(), isForRegions })
    const ofAll = inside.filter(({ kind }) => kind === 'channel')
    this.#spread(far, { publications: ofAll, deps: [], isForRegions: false })
  }

  /** To those that get ops by the same link. */
  #sendWhole(links: Iterable<PublicationLink>, publications: readonly Publication[]): void {
    if (publications.length === 0) return
    const { applied, latin1 } = this.#host
    this.#sendTo(links, publications, encodePublications(publications, applied.toWire(), latin1))
  }

  #spread(links: ReadonlySet<PublicationLink>, spread: Spread): void {
    if (links.size === 0 || spread.publications.length === 0) return
    this.#sendTo(links, spread.publications, encodeSpread(spread, this.#host.latin1))
  }

  #sendTo(links: Iterable<PublicationLink>, messages: readonly Publication[], bytes: Uint8Array): void {
    for (const link of links) if (!link.publish(bytes)) this.#unsent += messages.length
  }

  get #isPrimary(): boolean {
    return this.#host.identity.role === 'primary'
  }
}
