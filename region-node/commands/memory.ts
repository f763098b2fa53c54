/**
 * memory.ts: the MEMORY commands: what keys take, and where the memory of the node is.
 */
import { keyBytes } from '../engine/key-memory.ts'
import { errors } from '../errors.ts'
import { MALLOC_WORDS } from '../malloc-env.ts'
import { type CommandContext, type CommandDef, NO_KEYS } from './command.ts'
import { container, helpOf } from './container.ts'
import { parseCount } from './parse.ts'
import type { MemoryFigures } from './services.ts'

/** Elements of a collection that are looked at, as in Redis. */
const SAMPLES_DEFAULT = 5
/** Resident memory beyond this many times what is used is worth a word. */
const FRAGMENTATION_MAX = 1.5
/** Below this nothing can be said. */
const USED_BYTES_MIN = 64 * 1024 * 1024
const HEAP_SHARE_MAX = 0.7
const CLIENTS_SHARE_MAX = 0.25

function usage(ctx: CommandContext, words: readonly string[]): void {
  let samples = SAMPLES_DEFAULT
  for (let at = 3; at < words.length; at += 2) {
    if (words[at]!.toLowerCase() !== 'samples' || at + 1 === words.length) throw errors.syntax
    samples = parseCount(words[at + 1]!)
    if (samples < 0) throw errors.syntax
  }
  const key = words[2]!
  const entry = ctx.entry(key)
  if (entry === undefined) ctx.out.nil()
  else ctx.out.integer(ctx.keyspace.db(ctx.db).packedBytes(key) ?? keyBytes(key, entry, samples))
}

function stats({ services, out }: CommandContext): void {
  const figures = services.memoryFigures()
  const { used, resident, dataset, keys, fragmentation } = figures
  const integers: readonly (readonly [string, number])[] = [
    ['peak.allocated', figures.residentPeak],
    ['total.allocated', used],
    ['replication.backlog', figures.logTail],
    ['clients.normal', figures.clients],
    ['waiting.ops', figures.waitingOps],
    ['overhead.total', figures.overhead],
    ['keys.count', keys],
    ['keys.bytes-per-key', keys === 0 ? 0 : Math.round(dataset / keys)],
    ['dataset.bytes', dataset],
    ['allocator.allocated', figures.heap + figures.buffers],
    ['allocator.resident', resident],
    ['fragmentation.bytes', resident - used],
  ]
  const doubles: readonly (readonly [string, number])[] = [
    ['dataset.percentage', (100 * dataset) / Math.max(1, used)],
    ['peak.percentage', (100 * resident) / Math.max(1, figures.residentPeak)],
    ['fragmentation', fragmentation],
  ]
  out.map(integers.length + doubles.length)
  for (const [name, value] of integers) {
    out.bulk(name)
    out.integer(value)
  }
  for (const [name, value] of doubles) {
    out.bulk(name)
    out.double(value)
  }
}

/** What an operator might do something about, a sentence each. */
function findings(figures: MemoryFigures): string[] {
  const { used, heap, heapLimit, clients, fragmentation } = figures
  if (used < USED_BYTES_MIN) return ['The node uses too little memory to say anything about it.']
  const found: string[] = []
  if (fragmentation > FRAGMENTATION_MAX) {
    found.push(
      `Resident memory is ${fragmentation.toFixed(1)} times what is used. What was freed lately is given back ` +
        `bit by bit; if it stays so, set ${MALLOC_WORDS} in the environment of the node.`,
    )
  }
  if (heap > heapLimit * HEAP_SHARE_MAX) {
    found.push(
      'The heap is nearly full: start the node with a larger maxmemory, or delete large collections.',
    )
  }
  if (clients > used * CLIENTS_SHARE_MAX) {
    found.push('Clients do not read their replies fast enough: look at omem in CLIENT LIST.')
  }
  return found.length === 0 ? ['Nothing about the memory of this node is unusual.'] : found
}

/** A subcommand that is about the node. */
function aboutNode(row: Pick<CommandDef, 'name' | 'summary' | 'run'>): CommandDef {
  return { ...row, arity: 2, flags: [], keys: NO_KEYS, group: 'server', since: '4.0.0', complexity: 'O(1)' }
}

export const memoryCommand = container({
  name: 'memory',
  group: 'server',
  since: '4.0.0',
  summary: 'A container for memory diagnostics commands.',
  subcommands: [
    aboutNode({
      name: 'memory|doctor',
      summary: 'Says what is unusual about the memory of the node.',
      run: ({ services, out }) => out.verbatim('txt', `${findings(services.memoryFigures()).join('\n')}\n`),
    }),
    aboutNode({
      name: 'memory|malloc-stats',
      summary: 'Returns what V8 says of its heap.',
      run: ({ services, out }) => {
        const { heap, heapLimit, buffers, free } = services.memoryFigures()
        out.verbatim(
          'txt',
          `heap ${heap} of ${heapLimit} bytes, beside it ${buffers} bytes, of them ${free} free for keys\n`,
        )
      },
    }),
    aboutNode({
      name: 'memory|purge',
      summary:
        'Collects the whole heap at once. Nobody is served meanwhile: a second for each gigabyte of it.',
      run: ({ services, out }) => {
        services.collectGarbage()
        out.ok()
      },
    }),
    aboutNode({ name: 'memory|stats', summary: 'Returns where the memory of the node is.', run: stats }),
    {
      name: 'memory|usage',
      arity: -3,
      flags: ['readonly'],
      keys: { first: 2, last: 2, step: 1 },
      uses: [''],
      group: 'server',
      since: '4.0.0',
      summary: 'Estimates the memory usage of a key.',
      syntax: 'key [SAMPLES count]',
      complexity: 'O(N) where N is the number of samples.',
      run: usage,
    },
    helpOf('memory', 'server', '4.0.0', [
      'DOCTOR',
      '    Return memory problems reports.',
      'MALLOC-STATS',
      '    Return internal statistics report from the memory allocator.',
      'PURGE',
      '    Attempt to purge dirty pages for reclamation by the allocator.',
      'STATS',
      '    Return information about the memory usage of the server.',
      'USAGE <key> [SAMPLES <count>]',
      '    Return memory in bytes used by <key> and its value. Nested values are',
      '    sampled up to <count> times (default: 5, 0 means sample all).',
    ]),
  ],
})
