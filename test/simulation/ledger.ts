/**
 * ledger.ts: everything that was minted and everything that was asked, over all regions of a run.
 */
import { TAG } from '../../crdt/effects/effect.ts'
import { oracleOps } from '../harness/observe.ts'
import type { OracleOp } from '../harness/oracle.ts'
import type { SentCommand } from '../harness/sim-client.ts'

export class Ledger {
  readonly commands: SentCommand[] = []
  readonly ops = new Map<string, OracleOp>()
  /** Answered commands that a power loss may have taken, by the promise of the fsync policy. */
  readonly forgivable = new Set<SentCommand>()

  static nameOf(origin: string, seq: number): string {
    return `${origin}:${seq}`
  }

  add(record: Uint8Array): void {
    for (const op of oracleOps(record)) this.ops.set(Ledger.nameOf(op.origin, op.seq), op)
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
