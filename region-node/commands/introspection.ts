/**
 * introspection.ts: COMMAND, the command table as clients read it.
 *
 * All of it is made from the rows; nothing about a command is written twice.
 */
import { CommandError, commandError, errors } from '../errors.ts'
import type { ReplyWriter } from '../resp/reply.ts'
import { useOf } from './access.ts'
import { categoriesOf } from './categories.ts'
import { type CommandContext, type CommandDef, type CommandLookup, type KeyUse, NO_KEYS } from './command.ts'
import { helpOf } from './container.ts'
import { globMatch } from './glob.ts'
import { type Argument, parseSyntax } from './syntax.ts'
import { keysOf } from './table.ts'

const invalidCommand = commandError('ERR Invalid command specified')
const noKeys = commandError('ERR The command has no key arguments')
const invalidWordCount = commandError('ERR Invalid number of arguments specified for command')
const invalidWords = commandError('ERR Invalid arguments specified for command')

/** A top-level command, or `container|subcommand`. */
function lookUp(table: CommandLookup, name: string): CommandDef | undefined {
  const bar = name.indexOf('|')
  if (bar < 0) return table.get(name)
  const fullName = name.toLowerCase()
  return table.get(name.slice(0, bar))?.subcommands?.find((sub) => sub.name === fullName)
}

function writeInfo(out: ReplyWriter, command: CommandDef): void {
  const { name, arity, flags, keys, subcommands = [] } = command
  out.array(10)
  out.bulk(name)
  out.integer(arity)
  writeStatuses(out, flags)
  out.integer(keys.first)
  out.integer(keys.last)
  out.integer(keys.step)
  writeStatuses(
    out,
    categoriesOf(command).map((category) => `@${category}`),
  )
  const tips = tipsOf(command)
  out.set(tips.length)
  for (const tip of tips) out.bulk(tip)
  if (keys.first === 0) out.set(0)
  else writeKeySpecification(out, command)
  out.set(subcommands.length)
  for (const subcommand of subcommands) writeInfo(out, subcommand)
}

/** Whom a client of a cluster has to ask, and what to make of the replies. Redis has more tips: those for tools. */
function tipsOf({ request, response }: CommandDef): string[] {
  const tips: string[] = []
  if (request !== undefined) tips.push(`request_policy:${request}`)
  if (response !== undefined) tips.push(`response_policy:${response}`)
  return tips
}

function writeStatuses(out: ReplyWriter, words: readonly string[]): void {
  out.set(words.length)
  for (const word of words) out.simple(word)
}

/** One range says it all for the commands there are; where `keysOf` counts, it says what the range can. */
function writeKeySpecification(out: ReplyWriter, command: CommandDef): void {
  const { keys } = command
  out.set(1)
  out.map(3)
  out.bulk('flags')
  writeStatuses(out, command.channels === undefined ? specificationFlags(useOf(command, 0)) : ['not_key'])
  out.bulk('begin_search')
  out.map(2)
  out.bulk('type')
  out.bulk('index')
  out.bulk('spec')
  out.map(1)
  out.bulk('index')
  out.integer(keys.first)
  out.bulk('find_keys')
  out.map(2)
  out.bulk('type')
  out.bulk('range')
  out.bulk('spec')
  out.map(3)
  out.bulk('lastkey')
  out.integer(keys.last < 0 ? keys.last : keys.last - keys.first)
  out.bulk('keystep')
  out.integer(keys.step)
  out.bulk('limit')
  out.integer(0)
}

function writeDocs(out: ReplyWriter, command: CommandDef): void {
  const { name, summary, since, group, complexity, syntax, subcommands } = command
  out.bulk(name)
  out.map(3 + [complexity, syntax, subcommands].filter((field) => field !== undefined).length)
  writeField(out, 'summary', summary)
  writeField(out, 'since', since)
  writeField(out, 'group', group)
  if (complexity !== undefined) writeField(out, 'complexity', complexity)
  if (syntax !== undefined) {
    // One specification of keys is all that COMMAND INFO has, and it says nothing of keys that have to be counted.
    writeArguments(out, parseSyntax(syntax), command.keys.first > 0 && command.keysOf === undefined)
  }
  if (subcommands !== undefined) {
    out.bulk('subcommands')
    out.map(subcommands.length)
    for (const subcommand of subcommands) writeDocs(out, subcommand)
  }
}

function writeField(out: ReplyWriter, name: string, text: string): void {
  out.bulk(name)
  out.bulk(text)
}

