/**
 * outgoing-publications.ts: what was published since anything was last sent.
 *
 * Invariant: what is gathered is bounded by `bytesMax`; beyond it messages are dropped and counted.
 */
import type { Publication } from './ports.ts'
import { publicationBytes } from './publication.ts'

export class OutgoingPublications {
  readonly #bytesMax: number
  #gathered: Publication[] = []
  #bytes = 0
  /** Messages that found no room, since the start. */
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

  /** What was gathered, in order; nothing is left. */
  take(): readonly Publication[] {
    const gathered = this.#gathered
    this.#gathered = []
    this.#bytes = 0
    return gathered
  }
}
