/**
 * replication.ts: commands about the replicas inside a region: who follows whom, who has what, and hand-overs.
 *
 * Other regions are no replicas: see `causeway.ts` and `regions.ts`.
 */
import { commandError, errors } from '../errors.ts'
import { type LaterReply, replyLater } from './blocking.ts'
import { type CommandContext, type CommandDef, defineCommands, NO_KEYS } from './command.ts'
import { parseCount, parseWithin } from './parse.ts'

const PORT_MAX = 65_535n
const INT32_MAX = 2n ** 31n - 1n

/** Milliseconds. @throws CommandError */
function parseTimeout(word: string): number {
  const timeoutMs = parseCount(word, errors.timeoutNotInteger)
  if (timeoutMs < 0) throw errors.negativeTimeout
  return timeoutMs
}

function wait({ session, inTransaction, services, out }: CommandContext, words: readonly string[]): void {
  const replicas = parseCount(words[1]!)
  const timeoutMs = parseTimeout(words[2]!)
  const { role } = services.replication.state()
  if (role === 'replica') throw commandError('ERR WAIT cannot be used with replica instances.')
  const { waits } = services.replication
  const target = services.applied.copy()
  if (inTransaction) {
    out.integer(waits.count(target, 'applied').replicas)
    return
  }
  replyLater(
    session,
    (finish) =>
      waits.begin(target, { local: 0, replicas, what: 'applied' }, timeoutMs, (counts) =>
        finish(counts.replicas),
      ),
    0,
  )
}

function waitAof({ session, inTransaction, services, out }: CommandContext, words: readonly string[]): void {
  const local = Number(parseWithin(words[1]!, 0n, 1n))
  const replicas = Number(parseWithin(words[2]!, 0n, INT32_MAX))
  const timeoutMs = parseTimeout(words[3]!)
  const { role } = services.replication.state()
  if (role === 'replica') throw commandError('ERR WAITAOF cannot be used with replica instances.')
  const { waits } = services.replication
  const target = services.applied.copy()
  const reply = (counts: { readonly local: number; readonly replicas: number }): LaterReply => [
    counts.local,
    counts.replicas,
  ]
  if (inTransaction) {
    const counts = waits.count(target, 'durable')
    out.array(2)
    out.integer(counts.local)
    out.integer(counts.replicas)
    return
  }
  replyLater(
    session,
    (finish) =>
      waits.begin(target, { local, replicas, what: 'durable' }, timeoutMs, (counts) => finish(reply(counts))),
    [0, 0],
  )
}

function replicaOf({ services, inTransaction, out }: CommandContext, words: readonly string[]): void {
  if (services.topology !== undefined) throw errors.replicaOfInCluster
  if (inTransaction) throw commandError('ERR Command not allowed inside a transaction')
  const host = words[1]!
  if (host.toLowerCase() === 'no' && words[2]!.toLowerCase() === 'one') {
    services.replication.follow('')
    out.ok()
    return
  }
  const port = parseWithin(words[2]!, 0n, PORT_MAX)
  const address = `${host.includes(':') ? `[${host}]` : host}:${port}`
  if (services.replication.state().primary?.address === address) {
    out.simple('OK Already connected to specified master')
    return
  }
  services.replication.follow(address)
  out.ok()
}

function role({ session, services, out }: CommandContext): void {
  const { role: own, offset, primary, replicas } = services.replication.state()
  const { isProxied } = session
  if (primary !== undefined && !isProxied) {
    const colon = primary.address.lastIndexOf(':')
    out.array(5)
    out.bulk('slave')
    out.bulk(primary.address.slice(0, colon))
    out.integer(Number(primary.address.slice(colon + 1)))
    out.bulk(primary.link)
    out.integer(primary.link === 'connected' ? offset : -1)
    return
  }
  // Who is neither says so in INFO replication; Redis has no word for it here.
  const online = own === 'primary' && !isProxied ? replicas.filter(({ state }) => state === 'online') : []
  out.array(3)
  out.bulk('master')
  out.integer(offset)
  out.array(online.length)
  for (const { host, port, offset: reached } of online) {
    out.array(3)
    out.bulk(host)
    out.bulk(String(port))
    out.bulk(String(reached))
  }
}

