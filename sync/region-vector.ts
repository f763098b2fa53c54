/**
 * region-vector.ts: the part of a vector that belongs to one region.
 *
 * A region has one origin per incarnation of its node, so its part has several entries.
 */
import type { VersionVector } from '../crdt/version-vector.ts'

/** How many ops of the region the vector names. */
export function opsOfRegion(vector: VersionVector, region: number): number {
  let count = 0
  for (const [origin, seq] of vector.entries()) if (origin.region === region) count += seq
  return count
}

/** Every entry of `other` that belongs to the region is reached by `vector`. */
export function coversRegion(vector: VersionVector, other: VersionVector, region: number): boolean {
  for (const [origin, seq] of other.entries()) {
    if (origin.region === region && vector.get(origin) < seq) return false
  }
  return true
}

/** How many ops of the region `other` has beyond `vector`. */
export function opsBeyond(vector: VersionVector, other: VersionVector, region: number): number {
  let count = 0
  for (const [origin, seq] of other.entries()) {
    if (origin.region === region) count += Math.max(0, seq - vector.get(origin))
  }
  return count
}
