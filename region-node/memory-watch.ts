/**
 * memory-watch.ts: `maxmemory`: when clients may not use more memory, and when they may again.
 *
 * Used is what V8's heap holds and what lies beside it in array buffers, but for the room in the keyspace's
 * own arrays: deleting keys leaves some there, and new ones fill it. Two limits: `maxmemory`, or most of the
 * machine where it is not set; and always a share of V8's own limit of the heap, because V8 ends the process
 * there. What other regions send is applied in any case, so both leave a reserve.
 *
 * A reading counts garbage too, and a node that is written to makes more of that than of anything else. So
 * before clients are refused a collection is asked for: of the young generation, which is quick, and if that
 * is not enough of everything. Both stop the process, so each is given a small share of the time at most; a
 * limit that is passed before the next one is due counts as passed only beyond a margin. While clients are
 * refused it goes on, or freed memory might never be noticed in a node that does nothing else.
 *
 * Readings are taken when enough has happened: some time after the end of a turn, or at once when many
 * bytes went to the log. An idle node reads nothing.
 *
 * Invariants: (1) between two readings at most `LOOK_BYTES` and one turn went to the log, or `LOOK_MS` have
 * passed. (2) `changed` is called only with something new.
 */
import type { Env, MemoryReading, Timer } from './env.ts'

/** A reading costs under a microsecond, a timer a little more. */
export const LOOK_MS = 20
export const LOOK_BYTES = 1024 * 1024
/** While keys are evicted it is looked sooner: as much goes at once as was written. */
export const EVICTING_LOOK_BYTES = 64 * 1024
/**
 * Beyond this share of V8's limit it collects more and more often, and then ends the process. The same share of
 * the machine is what may be used without maxmemory: beyond all of it the system ends the process.
 */
export const HEAP_SHARE = 0.85
/** Rest between two collections of one kind: this long, and this many times what the last one took. */
export const COLLECT_REST_MS = { young: 20, all: 200 }
export const COLLECT_REST_FACTOR = 20
/** What may lie above a limit until a collection tells whether it is garbage: this many bytes, or this share. */
const MARGIN_BYTES = 64 * 1024 * 1024
export const MARGIN_SHARE = 0.1
/** Beyond a limit by this share of it, clients are refused although keys go: the machine's memory has an end too. */
const FAR_SHARE = 0.5

export interface MemoryWatchPorts {
  readonly env: Pick<Env, 'after' | 'monoMs' | 'memory' | 'collectGarbage'>
  /** `maxmemory`, bytes; 0 is no limit. */
  readonly maxBytes: () => number
  /** Bytes that do not count: free room in the keyspace's arrays, and what has a limit of its own. */
  readonly freeBytes: () => number
  /**
   * Evicts keys of about so many bytes, where the policy lets it.
   * @returns about how many bytes went
   */
  readonly evict: (bytes: number) => number
  /** Clients may not use more memory, or may again. `sentence` is for people. */
  readonly changed: (isShort: boolean, sentence: string) => void
}

export class MemoryWatch {
  readonly #ports: MemoryWatchPorts
  #isShort = false
  /** Where the log ended at the last turn, and at the last look. */
  #writtenTo = 0
  #lookedAt = 0
  /** The last look found too much used, and something to evict. */
  #isEvicting = false
  /** What should have gone at the last look and did not: a step evicts no more than a part of the keys. */
  #owedBytes = 0
  #timer: Timer | undefined = undefined
  readonly #nextCollectMs = { young: Number.NEGATIVE_INFINITY, all: Number.NEGATIVE_INFINITY }

  constructor(ports: MemoryWatchPorts) {
    this.#ports = ports
  }

