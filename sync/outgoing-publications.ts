/**
 * outgoing-publications.ts: what clients of this node have published since anything was last sent to the peers.
 *
 * Invariant: what is gathered is bounded by `bytesMax`; beyond it messages are dropped and counted.
 */
import type { Latin1 } from '../crdt/codec/bytes.ts'
import type { WireVector } from '../crdt/version-vector.ts'
import type { Publication } from './ports.ts'
import { encodePublications, publicationBytes } from './publication.ts'

export class OutgoingPublications {
  readonly #bytesMax: number
  #gathered: Publication[] = []
  #bytes = 0
  /** Messages that some peer did not get, since the start. */
  dropped = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get isEmpty(): boolean {
    return this.#gathered.length === 0
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

  /**
   * Sends what was gathered, once for each peer.
   * @param deps  what is applied here: who is told has to know as much
   * @param send  to one peer; false when it did not take it
   */
  send(
    deps: WireVector,
    latin1: Latin1 | undefined,
    peers: Iterable<(message: Uint8Array) => boolean>,
  ): void {
    const gathered = this.#gathered
    this.#gathered = []
    this.#bytes = 0
    const message = encodePublications(gathered, deps, latin1)
    for (const send of peers) if (!send(message)) this.dropped += gathered.length
  }
}
