/**
 * monitoring.ts: what operators watch a node with: MONITOR, SLOWLOG, LATENCY, and what little there is to
 * ROLE, LOLWUT and DEBUG.
 *
 * The figures are those of `engine/command-watch.ts`; here they get the shape that Redis gives them.
 */
import type { Histogram } from '../engine/latency.ts'
import type { SlowCommand } from '../engine/slow-log.ts'
import { commandError, errors } from '../errors.ts'
import { REDIS_VERSION } from '../redis-version.ts'
import type { ReplyWriter } from '../resp/reply.ts'
import { type CommandContext, type CommandDef, defineCommands, NO_KEYS } from './command.ts'
import { container, helpOf } from './container.ts'
import { parseCount, parseInt64 } from './parse.ts'

/** Entries that SLOWLOG GET shows when no number is given. */
const SLOW_COMMANDS_SHOWN = 10
const ALL = -1

const OPERATOR: CommandDef['flags'] = ['admin', 'loading', 'stale']
const OPERATOR_NOT_SCRIPT: CommandDef['flags'] = ['admin', 'noscript', 'loading', 'stale']

const slowLogCount = commandError('ERR count should be greater than or equal to -1')
const noMonitorInExec = commandError("ERR MONITOR isn't allowed for DENY BLOCKING client")
const debugRefused = commandError(
  'ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run it from ' +
    'a local connection, otherwise you need to set this option in the configuration file, and then restart ' +
    'the server.',
)
const alwaysExpires = commandError(
  'ERR DEBUG SET-ACTIVE-EXPIRE is refused: regions agree on when a due key goes, and wait for each other with it',
)

function monitor({ session, inTransaction, services, out }: CommandContext): void {
  if (inTransaction) throw noMonitorInExec
  if (session.isMonitor) return
  services.watch.addMonitor(session)
  out.ok()
}

function slowLogGet({ services, out }: CommandContext, words: readonly string[]): void {
  if (words.length > 3) throw errors.unknownSubcommandOrArity('slowlog', words[1]!)
  const { slowLog } = services.watch
  const count = words.length === 2 ? SLOW_COMMANDS_SHOWN : parseCount(words[2]!, slowLogCount)
  if (count < ALL) throw slowLogCount
  const shown = slowLog.latest(count === ALL ? slowLog.length : count)
  out.array(shown.length)
  for (const command of shown) writeSlowCommand(out, command)
}

function writeSlowCommand(out: ReplyWriter, command: SlowCommand): void {
  out.array(6)
  out.integer(command.id)
  out.integer(command.seconds)
  out.integer(command.micros)
  out.words(command.words)
  out.bulk(command.address)
  out.bulk(command.clientName)
}

const slowLogCommand = container({
  name: 'slowlog',
  group: 'server',
  since: '2.2.12',
  summary: 'A container for slow log commands.',
  subcommands: [
    {
      name: 'slowlog|get',
      arity: -2,
      flags: OPERATOR,
      keys: NO_KEYS,
      group: 'server',
      since: '2.2.12',
      summary: "Returns the slow log's entries.",
      syntax: '[count]',
      complexity: 'O(N) where N is the number of entries returned',
      run: slowLogGet,
    },
    {
      name: 'slowlog|len',
      arity: 2,
      flags: OPERATOR,
      keys: NO_KEYS,
      group: 'server',
      since: '2.2.12',
      summary: 'Returns the number of entries in the slow log.',
      complexity: 'O(1)',
      run: ({ services, out }) => out.integer(services.watch.slowLog.length),
    },
    {
      name: 'slowlog|reset',
      arity: 2,
      flags: OPERATOR,
      keys: NO_KEYS,
      group: 'server',
      since: '2.2.12',
      summary: 'Clears all entries from the slow log.',
      complexity: 'O(N) where N is the number of entries in the slowlog',
      run: ({ services, out }) => {
        services.watch.slowLog.reset()
        out.ok()
      },
    },
    helpOf('slowlog', 'server', '6.2.0', [
      'GET [<count>]',
      '    Return top <count> entries from the slowlog (default: 10, -1 mean all).',
      '    Entries are made of:',
      '    id, timestamp, time in microseconds, arguments array, client IP and port,',
      '    client name',
      'LEN',
      '    Return the length of the slowlog.',
      'RESET',
      '    Reset the slowlog.',
    ]),
  ],
})

