/**
 * main.ts: the entry of the process: the real environment, signals, standard streams, exit code.
 */
import { runCauseway } from './cli/causeway.ts'
import type { CliHost } from './cli/host.ts'
import { nodeClient } from './cli/node-client.ts'
import { openCoordinator } from './coordinator/open.ts'
import { keepAwake, nodeEnv } from './env-node.ts'
import { startNodeThread } from './thread.ts'

/** How long a subcommand waits for the coordinator. */
const COORDINATOR_MS_MAX = 5000

const env = nodeEnv()
const host: CliHost = {
  env,
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
  startNode: (settings) => startNodeThread(settings, env.memory().machineBytes),
  askNode: nodeClient(env),
  openCoordinator: (settings) => openCoordinator(settings, COORDINATOR_MS_MAX, env),
}

const words = process.argv.slice(2)
const letSleep = keepAwake()
process.exitCode = await runCauseway(words, host)
letSleep()
// A node that has stopped is over, even if a connection somewhere lingers. Help has to reach its pipe first.
if (words[0] === 'node') process.stdout.write('', () => process.exit())
