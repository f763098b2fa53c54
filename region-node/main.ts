/**
 * main.ts: the entry of the process: the real environment, signals, standard streams, exit code.
 */
import { pino } from 'pino'
import { runCauseway } from './cli/causeway.ts'
import type { CliHost } from './cli/host.ts'
import { nodeClient } from './cli/node-client.ts'
import { openCoordinator } from './coordinator/open.ts'
import { keepAwake, nodeEnv } from './env-node.ts'
import { startChildProcess } from './machine/child-process.ts'
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
    // The node of a machine (`machine/child-process.ts`): the machine's process is gone.
    if (process.connected) process.once('disconnect', () => listener('the end of its machine'))
  },
  exitNow: (code) => process.exit(code),
  startNode: (settings) => startNodeThread(settings, env.memory().machineBytes),
  askNode: nodeClient(env),
  openCoordinator: (settings, deadlineMs = COORDINATOR_MS_MAX) => openCoordinator(settings, deadlineMs, env),
  startChild: startChildProcess,
  openLog: (fields) => {
    const logger = pino({ base: fields }, pino.destination({ dest: 2, sync: true }))
    return (sentence) => logger.info(sentence)
  },
}

const words = process.argv.slice(2)
const letSleep = keepAwake()
process.exitCode = await runCauseway(words, host)
letSleep()
// What was asked for is done, even if a connection somewhere lingers. What was printed has to reach its pipe first.
process.stdout.write('', () => process.exit())
