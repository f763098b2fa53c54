/**
 * client-control.ts: the subcommands of CLIENT that act on other clients: KILL, PAUSE, UNBLOCK.
 */
import type { AccessControl } from '../acl/access-control.ts'
import { type CommandError, errors } from '../errors.ts'
import { type CommandContext, type CommandDef, defineCommands, NO_KEYS } from './command.ts'
import { parseCount } from './parse.ts'
import type { Session } from './session.ts'

type Filter = (session: Session) => boolean

const CLIENT_TYPES: ReadonlySet<string> = new Set(['normal', 'master', 'replica', 'slave', 'pubsub'])

/** @throws CommandError for a type that Redis does not know */
export function ofType(word: string): Filter {
  const type = word.toLowerCase()
  if (!CLIENT_TYPES.has(type)) throw errors.unknownClientType(word)
  // Peers and replicas do not come in as clients.
  if (type === 'normal') return (session) => session.subscriptions === 0
  return (session) => type === 'pubsub' && session.subscriptions > 0
}

/** @throws CommandError when the word is neither of the two */
function isFirst(word: string, first: string, second: string, otherwise: CommandError): boolean {
  const value = word.toLowerCase()
  if (value !== first && value !== second) throw otherwise
  return value === first
}

/** One option of KILL, but for SKIPME. @throws CommandError */
function killFilter(option: string, value: string, access: AccessControl): Filter {
  switch (option) {
    case 'id': {
      const id = parseCount(value, errors.clientId)
      if (id < 1) throw errors.clientId
      return (session) => session.id === id
    }
    case 'type':
      return ofType(value)
    case 'addr':
      return ({ address }) => address === value
    case 'laddr':
      return ({ localAddress }) => localAddress === value
    case 'user':
      if (access.get(value) === undefined) throw errors.noSuchUser(value)
      return ({ user }) => user?.name === value
    default:
      throw errors.syntax
  }
}

function kill(ctx: CommandContext, words: readonly string[]): void {
  if (words.length === 3) {
    // The old form takes the client itself for one of those to kill.
    if (killAll(ctx, [({ address }) => address === words[2]]) === 0) throw errors.noSuchClient
    ctx.out.ok()
    return
  }
  const filters: Filter[] = []
  let skipsMe = true
  for (let at = 2; at < words.length; at += 2) {
    const option = words[at]!.toLowerCase()
    const value = words[at + 1]
    if (value === undefined) throw errors.syntax
    if (option === 'skipme') skipsMe = isFirst(value, 'yes', 'no', errors.syntax)
    else filters.push(killFilter(option, value, ctx.access))
  }
  if (skipsMe) filters.push((session) => session !== ctx.session)
  ctx.out.integer(killAll(ctx, filters))
}

/** Disconnects the clients that pass all filters; what they were answered before is still sent. */
function killAll({ services }: CommandContext, filters: readonly Filter[]): number {
  let killed = 0
  for (const session of services.sessions) {
    if (session.closing || !filters.every((filter) => filter(session))) continue
    session.closing = true
    session.resume()
    killed++
  }
  return killed
}

function pause(ctx: CommandContext, words: readonly string[]): void {
  if (words.length > 4) throw errors.unknownSubcommandOrArity('client', words[1]!)
  const mode = words[3]
  const isAll = mode === undefined || isFirst(mode, 'all', 'write', errors.pauseMode)
  const durationMs = parseCount(words[2]!, errors.timeoutNotInteger)
  if (durationMs < 0) throw errors.negativeTimeout
  ctx.pause.begin(isAll ? 'all' : 'write', durationMs, ctx.nowMs, (delayMs, task) =>
    ctx.services.after(delayMs, task),
  )
  ctx.out.ok()
}

function unblock({ services, out }: CommandContext, words: readonly string[]): void {
  if (words.length > 4) throw errors.unknownSubcommandOrArity('client', words[1]!)
  const withError = words.length === 4 && isFirst(words[3]!, 'error', 'timeout', errors.unblockReason)
  const id = parseCount(words[2]!)
  for (const session of services.sessions) {
    if (session.id !== id || session.blocked?.unblock === undefined) continue
    session.blocked.unblock(withError ? errors.unblocked : undefined)
    out.integer(1)
    return
  }
  out.integer(0)
}

const OPERATOR: CommandDef['flags'] = ['admin', 'noscript', 'loading', 'stale']

export const clientControlCommands: readonly CommandDef[] = defineCommands([
  {
    name: 'client|kill',
    arity: -3,
    flags: OPERATOR,
    keys: NO_KEYS,
    group: 'connection',
    since: '2.4.0',
    summary: 'Terminates open connections.',
    syntax:
      '<ip:port|[ID client-id] [TYPE <NORMAL|MASTER|SLAVE|REPLICA|PUBSUB>] [USER username] [ADDR ip:port] [LADDR ip:port] [SKIPME <YES|NO>]>',
    complexity: 'O(N) where N is the number of client connections',
    run: kill,
  },
  {
    name: 'client|pause',
    arity: -3,
    flags: OPERATOR,
    keys: NO_KEYS,
    group: 'connection',
    since: '3.0.0',
    summary: 'Suspends commands processing.',
    syntax: 'timeout:integer [WRITE|ALL]',
    complexity: 'O(1)',
    run: pause,
  },
  {
    name: 'client|unpause',
    arity: 2,
    flags: OPERATOR,
    keys: NO_KEYS,
    group: 'connection',
    since: '6.2.0',
    summary: 'Resumes processing commands from paused clients.',
    complexity: 'O(N) Where N is the number of paused clients',
    run: (ctx) => {
      ctx.pause.end()
      ctx.out.ok()
    },
  },
  {
    name: 'client|unblock',
    arity: -3,
    flags: OPERATOR,
    keys: NO_KEYS,
    group: 'connection',
    since: '5.0.0',
    summary: 'Unblocks a client blocked by a blocking command from a different connection.',
    syntax: 'client-id [TIMEOUT|ERROR]',
    complexity: 'O(N) where N is the number of client connections',
    run: unblock,
  },
])
