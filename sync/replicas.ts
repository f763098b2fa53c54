/**
 * replicas.ts: the replicas of this node, as it sees them while it is primary.
 *
 * A replica is a subscriber like a peer in another region; it mints nothing and is no member of the mesh. Whoever
 * decides who may be promoted (`region-node/cluster`) names those that are *in sync*: the region acknowledges
 * to others only what all of these have fsynced, so any of them may be promoted without asking anybody.
 *
 * Invariants: (1) one link per node; a newer one replaces the older. (2) What a replica has acknowledged stays
 * known when its link is lost, for FORGET_MS. (3) `common` never goes back. (4) A node that becomes primary says nothing
 * of `common` before it has heard those that were in sync before: they may be promoted next, and need not have fsynced
 * all that this node has.
 *
 * How far a replica is behind is measured in time, by marks: from time to time it is noted what was on offer, and a
 * replica is as late as the oldest mark that it has not come to. That it lacks the very last ops says nothing: while
 * clients write without a pause, and the network takes its time, it always does.
 */
import type { Origin } from '../crdt/origin.ts'
import { VersionVector } from '../crdt/version-vector.ts'
import type { Ack } from './messages.ts'
import type { Identity } from './ports.ts'
import { reason } from './reason.ts'
import type { ServerLink } from './server-link.ts'

/** A replica that lacks something for longer than this does not keep up, milliseconds. */
const BEHIND_MS_MAX = 2000
/** From one mark to the next, milliseconds. */
const MARK_MS = 25
/** When there are as many, every other one is dropped. */
const MARKS_MAX = 200
/** How long a replica is remembered after its link was lost, milliseconds. */
const FORGET_MS = 60_000

/** What replicas could have at a moment. */
interface Mark {
  readonly atMs: number
  readonly offered: VersionVector
}

/** A replica as its primary sees it. */
export interface Replica {
  readonly nodeId: string
  /** Where clients reach it. */
  readonly host: string
  readonly port: number
  link: ServerLink | undefined
  /** What it said last. */
  applied: VersionVector | undefined
  durable: VersionVector | undefined
  /** When it said so, our monotonic clock, milliseconds. */
  heardMs: number
  /** When this node sent the last status that it has answered, our monotonic clock, milliseconds. */
  confirmedMs: number
  /** Since when it has lacked something that it still lacks, our monotonic clock; undefined: it lacks nothing. */
  behindSinceMs: number | undefined
  /** Those that it has not come to, oldest first. */
  marks: Mark[]
}

export interface ReplicaPorts {
  /** What this node has applied: live. */
  readonly applied: VersionVector
  /** What of it they could have by now. */
  readonly offered: () => VersionVector
  /** What of it is fsynced here. */
  readonly durable: () => VersionVector
  /** The last op of that origin that counts; Infinity: it has not ended. */
  readonly endOf: (origin: Origin) => number
  readonly nowMs: () => number
  /** A replica came, acknowledged, or went. */
  changed(): void
}

export class Replicas {
  readonly #ports: ReplicaPorts
  readonly #known = new Map<string, Replica>()
  /** Undefined: nobody names them. */
  #inSync: ReadonlySet<string> | undefined = undefined
  /** Named when this node became primary, and not heard since. */
  readonly #unheard = new Set<string>()
  #common: VersionVector | undefined
  /** Origins that are about to end there: nobody who holds more may be in sync then. */
  ending: ReadonlyMap<Origin, number> = new Map()
  #markedMs = Number.NEGATIVE_INFINITY

  constructor(ports: ReplicaPorts) {
    this.#ports = ports
  }

  /** All that are linked, or were a moment ago. */
  get all(): Iterable<Replica> {
    return this.#known.values()
  }

  *links(): IterableIterator<ServerLink> {
    for (const { link } of this.#known.values()) if (link !== undefined) yield link
  }

  get isEmpty(): boolean {
    return this.#known.size === 0
  }

  accepted(link: ServerLink, { nodeId, host, port }: Identity): void {
    const before = this.#known.get(nodeId)
    before?.link?.end(reason('superseded', `node ${nodeId} has opened a newer link`))
    const nowMs = this.#ports.nowMs()
    const behindSinceMs = before?.behindSinceMs ?? nowMs
    this.#known.set(nodeId, {
      nodeId,
      host: host === '' ? hostOf(link.connection.remote) : host,
      port,
      link,
      applied: before?.applied,
      durable: before?.durable,
      heardMs: nowMs,
      confirmedMs: before?.confirmedMs ?? Number.NEGATIVE_INFINITY,
      behindSinceMs,
      marks: [{ atMs: behindSinceMs, offered: this.#ports.offered().copy() }],
    })
    this.#ports.changed()
  }

  ended(link: ServerLink): void {
    const replica = this.#of(link)
    if (replica === undefined) return
    replica.link = undefined
    this.#ports.changed()
  }

  #of(link: ServerLink): Replica | undefined {
    const nodeId = link.identity?.nodeId
    const replica = nodeId === undefined ? undefined : this.#known.get(nodeId)
    return replica?.link === link ? replica : undefined
  }

