/**
 * membership.ts: which regions there are, and which origins may still bring new ops.
 *
 * Regions that were in the configuration from the beginning have no record. Every later change is an
 * ordinary op, so it arrives in causal order and is in log and snapshot like the rest:
 *
 *   region   a region joins, is suspended, comes back or leaves; each change raises its epoch
 *   fence    from here on this node takes no new op of an origin
 *   seal     an origin ends at a seq; later ops of it are never applied under their old dots
 *   cut      an origin has announced up to where it knows the stable cut
 *   mode     a region is active or passive from now on; each change raises the epoch of its mode
 *
 * Invariants: (1) a fenced origin's limit rises only to what some member holds of it, and to its seal. (2) Two
 * nodes that applied the same ops hold the same records and ends; fences are each node's own, because what a
 * node had applied when it was fenced is its own.
 * Source: algorithms.md, The horizon; the two steps follow the flush of a view change (Birman and Joseph,
 * "Exploiting Virtual Synchrony in Distributed Systems", 1987).
 */
import { type ByteReader, type ByteWriter, DecodeError } from './codec/bytes.ts'
import type { Stamp } from './dot.ts'
import { TAG } from './effects/effect.ts'
import {
  type CutEffect,
  type FenceEffect,
  type HorizonEffect,
  type ModeEffect,
  REGION_MODES,
  REGION_STATUSES,
  type RegionEffect,
  type RegionMode,
  type RegionStatus,
  type SealEffect,
} from './effects/horizon-effects.ts'
import type { Origin, OriginTable } from './origin.ts'
import { VersionVector } from './version-vector.ts'

export interface RegionRecord {
  readonly regionId: number
  readonly name: string
  /** Where peers dial it; '' leaves it to their configuration. */
  readonly url: string
  readonly status: RegionStatus
  /** Counts the changes of this region. */
  readonly epoch: number
  /** The ops that made this change: several when regions said the same at once. */
  readonly by: readonly OpName[]
}

/** Names an op. */
export interface OpName {
  readonly origin: Origin
  readonly seq: number
}

/** Whether somebody who has applied `vector` knows of the change. */
export function knowsOf({ by }: RegionRecord, vector: VersionVector): boolean {
  return by.some(({ origin, seq }) => vector.get(origin) >= seq)
}

export interface Seal {
  /** The last op of the origin that counts. */
  readonly end: number
  /** The op that sealed it. */
  readonly by: OpName
}

export interface Fence {
  /** What this node had applied of the origin when it was fenced, or a member had: it takes no more. */
  readonly limit: number
  /** The op that fenced it. */
  readonly by: OpName
}

interface ModeRecord {
  readonly mode: RegionMode
  readonly epoch: number
}

export class Membership {
  readonly regions = new Map<number, RegionRecord>()
  /** Of regions whose mode was ever changed. The others are active, whether they have a record or not. */
  readonly #modes = new Map<number, ModeRecord>()
  readonly #fences = new Map<Origin, Fence>()
  readonly #seals = new Map<Origin, Seal>()
  /** Ops up to this seq, behind their origin's end, were minted again under other dots. */
  readonly #reminted = new Map<Origin, number>()
  /** By origin, the stable cut that it has announced. */
  readonly #cuts = new Map<Origin, VersionVector>()
  /** What any of them has announced. */
  #announced: VersionVector | undefined
  /**
   * This node is a replica: it takes what its primary took, and only that one is bound by what it said of a fenced
   * origin. False binds it to what it holds by then.
   */
  takesFenced = false
  /** Told after every change. */
  onChange: (() => void) | undefined = undefined

  /** @param applied  what this node has applied, the op at `at` not yet */
  apply(effect: HorizonEffect, at: Stamp, applied: VersionVector): void {
    switch (effect.tag) {
      case TAG.CUT:
        // Nobody has to be told: it is asked for when a marker may go.
        this.#announce(effect, at.origin, applied.origins)
        return
      case TAG.REGION:
        this.#change(effect, at)
        break
      case TAG.FENCE:
        this.#fence(effect, at, applied)
        break
      case TAG.SEAL:
        this.#seal(effect, at)
        break
      case TAG.MODE:
        this.#changeMode(effect)
        break
    }
    this.onChange?.()
  }

