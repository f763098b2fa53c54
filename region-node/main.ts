/**
 * main.ts: the entry of the process: the real environment, signals, standard streams, exit code.
 *
 * Log lines are JSON on standard error, written synchronously: there are few, and the last ones
 * before a crash are the ones that matter.
 */
import { type Logger, pino } from 'pino'
import { runCauseway } from './cli/causeway.ts'
import type { CliHost } from './cli/host.ts'
import type { Settings } from './config.ts'
import { nodeEnv } from './env-node.ts'

/** Redis's words for how much is logged, in pino's. */
const PINO_LEVELS = { debug: 'trace', verbose: 'debug', notice: 'info', warning: 'warn' } as const

const host: CliHost = {
  env: nodeEnv(),
  environment: process.env,
  print: (text) => {
    process.stdout.write(text)
  },
  complain: (text) => {
    process.stderr.write(text)
  },
  onSignal(listener) {
    process.on('SIGTERM', listener)
    process.on('SIGINT', listener)
  },
  exitNow: (code) => process.exit(code),
  makeLogger,
  // Loaded only when it is needed: --help does not wait for the whole database.
  loadStartNode: async () => (await import('./node.ts')).startNode,
}

function makeLogger(settings: Settings): Logger {
  const { region } = settings.values
  const logger = pino({ base: { region } }, pino.destination({ dest: 2, sync: true }))
  const follow = (): void => {
    logger.level = PINO_LEVELS[settings.values.loglevel]
  }
  follow()
  settings.onChange(follow)
  return logger
}

const words = process.argv.slice(2)
process.exitCode = await runCauseway(words, host)
// A node that has stopped is over, even if a connection somewhere lingers. Help has to reach its pipe first.
if (words[0] === 'node') process.stdout.write('', () => process.exit())
