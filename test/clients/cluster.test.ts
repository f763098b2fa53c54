/**
 * cluster.test.ts: clients that people use, against nodes of a cluster: ioredis Cluster, redis-cli -c, and ioredis
 * by way of a Sentinel. Two partitions, the first of them with a replica.
 */
import { spawn, spawnSync } from 'node:child_process'
import { Cluster, Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FakeCluster } from '../harness/fake-cluster.ts'
import { freePorts } from '../harness/free-ports.ts'
import { itUnless } from '../harness/pending.ts'
import { RegionProcess } from '../harness/region-process.ts'
import { RespClient } from '../harness/resp-client.ts'

const PRIMARY = 0
const REPLICA = 1
const OTHER = 2
const KEYS = Array.from({ length: 200 }, (_, i) => `key:${i}`)

let nodes: FakeCluster
const clients: { disconnect(): void }[] = []

beforeEach(async () => {
  nodes = await FakeCluster.start(
    [{ partition: 0 }, { partition: 0, role: 'replica' }, { partition: 1, zone: 'b' }],
    2,
  )
})

afterEach(async () => {
  for (const client of clients.splice(0)) client.disconnect()
  await nodes.stop()
})

function cluster(options: ConstructorParameters<typeof Cluster>[1] = {}): Cluster {
  const client = new Cluster([{ host: '127.0.0.1', port: nodes.port(OTHER) }], options)
  client.on('error', () => {})
  clients.push(client)
  return client
}

describe('ioredis Cluster', () => {
  it('finds the node of every key', async () => {
    const client = cluster()
    await Promise.all(KEYS.map((key) => client.set(key, `of ${key}`)))
    expect(await Promise.all(KEYS.map((key) => client.get(key)))).toEqual(KEYS.map((key) => `of ${key}`))
    const sizes = [PRIMARY, OTHER].map((node) => Number(nodes.engine(node).run('dbsize')))
    expect(sizes[0]! + sizes[1]!).toBe(KEYS.length)
    expect(Math.min(...sizes)).toBeGreaterThan(0)
    expect(client.nodes('all')).toHaveLength(3)
  })

  it('runs transactions, scripts and shard channels on the node of their keys', async () => {
    const client = cluster()
    expect(await client.multi().set('{foo}1', 'a').get('{foo}1').exec()).toEqual([
      [null, 'OK'],
      [null, 'a'],
    ])
    expect(await client.eval("return redis.call('get', KEYS[1])", 1, '{foo}1')).toBe('a')
    await expect(client.mget('b', 'foo')).rejects.toThrow('CROSSSLOT')
    // One partition has slots 0 to 8191: Redis would refuse keys of two of them.
    expect(await client.call('MSET', 'b', '1', 'c', '2')).toBe('OK')
  })

  it('follows MOVED when another node has become primary', async () => {
    const client = cluster({ slotsRefreshInterval: 0 })
    await client.set('b', 'before')
    nodes.replicate(PRIMARY, REPLICA)
    nodes.swapRoles(PRIMARY, REPLICA)
    expect(await client.get('b')).toBe('before')
    await client.set('b', 'after')
    expect(nodes.engine(REPLICA).run('get', 'b')).toBe('after')
  })

  it('is sent on while it waits for a key', async () => {
    const client = cluster()
    const popped = client.blpop('b', 0)
    const isBlocked = () => [...nodes.sessions(PRIMARY)].some(({ blocked }) => blocked !== undefined)
    await expect.poll(isBlocked).toBe(true)
    nodes.swapRoles(PRIMARY, REPLICA)
    await cluster().rpush('b', 'element')
    expect(await popped).toEqual(['b', 'element'])
  })

  it('reads from replicas where it is told to', async () => {
    const client = cluster({ scaleReads: 'slave' })
    await client.set('b', 'value')
    nodes.replicate(PRIMARY, REPLICA)
    const before = nodes.engine(PRIMARY).engine.commands.commandCount
    expect(await client.get('b')).toBe('value')
    expect(nodes.engine(PRIMARY).engine.commands.commandCount).toBe(before)
  })
})

