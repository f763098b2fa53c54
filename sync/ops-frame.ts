/**
 * ops-frame.ts: ops messages, built once for all links that send the same records.
 *
 * Links that are up to date read the same stretch of the log in the same turn and mostly want the same
 * of it; the second and third of them then share the bytes of the first.
 */
import { encodeOps } from './messages.ts'

export class OpsFrames {
  #records: readonly Uint8Array[] = []
  #message: Uint8Array = encodeOps([])

  /** One message of these records. It is shared: nobody may change it. */
  of(records: readonly Uint8Array[]): Uint8Array {
    if (!sameRecords(records, this.#records)) {
      this.#records = records
      this.#message = encodeOps(records)
    }
    return this.#message
  }
}

function sameRecords(a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}
