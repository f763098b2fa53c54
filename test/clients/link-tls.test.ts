/**
 * link-tls.test.ts: `tls-replication`: regions and replicas that reach each other inside TLS only.
 */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { eventually } from '../../compose/cluster/eventually.ts'
import type { Reply } from '../../region-node/resp/parse-reply.ts'
import { freePorts } from '../harness/free-ports.ts'
import { type PeerOption, RegionProcess } from '../harness/region-process.ts'
import { tlsSettingsOf } from '../harness/tls-files.ts'

const WAIT_MS_MAX = 30_000
const TLS = Object.fromEntries(Object.entries(tlsSettingsOf('node')).filter(([, value]) => value !== ''))

interface Member {
  readonly node: RegionProcess
  readonly tlsPort: number
}

async function member(name: string, id: number, settings: Record<string, string> = {}): Promise<Member> {
  const [tlsPort] = (await freePorts(1)) as [number]
  const node = await RegionProcess.prepare({
    name,
    id,
    settings: { ...TLS, 'tls-replication': 'yes', 'tls-port': String(tlsPort), ...settings },
  })
  members.push(node)
  return { node, tlsPort }
}

const members: RegionProcess[] = []
let a: Member
let b: Member
let replica: Member

const peerAt = ({ node }: Member): PeerOption => ({
  name: node.name,
  url: node.syncUrl.replace('ws:', 'wss:'),
})

async function ask({ node }: Member, ...words: string[]): Promise<Reply> {
  const client = await node.connect()
  try {
    return await client.command(...(words as [string]))
  } finally {
    await client.close()
  }
}

const becomes = (at: Member, value: string, ...words: string[]): Promise<true> =>
  eventually(`${words.join(' ')} at ${at.node.name} answers ${value}`, WAIT_MS_MAX, async () =>
    String(await ask(at, ...words)).includes(value) ? true : undefined,
  )

beforeAll(async () => {
  a = await member('A', 1)
  b = await member('B', 2)
  replica = await member('A', 1, { 'replica-of': `127.0.0.1:${a.tlsPort}` })
  a.node.configure({ ...TLS, 'tls-replication': 'yes', 'tls-port': String(a.tlsPort) }, [peerAt(b)])
  b.node.configure({ ...TLS, 'tls-replication': 'yes', 'tls-port': String(b.tlsPort) }, [peerAt(a)])
  await Promise.all(members.map((node) => node.start()))
  await a.node.takesWrites()
})

afterAll(() => Promise.all(members.map((node) => node.dispose())))

it('a write reaches the other region and the replica', async () => {
  expect(await ask(a, 'SET', 'from', 'A')).toBe('OK')
  await becomes(b, 'A', 'GET', 'from')
  await becomes(replica, 'A', 'GET', 'from')
})

it('a replica names its port for TLS, and takes over at it', async () => {
  await becomes(a, `port=${replica.tlsPort},state=online`, 'INFO', 'replication')
  expect(await ask(a, 'FAILOVER')).toBe('OK')
  await becomes(replica, 'role:master', 'INFO', 'replication')
  await becomes(a, `master_port:${replica.tlsPort}`, 'INFO', 'replication')
  await becomes(a, 'master_link_status:up', 'INFO', 'replication')
})

it('whoever speaks no TLS is told nothing, at the port for links and at that of clients', async () => {
  const plain = await RegionProcess.prepare({
    name: 'A',
    id: 1,
    settings: { 'replica-of': `127.0.0.1:${a.node.ports.port}` },
  })
  members.push(plain)
  await plain.start()
  await eventually('its log says why', WAIT_MS_MAX, () =>
    Promise.resolve(plain.stderr.includes('is TLS spoken there') ? true : undefined),
  )
  const { node } = await member('C', 3, {})
  node.configure({}, [{ name: 'B', url: b.node.syncUrl }])
  await node.start()
  await eventually('its log says why', WAIT_MS_MAX, () =>
    Promise.resolve(node.stderr.includes('is TLS spoken there') ? true : undefined),
  )
})
