/**
 * zset-writes.ts: what commands may do to sorted sets: each call is one effect of the open op.
 */
import { TAG } from '../../../crdt/effects/effect.ts'
import { zsetOf } from '../../../crdt/effects/zset-effects.ts'
import type { KeyEntry } from '../../../crdt/key.ts'
import { NOTHING_SEEN, type SeenCounter } from '../../../crdt/state.ts'
import { collectSeenScore, prepareScoreIncrement } from '../../../crdt/zset-score.ts'
import type { ZsetWrites } from '../../commands/zset-writes.ts'
import type { Minter } from '../minter.ts'

export class MintedZsetWrites implements ZsetWrites {
  readonly #mint: Minter

  constructor(mint: Minter) {
    this.#mint = mint
  }

  add(key: string, members: readonly string[], scores: readonly number[], db = this.#mint.db): void {
    const entry = this.#mint.live(db, key)
    this.#mint.emit({
      tag: TAG.ZSET_ADD,
      db,
      key,
      members,
      scores: scores.map(positiveZero),
      creates: entry === undefined,
      seen: seenOf(entry, members),
    })
  }

  increment(key: string, member: string, delta: number): void {
    const { db, origin, seq } = this.#mint
    const entry = this.#mint.live(db, key)
    const score = entry === undefined ? undefined : zsetOf(entry)?.scores.get(member)
    const increment = prepareScoreIncrement(score, positiveZero(delta), origin, seq)
    this.#mint.emit({
      tag: TAG.ZSET_INCREMENT,
      db,
      key,
      member,
      creates: entry === undefined,
      ...increment,
    })
  }

  remove(key: string, members: readonly string[]): void {
    const { db } = this.#mint
    const entry = this.#mint.live(db, key)
    if (entry === undefined || zsetOf(entry) === undefined) return
    this.#mint.emit({ tag: TAG.ZSET_REMOVE, db, key, members, seen: seenOf(entry, members) })
    this.#mint.noteEmptied(db, key)
  }
}

/** -0 is no score: it would be equal to 0 and print as something else. */
function positiveZero(value: number): number {
  return value + 0
}

function seenOf(entry: KeyEntry | undefined, members: readonly string[]): readonly SeenCounter[] {
  const scores = entry === undefined ? undefined : zsetOf(entry)?.scores
  if (scores === undefined) return NOTHING_SEEN
  const seen: SeenCounter[] = []
  for (const member of members) {
    const score = scores.get(member)
    if (score !== undefined) collectSeenScore(member, score, seen)
  }
  return seen
}
