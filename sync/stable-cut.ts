/**
 * stable-cut.ts: up to where nothing can be minted against any more.
 *
 * Every node says under which origin it mints and what it has fsynced: its *standing*. Whatever it mints
 * afterwards has seen at least that. So the cut is the minimum, over every origin that may still bring ops
 * not yet applied here, of the standing it was last known with. A standing counts once the origin's own
 * ops up to it are applied here: only then is all that was minted before it known.
 *
 * Over origins, not over regions: a region that restarted mints under a new origin, and says ever more with
 * it, while ops of its former origin may still be on their way with what that one had seen long ago. A
 * former origin therefore stands still until it is sealed (algorithms.md, The horizon, 1 and 5), also one of
 * which nothing is applied here yet, as long as somebody's standing names an op of it or says that its region
 * mints under it. A region that is no member any more holds the cut until every member is known to know so.
 *
 * Invariants: (1) the cut never goes back while what is applied does not. (2) A member that was never heard holds it at nothing.
 */
import { knowsOf, type Membership } from '../crdt/membership.ts'
import type { Origin } from '../crdt/origin.ts'
import { VersionVector } from '../crdt/version-vector.ts'

/** What a region last said of itself, directly or through another one. */
export interface Standing {
  readonly regionId: number
  /** The origin it mints under. */
  readonly origin: Origin
  /** What it has fsynced. */
  readonly durable: VersionVector
  /** Origins it takes no more ops of, with the last one it applied. */
  readonly fences: ReadonlyMap<Origin, number>
  /** When it said so, our monotonic clock, milliseconds. */
  readonly heardMs: number
  /** The latest expiry clock it has announced, milliseconds since the Unix epoch; 0: unknown. */
  readonly clockMs: number
}

/** Why the cut does not move on. */
export interface Holdup {
  readonly regionId: number | undefined
  /** Name of the region, where only that is known. */
  readonly name: string
  /** The origin that waits to be sealed; undefined when the region itself is waited for. */
  readonly origin: Origin | undefined
  /** Milliseconds since the region was heard; undefined for never in this run. */
  readonly heardMsAgo: number | undefined
}

/** A member other than this node's region. */
export interface CutMember {
  readonly name: string
  readonly regionId: number | undefined
}

interface Account {
  /** The oldest standing that does not count yet, and the newest. */
  oldest: VersionVector | undefined
  newest: VersionVector | undefined
  /** The newest that counts. */
  counted: VersionVector | undefined
}

/** Up to where a primary forgets, and what it had applied then. */
interface FollowedCut {
  readonly cut: VersionVector
  readonly announced: VersionVector
  readonly applied: VersionVector
}

export interface CutHost {
  readonly applied: VersionVector
  readonly durable: VersionVector
  readonly membership: Membership
  /** The origin this node mints under. */
  readonly origin: Origin
}

export class StableCut {
  readonly #host: CutHost
  readonly #accounts = new Map<Origin, Account>()
  readonly #standings = new Map<number, Standing>()
  /** What regions last said under origins that they mint under no more and that are not sealed yet. */
  readonly #former = new Map<Origin, Standing>()
  readonly #known: VersionVector
  /** Origins that were not admitted: they end before their first op. */
  readonly strays = new Set<Origin>()
  /** What this region had acknowledged before, as far as others say so in this run. */
  readonly acknowledgedBefore: VersionVector
  #cut: VersionVector
  /** As a replica: what the primary has sent and does not count yet. */
  #oldest: FollowedCut | undefined
  #newest: FollowedCut | undefined
  /** As a replica: what was announced as the cut by all, as far as it counts here. */
  followed: VersionVector | undefined

  constructor(host: CutHost) {
    this.#host = host
    this.#known = new VersionVector(host.applied.origins)
    this.#cut = new VersionVector(host.applied.origins)
    this.acknowledgedBefore = new VersionVector(host.applied.origins)
  }

  /** The cut as it was last worked out. */
  get cut(): VersionVector {
    return this.#cut
  }

