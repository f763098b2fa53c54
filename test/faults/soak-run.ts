/**
 * soak-run.ts: three regions under load and faults, and the verdict at the end.
 *
 * Load runs in all regions on the same keys while weather.ts cuts links and kills nodes. Then everything
 * heals, and every region must hold the same ops, the same data, and all that was promised.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { Prng } from '../harness/prng.ts'
import { type RegionName, Regions } from '../harness/three-regions.ts'
import { findings } from './judge.ts'
import { Load, PAIR_KEYS } from './load.ts'
import { Weather } from './weather.ts'

export interface SoakOptions {
  readonly seed: number
  readonly seconds: number
  readonly appendfsync: 'always' | 'everysec' | 'no'
  readonly killEveryMs: number
  readonly clientsPerRegion: number
  /** Runs redis-benchmark against every region as well. */
  readonly benchmark: boolean
}

export interface SoakReport {
  readonly commands: number
  readonly unanswered: number
  readonly cuts: number
  readonly kills: number
  /** From the healing of the last link to equal vectors. */
  readonly healMs: number
  readonly digest: string
  /** What went wrong; empty when nothing did. */
  readonly findings: readonly string[]
}

/** Backlogs of a minute, applied by nodes that share their processors. */
const HEAL_MS_MAX = 180_000
const SAMPLE_MS = 50

export async function soak(options: SoakOptions): Promise<SoakReport> {
  const { appendfsync } = options
  const regions = await Regions.start({ settings: { appendfsync } })
  try {
    return await soakRegions(regions, options)
  } finally {
    await regions.dispose()
  }
}

async function soakRegions(regions: Regions, options: SoakOptions): Promise<SoakReport> {
  const prng = new Prng(options.seed)
  const loads = regions.names.flatMap((name) =>
    Array.from({ length: options.clientsPerRegion }, (_, i) => {
      const label = `${name}${i}`
      return new Load(regions.process(name), label, prng.fork(label))
    }),
  )
  const weather = new Weather(regions, prng.fork('weather'))
  const sampler = new PairSampler(regions)
  const benchmarks = options.benchmark ? regions.names.map((name) => new Benchmark(regions, name)) : []

  const running = [...loads.map((load) => load.run()), sampler.run(), ...benchmarks.map((each) => each.run())]
  const storm = weather.run(options.killEveryMs)
  await Promise.race([delay(options.seconds * 1000), storm])
  weather.stop()
  await storm
  for (const part of [...loads, sampler, ...benchmarks]) part.stop()
  await Promise.all(running)

  const healStartMs = performance.now()
  await weather.clear()
  await regions.awaitEqualVectors(regions.names, HEAL_MS_MAX)
  const healMs = performance.now() - healStartMs

  const pledges = loads.map((load) => load.pledges)
  const found = [...sampler.findings]
  for (const line of new Set(pledges.flatMap(({ errors }) => errors)))
    found.push(`a client was answered: ${line}`)
  const digests = await regions.digests()
  if (new Set(digests).size > 1) found.push(`equal vectors, different digests: ${digests.join(' ')}`)
  for (const name of regions.names) {
    const client = await regions.connect(name)
    for (const finding of await findings(client, pledges)) found.push(`region ${name}: ${finding}`)
    await client.close()
  }
  return {
    commands: pledges.reduce((sum, { commands }) => sum + commands, 0),
    unanswered: pledges.reduce((sum, { unanswered }) => sum + unanswered.size, 0),
    cuts: weather.cuts,
    kills: weather.kills,
    healMs: Math.round(healMs),
    digest: String(digests[0]),
    findings: found,
  }
}

/** Looks all the time whether two counters that are only written in one EXEC are ever seen apart. */
class PairSampler {
  readonly findings: string[] = []
  readonly #regions: Regions
  #stopped = false

  constructor(regions: Regions) {
    this.#regions = regions
  }

  stop(): void {
    this.#stopped = true
  }

  async run(): Promise<void> {
    while (!this.#stopped) {
      await Promise.all(this.#regions.names.map((name) => this.#look(name).catch(() => {})))
      await delay(SAMPLE_MS)
    }
  }

  async #look(name: RegionName): Promise<void> {
    const client = await this.#regions.connect(name)
    const [left, right] = (await client.ask('MGET', ...PAIR_KEYS)) as (string | null)[]
    await client.close()
    if (left !== right) this.findings.push(`region ${name} showed one EXEC in parts: ${left} and ${right}`)
  }
}

/** redis-benchmark against one region, begun again whenever it ends because the region was killed. */
class Benchmark {
  readonly #regions: Regions
  readonly #name: RegionName
  #child: ChildProcess | undefined
  #stopped = false

  constructor(regions: Regions, name: RegionName) {
    this.#regions = regions
    this.#name = name
  }

  stop(): void {
    this.#stopped = true
    this.#child?.kill('SIGKILL')
  }

  async run(): Promise<void> {
    while (!this.#stopped) {
      const { port } = this.#regions.process(this.#name).ports
      const words = `-p ${port} -t set,incr,hset,sadd,spop -n 100000 -r 10000 -c 4 -P 8 -q`.split(' ')
      const child = spawn('redis-benchmark', words, { stdio: 'ignore' })
      this.#child = child
      await new Promise<void>((resolve) => {
        child.once('error', () => resolve())
        child.once('close', () => resolve())
      })
      await delay(SAMPLE_MS)
    }
  }
}
