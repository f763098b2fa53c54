/**
 * sharding.ts: what it costs to spread a database over two nodes: one node with all slots, two databases of one node
 * each, and one database over two nodes with half of the slots each, on one machine. In all cases two redis-benchmark
 * at once, each with keys of one half.
 *
 * On two cores the client takes one of them, so two nodes cannot serve twice as much here; what can be compared is the
 * processor time per op. Two nodes share the load, so each finds less of it at a look at its sockets and spends more
 * per op, sharded or not: hence the two databases, which differ from the two partitions by the sharding only.
 */
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Region } from '../../compose/region.ts'
import { partitionOf } from '../../region-node/cluster/topology.ts'
import { slotOf } from '../../region-node/engine/slot.ts'
import { freshFolder, loneRegionPlan } from './contenders.ts'
import { cpuSeconds } from './process-facts.ts'
import { type CommandName, PIPELINES, type Pipeline, runBenchmark } from './throughput.ts'

const SHARDED_COMMANDS = ['set', 'get', 'incr'] as const satisfies readonly CommandName[]
/** @param tag  puts the keys into one half of the slots */
const WORDS: Readonly<Record<(typeof SHARDED_COMMANDS)[number], (tag: string) => string[]>> = {
  set: (tag) => ['SET', `key:{${tag}}:__rand_int__`, 'xxx'],
  get: (tag) => ['GET', `key:{${tag}}:__rand_int__`],
  incr: (tag) => ['INCR', `counter:{${tag}}:__rand_int__`],
}
const HALVES = 2
export const LAYOUTS = ['one node', 'two databases', 'two partitions'] as const
export type Layout = (typeof LAYOUTS)[number]
const FIRST_PORT = 7391
const ADMIN_OFFSET = 1000
const READY_MS_MAX = 30_000
const POLL_MS = 50

export interface ShardedFigures {
  readonly opsPerSecond: number
  /** Processor time per op of all nodes together, microseconds. */
  readonly cpuUs: number
}

/** One round of one case. */
export interface ShardingRound {
  readonly command: (typeof SHARDED_COMMANDS)[number]
  readonly pipeline: Pipeline
  readonly layout: Layout
  readonly figures: ShardedFigures
}

export interface Sharding {
  readonly rounds: number
  readonly requests: Readonly<Record<Pipeline, number>>
  readonly figures: readonly ShardingRound[]
}

/** @param rounds  alternating; one before them warms up and is not counted */
export async function measureSharding(
  nodeFlags: readonly string[],
  requests: Readonly<Record<Pipeline, number>>,
  rounds: number,
  progress: (sentence: string) => void,
): Promise<Sharding> {
  const figures: ShardingRound[] = []
  for (const layout of LAYOUTS) {
    const cluster = await startNodes(layout, nodeFlags)
    try {
      for (let round = 0; round <= rounds; round++) {
        for (const command of SHARDED_COMMANDS) {
          for (const pipeline of PIPELINES) {
            progress(`${layout}, round ${round} of ${rounds}: ${command.toUpperCase()}, pipeline ${pipeline}`)
            const measured = await cluster.measure(command, pipeline, requests[pipeline])
            if (round > 0) figures.push({ command, pipeline, layout, figures: measured })
          }
        }
      }
    } finally {
      await cluster.stop()
    }
  }
  return { rounds, requests, figures }
}

/** A tag for the lower half of the slots, and one for the upper. */
function tagsOfHalves(): string[] {
  const tags: string[] = []
  for (let i = 0; tags[0] === undefined || tags[1] === undefined; i++)
    tags[partitionOf(slotOf(String(i)), HALVES)] ??= String(i)
  return tags
}

/** Waits until the node knows a primary for every slot. */
async function servesAllSlots(node: Region): Promise<void> {
  const endMs = performance.now() + READY_MS_MAX
  while (!String(await node.run('CLUSTER', 'INFO')).includes('cluster_slots_ok:16384')) {
    if (performance.now() > endMs) throw new Error(`no primary for some slot after ${READY_MS_MAX / 1000} s`)
    await delay(POLL_MS)
  }
}

async function startNodes(
  layout: Layout,
  nodeFlags: readonly string[],
): Promise<{
  measure(
    command: (typeof SHARDED_COMMANDS)[number],
    pipeline: Pipeline,
    requests: number,
  ): Promise<ShardedFigures>
  stop(): Promise<void>
}> {
  const folder = freshFolder()
  const count = layout === 'one node' ? 1 : HALVES
  const partitions = layout === 'two partitions' ? HALVES : 1
  const nodes = Array.from({ length: count }, (_, i) => {
    const own = join(folder, String(i))
    mkdirSync(own)
    const port = FIRST_PORT + i
    const plan = loneRegionPlan(own, {
      port: String(port),
      'sync-port': '0',
      'admin-port': String(port + ADMIN_OFFSET),
      partitions: String(partitions),
      partition: String(i % partitions),
      coordinator: `file:${partitions > 1 ? join(folder, 'coordinator') : join(own, 'coordinator')}`,
    })
    return new Region({ ...plan, port, adminPort: port + ADMIN_OFFSET }, nodeFlags)
  })
  const stop = async (): Promise<void> => {
    for (const node of nodes) await node.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    for (const node of nodes) await node.start()
    for (const node of nodes) await servesAllSlots(node)
  } catch (error) {
    await stop()
    throw error
  }
  const cpu = (): number => nodes.reduce((sum, node) => sum + cpuSeconds(node.process.pid), 0)
  return {
    async measure(command, pipeline, requests) {
      const before = cpu()
      const rates = await Promise.all(
        tagsOfHalves().map((tag, half) =>
          runBenchmark(
            FIRST_PORT + (half % count),
            command,
            pipeline,
            requests / HALVES,
            WORDS[command](tag),
          ),
        ),
      )
      return { opsPerSecond: rates[0]! + rates[1]!, cpuUs: ((cpu() - before) * 1e6) / requests }
    },
    stop,
  }
}
