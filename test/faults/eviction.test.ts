/**
 * eviction.test.ts: a real region that is written to beyond maxmemory under policies that evict: it goes on taking
 * writes, stays about at its limit, and another region agrees afterwards.
 */
import { afterEach, describe, expect, it } from 'vitest'
import type { RespClient } from '../harness/resp-client.ts'
import { Regions } from '../harness/three-regions.ts'

const MB = 2 ** 20
const MAX_MB = 120
/** Some three times the limit. */
const KEYS = 9000
const BATCH = 50
const VALUE = 'x'.repeat(40_000)

let regions: Regions | undefined
afterEach(async () => {
  await regions?.dispose()
  regions = undefined
})

async function field(client: RespClient, section: string, name: string): Promise<number> {
  const text = String(await client.command('INFO', section))
  return Number(new RegExp(`^${name}:(.*)$`, 'm').exec(text)?.[1])
}

describe.each(['allkeys-lru', 'allkeys-lfu', 'volatile-ttl'])('under %s', (policy) => {
  it('a region that is written to beyond maxmemory goes on', async () => {
    regions = await Regions.start({
      names: ['A', 'B'],
      settings: { maxmemory: `${MAX_MB}mb`, 'maxmemory-policy': policy, appendfsync: 'no', save: '' },
    })
    // What is read in A is no use in B: B would evict by its own uses.
    expect(await regions.ask('B', 'CONFIG', 'SET', 'maxmemory', '0')).toBe('OK')
    const client = await regions.connect('A')
    let refused = 0
    let usedMax = 0
    for (let first = 0; first < KEYS; first += BATCH) {
      const commands = Array.from({ length: BATCH }, (_, i) => [
        'SET',
        `key:${first + i}`,
        VALUE,
        'EX',
        String(10_000 + first + i),
      ])
      // What is used all the time stays, where uses count.
      commands.push(['GET', 'kept'])
      if (first === 0) commands.unshift(['SET', 'kept', 'v'])
      const replies = await client.pipeline(commands)
      refused += replies.filter((reply) => typeof reply === 'object' && reply !== null).length
      if (first % 500 === 0) usedMax = Math.max(usedMax, await field(client, 'memory', 'used_memory'))
    }
    expect(await field(client, 'stats', 'evicted_keys')).toBeGreaterThan(KEYS / 3)
    expect(refused).toBe(0)
    expect(usedMax / MB).toBeLessThan(2 * MAX_MB)
    if (policy.startsWith('allkeys')) expect(await client.command('GET', 'kept')).toBe('v')
    await client.close()
    await regions.awaitEqualVectors(undefined, 30_000)
    const [a, b] = await regions.digests(30_000)
    expect(a).toEqual(b)
  })
})
