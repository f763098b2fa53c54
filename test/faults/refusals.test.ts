/**
 * refusals.test.ts: peers that must not be linked, and bytes that are no peer at all. Each refusal has a
 * name, which the operator sees at both ends.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { nodeEnv } from '../../region-node/env-node.ts'
import { Mesh } from '../../sync/mesh.ts'
import { SYNC_DEFAULTS } from '../../sync/settings.ts'
import { WsTransport } from '../../sync/transport-ws.ts'
import { freePorts } from '../harness/free-ports.ts'
import { ManualClock } from '../harness/manual-clock.ts'
import { MemoryHost } from '../harness/memory-host.ts'
import { freeRegionPorts, type RegionOptions, RegionProcess, SYNC_SECRET } from '../harness/region-process.ts'

const NOTICED_MS_MAX = 10_000
const POLL_MS = 20

const started: RegionProcess[] = []
afterEach(async () => {
  await Promise.all(started.splice(0).map((region) => region.dispose()))
})

/** Regions A and B, each a peer of the other, started with settings of their own. */
async function pair(
  a: Partial<RegionOptions>,
  b: Partial<RegionOptions>,
): Promise<[RegionProcess, RegionProcess]> {
  const [portsA, portsB] = [await freeRegionPorts(), await freeRegionPorts()]
  const urlOf = ({ syncPort }: { syncPort: number }): string => `ws://127.0.0.1:${syncPort}`
  const peersA = [{ name: b.name ?? 'B', url: urlOf(portsB) }]
  const peersB = [{ name: a.name ?? 'A', url: urlOf(portsA) }]
  const regions: [RegionProcess, RegionProcess] = [
    await RegionProcess.prepare({ name: 'A', id: 1, ports: portsA, peers: peersA, ...a }),
    await RegionProcess.prepare({ name: 'B', id: 2, ports: portsB, peers: peersB, ...b }),
  ]
  started.push(...regions)
  await Promise.all(regions.map((region) => region.start()))
  return regions
}

/** One value of CRDT.LINK STATUS for the region's only peer. */
async function linkStatus(region: RegionProcess, name: string): Promise<string> {
  const client = await region.connect()
  const [link] = (await client.ask('CRDT.LINK', 'ALL', 'STATUS')) as string[][]
  await client.close()
  return String(link![link!.indexOf(name) + 1])
}

/** Waits until a value of CRDT.LINK STATUS begins like this. */
async function awaitStatus(region: RegionProcess, name: string, beginning: string): Promise<string> {
  const deadlineMs = performance.now() + NOTICED_MS_MAX
  for (;;) {
    const value = await linkStatus(region, name)
    if (value.startsWith(beginning)) return value
    if (performance.now() > deadlineMs) {
      throw new Error(
        `${name} of region ${region.name} is '${value}' and not '${beginning}': ${region.stderr}`,
      )
    }
    await delay(POLL_MS)
  }
}

/** The refusal, by name, in CRDT.LINK STATUS and in the node's log. */
async function awaitError(region: RegionProcess, code: string): Promise<string> {
  const error = await awaitStatus(region, 'last-error', `${code}: `)
  expect(region.stderr).toContain(`${code}: `)
  return error
}

/** Nothing of one region reaches the other. */
async function expectApart(a: RegionProcess, b: RegionProcess): Promise<void> {
  const [clientA, clientB] = await Promise.all([a.connect(), b.connect()])
  // New regions that never met take no writes: either might stand for one that lost its disk.
  expect(await clientA.command('SET', 'k', 'v')).toMatchObject({ line: expect.stringContaining('BEHIND') })
  expect(await clientA.ask('CRDT.WAIT', '200')).toBe(0)
  expect(await clientB.ask('GET', 'k')).toBeNull()
  await Promise.all([clientA.close(), clientB.close()])
}

describe('two regions are not linked', () => {
  it('with different secrets', async () => {
    const [a, b] = await pair({}, { settings: { 'sync-secret': 'another one' } })
    for (const region of [a, b]) {
      const error = await awaitError(region, 'wrong-secret')
      expect(error).not.toContain('another one')
      expect(error).not.toContain(SYNC_SECRET)
    }
    await expectApart(a, b)
  })

  it('with one region id', async () => {
    const [a, b] = await pair({}, { id: 1 })
    for (const region of [a, b])
      expect(await awaitError(region, 'duplicate-region-id')).toContain('region-id 1')
    await expectApart(a, b)
  })

  it('with different databases', async () => {
    const [a, b] = await pair({}, { settings: { databases: '32' } })
    for (const region of [a, b]) {
      const error = await awaitError(region, 'configuration')
      expect(error).toMatch(/databases is '(16|32)'.* and '(16|32)'/)
    }
    await expectApart(a, b)
  })

  it('with different partition counts', async () => {
    // This version serves one partition only, so the other end is its sync code around a made-up identity.
    const env = nodeEnv()
    const [peerPort] = await freePorts(1)
    const peers = [{ name: 'B', url: `ws://127.0.0.1:${peerPort}` }]
    const a = await RegionProcess.prepare({ name: 'A', id: 1, peers })
    started.push(a)
    await a.start()
    const host = new MemoryHost(new ManualClock(), 'B', 2)
    host.identity = { ...host.identity, partitions: 4 }
    const transport = new WsTransport({ host: '127.0.0.1', port: peerPort!, frameBytesMax: 2 ** 20, env })
    const mesh = new Mesh(host, transport, env, {
      ...SYNC_DEFAULTS,
      secret: SYNC_SECRET,
      peers: [{ name: 'A', url: a.syncUrl }],
    })
    await mesh.start()
    try {
      // Whoever notices first says it from its own side.
      const error = await awaitError(a, 'partition-count')
      expect(error).toMatch(/partitions is (1 in region A and 4 in region B|4 in region B and 1 in region A)/)
    } finally {
      await mesh.stop()
    }
  })
})

describe('bytes that are no peer', () => {
  it.each([
    ['a text frame', 'hello'],
    ['an empty frame', Buffer.alloc(0)],
    ['a frame of an unknown type', Buffer.from([255, 1, 2, 3])],
    ['a hello of nonsense', Buffer.from([2, 0xc1, 0xc1, 0xc1])],
    ['a megabyte of noise', Buffer.alloc(1024 * 1024, 0xa5)],
  ])('end that one connection and nothing else: %s', async (_name, frame) => {
    const [a, b] = await pair({}, {})
    const socket = new WebSocket(`ws://127.0.0.1:${a.ports.syncPort}`)
    const closed = new Promise<void>((resolve) => {
      socket.once('close', () => resolve())
      socket.on('error', () => {})
    })
    await new Promise((resolve) => socket.once('message', resolve))
    socket.send(frame)
    await closed
    await awaitStatus(a, 'serve', 'streaming')
    await a.takesWrites()
    const client = await a.connect()
    await client.ask('SET', 'k', 'still here')
    expect(await client.ask('CRDT.WAIT', '5000')).toBe(1)
    await client.close()
    const other = await b.connect()
    expect(await other.ask('GET', 'k')).toBe('still here')
    await other.close()
  })
})
