/**
 * region-info.ts: fields of INFO of a region; snapshots and reclamation as INFO tells of them.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { RegionClient } from '../../compose/region.ts'

const POLL_MS = 50
/** A snapshot that is not done by then has failed. */
const SAVE_MS_MAX = 600_000
/** Reclamation waits for acknowledgements of all regions: a second or two. */
const RECLAIM_MS_MAX = 60_000

/** @throws Error when there is no such field */
export async function infoField(region: RegionClient, section: string, field: string): Promise<string> {
  const text = String(await region.run('INFO', section))
  const [, value] = new RegExp(`^${field}:(.*)\\r$`, 'm').exec(text) ?? []
  if (value === undefined) throw new Error(`region ${region.name} has no field ${field} in INFO ${section}`)
  return value
}

export interface Saved {
  /** From BGSAVE to the end of the snapshot, as INFO showed it; some 50 ms too long. */
  readonly tookMs: number
  readonly bytes: number
}

/** Makes a snapshot, once those that the region began by itself are done. @throws Error when it fails */
export async function saveSnapshot(region: RegionClient): Promise<Saved> {
  await untilNotSaving(region)
  const before = Number(await infoField(region, 'persistence', 'rdb_saves'))
  const start = performance.now()
  await region.run('BGSAVE')
  await untilNotSaving(region)
  const tookMs = performance.now() - start
  const made = Number(await infoField(region, 'persistence', 'rdb_saves')) - before
  const status = await infoField(region, 'persistence', 'rdb_last_bgsave_status')
  if (made !== 1 || status !== 'ok') throw new Error(`region ${region.name} did not make its snapshot`)
  return { tookMs, bytes: Number(await infoField(region, 'persistence', 'snapshot_bytes')) }
}

/** @throws Error when something that was removed is not given back */
export function untilReclaimed(region: RegionClient): Promise<void> {
  return untilZero(region, 'crdt', 'reclaim_pending', RECLAIM_MS_MAX)
}

/** @throws Error when it saves for too long */
export function untilNotSaving(region: RegionClient): Promise<void> {
  return untilZero(region, 'persistence', 'rdb_bgsave_in_progress', SAVE_MS_MAX)
}

async function untilZero(region: RegionClient, section: string, field: string, msMax: number): Promise<void> {
  const deadline = performance.now() + msMax
  while ((await infoField(region, section, field)) !== '0') {
    if (performance.now() > deadline)
      throw new Error(`${field} of region ${region.name} is not 0 after ${msMax / 1000} s`)
    await delay(POLL_MS)
  }
}
