/**
 * queues.ts: what waits is bounded, and nothing waits for ever.
 */
import { type Checker, Finding, type World } from '../checker.ts'

/** One message behind the limit above which no more is read for a link. */
const UNSENT_BYTES_MAX = 4 * 1024 * 1024

export class Queues implements Checker {
  readonly #world: World

  constructor(world: World) {
    this.#world = world
  }

  moment(): void {
    for (const { name, unsentBytes, core } of this.#world.nodes) {
      if (unsentBytes > UNSENT_BYTES_MAX)
        throw new Finding('queues', `${unsentBytes} bytes wait in a link of ${name}`)
      if (core === undefined) continue
      const limit = core.settings.values['causal-buffer-bytes']
      const { bytes } = core.mesh.waiting
      if (bytes > limit) throw new Finding('queues', `${bytes} bytes wait in ${name} for ops they depend on`)
    }
  }

  settled(): void {
    // What depends on an op that died with the power waits in vain, and is kept in case it does not.
    if (this.#isSomethingLost()) return
    for (const { name, core } of this.#world.nodes) {
      const { batches } = core!.mesh.waiting
      if (batches > 0)
        throw new Finding('queues', `${batches} batches wait in ${name} and nothing is missing`)
    }
  }

  #isSomethingLost(): boolean {
    const { ledger, nodes } = this.#world
    return ledger.within(nodes[0]!.vector).length < ledger.ops.size
  }
}
