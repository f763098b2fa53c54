/**
 * etcd-members.test.ts: the coordinator on an etcd of three members that are killed and frozen under it.
 *
 * Each test has a cluster of its own, and a client that asks the member that will fail first.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { EtcdCoordinator } from '../../region-node/coordinator/etcd.ts'
import { nodeEnv } from '../../region-node/env-node.ts'
import { EtcdServer, etcdIsInstalled } from '../harness/etcd-server.ts'
import { Client, put, type Watched } from './client.ts'
import { until } from './real-time.ts'

const env = nodeEnv()
const TIMES = { attemptMs: 1000, deadlineMs: 3000 }
/** How late a call may be for its deadline: the timer, and a busy processor. */
const LATE_MS = 500
/** An election, its deadlines and a lease that begins anew. */
const RECOVERY = { timeout: 20_000, interval: 50 }
const MEMBERS = [0, 1, 2]

let server: EtcdServer
let coordinators: EtcdCoordinator[] = []

beforeEach(async () => {
  if (etcdIsInstalled) server = await EtcdServer.start(3)
})
afterEach(async () => {
  for (const coordinator of coordinators) coordinator.close()
  coordinators = []
  await server?.stop()
})

/** A client that asks these members, in this order. */
function connect(members: readonly number[]): Client {
  const endpoints = members.map((at) => server.endpoints[at]!)
  const coordinator = new EtcdCoordinator({ endpoints, root: 'members/', ...TIMES }, env)
  coordinators.push(coordinator)
  return new Client(coordinator, until)
}

function startingWith(at: number): number[] {
  return [at, ...MEMBERS.filter((other) => other !== at)]
}

async function followers(): Promise<[number, number]> {
  const leader = await server.leader()
  return MEMBERS.filter((at) => at !== leader) as [number, number]
}

/** Puts a document again and again until it is committed. A value that is told twice was committed twice. */
async function putAtLast(client: Client, key: string, value: string): Promise<void> {
  await vi.waitUntil(async () => {
    const { entries } = await client.read(key).catch(() => ({ entries: undefined }))
    if (entries === undefined) return false
    if (entries[0]?.value === value) return true
    const condition = { key, revision: entries[0]?.revision ?? 0 }
    const answer = await client.tryCommit([condition], [put(key, value)])
    return answer.ok && answer.result.isCommitted
  }, RECOVERY)
}

/** The watch has begun and told something, so that it hangs on the first member. */
async function begunWatch(client: Client): Promise<Watched> {
  const watched = client.watch('', (await client.read('')).revision)
  await client.put('key', 'first')
  await watched.told(1)
  return watched
}

describe.skipIf(!etcdIsInstalled)('when a member of etcd', () => {
  it('is killed, calls and watches go on with another one', async () => {
    const [victim] = await followers()
    const client = connect(startingWith(victim))
    const watched = await begunWatch(client)
    const lease = await client.grant(10_000)
    await server.kill(victim)
    expect(await client.renew(lease)).toBe(true)
    await client.put('key', 'second', lease)
    await client.put('key', 'third')
    expect(await watched.told(3)).toEqual(['key=first', 'key=second', 'key=third'])
    expect(await client.documents('')).toEqual({ key: 'third' })
  })

  it('is frozen, calls and watches go on with another one', async () => {
    const [victim, other] = await followers()
    const client = connect(startingWith(victim))
    const watched = await begunWatch(client)
    server.freeze(victim)
    expect(await client.documents('')).toEqual({ key: 'first' })
    await connect([other]).put('key', 'second')
    expect(await watched.told(2)).toEqual(['key=first', 'key=second'])
  })

  it('is frozen with a commit, the commit is not made a second time', async () => {
    const [victim, other] = await followers()
    const client = connect(startingWith(victim))
    const revision = await client.put('key', 'first')
    server.freeze(victim)
    const answer = await client.tryCommit([{ key: 'key', revision }], [put('key', 'second')])
    expect(answer).toMatchObject({ ok: false, failure: { code: 'timeout' } })
    expect(await connect([other]).documents('')).toEqual({ key: 'first' })
  })

  it('is the leader and is killed, nothing is lost and leases begin anew', async () => {
    const leader = await server.leader()
    const client = connect(startingWith(leader))
    const watched = await begunWatch(client)
    const lease = await client.grant(5000)
    await client.put('held', '', lease)
    await server.kill(leader)
    await putAtLast(client, 'key', 'second')
    expect(await client.renew(lease)).toBe(true)
    expect(await client.documents('held')).toEqual({ held: '' })
    await client.revoke(lease)
    expect(await watched.told(4)).toEqual(['key=first', 'held=', 'key=second', 'held-'])
  })

  it('is left alone, nothing is answered but by the deadline, and nothing from the past', async () => {
    const client = connect(MEMBERS)
    const watched = await begunWatch(client)
    const lease = await client.grant(2000)
    const revision = await client.put('held', '', lease)
    await server.kill(1)
    await server.kill(2)
    const calls = [
      () => client.tryRead(''),
      () => client.tryCommit([{ key: 'held', revision }], [put('held', 'no')]),
      () => client.tryGrant(2000),
      () => client.tryRenew(lease),
      () => client.tryRevoke(lease),
    ]
    for (const call of calls) {
      const sentMs = env.monoMs()
      expect(await call()).toMatchObject({ ok: false })
      expect(env.monoMs() - sentMs).toBeLessThan(TIMES.deadlineMs + LATE_MS)
    }
    server.launch(1)
    server.launch(2)
    await putAtLast(client, 'key', 'second')
    const told = (): unknown[] => watched.events.filter(({ key }) => key === 'key').map(({ value }) => value)
    await until(() => told().length >= 2)
    expect(told()).toEqual(['first', 'second'])
    expect(watched.losses).toEqual([])
  })

  it('leads others that are gone, a renewal is not believed', async () => {
    const leader = await server.leader()
    const client = connect([leader])
    const lease = await client.grant(10_000)
    for (const at of await followers()) server.freeze(at)
    // It believes to lead for another second, and answers a keepalive at once.
    const keepalive = await server.post('/v3/lease/keepalive', { ID: lease.id }, leader)
    expect(keepalive).toMatchObject({ result: { TTL: '10' } })
    expect(await client.tryRenew(lease)).toMatchObject({ ok: false, failure: { code: 'timeout' } })
  })
})
