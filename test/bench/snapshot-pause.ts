/**
 * snapshot-pause.ts: what a snapshot does to those who are served meanwhile: one region without peers takes
 * SETs at a tenth of its full speed, a client pings it every millisecond, and BGSAVE runs or does not.
 *
 * What is not the node's doing is told apart. From the time of each ping that part is taken away in which its
 * thread could have run and waited for a core, as Linux counts it, and the processor time of the collections
 * of garbage that fell into it, by the trace of V8. The longest of what is left is the longest turn of the
 * event loop, plus what the client itself was late.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Region } from '../../compose/region.ts'
import { freshFolder, loneRegionPlan } from './contenders.ts'
import { GcTrace, gcTraceFlags } from './gc-trace.ts'
import { monotonicMs } from './monotonic-clock.ts'
import { Probes, type Samples } from './probes.ts'
import { RawLoad, SHORT_VALUE } from './raw-load.ts'
import { type Saved, saveSnapshot } from './region-info.ts'
import { percentile } from './statistics.ts'
import { SteadyLoad } from './steady-load.ts'

/** No snapshot but those that are asked for. */
const SETTINGS = { save: '', 'log-snapshot-bytes': '1024gb' }
const LOAD_SHARE = 0.1
const WARM_UP_MS = 2000
const QUIET_MS = 10_000

export interface PingFigures {
  readonly pings: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly worstMs: number
  /** The worst without what the node waited for a core. */
  readonly worstRunningMs: number
  /** The same, and without collections of garbage. */
  readonly worstWithoutGcMs: number
  /** Processor time. */
  readonly longestGcMs: number
}

export interface SnapshotRound extends Saved {
  readonly quiet: PingFigures
  readonly saving: PingFigures
}

export interface SnapshotPause {
  readonly keys: number
  /** SETs per second meanwhile. */
  readonly load: number
  readonly rounds: readonly SnapshotRound[]
}

/** Pings of a stretch of time, until the trace is there. */
interface Stretch {
  readonly startMs: number
  readonly endMs: number
  readonly samples: Samples
}

export async function measureSnapshotPause(
  nodeFlags: readonly string[],
  keys: number,
  rounds: number,
  progress: (step: string) => void,
): Promise<SnapshotPause> {
  const folder = freshFolder()
  const trace = join(folder, 'gc-trace.json')
  const region = new Region(loneRegionPlan(folder, SETTINGS), [...nodeFlags, ...gcTraceFlags(trace)])
  try {
    await region.start()
    progress('snapshot, loading')
    const full = await fill(region, keys)
    const load = new SteadyLoad({ port: region.plan.port, opsPerSecond: full * LOAD_SHARE, keys })
    const probes = new Probes([{ port: region.plan.port, pid: region.process.pid }])
    await delay(WARM_UP_MS)
    const seen: (Saved & { quiet: Stretch; saving: Stretch })[] = []
    for (let round = 1; round <= rounds; round++) {
      progress(`snapshot, round ${round} of ${rounds}`)
      const { stretch: quiet } = await during(probes, () => delay(QUIET_MS))
      const { stretch: saving, result } = await during(probes, () => saveSnapshot(region))
      seen.push({ ...result, quiet, saving })
    }
    probes.end()
    const achieved = await load.end()
    await region.stop()
    const gc = GcTrace.read(trace)
    return {
      keys,
      load: achieved,
      rounds: seen.map(({ tookMs, bytes, quiet, saving }) => {
        return {
          tookMs,
          bytes,
          quiet: figuresOf(quiet, gc),
          saving: figuresOf(saving, gc),
        }
      }),
    }
  } finally {
    await region.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** @returns keys per second, as fast as the region takes them */
async function fill(region: Region, keys: number): Promise<number> {
  const load = await RawLoad.connect(region.plan.port)
  const start = performance.now()
  await load.setKeys(0, keys, SHORT_VALUE)
  const tookMs = performance.now() - start
  load.close()
  return (keys * 1000) / tookMs
}

async function during<T>(probes: Probes, work: () => Promise<T>): Promise<{ stretch: Stretch; result: T }> {
  await probes.take()
  const startMs = monotonicMs()
  const result = await work()
  const endMs = monotonicMs()
  const [samples] = await probes.take()
  if (samples!.errors > 0) throw new Error(`${samples!.errors} pings were refused`)
  return { stretch: { startMs, endMs, samples: samples! }, result }
}

function figuresOf({ startMs, endMs, samples }: Stretch, gc: GcTrace): PingFigures {
  const { sentMs, tookMs, waitedMs } = samples
  const sorted = tookMs.toSorted()
  let worstRunningMs = 0
  let worstWithoutGcMs = 0
  for (const [i, took] of tookMs.entries()) {
    const runningMs = took - waitedMs[i]!
    worstRunningMs = Math.max(worstRunningMs, runningMs)
    if (runningMs <= worstWithoutGcMs) continue
    const collectedMs = gc.processorMs(sentMs[i]!, sentMs[i]! + took)
    worstWithoutGcMs = Math.max(worstWithoutGcMs, runningMs - collectedMs)
  }
  return {
    pings: sorted.length,
    p50Ms: percentile(sorted, 0.5),
    p99Ms: percentile(sorted, 0.99),
    worstMs: sorted.at(-1)!,
    worstRunningMs,
    worstWithoutGcMs,
    longestGcMs: gc.longestMs(startMs, endMs),
  }
}
