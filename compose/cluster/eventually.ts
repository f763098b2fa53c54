/**
 * eventually.ts: waits for what is to become true, and says what did not.
 */
import { setTimeout as delay } from 'node:timers/promises'

const POLL_MS = 20

/**
 * Looks again and again until there is something.
 * @param what  for the sentence when it does not come to that
 * @throws Error after `timeoutMs`
 */
export async function eventually<T>(
  what: string,
  timeoutMs: number,
  look: () => Promise<T | undefined>,
  pollMs = POLL_MS,
): Promise<T> {
  const endMs = performance.now() + timeoutMs
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    if (performance.now() > endMs) throw new Error(`after ${timeoutMs / 1000} s still not so: ${what}`)
    await delay(pollMs)
  }
}
