/**
 * gc-trace.ts: when a node collected garbage, by V8's own trace events.
 *
 * Node writes them to a file, in full when it ends. Their clock is the monotonic one of the machine, the same as
 * monotonic-clock.ts reads, so what a client saw can be told from what a collection did to it. The category
 * holds little else, so tracing costs next to nothing. Incremental steps and the work on the node's own
 * thread are counted; what V8 collects on other threads beside it stops nobody and is not in it.
 */
import { readFileSync } from 'node:fs'

/** The part of a trace event that is read. Times are microseconds. */
interface TraceEvent {
  readonly name: string
  readonly tid: number
  readonly ts: number
  readonly dur?: number
  /** Processor time of the thread. */
  readonly tdur?: number
}

interface Pause {
  readonly startMs: number
  readonly endMs: number
  /** Less than the time from start to end where the thread waited for a core, or for V8's other threads. */
  readonly processorMs: number
}

/** Flags for Node under which it writes its trace to `file`. */
export function gcTraceFlags(file: string): string[] {
  return ['--trace-event-categories=v8', `--trace-event-file-pattern=${file}`]
}

export class GcTrace {
  /** In order of time, none overlaps another. */
  readonly #pauses: readonly Pause[]

  private constructor(pauses: readonly Pause[]) {
    this.#pauses = pauses
  }

  /** @param file  of a process that has ended @throws when there is none, or it holds no collection */
  static read(file: string): GcTrace {
    const { traceEvents } = JSON.parse(readFileSync(file, 'utf8')) as { traceEvents: TraceEvent[] }
    const ofThread = new Map<number, TraceEvent[]>()
    for (const event of traceEvents) {
      if (!event.name.startsWith('V8.GC') || event.dur === undefined) continue
      const events = ofThread.get(event.tid) ?? []
      ofThread.set(event.tid, events)
      events.push(event)
    }
    // The process has a thread that only waits, and the node's own, which collects far more.
    const [busiest] = [...ofThread.values()].sort((a, b) => b.length - a.length)
    if (busiest === undefined) throw new Error(`the trace ${file} holds no collection`)
    return new GcTrace(merged(busiest))
  }

  /** Processor time, in milliseconds, of the collections between two moments; of one that reaches beyond, its share. */
  processorMs(fromMs: number, toMs: number): number {
    let sum = 0
    for (let i = this.#firstEndingAfter(fromMs); i < this.#pauses.length; i++) {
      const { startMs, endMs, processorMs } = this.#pauses[i]!
      if (startMs >= toMs) break
      const withinMs = Math.min(endMs, toMs) - Math.max(startMs, fromMs)
      sum += (processorMs * withinMs) / (endMs - startMs)
    }
    return sum
  }

  /** Processor time of the longest collection that began between two moments, milliseconds; 0 for none. */
  longestMs(fromMs: number, toMs: number): number {
    let longest = 0
    for (const { startMs, processorMs } of this.#pauses)
      if (startMs >= fromMs && startMs < toMs) longest = Math.max(longest, processorMs)
    return longest
  }

  #firstEndingAfter(ms: number): number {
    let low = 0
    let high = this.#pauses.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#pauses[middle]!.endMs <= ms) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** Without the events that lie inside another one. */
function merged(events: readonly TraceEvent[]): Pause[] {
  const pauses: Pause[] = []
  for (const { ts, dur = 0, tdur = 0 } of events.toSorted((a, b) => a.ts - b.ts)) {
    const startMs = ts / 1000
    const last = pauses.at(-1)
    if (dur === 0 || (last !== undefined && startMs < last.endMs)) continue
    pauses.push({ startMs, endMs: startMs + dur / 1000, processorMs: tdur / 1000 })
  }
  return pauses
}
