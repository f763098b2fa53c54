/**
 * suspension.ts: no two regions suspend each other.
 *
 * Each would go on without the other, both would answer clients, and one of them would have to give way.
 */
import { TAG } from '../../../crdt/effects/effect.ts'
import type { OracleOp } from '../../harness/oracle.ts'
import { type Checker, Finding, type World } from '../checker.ts'

interface Suspended {
  readonly op: OracleOp
  readonly regionId: number
}

export class Suspension implements Checker {
  readonly #world: World

  constructor(world: World) {
    this.#world = world
  }

  settled(): void {
    const all = this.#suspensions()
    for (const one of all) {
      for (const other of all) {
        if (one.regionId !== other.op.region || other.regionId !== one.op.region) continue
        // Who came back may suspend the other later.
        if (hasSeen(one.op, other.op) || hasSeen(other.op, one.op)) continue
        throw new Finding('suspension', `regions ${one.regionId} and ${other.regionId} suspend each other`)
      }
    }
  }

  #suspensions(): Suspended[] {
    const found: Suspended[] = []
    for (const op of this.#world.ledger.ops.values()) {
      for (const effect of op.effects) {
        if (effect.tag === TAG.REGION && effect.status === 'suspended')
          found.push({ op, regionId: effect.regionId })
      }
    }
    return found
  }
}

function hasSeen(op: OracleOp, { origin, seq }: OracleOp): boolean {
  return seq <= (op.deps.get(origin) ?? 0)
}
