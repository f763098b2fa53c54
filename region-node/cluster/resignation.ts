/**
 * resignation.ts: how a primary ends: one change that deletes the leader and says in the state that it has ended.
 *
 * That the leader is gone says only that its lease is; the primary may still be answering, because those in sync
 * have promised it not to run. That it has ended says more: nobody answers under that term any more, so nobody is
 * bound by what was promised. It is said by the primary itself, which has stopped answering before it sends this,
 * or by one that knows that the process is dead (`farewell.ts`, and the next process of the same node).
 */
import type { Change, Condition } from '../coordinator/port.ts'
import type { PartitionDocuments } from './directory.ts'
import { encode, isOlder, type Keys, type StateVersion } from './documents.ts'

export interface Resignation {
  readonly conditions: readonly Condition[]
  readonly changes: readonly Change[]
}

/**
 * @param stored  the documents that the change is conditioned on
 * @param latest  the latest state that anybody knows of: when the stored one is older, nothing is said in it
 * @param successor  who is to claim first
 */
export function resignation(
  keys: Keys,
  partition: number,
  stored: PartitionDocuments,
  latest: StateVersion,
  successor?: string,
): Resignation {
  const leaderKey = keys.of('leader', partition)
  const stateKey = keys.of('state', partition)
  const { leader, state } = stored
  const changes: Change[] = [{ do: 'delete', key: leaderKey }]
  if (state.document !== undefined && !isOlder(state.document, latest)) {
    const ended = { ...state.document, edition: state.document.edition + 1, hasEnded: true }
    changes.push({ do: 'put', key: stateKey, value: encode(ended) })
    const { term } = ended
    if (successor !== undefined)
      changes.push({
        do: 'put',
        key: keys.of('handover', partition),
        value: encode({ to: successor, term }),
      })
  }
  return {
    conditions: [
      { key: leaderKey, revision: leader.revision },
      { key: stateKey, revision: state.revision },
    ],
    changes,
  }
}
