/**
 * plan.ts: which partitions a command is for, and what each of them is asked: from the command's row and its words.
 *
 *   keys of one partition            that one, the command as it is
 *   keys of several, `multi_shard`   each with its own keys; the replies are joined (`join.ts`)
 *   keys of several, anything else   CROSSSLOT: it could not be one step
 *   `all_shards`, `all_nodes`        every partition; `all_nodes` this node too, when it is a replica
 *   SCAN                             one partition after another: the cursor says which
 *   anything else                    this node, which answers for itself
 *
 * Invariant: with one partition every command goes as it is, and to one place.
 */
import { partitionOf } from '../cluster/topology.ts'
import type { CommandDef, KeyRange } from '../commands/command.ts'
import { parseCursor } from '../commands/scan.ts'
import { keysOf } from '../commands/table.ts'
import { slotOf } from '../engine/slot.ts'
import { CommandError, errors } from '../errors.ts'
import { type Join, joinOf } from './join.ts'

/** A partition, or this node. */
export type Target = number | 'here'

/** What one of them is asked. */
export interface Question {
  readonly target: Target
  readonly words: readonly string[]
}

/** Several are asked, or what is answered has to be changed. */
export interface Spread {
  readonly questions: readonly Question[]
  readonly join: Join
}

export interface Layout {
  readonly partitions: number
  /** This node is primary of one of them. */
  readonly isPrimary: boolean
}

/** @throws CommandError what the client is told in place of a reply */
export function planOf(command: CommandDef, words: readonly string[], layout: Layout): Target | Spread {
  const { partitions } = layout
  if (partitions > 1 && command.request !== undefined) {
    const spread = spreadOf(command, words, layout)
    if (spread !== undefined) return spread
  }
  return placeOf(command, words, partitions)
}

/** Where the keys are, all of them. @throws CommandError CROSSSLOT */
export function placeOf(command: CommandDef, words: readonly string[], partitions: number): Target {
  // Most commands without keys end here, before a list of them is made.
  if (command.keys.first === 0 && command.keysOf === undefined) {
    return command.request === undefined ? 'here' : 0
  }
  const keys = keysIn(command, words)
  const first = keys[0]
  if (first === undefined) return 'here'
  const partition = partitionOf(slotOf(first), partitions)
  for (let i = 1; i < keys.length; i++)
    if (partitionOf(slotOf(keys[i]!), partitions) !== partition) throw errors.crossSlot
  return partition
}

/** What cannot say its keys is wrong, and any node will say how. */
function keysIn(command: CommandDef, words: readonly string[]): string[] {
  try {
    return keysOf(command, words)
  } catch (error) {
    if (error instanceof CommandError) return []
    throw error
  }
}

/** Undefined where the command is for one partition. */
function spreadOf(command: CommandDef, words: readonly string[], layout: Layout): Spread | undefined {
  const { partitions, isPrimary } = layout
  switch (command.request) {
    case 'multi_shard':
      return byKeys(command, words, partitions)
    case 'special':
      return walk(words, partitions)
    case 'all_nodes':
    case 'all_shards': {
      const targets: Target[] = Array.from({ length: partitions }, (_, partition) => partition)
      if (command.request === 'all_nodes' && !isPrimary) targets.push('here')
      return { questions: targets.map((target) => ({ target, words })), join: joinOf(command) }
    }
    default:
      return undefined
  }
}

/** The words of each partition: those before the first key, and its keys, each with what follows it (MSET's values). */
function byKeys(command: CommandDef, words: readonly string[], partitions: number): Spread | undefined {
  const { first, step }: KeyRange = command.keys
  if ((words.length - first) % step !== 0) throw errors.wrongArity(command.name)
  const byPartition = new Map<number, { words: string[]; places: number[] }>()
  for (let at = first; at < words.length; at += step) {
    const partition = partitionOf(slotOf(words[at]!), partitions)
    let part = byPartition.get(partition)
    if (part === undefined) {
      part = { words: words.slice(0, first), places: [] }
      byPartition.set(partition, part)
    }
    for (let i = 0; i < step; i++) part.words.push(words[at + i]!)
    part.places.push((at - first) / step)
  }
  if (byPartition.size === 1) return undefined
  const parts = [...byPartition]
  return {
    questions: parts.map(([target, part]) => ({ target, words: part.words })),
    join: joinOf(
      command,
      parts.map(([, { places }]) => places),
    ),
  }
}

/**
 * SCAN through all partitions: their cursors, times the number of partitions, plus the partition. A cursor is below
 * 2^42 (`commands/scan.ts`) and there are at most 2^10 partitions, so that no digit is lost.
 */
function walk(words: readonly string[], partitions: number): Spread {
  const asked = parseCursor(words[1]!)
  const partition = asked % partitions
  const cursor = Math.floor(asked / partitions)
  const next = (at: number): number => {
    if (at !== 0) return at * partitions + partition
    return partition + 1 === partitions ? 0 : partition + 1
  }
  const question = { target: partition, words: [words[0]!, String(cursor), ...words.slice(2)] }
  return { questions: [question], join: ([reply]) => withCursor(reply!, next) }
}

const SCAN_HEAD = /^\*2\r\n\$\d+\r\n(\d+)\r\n/

function withCursor(reply: string, next: (cursor: number) => number): string {
  const head = SCAN_HEAD.exec(reply)
  // An error.
  if (head === null) return reply
  const cursor = String(next(Number(head[1])))
  return `*2\r\n$${cursor.length}\r\n${cursor}\r\n${reply.slice(head[0].length)}`
}
