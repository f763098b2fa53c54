/**
 * plain-node.ts: what a node is like that was configured with nothing: everybody may do everything, and no key is
 * evicted.
 */
import { createHash } from 'node:crypto'
import { AccessControl } from '../../region-node/acl/access-control.ts'
import { catalogOf } from '../../region-node/commands/access.ts'
import { commandTable } from '../../region-node/commands/families.ts'
import type { EvictionSettings } from '../../region-node/engine/eviction.ts'

export const NO_EVICTION: EvictionSettings = {
  policy: () => 'noeviction',
  samples: () => 5,
  useCount: { logFactor: 10, decayMinutes: 1 },
}

/** @param nowMs  for ACL LOG */
export function openAccess(nowMs: () => number = () => 0): AccessControl {
  return new AccessControl({
    catalog: catalogOf(commandTable),
    hash: (word) => createHash('sha256').update(word, 'latin1').digest('hex'),
    allChannelsAtFirst: () => false,
    nowMs,
    logLengthMax: () => 128,
    changed: () => {},
  })
}
