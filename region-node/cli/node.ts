/**
 * node.ts: `causeway node`: settings in, a running node, and an orderly end.
 *
 * Invariants: (1) whatever prevents a start is one line on standard error and exit code 1. (2) Nothing
 * is opened before the settings are known to be right.
 */
import { loadSettings } from '../config.ts'
import type { CliHost } from './host.ts'
import { describeDefect, startFailure } from './start-failure.ts'
import { stopRequested } from './stop-request.ts'

/** Runs a node to its end. @returns the exit code */
export async function runNode(argv: readonly string[], host: CliHost): Promise<number> {
  try {
    const settings = loadSettings({
      argv,
      environment: host.environment,
      readFile: (path) => host.env.disk.readFile(path),
    })
    const stopRequest = stopRequested(host)
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
