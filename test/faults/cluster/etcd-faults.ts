/**
 * etcd-faults.ts: the etcd itself fails: its leader, its quorum, its memory of what has happened.
 */
import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { PROFILES } from '../../../region-node/cluster/profiles.ts'
import { DirectWriter } from './direct.ts'
import { CRASH_MS_MAX, LOSS_MS_MAX } from './process-faults.ts'
import type { Scene } from './scene.ts'
import type { Fault, Trial } from './trial.ts'

const LOAD_MS = 1000
const QUORUM_LOST_MS = 30_000
const { ttlMs, marginMs } = PROFILES.high
/** An etcd that has to elect a leader first, and a lease that began anew by that. */
const BOTH_LOST_MS_MAX = 2 * ttlMs + 2000

export const ETCD_FAULTS: readonly Fault[] = [
  {
    ...{ number: '7', fault: 'lease lost, process healthy' },
    ...{ done: 'lease revoked in the etcd', ack: 'sync', run: revoked },
  },
  {
    ...{ number: '8a', fault: 'etcd leader killed' },
    ...{ done: 'kill -9 of the leading member', ack: 'sync', run: leaderKilled },
  },
  {
    ...{ number: '8b', fault: 'etcd leader and primary killed at one moment' },
    ...{ done: 'kill -9 of both', ack: 'sync', run: bothKilled },
  },
  {
    ...{ number: '8c', fault: 'etcd quorum lost' },
    ...{ done: `two members killed for ${QUORUM_LOST_MS / 1000} s`, ack: 'sync', run: quorumLost },
  },
  {
    ...{ number: '8d', fault: 'etcd restored from an old backup' },
    ...{ done: 'two failovers, then the data of all members put back', ack: 'sync', run: restored },
  },
]

async function revoked(trial: Trial): Promise<void> {
  const { cluster } = trial.scene
  const writer = await trial.writer('A')
  const probes = cluster.nodesOf('A').map((node) => new DirectWriter(node))
  for (const probe of probes) probe.start()
  await delay(LOAD_MS)
  const primary = await cluster.primaryOf('A')
  const { leaseId, term } = await cluster.standing('A')
  const atMs = performance.now()
  await cluster.etcd.post('/v3/lease/revoke', { ID: leaseId })
  await cluster.settle()
  await trial.window(writer, atMs, LOSS_MS_MAX)
  const next = await cluster.primaryOf('A')
  trial.expect((await cluster.standing('A')).term > term, 'it went on in the same term')
  await Promise.all(probes.map((probe) => probe.stop()))
  trial.remark(next === primary ? 'the same node claimed again' : 'another node took over')
}

async function leaderKilled(trial: Trial): Promise<void> {
  const { cluster } = trial.scene
  const writer = await trial.writer('A')
  await delay(LOAD_MS)
  const { term } = await cluster.standing('A')
  const leader = await cluster.etcd.leader()
  const atMs = performance.now()
  await cluster.etcd.kill(leader)
  await cluster.etcd.serves()
  await delay(2 * ttlMs)
  await trial.window(writer, atMs, marginMs)
  trial.expect((await cluster.standing('A')).term === term, 'there was an election of a primary')
}

async function bothKilled(trial: Trial): Promise<void> {
  const { cluster } = trial.scene
  const writer = await trial.writer('A')
  await delay(LOAD_MS)
  const primary = await cluster.primaryOf('A')
  const leader = await cluster.etcd.leader()
  const atMs = performance.now()
  await Promise.all([cluster.etcd.kill(leader), primary.process.kill()])
  const next = await trial.successorOf(primary)
  await trial.window(writer, atMs, BOTH_LOST_MS_MAX)
  await trial.expectAllAt(next)
}

async function quorumLost(trial: Trial): Promise<void> {
  const { cluster } = trial.scene
  const writer = await trial.writer('A')
  await delay(LOAD_MS)
  const primary = await cluster.primaryOf('A')
  const atMs = performance.now()
  await Promise.all([cluster.etcd.kill(0), cluster.etcd.kill(1)])
  await delay(QUORUM_LOST_MS)
  await trial.window(writer, atMs, marginMs)
  for (const at of [0, 1]) cluster.etcd.revive(at)
  await cluster.etcd.serves()
  await cluster.settle()
  await trial.window(writer, atMs, LOSS_MS_MAX)
  trial.expect((await primary.role()) === 'primary', 'it is primary no more')
}

async function restored(trial: Trial): Promise<void> {
  const { scene } = trial
  const { cluster } = scene
  await backUp(scene)
  const writer = await trial.writer('A')
  for (let failovers = 0; failovers < 2; failovers++) {
    const primary = await cluster.primaryOf('A')
    await primary.process.kill()
    await trial.successorOf(primary)
    await primary.process.start()
    await cluster.settle()
  }
  const { term } = await cluster.standing('A')
  const atMs = performance.now()
  await putBack(scene)
  const primary = await cluster.primaryOf('A')
  const standing = await cluster.standing('A')
  trial.expect(standing.term > term, `term ${standing.term} came after term ${term}`)
  await trial.window(writer, atMs, BOTH_LOST_MS_MAX + CRASH_MS_MAX)
  await trial.expectAllAt(primary)
}

const BACKUP = 'backup'

function memberFolders(scene: Scene): readonly string[] {
  return scene.cluster.etcd.endpoints.map((_, at) => `member-${at}`)
}

async function backUp(scene: Scene): Promise<void> {
  const { etcd } = scene.cluster
  await etcd.end()
  for (const name of memberFolders(scene))
    cpSync(join(etcd.folder, name), join(etcd.folder, BACKUP, name), { recursive: true })
  etcd.launchAll()
  await etcd.serves()
  await scene.cluster.settle()
}

async function putBack(scene: Scene): Promise<void> {
  const { etcd } = scene.cluster
  await etcd.end()
  for (const name of memberFolders(scene)) {
    rmSync(join(etcd.folder, name), { recursive: true })
    cpSync(join(etcd.folder, BACKUP, name), join(etcd.folder, name), { recursive: true })
  }
  etcd.launchAll()
  await etcd.serves()
}
