/**
 * access.ts: what a command is about to do, in the terms of access control: from its row and its words.
 */
import type { Catalog, ChannelAccess, KeyAccess, Request } from '../acl/permissions.ts'
import { categoriesOf } from './categories.ts'
import type { CommandDef, CommandLookup, KeyUse } from './command.ts'
import { keysOf } from './table.ts'

const READS: readonly KeyUse[] = ['R']
const READS_AND_WRITES: readonly KeyUse[] = ['RW']

export function requestOf(command: CommandDef, words: readonly string[]): Request {
  return {
    command: command.name,
    words,
    keys: keyAccessOf(command, words),
    channels: channelsOf(command, words),
  }
}

function keyAccessOf(command: CommandDef, words: readonly string[]): KeyAccess[] {
  if (command.channels !== undefined) return []
  return keysOf(command, words).map((key, i) => {
    const use = useOf(command, i)
    return { key, reads: use.includes('R'), writes: use.includes('W') }
  })
}

/** What a command does to its key at that place among its keys. */
export function useOf({ uses, flags }: CommandDef, at: number): KeyUse {
  const all = uses ?? (flags.includes('write') ? READS_AND_WRITES : READS)
  return all[Math.min(at, all.length - 1)]!
}

function channelsOf({ channels }: CommandDef, words: readonly string[]): ChannelAccess[] {
  if (channels === undefined) return []
  const named = channels === 'first' ? words.slice(1, 2) : words.slice(1)
  return named.map((channel) => ({ channel, isPattern: channels === 'patterns' }))
}

/** The command table as access control speaks about it. */
export function catalogOf(table: CommandLookup): Catalog {
  const categories = new Map<string, string[]>()
  const entries = new Map<string, { name: string; subcommands: string[] }>()
  for (const command of table.commands) {
    const subcommands = command.subcommands ?? []
    entries.set(command.name, { name: command.name, subcommands: subcommands.map(({ name }) => name) })
    for (const sub of subcommands) entries.set(sub.name, { name: sub.name, subcommands: [] })
    for (const one of [command, ...subcommands]) {
      for (const category of categoriesOf(one)) {
        const names = categories.get(category)
        if (names === undefined) categories.set(category, [one.name])
        else names.push(one.name)
      }
    }
  }
  return {
    get: (name) => entries.get(name),
    category: (name) => categories.get(name),
    all: () => entries.keys(),
  }
}
