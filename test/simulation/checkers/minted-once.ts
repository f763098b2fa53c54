/**
 * minted-once.ts: no dot is ever minted twice, and whoever receives one receives the bytes that were minted.
 */
import type { BatchSpan } from '../../../crdt/codec/batch.ts'
import type { SimNode } from '../../harness/sim-node.ts'
import { type Checker, Finding } from '../checker.ts'
import { Ledger } from '../ledger.ts'

export class MintedOnce implements Checker {
  readonly #records = new Map<string, Uint8Array>()
  readonly #dots = new Set<string>()

  minted({ name }: SimNode, record: Uint8Array, { origin, firstSeq, opCount }: BatchSpan): void {
    for (let seq = firstSeq; seq < firstSeq + opCount; seq++) {
      const dot = Ledger.nameOf(origin.id, seq)
      if (this.#dots.has(dot))
        throw new Finding('minted once', `${name} mints ${dot}, which was minted before`)
      this.#dots.add(dot)
    }
    this.#records.set(Ledger.nameOf(origin.id, firstSeq), record.slice())
  }

  received({ name }: SimNode, record: Uint8Array, { origin, firstSeq }: BatchSpan): void {
    const dot = Ledger.nameOf(origin.id, firstSeq)
    const minted = this.#records.get(dot)
    if (minted === undefined || Buffer.compare(minted, record) !== 0) {
      throw new Finding('minted once', `${name} receives a batch at ${dot} that nobody minted`)
    }
  }
}
