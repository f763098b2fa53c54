/**
 * windows.ts: how long clients are not answered when a primary crashes, is lost, or hands over: measured many times.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { ClusterNode } from '../../../compose/cluster/cluster-node.ts'
import { CRASH_MS_MAX, LOSS_MS_MAX } from './process-faults.ts'
import type { Scene } from './scene.ts'
import { type AckMode, restore } from './trial.ts'

const HAND_OVER_MS_MAX = 200
/** Load before each fault. */
const LOAD_MS = 500

export interface Window {
  readonly kind: string
  readonly ack: AckMode
  readonly limitMs: number
  /** One for each time, milliseconds. */
  readonly gapsMs: readonly number[]
  /** Commands that the client gave up, all times together. */
  readonly errors: number
}

interface Ending {
  readonly kind: string
  readonly limitMs: number
  readonly end: (scene: Scene, primary: ClusterNode) => Promise<unknown>
}

export const ENDINGS: readonly Ending[] = [
  {
    ...{ kind: 'process crash (kill -9)', limitMs: CRASH_MS_MAX },
    end: (_scene, primary) => primary.process.kill(),
  },
  {
    ...{ kind: 'node or network lost (nothing passes)', limitMs: LOSS_MS_MAX },
    end: async (scene, primary) => {
      for (const relay of scene.around(primary)) relay.silence()
    },
  },
  {
    ...{ kind: 'planned hand-over (FAILOVER)', limitMs: HAND_OVER_MS_MAX },
    end: (_scene, primary) => primary.ask('FAILOVER'),
  },
]

/** @param told  after each time, with its figure */
export async function measureWindow(
  scene: Scene,
  { kind, limitMs, end }: Ending,
  ack: AckMode,
  times: number,
  told: (time: number, gapMs: number) => void,
): Promise<Window> {
  await scene.configure('replica-ack', ack)
  const writer = await scene.writer('A')
  const gapsMs: number[] = []
  const beganMs = performance.now()
  for (let time = 1; time <= times; time++) {
    await scene.cluster.settle()
    await writer.acknowledgesAfter(performance.now())
    await delay(LOAD_MS)
    const primary = await scene.cluster.primaryOf('A')
    const atMs = performance.now()
    await end(scene, primary)
    await scene.cluster.primaryOf('A', primary)
    const answeredMs = await writer.acknowledgesAfter(performance.now())
    gapsMs.push(writer.longestGapMs(atMs, answeredMs))
    told(time, gapsMs.at(-1)!)
    await restore(scene)
    await scene.configure('replica-ack', ack)
  }
  await writer.stop()
  return { kind, ack, limitMs, gapsMs, errors: writer.errorsSince(beganMs).length }
}
