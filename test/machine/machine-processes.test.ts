/**
 * machine-processes.test.ts: two real machines with real nodes: placed, moved by `causeway cluster`, and what becomes of
 * the nodes when their machine's process is killed.
 */
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Cluster } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { MachineProcess } from '../../compose/cluster/machine-process.ts'
import { freePortRun } from '../harness/free-ports.ts'
import { CAUSEWAY } from '../harness/project-root.ts'
import { tlsSettingsOf } from '../harness/tls-files.ts'

const SOON = { timeout: 30_000, interval: 50 }
const KEYS = 100

const folder = mkdtempSync(join(tmpdir(), 'causeway-machines-'))
const coordinator = ['--coordinator', `file:${join(folder, 'coordinator')}`]
const place = [...coordinator, '--region', 'A']
const machines: MachineProcess[] = []
let client: Cluster

async function cluster(...words: readonly string[]): Promise<string> {
  return await causeway('cluster', ...words, ...place)
}

async function causeway(...words: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [CAUSEWAY, ...words])
  return stdout
}

beforeAll(async () => {
  for (const name of ['m1', 'm2'])
    machines.push(
      new MachineProcess({
        ...{ name, zone: '', host: '127.0.0.1', firstPort: await freePortRun(1), folder },
        words: [...place, '--region-id', '1', '--maxmemory', '64mb'],
      }),
    )
  for (const machine of machines) machine.launch()
  await vi.waitFor(() => cluster('create', '--partitions', '1', '--copies', '1', '--machines', 'm1'), SOON)
  client = new Cluster(
    machines.map(({ plan }) => ({ host: plan.host, port: plan.firstPort })),
    { clusterRetryStrategy: () => 100, retryDelayOnClusterDown: 50 },
  )
  client.on('error', () => {})
})

afterAll(async () => {
  client?.disconnect()
  await Promise.all(machines.map((machine) => machine.stop()))
  rmSync(folder, { recursive: true, force: true })
})

describe('two machines', () => {
  it('move a partition with all that is in it', async () => {
    const [m1, m2] = machines as [MachineProcess, MachineProcess]
    for (let i = 0; i < KEYS; i++) await client.set(`key:${i}`, `value ${i}`)
    await cluster('add-node', '--machine', 'm2')
    await cluster('move', '--partition', '0', '--from', 'm1', '--to', 'm2')
    await vi.waitFor(() => expect(existsSync(m1.folderOf(0))).toBe(false), SOON)
    expect(existsSync(m2.folderOf(0))).toBe(true)
    for (let i = 0; i < KEYS; i++) expect(await client.get(`key:${i}`)).toBe(`value ${i}`)
  })

  it('leave no node behind when their process is killed, and start it again with what it had', async () => {
    const m2 = machines[1]!
    const { pids } = m2
    expect(pids.length).toBeGreaterThan(1)
    await m2.crash()
    await vi.waitFor(() => {
      for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow()
    }, SOON)
    m2.launch()
    await vi.waitFor(async () => expect(await client.get('key:1')).toBe('value 1'), SOON)
  })
})

describe('two machines whose nodes reach each other inside TLS', () => {
  it('have a partition handed over', async () => {
    const settings = Object.entries(tlsSettingsOf('node')).filter(([, value]) => value !== '')
    const region = [...coordinator, '--region', 'B']
    const pair: MachineProcess[] = []
    for (const name of ['m3', 'm4']) {
      const [firstPort, tlsPort] = [await freePortRun(1), await freePortRun(1)]
      const words = [
        ...[...region, '--region-id', '2', '--maxmemory', '64mb', '--first-tls-port', String(tlsPort)],
        ...['--tls-replication', 'yes', ...settings.flatMap(([setting, value]) => [`--${setting}`, value])],
      ]
      pair.push(new MachineProcess({ name, zone: '', host: '127.0.0.1', firstPort, folder, words }))
    }
    machines.push(...pair)
    for (const machine of pair) machine.launch()
    const create = ['create', '--partitions', '1', '--copies', '1', '--machines', 'm3', ...region]
    await vi.waitFor(() => causeway('cluster', ...create), SOON)
    await causeway('cluster', 'add-node', '--machine', 'm4', ...region)
    await causeway('cluster', 'move', '--partition', '0', '--from', 'm3', '--to', 'm4', ...region)
    await vi.waitFor(() => expect(existsSync(pair[0]!.folderOf(0))).toBe(false), SOON)
    for (const { logFile } of pair) expect(readFileSync(logFile, 'utf8')).not.toContain('was not done')
  })
})
