/**
 * pending.ts: the one way by which a test says that what it needs is not there.
 *
 * The test is registered under its own name either way, so that a list of tests shows what is still
 * missing, and why; the reason is always computed, never kept by hand.
 */
import { it } from 'vitest'

/**
 * @param reason  why it cannot run, or undefined: then it runs
 */
export function itUnless(
  reason: string | undefined,
  name: string,
  run: () => Promise<void> | void,
  timeoutMs?: number,
): void {
  const body = (context: { skip(note: string): void }): Promise<void> | void => {
    if (reason !== undefined) return context.skip(reason)
    return run()
  }
  if (timeoutMs === undefined) it(name, body)
  else it(name, body, timeoutMs)
}
