/**
 * until.ts: waits for something to become so, with a deadline.
 */
import { setTimeout as delay } from 'node:timers/promises'

const POLL_MS = 50

/**
 * Asks again and again. A question that fails was asked too early and counts as no.
 * @returns milliseconds it took, or undefined when it was not so in time
 */
export async function until(isSo: () => Promise<boolean>, timeoutMs: number): Promise<number | undefined> {
  const start = performance.now()
  for (;;) {
    if (await isSo().catch(() => false)) return performance.now() - start
    if (performance.now() - start > timeoutMs) return undefined
    await delay(POLL_MS)
  }
}
