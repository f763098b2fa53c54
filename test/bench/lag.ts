/**
 * lag.ts: how long after its OK at A a write is visible at B, while A is under half of its full load.
 *
 * A probe key is written at A and read at B again and again until it shows; so the lag includes one read.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Region } from '../../compose/region.ts'
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
  const lags: number[] = []
  for (let i = 0; i < probes; i++) {
    const value = String(i)
    await from.run('SET', 'lag:probe', value)
    const start = performance.now()
    while ((await to.run('GET', 'lag:probe')) !== value);
    lags.push(performance.now() - start)
    await delay(BETWEEN_PROBES_MS)
  }
  const achieved = await load.end()
  lags.sort((a, b) => a - b)
  return {
    load: achieved,
    probes,
    p50Ms: percentile(lags, 0.5),
    p99Ms: percentile(lags, 0.99),
    worstMs: lags.at(-1)!,
  }
}
