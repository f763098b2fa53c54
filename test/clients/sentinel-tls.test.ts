/**
 * sentinel-tls.test.ts: ioredis by way of a Sentinel, inside TLS all the way: two nodes of one region that take nothing
 * else.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { freePorts } from '../harness/free-ports.ts'
import { RegionProcess } from '../harness/region-process.ts'
import { RespClient } from '../harness/resp-client.ts'
import { CERTIFICATES, tlsSettingsOf } from '../harness/tls-files.ts'

const SOON = { timeout: 60_000, interval: 100 }
const SETTINGS = Object.fromEntries(Object.entries(tlsSettingsOf('node')).filter(([, value]) => value !== ''))
const file = (name: string): Buffer => readFileSync(`${CERTIFICATES}/${name}`)
const TLS = { ca: file('ca.pem'), cert: file('client.pem'), key: file('client.key') }

const folder = mkdtempSync(join(tmpdir(), 'causeway-coordinator-'))
const nodes: RegionProcess[] = []
const sentinels: { host: string; port: number }[] = []
const clients: Redis[] = []

/** Ended with the tests. */
function kept(client: Redis): Redis {
  client.on('error', () => {})
  clients.push(client)
  return client
}

beforeAll(async () => {
  for (const zone of ['a', 'b']) {
    const [port] = (await freePorts(1)) as [number]
    const node = await RegionProcess.prepare({ name: 'A', id: 1 })
    node.configure({
      ...SETTINGS,
      ...{ port: '0', 'tls-port': String(node.ports.port), 'tls-replication': 'yes', zone },
      ...{ 'sentinel-tls-port': String(port), coordinator: `file:${folder}` },
    })
    nodes.push(node)
    sentinels.push({ host: '127.0.0.1', port })
    void node.launch()
  }
})

afterAll(async () => {
  for (const client of clients) client.disconnect()
  for (const node of nodes) await node.dispose()
  rmSync(folder, { recursive: true, force: true })
})

it('finds the primary, and the next one when it hears of it', async () => {
  const client = kept(
    new Redis({
      ...{ sentinels, name: 'A', sentinelTLS: TLS, enableTLSForSentinelMode: true, tls: TLS },
      failoverDetector: true,
      sentinelRetryStrategy: () => 100,
    }),
  )
  expect(await client.set('key', 'before')).toBe('OK')
  const direct = nodes.map(({ ports }) => kept(new Redis({ host: '127.0.0.1', port: ports.port, tls: TLS })))
  const roleOf = async (node: Redis): Promise<string> =>
    (await node.info('replication')).match(/role:(\w+)/)![1]!
  const roles = await Promise.all(direct.map(roleOf))
  const replica = direct[roles.indexOf('slave')]!
  // It is granted once it is in sync.
  await expect
    .poll(async () => {
      await replica.cluster('FAILOVER').catch(String)
      return await roleOf(replica)
    }, SOON)
    .toBe('master')
  await expect.poll(() => client.set('key', 'after').catch(String), SOON).toBe('OK')
  expect(await replica.get('key')).toBe('after')
})

it('lets nobody in without TLS, or without a certificate', async () => {
  const { port } = sentinels[0]!
  const plain = await RespClient.connect(port)
  await expect(plain.ask('PING')).rejects.toThrow('the connection ended')
  const nameless = kept(
    new Redis({ host: '127.0.0.1', port, tls: { ca: TLS.ca }, retryStrategy: () => null }),
  )
  await expect(nameless.ping()).rejects.toThrow()
})
