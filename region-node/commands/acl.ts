/**
 * acl.ts: the ACL commands: who may do what. The rules are in `acl/`.
 */
import { denialText } from '../acl/access-control.ts'
import type { LogEntry } from '../acl/acl-log.ts'
import type { Permissions } from '../acl/permissions.ts'
import { commandError, errors } from '../errors.ts'
import { catalogOf, requestOf } from './access.ts'
import { CATEGORIES } from './categories.ts'
import { type CommandContext, type CommandDef, defineCommands, NO_KEYS } from './command.ts'
import { container, helpOf } from './container.ts'
import { parseCount } from './parse.ts'

const PASSWORD_BITS = 256
const PASSWORD_BITS_MAX = 4096
const LOG_ENTRIES = 10

const badUserName = commandError("ERR Usernames can't contain spaces or null characters")
const badPasswordBits = commandError(
  'ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to ' +
    `${PASSWORD_BITS_MAX}`,
)

function setUser({ access, out }: CommandContext, words: readonly string[]): void {
  const name = words[2]!
  if (/[ \0]/.test(name)) throw badUserName
  access.setUser(name, words.slice(3))
  out.ok()
}

function deleteUsers({ access, out }: CommandContext, words: readonly string[]): void {
  let deleted = 0
  for (const name of words.slice(2)) if (access.deleteUser(name)) deleted++
  out.integer(deleted)
}

function getUser({ access, out }: CommandContext, words: readonly string[]): void {
  const user = access.get(words[2]!)
  if (user === undefined) {
    out.nilArray()
    return
  }
  out.map(6)
  out.bulk('flags')
  out.set(user.flags.length)
  for (const flag of user.flags) out.bulk(flag)
  out.bulk('passwords')
  out.words([...user.passwordHashes])
  writePermissions(out, user.root)
  out.bulk('selectors')
  out.array(user.selectors.length)
  for (const selector of user.selectors) {
    out.map(3)
    writePermissions(out, selector)
  }
}

function writePermissions(out: CommandContext['out'], permissions: Permissions): void {
  out.bulk('commands')
  out.bulk(permissions.commandText)
  out.bulk('keys')
  out.bulk(permissions.keyText)
  out.bulk('channels')
  out.bulk(permissions.channelText)
}

function cat({ commands, out }: CommandContext, words: readonly string[]): void {
  if (words.length > 3) throw errors.unknownSubcommandOrArity('acl', words[1]!)
  if (words.length === 2) {
    out.words(CATEGORIES)
    return
  }
  const names = catalogOf(commands).category(words[2]!.toLowerCase())
  if (names === undefined) throw commandError(`ERR Unknown category '${words[2]}'`)
  out.words(names)
}

/** Would the user be let? Without running anything. */
function dryRun({ access, commands, out }: CommandContext, words: readonly string[]): void {
  const user = access.get(words[2]!)
  if (user === undefined) throw commandError(`ERR User '${words[2]}' not found`)
  const asked = words.slice(3)
  if (commands.get(asked[0]!) === undefined) throw commandError(`ERR Command '${asked[0]}' not found`)
  const denial = user.denies(requestOf(commands.find(asked), asked))
  if (denial === undefined) out.ok()
  else out.bulk(denialText(user, denial, true))
}

function generatePassword({ random, out }: CommandContext, words: readonly string[]): void {
  if (words.length > 3) throw errors.unknownSubcommandOrArity('acl', words[1]!)
  const bits = words.length === 3 ? parseCount(words[2]!) : PASSWORD_BITS
  if (bits < 1 || bits > PASSWORD_BITS_MAX) throw badPasswordBits
  let password = ''
  for (let digits = Math.ceil(bits / 4); digits > 0; digits--)
    password += Math.floor(random() * 16).toString(16)
  out.bulk(password)
}

function log({ access, services, out }: CommandContext, words: readonly string[]): void {
  if (words.length > 3) throw errors.unknownSubcommandOrArity('acl', words[1]!)
  if (words[2]?.toLowerCase() === 'reset') {
    access.log.clear()
    out.ok()
    return
  }
  const count = words.length === 3 ? parseCount(words[2]!) : LOG_ENTRIES
  const entries = access.log.entries.slice(0, Math.max(0, count))
  const nowMs = services.wallMs()
  out.array(entries.length)
  for (const entry of entries) writeEntry(out, entry, nowMs)
}

function writeEntry(out: CommandContext['out'], entry: LogEntry, nowMs: number): void {
  out.map(10)
  out.bulk('count')
  out.integer(entry.count)
  for (const name of ['reason', 'context', 'object', 'username'] as const) {
    out.bulk(name)
    out.bulk(entry[name])
  }
  out.bulk('age-seconds')
  out.double((nowMs - entry.createdMs) / 1000)
  out.bulk('client-info')
  out.bulk(entry.clientInfo.trimEnd())
  out.bulk('entry-id')
  out.integer(entry.id)
  out.bulk('timestamp-created')
  out.integer(Math.floor(entry.createdMs))
  out.bulk('timestamp-last-updated')
  out.integer(Math.floor(entry.updatedMs))
}