/** @param isSpecified  keys among them are those of the key specification */
function writeArguments(out: ReplyWriter, parts: readonly Argument[], isSpecified: boolean): void {
  out.bulk('arguments')
  out.array(parts.length)
  for (const part of parts) writeArgument(out, part, isSpecified)
}

function writeArgument(out: ReplyWriter, argument: Argument, isSpecified: boolean): void {
  const { name, type, token, parts } = argument
  const flags = flagsOf(argument)
  const isComposed = parts.length > 0
  const hasSpecification = isSpecified && type === 'key'
  const more = [!isComposed, hasSpecification, token !== undefined, flags.length > 0, isComposed]
  out.map(2 + more.filter(Boolean).length)
  writeField(out, 'name', name)
  writeField(out, 'type', type)
  if (!isComposed) writeField(out, 'display_text', name)
  if (hasSpecification) {
    out.bulk('key_spec_index')
    out.integer(0)
  }
  if (token !== undefined) writeField(out, 'token', token)
  if (flags.length > 0) {
    out.bulk('flags')
    writeStatuses(out, flags)
  }
  if (isComposed) writeArguments(out, parts, isSpecified)
}

function flagsOf({ isOptional, isMultiple, isTokenRepeated }: Argument): string[] {
  const flags: string[] = []
  if (isOptional) flags.push('optional')
  if (isMultiple) flags.push('multiple')
  if (isTokenRepeated) flags.push('multiple_token')
  return flags
}

function infoOfAll({ out, commands: { commands } }: CommandContext): void {
  out.array(commands.length)
  for (const command of commands) writeInfo(out, command)
}

function info(ctx: CommandContext, words: readonly string[]): void {
  if (words.length === 2) {
    infoOfAll(ctx)
    return
  }
  const { out, commands } = ctx
  out.array(words.length - 2)
  for (let i = 2; i < words.length; i++) {
    const command = lookUp(commands, words[i]!)
    if (command === undefined) out.nil()
    else writeInfo(out, command)
  }
}

function docs({ out, commands }: CommandContext, words: readonly string[]): void {
  const named = words.slice(2).map((name) => lookUp(commands, name))
  const known = words.length === 2 ? commands.commands : named.filter((command) => command !== undefined)
  out.map(known.length)
  for (const command of known) writeDocs(out, command)
}

/** Which commands COMMAND LIST is asked for. */
function listFilter(words: readonly string[]): (command: CommandDef) => boolean {
  if (words.length === 2) return () => true
  if (words.length !== 5 || words[2]!.toLowerCase() !== 'filterby') throw errors.syntax
  const wanted = words[4]!
  switch (words[3]!.toLowerCase()) {
    case 'module':
      return () => false
    case 'aclcat':
      return (command) => categoriesOf(command).includes(wanted.toLowerCase())
    case 'pattern':
      return ({ name }) => globMatch(wanted, name, true)
    default:
      throw errors.syntax
  }
}

function list({ out, commands: { commands } }: CommandContext, words: readonly string[]): void {
  const isWanted = listFilter(words)
  const names: string[] = []
  for (const command of commands) {
    if (isWanted(command)) names.push(command.name)
    // Redis lists subcommands only when it is asked for some.
    if (words.length === 2) continue
    for (const subcommand of command.subcommands ?? []) if (isWanted(subcommand)) names.push(subcommand.name)
  }
  out.words(names)
}

/** A command with its words, as GETKEYS and GETKEYSANDFLAGS are given it. @throws CommandError */
function askedFor({ commands }: CommandContext, words: readonly string[]): CommandDef {
  const asked = words.slice(2)
  const command = commands.get(asked[0]!)
  const fullName = `${command?.name}|${asked[1]?.toLowerCase()}`
  const found =
    command?.subcommands === undefined || asked.length < 2
      ? command
      : command.subcommands.find((sub) => sub.name === fullName)
  if (found === undefined) throw invalidCommand
  // A shard channel has a slot, and is no key.
  const hasKeys = found.keys.first > 0 || found.keysOf !== undefined
  if (!hasKeys || found.channels !== undefined) throw noKeys
  const { arity } = found
  if (arity > 0 ? asked.length !== arity : asked.length < -arity) throw invalidWordCount
  return found
}

function getKeys(ctx: CommandContext, words: readonly string[]): void {
  ctx.out.words(keysIn(askedFor(ctx, words), words.slice(2)))
}

