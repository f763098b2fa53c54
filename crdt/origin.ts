/**
 * origin.ts: the writers that mint dots.
 *
 * An origin is a region plus an incarnation of 48 random bits; a node takes a new one whenever it cannot
 * be sure that it holds every dot it ever minted, so no dot is used twice (design.md, point 5). State
 * refers to an origin by its one object per node, which carries a small index for vectors: a dot costs
 * a pointer, and a lookup in `deps` an array read.
 *
 * Invariants: (1) one Origin object per id and table. (2) `index` is dense, given in order of arrival,
 * and means nothing outside its node: it is never written to disk or wire.
 */
import { assert } from './assert.ts'

export interface Origin {
  /** `<region>-<12 hex digits>`, for example `1-9f3c2a71b04e`. */
  readonly id: string
  readonly region: number
  /** The incarnation as two numbers of 24 bits, which is how it travels. */
  readonly high: number
  readonly low: number
  readonly index: number
}

export const REGION_ID_MAX = 1023
const INCARNATION_BYTES = 6
const FORM = /^([1-9][0-9]{0,3})-([0-9a-f]{12})$/

/** Names an origin. `random` holds 6 random bytes. */
export function originId(region: number, random: Uint8Array): string {
  assert(random.length === INCARNATION_BYTES, 'an incarnation has 6 bytes')
  let hex = ''
  for (const byte of random) hex += byte.toString(16).padStart(2, '0')
  return `${region}-${hex}`
}

export class OriginTable {
  readonly #byId = new Map<string, Origin>()
  /** By the low part of the incarnation, which is random; more than one is rare. */
  readonly #byLow = new Map<number, Origin[]>()
  readonly #list: Origin[] = []

  /** The origin of that id. @throws RangeError when the text is not an origin id. */
  intern(id: string): Origin {
    const known = this.#byId.get(id)
    if (known !== undefined) return known
    const region = Number(FORM.exec(id)?.[1] ?? 0)
    if (region < 1 || region > REGION_ID_MAX) throw new RangeError(`not an origin id: '${id}'`)
    const hex = id.length - 2 * INCARNATION_BYTES
    const high = Number.parseInt(id.slice(hex, hex + INCARNATION_BYTES), 16)
    const low = Number.parseInt(id.slice(hex + INCARNATION_BYTES), 16)
    const origin: Origin = { id, region, high, low, index: this.#list.length }
    this.#byId.set(id, origin)
    this.#byLow.set(low, [...(this.#byLow.get(low) ?? []), origin])
    this.#list.push(origin)
    return origin
  }

  /** The origin of that region and incarnation. @throws RangeError when the region id is out of range */
  internParts(region: number, high: number, low: number): Origin {
    for (const origin of this.#byLow.get(low) ?? []) {
      if (origin.region === region && origin.high === high) return origin
    }
    const incarnation = high.toString(16).padStart(6, '0') + low.toString(16).padStart(6, '0')
    return this.intern(`${region}-${incarnation}`)
  }

  get size(): number {
    return this.#list.length
  }

  at(index: number): Origin {
    return this.#list[index]!
  }
}
