/**
 * outgoing-publications.ts: what clients of this node have published since anything was last sent to the peers.
 *
 * Invariant: what is gathered is bounded by `bytesMax`; beyond it messages are dropped and counted.
 */
import type { Latin1 } from '../crdt/codec/bytes.ts'
import type { VersionVector } from '../crdt/version-vector.ts'
import type { Publication } from './ports.ts'
import { encodePublications, publicationBytes } from './publication.ts'

export interface PublicationHost {
  readonly applied: VersionVector
  readonly latin1?: Latin1
}

export interface PublicationLink {
  /** @returns false when it was not sent */
  publish(message: Uint8Array): boolean
}

export class OutgoingPublications {
  readonly #bytesMax: number
  #gathered: Publication[] = []
  #bytes = 0
  /** Messages that some peer did not get, since the start. */
  dropped = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  add(publication: Publication): void {
    const bytes = publicationBytes(publication)
    if (this.#bytes + bytes > this.#bytesMax) {
      this.dropped++
      return
    }
    this.#bytes += bytes
    this.#gathered.push(publication)
  }

  /** Sends what was gathered, if anything was. Who is told has to know what is applied here: see PROTOCOL.md. */
  send({ applied, latin1 }: PublicationHost, links: Iterable<PublicationLink>): void {
    if (this.#gathered.length === 0) return
    const gathered = this.#gathered
    this.#gathered = []
    this.#bytes = 0
    const message = encodePublications(gathered, applied.toWire(), latin1)
    for (const link of links) if (!link.publish(message)) this.dropped += gathered.length
  }
}
