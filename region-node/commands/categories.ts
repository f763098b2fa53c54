/**
 * categories.ts: the categories of commands, which COMMAND INFO shows and access control speaks about. They follow
 * from a command's group and flags.
 */
import type { CommandDef } from './command.ts'

const CATEGORY_OF_GROUP: Readonly<Record<CommandDef['group'], string | undefined>> = {
  string: 'string',
  bitmap: 'bitmap',
  hash: 'hash',
  set: 'set',
  list: 'list',
  'sorted-set': 'sortedset',
  geo: 'geo',
  hyperloglog: 'hyperloglog',
  stream: 'stream',
  generic: 'keyspace',
  connection: 'connection',
  transactions: 'transaction',
  pubsub: 'pubsub',
  scripting: 'scripting',
  server: undefined,
  cluster: undefined,
  causeway: undefined,
}

/** Every category, in the order in which Redis shows them. */
export const CATEGORIES = [
  'keyspace',
  'read',
  'write',
  'set',
  'sortedset',
  'list',
  'hash',
  'string',
  'bitmap',
  'hyperloglog',
  'geo',
  'stream',
  'pubsub',
  'admin',
  'fast',
  'slow',
  'blocking',
  'dangerous',
  'connection',
  'transaction',
  'scripting',
] as const

/** The categories of a command or subcommand, as COMMAND INFO and ACL CAT show them. */
export function categoriesOf({ group, flags, subcommands, categories }: CommandDef): string[] {
  const isAdmin = flags.includes('admin')
  // What a script reads is asked for where it does so.
  const isScript = group === 'scripting'
  const applies: Partial<Record<string, boolean>> = {
    read: flags.includes('readonly') && !isScript,
    write: flags.includes('write'),
    admin: isAdmin,
    fast: flags.includes('fast'),
    slow: !flags.includes('fast'),
    blocking: flags.includes('blocking'),
    dangerous: isAdmin,
  }
  // A container is only a name for its subcommands.
  const ofGroup = subcommands === undefined ? CATEGORY_OF_GROUP[group] : undefined
  const own = categories ?? [ofGroup]
  return CATEGORIES.filter((category) => applies[category] === true || own.includes(category))
}
