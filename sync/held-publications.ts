/**
 * held-publications.ts: published messages of one peer that have come before something their publisher had
 * seen: they wait here, in their order.
 *
 * Invariant: what waits is bounded by `bytesMax`. Beyond it messages are dropped, as for a client that does
 * not read: publishing promises nothing to who cannot follow.
 */
import type { VersionVector } from '../crdt/version-vector.ts'
import type { Publication } from './ports.ts'
import { publicationBytes } from './publication.ts'

interface Held {
  readonly deps: VersionVector
  readonly publications: readonly Publication[]
  readonly bytes: number
}

export class HeldPublications {
  readonly #bytesMax: number
  readonly #tell: (publication: Publication) => void
  #waiting: Held[] = []
  #bytes = 0
  /** Messages dropped since the start. */
  dropped = 0

  constructor(bytesMax: number, tell: (publication: Publication) => void) {
    this.#bytesMax = bytesMax
    this.#tell = tell
  }

  take(publications: readonly Publication[], deps: VersionVector, applied: VersionVector): void {
    if (this.#waiting.length === 0 && applied.covers(deps)) {
      for (const publication of publications) this.#tell(publication)
      return
    }
    const bytes = publications.reduce((sum, publication) => sum + publicationBytes(publication), 0)
    if (this.#bytes + bytes > this.#bytesMax) {
      this.dropped += publications.length
      return
    }
    this.#bytes += bytes
    this.#waiting.push({ deps, publications, bytes })
  }

  /** Tells those whose turn it is. */
  release(applied: VersionVector): void {
    let told = 0
    for (const { deps, publications, bytes } of this.#waiting) {
      if (!applied.covers(deps)) break
      for (const publication of publications) this.#tell(publication)
      this.#bytes -= bytes
      told++
    }
    if (told > 0) this.#waiting = this.#waiting.slice(told)
  }

  /** The link is gone: what it still lacked may be long in coming, and news that are old are none. */
  clear(): void {
    for (const { publications } of this.#waiting) this.dropped += publications.length
    this.#waiting = []
    this.#bytes = 0
  }
}
