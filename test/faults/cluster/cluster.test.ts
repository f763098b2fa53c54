/**
 * cluster.test.ts: failover inside a region with real nodes and a real etcd: the short version of
 * `npm run faults:cluster`.
 *
 * The relays of the scene need a loopback of more than one address.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { etcdIsInstalled } from '../../../compose/cluster/etcd-members.ts'
import { frozen, KILLED, WIPED, ZONE_LOST } from './process-faults.ts'
import { Scene } from './scene.ts'
import { type Fault, Trial } from './trial.ts'

/** Figures are measured elsewhere: here other work may keep the machine busy. */
const PATIENCE = 4
const HAND_OVER_MS_MAX = 500

const HANDED_OVER: Fault = {
  ...{ number: '', fault: 'hand-over', done: 'FAILOVER', ack: 'sync' },
  run: async (trial) => {
    const { cluster } = trial.scene
    const writer = await trial.writer('A')
    const primary = await cluster.primaryOf('A')
    const atMs = performance.now()
    await primary.ask('FAILOVER')
    const next = await trial.successorOf(primary)
    await trial.window(writer, atMs, HAND_OVER_MS_MAX)
    trial.expect(writer.errorsSince(atMs).length === 0, 'a client was answered an error')
    await trial.expectAllAt(next)
  },
}

const canRun = etcdIsInstalled && process.platform === 'linux'

describe.skipIf(!canRun)('two regions with an etcd (installed: etcd-server)', () => {
  let scene: Scene
  beforeAll(async () => {
    scene = await Scene.start()
  })
  afterAll(() => scene?.stop())

  it.each([
    ['a primary is killed', KILLED],
    ['a primary hands over', HANDED_OVER],
    ['a primary is frozen and goes on', frozen(0, 'sync')],
    ['a zone is lost', ZONE_LOST],
    ['a primary comes back without its disk', WIPED],
  ])('lose nothing when %s', async (_what, fault) => {
    const report = await Trial.of(fault, scene, PATIENCE)
    expect(report.failures).toEqual([])
    expect(report.acknowledged).toBeGreaterThan(100)
    expect(report.found).toBe(report.acknowledged)
  })
})
