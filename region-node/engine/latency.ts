/**
 * latency.ts: latency spikes by kind of event, and how long commands take, for LATENCY.
 *
 * An event keeps the worst of each second in which one was at least `latency-monitor-threshold` long, the
 * last SAMPLES_MAX of them. A histogram counts calls by powers of two microseconds.
 */
const SAMPLES_MAX = 160

export interface LatencySample {
  /** Since the Unix epoch. */
  readonly seconds: number
  readonly ms: number
}

interface Series {
  readonly samples: LatencySample[]
  maxMs: number
}

export class LatencyEvents {
  readonly #series = new Map<string, Series>()

  add(event: string, ms: number, seconds: number): void {
    const series = this.#series.get(event) ?? { samples: [], maxMs: 0 }
    this.#series.set(event, series)
    const { samples } = series
    series.maxMs = Math.max(series.maxMs, ms)
    const last = samples.at(-1)
    if (last?.seconds === seconds) samples[samples.length - 1] = { seconds, ms: Math.max(last.ms, ms) }
    else samples.push({ seconds, ms })
    if (samples.length > SAMPLES_MAX) samples.shift()
  }

  /** The last sample of each event, and the longest ever. */
  latest(): { event: string; last: LatencySample; maxMs: number }[] {
    return Array.from(this.#series, ([event, { samples, maxMs }]) => ({
      event,
      last: samples.at(-1)!,
      maxMs,
    }))
  }

  /** Oldest first. */
  history(event: string): readonly LatencySample[] {
    return this.#series.get(event)?.samples ?? []
  }

  /** @returns whether there was anything to forget */
  reset(event: string): boolean {
    return this.#series.delete(event)
  }

  /** @returns how many events there were */
  resetAll(): number {
    const count = this.#series.size
    this.#series.clear()
    return count
  }
}

export class Histogram {
  calls = 0
  /** Calls of at most 2^i microseconds, and more than 2^(i-1). */
  readonly #counts: number[] = []

  add(micros: number): void {
    this.calls++
    const power = micros <= 1 ? 0 : Math.ceil(Math.log2(micros))
    while (this.#counts.length <= power) this.#counts.push(0)
    this.#counts[power]!++
  }

  /** Upper ends in microseconds, and how many calls took no longer; ends at which none is added are left out. */
  cumulative(): { micros: number; calls: number }[] {
    const steps: { micros: number; calls: number }[] = []
    let calls = 0
    for (const [power, count] of this.#counts.entries()) {
      calls += count
      if (count > 0) steps.push({ micros: 2 ** power, calls })
    }
    return steps
  }
}
