/**
 * ledger.ts: everything that was minted and everything that was asked, over all regions of a run.
 */
import { TAG } from '../../crdt/effects/effect.ts'
import { isKeyEffect } from '../../crdt/registry.ts'
import { oracleOps } from '../harness/observe.ts'
import { answerOf, type KeyAnswer, type OracleOp } from '../harness/oracle.ts'
import type { SentCommand } from '../harness/sim-client.ts'

export class Ledger {
  readonly commands: SentCommand[] = []
  readonly ops = new Map<string, OracleOp>()
  /** Answered commands that a power loss may have taken, by the promise of the fsync policy. */
  readonly forgivable = new Set<SentCommand>()
  /** Commands of which a reply was compared with what the models say. */
  readonly judged = new Set<string>()
  /** Ops that say something of a key, by `db:key`. */
  readonly #ofKey = new Map<string, Set<OracleOp>>()
  readonly #flushes: OracleOp[] = []

  static nameOf(origin: string, seq: number): string {
    return `${origin}:${seq}`
  }

  add(record: Uint8Array): void {
    for (const op of oracleOps(record)) {
      this.ops.set(Ledger.nameOf(op.origin, op.seq), op)
      this.#index(op)
    }
  }

  #index(op: OracleOp): void {
    for (const effect of op.effects) {
      if (effect.tag === TAG.FLUSH) this.#flushes.push(op)
      if (!isKeyEffect(effect)) continue
      const name = `${effect.db}:${effect.key}`
      const ops = this.#ofKey.get(name) ?? new Set()
      this.#ofKey.set(name, ops.add(op))
    }
  }

  /** What a read of one key answers where exactly the ops are applied that a vector covers. @param name  `db:key` */
  reading(name: string, vector: ReadonlyMap<string, number>): KeyAnswer | undefined {
    const ops = new Set([...(this.#ofKey.get(name) ?? []), ...this.#flushes])
    const covered = [...ops].filter(({ origin, seq }) => seq <= (vector.get(origin) ?? 0))
    return answerOf(covered, name).get(name)
  }

  /** Where origins end, by what a vector covers: of several ends the lowest holds. */
  endsWithin(vector: ReadonlyMap<string, number>): Map<string, number> {
    const ends = new Map<string, number>()
    for (const { effects } of this.within(vector)) {
      for (const effect of effects) {
        if (effect.tag !== TAG.SEAL) continue
        const { id } = effect.origin
        ends.set(id, Math.min(effect.end, ends.get(id) ?? Number.POSITIVE_INFINITY))
      }
    }
    return ends
  }

  /** Ops that a vector covers. */
  within(vector: ReadonlyMap<string, number>): OracleOp[] {
    const found: OracleOp[] = []
    for (const op of this.ops.values()) if (op.seq <= (vector.get(op.origin) ?? 0)) found.push(op)
    return found
  }
}

/** What an op had seen, as a vector. @param own  how much of its own origin; all before it, where nothing is said */
export function seenBy({ deps, origin, seq }: OracleOp, own = seq - 1): Map<string, number> {
  return new Map([...deps, [origin, own]])
}
