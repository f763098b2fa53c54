/**
 * bench.ts: `npm run bench`: Causeway against redis-server, on one machine, in one run.
 *
 *   npm run bench                 everything, some minutes; writes test/bench/results/<date>.md and .json
 *   npm run bench -- --quick      a shorter look, prints only
 *   npm run bench -- --node-flags=--max-semi-space-size=64     flags for the regions' Node
 *
 * A noisy machine moves both sides: rounds alternate between them and medians are compared. Processor time
 * per op is what noise moves least.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { type Contender, installedRedis, startCauseway, startRedis } from './contenders.ts'
import { type Lag, measureLag } from './lag.ts'
import { type Memory, measureMemory, VALUE_LENGTHS } from './memory.ts'
import { type MemoryRow, machineFacts, markdown, type Results, type ThroughputRow } from './report.ts'
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
const RESULTS_FOLDER = 'test/bench/results'

const { values: options } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, 'node-flags': { type: 'string', default: '' } },
})
const nodeFlags = options['node-flags'].split(' ').filter((flag) => flag !== '')
const redis = installedRedis()
if (redis === undefined) {
  console.error(
    'The benchmark compares with redis-server: install redis-server and redis-benchmark (redis-tools).',
  )
  process.exitCode = 1
} else {
  const results = await run(options.quick ? QUICK : FULL, redis)
  const text = markdown(results)
  console.log(`\n${text}`)
  if (!options.quick) {
    mkdirSync(RESULTS_FOLDER, { recursive: true })
    writeFileSync(`${RESULTS_FOLDER}/${results.date}.md`, text)
    writeFileSync(`${RESULTS_FOLDER}/${results.date}.json`, `${JSON.stringify(results, undefined, 2)}\n`)
  }
}

async function run(plan: Plan, redisVersion: string): Promise<Results> {
  const [atStart] = loadavg()
  const memory = await compareMemory(plan)
  const { throughput, lag } = await compareSpeed(plan)
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: machineFacts(redisVersion),
    load: { atStart: atStart!, atEnd: loadavg()[0]! },
    nodeFlags,
    rounds: plan.rounds,
    requests: plan.requests,
    throughput,
    memory,
    lag,
  }
}

/** Each on a fresh server, one server at a time. */
async function compareMemory({ keys }: Plan): Promise<MemoryRow[]> {
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

async function compareSpeed(plan: Plan): Promise<{ throughput: ThroughputRow[]; lag: Lag }> {
  const ofRedis = await startRedis()
  const ofCauseway = await startCauseway(nodeFlags)
  try {
    const cases = COMMANDS.flatMap((command) => PIPELINES.map((pipeline) => ({ command, pipeline })))
    const runs = cases.map((one) => ({ ...one, redis: [] as Throughput[], causeway: [] as Throughput[] }))
    for (let round = 1; round <= plan.rounds; round++) {
      await ofRedis.empty()
      await ofCauseway.empty()
      for (const { command, pipeline, redis: forRedis, causeway } of runs) {
        progress(`round ${round} of ${plan.rounds}: ${command.toUpperCase()}, pipeline ${pipeline}`)
        const requests = plan.requests[pipeline]
        forRedis.push(await measureThroughput(ofRedis, command, pipeline, requests))
        causeway.push(await measureThroughput(ofCauseway, command, pipeline, requests))
      }
    }
    const throughput = runs.map((one) => ({
      command: one.command,
      pipeline: one.pipeline,
      redis: medians(one.redis),
      causeway: medians(one.causeway),
    }))
    progress('lag under half load')
    const full = throughput.find(({ command, pipeline }) => command === 'set' && pipeline === 16)!
    const [a, b] = ofCauseway.regions
    const lag = await measureLag(a!, b!, full.causeway.settledOpsPerSecond / 2, plan.probes)
    return { throughput, lag }
  } finally {
    await Promise.all([ofRedis.stop(), ofCauseway.stop()])
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
