/**
 * proxy.test.ts: clients that know nothing of partitions, ioredis and redis-cli, at one node of a region of four: real
 * processes and a real coordinator. One of them goes away while they work.
 */
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { freePorts } from '../harness/free-ports.ts'
import { itUnless } from '../harness/pending.ts'
import { RegionProcess } from '../harness/region-process.ts'

const PARTITIONS = 4
const KEYS = Array.from({ length: 200 }, (_, i) => `key:${i}`)
const SOON = { timeout: 30_000, interval: 50 }

const folder = mkdtempSync(join(tmpdir(), 'causeway-coordinator-'))
const nodes: RegionProcess[] = []
const clients: Redis[] = []
let port: number

beforeAll(async () => {
  const proxyPorts = await freePorts(PARTITIONS)
  port = proxyPorts[1]!
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const node = await RegionProcess.prepare({
      name: 'A',
      id: 1,
      settings: {
        partitions: String(PARTITIONS),
        partition: String(partition),
        coordinator: `file:${folder}`,
        'proxy-port': String(proxyPorts[partition]),
      },
    })
    nodes.push(node)
    void node.launch()
  }
  await vi.waitFor(async () => {
    const probe = await nodes[1]!.connect()
    expect(String(await probe.command('CLUSTER', 'INFO'))).toContain('cluster_slots_ok:16384')
    await probe.close()
  }, SOON)
}, 60_000)

afterAll(async () => {
  for (const client of clients) client.disconnect()
  for (const node of nodes) await node.dispose()
  rmSync(folder, { recursive: true, force: true })
})

function plain(): Redis {
  const client = new Redis({ port, host: '127.0.0.1' })
  client.on('error', () => {})
  clients.push(client)
  return client
}

describe('ioredis, without Cluster', () => {
  it('has the whole database at one node', async () => {
    const client = plain()
    await Promise.all(KEYS.map((key) => client.set(key, `of ${key}`)))
    expect(await Promise.all(KEYS.map((key) => client.get(key)))).toEqual(KEYS.map((key) => `of ${key}`))
    expect(await client.mget(KEYS)).toEqual(KEYS.map((key) => `of ${key}`))
    expect(await client.mset(Object.fromEntries(KEYS.map((key) => [key, '1'])))).toBe('OK')
    expect(await client.dbsize()).toBe(KEYS.length)
    expect((await client.keys('key:*')).sort()).toEqual([...KEYS].sort())
    const seen = new Set<string>()
    for await (const found of client.scanStream({ count: 30 })) for (const key of found) seen.add(key)
    expect(seen.size).toBe(KEYS.length)
    expect(await client.del(KEYS.slice(0, 50))).toBe(50)
    expect(await client.exists(KEYS)).toBe(KEYS.length - 50)
    // They lie on all four nodes.
    for (const node of nodes) {
      const own = await node.connect()
      expect(Number(await own.command('DBSIZE'))).toBeGreaterThan(10)
      await own.close()
    }
  })

  it('runs transactions, scripts, pipelines and blocking commands', async () => {
    const client = plain()
    expect(await client.multi().set('{x}1', 'a').incr('{x}n').get('{x}1').exec()).toEqual([
      [null, 'OK'],
      [null, 1],
      [null, 'a'],
    ])
    await expect(client.multi().set('a', '1').set('b', '1').exec()).rejects.toThrow('EXECABORT')
    client.defineCommand('bump', { numberOfKeys: 1, lua: "return redis.call('incr', KEYS[1])" })
    const bump = (client as unknown as { bump(key: string): Promise<number> }).bump.bind(client)
    expect(await Promise.all(KEYS.map((_, i) => bump(`n:${i}`)))).toEqual(KEYS.map(() => 1))
    const results = await client
      .pipeline(KEYS.map((_, i) => ['incr', `n:${i}`]))
      .get('{x}n')
      .exec()
    expect(results!.map(([, reply]) => reply)).toEqual([...KEYS.map(() => 2), '1'])
    const popped = plain().blpop('list', 5)
    await client.rpush('list', 'element')
    expect(await popped).toEqual(['list', 'element'])
  })

  it('hears channels', async () => {
    const listener = plain()
    const heard: string[] = []
    listener.on('message', (_, message: string) => heard.push(message))
    await listener.subscribe('news')
    expect(await plain().publish('news', 'hello')).toBe(1)
    await vi.waitFor(() => expect(heard).toEqual(['hello']), SOON)
    await listener.unsubscribe('news')
    expect(await listener.get('nothing')).toBeNull()
  })

  it('goes on when a node of another partition comes back', async () => {
    const client = plain()
    await Promise.all(KEYS.map((key) => client.set(key, 'before')))
    await nodes[3]!.stop()
    const reading = Promise.all(KEYS.map((key) => client.get(key)))
    void nodes[3]!.launch()
    expect(await reading).toEqual(KEYS.map(() => 'before'))
    expect(client.status).toBe('ready')
  })
})

describe('redis-cli', () => {
  const missing =
    spawnSync('redis-cli', ['--version']).status === 0 ? undefined : 'redis-cli is not installed'

  function cli(words: readonly string[], input = ''): Promise<string> {
    return new Promise((resolve, reject) => {
      const child = spawn('redis-cli', ['-p', String(port), ...words])
      let out = ''
      child.stdout.setEncoding('latin1').on('data', (text: string) => {
        out += text
      })
      child.once('error', reject)
      child.once('close', () => resolve(out))
      child.stdin.end(input)
    })
  }

  itUnless(missing, 'needs no -c', async () => {
    const lines = ['set foo 1', 'set b 2', 'mget foo b', 'multi', 'incr foo', 'exec', 'hello 3', 'get b']
    const out = await cli([], `${lines.join('\n')}\n`)
    expect(out).toMatch(/^OK\nOK\n1\n2\nOK\nQUEUED\n2\n/)
    expect(out).toContain('mode standalone')
    expect(out).toMatch(/\n2\n$/)
    expect(await cli(['cluster', 'slots'])).toContain('cluster support disabled')
    expect(await cli(['info', 'server'])).toContain('redis_mode:standalone')
  })

  itUnless(missing, 'loads a file of commands', async () => {
    const commands = KEYS.map((key) => `*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$1\r\nx\r\n`).join('')
    expect(await cli(['--pipe'], commands)).toContain(`errors: 0, replies: ${KEYS.length}`)
    expect(new Set((await cli(['--scan', '--pattern', 'key:*'])).trim().split('\n')).size).toBe(KEYS.length)
  })
})
