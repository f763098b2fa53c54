/**
 * causal-order.ts: an op is applied once, right behind the op before it of its origin, and never before
 * what it depends on.
 *
 * Keeps its own vector for each node, from what the log takes in, and compares it with the node's.
 */
import { type BatchSpan, openRecord } from '../../../crdt/codec/batch.ts'
import { OriginTable } from '../../../crdt/origin.ts'
import type { SimNode } from '../../harness/sim-node.ts'
import { type Checker, Finding, firstLacking, type World } from '../checker.ts'

export class CausalOrder implements Checker {
  readonly #world: World
  readonly #vectors = new Map<SimNode, Map<string, number>>()

  constructor(world: World) {
    this.#world = world
  }

  recovered(node: SimNode): void {
    this.#vectors.set(node, new Map(node.vector))
  }

  adopted(node: SimNode): void {
    // What a snapshot holds is causally closed, and an op of the own log beyond it keeps what it depends on.
    this.#vectors.set(node, new Map(node.vector))
  }

  minted(node: SimNode, record: Uint8Array, span: BatchSpan): void {
    this.#applied(node, record, span)
  }

  received(node: SimNode, record: Uint8Array, span: BatchSpan): void {
    this.#applied(node, record, span)
  }

  #applied(node: SimNode, record: Uint8Array, { origin, firstSeq, opCount }: BatchSpan): void {
    const vector = this.#vectors.get(node)!
    const reached = vector.get(origin.id) ?? 0
    const what = `${origin.id}:${firstSeq} to ${firstSeq + opCount - 1}`
    if (reached !== firstSeq - 1) {
      throw new Finding(
        'causal order',
        `${node.name} applies ${what} when it stands at ${reached} of that origin`,
      )
    }
    const lacking = firstLacking(vector, openRecord(record, new OriginTable()).header.deps.toWire())
    if (lacking !== undefined) {
      throw new Finding('causal order', `${node.name} applies ${what}, which depends on ${lacking}`)
    }
    // What lies behind the end of its origin is not applied.
    const limit = node.core?.engine.membership.limitOf(origin) ?? Number.POSITIVE_INFINITY
    vector.set(origin.id, Math.min(firstSeq + opCount - 1, limit))
  }

  moment(): void {
    for (const node of this.#world.nodes) {
      if (node.core === undefined) continue
      const lacking = firstLacking(this.#vectors.get(node)!, node.vector)
      if (lacking !== undefined)
        throw new Finding('causal order', `${node.name} claims to have applied ${lacking}`)
    }
  }

  settled(): void {
    this.moment()
  }
}
