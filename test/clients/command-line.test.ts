/**
 * command-line.test.ts: what an operator types, against real nodes: two of one region that agree in a folder.
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { RespError } from '../../region-node/resp/parse-reply.ts'
import { CAUSEWAY } from '../harness/project-root.ts'
import { RegionProcess } from '../harness/region-process.ts'

const SOON = { timeout: 30_000, interval: 200 }

interface Ended {
  readonly code: number
  readonly out: string
  readonly errors: string
}

const folder = mkdtempSync(join(tmpdir(), 'causeway-coordinator-'))
const place = ['--coordinator', `file:${folder}`, '--region', 'A']
const nodes: RegionProcess[] = []

/** Runs `causeway` in a process of its own. */
function causeway(...words: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [CAUSEWAY, ...words], (error, out, errors) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, errors })
    })
  })
}

async function isHealthy(): Promise<void> {
  await vi.waitFor(async () => {
    const { code, out, errors } = await causeway('cluster', 'status', ...place)
    expect(code, out + errors).toBe(0)
  }, SOON)
}

/** The two nodes by what they are. */
async function roles(): Promise<{ primary: RegionProcess; replica: RegionProcess }> {
  const { out } = await causeway('cluster', 'status', ...place, '--json')
  const { address } = JSON.parse(out).partitions[0].primary
  const primary = nodes.find((node) => addressOf(node) === address)!
  return { primary, replica: nodes.find((node) => node !== primary)! }
}

function addressOf({ ports }: RegionProcess): string {
  return `127.0.0.1:${ports.port}`
}

async function reply(node: RegionProcess, ...words: string[]): Promise<string> {
  const client = await node.connect()
  try {
    return String(await client.command(...words))
  } finally {
    await client.close()
  }
}

/** The error that a command is answered with. */
async function refused(node: RegionProcess, ...words: string[]): Promise<string> {
  const client = await node.connect()
  try {
    const error = await client.command(...words)
    expect(error).toBeInstanceOf(RespError)
    return (error as RespError).line
  } finally {
    await client.close()
  }
}

beforeAll(async () => {
  for (const zone of ['a', 'b']) {
    const node = await RegionProcess.prepare({ name: 'A', id: 1 })
    node.configure({ coordinator: `file:${folder}`, zone })
    nodes.push(node)
    await node.start()
  }
})

afterAll(async () => {
  for (const node of nodes) await node.dispose()
  rmSync(folder, { recursive: true, force: true })
})

describe('causeway cluster', () => {
  it('shows a healthy region', async () => {
    await isHealthy()
    const { out } = await causeway('cluster', 'status', ...place)
    expect(out).toContain('2 nodes registered')
    expect(out).toMatch(/replica .* in sync/)
  })

  it('hands a partition over', async () => {
    const { replica } = await roles()
    const { code, out, errors } = await causeway('cluster', 'failover', '--to', addressOf(replica), ...place)
    expect(code, errors).toBe(0)
    expect(out).toContain(`${addressOf(replica)} is primary of partition 0`)
    expect(await reply(replica, 'ROLE')).toMatch(/^master/)
    await isHealthy()
  })

  it('drains a node, which is then stopped, and tells what is missing', async () => {
    const { primary, replica } = await roles()
    const { code, out, errors } = await causeway('cluster', 'drain', '--node', addressOf(primary), ...place)
    expect(code, errors).toBe(0)
    expect(out).toContain('is primary of nothing and may be stopped')
    expect(await reply(replica, 'SET', 'still', 'served')).toBe('OK')
    await primary.stop()
    const status = await causeway('cluster', 'status', ...place)
    expect([status.code, status.out]).toEqual([1, expect.stringContaining('partition 0 has a single node')])
    await primary.start()
    await isHealthy()
  })
})

describe('causeway cluster config', () => {
  const config = (...words: string[]) => causeway('cluster', 'config', ...words, ...place)

  it('reaches all nodes at once, and those that start later', async () => {
    const { code, out, errors } = await config('set', 'slowlog-max-len=77', 'timeout=600')
    expect([code, out], errors).toEqual([0, expect.stringContaining('version 1 is written')])
    for (const node of nodes)
      await vi.waitFor(async () => {
        expect(await reply(node, 'CONFIG', 'GET', 'slowlog-max-len')).toBe('slowlog-max-len,77')
        expect(await reply(node, 'INFO', 'cluster')).toContain('cluster_config_version:1\r\n')
      }, SOON)
    const { replica } = await roles()
    expect(await refused(replica, 'CONFIG', 'SET', 'timeout', '1')).toContain(
      'causeway cluster config set timeout=VALUE',
    )
    await replica.stop()
    await replica.start()
    await vi.waitFor(async () => {
      expect(await reply(replica, 'CONFIG', 'GET', 'timeout')).toBe('timeout,600')
    }, SOON)
    await isHealthy()
  })

  it('leaves a setting to the nodes again', async () => {
    expect((await config('unset', 'slowlog-max-len')).code).toBe(0)
    for (const node of nodes)
      await vi.waitFor(async () => {
        expect(await reply(node, 'CONFIG', 'GET', 'slowlog-max-len')).toBe('slowlog-max-len,128')
      }, SOON)
    expect((await config('get')).out).toBe('# version 2\ntimeout=600\n')
  })
})

describe('causeway doctor', () => {
  it('finds the neighbour, and a difference that was made', async () => {
    const [first, second] = nodes as [RegionProcess, RegionProcess]
    await vi.waitFor(async () => {
      const { code, out, errors } = await causeway('doctor', '--to', addressOf(first))
      expect(code, out + errors).toBe(0)
      expect(out).toContain(addressOf(second))
    }, SOON)
    await reply(second, 'CONFIG', 'SET', 'slowlog-max-len', '7')
    const { code, out } = await causeway('doctor', '--to', addressOf(first))
    expect(code).toBe(1)
    expect(out).toContain('slowlog-max-len is not alike')
    expect(out.split('\n').find((line) => / 7 /.test(line))).toContain(addressOf(second))
    await reply(second, 'CONFIG', 'SET', 'slowlog-max-len', '128')
  })
})