function latencyLatest({ services, out }: CommandContext): void {
  const events = services.watch.latency.latest()
  out.array(events.length)
  for (const { event, last, maxMs } of events) {
    out.array(4)
    out.bulk(event)
    out.integer(last.seconds)
    out.integer(last.ms)
    out.integer(maxMs)
  }
}

function latencyHistory({ services, out }: CommandContext, words: readonly string[]): void {
  const samples = services.watch.latency.history(words[2]!)
  out.array(samples.length)
  for (const { seconds, ms } of samples) {
    out.array(2)
    out.integer(seconds)
    out.integer(ms)
  }
}

function latencyReset({ services, out }: CommandContext, words: readonly string[]): void {
  const { latency } = services.watch
  if (words.length === 2) out.integer(latency.resetAll())
  else out.integer(words.slice(2).filter((event) => latency.reset(event)).length)
}

function latencyDoctor({ services, out }: CommandContext): void {
  const { latency, isLatencyOn } = services.watch
  const spikes = latency.latest().map(({ event, last, maxMs }) => {
    return `${event}: ${latency.history(event).length} spikes, the last of ${last.ms} ms, the longest of ${maxMs} ms.\n`
  })
  if (spikes.length > 0) {
    out.verbatim('txt', `${spikes.join('')}SLOWLOG GET shows which commands took long.\n`)
  } else if (isLatencyOn) {
    out.verbatim('txt', 'No latency spike was seen so far.\n')
  } else {
    out.verbatim(
      'txt',
      'Latency is not being watched: use "CONFIG SET latency-monitor-threshold <milliseconds>" to begin.\n',
    )
  }
}

function latencyHistogram({ services, commands, out }: CommandContext, words: readonly string[]): void {
  const { histograms } = services.watch
  const isWanted = namedBy(words.slice(2), (name) => commands.get(name)?.name)
  const shown = [...histograms].filter(([name]) => isWanted(name))
  out.map(shown.length)
  for (const [name, histogram] of shown) {
    out.bulk(name)
    writeHistogram(out, histogram)
  }
}

/** Which commands are meant; a container stands for its subcommands. */
function namedBy(
  words: readonly string[],
  find: (name: string) => string | undefined,
): (name: string) => boolean {
  if (words.length === 0) return () => true
  const wanted = new Set(words.map((word) => find(word) ?? word.toLowerCase()))
  return (name) => wanted.has(name) || wanted.has(name.split('|', 1)[0]!)
}

function writeHistogram(out: ReplyWriter, histogram: Histogram): void {
  const steps = histogram.cumulative()
  out.map(2)
  out.bulk('calls')
  out.integer(histogram.calls)
  out.bulk('histogram_usec')
  out.map(steps.length)
  for (const { micros, calls } of steps) {
    out.integer(micros)
    out.integer(calls)
  }
}

/** A subcommand of LATENCY. */
function latencySubcommand(
  row: Pick<CommandDef, 'name' | 'arity' | 'since' | 'summary' | 'run'> & Partial<CommandDef>,
): CommandDef {
  return {
    flags: OPERATOR_NOT_SCRIPT,
    keys: NO_KEYS,
    group: 'server',
    complexity: 'O(1)',
    ...row,
  }
}

