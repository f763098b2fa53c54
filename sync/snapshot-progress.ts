/**
 * snapshot-progress.ts: how far a transfer is, for people: in CRDT.LINK STATUS, INFO, /v1/status and the log.
 */

export interface TransferProgress {
  /**
   * Puller: `asking`, `preparing` (the peer makes a snapshot), `receiving`, `verifying`, `loading`, `replaying`.
   * Server: `preparing`, `sending`, `sent` (the puller works on it).
   */
  readonly phase:
    | 'asking'
    | 'preparing'
    | 'receiving'
    | 'verifying'
    | 'loading'
    | 'replaying'
    | 'sending'
    | 'sent'
  /** Of the phase. While preparing the share in thousandths, of 1000; bytes otherwise. */
  readonly done: number
  readonly total: number
}

/** Thousandths: what a share of 0 to 1 travels as. */
export const SHARE_TOTAL = 1000

const MIB = 1024 * 1024

/** `receiving, 12.0 of 40.0 MB`. */
export function progressText({ phase, done, total }: TransferProgress): string {
  if (total === 0) return phase
  if (phase === 'preparing') return `${phase}, ${Math.floor((done / total) * 100)} %`
  return `${phase}, ${(done / MIB).toFixed(1)} of ${(total / MIB).toFixed(1)} MB`
}
