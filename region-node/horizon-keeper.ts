/**
 * horizon-keeper.ts: what a node does for the horizon, once a second and when it hears from others.
 *
 *   may it mint?        a node that may lack what its region acknowledged asks the others first
 *   former origins      those of its own region are fenced, so that they no longer hold the cut back
 *   fences              when every member has answered the same, the origin is sealed there
 *   strays              origins whose ops come too late to count at all are sealed before the first
 *   dark members        suspended after `peer-dark-max-ms`; back once they are heard and their origins sealed
 *   the cut             worked out anew; what lies below it is reclaimed
 *
 * Whatever it decides becomes an ordinary op. Two nodes that decide the same at once do no harm: changes of
 * a region carry an epoch, a second fence changes nothing, of two seals the lower end holds.
 *
 * Invariant: a region is suspended only by a node that hears a majority of the members, or half of them with
 * the lowest region id among them, all of which say that they do not hear it either; so no two regions
 * suspend each other. Nobody gives two regions its word against one another (`given-words`).
 * Source: algorithms.md, The horizon.
 */
import { TAG } from '../crdt/effects/effect.ts'
import type { FenceEffect, HorizonEffect, RegionMode, RegionStatus } from '../crdt/effects/horizon-effects.ts'
import { knowsOf, type Membership, type RegionRecord } from '../crdt/membership.ts'
import type { Origin } from '../crdt/origin.ts'
import type { VersionVector } from '../crdt/version-vector.ts'
import { CutLag } from '../sync/cut-lag.ts'
import type { Mesh } from '../sync/mesh.ts'
import type { Unheard } from '../sync/ports.ts'
import type { CutMember, Holdup } from '../sync/stable-cut.ts'
import type { Engine } from './engine/engine.ts'
import { type CommandError, errors } from './errors.ts'
import { GivenWords, type HeardMember } from './given-words.ts'

/** Former origins are fenced when the node has run for this long: a crash loop fences nothing. */
const FENCE_AFTER_MS = 3000
/** How long a fence is left to the region that set it, before others seal it. */
const SEAL_HEADSTART_MS = 10_000
/** How long it is left to the lowest region to call a suspended one back. */
const CALL_BACK_HEADSTART_MS = 10_000
/** How long a region may be unheard when the log has grown past its limit. */
const DARK_WITH_LONG_LOG_MS = 60_000
/** One that was given a word against another is waited for this many times as long as others. */
const BINDING_TIMES = 2
/** The lowest epoch of a member that was suspended before. */
const RETURNED_EPOCH = 2
/** Age at which a region's word on whom it hears counts no more. */
const REPORT_MS_MAX = 5000

export interface KeeperParts {
  /** Why a node that is not primary mints nothing; undefined for a primary. */
  readonly notPrimary: () => CommandError | undefined
  readonly engine: Engine
  readonly mesh: Mesh
  readonly regionId: number
  /** What this node has fsynced. */
  readonly durable: () => VersionVector
  /** Monotonic clock, milliseconds. */
  readonly nowMs: () => number
  readonly darkMaxMs: () => number
  /** The log has grown past `log-retain-bytes`. */
  readonly logIsTooLong: () => boolean
  readonly report: (sentence: string) => void
  /** Asks for an fsync soon. */
  readonly hurryDurable: () => void
  /** The node holds all that its region acknowledged: noted durably. */
  readonly settled: () => void
  /** Origins of earlier runs: somebody may hold an op of theirs that this node lost. */
  readonly former: () => readonly Origin[]
  /**
   * Called whenever the node may mint. @returns false when it has to mint its late tail again first, which it
   * then sees to: nothing else is minted until it has
   */
  readonly permitted: () => boolean
}

export class HorizonKeeper {
  readonly #parts: KeeperParts
  #startedMs: number
  #hasBegun = false
  #lacking = false
  /** A peer has let this node in during this run. */
  #welcomed = false
  /** What it had to be rebuilt to when it became primary. */
  #brought: VersionVector | undefined
  /** The op by which the own region joined or came back, as a peer knows it. */
  #awaited: VersionVector | undefined
  /** What each member had when it first told in this run where it stands: enough to hold is any one of them. */
  readonly #firstHeard = new Map<number, VersionVector>()
  /** What each member had when it was first seen to know that the own region had joined or come back. */
  readonly #firstKnowing = new Map<number, VersionVector>()
  /** The epoch of the own region that those know of. */
  #knownEpoch = 0
  readonly #changedMs = new Map<number, { readonly epoch: number; readonly atMs: number }>()
  /** Since when a suspended region may be called back. */
  readonly #returningMs = new Map<number, number>()
  readonly #fencedMs = new Map<Origin, number>()
  readonly #words = new GivenWords(REPORT_MS_MAX)
  readonly #cutLag = new CutLag()
  #holdup: Holdup | undefined