  #announce({ ends }: Pick<CutEffect, 'ends'>, origin: Origin, origins: OriginTable): void {
    const cut = this.#cuts.get(origin) ?? new VersionVector(origins)
    this.#announced ??= new VersionVector(origins)
    for (const [of, seq] of ends) {
      cut.advance(of, seq)
      this.#announced.advance(of, seq)
    }
    this.#cuts.set(origin, cut)
  }

  /**
   * What all of these origins have announced; undefined when one of them has announced nothing. One that has
   * ended, with all its ops applied, is not asked.
   */
  announcedByAll(origins: Iterable<Origin>, applied: VersionVector): VersionVector | undefined {
    let all: VersionVector | undefined
    for (const origin of origins) {
      const seal = this.#seals.get(origin)
      if (seal !== undefined && applied.get(origin) >= seal.end) continue
      const cut = this.#cuts.get(origin)
      if (cut === undefined) return undefined
      all = all === undefined ? cut : all.meet(cut)
    }
    return all
  }

  /**
   * All that was ever announced, by whatever region; undefined when nothing was. What others may have let go already
   * lies below it, also when they did so without this region, which was suspended or had not joined yet.
   */
  get announcedByAny(): VersionVector | undefined {
    return this.#announced
  }

  /** The stable cut that an origin has announced; undefined when it has not. */
  announcedCut(origin: Origin): VersionVector | undefined {
    return this.#cuts.get(origin)
  }

  #change(effect: RegionEffect, { origin, seq }: Stamp): void {
    const { regionId, name, url, status, epoch } = effect
    const changed: RegionRecord = { regionId, name, url, status, epoch, by: [{ origin, seq }] }
    const known = this.regions.get(regionId)
    this.regions.set(regionId, known === undefined ? changed : later(known, changed))
  }

  #changeMode({ regionId, mode, epoch }: ModeEffect): void {
    const known = this.#modes.get(regionId)
    if (known !== undefined) {
      const order = epoch - known.epoch || REGION_MODES.indexOf(mode) - REGION_MODES.indexOf(known.mode)
      if (order <= 0) return
    }
    this.#modes.set(regionId, { mode, epoch })
  }

  #fence({ origin }: FenceEffect, by: Stamp, applied: VersionVector): void {
    if (this.#seals.has(origin) || this.#fences.has(origin)) return
    // An origin that fences itself ends with the very op that says so, which is not applied yet.
    const limit = origin === by.origin ? by.seq : applied.get(origin)
    this.#fences.set(origin, { limit, by: { origin: by.origin, seq: by.seq } })
  }

  #seal({ origin, end }: SealEffect, { origin: byOrigin, seq }: Stamp): void {
    const known = this.#seals.get(origin)
    this.#fences.delete(origin)
    // Two that sealed at once asked different members; the lower end is what all of them hold.
    if (known !== undefined && known.end <= end) return
    this.#seals.set(origin, { end, by: { origin: byOrigin, seq } })
  }

  /** The last op of that origin that may be applied here. */
  limitOf(origin: Origin): number {
    // Nearly always there is nothing to look up.
    if (this.#seals.size === 0 && this.#fences.size === 0) return Number.POSITIVE_INFINITY
    const end = this.#seals.get(origin)?.end
    if (end !== undefined || this.takesFenced) return end ?? Number.POSITIVE_INFINITY
    return this.#fences.get(origin)?.limit ?? Number.POSITIVE_INFINITY
  }

  /**
   * A member holds a fenced origin up to there, so the seal does not lie before it. Others may take that
   * much: what that member minted since may depend on it.
   */
  raise(origin: Origin, seq: number): void {
    const fence = this.#fences.get(origin)
    if (fence !== undefined && seq > fence.limit) this.#fences.set(origin, { limit: seq, by: fence.by })
  }

  sealOf(origin: Origin): Seal | undefined {
    return this.#seals.get(origin)
  }

  /** Every origin of that region among `known` is sealed, and applied to its end: no op of it is to come. */
  haveEnded(regionId: number, known: VersionVector, applied: VersionVector): boolean {
    for (const [origin] of known.entries()) {
      if (origin.region !== regionId) continue
      const seal = this.#seals.get(origin)
      if (seal === undefined || applied.get(origin) < seal.end) return false
    }
    return true
  }

  /** Origins fenced and not yet sealed. */
  get fences(): ReadonlyMap<Origin, Fence> {
    return this.#fences
  }

  get seals(): ReadonlyMap<Origin, Seal> {
    return this.#seals
  }

  /**
   * An op that was `(origin, seq)` is about to be applied under its new dot.
   * @returns false when it was before, and must not be again
   */
  remint({ origin, seq }: OpName): boolean {
    if (seq <= this.remintedTo(origin)) return false
    this.#reminted.set(origin, seq)
    return true
  }

  /** The last op of that origin that was minted again; 0 for none. */
  remintedTo(origin: Origin): number {
    return this.#reminted.get(origin) ?? 0
  }

  statusOf(regionId: number): RegionStatus {
    return this.regions.get(regionId)?.status ?? 'member'
  }

  epochOf(regionId: number): number {
    return this.regions.get(regionId)?.epoch ?? 0
  }

  modeOf(regionId: number): RegionMode {
    return this.#modes.get(regionId)?.mode ?? 'active'
  }

  modeEpochOf(regionId: number): number {
    return this.#modes.get(regionId)?.epoch ?? 0
  }

  /**
   * Whether an origin that was never seen may begin here. A region that joined, or came back, mints only
   * once it has seen that it did; what it minted in the dark is not taken under its old dots. Of a region
   * that is gone, only what a member took while it was there can still come, and that counts.
   * @param deps  those of the origin's first op
   */
  admits(origin: Origin, deps: VersionVector): boolean {
    const record = this.regions.get(origin.region)
    if (record === undefined || record.status !== 'member') return true
    // A sealed one is known to somebody up to its end.
    return this.#seals.has(origin) || knowsOf(record, deps)
  }

  /**
   * Takes over all that another one holds: a snapshot was adopted.
   * @param applied  of this node now: a fence of the node that made the snapshot may stand lower
   */
  become(other: Membership, applied: VersionVector): void {
    this.regions.clear()
    this.#fences.clear()
    this.#seals.clear()
    this.#reminted.clear()
    this.#cuts.clear()
    this.#announced = other.#announced
    this.#modes.clear()
    for (const [id, record] of other.regions) this.regions.set(id, record)
    for (const [origin, { limit, by }] of other.#fences)
      this.#fences.set(origin, { limit: Math.max(limit, applied.get(origin)), by })
    for (const [origin, seal] of other.#seals) this.#seals.set(origin, seal)
    for (const [origin, seq] of other.#reminted) this.#reminted.set(origin, seq)
    for (const [origin, cut] of other.#cuts) this.#cuts.set(origin, cut)
    for (const [id, record] of other.#modes) this.#modes.set(id, record)
    this.onChange?.()
  }

  encode(out: ByteWriter): void {
    out.varint(this.regions.size)
    for (const { regionId, name, url, status, epoch, by } of this.regions.values()) {
      out.varint(regionId)
      out.word(name)
      out.word(url)
      out.byte(REGION_STATUSES.indexOf(status))
      out.varint(epoch)
      out.varint(by.length)
      for (const op of by) encodeName(op, out)
    }
    out.varint(this.#fences.size)
    for (const [origin, { limit, by }] of this.#fences) {
      out.word(origin.id)
      out.varint(limit)
      encodeName(by, out)
    }
    out.varint(this.#seals.size)
    for (const [origin, { end, by }] of this.#seals) {
      out.word(origin.id)
      out.varint(end)
      encodeName(by, out)
    }
    out.varint(this.#reminted.size)
    for (const [origin, seq] of this.#reminted) {
      out.word(origin.id)
      out.varint(seq)
    }
    out.varint(this.#cuts.size)
    for (const [origin, cut] of this.#cuts) {
      out.word(origin.id)
      const ends = [...cut.entries()]
      out.varint(ends.length)
      for (const [of, seq] of ends) encodeName({ origin: of, seq }, out)
    }
    out.varint(this.#modes.size)
    for (const [regionId, { mode, epoch }] of this.#modes) {
      out.varint(regionId)
      out.byte(REGION_MODES.indexOf(mode))
      out.varint(epoch)
    }
  }

  /** @throws DecodeError */
  static decode(from: ByteReader, origins: OriginTable): Membership {
    const made = new Membership()
    for (let left = from.varint(); left > 0; left--) {
      const regionId = from.varint()
      const name = from.word()
      const url = from.word()
      const status = REGION_STATUSES[from.byte()]
      if (status === undefined) throw new DecodeError('an unknown status of a region')
      const epoch = from.varint()
      const by: OpName[] = []
      for (let ops = from.varint(); ops > 0; ops--) by.push(decodeName(from, origins))
      made.regions.set(regionId, { regionId, name, url, status, epoch, by })
    }
    for (let left = from.varint(); left > 0; left--) {
      const origin = decodeOrigin(from, origins)
      made.#fences.set(origin, { limit: from.varint(), by: decodeName(from, origins) })
    }
    for (let left = from.varint(); left > 0; left--) {
      const origin = decodeOrigin(from, origins)
      made.#seals.set(origin, { end: from.varint(), by: decodeName(from, origins) })
    }
    for (let left = from.varint(); left > 0; left--)
      made.#reminted.set(decodeOrigin(from, origins), from.varint())
    for (let left = from.varint(); left > 0; left--) {
      const origin = decodeOrigin(from, origins)
      const ends: [Origin, number][] = []
      for (let count = from.varint(); count > 0; count--) {
        const { origin: of, seq } = decodeName(from, origins)
        ends.push([of, seq])
      }
      made.#announce({ ends }, origin, origins)
    }
    // It ends here when it was written before regions had modes.
    for (let left = from.more ? from.varint() : 0; left > 0; left--) {
      const regionId = from.varint()
      const mode = REGION_MODES[from.byte()]
      if (mode === undefined) throw new DecodeError('an unknown mode of a region')
      made.#modes.set(regionId, { mode, epoch: from.varint() })
    }
    return made
  }
}

/** Which of two changes of a region holds; what several said at once is one change. */
function later(a: RegionRecord, b: RegionRecord): RegionRecord {
  const order = a.epoch - b.epoch || REGION_STATUSES.indexOf(a.status) - REGION_STATUSES.indexOf(b.status)
  if (order !== 0) return order > 0 ? a : b
  const { name, url } = `${a.name} ${a.url}` <= `${b.name} ${b.url}` ? a : b
  const by = [...a.by, ...b.by].sort((x, y) =>
    x.origin === y.origin ? x.seq - y.seq : x.origin.id < y.origin.id ? -1 : 1,
  )
  return { ...a, name, url, by }
}

function encodeName({ origin, seq }: OpName, out: ByteWriter): void {
  out.word(origin.id)
  out.varint(seq)
}

function decodeName(from: ByteReader, origins: OriginTable): OpName {
  return { origin: decodeOrigin(from, origins), seq: from.varint() }
}

function decodeOrigin(from: ByteReader, origins: OriginTable): Origin {
  const id = from.word()
  try {
    return origins.intern(id)
  } catch {
    throw new DecodeError(`not an origin id: '${id}'`)
  }
}
