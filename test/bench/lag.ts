/**
 * lag.ts: how long after its OK at A a write is visible at B, while A is under half of its full load.
 *
 * A probe key is written at A and read at B again and again until it shows; so the lag includes one read.
 * The load comes from a thread of its own, so that it does not delay the probe.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import type { Region } from '../../compose/region.ts'
import { percentile } from './statistics.ts'

const BETWEEN_PROBES_MS = 2
const WARM_UP_MS = 1000

export interface Lag {
  /** Ops per second at A meanwhile. */
  readonly load: number
  readonly probes: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly worstMs: number
}

export async function measureLag(from: Region, to: Region, load: number, probes: number): Promise<Lag> {
  const worker = new Worker(new URL('./paced-load.js', import.meta.url), {
    workerData: { port: from.plan.port, opsPerSecond: load },
  })
  const failed = new Promise<never>((_, reject) => worker.once('error', reject))
  await Promise.race([delay(WARM_UP_MS), failed])
  const lags: number[] = []
  for (let i = 0; i < probes; i++) {
    const value = String(i)
    await from.run('SET', 'lag:probe', value)
    const start = performance.now()
    while ((await to.run('GET', 'lag:probe')) !== value);
    lags.push(performance.now() - start)
    await delay(BETWEEN_PROBES_MS)
  }
  worker.postMessage('end')
  const achieved = await Promise.race([
    new Promise<number>((resolve) => worker.once('message', (rate: number) => resolve(rate))),
    failed,
  ])
  lags.sort((a, b) => a - b)
  return {
    load: achieved,
    probes,
    p50Ms: percentile(lags, 0.5),
    p99Ms: percentile(lags, 0.99),
    worstMs: lags.at(-1)!,
  }
}
