/**
 * dot.ts: names of writes, their order, and what an op may remove.
 *
 * A dot `(origin, seq, index)` names effect `index` of op `seq` of an origin, for ever. A stamp is the
 * dot together with the op's HLC. Stamps order concurrent writes only; what a write replaces or removes
 * is decided by `OpPoint.covers`, never by stamps.
 *
 * The HLC is kept as two small integers: as one number it would be a heap object of its own per write.
 */
import type { Hlc } from './hlc.ts'
import type { Origin } from './origin.ts'
import type { RecordContext } from './table/record-context.ts'
import type { VersionVector } from './version-vector.ts'

const LOW = 2 ** 22

/** A dot and its HLC: what an effect gives to the element it writes. */
export interface Stamp {
  readonly origin: Origin
  readonly seq: number
  readonly index: number
  readonly hlcHigh: number
  readonly hlcLow: number
}

export class Dot implements Stamp {
  origin: Origin
  seq: number
  index: number
  hlcHigh: number
  hlcLow: number

  constructor(stamp: Stamp) {
    this.origin = stamp.origin
    this.seq = stamp.seq
    this.index = stamp.index
    this.hlcHigh = stamp.hlcHigh
    this.hlcLow = stamp.hlcLow
  }

  get hlc(): Hlc {
    return this.hlcHigh * LOW + this.hlcLow
  }

  /** Takes the name and stamp of the effect at `at`: an element that is replaced in place. */
  renew(stamp: Stamp): void {
    this.origin = stamp.origin
    this.seq = stamp.seq
    this.index = stamp.index
    this.hlcHigh = stamp.hlcHigh
    this.hlcLow = stamp.hlcLow
  }
}

/**
 * Total order of stamps: HLC, then the lower region, then origin, seq, effect.
 * @returns > 0 when `a` wins, < 0 when `b` wins, 0 only for one and the same dot
 */
export function compareStamps(a: Dot, b: Dot): number {
  if (a.hlcHigh !== b.hlcHigh) return a.hlcHigh - b.hlcHigh
  if (a.hlcLow !== b.hlcLow) return a.hlcLow - b.hlcLow
  if (a.origin !== b.origin) {
    if (a.origin.region !== b.origin.region) return b.origin.region - a.origin.region
    return a.origin.id < b.origin.id ? 1 : -1
  }
  return a.seq - b.seq || a.index - b.index
}

/** The one with the highest stamp among both; undefined when both are empty. */
export function latestOf(some: readonly Dot[], others: readonly Dot[]): Dot | undefined {
  let latest: Dot | undefined
  for (const dot of some) if (latest === undefined || compareStamps(dot, latest) > 0) latest = dot
  for (const dot of others) if (latest === undefined || compareStamps(dot, latest) > 0) latest = dot
  return latest
}

export function sameDot(a: Stamp, b: Stamp): boolean {
  return a.origin === b.origin && a.seq === b.seq && a.index === b.index
}

export type ConflictRule = 'register' | 'type' | 'deadline' | 'hidden-increment' | 'saturation' | 'lost-set'

/**
 * Told when a rule hides something that somebody was answered "OK" for, and of every deadline that comes to
 * stand beside another one, also where both are the same moment and nothing is hidden.
 */
export interface ConflictSink {
  /** @param at  the effect that brought it to light; its key is the one being applied */
  conflict(rule: ConflictRule, winner: Dot, hidden: Dot, at: OpPoint): void
}

/**
 * Where an effect stands: its dot, its stamp and what its origin had seen. One object per node, moved
 * from effect to effect.
 */
export class OpPoint implements Stamp {
  origin: Origin
  seq = 0
  index = 0
  hlcHigh = 0
  hlcLow = 0
  /** What the origin had applied when it minted the op. */
  deps: VersionVector
  /** The region of the node that applies: what another region knows of itself alone is not for it. */
  readonly home: number
  /** The hash field being written, for conflict reports. */
  field: string | undefined = undefined
  /** Where large collections find what they need to be packed; undefined: none is. */
  readonly records: RecordContext | undefined
  readonly #conflicts: ConflictSink

  /** @param origin  of the node that applies, or another one of its region */
  constructor(origin: Origin, deps: VersionVector, conflicts: ConflictSink, records?: RecordContext) {
    this.origin = origin
    this.records = records
    this.home = origin.region
    this.deps = deps
    this.#conflicts = conflicts
  }

  /** Moves to the first effect of an op. */
  moveTo(origin: Origin, seq: number, hlc: Hlc, deps: VersionVector): void {
    this.origin = origin
    this.seq = seq
    this.index = 0
    this.field = undefined
    this.recast(hlc)
    this.deps = deps
  }

  /** The rest of the op is an older one under this dot: it keeps its stamp. */
  recast(hlc: Hlc): void {
    const high = Math.floor(hlc / LOW)
    this.hlcHigh = high
    // Not `%`, which is a call into C for numbers this large.
    this.hlcLow = hlc - high * LOW
  }

  report(rule: ConflictRule, winner: Dot, hidden: Dot): void {
    this.#conflicts.conflict(rule, winner, hidden, this)
  }

  /** The op's origin had seen every op that `applied` names; this op is the next one of its origin there. */
  coversAll(applied: VersionVector): boolean {
    const { origin, deps } = this
    for (let i = 0; i < applied.length; i++) {
      if (i !== origin.index && applied.at(i) > (i < deps.length ? deps.at(i) : 0)) return false
    }
    return true
  }

  /** The op's origin had seen that write, or made it earlier in the same op. */
  covers(dot: Dot): boolean {
    if (dot.origin === this.origin) {
      return dot.seq < this.seq || (dot.seq === this.seq && dot.index < this.index)
    }
    return dot.seq <= this.deps.get(dot.origin)
  }

  /** The same of a dot that is stored as numbers: the index of its origin, its seq, its effect. */
  coversDot(originIndex: number, seq: number, index: number): boolean {
    if (originIndex === this.origin.index) {
      return seq < this.seq || (seq === this.seq && index < this.index)
    }
    return originIndex < this.deps.length && seq <= this.deps.at(originIndex)
  }
}

/** Takes away, in place, what the op had seen. */
export function removeCovered(dots: Dot[], at: OpPoint): void {
  let kept = 0
  for (const dot of dots) if (!at.covers(dot)) dots[kept++] = dot
  dots.length = kept
}
