/**
 * client.ts: CLIENT, the connection as its client and its operator see it.
 *
 * The line of a client has every field that Redis 7.2 shows, because tools parse it by name. Buffers and
 * memory belong to the connection, of which a session knows nothing: they show as 0.
 */
import { commandError, errors } from '../errors.ts'
import { clientControlCommands, ofType } from './client-control.ts'
import { clientLine } from './client-line.ts'
import { clientTrackingCommands } from './client-tracking.ts'
import { type CommandContext, type CommandDef, NO_KEYS } from './command.ts'
import { container, helpOf } from './container.ts'
import { parseCount } from './parse.ts'
import type { Session } from './session.ts'

const NAME = /^[!-~]*$/

/** @throws CommandError when the name would break the line of a client in two */
export function checkClientName(name: string): void {
  if (!NAME.test(name)) throw errors.clientName
}

/** Which clients CLIENT LIST is asked for. */
function listFilter(words: readonly string[]): (session: Session) => boolean {
  const kind = words[2]?.toLowerCase()
  if (words.length === 2) return () => true
  if (words.length === 4 && kind === 'type') {
    return ofType(words[3]!)
  }
  if (words.length > 3 && kind === 'id') {
    const ids = new Set(words.slice(3).map((word) => parseCount(word, errors.invalidClientId)))
    return (session) => ids.has(session.id)
  }
  throw errors.syntax
}

export function setName(
  { session, out }: Pick<CommandContext, 'session' | 'out'>,
  words: readonly string[],
): void {
  checkClientName(words[2]!)
  session.name = words[2]!
  out.ok()
}

function list(ctx: CommandContext, words: readonly string[]): void {
  const isWanted = listFilter(words)
  let text = ''
  for (const session of ctx.services.sessions)
    if (isWanted(session)) text += clientLine(session, ctx.channels, ctx.services.wallMs())
  ctx.out.verbatim('txt', text)
}

export function setInfo(
  { session, out }: Pick<CommandContext, 'session' | 'out'>,
  words: readonly string[],
): void {
  const attribute = words[2]!
  const value = words[3]!
  const name = attribute.toLowerCase()
  if (name !== 'lib-name' && name !== 'lib-ver') throw commandError(`ERR Unrecognized option '${attribute}'`)
  if (!NAME.test(value)) {
    throw commandError(`ERR ${attribute} cannot contain spaces, newlines or special characters.`)
  }
  if (name === 'lib-name') session.libName = value
  else session.libVersion = value
  out.ok()
}

/** @throws CommandError when the word is neither ON nor OFF */
function isOn(word: string): boolean {
  const value = word.toLowerCase()
  if (value !== 'on' && value !== 'off') throw errors.syntax
  return value === 'on'
}

/** CLIENT REPLY: at the proxy too. */
export function reply(
  { session, out }: Pick<CommandContext, 'session' | 'out'>,
  words: readonly string[],
): void {
  const mode = words[2]!.toLowerCase()
  if (mode === 'on') {
    session.replyMode = 'on'
    out.ok()
  } else if (mode === 'off') {
    session.replyMode = 'off'
  } else if (mode === 'skip') {
    if (session.replyMode !== 'off') session.replyMode = 'skip-next'
  } else {
    throw errors.syntax
  }
}

const ANYBODY: CommandDef['flags'] = ['noscript', 'loading', 'stale']
const OPERATOR: CommandDef['flags'] = ['admin', 'noscript', 'loading', 'stale']

const HELP = [
  'CACHING (YES|NO)',
  '    Enable/disable tracking of the keys for next command in OPTIN/OPTOUT modes.',
  'GETREDIR',
  '    Return the client ID we are redirecting to when tracking is enabled.',
  'GETNAME',
  '    Return the name of the current connection.',
  'ID',
  '    Return the ID of the current connection.',
  'INFO',
  '    Return information about the current client connection.',
  'KILL <ip:port>',
  '    Kill connection made from <ip:port>.',
  'KILL <option> <value> [<option> <value> [...]]',
  '    Kill connections. Options are:',
  '    * ADDR (<ip:port>|<unixsocket>:0)',
  '      Kill connections made from the specified address',
  '    * LADDR (<ip:port>|<unixsocket>:0)',
  '      Kill connections made to specified local address',
  '    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)',
  '      Kill connections by type.',
  '    * USER <username>',
  '      Kill connections authenticated by <username>.',
  '    * SKIPME (YES|NO)',
  '      Skip killing current connection (default: yes).',
  'LIST [options ...]',
  '    Return information about client connections. Options:',
  '    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)',
  '      Return clients of specified type.',
  '    * ID <id> [<id> ...]',
  '      Return clients of specified IDs only.',
  'NO-EVICT (ON|OFF)',
  '    Protect current client connection from eviction.',
  'NO-TOUCH (ON|OFF)',
  '    Will not touch LRU/LFU stats when this mode is on.',
  'UNPAUSE',
  '    Stop the current client pause, resuming traffic.',
  'PAUSE <timeout> [WRITE|ALL]',
  '    Suspend all, or just write, clients for <timeout> milliseconds.',
  'REPLY (ON|OFF|SKIP)',
  '    Control the replies sent to the current connection.',
  'SETINFO <option> <value>',
  '    Set client meta attr. Options are:',
  '    * LIB-NAME: the client lib name.',
  '    * LIB-VER: the client lib version.',
  'SETNAME <name>',
  '    Assign the name <name> to the current connection.',
  'UNBLOCK <clientid> [TIMEOUT|ERROR]',
  '    Unblock the specified blocked client.',
  'TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]',
  '         [OPTIN] [OPTOUT] [NOLOOP]',
  '    Control server assisted client side caching.',
  'TRACKINGINFO',
  '    Report tracking status for the current connection.',
]

