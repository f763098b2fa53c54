/**
 * advertised.ts: what a region has acknowledged to another one as durable never goes down: every primary of it that
 * takes writes holds that (I8).
 */
import { Finding, firstLacking } from '../../checker.ts'
import { join } from '../copies.ts'
import type { Judge, World } from '../judge.ts'
import type { Region } from '../region.ts'
import { counted } from './kept-word.ts'

export class Advertised implements Judge {
  readonly #world: World
  readonly #vectors = new Map<Region, Map<string, number>>()

  constructor(world: World) {
    this.#world = world
  }

  moment(): void {
    for (const region of this.#world.regions) this.#hear(region)
    for (const region of this.#world.regions) this.#compare(region)
  }

  #hear(region: Region): void {
    const vector = this.#vectors.get(region) ?? new Map<string, number>()
    this.#vectors.set(region, vector)
    for (const other of this.#world.regions) {
      if (other === region) continue
      for (const { core } of other.machines)
        join(vector, new Map(core?.mesh.cut.standing(region.id)?.durable.toWire()))
    }
  }

  #compare(region: Region): void {
    for (const machine of region.machines) {
      const { core, isPrimary, name } = machine
      if (core === undefined || !isPrimary || core.engine.refusal !== undefined) continue
      // One that does not know yet that it was deposed answers nobody any more.
      if (core.replication.term !== region.latest?.term) continue
      const lacking = firstLacking(machine.node.vector, counted(machine, this.#vectors.get(region)!))
      if (lacking !== undefined)
        throw new Finding('advertised', `${name} takes writes: its region has acknowledged ${lacking}`)
    }
  }
}
