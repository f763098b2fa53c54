/**
 * real-time.ts: waiting in tests whose engine runs on the clock of the machine.
 */
import { setTimeout as delay } from 'node:timers/promises'

const POLL_MS = 2
/** What a test waits for and has not happened by then has failed. */
const WAIT_MS_MAX = 30_000

export async function until(isSo: () => boolean): Promise<void> {
  const endMs = performance.now() + WAIT_MS_MAX
  while (!isSo()) {
    if (performance.now() > endMs) throw new Error(`this has not come about within ${WAIT_MS_MAX} ms`)
    await delay(POLL_MS)
  }
}
