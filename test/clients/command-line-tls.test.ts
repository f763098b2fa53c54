/**
 * command-line-tls.test.ts: what an operator types, against real nodes that take only TLS, from clients and from each
 * other.
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { CAUSEWAY } from '../harness/project-root.ts'
import { RegionProcess } from '../harness/region-process.ts'
import { CERTIFICATES, tlsSettingsOf } from '../harness/tls-files.ts'

const SOON = { timeout: 60_000, interval: 200 }
const TLS = Object.fromEntries(Object.entries(tlsSettingsOf('node')).filter(([, value]) => value !== ''))
const TRUST = ['--tls', '--cacert', `${CERTIFICATES}/ca.pem`]
const ADMIN = [...TRUST, '--cert', `${CERTIFICATES}/client.pem`, '--key', `${CERTIFICATES}/client.key`]

const folder = mkdtempSync(join(tmpdir(), 'causeway-coordinator-'))
const place = ['--coordinator', `file:${folder}`, '--region', 'A']
const nodes: RegionProcess[] = []

interface Ended {
  readonly code: number
  readonly out: string
  readonly errors: string
}

/** Runs `causeway` in a process of its own. */
function causeway(...words: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [CAUSEWAY, ...words], (error, out, errors) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, errors })
    })
  })
}

const addressOf = ({ ports }: RegionProcess): string => `127.0.0.1:${ports.port}`

async function isHealthy(): Promise<void> {
  await vi.waitFor(async () => {
    const { code, out, errors } = await causeway('cluster', 'status', ...place)
    expect(code, out + errors).toBe(0)
  }, SOON)
}

beforeAll(async () => {
  for (const zone of ['a', 'b']) {
    const node = await RegionProcess.prepare({ name: 'A', id: 1 })
    node.configure({
      ...TLS,
      ...{ port: '0', 'tls-port': String(node.ports.port), 'tls-replication': 'yes', zone },
      coordinator: `file:${folder}`,
    })
    nodes.push(node)
    void node.launch()
  }
  await isHealthy()
})

afterAll(async () => {
  for (const node of nodes) await node.dispose()
  rmSync(folder, { recursive: true, force: true })
})

it('causeway region goes to the primary, from either node', async () => {
  for (const node of nodes) {
    const { code, out, errors } = await causeway('region', 'list', '--to', addressOf(node), ...ADMIN)
    expect(code, errors).toBe(0)
    expect(out).toMatch(/^0 +A +1 +self/m)
  }
})

it('causeway doctor finds the neighbour', async () => {
  const { code, out, errors } = await causeway('doctor', '--to', addressOf(nodes[0]!), ...ADMIN)
  expect(code, out + errors).toBe(0)
  for (const node of nodes) expect(out).toContain(addressOf(node))
})

it('causeway cluster failover and drain move the primary', async () => {
  const { out } = await causeway('cluster', 'status', ...place, '--json')
  const { primary, replicas } = JSON.parse(out).partitions[0]
  const to = ['--to', replicas[0].address]
  const plain = await causeway('cluster', 'failover', ...to, ...place)
  expect([plain.code, plain.errors]).toEqual([1, expect.stringContaining('takes only TLS: add --tls')])
  const moved = await causeway('cluster', 'failover', ...to, ...place, ...ADMIN)
  expect([moved.code, moved.out], moved.errors).toEqual([
    0,
    expect.stringContaining('is primary of partition 0'),
  ])
  await isHealthy()
  const drained = await causeway('cluster', 'drain', '--node', replicas[0].address, ...place, ...ADMIN)
  expect(drained.code, drained.errors).toBe(0)
  expect(drained.out).toContain(`${primary.address} is primary of partition 0`)
})

it.each([
  ['without TLS', [], 'is TLS spoken there (--tls)?'],
  ['without a certificate', TRUST, 'does it want a certificate that it trusts (--cert FILE --key FILE)?'],
  [
    'without whom to trust',
    ['--tls'],
    'is not trusted (self-signed certificate in certificate chain): name who',
  ],
])('%s it says what to do', async (_what, words, sentence) => {
  const { code, errors } = await causeway('region', 'list', '--to', addressOf(nodes[0]!), ...words)
  expect([code, errors]).toEqual([1, expect.stringContaining(sentence)])
})
