/**
 * hll-writes.ts: what commands may do to HyperLogLogs.
 *
 * In Redis a HyperLogLog is a string, so a string that holds the bytes of one may be added to. Here it becomes
 * a HyperLogLog by that: the region that does it removes the string it saw and writes what it held as one.
 */
import { cellText } from '../../../crdt/cell.ts'
import { TAG } from '../../../crdt/effects/effect.ts'
import { stringOf } from '../../../crdt/effects/string-effects.ts'
import { deadlineOf, visibleState } from '../../../crdt/key.ts'
import type { HllWrites } from '../../commands/hll-writes.ts'
import type { Minter } from '../minter.ts'

export class MintedHllWrites implements HllWrites {
  readonly #mint: Minter

  constructor(mint: Minter) {
    this.#mint = mint
  }

  raise(key: string, raises: readonly number[], isDense: boolean): void {
    const creates = this.#begin(key, this.#mint.db)
    this.#mint.emit({ tag: TAG.HLL_RAISE, db: this.#mint.db, key, raises, isDense, creates })
  }

  join(key: string, text: string, db = this.#mint.db): void {
    const creates = this.#begin(key, db)
    this.#mint.emit({ tag: TAG.HLL_JOIN, db, key, text, creates })
  }

  /** Makes a HyperLogLog of a string. @returns whether the write to come creates the key */
  #begin(key: string, db: number): boolean {
    const mint = this.#mint
    const entry = mint.live(db, key)
    if (entry === undefined) return true
    // A string that is here when an op is minted again is not the one it was about.
    if (visibleState(entry)?.type !== 'string' || mint.isAgain) return false
    const text = cellText(stringOf(entry)!)
    const deadlineMs = deadlineOf(entry)
    mint.clear(db, key, entry)
    mint.emit({ tag: TAG.HLL_JOIN, db, key, text, creates: true })
    if (deadlineMs !== Number.POSITIVE_INFINITY) mint.emit({ tag: TAG.DEADLINE, db, key, deadlineMs })
    return false
  }
}
