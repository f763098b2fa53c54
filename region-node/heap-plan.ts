/**
 * heap-plan.ts: how large V8 may make its heap: decided when the node starts, and fixed from then on.
 *
 * The old generation gets what `maxmemory` allows, as if all of it lay in the heap, and a reserve above it:
 * clients are refused at `maxmemory`, and ops of other regions must still find room. Without `maxmemory` it
 * gets most of the machine, or of the share of it that a container has.
 *
 * The young generation has two halves, the semi-spaces. V8's default of 16 MB is made for programs whose
 * objects die young; here most that survive a collection stay for good, so larger halves copy less. Beyond
 * 64 MB nothing is gained, and on a small machine they would take too much of it.
 *
 * V8 begins to collect the old generation when it has grown by so much, and counts to it what lies beside the
 * heap in array buffers, garbage among it. The keys lie there, so the heap itself is small (some 20 MB), and tables
 * that grow and buffers of network traffic use up at once what V8 grants a heap of that size. With a floor of one
 * semi-space the old generation was collected as a whole two to ten times a second under load, in steps of up to
 * 20 ms and with a sixth of the processor time; with four of them twice in a round of the benchmark, and SADD and INCR
 * at pipeline 16 took 15 % more. What lies there as garbage counts as used, though, and must not make up much of a
 * `maxmemory`.
 */
import { HEAP_SHARE } from './memory-watch.ts'

export interface HeapPlan {
  /** V8 may go above it by the young generation, three semi-spaces. */
  readonly oldBytes: number
  readonly semiSpaceBytes: number
  /** Below this the old generation is not collected, buffers counted that were made since it was last. */
  readonly oldBytesStart: number
}

const MB = 2 ** 20
/** For ops of other regions, replies and garbage, above `maxmemory`. */
const RESERVE_BYTES = 256 * MB
const MACHINE_SHARE = 0.75
const OLD_BYTES_MIN = 256 * MB
const SEMI_SPACE_BYTES_MIN = 16 * MB
const SEMI_SPACE_BYTES_MAX = 64 * MB
/** The young generation is at most about a tenth of the machine. */
const SEMI_SPACE_SHARE = 1 / 32
const START_SEMI_SPACES = 4
/** Of `maxmemory`; but a semi-space it is always. */
const START_SHARE = 1 / 16

/**
 * @param maxMemoryBytes  `maxmemory`; 0 when it is not limited
 * @param machineBytes  memory of the machine, or of the container
 */
export function planHeap(maxMemoryBytes: number, machineBytes: number): HeapPlan {
  const wanted =
    maxMemoryBytes > 0 ? (maxMemoryBytes + RESERVE_BYTES) / HEAP_SHARE : machineBytes * MACHINE_SHARE
  const semiSpace = Math.min(
    SEMI_SPACE_BYTES_MAX,
    Math.max(SEMI_SPACE_BYTES_MIN, machineBytes * SEMI_SPACE_SHARE),
  )
  // V8 rounds it up to a power of two: rounded down here, so that it stays the share it was meant to be.
  const semiSpaceBytes = 2 ** Math.floor(Math.log2(semiSpace))
  const startBytesMax = maxMemoryBytes > 0 ? maxMemoryBytes * START_SHARE : Number.POSITIVE_INFINITY
  return {
    oldBytes: Math.max(OLD_BYTES_MIN, Math.ceil(wanted)),
    semiSpaceBytes,
    oldBytesStart: Math.max(semiSpaceBytes, Math.min(START_SEMI_SPACES * semiSpaceBytes, startBytesMax)),
  }
}
