/**
 * convergence.ts: regions that have applied the same ops are the same, by vector and by digest.
 */
import { type Checker, Finding, type World } from '../checker.ts'

export class Convergence implements Checker {
  readonly #world: World

  constructor(world: World) {
    this.#world = world
  }

  settled(): void {
    const [first, ...others] = this.#world.nodes.map((node) => ({
      name: node.name,
      vector: JSON.stringify(node.core!.applied.toWire()),
      digest: node.core!.engine.keyspace.digest(),
    }))
    for (const other of others) {
      for (const what of ['vector', 'digest'] as const) {
        if (other[what] === first![what]) continue
        throw new Finding(
          'convergence',
          `${what} of ${first!.name}: ${first![what]}, of ${other.name}: ${other[what]}`,
        )
      }
    }
  }
}