describe('redis-cli -c', () => {
  const missing =
    spawnSync('redis-cli', ['--version']).status === 0 ? undefined : 'redis-cli is not installed'

  function run(words: readonly string[], input = ''): Promise<string> {
    return new Promise((resolve, reject) => {
      const child = spawn('redis-cli', words)
      let out = ''
      child.stdout.setEncoding('latin1').on('data', (text: string) => {
        out += text
      })
      child.once('error', reject)
      child.once('close', () => resolve(out))
      child.stdin.end(input)
    })
  }

  function cli(node: number, lines: readonly string[]): Promise<string> {
    return run(['-c', '-p', String(nodes.port(node))], `${lines.join('\n')}\n`)
  }

  itUnless(missing, 'is redirected to where the key is', async () => {
    const out = await cli(PRIMARY, ['set foo 1', 'set b 2', 'get foo', 'mget b foo'])
    expect(out.split('\n').filter((line) => !line.startsWith('->'))).toEqual([
      'OK',
      'OK',
      '1',
      "CROSSSLOT Keys in request don't hash to the same slot",
      '',
      '',
    ])
    expect(nodes.engine(OTHER).run('get', 'foo')).toBe('1')
    expect(nodes.engine(PRIMARY).run('get', 'b')).toBe('2')
  })

  itUnless(missing, 'reads from a replica behind READONLY', async () => {
    await cli(PRIMARY, ['set b 2'])
    nodes.replicate(PRIMARY, REPLICA)
    const before = nodes.engine(PRIMARY).engine.commands.commandCount
    expect(await cli(REPLICA, ['readonly', 'get b'])).toBe('OK\n2\n')
    expect(nodes.engine(PRIMARY).engine.commands.commandCount).toBe(before)
  })

  itUnless(missing, 'asks a replica to take over', async () => {
    expect(await cli(REPLICA, ['cluster failover'])).toBe('OK\n')
    expect(nodes.failovers(REPLICA)).toEqual(['agreed'])
  })

  itUnless(missing, 'finds nothing wrong with the cluster', async () => {
    const out = await run(['--cluster', 'check', `127.0.0.1:${nodes.port(PRIMARY)}`])
    expect(out).toContain('All nodes agree about slots configuration.')
    expect(out).toContain('All 16384 slots covered.')
    expect(out).not.toContain('[ERR]')
  })
})

describe('ioredis by way of a Sentinel', () => {
  function bySentinel(options: { role?: 'master' | 'slave'; failoverDetector?: boolean } = {}): Redis {
    const client = new Redis({
      sentinels: [{ host: '127.0.0.1', port: nodes.sentinelPort }],
      name: 'here-0',
      ...options,
    })
    client.on('error', () => {})
    clients.push(client)
    return client
  }

  it('finds the primary', async () => {
    const client = bySentinel()
    await client.set('b', 'value')
    expect(nodes.engine(PRIMARY).run('get', 'b')).toBe('value')
  })

  it('finds a replica', async () => {
    nodes.engine(PRIMARY).run('set', 'b', 'value')
    nodes.replicate(PRIMARY, REPLICA)
    const client = bySentinel({ role: 'slave' })
    expect(await client.call('READONLY')).toBe('OK')
    expect(await client.get('b')).toBe('value')
    expect(client.options.role).toBe('slave')
  })

  it('connects anew when it hears that there is another primary', async () => {
    const client = bySentinel({ failoverDetector: true })
    await client.set('b', 'before')
    await expect.poll(() => nodes.sentinelListeners).toBeGreaterThan(0)
    nodes.replicate(PRIMARY, REPLICA)
    const reconnected = new Promise((resolve) => client.once('ready', resolve))
    nodes.swapRoles(PRIMARY, REPLICA)
    await reconnected
    await client.set('b', 'after')
    expect(nodes.engine(REPLICA).run('get', 'b')).toBe('after')
  })
})

describe('a node with a sentinel-port', () => {
  it('answers there from its start to its end, and knows no master without a coordinator', async () => {
    const [port] = await freePorts(1)
    const node = await RegionProcess.prepare({
      name: 'A',
      id: 1,
      settings: { 'sentinel-port': String(port) },
    })
    try {
      await node.start()
      const client = await RespClient.connect(port!)
      expect(await client.ask('PING')).toBe('PONG')
      expect(await client.ask('ROLE')).toEqual(['sentinel', []])
      expect((await node.stop()).code).toBe(0)
      await expect(client.ask('PING')).rejects.toThrow('the connection ended')
    } finally {
      await node.dispose()
    }
  })
})
