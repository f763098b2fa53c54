/**
 * report.ts: the figures of the benchmark as Markdown for people and as JSON for comparison. They say what
 * kind of machine they come from, and not which one. A part that was not measured is left out.
 */
import { readFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import type { Lag } from './lag.ts'
import type { Memory } from './memory.ts'
import type { FounderFigures, Newcomer, ReplyFigures } from './newcomer.ts'
import type { Restart } from './restart.ts'
import { LAYOUTS, type Layout, type ShardedFigures, type Sharding } from './sharding.ts'
import type { PingFigures, SnapshotPause } from './snapshot-pause.ts'
import { median } from './statistics.ts'
import type { CommandName, Pipeline, Throughput } from './throughput.ts'

export const PART_NAMES = [
  'throughput',
  'memory',
  'lag',
  'restart',
  'snapshot',
  'newcomer',
  'sharding',
] as const
export type PartName = (typeof PART_NAMES)[number]

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

export interface ThroughputRows {
  readonly rounds: number
  readonly requests: Readonly<Record<Pipeline, number>>
  readonly rows: readonly ThroughputRow[]
}

export interface MemoryRow {
  readonly redis: Memory
  readonly causeway: Memory
}

/** A part as it was measured, and how busy the machine was. */
export interface Ran<T> {
  readonly load: LoadAverage
  readonly figures: T
}

export interface Parts {
  readonly throughput?: Ran<ThroughputRows> | undefined
  readonly memory?: Ran<readonly MemoryRow[]> | undefined
  readonly lag?: Ran<Lag> | undefined
  readonly restart?: Ran<Restart> | undefined
  readonly snapshot?: Ran<SnapshotPause> | undefined
  readonly newcomer?: Ran<Newcomer> | undefined
  readonly sharding?: Ran<Sharding> | undefined
}

export interface Results {
  readonly date: string
  readonly machine: Machine
  readonly nodeFlags: readonly string[]
  readonly parts: Parts
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
export function figures({ machine, nodeFlags, parts }: Results, heading: string): string {
  const flags = nodeFlags.length === 0 ? 'none' : nodeFlags.map((flag) => `\`${flag}\``).join(' ')
  const intro = `${machine.cores} cores (${machine.processor}), ${machine.memoryGib} GiB, Linux ${machine.kernel}, \
Node ${machine.node} (flags: ${flags}), redis-server ${machine.redis}.

Everything runs on this one machine: the client, redis-server or region A, and the other regions where there
are any. Each part says how busy the machine was before it and at its end: the load average of a minute.
`
  const section = <T>(title: string, part: Ran<T> | undefined, text: (figures: T) => string): string => {
    if (part === undefined) return ''
    const { atStart, atEnd } = part.load
    return `\n${heading} ${title}\n\n${text(part.figures)}\n\nLoad average ${atStart.toFixed(1)} before, ${atEnd.toFixed(1)} at the end.\n`
  }
  return [
    intro,
    section('Throughput', parts.throughput, throughputText),
    section('Memory', parts.memory, memoryText),
    section('Lag', parts.lag, lagText),
    section('Restart', parts.restart, restartText),
    section('Snapshot', parts.snapshot, snapshotText),
    section('A region joins', parts.newcomer, newcomerText),
    section('Two nodes', parts.sharding, shardingText),
  ].join('')
}

function throughputText({ rounds, requests, rows }: ThroughputRows): string {
  return `redis-server, or region A which B and C follow; both sides have their log on and fsync it every second.
\`redis-benchmark -c 50 -r 1000000\`, ${rounds} alternating rounds, medians; ${count(requests[1])} requests a round without a
pipeline, ${count(requests[16])} with one. A round before them, not counted, warms both sides up; the removal of a
round's keys is not counted either. "Settled" counts until B and C have everything too. CPU is processor time
per op of the process that takes the load, until that moment; B + C is what the two others spend on the
same op.

| command | pipeline | redis-server ops/s | Causeway ops/s | ratio | settled ops/s | drain ms | redis CPU us | Causeway CPU us | ratio | B + C CPU us |
|---|---|---|---|---|---|---|---|---|---|---|
${rows.map(throughputLine).join('\n')}`
}

function throughputLine({ command, pipeline, redis, causeway }: ThroughputRow): string {
  const peers = causeway.peerCpuUs.reduce((sum, us) => sum + us, 0)
  return line([
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
  ])
}

function memoryText(rows: readonly MemoryRow[]): string {
  return `Growth of the resident set per key, after settling.

| value | redis-server | Causeway, region A | ratio | regions B, C |
|---|---|---|---|---|
${rows.map(memoryLine).join('\n')}`
}

function memoryLine({ redis, causeway }: MemoryRow): string {
  const peers = causeway.peerBytesPerKey.map((bytes) => bytes.toFixed(0)).join(', ')
  return line([
    `${redis.valueBytes} bytes, ${count(redis.keys)} keys`,
    `${redis.bytesPerKey.toFixed(0)} bytes`,
    `${causeway.bytesPerKey.toFixed(0)} bytes`,
    ratio(causeway.bytesPerKey, redis.bytesPerKey),
    `${peers} bytes`,
  ])
}

function lagText(lag: Lag): string {
  return `A write at A is visible at B after p50 ${lag.p50Ms.toFixed(1)} ms, p99 ${lag.p99Ms.toFixed(1)} ms, \
worst ${lag.worstMs.toFixed(1)} ms of ${count(lag.probes)} probes, while A takes \
${count(lag.load)} SETs per second (half of its own full load). Counted from the OK at A, one read at B included.
Without what A and B waited for a core meanwhile, p99 is ${lag.p99RunningMs.toFixed(1)} ms.`
}

function restartText({ keys, logged, redisMs, causewayMs }: Restart): string {
  const row = (name: string, took: readonly number[]): string =>
    line([name, seconds(median(took)), took.map(seconds).join(', '), ratio(median(took), median(redisMs))])
  return `From the start of the process until DBSIZE is answered with all ${count(keys)} keys, 16 bytes each with a
value of 3, after an orderly stop. redis-server reads its RDB file; Causeway, without peers, a snapshot and
a log of ${count(logged)} ops behind it. ${redisMs.length} alternating rounds, files in the page cache.

| | median s | each round s | ratio |
|---|---|---|---|
${row('redis-server', redisMs)}
${row('Causeway', causewayMs)}`
}

function snapshotText({ keys, load, rounds }: SnapshotPause): string {
  const row = (name: string, of: readonly PingFigures[]): string => {
    const middle = (read: (one: PingFigures) => number): string => milliseconds(median(of.map(read)))
    const worst = (read: (one: PingFigures) => number): string => milliseconds(Math.max(...of.map(read)))
    return line([
      name,
      count(of.reduce((sum, { pings }) => sum + pings, 0)),
      middle((one) => one.p50Ms),
      middle((one) => one.p99Ms),
      `${middle((one) => one.worstMs)}, ${worst((one) => one.worstMs)}`,
      `${middle((one) => one.worstRunningMs)}, ${worst((one) => one.worstRunningMs)}`,
      `${middle((one) => one.worstWithoutGcMs)}, ${worst((one) => one.worstWithoutGcMs)}`,
      `${middle((one) => one.longestGcMs)}, ${worst((one) => one.longestGcMs)}`,
    ])
  }
  const bytes = median(rounds.map((round) => round.bytes))
  const tookMs = median(rounds.map((round) => round.tookMs))
  return `One region without peers, ${count(keys)} keys, ${count(load)} SETs per second, a PING every millisecond on a
connection of its own; ${rounds.length} rounds, each without BGSAVE and then with it. p50 and p99 are medians over the
rounds; of the rest, the median and the worst of the rounds. "Running" is the longest PING when what the
node waited for a core is taken away from each, "without GC" when the processor time of collections is too.
A snapshot takes ${seconds(tookMs)} s and has ${megabytes(bytes)} MB (medians).

| | pings | p50 ms | p99 ms | longest ms | running | without GC | longest collection ms |
|---|---|---|---|---|---|---|---|
${row(
  'no snapshot',
  rounds.map(({ quiet }) => quiet),
)}
${row(
  'snapshot under way',
  rounds.map(({ saving }) => saving),
)}`
}

function newcomerText(newcomer: Newcomer): string {
  const { keys, loads, founders, errors, joinMs, receivedBytes, drainMs, digestsEqual } = newcomer
  return `Three regions with ${count(keys)} keys; A and B take ${loads.map(count).join(' and ')} SETs per second, and a client of
each region GETs a key every millisecond. A fourth region with an empty folder is started and added
(\`CRDT.REGION ADD\`). It takes writes ${seconds(joinMs)} s after that, and has received ${megabytes(receivedBytes)} MB by then. The load
goes on meanwhile; ${seconds(drainMs)} s after its end all four vectors are equal, and the digests are
${digestsEqual ? 'equal' : 'NOT equal'}. Clients were answered ${count(errors)} errors. "Running" is the p99
when what the region waited for a core is taken away from each GET.

| GET at | p50 ms before | p99 ms before | running | longest ms before | p50 ms during | p99 ms during | running | longest ms during | p99 ratio | running |
|---|---|---|---|---|---|---|---|---|---|---|
${founders.map(founderLine).join('\n')}`
}

function founderLine({ region, before, during }: FounderFigures): string {
  const cells = ({ p50Ms, p99Ms, p99RunningMs, worstMs }: ReplyFigures): string[] =>
    [p50Ms, p99Ms, p99RunningMs, worstMs].map(milliseconds)
  return line([
    region,
    ...cells(before),
    ...cells(during),
    ratio(during.p99Ms, before.p99Ms),
    ratio(during.p99RunningMs, before.p99RunningMs),
  ])
}

function shardingText({ rounds, requests, figures }: Sharding): string {
  const cases = new Set(figures.map(({ command, pipeline }) => `${command} ${pipeline}`))
  const rows = [...cases].map((one) => {
    const of = (layout: Layout, read: (figures: ShardedFigures) => number): number =>
      median(
        figures
          .filter((round) => round.layout === layout && `${round.command} ${round.pipeline}` === one)
          .map((round) => read(round.figures)),
      )
    const rates = LAYOUTS.map((layout) => of(layout, (f) => f.opsPerSecond))
    const cpu = LAYOUTS.map((layout) => of(layout, (f) => f.cpuUs))
    const [command, pipeline] = one.split(' ') as [string, string]
    return line([
      command.toUpperCase(),
      pipeline,
      ...rates.map(count),
      ...cpu.map((us) => us.toFixed(2)),
      ratio(cpu[2]!, cpu[1]!),
      ratio(cpu[2]!, cpu[0]!),
    ])
  })
  return `A region without peers: one node with all slots; two databases of one node each; one database over two nodes
with a partition each. Two \`redis-benchmark -c 50 -r 1000000\` at once, each with keys of one half of the slots; medians of ${rounds} rounds; ${count(requests[1])} requests without a pipeline, ${count(requests[16])} with
one. The client shares the cores with the nodes, so the rates say little; CPU is the processor time per op of all nodes.
Where the load is shared, a node finds less of it at each look at its sockets; what the sharding itself costs is the
ratio of the two partitions to the two databases.

| command | pipeline | one node ops/s | two databases ops/s | two partitions ops/s | one node CPU us | two databases CPU us | two partitions CPU us | to two databases | to one node |
|---|---|---|---|---|---|---|---|---|---|
${rows.join('\n')}`
}

function line(cells: readonly (string | number)[]): string {
  return `| ${cells.join(' | ')} |`
}

function ratio(a: number, b: number): string {
  return (a / b).toFixed(2)
}

function count(number: number): string {
  return Math.round(number).toLocaleString('en-US')
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(2)
}

function milliseconds(ms: number): string {
  return ms.toFixed(2)
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1)
}
