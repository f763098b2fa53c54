/**
 * tail-rules.ts: what the rule of one type for late tails asks of `reminter.ts`.
 */
import type { Dot, OpPoint } from '../../../crdt/dot.ts'
import type { OnKey } from '../../../crdt/effects/effect.ts'
import type { KeyEntry } from '../../../crdt/key.ts'
import type { Origin } from '../../../crdt/origin.ts'
import type { ScoreEntry } from '../../../crdt/zset-score.ts'
import type { Writes } from '../../commands/command.ts'

export interface TailRules {
  /** Where the old op stood: its stamp, and what it had seen. */
  readonly old: OpPoint
  /** Under which it is minted again. */
  readonly origin: Origin
  /** The old op's origin had seen that write then, or it is an older one of its own, minted again. */
  hadSeen(dot: Dot): boolean
  entry(on: OnKey): KeyEntry | undefined
  /** Before a write that does not speak of deadlines. @param created  the old write created the key */
  begin(on: OnKey, created: boolean): void
  /** Begins the op with the first write that is left of it. */
  write(on: OnKey): Writes
  /** Counts a write that is left out, because a later one stands. */
  overwritten(): void
  /** A value or member that is written over, unseen by the old op. */
  keep(on: OnKey, dot: Dot): void
  /** Increments of the members of a sorted set that were written over, unseen by the old ops. */
  keptScores(on: OnKey): Map<string, ScoreEntry[]>
}
