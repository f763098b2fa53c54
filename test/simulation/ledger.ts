/**
 * ledger.ts: everything that was minted and everything that was asked, over all regions of a run.
 */
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

  /** Ops that a vector covers. */
  within(vector: ReadonlyMap<string, number>): OracleOp[] {
    const found: OracleOp[] = []
    for (const op of this.ops.values()) if (op.seq <= (vector.get(op.origin) ?? 0)) found.push(op)
    return found
  }
}
