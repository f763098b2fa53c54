/**
 * failsafe.ts: how long a primary may go on that the coordinator does not answer.
 *
 * Whoever hears its primary promises not to run for as long as a lease lasts. Only those in sync can be promoted as
 * they are, so while each of them has promised, nobody can take over, whatever has become of the lease; and if
 * there is nobody else, nobody can either. What counts is when the sign of life was sent that was answered: it was
 * heard later than that, and the promise lasts from then on.
 * Source: Patroni, `docs/dcs_failsafe_mode.rst`.
 */
import type { LeaseClock } from './lease-clock.ts'
import type { ReplicaState } from './member.ts'
import type { DetectionProfile } from './profiles.ts'

/**
 * @param rivals  all that may take over, whatever became of changes that were never answered
 * @returns lease time; -Infinity when one of them has promised nothing, Infinity when there is none
 */
export function failsafeDeadlineMs(
  rivals: Iterable<string>,
  replicas: readonly ReplicaState[],
  clock: LeaseClock,
  profile: DetectionProfile,
): number {
  let deadlineMs = Number.POSITIVE_INFINITY
  for (const rival of rivals) {
    const confirmedMs = replicas.find(({ nodeId }) => nodeId === rival)?.confirmedMs
    const promisedMs = confirmedMs === undefined ? Number.NEGATIVE_INFINITY : clock.atMs(confirmedMs)
    deadlineMs = Math.min(deadlineMs, promisedMs + profile.ttlMs - profile.marginMs)
  }
  return deadlineMs
}
