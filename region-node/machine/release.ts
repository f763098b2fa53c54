/**
 * release.ts: whether the copy of a machine may be deleted for good.
 *
 * A release says that in that term others had all that the copy had (`placement/documents.ts`). A machine asks for two
 * things more.
 *
 * The term has to be the latest that anybody knows of. A coordinator that was put back from a backup says again what
 * was so once, and leases of then bring back for some seconds who was registered under them. So a machine that has just
 * begun to listen, or was put off, first listens for a while: by then the nodes have said what they know, and
 * have agreed anew where they had to.
 *
 * And the partition has to be well without the copy as things are now, when others may have died since: somebody else is
 * primary, and every machine that is to have a copy has one that is in sync. Until then one copy more is no harm.
 *
 * To be named by no placement is no reason at all: nobody may know what such a copy holds. It goes on if it runs, stays
 * if it does not, and the controller takes it back.
 */
import { isOlder } from '../cluster/documents.ts'
import { latestOf } from '../cluster/election.ts'
import { isReleased, type PlacementDocument } from '../placement/documents.ts'
import type { Outlook } from './outlook.ts'

/** How many leases long a machine listens first. */
const LISTENED_LEASES = 3

/**
 * @param nodeId  of a copy that the placement does not name; '' for unknown
 * @param leaseMs  how long a lease lasts
 */
export function mayDiscard(
  outlook: Outlook,
  partition: number,
  placement: PlacementDocument,
  nodeId: string,
  leaseMs: number,
): boolean {
  const { directory, unbrokenMs } = outlook
  const { document: state } = directory.of(partition).state
  if (unbrokenMs < LISTENED_LEASES * leaseMs || nodeId === '' || state === undefined) return false
  const known = [...directory.known.values()].filter((node) => node.partition === partition)
  const isLatest = !isOlder(state, latestOf(known))
  return (
    isLatest &&
    isReleased(placement, nodeId, state.term) &&
    isWellWithout(outlook, partition, placement, nodeId)
  )
}

function isWellWithout(
  outlook: Outlook,
  partition: number,
  { machines }: PlacementDocument,
  nodeId: string,
): boolean {
  const { placing, directory } = outlook
  const { document: state } = directory.of(partition).state
  const { document: leader } = directory.of(partition).leader
  if (state === undefined || leader?.term !== state.term || leader.nodeId === nodeId || state.hasEnded)
    return false
  return machines.every((name) => {
    const machine = placing.known.get(name)
    const node = machine === undefined ? undefined : outlook.nodeOf(machine, partition)
    return node !== undefined && state.inSync.includes(node.nodeId)
  })
}