function getKeysAndFlags(ctx: CommandContext, words: readonly string[]): void {
  const { out } = ctx
  const command = askedFor(ctx, words)
  const keys = keysIn(command, words.slice(2))
  out.array(keys.length)
  keys.forEach((key, at) => {
    out.array(2)
    out.bulk(key)
    writeStatuses(out, specificationFlags(useOf(command, at)))
  })
}

/** A use of a key in the words of Redis's key specifications. */
function specificationFlags(use: KeyUse): readonly string[] {
  switch (use) {
    case 'R':
      return ['RO', 'access']
    case 'W':
      return ['OW', 'update']
    case 'RW':
      return ['RW', 'access', 'update']
    default:
      return ['RO']
  }
}

/** @throws CommandError when there are none and the command cannot do without */
function keysIn(command: CommandDef, words: readonly string[]): string[] {
  let keys: string[] = []
  try {
    keys = keysOf(command, words)
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
  }
  if (keys.length === 0 && !command.flags.includes('no_mandatory_keys')) throw invalidWords
  return keys
}

const READ: CommandDef['flags'] = ['loading', 'stale']

const HELP = [
  '(no subcommand)',
  '    Return details about all Redis commands.',
  'COUNT',
  '    Return the total number of commands in this Redis server.',
  'LIST [FILTERBY (MODULE <name>|ACLCAT <category>|PATTERN <pattern>)]',
  '    Return a list of all commands in this Redis server.',
  'INFO [<command-name> ...]',
  '    Return details about multiple Redis commands.',
  '    If no command names are given, documentation details for all',
  '    commands are returned.',
  'DOCS [<command-name> ...]',
  '    Return documentation details about multiple Redis commands.',
  '    If no command names are given, documentation details for all',
  '    commands are returned.',
  'GETKEYS <full-command>',
  '    Return the keys from a full Redis command.',
  'GETKEYSANDFLAGS <full-command>',
  '    Return the keys and the access flags from a full Redis command.',
]

export const commandCommand: CommandDef = {
  name: 'command',
  arity: -1,
  categories: ['connection'],
  flags: READ,
  keys: NO_KEYS,
  group: 'server',
  since: '2.8.13',
  summary: 'Returns detailed information about all commands.',
  complexity: 'O(N) where N is the total number of Redis commands',
  run: infoOfAll,
  subcommands: [
    {
      name: 'command|count',
      arity: 2,
      categories: ['connection'],
      flags: READ,
      keys: NO_KEYS,
      group: 'server',
      since: '2.8.13',
      summary: 'Returns a count of commands.',
      complexity: 'O(1)',
      run: ({ out, commands: { commands } }) => out.integer(commands.length),
    },
    {
      name: 'command|info',
      arity: -2,
      categories: ['connection'],
      flags: READ,
      keys: NO_KEYS,
      group: 'server',
      since: '2.8.13',
      summary: 'Returns information about one, multiple or all commands.',
      syntax: '[command-name ...]',
      complexity: 'O(N) where N is the number of commands to look up',
      run: info,
    },
    {
      name: 'command|docs',
      arity: -2,
      categories: ['connection'],
      flags: READ,
      keys: NO_KEYS,
      group: 'server',
      since: '7.0.0',
      summary: 'Returns documentary information about one, multiple or all commands.',
      syntax: '[command-name ...]',
      complexity: 'O(N) where N is the number of commands to look up',
      run: docs,
    },
    {
      name: 'command|list',
      arity: -2,
      categories: ['connection'],
      flags: READ,
      keys: NO_KEYS,
      group: 'server',
      since: '7.0.0',
      summary: 'Returns a list of command names.',
      syntax: '[FILTERBY <MODULE module-name|ACLCAT category|PATTERN pattern>]',
      complexity: 'O(N) where N is the total number of Redis commands',
      run: list,
    },
    {
      name: 'command|getkeys',
      arity: -3,
      categories: ['connection'],
      flags: READ,
      keys: NO_KEYS,
      group: 'server',
      since: '2.8.13',
      summary: 'Extracts the key names from an arbitrary command.',
      syntax: 'command [arg ...]',
      complexity: 'O(N) where N is the number of arguments to the command',
      run: getKeys,
    },
    {
      name: 'command|getkeysandflags',
      arity: -3,
      flags: READ,
      categories: ['connection'],
      keys: NO_KEYS,
      group: 'server',
      since: '7.0.0',
      summary: 'Extracts the key names and access flags for an arbitrary command.',
      syntax: 'command [arg ...]',
      complexity: 'O(N) where N is the number of arguments to the command',
      run: getKeysAndFlags,
    },
    helpOf('command', 'server', '5.0.0', HELP, ['connection']),
  ],
}
