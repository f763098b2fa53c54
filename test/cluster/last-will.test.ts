/**
 * last-will.test.ts: a process is killed, and its lease ends at once; with real processes and a real etcd.
 *
 * What a guard is doing is read from /proc.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { EtcdCoordinator } from '../../region-node/coordinator/etcd.ts'
import type { EtcdSettings } from '../../region-node/coordinator/etcd-gateway.ts'
import type { Lease } from '../../region-node/coordinator/port.ts'
import { nodeEnv } from '../../region-node/env-node.ts'
import { Client, type Watched } from '../coordinator/client.ts'
import { until } from '../coordinator/real-time.ts'
import { EtcdServer, etcdIsInstalled } from '../harness/etcd-server.ts'
import { PROJECT_ROOT } from '../harness/project-root.ts'
import type { GuardReport, Order } from './last-will-parent.ts'

const env = nodeEnv()
const REVOKED_MS_MAX = 1000
/** Tries to reach an etcd that is gone, and the call that is under way then. */
const GIVEN_UP = { timeout: 9000, interval: 20 }

let server: EtcdServer

beforeAll(async () => {
  if (etcdIsInstalled) server = await EtcdServer.start(1)
})
afterAll(() => server?.stop())

interface Scene {
  readonly client: Client
  readonly lease: Lease
  /** Tells of the key that the lease holds. */
  readonly watched: Watched
  readonly parent: ChildProcess
  guard(): Promise<number>
}

/** A process that holds a lease of a minute and has a guard. */
async function prepare(endpoints: readonly string[] = server.endpoints): Promise<Scene> {
  const etcd: EtcdSettings = { endpoints: server.endpoints, root: 'will/', attemptMs: 1000, deadlineMs: 2000 }
  const coordinator = new EtcdCoordinator(etcd, env)
  onTestFinished(() => coordinator.close())
  const client = new Client(coordinator, until)
  const lease = await client.grant(60_000)
  const watched = client.watch('', await client.put('held', '', lease))
  const parent = fork(join(PROJECT_ROOT, 'dist/test/cluster/last-will-parent.js'))
  onTestFinished(() => void parent.kill('SIGKILL'))
  const guard = async (order: Order = 'tell'): Promise<number> => {
    const told = new Promise<GuardReport>((resolve) => parent.once('message', resolve))
    parent.send(order)
    return (await told).guard!
  }
  await guard({ etcd: { ...etcd, endpoints }, lease })
  return { client, lease, watched, parent, guard }
}

/** @returns how long the lease lasted then, milliseconds */
async function killed({ parent, watched }: Scene): Promise<number> {
  const killedMs = env.monoMs()
  parent.kill('SIGKILL')
  expect(await watched.told(1)).toEqual(['held-'])
  return env.monoMs() - killedMs
}

/** One that has ended and that nobody has asked after yet does not count. */
function isRunning(pid: number): boolean {
  const path = `/proc/${pid}/status`
  return existsSync(path) && !/^State:\s*Z/m.test(readFileSync(path, 'utf8'))
}

describe.skipIf(!etcdIsInstalled || process.platform !== 'linux')(
  'when a process that has a last will',
  () => {
    it('is killed, its lease ends at once, and so does the guard', async () => {
      const scene = await prepare()
      const guard = await scene.guard()
      await vi.waitUntil(() => signalsAreCaught(guard))
      expect(await killed(scene)).toBeLessThan(REVOKED_MS_MAX)
      await vi.waitUntil(() => !isRunning(guard), GIVEN_UP)
    })

    it('is killed while its guard is still starting, its lease ends all the same', async () => {
      const scene = await prepare()
      expect(await killed(scene)).toBeLessThan(2 * REVOKED_MS_MAX)
    })

    it('ends in order, the lease runs on and the guard is gone', async () => {
      const { client, lease, parent, guard } = await prepare()
      const pid = await guard()
      parent.send('close' satisfies Order)
      await vi.waitUntil(() => !isRunning(pid), GIVEN_UP)
      expect(await client.renew(lease)).toBe(true)
      await client.revoke(lease)
    })

    it('lives, no signal of a terminal or a service manager ends its guard', async () => {
      const scene = await prepare()
      const guard = await scene.guard()
      await vi.waitUntil(() => signalsAreCaught(guard))
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(guard, signal)
      expect(await killed(scene)).toBeLessThan(REVOKED_MS_MAX)
    })

    it('lives, and its guard is killed, it starts another one', async () => {
      const scene = await prepare()
      const first = await scene.guard()
      process.kill(first, 'SIGKILL')
      await vi.waitUntil(async () => (await scene.guard()) !== first, GIVEN_UP)
      expect(await scene.client.renew(scene.lease)).toBe(true)
      expect(await killed(scene)).toBeLessThan(2 * REVOKED_MS_MAX)
    })

    it('is killed and etcd cannot be reached, the guard gives up by itself', async () => {
      const scene = await prepare(['http://127.0.0.1:1'])
      const guard = await scene.guard()
      scene.parent.kill('SIGKILL')
      await vi.waitUntil(() => !isRunning(guard), GIVEN_UP)
      expect(await scene.client.renew(scene.lease)).toBe(true)
      await scene.client.revoke(scene.lease)
    })

    it('tells its guard nothing on the command line', async () => {
      const { guard, parent } = await prepare()
      const words = readFileSync(`/proc/${await guard()}/cmdline`, 'utf8').split('\0')
      expect(words.join(' ')).not.toContain('http')
      parent.send('close' satisfies Order)
    })
  },
)

/** The guard's program has come so far that it takes no notice of signals: that is seen in its masks. */
function signalsAreCaught(pid: number): boolean {
  const [, mask = '0'] = /SigCgt:\s*([0-9a-f]+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  const SIGHUP_INT_TERM = 0x4003n
  return (BigInt(`0x${mask}`) & SIGHUP_INT_TERM) === SIGHUP_INT_TERM
}
