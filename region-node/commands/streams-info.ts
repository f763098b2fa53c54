/**
 * streams-info.ts: XINFO: what a stream, its groups and their consumers look like from inside.
 *
 * Fields and their order are Redis 7.2's. What it says of its radix tree is said as if entries lay in full blocks
 * of a hundred. Counters of the history are hints of this node (`crdt/stream.ts`).
 */
import type { StreamEntry, StreamState } from '../../crdt/stream.ts'
import type { Consumer, Group, Pending } from '../../crdt/stream-group.ts'
import { ID_MAX, ID_MIN, idText } from '../../crdt/stream-id.ts'
import type { IdOrder } from '../../crdt/stream-order.ts'
import { errors } from '../errors.ts'
import type { ReplyWriter } from '../resp/reply.ts'
import { type CommandContext, type CommandDef, defineCommands } from './command.ts'
import { container, helpOf } from './container.ts'
import { parseCount } from './parse.ts'
import { streamErrors, writeEntries, writeEntry } from './streams-args.ts'
import { byName, idleOf } from './streams-groups.ts'

const BLOCK_ENTRIES = 100
const FULL_COUNT = 10
const NEVER = -1

/** @throws CommandError */
function streamNamed(ctx: CommandContext, words: readonly string[]): StreamState {
  const stream = ctx.stream(words[2]!)
  if (stream === undefined) throw errors.noSuchKey
  return stream
}

function xinfoStream(ctx: CommandContext, words: readonly string[]): void {
  const stream = streamNamed(ctx, words)
  const count = parseFull(words)
  const { out } = ctx
  const { entries, lastId, maxDeletedId, entriesAdded, groups } = stream
  const blocks = Math.ceil(entries.size / BLOCK_ENTRIES)
  out.map(count === undefined ? 10 : 9)
  out.bulk('length')
  out.integer(entries.size)
  out.bulk('radix-tree-keys')
  out.integer(blocks)
  out.bulk('radix-tree-nodes')
  out.integer(blocks + 1)
  writeText(out, 'last-generated-id', idText(lastId))
  writeText(out, 'max-deleted-entry-id', idText(maxDeletedId))
  out.bulk('entries-added')
  out.integer(entriesAdded)
  writeText(out, 'recorded-first-entry-id', idText(entries.first ?? ID_MIN))
  if (count !== undefined) {
    writeFull(out, stream, count)
    return
  }
  out.bulk('groups')
  out.integer(groups.size)
  out.bulk('first-entry')
  writeEntryOrNil(out, entries.first)
  out.bulk('last-entry')
  writeEntryOrNil(out, entries.last)
}

/** @returns how many of everything FULL shows; undefined without FULL. @throws CommandError */
function parseFull(words: readonly string[]): number | undefined {
  if (words.length === 3) return undefined
  const isFull = words[3]!.toLowerCase() === 'full'
  if (isFull && words.length === 4) return FULL_COUNT
  if (!isFull || words.length !== 6 || words[4]!.toLowerCase() !== 'count')
    throw errors.unknownSubcommandOrArity('xinfo', words[1]!)
  const count = parseCount(words[5]!)
  if (count === 0) return Number.POSITIVE_INFINITY
  return count < 0 ? FULL_COUNT : count
}

function writeText(out: ReplyWriter, name: string, text: string): void {
  out.bulk(name)
  out.bulk(text)
}

function writeEntryOrNil(out: ReplyWriter, entry: StreamEntry | undefined): void {
  if (entry === undefined) out.nil()
  else writeEntry(out, entry)
}

function writeCount(out: ReplyWriter, name: string, count: number | undefined): void {
  out.bulk(name)
  if (count === undefined) out.nil()
  else out.integer(count)
}

