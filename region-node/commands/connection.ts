/**
 * connection.ts: PING, HELLO, AUTH and what else concerns one connection.
 */
import { DEFAULT_USER } from '../acl/access-control.ts'
import { errors } from '../errors.ts'
import { REDIS_VERSION } from '../redis-version.ts'
import { checkClientName, clientCommand } from './client.ts'
import { clientLine } from './client-line.ts'
import { type CommandContext, type CommandDef, defineCommands, NO_KEYS } from './command.ts'
import { parseInt64, parseWithin } from './parse.ts'
import type { Services } from './services.ts'

const INT32_MAX = 2n ** 31n - 1n

/** What a client that introduces itself concerns: at the port of the sentinel too. */
export interface GreetingContext extends Pick<CommandContext, 'session' | 'out' | 'channels' | 'access'> {
  readonly services: Pick<Services, 'wallMs'>
}

export function ping(
  { session, out }: Pick<CommandContext, 'session' | 'out'>,
  words: readonly string[],
): void {
  if (words.length > 2) throw errors.wrongArity('ping')
  const isSubscriber = session.subscriptions > 0 && out.protocol === 2
  if (isSubscriber) out.words(['pong', words[1] ?? ''])
  else if (words.length === 2) out.bulk(words[1]!)
  else out.simple('PONG')
}

/** @param by  the command, as ACL LOG names it @throws CommandError WRONGPASS */
function authenticate(ctx: GreetingContext, name: string, password: string, by: string): void {
  const { session, access, channels, services } = ctx
  const user = access.authenticate(name, password)
  if (user === undefined) {
    access.note('auth', by, name, 'toplevel', () => clientLine(session, channels, services.wallMs()))
    throw errors.wrongPass
  }
  session.user = user
}

export function auth(ctx: GreetingContext, words: readonly string[]): void {
  if (words.length > 3) throw errors.syntax
  if (words.length === 3) {
    authenticate(ctx, words[1]!, words[2]!, 'AUTH')
  } else {
    if (ctx.access.isOpen) throw errors.noPassword
    authenticate(ctx, DEFAULT_USER, words[1]!, 'AUTH')
  }
  ctx.out.ok()
}

function parseProtocol(word: string): 2 | 3 {
  const version = parseInt64(word, errors.protoNotInteger)
  if (version !== 2 && version !== 3) throw errors.noProto
  return version
}

/** HELLO. @param mode  what kind of server this is @param role  as clients know it; undefined: it has none */
export function greet(
  ctx: GreetingContext,
  words: readonly string[],
  mode: string,
  role: string | undefined,
): void {
  const { session, out } = ctx
  const protocol = words.length > 1 ? parseProtocol(words[1]!) : undefined
  let credentials: readonly [user: string, password: string] | undefined
  let name: string | undefined
  for (let i = 2; i < words.length; i++) {
    const option = words[i]!.toLowerCase()
    if (option === 'auth' && i + 2 < words.length) {
      credentials = [words[i + 1]!, words[i + 2]!]
      i += 2
    } else if (option === 'setname' && i + 1 < words.length) {
      name = words[++i]!
      checkClientName(name)
    } else {
      throw errors.helloOption(words[i]!)
    }
  }
  if (credentials !== undefined) authenticate(ctx, credentials[0], credentials[1], 'HELLO')
  if (session.user === undefined) throw errors.helloNoAuth
  if (name !== undefined) session.name = name
  if (protocol !== undefined) out.protocol = protocol
  out.map(role === undefined ? 6 : 7)
  out.bulk('server')
  out.bulk('redis')
  out.bulk('version')
  out.bulk(REDIS_VERSION)
  out.bulk('proto')
  out.integer(out.protocol)
  out.bulk('id')
  out.integer(session.id)
  out.bulk('mode')
  out.bulk(mode)
  if (role !== undefined) {
    out.bulk('role')
    out.bulk(role)
  }
  out.bulk('modules')
  out.array(0)
}

