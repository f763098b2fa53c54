/**
 * memory.ts: resident bytes per key for many small strings, on a fresh server of either kind.
 *
 * The growth of the resident set from the empty server to the full one, after everything has settled: what
 * the operating system has to find for it, garbage not yet collected included.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Contender } from './contenders.ts'
import { residentBytes } from './process-facts.ts'
import { RawLoad } from './raw-load.ts'

export const VALUE_LENGTHS = [3, 100] as const

/** The set counts as settled when it has changed by less than this share over one interval. */
const SETTLED_SHARE = 0.01
const SETTLE_INTERVAL_MS = 2000
const SETTLE_INTERVALS_MAX = 10

export interface Memory {
  readonly valueBytes: number
  readonly keys: number
  readonly bytesPerKey: number
  /** The same at each region that follows. */
  readonly peerBytesPerKey: readonly number[]
}

/** @param contender  fresh, and stopped by the caller */
export async function measureMemory(contender: Contender, keys: number, valueBytes: number): Promise<Memory> {
  const pids = [contender.pid, ...contender.peerPids]
  const before = pids.map(residentBytes)
  const load = await RawLoad.connect(contender.port)
  await load.setKeys(0, keys, 'x'.repeat(valueBytes))
  load.close()
  await contender.settled()
  const after = await settledBytes(pids)
  const [bytesPerKey, ...peerBytesPerKey] = after.map((bytes, i) => (bytes - before[i]!) / keys)
  return { valueBytes, keys, bytesPerKey: bytesPerKey!, peerBytesPerKey }
}

async function settledBytes(pids: readonly number[]): Promise<number[]> {
  let last = pids.map(residentBytes)
  for (let i = 0; i < SETTLE_INTERVALS_MAX; i++) {
    await delay(SETTLE_INTERVAL_MS)
    const now = pids.map(residentBytes)
    const isSettled = now.every((bytes, at) => Math.abs(bytes - last[at]!) < bytes * SETTLED_SHARE)
    last = now
    if (isSettled) break
  }
  return last
}
