/**
 * contenders.ts: the two sides of the comparison, under one interface: redis-server alone, and region A of
 * three linked Causeway regions. Both keep a log that is fsynced every second. Beside them one region without
 * peers, for what concerns a node alone.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { planRegions, type RegionPlan } from '../../compose/plan.ts'
import { awaitAgreement, connect, Region } from '../../compose/region.ts'
import { untilReclaimed } from './region-info.ts'

export interface Contender {
  readonly name: string
  /** Takes the load. */
  readonly port: number
  readonly pid: number
  /** Processes that follow it. */
  readonly peerPids: readonly number[]
  /** Resolves when everything written is wherever it has to be. */
  settled(): Promise<void>
  /** Removes all data, and returns when what was left of it is given back. */
  empty(): Promise<void>
  stop(): Promise<void>
}

/** Three linked regions, one of which takes the load. */
export interface LinkedRegions extends Contender {
  readonly regions: readonly Region[]
  /**
   * A fourth one, with an empty folder and the three as its peers, which do not know of it yet. It is not
   * started; it is stopped with the others.
   */
  newcomer(): Region
}

export const REDIS_PORT = 7390
const FIRST_REGION_PORT = 7391
const FOUNDERS = ['A', 'B', 'C']
const NEWCOMER = 'D'
const READY_MS_MAX = 10_000
/** Longest time for the regions to have everything, on a machine that others keep busy too. */
export const AGREE_MS_MAX = 300_000

/** `7.0.15`, or undefined when redis-server or redis-benchmark is not installed. */
export function installedRedis(): string | undefined {
  const [server, benchmark] = ['redis-server', 'redis-benchmark'].map((name) =>
    spawnSync(name, ['--version'], { encoding: 'utf8' }),
  )
  if (server?.status !== 0 || benchmark?.status !== 0) return undefined
  return /v=([\d.]+)/.exec(server.stdout)?.[1]
}

/** A folder of its own, for one measurement. */
export function freshFolder(): string {
  return mkdtempSync(join(tmpdir(), 'causeway-bench-'))
}

/** Starts the process without waiting for it to serve. It does not outlive this one. */
export function spawnRedis(folder: string, settings: Readonly<Record<string, string>>): ChildProcess {
  const all = { port: REDIS_PORT, dir: folder, save: '', ...settings }
  const words = Object.entries(all).flatMap(([name, value]) => [`--${name}`, String(value)])
  const child = spawn('redis-server', words, { stdio: 'ignore' })
  const killAtExit = (): void => void child.kill('SIGKILL')
  process.once('exit', killAtExit)
  child.once('exit', () => process.removeListener('exit', killAtExit))
  return child
}

/** Ends a process and waits for its end. */
export async function endProcess(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill(signal)
  await ended
}

export async function startRedis(): Promise<Contender> {
  const folder = freshFolder()
  const child = spawnRedis(folder, { appendonly: 'yes', appendfsync: 'everysec' })
  await answering(REDIS_PORT, child)
  return {
    name: 'redis-server',
    port: REDIS_PORT,
    pid: child.pid!,
    peerPids: [],
    settled: async () => {},
    empty: () => flush(REDIS_PORT),
    async stop() {
      await endProcess(child, 'SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** A region without peers. @param settings  by name, beside those that place it */
export function loneRegionPlan(folder: string, settings: Readonly<Record<string, string>> = {}): RegionPlan {
  const [plan] = planRegions(['A'], FIRST_REGION_PORT, folder)
  const words = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])
  return { ...plan!, words: [...plan!.words, ...words] }
}

export async function startCauseway(nodeFlags: readonly string[]): Promise<LinkedRegions> {
  const folder = freshFolder()
  const plans = planRegions(FOUNDERS, FIRST_REGION_PORT, folder)
  const regions = plans.map((plan) => new Region(plan, nodeFlags))
  const newcomers: Region[] = []
  const stop = async (): Promise<void> => {
    await Promise.all([...regions, ...newcomers].map((region) => region.stop()))
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    for (const region of regions) await region.start()
    for (const region of regions) await region.takesWrites()
  } catch (error) {
    await stop()
    throw error
  }
  const [origin, ...peers] = regions as [Region, ...Region[]]
  return {
    name: 'Causeway, region A of three',
    port: origin.plan.port,
    regions,
    get pid() {
      return origin.process.pid
    },
    get peerPids() {
      return peers.map((peer) => peer.process.pid)
    },
    async settled() {
      await awaitAgreement(regions, AGREE_MS_MAX)
    },
    async empty() {
      await origin.run('FLUSHALL')
      await awaitAgreement(regions, AGREE_MS_MAX)
      for (const region of regions) await untilReclaimed(region)
    },
    newcomer() {
      const plan = planRegions([...FOUNDERS, NEWCOMER], FIRST_REGION_PORT, folder).at(-1)!
      const region = new Region(plan, nodeFlags)
      newcomers.push(region)
      return region
    },
    stop,
  }
}

async function answering(port: number, child: ChildProcess): Promise<void> {
  const deadline = performance.now() + READY_MS_MAX
  for (;;) {
    if (child.exitCode !== null) throw new Error(`redis-server ended by itself: is port ${port} in use?`)
    try {
      const client = await connect(port)
      client.disconnect()
      return
    } catch (error) {
      if (performance.now() > deadline) throw error
      await delay(20)
    }
  }
}

async function flush(port: number): Promise<void> {
  const client = await connect(port)
  await client.flushall()
  client.disconnect()
}