  /**
   * As a replica: the cut of the primary, and what was announced, when that one had applied `applied`. They count once all
   * of that is applied here: until then an op may come that was minted without having seen what lies below.
   */
  follow(cut: VersionVector, announced: VersionVector, applied: VersionVector): void {
    this.#takeFollowed()
    // The older one goes first, or under load none would ever count.
    if (this.#oldest === undefined) this.#oldest = { cut, announced, applied }
    else this.#newest = { cut, announced, applied }
    this.#takeFollowed()
  }

  #takeFollowed(): void {
    while (this.#oldest !== undefined && this.#host.applied.covers(this.#oldest.applied)) {
      const { cut, announced } = this.#oldest
      cut.join(this.#cut)
      this.#cut = cut
      this.followed = announced
      this.#oldest = this.#newest
      this.#newest = undefined
    }
  }

  /** This node follows nobody any more: it works the cut out itself. */
  lead(): void {
    this.#oldest = undefined
    this.#newest = undefined
    this.followed = undefined
  }

  /** Every op that is applied here or that some standing names: it exists. Changes in place. */
  get known(): VersionVector {
    this.#known.join(this.#host.applied)
    return this.#known
  }

  standing(regionId: number): Standing | undefined {
    return this.#standings.get(regionId)
  }

  get standings(): Iterable<Standing> {
    return this.#standings.values()
  }

  /**
   * A region that has lost its disk has to hear them: the cut waits for such an origin, also one without an op, until
   * the region seals it.
   */
  get former(): Iterable<Standing> {
    const { membership } = this.#host
    for (const origin of this.#former.keys())
      if (membership.sealOf(origin) !== undefined) this.#former.delete(origin)
    return this.#former.values()
  }

  /** Others know of an earlier run of this region: of an origin of its that is not the present one. */
  get isRemembered(): boolean {
    const { origin: own } = this.#host
    for (const origin of this.origins()) if (origin.region === own.region && origin !== own) return true
    return this.acknowledgedBefore.length > 0
  }

  /**
   * Whether the first op of an origin may be taken, of which nothing is applied here. All that is minted has seen what
   * lies below the cut, but for what a region minted unheard before it lost its disk: it cannot tell the others that
   * there was such an origin. When a copy of that folder is put back, its ops come too late to count under their dots.
   */
  admits(origin: Origin, deps: VersionVector): boolean {
    // A replica takes what its primary took.
    if (this.#host.membership.takesFenced || deps.covers(this.#cut)) return true
    this.strays.add(origin)
    return false
  }

  /** What others last heard this region itself to have, when it minted under another origin. */
  remembered({ origin, durable }: Standing): void {
    if (origin === this.#host.origin) return
    this.acknowledgedBefore.join(durable)
    this.#accountOf(origin)
  }

  /** A region is known to stand there. Older news than what is known changes nothing but the clock. */
  heard(standing: Standing): void {
    const { regionId, origin, durable } = standing
    this.#known.join(durable)
    const known = this.#standings.get(regionId)
    // One that has lost its disk may announce an earlier clock than before: the later one is kept for it.
    const clockMs = Math.max(known?.clockMs ?? 0, standing.clockMs)
    if (known !== undefined && known.heardMs > standing.heardMs) {
      this.#standings.set(regionId, { ...known, clockMs })
      return
    }
    this.#standings.set(regionId, { ...standing, clockMs })
    if (known !== undefined && known.origin !== origin) this.#former.set(known.origin, known)
    this.#former.delete(origin)
    const account = this.#accountOf(origin)
    if (account.oldest === undefined) account.oldest = durable
    else account.newest = durable
    this.#count(origin, account)
  }

  #accountOf(origin: Origin): Account {
    const known = this.#accounts.get(origin)
    if (known !== undefined) return known
    const made: Account = { oldest: undefined, newest: undefined, counted: undefined }
    this.#accounts.set(origin, made)
    return made
  }

  #count(origin: Origin, account: Account): void {
    const applied = this.#host.applied.get(origin)
    while (account.oldest !== undefined && account.oldest.get(origin) <= applied) {
      account.counted = account.oldest
      account.oldest = account.newest
      account.newest = undefined
    }
  }

  /**
   * A snapshot was adopted that left out ops which had been applied here: they may come again. What counted
   * upon them counts no more, nor does the cut.
   */
  rebuilt(): void {
    for (const [origin, account] of this.#accounts) {
      const { counted } = account
      if (counted === undefined || counted.get(origin) <= this.#host.applied.get(origin)) continue
      account.newest ??= account.oldest
      account.oldest = counted
      account.counted = undefined
    }
    this.#cut = new VersionVector(this.#host.applied.origins)
    this.strays.clear()
  }

  /** Works the cut out anew. @returns who holds it back where it is, if somebody does altogether */
  update(members: Iterable<CutMember>, nowMs: number): Holdup | undefined {
    const { durable, origin: own } = this.#host
    let cut = durable
    const current = new Set<Origin>([own])
    for (const { name, regionId } of members) {
      const standing = regionId === undefined ? undefined : this.#standings.get(regionId)
      const counted = standing === undefined ? undefined : this.#countedOf(standing.origin)
      if (standing === undefined || counted === undefined) {
        const heardMsAgo = standing === undefined ? undefined : nowMs - standing.heardMs
        return { name, regionId, origin: undefined, heardMsAgo }
      }
      if (!this.#knowsWhoIsGone(counted))
        return { name, regionId, origin: undefined, heardMsAgo: nowMs - standing.heardMs }
      current.add(standing.origin)
      cut = cut.meet(counted)
    }
    for (const origin of this.#unended(current)) {
      const counted = this.#countedOf(origin)
      if (counted === undefined) return this.#holdupOf(origin, nowMs)
      cut = cut.meet(counted)
    }
    const next = cut.copy()
    next.join(this.#cut)
    this.#cut = next
    return undefined
  }

  /**
   * Until a member knows that a region is no member any more, it may take ops of an origin of that region which
   * nobody here has heard of, and hand them on.
   */
  #knowsWhoIsGone(standing: VersionVector): boolean {
    for (const record of this.#host.membership.regions.values())
      if (record.status !== 'member' && !knowsOf(record, standing)) return false
    return true
  }

  /** Former origins that may still bring ops: not sealed, or not applied here to their end. */
  *#unended(current: ReadonlySet<Origin>): IterableIterator<Origin> {
    const { applied, membership } = this.#host
    for (const origin of this.origins()) {
      if (current.has(origin)) continue
      const seal = membership.sealOf(origin)
      if (seal === undefined || applied.get(origin) < seal.end) yield origin
    }
  }

  /** Origins that somebody holds an op of, and those that a region was heard to mint under, op or no op. */
  origins(): Set<Origin> {
    const origins = new Set<Origin>(this.#accounts.keys())
    for (const [origin] of this.known.entries()) origins.add(origin)
    return origins
  }

  /**
   * Whom the cut waits for when nobody holds it back altogether: an unsealed origin that lacks something
   * durable here, or else the member that does and was heard longest ago. Under load somebody always does
   * for a moment; the cut stands still only when it goes on.
   */
  slowest(members: Iterable<CutMember>, nowMs: number): Holdup | undefined {
    const { durable, origin: own } = this.#host
    const current = new Set<Origin>([own])
    let slowest: Holdup | undefined
    for (const { name, regionId } of members) {
      const standing = regionId === undefined ? undefined : this.#standings.get(regionId)
      if (standing === undefined) continue
      current.add(standing.origin)
      if (this.#countedOf(standing.origin)?.covers(durable)) continue
      const heardMsAgo = nowMs - standing.heardMs
      if (heardMsAgo > (slowest?.heardMsAgo ?? Number.NEGATIVE_INFINITY))
        slowest = { name, regionId, origin: undefined, heardMsAgo }
    }
    for (const origin of this.#unended(current)) {
      if (this.#countedOf(origin)?.covers(durable)) continue
      return this.#holdupOf(origin, nowMs)
    }
    return slowest
  }

  /** An origin waits for its own region; once it is fenced, for the member heard longest ago that has not answered. */
  #holdupOf(origin: Origin, nowMs: number): Holdup {
    const awaited = this.#unanswered(origin) ?? this.#standings.get(origin.region)
    const regionId = awaited?.regionId ?? origin.region
    const heardMsAgo = awaited === undefined ? undefined : nowMs - awaited.heardMs
    return { name: `region ${regionId}`, regionId, origin, heardMsAgo }
  }

  #unanswered(origin: Origin): Standing | undefined {
    const { membership } = this.#host
    if (!membership.fences.has(origin)) return undefined
    let slowest: Standing | undefined
    for (const standing of this.#standings.values()) {
      if (standing.fences.has(origin) || membership.statusOf(standing.regionId) !== 'member') continue
      if (slowest === undefined || standing.heardMs < slowest.heardMs) slowest = standing
    }
    return slowest
  }

  #countedOf(origin: Origin): VersionVector | undefined {
    const account = this.#accounts.get(origin)
    if (account === undefined) return undefined
    this.#count(origin, account)
    return account.counted
  }

  /** Forgets a region that is no member any more, so that what it said does not outlive it. */
  forget(regionId: number): void {
    this.#standings.delete(regionId)
  }
}
