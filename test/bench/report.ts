/**
 * report.ts: the figures of one run as Markdown for people and as JSON for comparison. It says what kind of
 * machine they come from, and not which one.
 */
import { readFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import type { Lag } from './lag.ts'
import type { Memory } from './memory.ts'
import type { CommandName, Pipeline, Throughput } from './throughput.ts'

export interface Machine {
  readonly cores: number
  readonly processor: string
  readonly memoryGib: number
  readonly kernel: string
  readonly node: string
  readonly redis: string
}

/** Processes that wanted to run, on average over the last minute: above the number of cores, others were busy. */
export interface LoadAverage {
  readonly atStart: number
  readonly atEnd: number
}

export interface ThroughputRow {
  readonly command: CommandName
  readonly pipeline: Pipeline
  /** Medians over the rounds. */
  readonly redis: Throughput
  readonly causeway: Throughput
}

export interface MemoryRow {
  readonly redis: Memory
  readonly causeway: Memory
}

export interface Results {
  readonly date: string
  readonly machine: Machine
  readonly load: LoadAverage
  readonly nodeFlags: readonly string[]
  readonly rounds: number
  readonly requests: Readonly<Record<Pipeline, number>>
  readonly throughput: readonly ThroughputRow[]
  readonly memory: readonly MemoryRow[]
  readonly lag: Lag
}

export function machineFacts(redis: string): Machine {
  const [first] = cpus()
  return {
    cores: cpus().length,
    processor: first?.model.trim() ?? 'unknown',
    memoryGib: Math.round(totalmem() / 2 ** 30),
    kernel: readFileSync('/proc/sys/kernel/osrelease', 'latin1').split('-')[0]!.trim(),
    node: process.versions.node,
    redis,
  }
}

export function markdown(results: Results): string {
  return `# Benchmark of ${results.date}\n\n${figures(results, '##')}`
}

/** @param heading  `##` or deeper */
export function figures(results: Results, heading: string): string {
  const { machine, load, nodeFlags, rounds, requests, throughput, memory, lag } = results
  const flags = nodeFlags.length === 0 ? 'none' : nodeFlags.map((flag) => `\`${flag}\``).join(' ')
  return `${machine.cores} cores (${machine.processor}), ${machine.memoryGib} GiB, Linux ${machine.kernel}, \
Node ${machine.node} (flags: ${flags}), redis-server ${machine.redis}. Load average of the \
machine: ${load.atStart.toFixed(1)} before the run, ${load.atEnd.toFixed(1)} at its end.

Everything runs on this one machine: the client, redis-server or region A, and regions B and C, which
follow A. Both sides have their log on and fsync it every second. \`redis-benchmark -c 50 -r 1000000\`,
${rounds} alternating rounds, medians; ${count(requests[1])} requests a round without a pipeline, \
${count(requests[16])} with one.

${heading} Throughput

"Settled" counts until B and C have everything too. CPU is processor time per op of the process that takes
the load, until that moment; B + C is what the two others spend on the same op.

| command | pipeline | redis-server ops/s | Causeway ops/s | ratio | settled ops/s | drain ms | redis CPU us | Causeway CPU us | ratio | B + C CPU us |
|---|---|---|---|---|---|---|---|---|---|---|
${throughput.map(throughputLine).join('\n')}

${heading} Memory

Growth of the resident set per key, after settling.

| value | redis-server | Causeway, region A | regions B, C |
|---|---|---|---|
${memory.map(memoryLine).join('\n')}

${heading} Lag

A write at A is visible at B after p50 ${lag.p50Ms.toFixed(1)} ms, p99 ${lag.p99Ms.toFixed(1)} ms, \
worst ${lag.worstMs.toFixed(1)} ms of ${count(lag.probes)} probes, while A takes \
${count(lag.load)} SETs per second (half of its own full load). Counted from the OK at A, one read at B included.
`
}

function throughputLine({ command, pipeline, redis, causeway }: ThroughputRow): string {
  const peers = causeway.peerCpuUs.reduce((sum, us) => sum + us, 0)
  const cells = [
    command.toUpperCase(),
    pipeline,
    count(redis.opsPerSecond),
    count(causeway.opsPerSecond),
    ratio(causeway.opsPerSecond, redis.opsPerSecond),
    count(causeway.settledOpsPerSecond),
    count(causeway.drainMs),
    redis.cpuUs.toFixed(2),
    causeway.cpuUs.toFixed(2),
    ratio(causeway.cpuUs, redis.cpuUs),
    peers.toFixed(2),
  ]
  return `| ${cells.join(' | ')} |`
}

function memoryLine({ redis, causeway }: MemoryRow): string {
  const peers = causeway.peerBytesPerKey.map((bytes) => bytes.toFixed(0)).join(', ')
  return `| ${redis.valueBytes} bytes, ${count(redis.keys)} keys | ${redis.bytesPerKey.toFixed(0)} bytes | ${causeway.bytesPerKey.toFixed(0)} bytes | ${peers} bytes |`
}

function ratio(a: number, b: number): string {
  return (a / b).toFixed(2)
}

function count(number: number): string {
  return Math.round(number).toLocaleString('en-US')
}