export const clientCommand = container({
  name: 'client',
  group: 'connection',
  since: '2.4.0',
  summary: 'A container for client connection commands.',
  subcommands: [
    {
      name: 'client|id',
      arity: 2,
      flags: ANYBODY,
      keys: NO_KEYS,
      group: 'connection',
      since: '5.0.0',
      summary: 'Returns the unique client ID of the connection.',
      complexity: 'O(1)',
      run: ({ session, out }) => out.integer(session.id),
    },
    {
      name: 'client|info',
      arity: 2,
      flags: ANYBODY,
      keys: NO_KEYS,
      group: 'connection',
      since: '6.2.0',
      summary: 'Returns information about the connection.',
      complexity: 'O(1)',
      run: (ctx) => ctx.out.verbatim('txt', clientLine(ctx.session, ctx.channels, ctx.services.wallMs())),
    },
    {
      name: 'client|list',
      arity: -2,
      flags: OPERATOR,
      keys: NO_KEYS,
      group: 'connection',
      since: '2.4.0',
      summary: 'Lists open connections.',
      syntax: '[TYPE <NORMAL|MASTER|REPLICA|PUBSUB>] [ID client-id [client-id ...]]',
      complexity: 'O(N) where N is the number of client connections',
      run: list,
    },
    {
      name: 'client|setname',
      arity: 3,
      flags: ANYBODY,
      keys: NO_KEYS,
      isOfConnection: true,
      group: 'connection',
      since: '2.6.9',
      summary: 'Sets the connection name.',
      syntax: 'connection-name',
      complexity: 'O(1)',
      run: setName,
    },
    {
      name: 'client|getname',
      arity: 2,
      flags: ANYBODY,
      keys: NO_KEYS,
      group: 'connection',
      since: '2.6.9',
      summary: 'Returns the name of the connection.',
      complexity: 'O(1)',
      run: ({ session, out }) => out.bulkOrNil(session.name === '' ? undefined : session.name),
    },
    {
      name: 'client|setinfo',
      arity: 4,
      flags: ANYBODY,
      keys: NO_KEYS,
      isOfConnection: true,
      group: 'connection',
      since: '7.2.0',
      summary: 'Sets information specific to the client or connection.',
      syntax: '<LIB-NAME libname|LIB-VER libver>',
      complexity: 'O(1)',
      run: setInfo,
    },
    {
      name: 'client|no-evict',
      arity: 3,
      flags: OPERATOR,
      keys: NO_KEYS,
      isOfConnection: true,
      group: 'connection',
      since: '7.0.0',
      summary: 'Sets the client eviction mode of the connection.',
      syntax: '<ON|OFF>',
      complexity: 'O(1)',
      run: ({ session, out }, words) => {
        session.noEvict = isOn(words[2]!)
        out.ok()
      },
    },
    {
      name: 'client|no-touch',
      arity: 3,
      flags: ANYBODY,
      keys: NO_KEYS,
      isOfConnection: true,
      group: 'connection',
      since: '7.2.0',
      summary: 'Controls whether commands sent by the client affect the LRU/LFU of accessed keys.',
      syntax: '<ON|OFF>',
      complexity: 'O(1)',
      run: ({ session, out }, words) => {
        session.noTouch = isOn(words[2]!)
        out.ok()
      },
    },
    {
      name: 'client|reply',
      arity: 3,
      flags: ANYBODY,
      keys: NO_KEYS,
      group: 'connection',
      since: '3.2.0',
      summary: 'Instructs the server whether to reply to commands.',
      syntax: '<ON|OFF|SKIP>',
      complexity: 'O(1)',
      run: reply,
    },
    ...clientControlCommands,
    ...clientTrackingCommands,
    helpOf('client', 'connection', '5.0.0', HELP),
  ],
})
