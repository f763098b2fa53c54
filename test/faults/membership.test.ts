/**
 * membership.test.ts: a fourth region joins three that take writes, and leaves them again. Nobody is
 * restarted, and no client of the three is refused.
 */
import { execFile } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterEach, expect, it } from 'vitest'
import { RespError } from '../../region-node/resp/parse-reply.ts'
import { CAUSEWAY } from '../harness/project-root.ts'
import { freeRegionPorts, RegionProcess } from '../harness/region-process.ts'
import type { RespClient } from '../harness/resp-client.ts'

const IDS = { A: 1, B: 2, C: 3, D: 4 } as const
type Name = keyof typeof IDS
const NAMES = Object.keys(IDS) as Name[]
const FOUNDERS: readonly Name[] = ['A', 'B', 'C']
/** For what needs some rounds of signs of life. */
const PATIENCE_MS = 45_000
const POLL_MS = 50

const run = promisify(execFile)
const prepared: RegionProcess[] = []
const clients: RespClient[] = []

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()))
  await Promise.all(prepared.splice(0).map((region) => region.dispose()))
})

async function prepareAll(): Promise<Map<Name, RegionProcess>> {
  const ports = new Map(
    await Promise.all(NAMES.map(async (name) => [name, await freeRegionPorts()] as const)),
  )
  const regions = new Map<Name, RegionProcess>()
  for (const name of NAMES) {
    const peers = FOUNDERS.filter((other) => other !== name).map((other) => {
      return { name: other, url: `ws://127.0.0.1:${ports.get(other)!.syncPort}` }
    })
    const region = await RegionProcess.prepare({ name, id: IDS[name], peers, ports: ports.get(name)! })
    regions.set(name, region)
    prepared.push(region)
  }
  return regions
}

async function clientOf(region: RegionProcess): Promise<RespClient> {
  const client = await region.connect()
  clients.push(client)
  return client
}

/** `causeway region WORDS... --to` a region. */
async function region(at: RegionProcess, ...words: string[]): Promise<string> {
  const to = `127.0.0.1:${at.ports.port}`
  const { stdout } = await run(process.execPath, [CAUSEWAY, 'region', ...words, '--to', to])
  return stdout
}

/** Waits until `look` returns something. @throws with what it saw last and what the regions wrote */
async function until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  const deadlineMs = performance.now() + PATIENCE_MS
  for (;;) {
    const seen = await look()
    if (seen !== undefined) return seen
    if (performance.now() > deadlineMs) {
      const wrote = prepared.map(({ name, stderr }) => `${name}:\n${stderr.slice(-3000)}`).join('\n')
      throw new Error(`${what}: not within ${PATIENCE_MS} ms.\n${wrote}`)
    }
    await delay(POLL_MS)
  }
}

/** A node whose folder is new takes writes once it has heard the others. */
function takesWrites(client: RespClient, ...words: string[]): Promise<true> {
  return until(`${words.join(' ')} is taken`, async () => {
    const reply = await client.command(...words)
    return reply instanceof RespError ? undefined : true
  })
}

async function agreement(all: readonly RespClient[]): Promise<void> {
  await until('equal vectors', async () => {
    const vectors = await Promise.all(
      all.map(async (client) => JSON.stringify(await client.ask('CRDT.VECTOR'))),
    )
    return vectors.every((vector) => vector === vectors[0]) ? true : undefined
  })
  const digests = await Promise.all(all.map((client) => client.ask('CRDT.DIGEST')))
  expect(new Set(digests).size).toBe(1)
}

/** INCR as fast as replies come, until it is told to end. @returns how many were acknowledged */
function writing(client: RespClient): () => Promise<number> {
  let isOver = false
  const done = (async () => {
    let count = 0
    while (!isOver) {
      await client.ask('INCR', 'n')
      count++
    }
    return count
  })()
  // A test that fails earlier closes the connection: its own error is the one to see.
  done.catch(() => {})
  return () => {
    isOver = true
    return done
  }
}

async function infoField(client: RespClient, field: string): Promise<string> {
  const text = String(await client.ask('INFO', 'crdt'))
  return new RegExp(`^${field}:(.*)\r$`, 'm').exec(text)![1]!
}

it('a region joins and leaves while the others take writes', async () => {
  const regions = await prepareAll()
  const [a, b, , d] = NAMES.map((name) => regions.get(name)!) as [
    RegionProcess,
    RegionProcess,
    RegionProcess,
    RegionProcess,
  ]
  await Promise.all(FOUNDERS.map((name) => regions.get(name)!.start()))
  const founders = await Promise.all(FOUNDERS.map((name) => clientOf(regions.get(name)!)))
  for (const client of founders) await takesWrites(client, 'SADD', 'early', 'x', 'y')
  const writers = founders.map(writing)

  await d.start()
  const newcomer = await clientOf(d)
  expect(await newcomer.command('SET', 'k', 'too soon')).toMatchObject({
    line: expect.stringMatching(/^BEHIND /),
  })
  expect(await region(a, 'add', 'D', '--id', '4', '--url', d.syncUrl)).toContain("Region 'D' joins")
  await takesWrites(newcomer, 'SET', 'k', 'of D')
  for (let i = 0; i < 100; i++) await newcomer.ask('INCR', 'n')
  const counts = await Promise.all(writers.map((end) => end()))
  await agreement([...founders, newcomer])
  const total = counts.reduce((sum, count) => sum + count, 100)
  expect(await newcomer.ask('GET', 'n')).toBe(String(total))
  expect(await founders[1]!.ask('GET', 'k')).toBe('of D')
  expect(await region(b, 'list')).toMatch(/^D +4 +member +\d/m)

  const moreWriters = founders.map(writing)
  expect(await region(b, 'remove', 'D')).toContain('Stop its node')
  await until('D takes no more writes', async () => {
    const reply = await newcomer.command('SET', 'k', 'nobody will hear of this')
    return reply instanceof RespError ? true : undefined
  })
  await until('the origins of D are ended everywhere', async () => {
    const fences = await Promise.all(founders.map((client) => infoField(client, 'fences')))
    const seals = await Promise.all(founders.map((client) => infoField(client, 'seals')))
    return fences.every((n) => n === '0') && seals.every((n) => Number(n) > 0) ? true : undefined
  })
  await d.stop()
  await Promise.all(moreWriters.map((end) => end()))
  await agreement(founders)
  await until('the cut reaches everything without D', async () => {
    const above = await Promise.all(founders.map((client) => infoField(client, 'cut_ops_above')))
    return above.every((n) => n === '0') ? true : undefined
  })
  expect(await infoField(founders[0]!, 'cut_state')).toBe('moves')
  expect(await infoField(founders[0]!, 'lacking')).toBe('0')
  const { horizon } = JSON.parse(await a.page('/v1/status')) as { horizon: unknown }
  expect(horizon).toMatchObject({ cutOps: 0, cutState: 'moves', fences: 0, suspended: [] })
  expect(await a.page('/metrics')).toMatch(/^causeway_region_silence_seconds\{region="B"\} \d/m)
  expect(await region(a, 'list')).toMatch(/^D +4 +left /m)
  await expect(region(a, 'add', 'E', '--id', '4', '--url', 'ws://127.0.0.1:1')).rejects.toThrow(
    /neither is ever reused/,
  )
})
