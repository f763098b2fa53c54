/**
 * horizon-effects.ts: what changes the horizon: regions that come and go, origins that end, and ops that
 * are minted again behind their origin's end. They touch no key. `membership.ts` says what they mean.
 *
 * - `region` changes the status of a region.
 * - `fence` asks every member to take no new op of an origin.
 * - `seal` ends an origin at a seq.
 * - `was` says that the rest of its op is what is left of an older one, `(origin, seq)`, under a new dot and
 *   with its old stamp, and that no op of that origin up to it is to be minted again. What it had seen then is
 *   settled where it is minted (`region-node/engine/reminter.ts`); its deps are those of its batch.
 * - `cut` announces the stable cut as its region knows it: from then on the region names no marker of a list as
 *   a parent whose removal the cut covers. When all have announced it the marker may go (`list-fugue.ts`).
 * - `mode` makes a region active or passive.
 */
import { DecodeError } from '../codec/bytes.ts'
import type { Hlc } from '../hlc.ts'
import { type Origin, REGION_ID_MAX } from '../origin.ts'
import { type EffectReader, type EffectWriter, TAG } from './effect.ts'

/** In order of force: of two changes with one epoch the later in this list holds. */
export const REGION_STATUSES = ['member', 'suspended', 'left'] as const
export type RegionStatus = (typeof REGION_STATUSES)[number]

/** Whether clients of a region may write. In order of force, likewise. */
export const REGION_MODES = ['active', 'passive'] as const
export type RegionMode = (typeof REGION_MODES)[number]

export interface RegionEffect {
  readonly tag: typeof TAG.REGION
  readonly regionId: number
  readonly name: string
  readonly url: string
  readonly status: RegionStatus
  readonly epoch: number
}

export interface FenceEffect {
  readonly tag: typeof TAG.FENCE
  readonly origin: Origin
}

export interface SealEffect {
  readonly tag: typeof TAG.SEAL
  readonly origin: Origin
  readonly end: number
}

export interface WasEffect {
  readonly tag: typeof TAG.WAS
  readonly origin: Origin
  readonly seq: number
  readonly hlc: Hlc
}

export interface CutEffect {
  readonly tag: typeof TAG.CUT
  /** By origin, the last op that it covers. */
  readonly ends: readonly (readonly [Origin, number])[]
}

export interface ModeEffect {
  readonly tag: typeof TAG.MODE
  readonly regionId: number
  readonly mode: RegionMode
  /** Counts the changes of this region's mode. */
  readonly epoch: number
}

/** Those that change the membership, or what it has announced. */
export type HorizonEffect = RegionEffect | FenceEffect | SealEffect | CutEffect | ModeEffect

export function encodeRegion({ regionId, name, url, status, epoch }: RegionEffect, out: EffectWriter): void {
  out.varint(regionId)
  out.word(name)
  out.word(url)
  out.byte(REGION_STATUSES.indexOf(status))
  out.varint(epoch)
}

export function decodeRegion(from: EffectReader): RegionEffect {
  const regionId = decodeRegionId(from)
  const name = from.word()
  const url = from.word()
  const status = REGION_STATUSES[from.byte()]
  if (status === undefined) throw new DecodeError('an unknown status of a region')
  return { tag: TAG.REGION, regionId, name, url, status, epoch: from.varint() }
}

function decodeRegionId(from: EffectReader): number {
  const regionId = from.varint()
  if (regionId < 1 || regionId > REGION_ID_MAX) throw new DecodeError(`a region id out of range: ${regionId}`)
  return regionId
}

export function encodeFence({ origin }: FenceEffect, out: EffectWriter): void {
  out.origin(origin)
}

export function decodeFence(from: EffectReader): FenceEffect {
  return { tag: TAG.FENCE, origin: from.origin() }
}

export function encodeSeal({ origin, end }: SealEffect, out: EffectWriter): void {
  out.origin(origin)
  out.varint(end)
}

export function decodeSeal(from: EffectReader): SealEffect {
  return { tag: TAG.SEAL, origin: from.origin(), end: from.varint() }
}

export function encodeWas({ origin, seq, hlc }: WasEffect, out: EffectWriter): void {
  out.origin(origin)
  out.varint(seq)
  out.varint(hlc)
}

export function decodeWas(from: EffectReader): WasEffect {
  return { tag: TAG.WAS, origin: from.origin(), seq: from.varint(), hlc: from.varint() }
}

export function encodeCut({ ends }: CutEffect, out: EffectWriter): void {
  out.varint(ends.length)
  for (const [origin, seq] of ends) {
    out.origin(origin)
    out.varint(seq)
  }
}

export function decodeCut(from: EffectReader): CutEffect {
  const ends: [Origin, number][] = []
  for (let left = from.varint(); left > 0; left--) ends.push([from.origin(), from.varint()])
  return { tag: TAG.CUT, ends }
}

export function encodeMode({ regionId, mode, epoch }: ModeEffect, out: EffectWriter): void {
  out.varint(regionId)
  out.byte(REGION_MODES.indexOf(mode))
  out.varint(epoch)
}

export function decodeMode(from: EffectReader): ModeEffect {
  const regionId = decodeRegionId(from)
  const mode = REGION_MODES[from.byte()]
  if (mode === undefined) throw new DecodeError('an unknown mode of a region')
  return { tag: TAG.MODE, regionId, mode, epoch: from.varint() }
}