  /** @param logPosition  bytes of the log so far, as a measure of what was written */
  turnEnded(logPosition: number): void {
    this.#writtenTo = logPosition
    const lookBytes = this.#isEvicting ? EVICTING_LOOK_BYTES : LOOK_BYTES
    if (logPosition - this.#lookedAt >= lookBytes) this.look()
    else this.#timer ??= this.#ports.env.after(LOOK_MS, () => this.look())
  }

  /** Takes a reading now: the turn was large, or `maxmemory` was changed. */
  look(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    const { env, maxBytes, freeBytes } = this.#ports
    const read = (): Excess | undefined => excess(env.memory(), maxBytes(), freeBytes)
    let over = read()
    let isCertain = false
    if (over !== undefined && this.#collect('young')) over = read()
    if (over !== undefined && this.#collect('all')) {
      over = read()
      isCertain = true
    }
    const written = this.#writtenTo - this.#lookedAt
    this.#lookedAt = this.#writtenTo
    this.#isEvicting = over !== undefined && this.#evict(over, isCertain, written)
    if (over !== undefined) this.#lookAgainLater()
    const isShort = over !== undefined && this.#mustRefuse(over, isCertain)
    if (isShort === this.#isShort) return
    this.#isShort = isShort
    this.#ports.changed(
      isShort,
      over?.sentence ?? 'memory is below its limits: commands that need more of it are let in again',
    )
  }

  /**
   * What is evicted is garbage first, and shows as free memory only after a collection. So a reading is believed
   * only right after one, and then some more room is made than is needed; in between as much goes as was
   * written since the last look. What a step leaves is owed at the next.
   * @returns false when there was nothing to evict
   */
  #evict(over: Excess, isCertain: boolean, written: number): boolean {
    const wanted = isCertain ? over.bytes + over.marginBytes / 2 : Math.max(1, written) + this.#owedBytes
    const freed = this.#ports.evict(wanted)
    this.#owedBytes = freed > 0 ? Math.max(0, wanted - freed) : 0
    return freed > 0
  }

  /**
   * While there is something to evict a write finds its room, as in Redis: keys go for it in the same turn. Only
   * far beyond the limit that is not enough; and V8's own limit of the heap is not one to come near.
   */
  #mustRefuse(over: Excess, isCertain: boolean): boolean {
    if (!this.#isEvicting || over.isHeap) return isCertain || this.#isShort || over.isClear
    return isCertain && over.isFar
  }

  /** What is freed by a client's DEL, or by peers, shows only in a reading that somebody takes. */
  #lookAgainLater(): void {
    const { env } = this.#ports
    const restMs = this.#owedBytes > 0 ? 0 : this.#nextCollectMs.all - env.monoMs()
    this.#timer = env.after(Math.max(LOOK_MS, restMs), () => this.look())
  }

  /** @returns whether it was due */
  #collect(generations: 'young' | 'all'): boolean {
    const { env } = this.#ports
    const startMs = env.monoMs()
    if (startMs < this.#nextCollectMs[generations]) return false
    env.collectGarbage(generations)
    const endMs = env.monoMs()
    const restMs = Math.max(COLLECT_REST_MS[generations], (endMs - startMs) * COLLECT_REST_FACTOR)
    this.#nextCollectMs[generations] = endMs + restMs
    return true
  }
}

interface Excess {
  /** It is V8's own limit of the heap, beyond which it ends the process. */
  readonly isHeap: boolean
  /** How far above the limit. */
  readonly bytes: number
  /** What may be garbage. */
  readonly marginBytes: number
  /** Beyond the margin: not to be explained by garbage. */
  readonly isClear: boolean
  /** Beyond it by a large part of it. */
  readonly isFar: boolean
  /** Which limit is passed, for people. */
  readonly sentence: string
}

/** What lies above a limit; undefined when all is well. */
function excess(reading: MemoryReading, max: number, freeBytes: () => number): Excess | undefined {
  const { heapBytes, bufferBytes, heapBytesMax, machineBytes } = reading
  const limit = max > 0 ? max : machineBytes * HEAP_SHARE
  const total = heapBytes + bufferBytes
  // Counted only when it matters: it takes a look at every array.
  const used = total > limit ? total - freeBytes() : total
  if (used > limit) {
    const name = max > 0 ? 'maxmemory' : `${HEAP_SHARE * 100} % of the machine`
    return {
      isHeap: false,
      ...above(used, limit),
      sentence: `${megabytes(used)} MB are used, and ${name} is ${megabytes(limit)} MB: commands that need more are refused`,
    }
  }
  const share = heapBytesMax * HEAP_SHARE
  if (heapBytes <= share) return undefined
  return {
    isHeap: true,
    ...above(heapBytes, share),
    sentence:
      `${megabytes(heapBytes)} MB of the heap's ${megabytes(heapBytesMax)} MB are used: commands that need more ` +
      'are refused. Free memory, or start the node with a larger maxmemory.',
  }
}

function above(used: number, limit: number): Omit<Excess, 'isHeap' | 'sentence'> {
  const marginBytes = Math.min(MARGIN_BYTES, limit * MARGIN_SHARE)
  return {
    bytes: used - limit,
    marginBytes,
    isClear: used > limit + marginBytes,
    isFar: used > limit * (1 + FAR_SHARE),
  }
}

function megabytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(0)
}
