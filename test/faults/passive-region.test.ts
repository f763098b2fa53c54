/**
 * passive-region.test.ts: two real regions, of which one is passive and then takes the place of the other, by
 * `causeway region` from a shell.
 */
import { execFile } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterEach, expect, it } from 'vitest'
import { RespError } from '../../region-node/resp/parse-reply.ts'
import { CAUSEWAY } from '../harness/project-root.ts'
import { freeRegionPorts, RegionProcess } from '../harness/region-process.ts'
import type { RespClient } from '../harness/resp-client.ts'

const PATIENCE_MS = 45_000
const POLL_MS = 50

const run = promisify(execFile)
const prepared: RegionProcess[] = []
const clients: RespClient[] = []

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()))
  await Promise.all(prepared.splice(0).map((region) => region.dispose()))
})

async function prepare(): Promise<[RegionProcess, RegionProcess]> {
  const [ofA, ofB] = [await freeRegionPorts(), await freeRegionPorts()]
  const url = (port: number): string => `ws://127.0.0.1:${port}`
  const [a, b] = await Promise.all([
    RegionProcess.prepare({ name: 'A', id: 1, ports: ofA, peers: [{ name: 'B', url: url(ofB.syncPort) }] }),
    RegionProcess.prepare({ name: 'B', id: 2, ports: ofB, peers: [{ name: 'A', url: url(ofA.syncPort) }] }),
  ])
  prepared.push(a, b)
  await Promise.all([a.start(), b.start()])
  return [a, b]
}

async function clientOf(region: RegionProcess): Promise<RespClient> {
  const client = await region.connect()
  clients.push(client)
  return client
}

/** `causeway region WORDS... --to` a region. Rejects with what it complains of. */
async function region(at: RegionProcess, ...words: string[]): Promise<string> {
  const to = `127.0.0.1:${at.ports.port}`
  const { stdout } = await run(process.execPath, [CAUSEWAY, 'region', ...words, '--to', to])
  return stdout
}

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + PATIENCE_MS
  while (!(await isSo())) {
    if (performance.now() > deadlineMs) throw new Error(`${what}: not within ${PATIENCE_MS} ms`)
    await delay(POLL_MS)
  }
}

/** A node whose folder is new takes writes once it has heard the other one. */
function takesWrites(client: RespClient): Promise<void> {
  return until(
    'writes are taken',
    async () => !((await client.command('INCR', 'tries')) instanceof RespError),
  )
}

it('a passive region takes the place of an active one: in order, and after a disaster', async () => {
  const [a, b] = await prepare()
  const [ofA, ofB, waiting] = [await clientOf(a), await clientOf(b), await clientOf(b)]
  await takesWrites(ofA)
  await takesWrites(ofB)

  const popped = waiting.command('BLPOP', 'queue', '0')
  await until('somebody waits', async () =>
    /blocked_clients:1\r/.test(String(await ofB.ask('INFO', 'clients'))),
  )
  expect(await region(b, 'demote')).toBe(
    "Region 'B' is passive: it applies what others write, and serves reads\n",
  )
  expect(await popped).toMatchObject({ line: expect.stringMatching(/^UNBLOCKED /) })
  expect(await ofB.command('SET', 'k', 'v')).toMatchObject({
    line: expect.stringMatching(/^READONLY This region is passive.*causeway region promote/),
  })
  expect(String(await ofB.ask('INFO', 'crdt'))).toMatch(/^region_mode:passive\r$/m)
  expect(String(await ofB.ask('INFO', 'crdt'))).toMatch(/^link_A:.*,behind_ops=\d+,behind_ms=\d+,/m)
  expect(await b.page('/metrics')).toContain('causeway_region_passive{region="B"} 1\n')
  expect(JSON.parse(await b.page('/v1/status'))).toMatchObject({
    regions: [
      { name: 'B', mode: 'passive' },
      { name: 'A', mode: 'active' },
    ],
  })

  // Killed with its power on, and passive still.
  await b.kill()
  await b.start()
  const again = await clientOf(b)
  expect(await again.command('SET', 'k', 'v')).toMatchObject({ line: expect.stringMatching(/^READONLY /) })

  await ofA.ask('SET', 'k', 'of A')
  await region(a, 'demote')
  await until('B is promoted', () =>
    region(b, 'promote').then(
      (said) => said === "Region 'B' is active: its clients may write\n",
      () => false,
    ),
  )
  expect(await again.ask('GET', 'k')).toBe('of A')
  expect(await again.ask('SET', 'k', 'of B')).toBe('OK')
  await until('A has it', async () => (await ofA.ask('GET', 'k')) === 'of B')
  expect(await region(a, 'list')).toMatch(/^A +1 +self +0 +passive .* no /m)

  await b.kill()
  await delay(6000)
  await expect(region(a, 'promote')).rejects.toThrow(/stays passive: region 'B' was last heard \d+ s ago/)
  expect(await region(a, 'promote', '--force')).toContain("Still to come: region 'B' was last heard")
  expect(await ofA.ask('SET', 'k', 'of A again')).toBe('OK')
})
