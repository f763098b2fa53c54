/**
 * bench.ts: `npm run bench`: Causeway against redis-server, on one machine, in one run.
 *
 *   npm run bench                 all but the newcomer, some minutes; writes test/bench/results/<date>.md and .json
 *   npm run bench -- --quick      a shorter look, prints only
 *   npm run bench -- --only restart,newcomer     of throughput, memory, lag, restart, snapshot, newcomer, sharding
 *   npm run bench -- --keys 5000000              for memory, restart, snapshot and newcomer
 *   npm run bench -- --node-flags=--max-semi-space-size=64     flags for the regions' Node
 *
 * A noisy machine moves both sides: rounds alternate between them and medians are compared. Processor time
 * per op is what noise moves least.
 *
 * Every part starts servers of its own and ends them. A run of some parts puts them into the results of the
 * same day, the same machine and the same flags, in the place of older ones.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { isDeepStrictEqual, parseArgs } from 'node:util'
import { type Contender, installedRedis, startCauseway, startRedis } from './contenders.ts'
import { type Lag, measureLag } from './lag.ts'
import { type Memory, measureMemory, VALUE_LENGTHS } from './memory.ts'
import { measureNewcomer } from './newcomer.ts'
import {
  type MemoryRow,
  machineFacts,
  markdown,
  PART_NAMES,
  type PartName,
  type Parts,
  type Ran,
  type Results,
  type ThroughputRows,
} from './report.ts'
import { measureRestart } from './restart.ts'
import { measureSharding } from './sharding.ts'
import { measureSnapshotPause } from './snapshot-pause.ts'
import { median } from './statistics.ts'
import { COMMANDS, measureThroughput, PIPELINES, type Throughput } from './throughput.ts'

interface Plan {
  readonly rounds: number
  readonly requests: Readonly<Record<1 | 16, number>>
  readonly keys: number
  readonly probes: number
}

const FULL: Plan = { rounds: 3, requests: { 1: 100_000, 16: 500_000 }, keys: 1_000_000, probes: 1000 }
const QUICK: Plan = { rounds: 1, requests: { 1: 40_000, 16: 200_000 }, keys: 200_000, probes: 200 }
/** The newcomer keeps the machine busy for longest, and is asked for by name. */
const DEFAULT_PARTS: readonly PartName[] = ['memory', 'throughput', 'lag', 'restart', 'snapshot']
/** Fewer say nothing. */
const KEYS_MIN = 10_000
const RESULTS_FOLDER = 'test/bench/results'

interface Options {
  readonly parts: readonly PartName[]
  readonly plan: Plan
  readonly nodeFlags: readonly string[]
  readonly isQuick: boolean
}

