/**
 * partitions.test.ts: a database of two partitions in two regions, with a process for each: clients of Redis Cluster
 * find their keys, and each partition meets its like in the other region.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Cluster, Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { CliHost } from '../../region-node/cli/host.ts'
import { nodeClient } from '../../region-node/cli/node-client.ts'
import { runRegion } from '../../region-node/cli/region.ts'
import { nodeEnv } from '../../region-node/env-node.ts'
import { RegionProcess } from '../harness/region-process.ts'

const PARTITIONS = 2
const KEYS = 200
const SOON = { timeout: 20_000, interval: 50 }

const folder = mkdtempSync(join(tmpdir(), 'causeway-coordinator-'))
const nodes: RegionProcess[] = []
const clients = new Map<string, Cluster>()

beforeAll(async () => {
  for (const [id, name] of ['A', 'B'].entries())
    for (let i = 0; i < PARTITIONS; i++) nodes.push(await RegionProcess.prepare({ name, id: id + 1 }))
  for (const [i, node] of nodes.entries()) {
    // One address of the other region: that of a node with partition 0.
    const peers = nodes.filter(({ name }, at) => name !== node.name && at % PARTITIONS === 0)
    node.configure(
      {
        partitions: String(PARTITIONS),
        partition: String(i % PARTITIONS),
        coordinator: `file:${folder}`,
      },
      peers.map(({ name, syncUrl: url }) => ({ name, url })),
    )
    void node.launch()
  }
  for (const region of ['A', 'B']) {
    const startupNodes = nodes.filter(({ name }) => name === region)
    const client = new Cluster(
      startupNodes.map(({ ports }) => ({ host: '127.0.0.1', port: ports.port })),
      { clusterRetryStrategy: () => 100, retryDelayOnClusterDown: 50 },
    )
    client.on('error', () => {})
    clients.set(region, client)
  }
  await vi.waitFor(async () => {
    for (const client of clients.values()) expect(await client.mset('{a}ready', '1')).toBe('OK')
    for (const client of clients.values()) expect(await client.mset('{b}ready', '1')).toBe('OK')
  }, SOON)
}, 60_000)

afterAll(async () => {
  for (const client of clients.values()) client.disconnect()
  for (const node of nodes) await node.dispose()
  rmSync(folder, { recursive: true, force: true })
})

describe('a database of two partitions', () => {
  it('has a node for each half of the slots, in each region', async () => {
    for (const client of clients.values()) {
      const slots = (await client.cluster('SLOTS')) as [number, number, ...unknown[]][]
      expect(slots.map(([first, last]) => [first, last])).toEqual([
        [0, 8191],
        [8192, 16383],
      ])
    }
  })

  it('brings keys of every slot to the other region', async () => {
    const [a, b] = [clients.get('A')!, clients.get('B')!]
    for (let i = 0; i < KEYS; i++) await a.set(`key:${i}`, `of A ${i}`)
    for (let i = 0; i < KEYS; i++) await b.incr(`count:${i % 10}`)
    await vi.waitFor(async () => {
      for (let i = 0; i < KEYS; i++) expect(await b.get(`key:${i}`)).toBe(`of A ${i}`)
      for (let i = 0; i < 10; i++) expect(await a.get(`count:${i}`)).toBe(String(KEYS / 10))
    }, SOON)
    const sizes = await Promise.all(a.nodes('master').map((node) => node.dbsize()))
    expect(sizes).toHaveLength(PARTITIONS)
    for (const size of sizes) expect(size).toBeGreaterThan(KEYS / 4)
  })

  it('keeps what belongs to different partitions apart', async () => {
    const a = clients.get('A')!
    await expect(a.mset('x', '1', 'y', '1', 'z', '1')).rejects.toThrow(/slot/i)
    expect(await a.mset('{t}x', '1', '{t}y', '1')).toBe('OK')
  })

  it('tells what is published at any node to subscribers at every node, once', async () => {
    const heard: string[] = []
    const links = nodes.map(({ ports }) => new Redis(ports.port, { host: '127.0.0.1' }))
    const listeners = nodes.map(({ ports }) => new Redis(ports.port, { host: '127.0.0.1' }))
    for (const [i, listener] of listeners.entries()) {
      listener.on('message', (_channel, message: string) => heard.push(`${message} at ${i}`))
      await listener.subscribe('news')
    }
    await vi.waitFor(async () => {
      for (const link of links) expect(await link.info('crdt')).toContain('neighbours:hears=1,heard_by=1')
    }, SOON)
    for (const [i, link] of links.entries()) {
      // As in Redis Cluster: those at the node itself.
      expect(await link.publish('news', `from ${i}`)).toBe(1)
    }
    const all = nodes.flatMap((_, from) => nodes.map((__, at) => `from ${from} at ${at}`))
    await vi.waitFor(() => expect([...heard].sort()).toEqual(all.sort()), SOON)
    for (const one of [...links, ...listeners]) one.disconnect()
  })

  it('grows by a region of which one address is given, said once', async () => {
    const [seed] = nodes
    const newcomers: RegionProcess[] = []
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const node = await RegionProcess.prepare({ name: 'C', id: 3 })
      const peers = nodes.filter((_, at) => at % PARTITIONS === 1)
      node.configure(
        { partitions: String(PARTITIONS), partition: String(partition), coordinator: `file:${folder}` },
        peers.map(({ name, syncUrl: url }) => ({ name, url })),
      )
      void node.launch()
      newcomers.push(node)
    }
    nodes.push(...newcomers)
    const output: string[] = []
    const print = (text: string): void => {
      output.push(text)
    }
    const env = nodeEnv()
    const host: CliHost = {
      env,
      environment: {},
      askNode: nodeClient(env),
      print,
      complain: print,
      onSignal: () => {},
      exitNow: () => {},
      startNode: () => Promise.reject(new Error('no node is started here')),
      openCoordinator: () => {
        throw new Error('no coordinator is opened here')
      },
      startChild: () => {
        throw new Error('no child is started here')
      },
      openLog: () => () => {},
    }
    const { syncUrl } = newcomers[0]!
    const line = `add C --id 3 --url ${syncUrl} --to 127.0.0.1:${seed!.ports.port}`
    await vi.waitFor(async () => {
      output.length = 0
      expect([await runRegion(line.split(' '), host), output.join('')]).toEqual([0, expect.anything()])
    }, SOON)
    expect(output.join('').match(/Region 'C' joins/g)).toHaveLength(PARTITIONS)
    const client = new Cluster(newcomers.map(({ ports }) => ({ host: '127.0.0.1', port: ports.port })))
    client.on('error', () => {})
    clients.set('C', client)
    await vi.waitFor(async () => {
      for (let i = 0; i < KEYS; i++) expect(await client.get(`key:${i}`)).toBe(`of A ${i}`)
    }, SOON)
  })

  it('refuses to start a folder as another partition', async () => {
    const [node] = nodes
    await node!.stop()
    node!.configure({ partitions: '2', partition: '1', coordinator: `file:${folder}` })
    expect((await node!.launch()).code).not.toBe(0)
    expect(node!.stderr).toContain('partition 0, but this one is started with partition 1')
  })
})
