/**
 * process-faults.ts: nodes that are killed, frozen, or have lost their disk.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { PROFILES } from '../../../region-node/cluster/profiles.ts'
import { connectTo, fallsSilent, queue } from './direct.ts'
import type { AckMode, Fault, Trial } from './trial.ts'

/** What is promised of clients' errors, milliseconds. */
export const CRASH_MS_MAX = 2000
export const LOSS_MS_MAX = 5000

const LOAD_MS = 1000
const QUEUED = 100
const FROZEN_MS = 30_000
/** Nobody claims in vain for that long. */
const WATCH_MS = 2 * PROFILES.high.ttlMs

export const KILLED: Fault = {
  ...names('1', 'primary killed'),
  ...{ done: 'kill -9 under load', ack: 'sync', run: crash },
}

export const WIPED: Fault = {
  ...names('13', 'primary back without its disk'),
  done: 'all nodes of the region killed, the disk of the primary wiped, started before the others',
  ack: 'sync',
  run: emptyDisk,
}

export const ZONE_LOST: Fault = {
  ...names('23', 'zone lost'),
  done: 'kill -9 of all nodes of a zone in both regions, and of its etcd member',
  ack: 'sync',
  run: zone,
}

export const PROCESS_FAULTS: readonly Fault[] = [
  KILLED,
  frozen(FROZEN_MS, 'sync'),
  frozen(FROZEN_MS, 'async'),
  WIPED,
  {
    ...names('14', 'former primary back with an unreplicated tail'),
    done: 'its ways to replicas and regions silent for 1 s under load, then kill -9; started again when another one was primary',
    ack: 'async',
    run: tail,
  },
  ZONE_LOST,
]

function names(number: string, fault: string): Pick<Fault, 'number' | 'fault'> {
  return { number, fault }
}

async function crash(trial: Trial): Promise<void> {
  const { cluster } = trial.scene
  const writer = await trial.writer('A')
  await delay(LOAD_MS)
  const primary = await cluster.primaryOf('A')
  const atMs = performance.now()
  await primary.process.kill()
  const next = await trial.successorOf(primary)
  await trial.window(writer, atMs, CRASH_MS_MAX)
  await trial.expectAllAt(next)
}

/** Frozen with commands queued; it must not say OK to them when it goes on. @param forMs  at least */
export function frozen(forMs: number, ack: AckMode): Fault {
  return {
    ...names('5', 'primary frozen'),
    done: `SIGSTOP for ${forMs / 1000} s, ${QUEUED} commands queued, SIGCONT`,
    ack,
    run: async (trial) => {
      const { cluster } = trial.scene
      const writer = await trial.writer('A')
      await delay(LOAD_MS)
      const primary = await cluster.primaryOf('A')
      const client = await connectTo(primary)
      const atMs = performance.now()
      primary.process.freeze()
      await fallsSilent(client)
      const answered = queue(client, QUEUED)
      const next = await trial.successorOf(primary)
      await trial.window(writer, atMs, LOSS_MS_MAX)
      if (ack === 'sync') await trial.expectAllAt(next)
      await delay(Math.max(0, atMs + forMs - performance.now()))
      primary.process.thaw()
      const oks = await answered
      client.disconnect()
      trial.expect(oks === 0, `it said OK ${oks} times after it went on`)
    },
  }
}

async function emptyDisk(trial: Trial): Promise<void> {
  const { cluster } = trial.scene
  const writer = await trial.writer('A')
  await delay(LOAD_MS)
  const primary = await cluster.primaryOf('A')
  const nodes = cluster.nodesOf('A')
  await Promise.all(nodes.map(({ process }) => process.kill()))
  const { term } = await cluster.standing('A')
  primary.wipe()
  await primary.process.start()
  const endMs = performance.now() + WATCH_MS
  while (performance.now() < endMs) {
    const { leader } = await cluster.standing('A')
    trial.expect((await primary.role()) !== 'primary', 'the node without its data is primary')
    trial.expect(leader === undefined || leader !== primary.name, 'the node without its data has claimed')
    await delay(LOAD_MS)
  }
  const others = nodes.filter((node) => node !== primary)
  await Promise.all(others.map(({ process }) => process.start()))
  const next = await cluster.primaryOf('A')
  trial.expect(next !== primary, 'the node without its data became primary')
  trial.expect((await cluster.standing('A')).term > term, 'the term did not go on')
  await writer.acknowledgesAfter(performance.now())
  await trial.expectAllAt(next)
}

async function tail(trial: Trial): Promise<void> {
  const { scene } = trial
  const writer = await trial.writer('A')
  await delay(LOAD_MS)
  const primary = await scene.cluster.primaryOf('A')
  // The other region as well: it would pass on what it has.
  const { replicas, regions } = scene.relaysOf(primary)
  for (const relay of [replicas, regions]) relay.silence()
  await delay(LOAD_MS)
  const atMs = performance.now()
  await primary.process.kill()
  for (const relay of [replicas, regions]) relay.cut()
  const next = await trial.successorOf(primary)
  await trial.window(writer, atMs, CRASH_MS_MAX)
  const missing = await writer.missingAt(next)
  trial.expect(missing.length > 0, 'there was no tail: the fault did not happen')
  trial.remark(`${missing.length} acknowledged writes were on the former primary only, until it was back`)
}

async function zone(trial: Trial): Promise<void> {
  const { cluster } = trial.scene
  const writer = await trial.writer('A')
  await delay(LOAD_MS)
  const primary = await cluster.primaryOf('A')
  const lost = cluster.nodes.filter(({ plan }) => plan.zone === primary.plan.zone)
  const member = cluster.nodesOf('A').indexOf(primary)
  const atMs = performance.now()
  await Promise.all([...lost.map(({ process }) => process.kill()), cluster.etcd.kill(member)])
  const next = await trial.successorOf(primary)
  await trial.window(writer, atMs, LOSS_MS_MAX)
  await trial.expectAllAt(next)
}
