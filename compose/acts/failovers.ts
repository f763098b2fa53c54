/**
 * failovers.ts: what happens to primaries while clients write in both regions: killed, asked to hand over, frozen,
 * lost with their zone; and an etcd that loses a member.
 *
 * After each: for how long no client was answered, how many commands failed, and whether the next primary has all
 * that was acknowledged.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Cluster } from '../cluster/cluster.ts'
import type { ClusterNode } from '../cluster/cluster-node.ts'
import { eventually } from '../cluster/eventually.ts'
import type { ClusterWriter } from '../cluster/writer.ts'
import type { Stage } from '../stage.ts'

/** What is promised of the time without an answer. */
const CRASH_MS_MAX = 2000
const LOSS_MS_MAX = 5000
/** What is done as planned, or not to be noticed at all, takes far less; but all nodes share this machine. */
const BRIEF_MS_MAX = 1000

/** Writes before each fault, so that there is something to lose. */
const LOAD_MS = 1000
/** How long a frozen node stays frozen behind the next primary's first answer. */
const FROZEN_MS = 2000
const FOLLOWS_MS_MAX = 30_000
/** The region that faults happen in. */
const REGION = 'A'

export interface Company {
  readonly stage: Stage
  readonly cluster: Cluster
  /** By region; they write all the time. */
  readonly writers: ReadonlyMap<string, ClusterWriter>
}

export async function killPrimary(company: Company): Promise<void> {
  const { stage, cluster } = company
  stage.act('Kill a primary in the middle of writes (kill -9)')
  const primary = await cluster.primaryOf(REGION)
  await fail(company, CRASH_MS_MAX, async () => {
    await primary.process.kill()
    return succeed(company, primary)
  })
  await bringBack(company, [primary])
}

export async function handOver(company: Company): Promise<void> {
  const { stage, cluster } = company
  stage.act('Hand over as planned (FAILOVER)')
  const primary = await cluster.primaryOf(REGION)
  await fail(company, BRIEF_MS_MAX, async () => {
    stage.command(primary.name, ['FAILOVER'], await primary.ask('FAILOVER'))
    return succeed(company, primary)
  })
  await cluster.settle()
}

export async function freezePrimary(company: Company): Promise<void> {
  const { stage, cluster } = company
  stage.act('Freeze a primary (SIGSTOP), and let it go on when another one is primary')
  const primary = await cluster.primaryOf(REGION)
  await fail(company, LOSS_MS_MAX, async () => {
    primary.process.freeze()
    return succeed(company, primary)
  })
  await delay(FROZEN_MS)
  primary.process.thaw()
  const role = await eventually(`${primary.name} knows who is primary`, FOLLOWS_MS_MAX, async () => {
    const now = await primary.role()
    return now === 'replica' ? now : undefined
  })
  stage.check(role === 'replica', `${primary.name} goes on as a replica: it was primary a moment ago`)
  await cluster.settle()
}

export async function loseZone(company: Company): Promise<void> {
  const { stage, cluster } = company
  const primary = await cluster.primaryOf(REGION)
  const { zone } = primary.plan
  const lost = cluster.nodes.filter(({ plan }) => plan.zone === zone)
  stage.act(`Lose ${zone}: ${lost.map(({ name }) => name).join(' and ')} are killed at one moment`)
  await fail(company, LOSS_MS_MAX, async () => {
    await Promise.all(lost.map(({ process }) => process.kill()))
    return succeed(company, primary)
  })
  await bringBack(company, lost)
}

export async function loseEtcdMember(company: Company): Promise<void> {
  const { stage, cluster } = company
  stage.act('Kill the leader of the etcd')
  const primary = await cluster.primaryOf(REGION)
  const { term } = await cluster.standing(REGION)
  const leader = await cluster.etcd.leader()
  await fail(company, BRIEF_MS_MAX, async () => {
    await cluster.etcd.kill(leader)
    await cluster.etcd.leader()
    return primary
  })
  const after = await cluster.standing(REGION)
  stage.check(after.term === term, `no primary changed: region ${REGION} is in term ${term} still`)
  cluster.etcd.launch(leader)
}

/**
 * Lets something happen to the primary, and shows what clients saw of it.
 * @param happen  returns who is primary afterwards
 */
async function fail(company: Company, limitMs: number, happen: () => Promise<ClusterNode>): Promise<void> {
  const { stage, writers } = company
  await delay(LOAD_MS)
  const atMs = performance.now()
  const next = await happen()
  const rows = await Promise.all(
    [...writers].map(async ([region, writer]) => {
      const answeredMs = await writer.acknowledgesAfter(performance.now())
      const gapMs = writer.longestGapMs(atMs, answeredMs)
      return { region, gapMs, errors: writer.errorsSince(atMs).length, written: writer.acknowledged.length }
    }),
  )
  const writer = writers.get(REGION)!
  const missing = await writer.missingAt(next)
  stage.table(
    ['clients of', 'not answered for', 'errors', 'acknowledged'],
    rows.map(({ region, gapMs, errors, written }) => [
      region,
      `${Math.round(gapMs)} ms`,
      String(errors),
      written.toLocaleString('en-US'),
    ]),
  )
  const longestMs = Math.max(...rows.map(({ gapMs }) => gapMs))
  stage.check(
    longestMs <= limitMs,
    `clients wait ${Math.round(longestMs)} ms at most, less than ${limitMs} ms`,
  )
  stage.check(
    missing.length === 0,
    `${next.name} is primary and has every write that was acknowledged in ${REGION}`,
  )
}

/** Waits for the next primary, and says who it is. */
async function succeed({ stage, cluster }: Company, former: ClusterNode): Promise<ClusterNode> {
  const next = await cluster.primaryOf(REGION, former)
  const { term } = await cluster.standing(REGION)
  stage.say(`${former.name} was primary of region ${REGION}; now it is ${next.name}, in term ${term}.`)
  return next
}

async function bringBack({ stage, cluster }: Company, nodes: readonly ClusterNode[]): Promise<void> {
  const start = performance.now()
  await Promise.all(nodes.map(({ process }) => process.start()))
  await cluster.settle()
  const names = nodes.map(({ name }) => name).join(' and ')
  const tookMs = performance.now() - start
  stage.say(`Back as replicas, and in sync again after ${(tookMs / 1000).toFixed(1)} s: ${names}.`)
}
