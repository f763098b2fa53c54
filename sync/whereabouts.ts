/**
 * whereabouts.ts: where the node of a region may be that this one looks for: its own partition's primary there.
 *
 * There are the *seeds*, which an operator gave and which stay; and the addresses that nodes of that region have
 * *named* since, the last ones only. A search goes in rounds. In a round each address is dialed once: what was named
 * last comes first, then the seeds. When a node says that it is not the one and names others, they are next in turn.
 * Behind a round comes a pause, so a search that finds nothing costs little.
 *
 * Where nothing answers it takes seconds to find that out. So a node comes behind the others in the round behind the
 * loss of its link, for its machine may be gone: the others know at once, and name it if it is the one all the same.
 * And an address at which nothing has answered the last time comes last, whoever names it: it may be one by which only
 * the nodes of that region reach each other.
 *
 * Invariants: (1) a round is finite: no address comes twice, and at most `NAMED_DIALS_MAX` that are no seeds.
 * (2) What is known is bounded: the seeds and `NODES_MAX` others. (3) Whoever was reached inside TLS names nobody that
 * is reached without.
 */
import { isSyncUrl } from './sync-url.ts'

/** Addresses that one node may name. */
export const NODES_MAX = 8
/** Addresses dialed in one round because they were named. A region that takes more steps is taken up by the next one. */
const NAMED_DIALS_MAX = 16
/** Characters. */
const URL_LENGTH_MAX = 512

export class Whereabouts {
  readonly #seeds: readonly string[]
  #named: readonly string[] = []
  #url: string
  /** Dialed in this round. */
  readonly #tried = new Set<string>()
  /** How many of them were no seeds. */
  #namedDials = 0
  /** Where a link was, until a round has gone by without one. */
  #left: string | undefined
  /** Nothing has answered there the last time. */
  readonly #mute = new Set<string>()

  /** @param seeds  at least one */
  constructor(seeds: readonly string[]) {
    this.#seeds = seeds
    this.#url = seeds[0]!
    this.beginRound()
  }

  /** What is dialed now. */
  get url(): string {
    return this.#url
  }

  /** There is more than one place to look at. */
  get isSearch(): boolean {
    return this.#seeds.length > 1 || this.#named.some((url) => url !== this.#seeds[0])
  }

  /** Turns to the next address. @returns false when all were dialed: a new round has begun */
  next(): boolean {
    const next = this.#candidate()
    if (next === undefined) {
      this.#left = undefined
      this.beginRound()
      return false
    }
    this.#turnTo(next)
    return true
  }

  /** All that is known is worth a try again. */
  beginRound(): void {
    this.#tried.clear()
    this.#namedDials = 0
    this.#turnTo(this.#candidate()!)
  }

  /** Nothing has answered at `url`, or not yet. */
  silent(): void {
    this.#mute.add(this.#url)
  }

  /** Somebody has answered at `url`. */
  answered(): void {
    this.#mute.delete(this.#url)
  }

  /** There is a link with the node at `url`. */
  arrived(): void {
    this.#left = this.#url
    this.#tried.clear()
    this.#namedDials = 0
  }

  /** The node at `url`, which knows the secret, says that these have the partition, the primary first. */
  learn(urls: readonly string[]): void {
    const isInsideTls = this.#url.startsWith('wss:')
    const fit = urls.filter(
      (url) => url.length <= URL_LENGTH_MAX && isSyncUrl(url) && (!isInsideTls || url.startsWith('wss:')),
    )
    // It is worth asking again itself, unless it is asked anyway.
    const asked = this.#seeds.includes(this.#url) ? [] : [this.#url]
    this.#named = [...new Set([...fit.slice(0, NODES_MAX - 1), ...asked])]
    for (const url of this.#mute)
      if (!this.#named.includes(url) && !this.#seeds.includes(url)) this.#mute.delete(url)
  }

  #turnTo(url: string): void {
    this.#url = url
    this.#tried.add(url)
    if (!this.#seeds.includes(url)) this.#namedDials++
  }

  #candidate(): string | undefined {
    const named = this.#namedDials < NAMED_DIALS_MAX ? this.#named : []
    const ahead = [...named, ...this.#seeds].filter((url) => !this.#tried.has(url))
    const rank = (url: string): number => (this.#mute.has(url) ? 2 : url === this.#left ? 1 : 0)
    return ahead.sort((a, b) => rank(a) - rank(b))[0]
  }
}
