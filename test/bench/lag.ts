/**
 * lag.ts: how long after its OK at A a write is visible at B, while A is under half of its full load.
 *
 * A probe key is written at A and read at B again and again until it shows; so the lag includes one read. The three
 * regions, the load and the reader share the cores: what A and B waited for one is measured too.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Region } from '../../compose/region.ts'
import { CoreWait } from './process-facts.ts'
import { percentile } from './statistics.ts'
import { SteadyLoad } from './steady-load.ts'

const BETWEEN_PROBES_MS = 2
const WARM_UP_MS = 1000
const KEY_RANGE = 1_000_000

export interface Lag {
  /** Ops per second at A meanwhile. */
  readonly load: number
  readonly probes: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Without what the two regions waited for a core meanwhile. */
  readonly p99RunningMs: number
  readonly worstMs: number
}

export async function measureLag(
  from: Region,
  to: Region,
  opsPerSecond: number,
  probes: number,
): Promise<Lag> {
  const load = new SteadyLoad({ port: from.plan.port, opsPerSecond, keys: KEY_RANGE })
  await delay(WARM_UP_MS)
  const coreWaits = [from, to].map((region) => new CoreWait(region.process.pid))
  const waitedMs = (): number => coreWaits.reduce((sum, { totalMs }) => sum + totalMs, 0)
  const lags: number[] = []
  const running: number[] = []
  for (let i = 0; i < probes; i++) {
    const value = String(i)
    await from.run('SET', 'lag:probe', value)
    const waitedBefore = waitedMs()
    const start = performance.now()
    while ((await to.run('GET', 'lag:probe')) !== value);
    const lag = performance.now() - start
    lags.push(lag)
    running.push(Math.max(0, lag - (waitedMs() - waitedBefore)))
    await delay(BETWEEN_PROBES_MS)
  }
  const achieved = await load.end()
  for (const one of coreWaits) one.close()
  for (const all of [lags, running]) all.sort((a, b) => a - b)
  return {
    load: achieved,
    probes,
    p50Ms: percentile(lags, 0.5),
    p99Ms: percentile(lags, 0.99),
    p99RunningMs: percentile(running, 0.99),
    worstMs: lags.at(-1)!,
  }
}
