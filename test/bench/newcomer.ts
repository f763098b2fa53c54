/**
 * newcomer.ts: a fourth region joins three that hold many keys and take writes: what their clients see of
 * it, and how long it takes.
 *
 * A and B take SETs at a tenth of full speed each; a client of each founder GETs a key every millisecond. The
 * newcomer starts with an empty folder, is added by CRDT.REGION ADD at A, and has joined when it takes
 * writes. Then the load ends, and all four must come to the same digest. Four nodes
 * share the machine then: how much of it is waiting for a core is told apart, as Linux counts it.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { awaitAgreement, type Region } from '../../compose/region.ts'
import { AGREE_MS_MAX, startCauseway } from './contenders.ts'
import { Probes, type Samples } from './probes.ts'
import { RawLoad, SHORT_VALUE } from './raw-load.ts'
import { infoField, untilNotSaving } from './region-info.ts'
import { percentile } from './statistics.ts'
import { SteadyLoad } from './steady-load.ts'

const LOAD_SHARE = 0.1
const WARM_UP_MS = 2000
const BEFORE_MS = 10_000
const POLL_MS = 50
const JOIN_MS_MAX = 900_000

export interface ReplyFigures {
  readonly replies: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly worstMs: number
  /** Without what the region waited for a core. */
  readonly p99RunningMs: number
}

export interface FounderFigures {
  readonly region: string
  readonly before: ReplyFigures
  readonly during: ReplyFigures
}

export interface Newcomer {
  readonly keys: number
  /** SETs per second at A and at B. */
  readonly loads: readonly number[]
  readonly founders: readonly FounderFigures[]
  /** Of the GETs. A SET that is refused ends the measurement. */
  readonly errors: number
  /** From CRDT.REGION ADD until the newcomer takes writes. */
  readonly joinMs: number
  /** What the newcomer had received by then over its links: the snapshot, and the ops behind it. */
  readonly receivedBytes: number
  /** From the end of the load to equal vectors. */
  readonly drainMs: number
  /** All four are equal at the end. */
  readonly digestsEqual: boolean
}

export async function measureNewcomer(
  nodeFlags: readonly string[],
  keys: number,
  progress: (step: string) => void,
): Promise<Newcomer> {
  const founders = await startCauseway(nodeFlags)
  try {
    progress('newcomer, loading')
    const { regions } = founders
    const full = await fill(regions[0]!, keys, founders.settled)
    // What the filling brought about is over before anything is compared.
    for (const region of regions) await untilNotSaving(region)
    const loads = regions.slice(0, 2).map(({ plan }) => {
      return new SteadyLoad({ port: plan.port, opsPerSecond: full * LOAD_SHARE, keys })
    })
    const probes = new Probes(
      regions.map(({ plan, process }) => ({ port: plan.port, pid: process.pid, keys })),
    )
    await delay(WARM_UP_MS)
    progress('newcomer, before it joins')
    await probes.take()
    await delay(BEFORE_MS)
    const before = await probes.take()
    progress('newcomer, joining')
    const newcomer = founders.newcomer()
    await newcomer.start()
    const joinMs = await join(newcomer, regions[0]!)
    const during = await probes.take()
    const receivedBytes = await bytesReceived(newcomer, regions)
    probes.end()
    const achieved = await Promise.all(loads.map((load) => load.end()))
    const all = [...regions, newcomer]
    const drainMs = await awaitAgreement(all, AGREE_MS_MAX)
    const digests = await Promise.all(all.map((region) => region.digest()))
    return {
      keys,
      loads: achieved,
      founders: regions.map(({ name }, i) => {
        return { region: name, before: figuresOf(before[i]!), during: figuresOf(during[i]!) }
      }),
      errors: [...before, ...during].reduce((sum, { errors }) => sum + errors, 0),
      joinMs,
      receivedBytes,
      drainMs,
      digestsEqual: new Set(digests.map(String)).size === 1,
    }
  } finally {
    await founders.stop()
  }
}

/** @returns keys per second until all regions had them */
async function fill(region: Region, keys: number, settled: () => Promise<void>): Promise<number> {
  const load = await RawLoad.connect(region.plan.port)
  const start = performance.now()
  await load.setKeys(0, keys, SHORT_VALUE)
  await settled()
  const tookMs = performance.now() - start
  load.close()
  return (keys * 1000) / tookMs
}

/** @returns milliseconds until the newcomer takes writes. @throws Error when it does not in time */
async function join(newcomer: Region, founder: Region): Promise<number> {
  const { name, id, syncUrl } = newcomer.plan
  const start = performance.now()
  await founder.run('CRDT.REGION', 'ADD', name, String(id), syncUrl)
  while ((await infoField(newcomer, 'crdt', 'lacking')) !== '0') {
    if (performance.now() - start > JOIN_MS_MAX)
      throw new Error(`region ${name} has not joined after ${JOIN_MS_MAX / 1000} s`)
    await delay(POLL_MS)
  }
  return performance.now() - start
}

async function bytesReceived(newcomer: Region, from: readonly Region[]): Promise<number> {
  let sum = 0
  for (const { name } of from) {
    const link = await infoField(newcomer, 'crdt', `link_${name}`)
    sum += Number(/(?:^|,)bytes_in=(\d+)/.exec(link)?.[1])
  }
  return sum
}

function figuresOf({ tookMs, waitedMs }: Samples): ReplyFigures {
  const sorted = tookMs.toSorted()
  return {
    replies: sorted.length,
    p50Ms: percentile(sorted, 0.5),
    p99Ms: percentile(sorted, 0.99),
    worstMs: sorted.at(-1)!,
    p99RunningMs: percentile(tookMs.map((took, i) => took - waitedMs[i]!).toSorted(), 0.99),
  }
}