function failover({ services, inTransaction, out }: CommandContext, words: readonly string[]): void {
  if (inTransaction) throw commandError('ERR Command not allowed inside a transaction')
  const { handOver } = services.replication
  if (words.length === 2 && words[1]!.toLowerCase() === 'abort') {
    handOver.abort()
    out.ok()
    return
  }
  let to: { host: string; port: number } | undefined
  let isForced = false
  let timeoutMs = 0
  for (let i = 1; i < words.length; i++) {
    const option = words[i]!.toLowerCase()
    if (option === 'to' && i + 2 < words.length && to === undefined) {
      to = { host: words[i + 1]!, port: Number(parseWithin(words[i + 2]!, 0n, PORT_MAX)) }
      i += 2
    } else if (option === 'force' && !isForced && to !== undefined) {
      isForced = true
    } else if (option === 'timeout' && i + 1 < words.length && timeoutMs === 0) {
      timeoutMs = parseCount(words[++i]!)
      if (timeoutMs <= 0) throw commandError('ERR FAILOVER timeout must be greater than 0')
    } else {
      throw errors.syntax
    }
  }
  if (services.replication.state().role !== 'primary')
    throw commandError('ERR FAILOVER is not valid when server is a replica.')
  handOver.begin({ to, isForced, timeoutMs })
  out.ok()
}

const OPERATOR: CommandDef['flags'] = ['admin', 'noscript', 'stale']

export const replicationCommands = defineCommands([
  {
    name: 'replicaof',
    arity: 3,
    flags: [...OPERATOR, 'no_async_loading'],
    keys: NO_KEYS,
    group: 'server',
    since: '5.0.0',
    summary: 'Configures a server as replica of another, or promotes it to a master.',
    syntax: '<host port:integer|NO ONE>',
    complexity: 'O(1)',
    run: replicaOf,
  },
  {
    name: 'slaveof',
    arity: 3,
    flags: [...OPERATOR, 'no_async_loading'],
    keys: NO_KEYS,
    group: 'server',
    since: '1.0.0',
    summary: 'Sets a server as a replica of another, or promotes it to being a master.',
    syntax: '<host port:integer|NO ONE>',
    complexity: 'O(1)',
    run: replicaOf,
  },
  {
    name: 'role',
    arity: 1,
    categories: ['admin', 'dangerous'],
    flags: ['noscript', 'loading', 'stale', 'fast'],
    keys: NO_KEYS,
    group: 'server',
    since: '2.8.12',
    summary: 'Returns the replication role.',
    complexity: 'O(1)',
    run: role,
  },
  {
    name: 'failover',
    arity: -1,
    flags: OPERATOR,
    keys: NO_KEYS,
    group: 'server',
    since: '6.2.0',
    summary: 'Starts a coordinated failover from a server to one of its replicas.',
    syntax: '[TO host port:integer [FORCE]] [ABORT] [TIMEOUT milliseconds]',
    complexity: 'O(1)',
    run: failover,
  },
  {
    name: 'wait',
    arity: 3,
    categories: ['connection'],
    flags: ['noscript'],
    keys: NO_KEYS,
    request: 'all_shards',
    response: 'agg_min',
    group: 'generic',
    since: '3.0.0',
    summary:
      'Blocks until the asynchronous replication of all preceding write commands sent by the connection is completed.',
    syntax: 'numreplicas timeout:integer',
    complexity: 'O(1)',
    run: wait,
  },
  {
    name: 'waitaof',
    arity: 4,
    categories: ['connection'],
    flags: ['noscript'],
    keys: NO_KEYS,
    request: 'all_shards',
    response: 'agg_min',
    group: 'generic',
    since: '7.2.0',
    summary:
      'Blocks until all of the preceding write commands sent by the connection are written to the append-only file of the master and/or replicas.',
    syntax: 'numlocal:integer numreplicas timeout:integer',
    complexity: 'O(1)',
    run: waitAof,
  },
])
