/**
 * server.ts: INFO, CONFIG, FLUSHALL and what else concerns the whole node.
 *
 * Facts and settings are the node's (`services.ts`); here they get the shape that Redis gives them.
 */
import { commandError, errors } from '../errors.ts'
import { type CommandContext, type CommandDef, defineCommands, NO_KEYS } from './command.ts'
import { container, helpOf } from './container.ts'
import { commandCommand } from './introspection.ts'

const noShutdown = commandError('ERR No shutdown in progress.')

/** Section names that stand for several. */
const DEFAULT_SECTIONS = 'default'
const ALL_SECTIONS: readonly string[] = ['all', 'everything']

function info({ out, services, session }: CommandContext, words: readonly string[]): void {
  const asked = new Set(words.slice(1).map((word) => word.toLowerCase()))
  const wantsDefault = asked.size === 0 || asked.has(DEFAULT_SECTIONS)
  const wantsAll = ALL_SECTIONS.some((name) => asked.has(name))
  const sections: string[] = []
  for (const { name, isDefault } of services.infoSections) {
    if (!wantsAll && !(wantsDefault && isDefault) && !asked.has(name)) continue
    const section = services.infoSection(name, session)
    if (section !== undefined) sections.push(section)
  }
  out.verbatim('txt', sections.join('\r\n'))
}

function configGet({ out, services }: CommandContext, words: readonly string[]): void {
  const pairs = services.configGet(words.slice(2))
  out.map(pairs.length)
  for (const [name, value] of pairs) {
    out.bulk(name)
    out.bulk(value)
  }
}

function configSet({ out, services }: CommandContext, words: readonly string[]): void {
  if (words.length % 2 !== 0) throw errors.syntax
  const pairs: [string, string][] = []
  for (let i = 2; i < words.length; i += 2) pairs.push([words[i]!, words[i + 1]!])
  services.configSet(pairs)
  out.ok()
}

function time({ out, services }: CommandContext): void {
  const micros = Math.floor(services.wallMs() * 1000)
  out.array(2)
  out.bulk(String(Math.floor(micros / 1_000_000)))
  out.bulk(String(micros % 1_000_000))
}

/** Removing is the same work in either mode here, and done when the reply is sent. */
function checkFlushMode(words: readonly string[]): void {
  const mode = words[1]?.toLowerCase()
  if (words.length > 2 || (mode !== undefined && mode !== 'async' && mode !== 'sync')) throw errors.syntax
}

const SHUTDOWN_OPTIONS: ReadonlySet<string> = new Set(['nosave', 'save', 'now', 'force', 'abort'])

function shutdown({ services }: CommandContext, words: readonly string[]): void {
  const options = new Set(words.slice(1).map((word) => word.toLowerCase()))
  for (const option of options) if (!SHUTDOWN_OPTIONS.has(option)) throw errors.syntax
  const isContradiction = options.has('save') && options.has('nosave')
  if (isContradiction || (options.has('abort') && options.size > 1)) throw errors.syntax
  // A shutdown waits for nobody, so there is never one to take back.
  if (options.has('abort')) throw noShutdown
  // No reply: the connection ends. Every op is in the log, so there is nothing to SAVE or not to.
  services.shutdown()
}

const OPERATOR: CommandDef['flags'] = ['admin', 'noscript', 'loading', 'stale']

const configCommand = container({
  name: 'config',
  group: 'server',
  since: '2.0.0',
  summary: 'A container for server configuration commands.',
  subcommands: [
    {
      name: 'config|get',
      arity: -3,
      flags: OPERATOR,
      keys: NO_KEYS,
      group: 'server',
      since: '2.0.0',
      summary: 'Returns the effective values of configuration parameters.',
      syntax: 'parameter [parameter ...]',
      complexity: 'O(N) when N is the number of configuration parameters provided',
      run: configGet,
    },
    {
      name: 'config|set',
      arity: -4,
      flags: OPERATOR,
      keys: NO_KEYS,
      group: 'server',
      since: '2.0.0',
      summary: 'Sets configuration parameters in-flight.',
      syntax: 'parameter value [parameter value ...]',
      complexity: 'O(N) when N is the number of configuration parameters provided',
      run: configSet,
    },
    {
      name: 'config|rewrite',
      arity: 2,
      flags: ['admin', 'noscript', 'loading', 'stale'],
      keys: NO_KEYS,
      group: 'server',
      since: '2.8.0',
      summary: 'Writes what CONFIG SET has changed to the configuration file.',
      complexity: 'O(1)',
      run: ({ services, out }) => {
        services.configRewrite()
        out.ok()
      },
    },
    {
      name: 'config|resetstat',
      arity: 2,
      flags: OPERATOR,
      keys: NO_KEYS,
      group: 'server',
      since: '2.0.0',
      summary: "Resets the server's statistics.",
      complexity: 'O(1)',
      run: ({ out, services }) => {
        services.resetStatistics()
        out.ok()
      },
    },
    helpOf('config', 'server', '5.0.0', [
      'GET <pattern>',
      '    Return parameters matching the glob-like <pattern> and their values.',
      'SET <directive> <value>',
      '    Set the configuration <directive> to <value>.',
      'RESETSTAT',
      '    Reset statistics reported by the INFO command.',
      'REWRITE',
      '    Rewrite the configuration file.',
    ]),
  ],
})

