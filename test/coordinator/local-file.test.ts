/**
 * local-file.test.ts: the coordinator in a folder: by the suite, by several processes at once, and damaged.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { LocalFileCoordinator } from '../../region-node/coordinator/local-file.ts'
import { nodeEnv } from '../../region-node/env-node.ts'
import { PROJECT_ROOT } from '../harness/project-root.ts'
import { type Engine, itIsACoordinator } from './acceptance.ts'
import { Client, put } from './client.ts'
import type { CountReport } from './counting-process.ts'
import { until } from './real-time.ts'

const env = nodeEnv()
const DEADLINE_MS = 2000

function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'causeway-coordinator-'))
}

async function start(): Promise<Engine> {
  const folder = temporaryFolder()
  const blocked = temporaryFolder()
  const connectTo = (path: string) => new LocalFileCoordinator({ folder: path, deadlineMs: DEADLINE_MS }, env)
  return {
    connect: () => connectTo(folder),
    connectCutOff: async () => {
      const coordinator = connectTo(blocked)
      env.disk.lockFolder(`${blocked}/commits`)
      return coordinator
    },
    deadlineMs: DEADLINE_MS,
    leaseMs: 1000,
    leaseLateMs: 500,
    nowMs: () => env.monoMs(),
    until,
    forgetHistory: async (client) => {
      for (let at = 0; at < 5; at++) await client.put('history', 'x'.repeat(100_000))
    },
    stop: async () => {
      for (const path of [folder, blocked]) rmSync(path, { recursive: true })
    },
  }
}

describe('the coordinator in a folder', () => itIsACoordinator(start))

describe('a folder', () => {
  function prepare(wallMs: () => number = env.wallMs) {
    const folder = temporaryFolder()
    const open: LocalFileCoordinator[] = []
    onTestFinished(() => {
      for (const coordinator of open) coordinator.close()
      rmSync(folder, { recursive: true })
    })
    const connect = (): Client => {
      const coordinator = new LocalFileCoordinator({ folder, deadlineMs: DEADLINE_MS }, { ...env, wallMs })
      open.push(coordinator)
      return new Client(coordinator, until)
    }
    return { folder, state: join(folder, 'state.json'), connect }
  }

  it('keeps everything while nobody runs', async () => {
    const { connect } = prepare()
    const client = connect()
    const lease = await client.grant(60_000)
    const revision = await client.put('a', '1', lease)
    client.coordinator.close()
    const next = connect()
    expect(await next.documents('')).toEqual({ a: '1' })
    expect(await next.watch('', revision - 1).told(1)).toEqual(['a=1'])
    await next.revoke(lease)
    expect(await next.documents('')).toEqual({})
  })

  it('is counted in by several processes, and no count is lost', async () => {
    const { folder, connect } = prepare()
    const client = connect()
    const watched = client.watch('count', 0)
    const processes = Array.from({ length: 3 }, () => {
      const child = fork(join(PROJECT_ROOT, 'dist/test/coordinator/counting-process.js'), [folder])
      onTestFinished(() => void child.kill('SIGKILL'))
      return child
    })
    const reports = await Promise.all(processes.map(reportOf))
    const total = reports.reduce((sum, { counted }) => sum + counted, 0)
    expect(total).toBe(reports.length * 20)
    expect(await client.documents('count')).toEqual({ count: String(total) })
    const counts = Array.from({ length: total }, (_, at) => `count=${at + 1}`)
    expect(await watched.told(total)).toEqual(counts)
  })

  it('whose process dies in a commit is free for the others', async () => {
    const { folder, connect } = prepare()
    const client = connect()
    await client.put('a', '1')
    const child = fork(join(PROJECT_ROOT, 'dist/test/coordinator/counting-process.js'), [folder, 'hold'])
    await new Promise((resolve) => child.once('message', resolve))
    expect(await client.tryCommit([], [put('a', '2')])).toMatchObject({
      failure: { code: 'unavailable', sentence: expect.stringContaining('another process') },
    })
    const committed = client.tryCommit([], [put('a', '3')])
    child.kill('SIGKILL')
    expect(await committed).toMatchObject({ ok: true })
    expect(await client.documents('')).toEqual({ a: '3' })
  })

  it('that is damaged says so, and changes nothing', async () => {
    const { state, connect } = prepare()
    const client = connect()
    const revision = await client.put('a', 'precious')
    const bytes = readFileSync(state)
    const damages = [
      bytes.subarray(0, -1),
      Buffer.from(bytes.toString().replace('precious', 'prexious')),
      Buffer.from('{}'),
      Buffer.alloc(0),
    ]
    for (const damaged of damages) {
      writeFileSync(state, damaged)
      const failure = { code: 'unavailable', sentence: expect.stringContaining(`${state} is damaged`) }
      expect(await client.tryRead('')).toMatchObject({ failure })
      expect(await client.tryCommit([], [put('a', '2')])).toMatchObject({ failure })
      const watched = client.watch('', revision)
      await watched.lost()
      expect(watched.losses[0]).toContain('is damaged')
      expect(readFileSync(state)).toEqual(damaged)
    }
    writeFileSync(state, bytes)
    expect(await client.documents('')).toEqual({ a: 'precious' })
  })

  it('that is emptied under a watch loses the watch', async () => {
    const { state, connect } = prepare()
    const client = connect()
    const watched = client.watch('', await client.put('a', '1'))
    rmSync(state)
    await watched.lost()
  })

  it('whose disk is full answers with its error', async () => {
    const { connect } = prepare()
    const client = connect()
    const full = temporaryFolder()
    const disk = {
      ...env.disk,
      replaceFile: () => env.disk.replaceFile('/proc/nothing', new Uint8Array()),
    }
    const broken = new LocalFileCoordinator({ folder: full, deadlineMs: DEADLINE_MS }, { ...env, disk })
    onTestFinished(() => {
      broken.close()
      rmSync(full, { recursive: true })
    })
    const answer = await new Client(broken, until).tryCommit([], [put('a', '1')])
    expect(answer).toMatchObject({ failure: { code: 'timeout', sentence: expect.stringContaining('/proc') } })
    expect(await client.documents('')).toEqual({})
  })

  it('lets no lease last longer because the clock was set back', async () => {
    let wallMs = 2_000_000_000_000
    const { connect } = prepare(() => wallMs)
    const client = connect()
    const lease = await client.grant(1000)
    await client.put('a', '1', lease)
    expect(await client.renew(lease)).toBe(true)
    wallMs -= 3_600_000
    expect(await client.documents('')).toEqual({ a: '1' })
    wallMs += 999
    expect(await client.documents('')).toEqual({ a: '1' })
    wallMs += 1
    expect(await client.documents('')).toEqual({})
  })

  it('keeps a file for each lease, of limited length, and removes it with the lease', async () => {
    let wallMs = 2_000_000_000_000
    const { folder, connect } = prepare(() => wallMs)
    const client = connect()
    const lease = await client.grant(1000)
    const path = join(folder, 'leases', lease.id)
    for (let renewals = 0; renewals < 400; renewals++) {
      wallMs += 500
      expect(await client.renew(lease)).toBe(true)
      expect(readFileSync(path).length).toBeLessThan(8192)
    }
    await client.revoke(lease)
    expect(existsSync(path)).toBe(false)
    const late = await client.grant(1000)
    await client.renew(late)
    wallMs += 1000
    expect(await client.renew(late)).toBe(false)
    expect(readdirSync(join(folder, 'leases'))).toEqual([])
  })
})

function reportOf(child: ChildProcess): Promise<CountReport> {
  return new Promise((resolve, reject) => {
    child.once('message', (report: CountReport) => resolve(report))
    child.once('exit', (code) => reject(new Error(`a process ended with ${code}`)))
  })
}
