/**
 * set-algebra.ts: intersection, union and difference of sets.
 *
 * A set that does not exist is undefined and counts as empty. Results are new arrays, in no order: a
 * *STORE command may write over one of the sets they were made from.
 */
import type { SetState } from '../../crdt/set-aw.ts'

export type MaybeSet = SetState | undefined

/** Members of all sets. @param limit  stop at this many; 0: never */
export function intersection(sets: readonly MaybeSet[], limit = 0): string[] {
  const found: string[] = []
  const others: SetState[] = []
  for (const set of sets) {
    if (set === undefined) return found
    others.push(set)
  }
  // From the smallest set on, so that most candidates fail early.
  others.sort((a, b) => a.size - b.size)
  const smallest = others.shift()!
  for (const member of smallest.members.keys()) {
    if (!isInAll(member, others)) continue
    found.push(member)
    if (found.length === limit) break
  }
  return found
}

function isInAll(member: string, sets: readonly SetState[]): boolean {
  for (const set of sets) if (!set.has(member)) return false
  return true
}

/** Members of any set. */
export function union(sets: readonly MaybeSet[]): string[] {
  const found = new Set<string>()
  for (const set of sets) if (set !== undefined) for (const member of set.members.keys()) found.add(member)
  return [...found]
}

/** Members of the first set that are in no other. */
export function difference([first, ...others]: readonly MaybeSet[]): string[] {
  if (first === undefined) return []
  const rest = others.filter((set) => set !== undefined)
  // The set that is most likely to hold a member is asked first.
  rest.sort((a, b) => b.size - a.size)
  const found: string[] = []
  for (const member of first.members.keys()) if (!isInAny(member, rest)) found.push(member)
  return found
}

function isInAny(member: string, sets: readonly SetState[]): boolean {
  for (const set of sets) if (set.has(member)) return true
  return false
}
