/**
 * etcd.test.ts: the coordinator on a real etcd: of one member, of three, with users, and over TLS.
 */
import { fork } from 'node:child_process'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { EtcdCoordinator } from '../../region-node/coordinator/etcd.ts'
import type { EtcdSettings } from '../../region-node/coordinator/etcd-gateway.ts'
import type { Answer, Reading } from '../../region-node/coordinator/port.ts'
import { nodeEnv } from '../../region-node/env-node.ts'
import { EtcdServer, etcdIsInstalled } from '../harness/etcd-server.ts'
import { PROJECT_ROOT } from '../harness/project-root.ts'
import { type Engine, itIsACoordinator } from './acceptance.ts'
import { Client, put } from './client.ts'
import { until } from './real-time.ts'

const env = nodeEnv()
const TIMES = { attemptMs: 2000, deadlineMs: 4000 }

async function start(size: 1 | 3): Promise<Engine> {
  const server = await EtcdServer.start(size)
  const silent = createServer(() => {})
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  const { port } = silent.address() as { port: number }
  const connectTo = (endpoints: readonly string[]) =>
    new EtcdCoordinator({ endpoints, root: 'acceptance/', ...TIMES }, env)
  return {
    connect: () => connectTo(server.endpoints),
    connectCutOff: async () => connectTo([`http://127.0.0.1:${port}`]),
    deadlineMs: TIMES.deadlineMs,
    leaseMs: 2000,
    // Leases are looked at twice in a second, and revoked by a commit.
    leaseLateMs: 1500,
    nowMs: () => env.monoMs(),
    until,
    forgetHistory: async (client) => {
      await client.put('history', '1')
      await server.post('/v3/kv/compaction', { revision: await client.put('history', '2') })
    },
    stop: async () => {
      silent.close()
      await server.stop()
    },
  }
}

describe.skipIf(!etcdIsInstalled)('the etcd coordinator', () => {
  describe('with one member', () => itIsACoordinator(() => start(1)))
  describe('with three members', () => itIsACoordinator(() => start(3)))

  describe('with other clients beside it', () => {
    let server: EtcdServer
    beforeAll(async () => {
      server = await EtcdServer.start(1)
    })
    afterAll(() => server?.stop())

    const connect = (root: string): Client => {
      const coordinator = new EtcdCoordinator({ endpoints: server.endpoints, root, ...TIMES }, env)
      onTestFinished(() => coordinator.close())
      return new Client(coordinator, until)
    }

    it('sees only what lies under its root', async () => {
      const [one, two, all] = [connect('one/'), connect('two/'), connect('')]
      const watched = one.watch('', (await one.read('')).revision)
      await two.put('a', '2')
      await one.put('a', '1')
      expect(await one.documents('')).toEqual({ a: '1' })
      expect(await watched.told(1)).toEqual(['a=1'])
      expect(await all.documents('')).toEqual({ 'one/a': '1', 'two/a': '2' })
    })

    it('asks for whole seconds, and says what it was granted', async () => {
      const lease = await connect('seconds/').grant(60_001)
      expect(lease.ttlMs).toBe(61_000)
    })

    it('hears of a lease that somebody else revokes', async () => {
      const client = connect('revoked/')
      const lease = await client.grant(60_000)
      const revision = await client.put('a', '1', lease)
      const watched = client.watch('', revision)
      await server.post('/v3/lease/revoke', { ID: lease.id })
      expect(await watched.told(1)).toEqual(['a-'])
      expect(await client.renew(lease)).toBe(false)
    })
  })
})

