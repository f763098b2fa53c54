/**
 * failovers.ts: many failovers one after another under load, each of a kind drawn at random.
 *
 * Under `sync` the next primary must hold everything acknowledged before the former one is back. When it is back all
 * nodes must, under `async` too, and after each failover they must agree. In the end all of them must still hold
 * everything: a later failover may lose what an earlier one did not.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { ClusterNode } from '../../../compose/cluster/cluster-node.ts'
import type { ClusterWriter } from '../../../compose/cluster/writer.ts'
import { Prng } from '../../harness/prng.ts'
import type { Scene } from './scene.ts'
import { type AckMode, restore } from './trial.ts'

/** Between two of them, at most: nodes are back in sync by then or not. */
const LOAD_MS_MAX = 800

type Kind = (scene: Scene, primary: ClusterNode) => Promise<unknown>

const KINDS: Readonly<Record<string, { readonly weight: number; readonly begin: Kind }>> = {
  killed: { weight: 5, begin: (_scene, primary) => primary.process.kill() },
  'handed over': { weight: 3, begin: (_scene, primary) => primary.ask('FAILOVER') },
  frozen: { weight: 1, begin: async (_scene, primary) => primary.process.freeze() },
  'cut off': {
    weight: 1,
    begin: async (scene, primary) => {
      for (const relay of scene.around(primary)) relay.silence()
    },
  },
}

export interface FailoversReport {
  readonly ack: AckMode
  readonly byKind: ReadonlyMap<string, number>
  readonly acknowledged: number
  readonly lost: number
  readonly failures: readonly string[]
}

/** @param told  after each of them */
export async function failOverAgain(
  scene: Scene,
  ack: AckMode,
  times: number,
  seed: number,
  told: (time: number, kind: string) => void,
): Promise<FailoversReport> {
  const prng = new Prng(seed)
  const byKind = new Map<string, number>()
  const failures: string[] = []
  const writers: ClusterWriter[] = []
  await scene.configure('replica-ack', ack)
  await scene.cluster.settle()
  for (let time = 1; time <= times; time++) {
    const writer = await scene.writer('A')
    writers.push(writer)
    await delay(prng.between(0, LOAD_MS_MAX))
    const kind = prng.weighted(Object.entries(KINDS).map(([name, { weight }]) => [weight, name] as const))
    byKind.set(kind, (byKind.get(kind) ?? 0) + 1)
    const primary = await scene.cluster.primaryOf('A')
    await KINDS[kind]!.begin(scene, primary)
    const next = await scene.cluster.primaryOf('A', primary)
    await writer.acknowledgesAfter(performance.now())
    if (ack === 'sync') {
      const missing = await writer.missingAt(next)
      if (missing.length > 0)
        failures.push(`failover ${time} (${kind}): ${next.name} lacks ${missing.length}`)
    }
    await restore(scene)
    await scene.configure('replica-ack', ack)
    await writer.stop()
    const digests = await scene.cluster.agree()
    if (new Set(digests.values()).size > 1)
      failures.push(`failover ${time} (${kind}): digests differ: ${[...digests].join(' ')}`)
    const found = await allHave(scene, writer)
    failures.push(...found.failures.map((failure) => `failover ${time} (${kind}): ${failure}`))
    if (found.lost > 0) failures.push(`failover ${time} (${kind}): ${found.lost} are lost`)
    told(time, kind)
  }
  let acknowledged = 0
  let lost = 0
  for (const writer of writers) {
    const found = await allHave(scene, writer)
    failures.push(...found.failures)
    acknowledged += writer.acknowledged.length
    lost += found.lost
  }
  return { ack, byKind, acknowledged, lost, failures }
}

/** Whether all nodes have what that writer was told. */
async function allHave(
  { cluster }: Scene,
  writer: ClusterWriter,
): Promise<{ lost: number; failures: readonly string[] }> {
  const failures: string[] = []
  const missing = new Set<string>()
  for (const node of cluster.nodes) {
    for (const member of await writer.missingAt(node)) missing.add(member)
    const miscount = await writer.miscountAt(node)
    if (miscount !== undefined) failures.push(miscount)
  }
  return { lost: missing.size, failures }
}
