/**
 * zset-replies.ts: members and scores in a reply.
 *
 * RESP2 has them side by side in one array; RESP3 has pairs, and scores are doubles there.
 */

import type { ZsetState } from '../../crdt/zset-aw.ts'
import type { Scored } from '../../crdt/zset-order.ts'
import type { ReplyWriter } from '../resp/reply.ts'
import type { RankRange } from './zset-bounds.ts'

const NOBODY: Scored = { members: [], scores: [] }

/** The members of a range, from its end to its beginning if `isReverse`. */
export function membersIn(zset: ZsetState, { from, to }: RankRange, isReverse = false): Scored {
  if (to <= from) return NOBODY
  const found = zset.order.slice(from, to - from)
  if (isReverse) {
    found.members.reverse()
    found.scores.reverse()
  }
  return found
}

export function writeMembers(out: ReplyWriter, { members, scores }: Scored, withScores: boolean): void {
  if (withScores) writeScored(out, { members, scores }, out.protocol === 3)
  else out.words(members)
}

/** @param isNested  an array for each member */
export function writeScored(out: ReplyWriter, { members, scores }: Scored, isNested: boolean): void {
  out.array(isNested ? members.length : 2 * members.length)
  for (let i = 0; i < members.length; i++) {
    if (isNested) out.array(2)
    out.bulk(members[i]!)
    out.double(scores[i]!)
  }
}

export function writeScoreOrNil(out: ReplyWriter, score: number | undefined): void {
  if (score === undefined) out.nil()
  else out.double(score)
}
