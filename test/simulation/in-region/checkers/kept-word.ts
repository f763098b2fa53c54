/**
 * kept-word.ts: a node that was restarted holds what it said it holds.
 *
 * What a replica said to its primary it has applied is in its files: it survives its process. What it said is durable
 * survives its machine.
 */
import { Finding, firstLacking } from '../../checker.ts'
import { join, type Vector } from '../copies.ts'
import type { Judge, Loss, World } from '../judge.ts'
import type { Machine } from '../machine.ts'

export class KeptWord implements Judge {
  readonly #world: World
  /** What it has to have when it is back. */
  readonly #owed = new Map<Machine, Map<string, number>>()
  readonly #durable = new Map<Machine, Map<string, number>>()
  /** What it said until then is settled: it was found at its last start, or its files were lost. */
  readonly #settledMs = new Map<Machine, number>()

  constructor(world: World) {
    this.#world = world
  }

  ended(machine: Machine, loss: Loss): void {
    if (loss === 'files') {
      this.#owed.delete(machine)
      this.#durable.delete(machine)
      // Its machine may lose power once more before it is back.
      this.#settledMs.set(machine, this.#world.clock.nowMs)
      return
    }
    const durable = this.#durable.get(machine) ?? new Map<string, number>()
    const applied = new Map<string, number>()
    for (const { machines } of this.#world.regions) {
      for (const { core } of machines) {
        for (const replica of core?.mesh.replicas.all ?? []) {
          if (replica.nodeId !== machine.nodeId) continue
          if (replica.heardMs <= (this.#settledMs.get(machine) ?? 0)) continue
          join(durable, new Map(replica.durable?.toWire()))
          join(applied, new Map(replica.applied?.toWire()))
        }
      }
    }
    this.#durable.set(machine, durable)
    const owed = new Map(durable)
    if (loss === 'nothing') join(owed, applied)
    this.#owed.set(machine, owed)
  }

  recovered(machine: Machine): void {
    this.#settledMs.set(machine, this.#world.clock.nowMs)
    const owed = this.#owed.get(machine)
    if (owed === undefined) return
    this.#owed.delete(machine)
    const lacking = firstLacking(machine.node.vector, counted(machine, owed))
    if (lacking !== undefined)
      throw new Finding('kept word', `${machine.name} had said it holds ${lacking} after its restart`)
  }
}

/** What lies behind the end of an origin counts no more. */
export function counted({ core }: Machine, vector: Vector): Vector {
  const { membership, origins } = core!
  const within = new Map<string, number>()
  for (const [id, seq] of vector)
    within.set(id, Math.min(seq, membership.sealOf(origins.intern(id))?.end ?? seq))
  return within
}
