/**
 * restart.ts: the time from the start of a process until it serves the keys it had when it was stopped in
 * order.
 *
 * redis-server reads its RDB file; Causeway a snapshot and a log behind it, of one key in a hundred that was
 * set once more. Rounds alternate, one process at a time. The files are in the page cache for both.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { RespClient } from '../harness/resp-client.ts'
import { RawLoad, SHORT_VALUE } from './raw-load.ts'
import { type Restartable, RestartableRedis, RestartableRegion } from './restartable.ts'

/** Keys of which one is set once more behind the snapshot. */
const KEYS_PER_LOGGED = 100
const POLL_MS = 5
const SERVE_MS_MAX = 120_000

export interface Restart {
  readonly keys: number
  /** Ops in the log behind the snapshot. */
  readonly logged: number
  /** Of each round, milliseconds. */
  readonly redisMs: readonly number[]
  readonly causewayMs: readonly number[]
}

export async function measureRestart(
  nodeFlags: readonly string[],
  keys: number,
  rounds: number,
  progress: (step: string) => void,
): Promise<Restart> {
  const redis = new RestartableRedis()
  const causeway = new RestartableRegion(nodeFlags)
  const logged = Math.floor(keys / KEYS_PER_LOGGED)
  try {
    progress('restart, loading')
    await fill(redis, keys, 0)
    await fill(causeway, keys, logged)
    const redisMs: number[] = []
    const causewayMs: number[] = []
    for (let round = 1; round <= rounds; round++) {
      progress(`restart, round ${round} of ${rounds}`)
      redisMs.push(await restart(redis, keys))
      causewayMs.push(await restart(causeway, keys))
    }
    return { keys, logged, redisMs, causewayMs }
  } finally {
    await Promise.all([redis.dispose(), causeway.dispose()])
  }
}

/** Keys, saved; then some of them once more, with the value they have. */
async function fill(side: Restartable, keys: number, logged: number): Promise<void> {
  await Promise.all([side.start(), serving(side.port, 0)])
  const load = await RawLoad.connect(side.port)
  await load.setKeys(0, keys, SHORT_VALUE)
  await side.save()
  await load.setKeys(0, logged, SHORT_VALUE)
  load.close()
  await side.stop()
}

/** @returns milliseconds until it serves; it is stopped again */
async function restart(side: Restartable, keys: number): Promise<number> {
  const start = performance.now()
  const served = serving(side.port, keys).then(() => performance.now() - start)
  const [tookMs] = await Promise.all([served, side.start()])
  await side.stop()
  return tookMs
}

/** Resolves when DBSIZE is answered, not with LOADING. @throws Error when there are other than so many keys */
async function serving(port: number, keys: number): Promise<void> {
  const deadline = performance.now() + SERVE_MS_MAX
  for (;;) {
    const reply = await size(port)
    if (typeof reply === 'number') {
      if (reply !== keys) throw new Error(`${reply} keys at port ${port} instead of ${keys}`)
      return
    }
    if (performance.now() > deadline)
      throw new Error(`nobody serves at port ${port} after ${SERVE_MS_MAX / 1000} s`)
    await delay(POLL_MS)
  }
}

/** The reply to DBSIZE, which may be an error; undefined when nobody listens yet. */
async function size(port: number): Promise<unknown> {
  const client = await RespClient.connect(port).catch(() => undefined)
  if (client === undefined) return undefined
  try {
    return await client.command('DBSIZE').catch(() => undefined)
  } finally {
    await client.close()
  }
}