try {
  await bench(readOptions())
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`)
  // A thread of a measurement that failed may still be at work.
  process.exit(1)
}

async function bench({ parts, plan, nodeFlags, isQuick }: Options): Promise<void> {
  const redis = installedRedis()
  if (redis === undefined) {
    throw new Error(
      'redis-server is what it compares with: install redis-server and redis-benchmark (redis-tools)',
    )
  }
  const results: Results = {
    date: new Date().toISOString().slice(0, 10),
    machine: machineFacts(redis),
    nodeFlags,
    parts: await run(parts, plan, nodeFlags),
  }
  console.log(`\n${markdown(results)}`)
  if (!isQuick) keep(results)
}

/** @throws Error with a sentence for people */
function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      keys: { type: 'string' },
      'node-flags': { type: 'string', default: '' },
    },
  })
  const plan = values.quick ? QUICK : FULL
  const keys = Number(values.keys ?? plan.keys)
  if (!Number.isSafeInteger(keys) || keys < KEYS_MIN) throw new Error(`--keys is a number from ${KEYS_MIN}`)
  return {
    parts: values.only === undefined ? DEFAULT_PARTS : values.only.split(',').map(partOf),
    plan: { ...plan, keys },
    nodeFlags: values['node-flags'].split(' ').filter((flag) => flag !== ''),
    isQuick: values.quick,
  }
}

function partOf(word: string): PartName {
  const part = PART_NAMES.find((name) => name === word)
  if (part === undefined) throw new Error(`there is no part '${word}': write --only ${PART_NAMES.join(',')}`)
  return part
}

async function run(chosen: readonly PartName[], plan: Plan, nodeFlags: readonly string[]): Promise<Parts> {
  const { keys, rounds } = plan
  const measured = async <T>(part: PartName, measure: () => Promise<T>): Promise<Ran<T> | undefined> => {
    if (!chosen.includes(part)) return undefined
    const [atStart] = loadavg()
    const figures = await measure()
    return { load: { atStart: atStart!, atEnd: loadavg()[0]! }, figures }
  }
  return {
    memory: await measured('memory', () => compareMemory(plan, nodeFlags)),
    throughput: await measured('throughput', () => compareThroughput(plan, nodeFlags)),
    lag: await measured('lag', () => lagUnderLoad(plan, nodeFlags)),
    restart: await measured('restart', () => measureRestart(nodeFlags, keys, rounds, progress)),
    snapshot: await measured('snapshot', () => measureSnapshotPause(nodeFlags, keys, rounds, progress)),
    newcomer: await measured('newcomer', () => measureNewcomer(nodeFlags, keys, progress)),
    sharding: await measured('sharding', () => measureSharding(nodeFlags, plan.requests, rounds, progress)),
  }
}

function keep(results: Results): void {
  const path = `${RESULTS_FOLDER}/${results.date}`
  const earlier = existsSync(`${path}.json`)
    ? (JSON.parse(readFileSync(`${path}.json`, 'utf8')) as Results)
    : undefined
  const isAlike =
    isDeepStrictEqual(earlier?.machine, results.machine) &&
    isDeepStrictEqual(earlier?.nodeFlags, results.nodeFlags)
  const measured = Object.fromEntries(
    Object.entries(results.parts).filter(([, part]) => part !== undefined),
  ) as Parts
  const kept: Results = { ...results, parts: isAlike ? { ...earlier!.parts, ...measured } : measured }
  mkdirSync(RESULTS_FOLDER, { recursive: true })
  writeFileSync(`${path}.md`, markdown(kept))
  writeFileSync(`${path}.json`, `${JSON.stringify(kept, undefined, 2)}\n`)
}

/** Each on a fresh server, one server at a time. */
async function compareMemory({ keys }: Plan, nodeFlags: readonly string[]): Promise<MemoryRow[]> {
  const measure = async (started: Promise<Contender>, length: number): Promise<Memory> => {
    const contender = await started
    try {
      return await measureMemory(contender, keys, length)
    } finally {
      await contender.stop()
    }
  }
  const rows: MemoryRow[] = []
  for (const length of VALUE_LENGTHS) {
    progress(`memory, values of ${length} bytes`)
    rows.push({
      redis: await measure(startRedis(), length),
      causeway: await measure(startCauseway(nodeFlags), length),
    })
  }
  return rows
}

async function compareThroughput(plan: Plan, nodeFlags: readonly string[]): Promise<ThroughputRows> {
  const ofRedis = await startRedis()
  const ofCauseway = await startCauseway(nodeFlags)
  try {
    const cases = COMMANDS.flatMap((command) => PIPELINES.map((pipeline) => ({ command, pipeline })))
    const runs = cases.map((one) => ({ ...one, redis: [] as Throughput[], causeway: [] as Throughput[] }))
    // A round to warm up is not counted: V8 compiles what runs often, and a server runs for weeks.
    for (let round = 0; round <= plan.rounds; round++) {
      await ofRedis.empty()
      await ofCauseway.empty()
      const name = round === 0 ? 'round to warm up' : `round ${round} of ${plan.rounds}`
      for (const { command, pipeline, redis: forRedis, causeway } of runs) {
        progress(`${name}: ${command.toUpperCase()}, pipeline ${pipeline}`)
        const requests = plan.requests[pipeline]
        const one = await measureThroughput(ofRedis, command, pipeline, requests)
        const other = await measureThroughput(ofCauseway, command, pipeline, requests)
        if (round === 0) continue
        forRedis.push(one)
        causeway.push(other)
      }
    }
    const rows = runs.map((one) => ({
      command: one.command,
      pipeline: one.pipeline,
      redis: medians(one.redis),
      causeway: medians(one.causeway),
    }))
    return { rounds: plan.rounds, requests: plan.requests, rows }
  } finally {
    await Promise.all([ofRedis.stop(), ofCauseway.stop()])
  }
}

async function lagUnderLoad(plan: Plan, nodeFlags: readonly string[]): Promise<Lag> {
  progress('lag under half load')
  const causeway = await startCauseway(nodeFlags)
  try {
    const full = await measureThroughput(causeway, 'set', 16, plan.requests[16])
    const [a, b] = causeway.regions
    return await measureLag(a!, b!, full.settledOpsPerSecond / 2, plan.probes)
  } finally {
    await causeway.stop()
  }
}

/** Field by field; the median of a rate need not be of the round whose processor time is the median. */
function medians(rounds: readonly Throughput[]): Throughput {
  const of = (read: (one: Throughput) => number): number => median(rounds.map(read))
  return {
    opsPerSecond: of((one) => one.opsPerSecond),
    settledOpsPerSecond: of((one) => one.settledOpsPerSecond),
    drainMs: of((one) => one.drainMs),
    cpuUs: of((one) => one.cpuUs),
    peerCpuUs: rounds[0]!.peerCpuUs.map((_, peer) => of((one) => one.peerCpuUs[peer]!)),
  }
}

function progress(step: string): void {
  console.error(`bench: ${step} ...`)
}