  acknowledged(link: ServerLink, ack: Ack): void {
    const replica = this.#of(link)
    if (replica === undefined) return
    const { applied, nowMs } = this.#ports
    const { origins } = applied
    replica.applied = VersionVector.fromWire(origins, ack.applied)
    replica.durable = VersionVector.fromWire(origins, ack.durable)
    if (this.#unheard.delete(replica.nodeId)) this.#common = this.#common!.meet(replica.durable)
    replica.heardMs = nowMs()
    // The answer to a status names the moment at which that was sent, and how long it lay there.
    if (ack.sentMs > 0) replica.confirmedMs = Math.max(replica.confirmedMs, ack.sentMs)
    this.#mark(replica.heardMs)
    const { marks } = replica
    while (marks[0] !== undefined && replica.applied.covers(marks[0].offered)) marks.shift()
    replica.behindSinceMs = marks[0]?.atMs
    link.hasAll(replica.applied)
    this.#ports.changed()
  }

  #mark(nowMs: number): void {
    if (nowMs - this.#markedMs < MARK_MS) return
    this.#markedMs = nowMs
    const mark = { atMs: nowMs, offered: this.#ports.offered().copy() }
    for (const replica of this.#known.values()) {
      if (replica.applied?.covers(mark.offered) === true) continue
      if (replica.marks.length >= MARKS_MAX) replica.marks = replica.marks.filter((_, i) => i % 2 === 0)
      replica.marks.push(mark)
      replica.behindSinceMs ??= nowMs
    }
  }

  /** Those that have to hold what this region acknowledges. One that is unknown here holds it back altogether. */
  nameInSync(nodeIds: ReadonlySet<string>): void {
    const isFirst = this.#inSync === undefined
    // As it is now: what is fsynced from here on counts only when they have it too.
    this.#common = this.#reached().copy()
    this.#inSync = nodeIds
    if (isFirst) for (const nodeId of nodeIds) this.#unheard.add(nodeId)
    for (const nodeId of this.#unheard) if (!nodeIds.has(nodeId)) this.#unheard.delete(nodeId)
  }

  /** Somebody names those that are in sync. */
  get isNamed(): boolean {
    return this.#inSync !== undefined
  }

  /**
   * Those whose acknowledgement replies may wait for: the named ones, undefined where one is unknown here; or else
   * those that keep up.
   */
  get awaited(): readonly (Replica | undefined)[] {
    if (this.#inSync !== undefined) return Array.from(this.#inSync, (nodeId) => this.#known.get(nodeId))
    return [...this.#known.values()].filter((replica) => this.keepsUp(replica))
  }

  keepsUp({ link, behindSinceMs }: Replica): boolean {
    return (
      link !== undefined &&
      (behindSinceMs === undefined || this.#ports.nowMs() - behindSinceMs <= BEHIND_MS_MAX)
    )
  }

  /** What the region acknowledges is known. */
  get isCommonKnown(): boolean {
    return this.#unheard.size === 0
  }

  /** What this node and all that are in sync have fsynced; nothing as long as it is not known. */
  get common(): VersionVector {
    return this.isCommonKnown ? this.#reached() : new VersionVector(this.#ports.applied.origins)
  }

  #reached(): VersionVector {
    let common = this.#ports.durable()
    if (this.#inSync === undefined || this.#inSync.size === 0) {
      this.#common = undefined
      return common
    }
    for (const nodeId of this.#inSync) {
      const durable = this.#known.get(nodeId)?.durable
      common = common.meet(durable ?? new VersionVector(common.origins))
    }
    common = common.copy()
    if (this.#common !== undefined) common.join(this.#common)
    this.#common = common
    return common
  }

  /** It has all that the region acknowledges, durably. */
  isDurable({ durable }: Replica): boolean {
    return this.isCommonKnown && durable?.covers(this.common) === true
  }

  /** It holds ops that count no more, or soon will not: whatever says so it has to be rebuilt for. */
  isBeyondEnd({ applied }: Replica): boolean {
    for (const [origin, seq] of applied?.entries() ?? [])
      if (seq > (this.ending.get(origin) ?? this.#ports.endOf(origin))) return true
    return false
  }

  /** Nobody in sync holds more of that origin than this. */
  mayEnd(origin: Origin, end: number): boolean {
    for (const nodeId of this.#inSync ?? []) {
      const applied = this.#known.get(nodeId)?.applied
      if (applied === undefined || applied.get(origin) > end) return false
    }
    return true
  }

  /** How many of them have `target`, applied or durably. */
  countOf(target: VersionVector, what: 'applied' | 'durable'): number {
    let count = 0
    for (const replica of this.#known.values())
      if (replica.link !== undefined && replica[what]?.covers(target)) count++
    return count
  }

  /** Ops that it has not said it has applied. @param wanted  of these; undefined: of all that are applied here */
  lagOf({ applied }: Replica, wanted: VersionVector = this.#ports.applied): number {
    let lag = 0
    for (const [origin, seq] of wanted.entries()) lag += Math.max(0, seq - (applied?.get(origin) ?? 0))
    return lag
  }

  /** Forgets those that have been away for long. */
  beat(nowMs: number): void {
    this.#mark(nowMs)
    for (const [nodeId, { link, heardMs }] of this.#known)
      if (link === undefined && nowMs - heardMs > FORGET_MS) this.#known.delete(nodeId)
    this.#ports.changed()
  }

  /** This node is no primary any more. */
  clear(): void {
    this.#known.clear()
    this.#inSync = undefined
    this.#unheard.clear()
    this.#common = undefined
    this.ending = new Map()
  }
}

/** The host of `host:port`, an IPv6 one without its brackets. */
function hostOf(remote: string): string {
  return remote.slice(0, remote.lastIndexOf(':')).replace(/^\[|\]$/g, '')
}