  constructor(parts: KeeperParts) {
    this.#parts = parts
    this.#startedMs = parts.nowMs()
  }

  /**
   * Recovery is over, or the node has become primary.
   * @param lacking  the node may lack what its region has acknowledged
   */
  begin(lacking: boolean): void {
    this.#hasBegun = true
    this.#lacking = lacking
    this.#startedMs = this.#parts.nowMs()
    this.#firstHeard.clear()
    this.#welcomed = false
    this.#brought = this.#parts.engine.rebuildTo?.copy()
    this.judge()
  }

  get lacking(): boolean {
    return this.#lacking
  }

  /**
   * The region may have minted what this node has not got: others remember an earlier run of it, or one of them has
   * not told yet.
   */
  get mayLackItsOwn(): boolean {
    if (!this.#lacking) return false
    const { mesh } = this.#parts
    return mesh.cut.isRemembered || !this.#haveAllTold([...mesh.cutMembers()])
  }

  /** Who holds the cut back: altogether, as of the last beat, or else by being the slowest. */
  get holdup(): Holdup | undefined {
    return this.#holdup ?? this.#parts.mesh.slowestMember()
  }

  /** For how long the cut has not reached what was applied here, milliseconds. */
  get cutLagMs(): number {
    return this.#cutLag.lagMs(this.#parts.nowMs())
  }

  welcomed(joined: VersionVector): void {
    this.#welcomed = true
    if (this.#awaited === undefined) this.#awaited = joined.copy()
    else this.#awaited.join(joined)
    this.judge()
  }

  /**
   * A snapshot says that the own region was suspended and is back. Until every member knows, it goes on
   * alone, under its old origin. One that is coming back itself is not waited for: it waits likewise, for the
   * rest, and two that were called back at once by different members would wait for each other.
   * @param membership  as the snapshot knows it
   */
  mayReturn(membership: Membership): boolean {
    const { engine, mesh, regionId } = this.#parts
    const own = membership.regions.get(regionId)!
    // The snapshot is from before it was called back.
    if (own.status !== 'member') return false
    this.#watchKnowing(own)
    const hasMinted = [...engine.applied.entries()].some(([origin]) => origin.region === regionId)
    // Who has lost its disk has nothing to mint again: what it may mint is judged afterwards.
    if (this.#lacking && !hasMinted) return true
    const others = new Set<number | undefined>()
    // A peer that this run has not met may be gone by now: the snapshot knows it by its name.
    const known = new Map([...membership.regions.values()].map(({ name, regionId: id }) => [name, id]))
    for (const { name, regionId: id } of mesh.cutMembers()) others.add(id ?? known.get(name))
    for (const id of membership.regions.keys()) others.add(id)
    // One that this region suspended in the dark is a member where the snapshot is from.
    for (const id of engine.membership.regions.keys()) others.add(id)
    others.delete(regionId)
    for (const id of others) {
      if (id !== undefined && membership.statusOf(id) !== 'member') continue
      // Added in the dark: nobody else has heard of it.
      const here = id === undefined ? undefined : engine.membership.regions.get(id)
      if (here !== undefined && !membership.regions.has(here.regionId) && !isOfTheFirst(here)) continue
      const other = id === undefined ? undefined : membership.regions.get(id)
      if (other !== undefined && this.#isReturning(other)) continue
      if (!this.#isKnownTo(id, own)) return false
    }
    return true
  }

  /** That region has said that it holds the op of a change durably. */
  #isKnownTo(regionId: number | undefined, change: RegionRecord): boolean {
    const standing = regionId === undefined ? undefined : this.#parts.mesh.cut.standing(regionId)
    return standing !== undefined && knowsOf(change, standing.durable)
  }

  /** Decides whether this node may mint. */
  judge(): void {
    if (!this.#hasBegun) return
    const { engine, mesh, regionId } = this.#parts
    const notPrimary = this.#parts.notPrimary()
    if (notPrimary !== undefined) {
      engine.refuseWrites(notPrimary)
      return
    }
    for (const { regionId: id, durable } of mesh.cut.standings) {
      // By a status of its own, which tells what it remembers of this region: an acknowledgement does not, nor does
      // another region know all of it.
      const toldMs = mesh.reportOf(id)?.atMs ?? Number.NEGATIVE_INFINITY
      if (toldMs >= this.#startedMs && !this.#firstHeard.has(id)) this.#firstHeard.set(id, durable)
    }
    const own = engine.membership.regions.get(regionId)
    if (own !== undefined) this.#watchKnowing(own)
    this.#forgetSeals()
    if (engine.membership.statusOf(regionId) !== 'member' || mesh.isDisowned) {
      engine.refuseWrites(errors.regionEnded)
    } else if (this.#lacking && !this.#isSettled(this.#parts.durable())) {
      engine.refuseWrites(errors.regionLacking)
      // What a crash can still take away does not count.
      if (this.#isSettled(engine.applied)) this.#parts.hurryDurable()
    } else if (engine.rebuildTo !== undefined) {
      engine.refuseWrites(errors.regionLacking)
    } else {
      if (this.#lacking) {
        this.#lacking = false
        this.#parts.settled()
      }
      // Before the call, which may mint at once.
      engine.refuseWrites(errors.regionLate)
      if (this.#parts.permitted()) engine.refuseWrites(undefined)
    }
  }

  /**
   * A former primary of this region may have ended an origin of which this node holds more, and may have told nobody
   * else. There would be nobody to rebuild this node from. Those who have let this node in since take nothing from
   * the former one any more, so what they have not got by then they never get.
   */
  #forgetSeals(): void {
    const { engine, mesh, report } = this.#parts
    const { rebuildTo } = engine
    const brought = this.#brought
    if (rebuildTo === undefined || brought === undefined) return
    const unknown = mesh.unknownElsewhere(brought, this.#startedMs)
    if (unknown === undefined) return
    this.#brought = undefined
    // Of one that has come since somebody knows.
    const forgotten = unknown.filter((origin) => rebuildTo.get(origin) === brought.get(origin))
    if (forgotten.length === 0) return
    engine.forgetSeals(forgotten)
    report('a former primary of this region ended an origin, and no region knows of it: that does not count')
  }

  #isSettled(held: VersionVector): boolean {
    const { engine, mesh, regionId } = this.#parts
    const { membership } = engine
    const members = [...mesh.cutMembers()]
    // One that was suspended when the folder was copied may have come back since: it is asked as well.
    const isAlone = ![...membership.regions.values()].some(({ status }) => status === 'suspended')
    if (members.length === 0 && isAlone) return true
    if (!this.#welcomed || !(this.#awaited === undefined || held.covers(this.#awaited))) return false
    if (![...this.#firstHeard.values()].some((durable) => held.covers(durable))) return false
    if (!members.every(({ regionId: id }) => this.#hasItsOwn(id, held))) return false
    // Others remember this region from before its disk was lost: what it acknowledged to any of them counts.
    if (mesh.cut.isRemembered && !this.#holdsWhatItAcknowledged(members, held)) return false
    const own = membership.regions.get(regionId)
    // A region that joined: every member must know, and count with it, before it mints.
    if (own === undefined) return true
    return members.every(({ regionId: id }) => {
      // Until then its cut went on without this region, up to what it had: nothing may be minted that lacks it.
      const first = id === undefined ? undefined : this.#firstKnowing.get(id)
      return first !== undefined && held.covers(first)
    })
  }

  /**
   * It holds what that member has of this region's own ops, fsynced there or not: they exist. Some of them may be ops
   * of a late tail, which must not be minted once more.
   */
  #hasItsOwn(member: number | undefined, held: VersionVector): boolean {
    const { engine, mesh, regionId } = this.#parts
    const there = member === undefined ? undefined : mesh.reportOf(member)?.applied
    for (const [origin, seq] of there?.entries() ?? []) {
      if (origin.region !== regionId) continue
      if (held.get(origin) < Math.min(seq, engine.membership.limitOf(origin))) return false
    }
    return true
  }

  /** Takes note of who knows of the last change of the own region. */
  #watchKnowing(own: RegionRecord): void {
    // A snapshot that waits to be adopted knows of a later one than this node.
    if (own.epoch < this.#knownEpoch) return
    if (own.epoch > this.#knownEpoch) {
      this.#knownEpoch = own.epoch
      this.#firstKnowing.clear()
    }
    for (const { regionId, durable } of this.#parts.mesh.cut.standings) {
      if (!this.#firstKnowing.has(regionId) && knowsOf(own, durable))
        this.#firstKnowing.set(regionId, durable)
    }
  }

  /**
   * A region that came back knows what those who know of it had decided before: also that another one was
   * called back at the same time. Until then it decides nothing about others. What a suspended one had does not
   * count: it may never come here.
   */
  get #isAbreast(): boolean {
    const { applied, membership } = this.#parts.engine
    for (const [id, first] of this.#firstKnowing)
      if (membership.statusOf(id) === 'member' && !applied.covers(first)) return false
    return true
  }

  #holdsWhatItAcknowledged(members: readonly CutMember[], held: VersionVector): boolean {
    const { mesh, regionId: own } = this.#parts
    const { acknowledgedBefore, known } = mesh.cut
    for (const [origin, seq] of acknowledgedBefore.entries()) {
      // An op of its own that nobody else holds is gone with the disk, or waits at a former primary; no cut counts it.
      if (held.get(origin) < (origin.region === own ? Math.min(seq, known.get(origin)) : seq)) return false
    }
    return this.#haveAllTold(members)
  }

  #haveAllTold(members: readonly CutMember[]): boolean {
    return members.every(({ regionId }) => regionId !== undefined && this.#firstHeard.has(regionId))
  }

  /** Once a second. @returns true when something was minted or reclaimed */
  beat(): boolean {
    const { engine, mesh } = this.#parts
    this.judge()
    if (engine.rebuildTo !== undefined) mesh.rebuild()
    this.#watchEpochs()
    const isPrimary = this.#parts.notPrimary() === undefined
    // A replica forgets what its primary forgets. A node that lacks what its region acknowledged may not have heard
    // yet under which origin that was done: ops of it may come that have seen nothing of what lies below.
    this.#holdup = isPrimary && !this.#lacking ? mesh.updateCut() : undefined
    this.#cutLag.look(engine.applied, mesh.cut.cut, this.#parts.nowMs())
    const reclaimed = engine.reclaim(mesh.cut.cut, isPrimary ? this.announced() : mesh.cut.followed)
    if (engine.refusal !== undefined || !this.#isAbreast) return reclaimed > 0
    const effects = [...this.#fenceFormer(), ...this.#seal(), ...this.#suspend(), ...this.#bringBack()]
    effects.push(...this.#announce())
    if (effects.length > 0) engine.declare(effects)
    return effects.length > 0 || reclaimed > 0
  }

  /** What every origin that may still bring an op has announced as the stable cut. */
  announced(): VersionVector | undefined {
    const { engine, mesh } = this.#parts
    const origins = mesh.cut.origins()
    origins.add(engine.origin)
    for (const { regionId } of mesh.cutMembers()) {
      const standing = regionId === undefined ? undefined : mesh.cut.standing(regionId)
      // Who was never heard may mint whatever it likes, and so may one that was suspended, came back, and has not said
      // under which origin it goes on.
      if (standing === undefined || engine.membership.sealOf(standing.origin) !== undefined) return undefined
      origins.add(standing.origin)
    }
    return engine.membership.announcedByAll(origins, engine.applied)
  }

  /**
   * Says up to where the cut is known here, when lists hold markers that others may let go then; or else repeats
   * what others have said, because theirs may.
   */
  #announce(): HorizonEffect[] {
    const { engine, mesh } = this.#parts
    const { cut } = mesh.cut
    const target = engine.awaitsAnnouncement ? cut : engine.membership.announcedByAny?.meet(cut)
    const own = engine.membership.announcedCut(engine.origin)
    if (target === undefined || target.length === 0 || own?.covers(target)) return []
    return [{ tag: TAG.CUT, ends: [...target.entries()] }]
  }

  /** Changes the status of a region, at an operator's word. @param mode  of one that joins */
  change(regionId: number, name: string, url: string, status: RegionStatus, mode?: RegionMode): void {
    const { engine } = this.#parts
    const effects: HorizonEffect[] = [this.#changed(regionId, name, url, status)]
    if (mode !== undefined) effects.push(this.#withMode(regionId, mode))
    if (status !== 'member') effects.push(...this.#fenceAllOf(regionId))
    engine.declare(effects)
  }

  /** Makes the own region active or passive, at an operator's word. */
  changeMode(mode: RegionMode): void {
    const { engine, regionId } = this.#parts
    engine.declare([this.#withMode(regionId, mode)])
  }

  #withMode(regionId: number, mode: RegionMode): HorizonEffect {
    const epoch = this.#parts.engine.membership.modeEpochOf(regionId) + 1
    return { tag: TAG.MODE, regionId, mode, epoch }
  }

  #changed(regionId: number, name: string, url: string, status: RegionStatus): HorizonEffect {
    const epoch = this.#parts.engine.membership.epochOf(regionId) + 1
    return { tag: TAG.REGION, regionId, name, url, status, epoch }
  }

  #fenceFormer(): FenceEffect[] {
    const { engine, regionId, nowMs } = this.#parts
    if (nowMs() - this.#startedMs < FENCE_AFTER_MS) return []
    const fences = this.#fenceAllOf(regionId).filter(({ origin }) => origin !== engine.origin)
    for (const origin of this.#parts.former()) {
      const isOpen = engine.membership.limitOf(origin) === Number.POSITIVE_INFINITY
      if (isOpen && !fences.some((fence) => fence.origin === origin)) fences.push({ tag: TAG.FENCE, origin })
    }
    // An origin of a region that is gone may have come to light only now.
    for (const { regionId: id, status } of engine.membership.regions.values())
      if (status !== 'member' && id !== regionId) fences.push(...this.#fenceAllOf(id))
    return fences
  }

  /** A fence for every origin of a region that has neither one nor a seal. */
  #fenceAllOf(regionId: number): FenceEffect[] {
    const { engine, mesh } = this.#parts
    const { membership } = engine
    const fences: FenceEffect[] = []
    // One that nobody holds an op of may have been announced, and the cut would wait for it.
    for (const origin of mesh.cut.origins()) {
      if (origin.region !== regionId || membership.limitOf(origin) !== Number.POSITIVE_INFINITY) continue
      fences.push({ tag: TAG.FENCE, origin })
    }
    return fences
  }

  #seal(): HorizonEffect[] {
    const { engine, mesh, regionId, nowMs } = this.#parts
    const durable = this.#parts.durable()
    const seals: HorizonEffect[] = []
    const ending = new Map<Origin, number>()
    for (const [origin, { by }] of engine.membership.fences) {
      const sinceMs = this.#fencedMs.get(origin) ?? nowMs()
      this.#fencedMs.set(origin, sinceMs)
      if (durable.get(by.origin) < by.seq) continue
      if (by.origin.region !== regionId && nowMs() - sinceMs < SEAL_HEADSTART_MS) continue
      const end = this.#answerOfAll(origin)
      if (end === undefined || engine.applied.get(origin) > end) continue
      // One that was promoted with more would go on to count what nobody else does.
      ending.set(origin, end)
      if (!mesh.replicas.mayEnd(origin, end)) continue
      this.#fencedMs.delete(origin)
      seals.push({ tag: TAG.SEAL, origin, end })
    }
    mesh.replicas.ending = ending
    for (const origin of mesh.cut.strays) {
      const end = engine.applied.get(origin)
      if ((engine.membership.sealOf(origin)?.end ?? Number.POSITIVE_INFINITY) > end)
        seals.push({ tag: TAG.SEAL, origin, end })
    }
    return seals
  }

  /**
   * What every member has of a fenced origin; undefined until all have answered, and as long as one has more than
   * another. Who has less gets the rest first: were it to come from a region that is suspended meanwhile, an end
   * set beforehand could not be reached any more.
   */
  #answerOfAll(origin: Origin): number | undefined {
    const { mesh } = this.#parts
    const durable = this.#parts.durable()
    const own = durable.get(origin)
    for (const { regionId } of mesh.cutMembers()) {
      const answer = regionId === undefined ? undefined : mesh.cut.standing(regionId)?.fences.get(origin)
      if (answer !== own) return undefined
    }
    return own
  }

  /** How long a member may be unheard: not for long when the log that is kept for it grows too large. */
  get #darkMaxMs(): number {
    const { darkMaxMs, logIsTooLong } = this.#parts
    return logIsTooLong() ? Math.min(darkMaxMs(), DARK_WITH_LONG_LOG_MS) : darkMaxMs()
  }

  #suspend(): HorizonEffect[] {
    const { engine, mesh, regionId: own, report } = this.#parts
    const members = [...mesh.cutMembers()]
    const dark = members.filter(({ regionId }) => this.#isDark(regionId))
    // Who was never met is not counted out: nobody knows its id.
    if (dark.length === 0 || members.some(({ regionId }) => regionId === undefined)) return []
    const others = members.filter((one) => !dark.includes(one)).map(({ regionId }) => regionId!)
    if (!this.#isDecidedBy(others, members) || others.some((one) => one < own)) return []
    return dark.flatMap(({ name, regionId }) => {
      if (!others.every((other) => this.#agrees(other, regionId!))) return []
      const known = engine.membership.regions.get(regionId!)
      report(
        `region ${name} was not heard for ${Math.round(this.darkMs(regionId) / 60_000)} minutes and is suspended: ` +
          'it takes a snapshot when it comes back, and mints again what it wrote meanwhile',
      )
      return [this.#changed(regionId!, name, known?.url ?? '', 'suspended'), ...this.#fenceAllOf(regionId!)]
    })
  }

  /** One that may have suspended another by this node's word is not called dark. */
  #isDark(regionId: number | undefined): boolean {
    const isBound = regionId !== undefined && this.#words.binds(regionId)
    return this.darkMs(regionId) > this.#darkMaxMs && !isBound
  }

  /** This node and the others are a majority, or half of all with the lowest region among them. */
  #isDecidedBy(others: readonly number[], members: readonly CutMember[]): boolean {
    const { regionId: own } = this.#parts
    // A region counts until all others know that it does not: one that has not heard so may count on it still.
    const electors = [own, ...members.map(({ regionId }) => regionId!), ...this.#halfGone(members)]
    const count = 1 + others.filter((other) => this.#isCountedOn(other)).length
    if (2 * count !== electors.length) return 2 * count > electors.length
    const lowest = Math.min(...electors)
    return own === lowest || others.includes(lowest)
  }

  /**
   * That region said just now that it does not hear the dark one either, and does hear this one. Two regions
   * that cannot hear each other would otherwise suspend one another, each with the same others at its side.
   */
  #agrees(other: number, dark: number): boolean {
    const { mesh, nowMs, regionId: own } = this.#parts
    const said = mesh.reportOf(other)
    if (said === undefined || nowMs() - said.atMs > REPORT_MS_MAX) return false
    const ofDark = said.unheardMs.get(dark)
    const ofUs = said.unheardMs.get(own)
    const limitMs = this.#darkMaxMs
    return ofDark !== undefined && ofDark > limitMs && ofUs !== undefined && ofUs < limitMs / 2
  }

  /** The other members, each with how long it was not heard, as far as this node may say so. */
  unheard(): Unheard[] {
    const { engine, mesh, darkMaxMs, nowMs } = this.#parts
    const members: HeardMember[] = []
    for (const { regionId } of mesh.cutMembers()) {
      if (regionId === undefined) continue
      members.push({ regionId, darkMs: this.darkMs(regionId), epoch: engine.membership.epochOf(regionId) })
    }
    // Another one's log may have grown too long.
    const leastMs = Math.min(darkMaxMs(), DARK_WITH_LONG_LOG_MS)
    return this.#words.say(members, leastMs, BINDING_TIMES * this.#darkMaxMs, nowMs())
  }

  /** Regions that were suspended or have left, which not every member has acknowledged yet. */
  #halfGone(members: readonly CutMember[]): number[] {
    const { engine, regionId: own } = this.#parts
    const gone: number[] = []
    for (const record of engine.membership.regions.values()) {
      const { regionId, status } = record
      if (status === 'member' || regionId === own) continue
      if (!members.every(({ regionId: id }) => this.#isKnownTo(id, record))) gone.push(regionId)
    }
    return gone
  }

  /**
   * Every other member knows that the region joined or came back. Until then one that has not heard of it may
   * decide without it: its word makes no majority.
   */
  #isCountedOn(region: number): boolean {
    const { engine, mesh } = this.#parts
    const record = engine.membership.regions.get(region)
    if (record === undefined) return true
    for (const { regionId } of mesh.cutMembers()) {
      if (regionId !== region && !this.#isKnownTo(regionId, record)) return false
    }
    return true
  }

  /**
   * How long a member was not heard, milliseconds: at most since this node started, or since the region joined
   * or came back.
   */
  darkMs(regionId: number | undefined): number {
    const { mesh, nowMs } = this.#parts
    if (regionId === undefined) return nowMs() - this.#startedMs
    // One that comes back says nothing that counts yet, but it is not dark.
    const itself = mesh.heardMs(regionId) ?? this.#startedMs
    const heardMs = Math.max(itself, mesh.cut.standing(regionId)?.heardMs ?? this.#startedMs)
    return nowMs() - Math.max(heardMs, this.#changedMs.get(regionId)?.atMs ?? this.#startedMs)
  }

  /** Takes note of when regions joined or came back. */
  #watchEpochs(): void {
    for (const { regionId, epoch } of this.#parts.engine.membership.regions.values()) {
      if (this.#changedMs.get(regionId)?.epoch === epoch) continue
      this.#changedMs.set(regionId, { epoch, atMs: this.#parts.nowMs() })
    }
  }

  #bringBack(): HorizonEffect[] {
    const { engine, mesh, report, nowMs } = this.#parts
    if (this.#isSomebodyReturning() || !this.#hearsEnough) return []
    const returning = [...mesh.returning()]
    // Who came back by another's call and is suspended again is new to this.
    for (const regionId of this.#returningMs.keys())
      if (!returning.includes(regionId)) this.#returningMs.delete(regionId)
    for (const regionId of returning) {
      if (!this.#isEnded(regionId)) continue
      // Left to the lowest region for a while: two that call two others back at once would not know.
      const sinceMs = this.#returningMs.get(regionId) ?? nowMs()
      this.#returningMs.set(regionId, sinceMs)
      if (!this.#isLowestHeard && nowMs() - sinceMs < CALL_BACK_HEADSTART_MS) continue
      this.#returningMs.delete(regionId)
      const { name, url } = engine.membership.regions.get(regionId)!
      report(`region ${name} is back: it is sent a snapshot`)
      return [this.#changed(regionId, name, url, 'member')]
    }
    return []
  }

  /**
   * Enough members were heard just now that no others can decide without this node. Who is in the dark itself
   * calls nobody back: that one would join it there.
   */
  get #hearsEnough(): boolean {
    const members = [...this.#parts.mesh.cutMembers()]
    if (members.some(({ regionId }) => regionId === undefined)) return false
    const limitMs = Math.min(REPORT_MS_MAX, this.#darkMaxMs / 2)
    const heard = members.filter(({ regionId }) => this.darkMs(regionId) < limitMs)
    return this.#isDecidedBy(
      heard.map(({ regionId }) => regionId!),
      members,
    )
  }

  /** No member with a lower id was heard lately. */
  get #isLowestHeard(): boolean {
    const { mesh, regionId: own } = this.#parts
    for (const { regionId } of mesh.cutMembers()) {
      if (regionId !== undefined && regionId < own && this.darkMs(regionId) < CALL_BACK_HEADSTART_MS)
        return false
    }
    return true
  }

  /** One after another: two that come back at once would each wait until the other one knows. */
  #isSomebodyReturning(): boolean {
    const { engine, regionId: own } = this.#parts
    for (const record of engine.membership.regions.values())
      if (record.regionId !== own && this.#isReturning(record)) return true
    return false
  }

  /** It was called back, and has not said yet that it knows. */
  #isReturning(record: RegionRecord): boolean {
    const { regionId, status, epoch } = record
    return status === 'member' && epoch >= RETURNED_EPOCH && !this.#isKnownTo(regionId, record)
  }

  /**
   * No member takes anything from the region any more, and every origin of it that any of them holds is
   * sealed, and applied here to its end.
   */
  #isEnded(regionId: number): boolean {
    const { engine, mesh } = this.#parts
    const { applied, membership } = engine
    const record = membership.regions.get(regionId)!
    for (const { regionId: id } of mesh.cutMembers()) if (!this.#isKnownTo(id, record)) return false
    return membership.haveEnded(regionId, mesh.cut.known, applied)
  }
}

/** The database began with it: its first change was not that it joined. */
function isOfTheFirst({ status, epoch }: RegionRecord): boolean {
  return epoch === 1 && status !== 'member'
}
