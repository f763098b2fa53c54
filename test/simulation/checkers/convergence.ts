/**
 * convergence.ts: regions that have applied the same ops are the same, by vector and by digest: at any moment,
 * whatever of its metadata each has reclaimed by then; and in the end all of them.
 */
import type { SimNode } from '../../harness/sim-node.ts'

import { type Checker, Finding, type World } from '../checker.ts'

export class Convergence implements Checker {
  readonly #world: World

  constructor(world: World) {
    this.#world = world
  }

  moment(): void {
    /** By vector. */
    const firsts = new Map<string, SimNode>()
    for (const node of this.#world.nodes) {
      if (node.core === undefined) continue
      const first = firsts.get(vectorOf(node))
      if (first === undefined) firsts.set(vectorOf(node), node)
      else compare('digest', digestOf, first, node)
    }
  }

  settled(): void {
    const [first, ...others] = this.#world.nodes as [SimNode, ...SimNode[]]
    for (const other of others) compare('vector', vectorOf, first, other)
    this.moment()
  }
}

function vectorOf({ core }: SimNode): string {
  return JSON.stringify(core!.applied.toWire())
}

function digestOf({ core }: SimNode): string {
  return core!.engine.keyspace.digest()
}

function compare(what: string, of: (node: SimNode) => string, a: SimNode, b: SimNode): void {
  if (of(a) !== of(b))
    throw new Finding('convergence', `${what} of ${a.name}: ${of(a)}, of ${b.name}: ${of(b)}`)
}
