/**
 * commands.ts: the commands of the sentinel's port: what clients and tools ask a Redis Sentinel, as far as it is a
 * question. What changes something is done with `causeway cluster`, or by CLUSTER FAILOVER.
 *
 * Whoever may come in may ask: users of the node log in as they do at its other port, and their rules for commands
 * and keys say nothing of these.
 */
import { portFor } from '../cluster/redirect.ts'
import { setInfo, setName } from '../commands/client.ts'
import { auth, type GreetingContext, greet, ping } from '../commands/connection.ts'
import { parseCount } from '../commands/parse.ts'
import { leave, listen } from '../commands/pubsub.ts'
import { errors } from '../errors.ts'
import { REDIS_VERSION } from '../redis-version.ts'
import { VERSION } from '../version.ts'
import { addressFor, type Master, type Masters } from './masters.ts'
import { SENTINEL_SECTIONS, sentinelSection, writeMaster, writeReplica } from './replies.ts'

export interface SentinelContext extends GreetingContext {
  readonly masters: Masters
  /** 40 hexadecimal digits. */
  readonly id: string
}

export interface SentinelCommand {
  /** Lower case; a subcommand is `container|name`. */
  readonly name: string
  /** Exact number of words, the name (and subcommand) included; negative: at least that many. */
  readonly arity: number
  /** For clients that have not said who they are, too. */
  readonly isForStrangers?: true
  /** For clients that listen, also where messages and replies look alike (RESP2). */
  readonly isForListeners?: true
  readonly run: (ctx: SentinelContext, words: readonly string[]) => void
}

/** @throws CommandError when there is no such master */
function masterOf({ masters }: SentinelContext, words: readonly string[]): Master {
  const master = masters.get(words[2]!)
  if (master === undefined) throw errors.noSuchMaster
  return master
}

function masterAddress({ masters, out, session }: SentinelContext, words: readonly string[]): void {
  const master = masters.get(words[2]!)
  if (master === undefined) out.nilArray()
  else out.words([master.primary.host, String(portFor(master.primary, session.isTls))])
}

function replicas(ctx: SentinelContext, words: readonly string[]): void {
  const master = masterOf(ctx, words)
  ctx.out.array(master.replicas.length)
  for (const replica of master.replicas) writeReplica(ctx.out, master, replica, ctx.session.isTls)
}

function checkQuorum(ctx: SentinelContext, words: readonly string[]): void {
  masterOf(ctx, words)
  ctx.out.simple('OK 1 usable Sentinels. Quorum and failover authorization can be reached')
}

/** A Sentinel is asked for its vote by this too; here there is nothing to vote on. */
function isMasterDown({ masters, out, session }: SentinelContext, words: readonly string[]): void {
  const address = `${words[2]}:${parseCount(words[3]!)}`
  parseCount(words[4]!)
  const isDown = [...masters.all].some(
    (master) => master.isDown && addressFor(master.primary, session.isTls) === address,
  )
  out.array(3)
  out.integer(isDown ? 1 : 0)
  out.bulk('*')
  out.integer(0)
}

function info({ masters, out, session }: SentinelContext, words: readonly string[]): void {
  const asked = words.slice(1).map((word) => word.toLowerCase())
  const isAll = asked.length === 0 || asked.some((word) => ALL_SECTIONS.has(word))
  const versions = { redis: REDIS_VERSION, causeway: VERSION }
  const shown = SENTINEL_SECTIONS.filter((section) => isAll || asked.includes(section))
  const texts = shown.map((section) => sentinelSection(section, versions, [...masters.all], session.isTls))
  out.verbatim('txt', texts.join('\r\n'))
}

const ALL_SECTIONS: ReadonlySet<string> = new Set(['all', 'everything', 'default'])

export const SENTINEL_COMMANDS: readonly SentinelCommand[] = [
  { name: 'ping', arity: -1, isForListeners: true, run: ping },
  {
    name: 'hello',
    arity: -1,
    isForStrangers: true,
    run: (ctx, words) => greet(ctx, words, 'sentinel', undefined),
  },
  { name: 'auth', arity: -2, isForStrangers: true, run: auth },
  {
    name: 'quit',
    arity: -1,
    isForStrangers: true,
    isForListeners: true,
    run: ({ session, out }) => {
      session.closing = true
      out.ok()
    },
  },
  { name: 'info', arity: -1, run: info },
  {
    name: 'role',
    arity: 1,
    run: ({ out, masters }) => {
      out.array(2)
      out.bulk('sentinel')
      out.words(Array.from(masters.all, ({ name }) => name))
    },
  },
  { name: 'subscribe', arity: -2, isForListeners: true, run: listen('subscribe', 'channel') },
  { name: 'unsubscribe', arity: -1, isForListeners: true, run: leave('unsubscribe', 'channel') },
  { name: 'psubscribe', arity: -2, isForListeners: true, run: listen('psubscribe', 'pattern') },
  { name: 'punsubscribe', arity: -1, isForListeners: true, run: leave('punsubscribe', 'pattern') },
  { name: 'client|setname', arity: 3, run: setName },
  {
    name: 'client|getname',
    arity: 2,
    run: ({ session, out }) => out.bulkOrNil(session.name === '' ? undefined : session.name),
  },
  { name: 'client|setinfo', arity: 4, run: setInfo },
  { name: 'client|id', arity: 2, run: ({ session, out }) => out.integer(session.id) },
  {
    name: 'sentinel|masters',
    arity: 2,
    run: ({ out, masters, session }) => {
      out.array(masters.count)
      for (const master of masters.all) writeMaster(out, master, session.isTls)
    },
  },
  {
    name: 'sentinel|master',
    arity: 3,
    run: (ctx, words) => writeMaster(ctx.out, masterOf(ctx, words), ctx.session.isTls),
  },
  { name: 'sentinel|get-master-addr-by-name', arity: 3, run: masterAddress },
  { name: 'sentinel|replicas', arity: 3, run: replicas },
  { name: 'sentinel|slaves', arity: 3, run: replicas },
  {
    // Every node may be asked, and none of them knows the sentinel ports of the others.
    name: 'sentinel|sentinels',
    arity: 3,
    run: (ctx, words) => {
      masterOf(ctx, words)
      ctx.out.array(0)
    },
  },
  { name: 'sentinel|ckquorum', arity: 3, run: checkQuorum },
  { name: 'sentinel|myid', arity: 2, run: ({ out, id }) => out.bulk(id) },
  { name: 'sentinel|is-master-down-by-addr', arity: 6, run: isMasterDown },
]
