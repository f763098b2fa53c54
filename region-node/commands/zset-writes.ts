/**
 * zset-writes.ts: what commands may do to sorted sets: a part of `Writes`.
 */

/** Changes to sorted sets. Each call is one effect (preceded by a removal when the key is due). */
export interface ZsetWrites {
  /**
   * Writes scores, not NaN. Members that are there already are to be included, whatever their score: an add is
   * an add (semantics.md, Sorted set).
   * @param members  no one twice
   * @param scores  one for each member
   */
  add(key: string, members: readonly string[], scores: readonly number[], db?: number): void
  /** Adds to a member's score. The caller has checked that it does not become NaN. */
  increment(key: string, member: string, delta: number): void
  /** Members that exist. */
  remove(key: string, members: readonly string[]): void
}
