/**
 * counters.ts: a counter that is only incremented holds the sum of all answered increments, plus at most
 * those that were not answered.
 *
 * Worked out from what clients sent and were told, without any knowledge of ops.
 */
import { cellText } from '../../../crdt/cell.ts'
import { stringOf } from '../../../crdt/effects/string-effects.ts'
import type { SimNode } from '../../harness/sim-node.ts'
import { type Checker, Finding, type World } from '../checker.ts'
import { SUM_PREFIX } from '../workload.ts'

export class Counters implements Checker {
  readonly #world: World

  constructor(world: World) {
    this.#world = world
  }

  settled(): void {
    if (this.#world.options.flushes) return
    const bounds = this.#bounds()
    for (const node of this.#world.nodes) {
      for (const [key, { least, most }] of bounds) {
        const value = sumIn(node, key)
        if (value >= least && value <= most) continue
        throw new Finding(
          'counters',
          `${node.name} has ${key} = ${value}, which is not from ${least} to ${most}`,
        )
      }
    }
  }

  #bounds(): Map<string, { least: number; most: number }> {
    const { commands, forgivable } = this.#world.ledger
    const bounds = new Map<string, { least: number; most: number }>()
    for (const command of commands) {
      const [name, key, amount] = command.words
      if (name !== 'INCRBY' || !key!.startsWith(SUM_PREFIX)) continue
      const bound = bounds.get(key!) ?? { least: 0, most: 0 }
      // An increment inside MULTI is answered QUEUED: whether it counts is for EXEC to say.
      const isCertain = typeof command.reply === 'number' && !forgivable.has(command)
      bounds.set(key!, {
        least: bound.least + (isCertain ? Number(amount) : 0),
        most: bound.most + Number(amount),
      })
    }
    return bounds
  }
}

function sumIn({ core }: SimNode, key: string): number {
  let sum = 0
  for (const database of core!.engine.keyspace.databases()) {
    const entry = database.get(key)
    const cell = entry === undefined ? undefined : stringOf(entry)
    if (cell !== undefined) sum += Number(cellText(cell))
  }
  return sum
}
