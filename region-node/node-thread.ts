/**
 * node-thread.ts: the thread in which a node runs: its settings come from the main thread, its end goes there.
 *
 * The main thread keeps the process: arguments, signals, exit code (`thread.ts`). This one has a heap of the
 * size that was planned. Log lines are JSON on standard error, written synchronously: there are few, and
 * the last ones before a crash are the ones that matter.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { type Logger, pino } from 'pino'
import type { RunningNode } from './cli/host.ts'
import { startFailure } from './cli/start-failure.ts'
import { type Settings, settingsOf } from './config.ts'
import { nodeEnv } from './env-node.ts'
import { startNode } from './node.ts'
import type { NodeNews, NodeOrder, ThreadData } from './thread.ts'

/** Redis's words for how much is logged, in pino's. */
const PINO_LEVELS = { debug: 'trace', verbose: 'debug', notice: 'info', warning: 'warn' } as const

const { values } = workerData as ThreadData
const settings = settingsOf(values)

try {
  const node = await startNode(settings, nodeEnv(), loggerOf(settings))
  obey(node)
  tell({ kind: 'serves' })
  tell({ kind: 'ended', ...(await node.stopped) })
} catch (error) {
  const sentence = startFailure(error)
  if (sentence === undefined) throw error
  tell({ kind: 'refused', sentence })
}

function obey(node: RunningNode): void {
  parentPort!.on('message', ({ reason }: NodeOrder) => {
    // A stop that fails must not leave a node that nobody can stop: it ends the thread as an error of ours.
    node.stop(reason).catch((error: unknown) => {
      tell({ kind: 'broke', stack: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    })
  })
}

function tell(news: NodeNews): void {
  parentPort!.postMessage(news)
}

function loggerOf({ values: current }: Settings): Logger {
  const { region, partition, partitions } = current
  // The nodes of a machine write into one log.
  const base = partitions > 1 ? { region, partition } : { region }
  const logger = pino({ base }, pino.destination({ dest: 2, sync: true }))
  const follow = (): void => {
    logger.level = PINO_LEVELS[current.loglevel]
  }
  follow()
  settings.onChange(follow)
  return logger
}
