/**
 * redlock.test.ts: the Redlock package with one node as its only instance: inside one region a lock excludes,
 * can be extended, is given back only by its holder, and ends by itself.
 *
 * Across regions no lock of this kind can exclude: each region would grant it. The README says so.
 */
import { Redis } from 'ioredis'
import Redlock from 'redlock'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { RegionProcess } from '../../harness/region-process.ts'

const LOCK = 'locks:stock'
/** Longer than any test takes. */
const LONG_MS = 60_000
const SHORT_MS = 100

let node: RegionProcess
let clients: Redis[]

beforeAll(async () => {
  node = await RegionProcess.prepare({ name: 'A', id: 1 })
  await node.start()
  clients = Array.from({ length: 8 }, () => new Redis({ port: node.ports.port }))
})

afterAll(async () => {
  for (const client of clients) client.disconnect()
  await node.dispose()
})

beforeEach(() => clients[0]!.flushall())

/** A lock manager of one client. The package asks for the types of an older ioredis. */
function managerOf(client: Redis, options: Redlock.Options = {}): Redlock {
  const instance = client as unknown as Redlock.CompatibleRedisClient
  return new Redlock([instance], { retryDelay: 5, retryJitter: 5, retryCount: 10_000, ...options })
}

describe('Redlock inside one region', () => {
  it('lets one at a time change what has no atomic command', async () => {
    const rounds = 25
    let inside = 0
    const work = async (client: Redis): Promise<void> => {
      const locks = managerOf(client)
      for (let round = 0; round < rounds; round++) {
        const lock = await locks.lock(LOCK, LONG_MS)
        expect(++inside).toBe(1)
        const count = Number(await client.get('count'))
        await client.set('count', count + 1)
        inside--
        await lock.unlock()
      }
    }
    await Promise.all(clients.map(work))
    expect(await clients[0]!.get('count')).toBe(String(rounds * clients.length))
    expect(await clients[0]!.exists(LOCK)).toBe(0)
  })

  it('refuses a second holder, and a release by somebody who holds nothing', async () => {
    const [first, second] = [managerOf(clients[0]!), managerOf(clients[1]!, { retryCount: 2 })]
    const lock = await first.lock(LOCK, LONG_MS)
    await expect(second.lock(LOCK, LONG_MS)).rejects.toThrow(/attempts to lock/)
    await lock.unlock()
    const next = await second.lock(LOCK, LONG_MS)
    await expect(first.unlock(lock)).rejects.toThrow(/Unable to fully release/)
    expect(await clients[0]!.get(LOCK)).toBe(next.value)
    await next.unlock()
  })

  it('is extended by its holder, and ends by itself', async () => {
    const locks = managerOf(clients[0]!)
    const held = await (await locks.lock(LOCK, SHORT_MS)).extend(LONG_MS)
    expect(await clients[0]!.pttl(LOCK)).toBeGreaterThan(LONG_MS / 2)
    await held.unlock()
    await locks.lock(LOCK, SHORT_MS)
    // Nobody releases it: the second manager gets it when its time is over.
    const next = await managerOf(clients[1]!).lock(LOCK, LONG_MS)
    await next.unlock()
  })

  it('holds several resources or none', async () => {
    const locks = managerOf(clients[0]!)
    const both = await locks.lock(['locks:a', 'locks:b'], LONG_MS)
    const other = managerOf(clients[1]!, { retryCount: 1 })
    await expect(other.lock(['locks:b', 'locks:c'], LONG_MS)).rejects.toThrow(/attempts to lock/)
    expect(await clients[0]!.exists('locks:c')).toBe(0)
    await both.unlock()
    expect(await clients[0]!.exists('locks:a', 'locks:b')).toBe(0)
  })
})
