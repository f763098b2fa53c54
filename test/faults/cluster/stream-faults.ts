/**
 * stream-faults.ts: a primary dies in the middle of the stream between two regions, as its sender or as its receiver.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { eventually } from '../../../compose/cluster/eventually.ts'
import { connectCluster } from '../../../compose/cluster/writer.ts'
import { connectTo } from './direct.ts'
import { CRASH_MS_MAX } from './process-faults.ts'
import type { Fault, Trial } from './trial.ts'

const LOAD_MS = 1000
const BULK_KEYS = 20_000
const BULK_BYTES = 200
const CHUNK = 500
/** The stream takes some seconds at this pace: time to break it. */
const BYTES_PER_SECOND = 300_000
const STREAM_MS_MAX = 30_000
/** Rounds of writes at the sender, each confirmed to be on the receiver's disks. */
const ROUNDS = 20
const CONFIRM_MS = 5000
/** From one region to the other, each way: an acknowledgement is on its way when the receiver dies. */
const FAR_MS = 40

export const STREAM_FAULTS: readonly Fault[] = [
  {
    ...{ number: '15a', fault: 'sender dies in the middle of the stream' },
    ...{ done: `kill -9 while ${BULK_KEYS} keys are on their way`, ack: 'sync', run: midStream },
  },
  {
    ...{ number: '15b', fault: 'sender dies in the middle of a snapshot' },
    ...{
      done: 'CRDT.LINK RESYNC at the receiver, then kill -9 of the sender',
      ack: 'sync',
      run: midSnapshot,
    },
  },
  {
    ...{ number: '16', fault: 'receiver dies just after it has acknowledged' },
    done: `regions ${FAR_MS} ms apart; kill -9 when the sender was told that a write is on disk there`,
    ack: 'sync',
    run: afterAck,
  },
]

async function midStream(trial: Trial): Promise<void> {
  const { scene } = trial
  const { cluster } = scene
  const writer = await trial.writer('A')
  for (const relay of scene.between) relay.cut()
  await writeBulk(trial, 'stream')
  for (const relay of scene.between) {
    relay.bytesPerSecondMax = BYTES_PER_SECOND
    relay.open()
  }
  const receiver = await cluster.primaryOf('B')
  await eventually('the first of the keys have arrived', STREAM_MS_MAX, async () =>
    Number(await receiver.ask('EXISTS', 'stream:0')) === 1 ? true : undefined,
  )
  const isWhole = Number(await receiver.ask('EXISTS', `stream:${BULK_KEYS - 1}`)) === 1
  trial.expect(!isWhole, 'the stream was over before it could be broken')
  const primary = await cluster.primaryOf('A')
  const atMs = performance.now()
  await primary.process.kill()
  await trial.successorOf(primary)
  await trial.window(writer, atMs, CRASH_MS_MAX)
  scene.mend()
  await eventually('all keys have arrived', STREAM_MS_MAX, async () =>
    (await arrivedAt(trial, 'stream')) === BULK_KEYS ? true : undefined,
  )
  trial.expect((await receiver.role()) === 'primary', 'the receiver is primary no more')
}

async function midSnapshot(trial: Trial): Promise<void> {
  const { scene } = trial
  const { cluster } = scene
  const writer = await trial.writer('A')
  await writeBulk(trial, 'snapshot')
  const primary = await cluster.primaryOf('A')
  const receiver = await cluster.primaryOf('B')
  const relay = scene.relaysOf(primary).regions
  relay.bytesPerSecondMax = BYTES_PER_SECOND
  const beforeBytes = relay.forwardedBytes
  await receiver.ask('CRDT.LINK', 'A', 'RESYNC')
  await eventually('a part of the snapshot has left', STREAM_MS_MAX, async () =>
    relay.forwardedBytes - beforeBytes > BYTES_PER_SECOND / 10 ? true : undefined,
  )
  const atMs = performance.now()
  await primary.process.kill()
  await trial.successorOf(primary)
  await trial.window(writer, atMs, CRASH_MS_MAX)
}

async function afterAck(trial: Trial): Promise<void> {
  const { scene } = trial
  const { cluster } = scene
  for (const relay of scene.between) relay.delayMs = FAR_MS
  const sender = await cluster.primaryOf('B')
  const receiver = await cluster.primaryOf('A')
  const writer = await trial.writer('A')
  await delay(LOAD_MS)
  const client = await connectTo(sender)
  const confirmed: string[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const members = Array.from({ length: CHUNK }, (_, at) => `${round}:${at}`)
    await client.sadd('confirmed', ...members)
    if (Number(await client.call('CRDT.WAIT', CONFIRM_MS)) === 1) confirmed.push(...members)
  }
  const atMs = performance.now()
  await receiver.process.kill()
  client.disconnect()
  const next = await trial.successorOf(receiver)
  const there = new Set((await next.ask('SMEMBERS', 'confirmed')) as string[])
  const missing = confirmed.filter((member) => !there.has(member))
  trial.expect(confirmed.length > 0, 'nothing was confirmed')
  trial.expect(
    missing.length === 0,
    `${next.name} lacks ${missing.length} writes that its region had acknowledged`,
  )
  trial.remark(`${confirmed.length} writes of the other region were confirmed before`)
  await trial.window(writer, atMs, CRASH_MS_MAX)
}

async function writeBulk(trial: Trial, name: string): Promise<void> {
  const client = connectCluster(trial.scene.seeds('A'), { sendsAgain: true, hasTimeout: false })
  const value = 'x'.repeat(BULK_BYTES)
  for (let first = 0; first < BULK_KEYS; first += CHUNK) {
    const chunk = Array.from({ length: CHUNK }, (_, at) => client.set(`${name}:${first + at}`, value))
    await Promise.all(chunk)
  }
  client.disconnect()
}

/** @returns how many of the keys are at the receiving primary */
async function arrivedAt(trial: Trial, name: string): Promise<number> {
  const receiver = await trial.scene.cluster.primaryOf('B')
  let arrived = 0
  for (let first = 0; first < BULK_KEYS; first += CHUNK) {
    const keys = Array.from({ length: CHUNK }, (_, at) => `${name}:${first + at}`)
    arrived += Number(await receiver.ask('EXISTS', ...keys))
  }
  return arrived
}
