/**
 * throughput.ts: ops per second and processor time per op, with redis-benchmark as the client of both.
 *
 * Two rates per measurement: what the client saw, and the rate until every region has everything. The
 * processor time counts to the second moment, because shipping the ops is part of the work.
 */
import { spawn } from 'node:child_process'
import type { Contender } from './contenders.ts'
import { cpuSeconds } from './process-facts.ts'

/** In this order: LPOP takes what LPUSH has left. */
export const COMMANDS = [
  'set',
  'get',
  'incr',
  'hset',
  'sadd',
  'zadd',
  'lpush',
  'lpop',
  'xadd',
  'eval',
] as const
export type CommandName = (typeof COMMANDS)[number]

/** Those that redis-benchmark has no test of its own for, in words. It draws a number for `__rand_int__`. */
const WORDS: Readonly<Partial<Record<CommandName, readonly string[]>>> = {
  xadd: ['XADD', 'mystream', '*', 'field', '__rand_int__'],
  eval: ['EVAL', "redis.call('INCR', KEYS[1]) return redis.call('GET', KEYS[1])", '1', 'script:__rand_int__'],
}

export const PIPELINES = [1, 16] as const
export type Pipeline = (typeof PIPELINES)[number]

const CLIENTS = 50
const KEY_RANGE = 1_000_000

export interface Throughput {
  /** As the client saw it. */
  readonly opsPerSecond: number
  /** Until the vectors of all regions are equal. */
  readonly settledOpsPerSecond: number
  /** From the last reply to equal vectors, milliseconds. */
  readonly drainMs: number
  /** Processor time per op of the process that takes the load, microseconds. */
  readonly cpuUs: number
  /** The same of each process that follows it. */
  readonly peerCpuUs: readonly number[]
}

export async function measureThroughput(
  contender: Contender,
  command: CommandName,
  pipeline: Pipeline,
  requests: number,
): Promise<Throughput> {
  const { pid, peerPids } = contender
  const pids = [pid, ...peerPids]
  const cpuBefore = pids.map(cpuSeconds)
  const start = performance.now()
  const opsPerSecond = await runBenchmark(contender.port, command, pipeline, requests)
  const loadedMs = performance.now() - start
  await contender.settled()
  const settledMs = performance.now() - start
  const [cpuUs, ...peerCpuUs] = pids.map((one, i) => ((cpuSeconds(one) - cpuBefore[i]!) * 1e6) / requests)
  const drainMs = settledMs - loadedMs
  return {
    opsPerSecond,
    settledOpsPerSecond: requests / (requests / opsPerSecond + drainMs / 1000),
    drainMs,
    cpuUs: cpuUs!,
    peerCpuUs,
  }
}

/**
 * @param asked  the command in words, where it is not the one that redis-benchmark has a test for
 * @returns requests per second. @throws Error when redis-benchmark or the server complains
 */
export async function runBenchmark(
  port: number,
  command: CommandName,
  pipeline: Pipeline,
  requests: number,
  asked: readonly string[] = WORDS[command] ?? ['-t', command],
): Promise<number> {
  const options = { p: port, n: requests, c: CLIENTS, P: pipeline, r: KEY_RANGE }
  const words = Object.entries(options).flatMap(([name, value]) => [`-${name}`, String(value)])
  words.push('--csv', ...asked)
  const child = spawn('redis-benchmark', words, { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  const [, rate] = new RegExp(`^"${command.toUpperCase()}[^"]*","([\\d.]+)"`, 'm').exec(output) ?? []
  if (code !== 0 || rate === undefined || /error/i.test(output)) {
    throw new Error(`redis-benchmark ${words.join(' ')} failed:\n${output}`)
  }
  return Number(rate)
}
