/**
 * network-faults.ts: ways between nodes, to the etcd and between regions that are cut or slow.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { ClusterNode } from '../../../compose/cluster/cluster-node.ts'
import { connectCluster } from '../../../compose/cluster/writer.ts'
import { PROFILES } from '../../../region-node/cluster/profiles.ts'
import { DirectWriter } from './direct.ts'
import { CRASH_MS_MAX, LOSS_MS_MAX } from './process-faults.ts'
import type { AckMode, Fault, Trial } from './trial.ts'

const LOAD_MS = 1000
const ETCD_CUT_MS = 10_000
/** The primary of before may still have a word to say for that long. */
const WATCH_MS = 2 * PROFILES.high.ttlMs
const SLOW_BYTES_PER_SECOND = 20_000
const BULK_KEYS = 4000
const BULK_BYTES = 2000
/** A region is given up after so long, and is away for three times that. */
const DARK_MS = 5000

export const NETWORK_FAULTS: readonly Fault[] = [
  isolated('async'),
  isolated('sync'),
  {
    ...{ number: '3', fault: 'primary cut from the etcd only' },
    done: `its ways to all members cut for ${ETCD_CUT_MS / 1000} s`,
    ack: 'sync',
    run: withoutEtcd,
  },
  {
    ...{ number: '12', fault: 'replicas far behind, then the primary dies' },
    done: `replication slowed to ${SLOW_BYTES_PER_SECOND / 1000} kB/s under load, then kill -9`,
    ack: 'sync',
    run: farBehind,
  },
  {
    ...{ number: '18', fault: 'regions cut for long, writes on both sides' },
    done: `cut for ${(3 * DARK_MS) / 1000} s with peer-dark-max-ms ${DARK_MS}, and a primary killed meanwhile`,
    ack: 'sync',
    run: regionsApart,
  },
]

/** Cut from the etcd and from its replicas, but not from clients. */
function isolated(ack: AckMode): Fault {
  return {
    ...{ number: '2', fault: 'primary cut from etcd and replicas, not from clients' },
    done: 'its ways to the etcd and to its replicas cut until another one has been primary for a while',
    ack,
    run: async (trial) => {
      const { scene } = trial
      const writer = await trial.writer('A')
      const primary = await scene.cluster.primaryOf('A')
      const probes = scene.cluster.nodesOf('A').map((node) => new DirectWriter(node))
      for (const probe of probes) probe.start()
      await delay(LOAD_MS)
      const atMs = performance.now()
      const { etcd, replicas } = scene.relaysOf(primary)
      for (const relay of [...etcd, replicas]) relay.cut()
      const next = await trial.successorOf(primary)
      await trial.window(writer, atMs, LOSS_MS_MAX)
      if (ack === 'sync') await trial.expectAllAt(next)
      await delay(WATCH_MS)
      await Promise.all(probes.map((probe) => probe.stop()))
      expectOneAtATime(trial, probes, primary, next)
    },
  }
}

/** No OK of the former one after the first of the next. */
function expectOneAtATime(
  trial: Trial,
  probes: readonly DirectWriter[],
  former: ClusterNode,
  next: ClusterNode,
): void {
  const okMs = (node: ClusterNode): readonly number[] => probes.find((probe) => probe.node === node)!.okMs
  const lastMs = okMs(former).at(-1) ?? Number.NEGATIVE_INFINITY
  const firstMs = okMs(next)[0] ?? Number.NEGATIVE_INFINITY
  trial.expect(lastMs < firstMs, 'two primaries said OK at one time')
  trial.remark(`${Math.round(firstMs - lastMs)} ms from the last OK of the one to the first of the other`)
}

async function withoutEtcd(trial: Trial): Promise<void> {
  const { scene } = trial
  const { cluster } = scene
  const writer = await trial.writer('A')
  await delay(LOAD_MS)
  const primary = await cluster.primaryOf('A')
  const { term } = await cluster.standing('A')
  const atMs = performance.now()
  for (const relay of scene.relaysOf(primary).etcd) relay.cut()
  await delay(ETCD_CUT_MS)
  await trial.window(writer, atMs, PROFILES.high.marginMs)
  trial.expect((await primary.role()) === 'primary', 'it is primary no more')
  trial.expect((await cluster.standing('A')).term === term, 'there was an election')
}

async function farBehind(trial: Trial): Promise<void> {
  const { scene } = trial
  const { cluster } = scene
  await trial.writer('A')
  const primary = await cluster.primaryOf('A')
  scene.relaysOf(primary).replicas.bytesPerSecondMax = SLOW_BYTES_PER_SECOND
  await writeBulk(scene.seeds('A'), 'behind')
  const { inSync } = await cluster.standing('A')
  trial.expect(inSync.join() === primary.name, `still in sync: ${inSync.join(', ')}`)
  await primary.process.kill()
  scene.relaysOf(primary).replicas.cut()
  const endMs = performance.now() + WATCH_MS
  while (performance.now() < endMs) {
    const roles = await Promise.all(cluster.nodesOf('A').map((node) => node.role()))
    trial.expect(!roles.includes('primary'), 'one that lacks acknowledged writes was promoted')
    await delay(LOAD_MS)
  }
  await primary.process.start()
  await cluster.primaryOf('A')
  trial.remark('nobody was promoted; the region took writes again when the node was back')
}

/** @returns when all are acknowledged */
async function writeBulk(seeds: Parameters<typeof connectCluster>[0], name: string): Promise<void> {
  const client = connectCluster(seeds, { sendsAgain: true, hasTimeout: false })
  const value = 'x'.repeat(BULK_BYTES)
  const writes = Array.from({ length: BULK_KEYS }, (_, at) => at)
  while (writes.length > 0)
    await Promise.all(writes.splice(0, 100).map((at) => client.set(`${name}:${at}`, value)))
  client.disconnect()
}

async function regionsApart(trial: Trial): Promise<void> {
  const { scene } = trial
  const { cluster } = scene
  await scene.configure('peer-dark-max-ms', String(DARK_MS))
  const writers = [await trial.writer('A'), await trial.writer('B')]
  await delay(LOAD_MS)
  const atMs = performance.now()
  for (const relay of scene.between) relay.cut()
  await delay(DARK_MS)
  const primary = await cluster.primaryOf('A')
  const killedMs = performance.now()
  await primary.process.kill()
  await trial.successorOf(primary)
  await trial.window(writers[0]!, killedMs, CRASH_MS_MAX)
  await primary.process.start()
  await delay(Math.max(0, atMs + 3 * DARK_MS - performance.now()))
}