function writeFull(out: ReplyWriter, stream: StreamState, count: number): void {
  out.bulk('entries')
  writeEntries(out, stream.entries.range(ID_MIN, ID_MAX, count))
  out.bulk('groups')
  out.array(stream.groups.size)
  for (const group of byName(stream.groups.values())) {
    out.map(7)
    writeText(out, 'name', group.name)
    writeText(out, 'last-delivered-id', idText(group.cursor))
    writeCount(out, 'entries-read', group.entriesRead)
    writeCount(out, 'lag', stream.lagOf(group))
    writeCount(out, 'pel-count', group.pending.size)
    writePending(out, group.pending, count, true)
    out.bulk('consumers')
    out.array(group.consumers.size)
    for (const consumer of byName(group.consumers.values())) {
      out.map(5)
      writeText(out, 'name', consumer.name)
      writeCount(out, 'seen-time', consumer.seenMs)
      writeCount(out, 'active-time', consumer.activeMs ?? NEVER)
      writeCount(out, 'pel-count', consumer.pending.size)
      writePending(out, consumer.pending, count, false)
    }
  }
}

function writePending(out: ReplyWriter, pending: IdOrder<Pending>, count: number, isNamed: boolean): void {
  const shown = pending.range(ID_MIN, ID_MAX, count)
  out.bulk('pending')
  out.array(shown.length)
  for (const one of shown) {
    out.array(isNamed ? 4 : 3)
    out.bulk(idText(one))
    if (isNamed) out.bulk(one.consumer.name)
    out.integer(one.deliveredMs)
    out.integer(one.deliveries)
  }
}

function xinfoGroups(ctx: CommandContext, words: readonly string[]): void {
  const stream = streamNamed(ctx, words)
  const { out } = ctx
  out.array(stream.groups.size)
  for (const group of byName(stream.groups.values())) {
    out.map(6)
    writeText(out, 'name', group.name)
    writeCount(out, 'consumers', group.consumers.size)
    writeCount(out, 'pending', group.pending.size)
    writeText(out, 'last-delivered-id', idText(group.cursor))
    writeCount(out, 'entries-read', group.entriesRead)
    writeCount(out, 'lag', stream.lagOf(group))
  }
}

function xinfoConsumers(ctx: CommandContext, words: readonly string[]): void {
  const group: Group | undefined = streamNamed(ctx, words).groups.get(words[3]!)
  if (group === undefined) throw streamErrors.noSuchGroup(words[3]!, words[2]!)
  ctx.out.array(group.consumers.size)
  for (const consumer of byName(group.consumers.values())) writeConsumer(ctx, consumer)
}

function writeConsumer({ out, nowMs }: CommandContext, { name, pending, seenMs, activeMs }: Consumer): void {
  out.map(4)
  writeText(out, 'name', name)
  writeCount(out, 'pending', pending.size)
  writeCount(out, 'idle', idleOf(seenMs, nowMs))
  writeCount(out, 'inactive', activeMs === undefined ? NEVER : idleOf(activeMs, nowMs))
}

/** A subcommand of XINFO. */
function about(row: Pick<CommandDef, 'name' | 'arity' | 'summary' | 'syntax' | 'run'>): CommandDef {
  return {
    ...row,
    flags: ['readonly'],
    keys: { first: 2, last: 2, step: 1 },
    group: 'stream',
    since: '5.0.0',
    complexity: 'O(1)',
  }
}

export const streamInfoCommands = defineCommands([
  container({
    name: 'xinfo',
    group: 'stream',
    since: '5.0.0',
    summary: 'A container for stream introspection commands.',
    subcommands: [
      about({
        name: 'xinfo|consumers',
        arity: 4,
        summary: 'Returns a list of the consumers in a consumer group.',
        syntax: 'key groupname',
        run: xinfoConsumers,
      }),
      about({
        name: 'xinfo|groups',
        arity: 3,
        summary: 'Returns a list of the consumer groups of a stream.',
        syntax: 'key',
        run: xinfoGroups,
      }),
      about({
        name: 'xinfo|stream',
        arity: -3,
        summary: 'Returns information about a stream.',
        syntax: 'key [FULL [COUNT count]]',
        run: xinfoStream,
      }),
      helpOf('xinfo', 'stream', '5.0.0', [
        'CONSUMERS <key> <groupname>',
        '    Show consumers of <groupname>.',
        'GROUPS <key>',
        '    Show the stream consumer groups.',
        'STREAM <key> [FULL [COUNT <count>]',
        '    Show information about the stream.',
      ]),
    ],
  }),
])
