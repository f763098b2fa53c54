/**
 * late-tail.ts: an op counts under one dot only.
 *
 * One that came behind the end of its origin counts under the dot under which it was minted again, nowhere
 * under its old one, and nobody who knows that it was minted again does so a second time.
 */
import type { BatchSpan } from '../../../crdt/codec/batch.ts'
import { TAG } from '../../../crdt/effects/effect.ts'
import type { SimNode } from '../../harness/sim-node.ts'
import { type Checker, Finding, type World } from '../checker.ts'
import { Ledger } from '../ledger.ts'

/** The op that stands for an older one, and that one. */
interface MintedAgain {
  readonly origin: string
  readonly seq: number
  readonly wasSeq: number
}

export class LateTail implements Checker {
  readonly #world: World
  /** By the origin under which they were minted first. */
  readonly #again = new Map<string, MintedAgain[]>()

  constructor(world: World) {
    this.#world = world
  }

  minted({ name, vector }: SimNode, _record: Uint8Array, { origin, firstSeq, opCount }: BatchSpan): void {
    for (let seq = firstSeq; seq < firstSeq + opCount; seq++) {
      const was = this.#world.ledger.ops.get(Ledger.nameOf(origin.id, seq))?.effects[0]
      if (was?.tag !== TAG.WAS) continue
      const known = this.#again.get(was.origin.id) ?? []
      this.#again.set(was.origin.id, known)
      for (const one of known) {
        if (one.wasSeq !== was.seq || (vector.get(one.origin) ?? 0) < one.seq) continue
        throw new Finding(
          'late tail',
          `${name} mints ${was.origin.id}:${was.seq} again and knows of ${one.origin}:${one.seq}, which stands for it`,
        )
      }
      known.push({ origin: origin.id, seq, wasSeq: was.seq })
    }
  }

  moment(): void {
    for (const { name, vector } of this.#world.nodes) {
      for (const [wasOrigin, list] of this.#again) {
        for (const { origin, seq, wasSeq } of list) {
          if ((vector.get(origin) ?? 0) < seq || (vector.get(wasOrigin) ?? 0) < wasSeq) continue
          throw new Finding(
            'late tail',
            `${name} has applied ${wasOrigin}:${wasSeq} under that dot and as ${origin}:${seq}`,
          )
        }
      }
    }
  }

  settled(): void {
    this.moment()
    this.#nothingBehindEnds()
  }

  #nothingBehindEnds(): void {
    const { ledger, nodes } = this.#world
    const [{ vector }] = nodes as [SimNode]
    for (const [origin, end] of ledger.endsWithin(vector)) {
      const reached = vector.get(origin) ?? 0
      if (reached > end)
        throw new Finding('late tail', `${origin} ended at ${end}, is applied up to ${reached}`)
    }
  }
}
