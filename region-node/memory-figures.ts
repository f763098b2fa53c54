/**
 * memory-figures.ts: where the memory of a node is: for INFO memory and MEMORY STATS.
 *
 * Used is what lies in V8's heap and beside it, garbage included, but for room that is kept free for keys. So it
 * falls a while after keys were deleted: when the heap has been collected. Resident is what the system counts.
 */
import { LIBRARY_DB } from '../crdt/effects/key-effects.ts'
import type { MemoryFigures } from './commands/services.ts'
import type { NodeCore } from './core.ts'
import type { ProcessFacts } from './process-facts.ts'

export function memoryFigures(core: NodeCore, facts: ProcessFacts, clientBytes: number): MemoryFigures {
  const { rss, rssPeak, heapUsed, buffers, heapLimit } = facts
  const free = core.engine.keyspace.freeBytes
  const used = heapUsed + buffers - free
  const logTail = core.log.tailBytes
  const waitingOps = core.mesh.waiting.bytes
  const overhead = Math.min(used, core.startBytes + logTail + waitingOps + clientBytes)
  let keys = 0
  for (const { index, size } of core.engine.keyspace.databases()) if (index !== LIBRARY_DB) keys += size
  return {
    used,
    resident: rss,
    residentPeak: rssPeak,
    heap: heapUsed,
    heapLimit,
    buffers,
    free,
    logTail,
    waitingOps,
    clients: clientBytes,
    overhead,
    dataset: used - overhead,
    keys,
    fragmentation: used === 0 ? 1 : rss / used,
  }
}
