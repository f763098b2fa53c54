/**
 * memory-figures.ts: where the memory of a node is: for INFO memory and MEMORY STATS.
 *
 * Used is what lies in V8's heap and beside it, garbage included, but for room that is kept free for keys. So it
 * falls a while after keys were deleted: when the heap has been collected. Resident is what the system counts.
 */
import { LIBRARY_DB } from '../crdt/effects/key-effects.ts'
import type { NodeCore } from './core.ts'
import type { ProcessFacts } from './process-facts.ts'

export interface MemoryFigures {
  /** Bytes, all but the last three. */
  readonly used: number
  readonly resident: number
  /** The most that was resident since the start. */
  readonly residentPeak: number
  readonly heap: number
  readonly heapLimit: number
  readonly buffers: number
  /** Room in the arrays of the keyspace that new keys take first. */
  readonly free: number
  /** Recent log, kept for peers. */
  readonly logTail: number
  /** Received ops that wait for others. */
  readonly waitingOps: number
  /** What clients have sent and not been served, and replies that they have not read. */
  readonly clients: number
  /** Of what is used, what is none of the data. */
  readonly overhead: number
  readonly dataset: number
  readonly keys: number
  /** Resident by used. */
  readonly fragmentation: number
}

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