const moduleCommand = container({
  name: 'module',
  group: 'server',
  since: '4.0.0',
  summary: 'A container for module commands.',
  subcommands: [
    {
      name: 'module|list',
      arity: 2,
      flags: ['admin', 'noscript'],
      keys: NO_KEYS,
      group: 'server',
      since: '4.0.0',
      summary: 'Returns all loaded modules: there are none.',
      complexity: 'O(1)',
      run: ({ out }) => out.array(0),
    },
    helpOf('module', 'server', '5.0.0', ['LIST', '    Return a list of loaded modules.']),
  ],
})

export const serverCommands = defineCommands([
  moduleCommand,
  {
    name: 'info',
    arity: -1,
    categories: ['dangerous'],
    flags: ['loading', 'stale'],
    keys: NO_KEYS,
    group: 'server',
    since: '1.0.0',
    summary: 'Returns information and statistics about the server.',
    syntax: '[section ...]',
    complexity: 'O(1)',
    run: info,
  },
  commandCommand,
  configCommand,
  {
    name: 'time',
    arity: 1,
    flags: ['loading', 'stale', 'fast'],
    keys: NO_KEYS,
    group: 'server',
    since: '2.6.0',
    summary: 'Returns the server time.',
    complexity: 'O(1)',
    run: time,
  },
  {
    name: 'dbsize',
    arity: 1,
    categories: ['keyspace'],
    flags: ['readonly', 'fast'],
    keys: NO_KEYS,
    request: 'all_shards',
    response: 'agg_sum',
    group: 'server',
    since: '1.0.0',
    summary: 'Returns the number of keys in the database.',
    complexity: 'O(1)',
    run: ({ out, keyspace, db, nowMs }) => {
      const database = keyspace.db(db)
      out.integer(database.size - database.dueKeys(nowMs).size)
    },
  },
  {
    name: 'flushdb',
    arity: -1,
    categories: ['keyspace', 'dangerous'],
    flags: ['write'],
    keys: NO_KEYS,
    request: 'all_shards',
    response: 'all_succeeded',
    group: 'server',
    since: '1.0.0',
    summary: 'Remove all keys from the current database.',
    syntax: '[ASYNC|SYNC]',
    complexity: 'O(N) where N is the number of keys in the selected database',
    run: ({ out, write, db }, words) => {
      checkFlushMode(words)
      write.flush(db)
      out.ok()
    },
  },
  {
    name: 'flushall',
    arity: -1,
    categories: ['keyspace', 'dangerous'],
    flags: ['write'],
    keys: NO_KEYS,
    request: 'all_shards',
    response: 'all_succeeded',
    group: 'server',
    since: '1.0.0',
    summary: 'Removes all keys from all databases.',
    syntax: '[ASYNC|SYNC]',
    complexity: 'O(N) where N is the total number of keys in all databases',
    run: ({ out, write }, words) => {
      checkFlushMode(words)
      write.flush('all')
      out.ok()
    },
  },
  {
    name: 'shutdown',
    arity: -1,
    flags: ['admin', 'noscript', 'loading', 'stale', 'no_multi', 'allow_busy'],
    keys: NO_KEYS,
    group: 'server',
    since: '1.0.0',
    summary: 'Synchronously saves the database(s) to disk and shuts down the Redis server.',
    syntax: '[NOSAVE|SAVE] [NOW] [FORCE] [ABORT]',
    complexity:
      'O(N) when saving, where N is the total number of keys in all databases when saving data, otherwise O(1)',
    run: shutdown,
  },
])
