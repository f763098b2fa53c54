/**
 * stop-request.ts: waits for somebody to ask the process to end.
 *
 * The first SIGTERM or SIGINT asks for an orderly stop. Ctrl-C in a terminal reaches the process directly
 * and again from npm, so only a signal that comes clearly later counts as a second one: it ends the
 * process at once, as somebody wants who cannot wait.
 */
import type { CliHost } from './host.ts'

/** Signals closer together than this are one request. */
const REPEATED_SIGNAL_MS = 1000

/** Resolves at the first signal; a second one ends the process. */
export function stopRequested(host: CliHost): Promise<string> {
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