describe.skipIf(!etcdIsInstalled)('an etcd with users', () => {
  let server: EtcdServer
  beforeAll(async () => {
    server = await EtcdServer.start(1)
    await server.post('/v3/auth/user/add', { name: 'root', password: 'secret' })
    await server.post('/v3/auth/role/add', { name: 'root' })
    await server.post('/v3/auth/user/grant', { user: 'root', role: 'root' })
    await server.post('/v3/auth/user/add', { name: 'node', password: 'of the node' })
    await server.post('/v3/auth/role/add', { name: 'nodes' })
    const range = { key: base64('causeway/'), range_end: base64('causeway0') }
    await server.post('/v3/auth/role/grant', { name: 'nodes', perm: { permType: 'READWRITE', ...range } })
    await server.post('/v3/auth/user/grant', { user: 'node', role: 'nodes' })
    await server.post('/v3/auth/enable', {})
  })
  afterAll(() => server?.stop())

  const connect = (settings: Partial<EtcdSettings>): Client => {
    const { endpoints } = server
    const coordinator = new EtcdCoordinator({ endpoints, root: 'causeway/', ...TIMES, ...settings }, env)
    onTestFinished(() => coordinator.close())
    return new Client(coordinator, until)
  }
  const credentials = { user: 'node', password: 'of the node' }

  it('serves a user within what he may do', async () => {
    const client = connect({ credentials })
    const watched = client.watch('', (await client.read('')).revision)
    const lease = await client.grant(10_000)
    await client.put('a', '1', lease)
    expect(await client.renew(lease)).toBe(true)
    await client.revoke(lease)
    expect(await watched.told(2)).toEqual(['a=1', 'a-'])
  })

  it('refuses others, and says why', async () => {
    const wrong = connect({ credentials: { user: 'node', password: 'wrong' } })
    const refused = { ok: false, failure: { code: 'unavailable' } }
    expect(await wrong.tryRead('')).toMatchObject(refused)
    expect(await wrong.tryCommit([], [put('a', '')])).toMatchObject(refused)
    expect(await connect({}).tryRead('')).toMatchObject(refused)
    const elsewhere = connect({ credentials, root: 'elsewhere/' })
    expect(await elsewhere.tryRead('')).toMatchObject({
      failure: { code: 'unavailable', sentence: expect.stringContaining('permission denied') },
    })
    const watched = elsewhere.watch('', 1)
    await watched.lost()
    expect(watched.losses[0]).toContain('permission denied')
  })

  it('forgets its tokens when it is started anew, and the client takes another one', async () => {
    const client = connect({ credentials })
    const watched = client.watch('', (await client.read('')).revision)
    await client.put('a', '1')
    await watched.told(1)
    await server.kill(0)
    server.launch(0)
    await vi.waitUntil(async () => (await client.tryRead('')).ok, { timeout: 20_000 })
    await client.put('a', '2')
    expect(await watched.told(2)).toEqual(['a=1', 'a=2'])
  })
})

describe.skipIf(!etcdIsInstalled)('an etcd over TLS', () => {
  const certificates = join(PROJECT_ROOT, 'test/harness/certificates')
  const trusting = { NODE_EXTRA_CA_CERTS: join(certificates, 'ca.pem') }
  let server: EtcdServer
  beforeAll(async () => {
    const [certificate, key] = [join(certificates, 'node.pem'), join(certificates, 'node.key')]
    server = await EtcdServer.start(1, { certificate, key })
    await vi.waitUntil(async () => (await readIn(trusting)).ok, { timeout: 20_000 })
  })
  afterAll(() => server?.stop())

  /** What a process answers that reads a document, given further authorities to trust. */
  async function readIn(environment: Record<string, string>): Promise<Answer<Reading>> {
    const child = fork(
      join(PROJECT_ROOT, 'dist/test/coordinator/reading-process.js'),
      [...server.endpoints],
      {
        env: { ...process.env, ...environment },
      },
    )
    return new Promise((resolve, reject) => {
      child.once('message', resolve)
      child.once('exit', (code) => reject(new Error(`the process ended with ${code}`)))
    })
  }

  it('is believed when its authority is named in NODE_EXTRA_CA_CERTS', async () => {
    expect(await readIn(trusting)).toMatchObject({ ok: true })
  })

  it('is not believed otherwise, and nothing is sent to it', async () => {
    expect(await readIn({})).toMatchObject({
      ok: false,
      failure: { code: 'unavailable', sentence: expect.stringContaining('certificate') },
    })
  })
})

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}
