/**
 * vector.ts: which ops a simulated member holds: of each term the first so many.
 */
export type Vector = ReadonlyMap<number, number>

export function covers(one: Vector, other: Vector): boolean {
  for (const [term, count] of other) if ((one.get(term) ?? 0) < count) return false
  return true
}

export function join(one: Vector, other: Vector): Map<number, number> {
  const joined = new Map(one)
  for (const [term, count] of other) joined.set(term, Math.max(count, joined.get(term) ?? 0))
  return joined
}

export function meet(one: Vector, other: Vector): Map<number, number> {
  const met = new Map<number, number>()
  for (const [term, count] of one) {
    const both = Math.min(count, other.get(term) ?? 0)
    if (both > 0) met.set(term, both)
  }
  return met
}

export function countOf(vector: Vector): number {
  let sum = 0
  for (const count of vector.values()) sum += count
  return sum
}

/** How many of the one's ops the other one lacks. */
export function lackOf(one: Vector, other: Vector): number {
  return countOf(one) - countOf(meet(one, other))
}
