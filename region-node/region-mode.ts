/**
 * region-mode.ts: what follows for this node from the mode of its region.
 *
 * A passive region applies everything and serves reads; its clients may not write. The mode is no setting but
 * replicated (`crdt/membership.ts`): every node of the region goes by it, and so does whichever of them
 * becomes primary next.
 *
 * What a passive region mints all the same:
 *
 *   the horizon        yes: the others wait for its fences, seals and announced cuts as for any member's
 *   its late tail      yes: its clients were told that those writes count
 *   removals           no: keys that are due stay hidden, and the active regions remove them
 *   evictions          no: they would go in all regions for want of room in the one that nobody writes to
 */
import type { Engine } from './engine/engine.ts'
import { errors } from './errors.ts'

/** The membership may have changed. @param info  told when clients may write no more, or again */
export function heedMode(
  { membership, commands }: Engine,
  regionId: number,
  info: (sentence: string) => void,
): void {
  const { admission } = commands
  const isPassive = membership.modeOf(regionId) === 'passive'
  if (isPassive === admission.has('passive')) return
  if (isPassive) {
    admission.begin('passive')
    commands.endWritingWaits(errors.unblockedByRole)
    info('this region is passive: it applies what others write, serves reads and takes no writes of clients')
  } else {
    admission.end('passive')
    info('this region is active: it takes writes of clients')
  }
}
