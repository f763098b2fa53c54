/**
 * suspension.ts: no two regions suspend each other.
 *
 * Each would go on without the other, both would answer clients, and one of them would have to give way.
 */
import { TAG } from '../../../crdt/effects/effect.ts'
import type { OracleOp } from '../../harness/oracle.ts'
import type { SimNode } from '../../harness/sim-node.ts'
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
    const [{ vector }] = this.#world.nodes as [SimNode]
    this.#judge(this.#suspensions(() => vector))
  }

  /** Each of two parts may hold to what it decided, and wait for the other one to give way. */
  unsettled(): void {
    const { nodes } = this.#world
    const vectors = new Map(nodes.map(({ regionId, vector }) => [regionId, vector] as const))
    this.#judge(this.#suspensions((region) => vectors.get(region)))
  }

  #judge(all: readonly Suspended[]): void {
    for (const one of all) {
      for (const other of all) {
        if (one.regionId !== other.op.region || other.regionId !== one.op.region) continue
        // Who came back may suspend the other later.
        if (hasSeen(one.op, other.op) || hasSeen(other.op, one.op)) continue
        throw new Finding('suspension', `regions ${one.regionId} and ${other.regionId} suspend each other`)
      }
    }
  }

  /** @param vectorOf  what counts of a region: what one that was itself suspended decided may not */
  #suspensions(vectorOf: (region: number) => ReadonlyMap<string, number> | undefined): Suspended[] {
    const found: Suspended[] = []
    for (const op of this.#world.ledger.ops.values()) {
      if (op.seq > (vectorOf(op.region)?.get(op.origin) ?? 0)) continue
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