function subcommand(
  row: Pick<CommandDef, 'name' | 'arity' | 'since' | 'summary' | 'run'> & Partial<CommandDef>,
): CommandDef {
  return {
    flags: ['admin', 'noscript', 'loading', 'stale'],
    keys: NO_KEYS,
    group: 'server',
    complexity: 'O(N) where N is the number of users or rules.',
    ...row,
  }
}

const ANYBODY: CommandDef['flags'] = ['noscript', 'loading', 'stale']

export const aclCommands = defineCommands([
  container({
    name: 'acl',
    group: 'server',
    since: '6.0.0',
    summary: 'A container for Access List Control commands.',
    subcommands: [
      subcommand({
        name: 'acl|cat',
        arity: -2,
        flags: ANYBODY,
        since: '6.0.0',
        summary: 'Lists the categories, or the commands of one.',
        syntax: '[category]',
        run: cat,
      }),
      subcommand({
        name: 'acl|deluser',
        arity: -3,
        since: '6.0.0',
        summary: 'Deletes users, and disconnects their clients.',
        syntax: 'username [username ...]',
        run: deleteUsers,
      }),
      subcommand({
        name: 'acl|dryrun',
        arity: -4,
        since: '7.0.0',
        summary: 'Says whether a user may run a command, without running it.',
        syntax: 'username command [arg ...]',
        run: dryRun,
      }),
      subcommand({
        name: 'acl|genpass',
        arity: -2,
        flags: ANYBODY,
        since: '6.0.0',
        summary: 'Makes a random password.',
        syntax: '[bits]',
        run: generatePassword,
      }),
      subcommand({
        name: 'acl|getuser',
        arity: 3,
        since: '6.0.0',
        summary: 'Returns the rules of a user.',
        syntax: 'username',
        run: getUser,
      }),
      subcommand({
        name: 'acl|list',
        arity: 2,
        since: '6.0.0',
        summary: 'Returns the rules of every user, as a file holds them.',
        run: ({ access, out }) => out.words(access.users.map(({ text }) => text)),
      }),
      subcommand({
        name: 'acl|load',
        arity: 2,
        since: '6.0.0',
        summary: 'Reads the users of the ACL file.',
        run: ({ services, out }) => {
          services.aclFile.load()
          out.ok()
        },
      }),
      subcommand({
        name: 'acl|log',
        arity: -2,
        since: '6.0.0',
        summary: 'Returns what was refused lately.',
        syntax: '[count|RESET]',
        run: log,
      }),
      subcommand({
        name: 'acl|save',
        arity: 2,
        since: '6.0.0',
        summary: 'Writes the users to the ACL file.',
        run: ({ services, out }) => {
          services.aclFile.save()
          out.ok()
        },
      }),
      subcommand({
        name: 'acl|setuser',
        arity: -3,
        since: '6.0.0',
        summary: 'Makes a user, or changes the rules of one.',
        syntax: 'username [rule ...]',
        run: setUser,
      }),
      subcommand({
        name: 'acl|users',
        arity: 2,
        since: '6.0.0',
        summary: 'Returns the names of the users.',
        run: ({ access, out }) => out.words(access.users.map(({ name }) => name)),
      }),
      subcommand({
        name: 'acl|whoami',
        arity: 2,
        flags: ANYBODY,
        since: '6.0.0',
        summary: 'Returns the name of the user of the connection.',
        run: ({ session, out }) => out.bulkOrNil(session.user?.name),
      }),
      helpOf('acl', 'server', '6.0.0', [
        'CAT [<category>]',
        '    List all commands that belong to <category>, or all command categories',
        '    when no category is specified.',
        'DELUSER <username> [<username> ...]',
        '    Delete a list of users.',
        'DRYRUN <username> <command> [<arg> ...]',
        '    Returns whether the user can execute the given command without executing the command.',
        'GETUSER <username>',
        "    Get the user's details.",
        'GENPASS [<bits>]',
        '    Generate a secure 256-bit user password. The optional `bits` argument can',
        '    be used to specify a different size.',
        'LIST',
        '    Show users details in config file format.',
        'LOAD',
        '    Reload users from the ACL file.',
        'LOG [<count> | RESET]',
        '    Show the ACL log entries.',
        'SAVE',
        '    Save the current config to the ACL file.',
        'SETUSER <username> <attribute> [<attribute> ...]',
        '    Create or modify a user with the specified attributes.',
        'USERS',
        '    List all the registered usernames.',
        'WHOAMI',
        '    Return the current connection username.',
      ]),
    ],
  }),
])
