/**
 * list-names.ts: how ops speak of lists: names of nodes, and places to hang them.
 */
import type { Origin } from './origin.ts'

/** Places of a run in one effect: `sub` of a node is its effect's index times this, plus its place. */
export const RUN_PLACES = 2 ** 21

/** Names a node for ever. */
export interface NodeName {
  readonly origin: Origin
  readonly seq: number
  /** See RUN_PLACES. */
  readonly sub: number
}

export type Side = 'left' | 'right'

/** Where an insert hangs itself. */
export interface ListPlace {
  /** Undefined: the root, which lies before all nodes. */
  readonly parent: NodeName | undefined
  readonly side: Side
}

/** Elements that were inserted by one effect, with places in turn. */
export interface NodeRange extends NodeName {
  readonly count: number
}

/** The op with that dot is known to be covered. */
export type IsCovered = (originIndex: number, seq: number) => boolean

/** Gathers names into ranges. */
export class RangeGatherer {
  readonly list: NodeRange[] = []

  add({ origin, seq, sub }: NodeName): void {
    const last = this.list.at(-1)
    if (last !== undefined && last.origin === origin && last.seq === seq && last.sub + last.count === sub)
      this.list[this.list.length - 1] = { ...last, count: last.count + 1 }
    else this.list.push({ origin, seq, sub, count: 1 })
  }
}
