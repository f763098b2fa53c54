/**
 * node.ts: `causeway node`: settings in, a running node, and an orderly end.
 *
 * SIGTERM and SIGINT stop the node in order. One Ctrl-C may arrive several times, from the terminal
 * and again from npm, so only a signal that comes clearly later counts as a second one: it ends the
 * process at once, as somebody wants who cannot wait.
 *
 * Invariants: (1) whatever prevents a start is one line on standard error and exit code 1. (2) Nothing
 * is opened before the settings are known to be right.
 */
import { loadSettings } from '../config.ts'
import type { CliHost } from './host.ts'
import { startFailure } from './start-failure.ts'

/** Signals closer together than this are one request. */
const REPEATED_SIGNAL_MS = 1000

/** Runs a node to its end. @returns the exit code */
export async function runNode(argv: readonly string[], host: CliHost): Promise<number> {
  try {
    const settings = loadSettings({
      argv,
      environment: host.environment,
      readFile: (path) => host.env.disk.readFile(path),
    })
    const stopRequest = signalled(host)
    const node = await host.startNode(settings)
    // A stop that fails must not leave a node that nobody can stop: its error ends the wait.
    const stopFailed = stopRequest.then((name) => node.stop(name)).then(() => node.stopped)
    const { exitCode } = await Promise.race([node.stopped, stopFailed])
    return exitCode
  } catch (error) {
    host.complain(`causeway: ${startFailure(error) ?? describeDefect(error)}\n`)
    return 1
  }
}

/** Resolves at the first signal; a second one ends the process. */
function signalled(host: CliHost): Promise<string> {
  return new Promise((resolve) => {
    let firstAtMs: number | undefined
    host.onSignal((name) => {
      const nowMs = host.env.monoMs()
      if (firstAtMs === undefined) {
        firstAtMs = nowMs
        resolve(name)
      } else if (nowMs - firstAtMs >= REPEATED_SIGNAL_MS) {
        host.exitNow(1)
      }
    })
  })
}

function describeDefect(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
