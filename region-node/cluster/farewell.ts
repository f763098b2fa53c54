/**
 * farewell.ts: what is said for a node whose process has died, by whoever saw it die.
 *
 * A guard that outlives the process knows at once what the others would have to wait a lease for. To revoke the
 * lease would not be enough: those in sync would still keep the promise that they gave the primary, because a
 * lease that is gone does not say that its holder has stopped. So the guard first ends the primary's term in its
 * name. It must not do so before the process is gone.
 */
import type { Coordinator, Lease } from '../coordinator/port.ts'
import { Directory } from './directory.ts'
import type { Keys } from './documents.ts'
import { latestOf } from './election.ts'
import { resignation } from './resignation.ts'

/** Changes by others that may come between reading and ending, one after another. */
const TRIES_MAX = 5

/**
 * @param lease  the one that the process held last: a later process of the node is left alone
 * @param told  whether all is said; if not, it may be tried again, or the lease runs out by itself
 */
export function sayFarewell(
  coordinator: Coordinator,
  keys: Keys,
  partition: number,
  lease: Lease,
  told: (isSaid: boolean) => void,
): void {
  const revoke = (): void => coordinator.revoke(lease, ({ ok }) => told(ok))
  const attempt = (triesLeft: number): void =>
    coordinator.read(keys.prefix, (reading) => {
      if (!reading.ok) {
        told(false)
        return
      }
      const directory = new Directory(keys)
      directory.replace(reading.result)
      const stored = directory.of(partition)
      if (stored.leader.document?.leaseId !== lease.id) {
        revoke()
        return
      }
      const nodes = [...directory.nodes.values()].filter((node) => node.partition === partition)
      const { conditions, changes } = resignation(keys, partition, stored, latestOf(nodes))
      coordinator.commit(conditions, changes, (answer) => {
        if (answer.ok && answer.result.isCommitted) revoke()
        else if (answer.ok && triesLeft > 0) attempt(triesLeft - 1)
        else told(false)
      })
    })
  attempt(TRIES_MAX)
}