function hello(ctx: CommandContext, words: readonly string[]): void {
  const { topology, replication } = ctx.services
  const { isProxied } = ctx.session
  const role = isProxied || replication.state().role === 'primary' ? 'master' : 'replica'
  greet(ctx, words, isProxied || topology === undefined ? 'standalone' : 'cluster', role)
}

function select({ session, services, out }: CommandContext, words: readonly string[]): void {
  const index = Number(parseWithin(words[1]!, -INT32_MAX - 1n, INT32_MAX))
  if (index !== 0 && services.topology !== undefined) throw errors.notInCluster('SELECT')
  if (index < 0 || index >= services.databaseCount) throw errors.dbOutOfRange
  session.db = index
  out.ok()
}

function reset({ session, services, transaction, channels, access, out }: CommandContext): void {
  session.queue = undefined
  session.queueBroken = false
  transaction.unwatch(session)
  if (session.isMonitor) services.watch.removeMonitor(session)
  channels.leaveAll(session)
  session.db = 0
  session.name = ''
  session.noEvict = false
  session.noTouch = false
  session.readsReplicas = false
  session.replyMode = 'on'
  session.user = access.first
  out.protocol = 2
  out.simple('RESET')
}

const ALWAYS_ALLOWED: CommandDef['flags'] = ['noscript', 'loading', 'stale', 'fast', 'no_auth', 'allow_busy']

export const connectionCommands = defineCommands([
  {
    name: 'ping',
    arity: -1,
    flags: ['fast'],
    keys: NO_KEYS,
    group: 'connection',
    since: '1.0.0',
    summary: "Returns the server's liveliness response.",
    syntax: '[message]',
    complexity: 'O(1)',
    run: ping,
  },
  {
    name: 'echo',
    arity: 2,
    flags: ['loading', 'stale', 'fast'],
    keys: NO_KEYS,
    group: 'connection',
    since: '1.0.0',
    summary: 'Returns the given string.',
    syntax: 'message',
    complexity: 'O(1)',
    run: ({ out }, words) => out.bulk(words[1]!),
  },
  {
    name: 'hello',
    arity: -1,
    flags: ALWAYS_ALLOWED,
    keys: NO_KEYS,
    isOfConnection: true,
    group: 'connection',
    since: '6.0.0',
    summary: 'Handshakes with the Redis server.',
    syntax: '[protover [AUTH username password] [SETNAME clientname]]',
    complexity: 'O(1)',
    run: hello,
  },
  {
    name: 'auth',
    arity: -2,
    flags: ALWAYS_ALLOWED,
    keys: NO_KEYS,
    isOfConnection: true,
    group: 'connection',
    since: '1.0.0',
    summary: 'Authenticates the connection.',
    syntax: '[username] password',
    complexity: 'O(N) where N is the number of passwords defined for the user',
    run: auth,
  },
  {
    name: 'select',
    arity: 2,
    flags: ['loading', 'stale', 'fast'],
    keys: NO_KEYS,
    isOfConnection: true,
    group: 'connection',
    since: '1.0.0',
    summary: 'Changes the selected database.',
    syntax: 'index',
    complexity: 'O(1)',
    run: select,
  },
  {
    name: 'quit',
    arity: -1,
    flags: ALWAYS_ALLOWED,
    keys: NO_KEYS,
    group: 'connection',
    since: '1.0.0',
    summary: 'Closes the connection.',
    complexity: 'O(1)',
    run: ({ session, out }) => {
      session.closing = true
      out.ok()
    },
  },
  {
    name: 'reset',
    arity: 1,
    flags: ALWAYS_ALLOWED,
    keys: NO_KEYS,
    group: 'connection',
    since: '6.2.0',
    summary: 'Resets the connection.',
    complexity: 'O(1)',
    run: reset,
  },
  clientCommand,
])