const latencyCommand = container({
  name: 'latency',
  group: 'server',
  since: '2.8.13',
  summary: 'A container for latency diagnostics commands.',
  subcommands: [
    latencySubcommand({
      name: 'latency|latest',
      arity: 2,
      since: '2.8.13',
      summary: 'Returns the latest latency samples for all events.',
      run: latencyLatest,
    }),
    latencySubcommand({
      name: 'latency|history',
      arity: 3,
      since: '2.8.13',
      summary: 'Returns timestamp-latency samples for an event.',
      syntax: 'event',
      run: latencyHistory,
    }),
    latencySubcommand({
      name: 'latency|reset',
      arity: -2,
      since: '2.8.13',
      summary: 'Resets the latency data for one or more events.',
      syntax: '[event ...]',
      run: latencyReset,
    }),
    latencySubcommand({
      name: 'latency|doctor',
      arity: 2,
      since: '2.8.13',
      summary: 'Returns a human-readable latency analysis report.',
      run: latencyDoctor,
    }),
    latencySubcommand({
      name: 'latency|histogram',
      arity: -2,
      since: '7.0.0',
      summary: 'Returns the cumulative distribution of latencies of a subset or all commands.',
      syntax: '[command ...]',
      complexity: 'O(N) where N is the number of commands with latency information being retrieved.',
      run: latencyHistogram,
    }),
    helpOf('latency', 'server', '2.8.13', [
      'DOCTOR',
      '    Return a human readable latency analysis report.',
      'HISTORY <event>',
      '    Return time-latency samples for the <event> class.',
      'LATEST',
      '    Return the latest latency samples for all events.',
      'RESET [<event> ...]',
      '    Reset latency data of one or more <event> classes.',
      '    (default: reset all data for all event classes)',
      'HISTOGRAM [COMMAND ...]',
      '    Return a cumulative distribution of latencies in the format of a histogram for the specified command names.',
      '    If no commands are specified then all histograms are replied.',
      '    Commands are counted while latency-tracking is on.',
    ]),
  ],
})

const LOLWUT = [
  '        .--.       .--.       .--.',
  '   _____/    \\_____/    \\_____/    \\_____',
  '  |  A   ======   B   ======   C   ...  |',
  "  '--------------------------------------'",
]

function lolwut({ out }: CommandContext, words: readonly string[]): void {
  if (words.length > 2 && words[1]!.toLowerCase() === 'version') parseInt64(words[2]!)
  out.verbatim(
    'txt',
    `${LOLWUT.join('\n')}\n\nA causeway joins places that the tide parts. Redis ver. ${REDIS_VERSION}\n`,
  )
}

/** A client of this machine, by its address. */
function isLocal(address: string): boolean {
  return /^(127\.\d+\.\d+\.\d+|\[::1\]|\[::ffff:127\.\d+\.\d+\.\d+\]):\d+$/.test(address)
}

function debug({ session, services, out }: CommandContext, words: readonly string[]): void {
  const { debugCommand } = services
  const isAllowed = debugCommand === 'yes' || (debugCommand === 'local' && isLocal(session.address))
  if (!isAllowed) throw debugRefused
  const subcommand = words[1]!.toLowerCase()
  if (subcommand === 'sleep' && words.length === 3) {
    // As in Redis, what is no number is no time at all.
    const seconds = Number.parseFloat(words[2]!)
    if (seconds > 0) services.stall(1000 * seconds)
    out.ok()
  } else if (subcommand === 'set-active-expire' && words.length === 3) {
    throw alwaysExpires
  } else {
    throw errors.unknownSubcommandOrArity('debug', words[1]!)
  }
}

export const monitoringCommands = defineCommands([
  {
    name: 'monitor',
    arity: 1,
    flags: OPERATOR_NOT_SCRIPT,
    keys: NO_KEYS,
    group: 'server',
    since: '1.0.0',
    summary: 'Listens for all requests received by the server in real-time.',
    run: monitor,
  },
  slowLogCommand,
  latencyCommand,
  {
    name: 'lolwut',
    arity: -1,
    flags: ['readonly', 'fast'],
    keys: NO_KEYS,
    group: 'server',
    since: '5.0.0',
    summary: 'Displays computer art and the Redis version',
    syntax: '[VERSION version]',
    run: lolwut,
  },
  {
    name: 'debug',
    arity: -2,
    flags: OPERATOR_NOT_SCRIPT,
    keys: NO_KEYS,
    group: 'server',
    since: '1.0.0',
    summary: 'A container for debugging commands.',
    syntax: 'subcommand [arg ...]',
    complexity: 'Depends on subcommand.',
    run: debug,
  },
])
