/**
 * expirer.ts: when the removal of due keys and fields is minted (`engine/due-removals.ts`): ten times a second, and
 * as long as there is something that can go, in slices soon after one another.
 *
 * A key that is due is hidden already, so nobody waits for its removal. But a million keys may be due at midnight,
 * and no client is to wait for these either; and keys have to go as fast as clients may set them, or they pile up.
 */
import type { ExpiryPeers } from '../sync/expiry-peers.ts'
import { runSlice } from '../sync/pace.ts'
import type { Engine } from './engine/engine.ts'
import type { Env } from './env.ts'

/** How often due keys are looked at while none of them can be removed. */
const INTERVAL_MS = 100

export interface ExpirerPorts {
  readonly env: Pick<Env, 'after' | 'monoMs'>
  readonly engine: Pick<Engine, 'removeDue'>
  readonly expiry: Pick<ExpiryPeers, 'settledClockMs' | 'isDurableEverywhere'>
  /** False for ever: the node ends. */
  readonly isRunning: () => boolean
  /** There is room in the log. */
  readonly mayMint: () => boolean
  /** Removals were minted in this turn. */
  readonly minted: () => void
}

/** Begins, and goes on until the node ends. */
export function expireFromNowOn(ports: ExpirerPorts): void {
  const again = (waitMs: number): void => {
    ports.env.after(waitMs, () => {
      if (ports.isRunning()) again(ports.mayMint() ? removeSome(ports) : INTERVAL_MS)
    })
  }
  again(INTERVAL_MS)
}

/** @returns milliseconds before the next time */
function removeSome({ env, engine, expiry, minted }: ExpirerPorts): number {
  let removed = 0
  const { isOver, restMs } = runSlice(env, () => {
    const { keys, fields, isOver } = engine.removeDue(expiry.settledClockMs(), ({ origin, seq }) =>
      expiry.isDurableEverywhere(origin, seq),
    )
    removed += keys + fields
    return isOver
  })
  if (removed > 0) minted()
  return isOver ? INTERVAL_MS : restMs
}
