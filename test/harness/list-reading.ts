/**
 * list-reading.ts: what a list reads, from what was ever inserted and what of it is left: a part of the oracle.
 */
import type { ListInsertEffect } from '../../crdt/effects/list-effects.ts'
import type { NodeName } from '../../crdt/list-names.ts'
import { FugueModel, type ModelName } from './fugue-model.ts'

/** As in the ops: an element's effect times this, plus its place in the run. */
const RUN_PLACES = 2 ** 21

/** An insert, and where it stands. */
export interface ReadInsert {
  readonly effect: ListInsertEffect
  readonly region: number
  readonly origin: string
  readonly seq: number
  readonly index: number
  /** How many ops its op had seen: more than any op that it had seen. */
  readonly depth: number
  /** Its op had seen that one, or is that one. */
  readonly hasSeen: (other: {
    readonly origin: string
    readonly seq: number
    readonly index: number
  }) => boolean
}

export function nodeText({ origin, seq, sub }: NodeName): string {
  return `${origin.id}.${seq}.${sub}`
}

/** The elements of an insert by name, with their values. */
export function elementsOf({
  effect,
  origin,
  seq,
  index,
}: ReadInsert): readonly (readonly [string, string])[] {
  return effect.values.map((value, i) => [`${origin}.${seq}.${index * RUN_PLACES + i}`, value] as const)
}

/** Names of all elements there ever were, in their order. */
export function orderOf(inserts: readonly ReadInsert[]): string[] {
  const model = new FugueModel()
  for (const insert of [...inserts].sort(byCause)) {
    const { effect, region, origin, seq, index, hasSeen } = insert
    const { parent, side } = effect.place
    const above =
      parent === undefined
        ? undefined
        : { region: parent.origin.region, origin: parent.origin.id, seq: parent.seq, place: parent.sub }
    const seen = (name: ModelName) =>
      hasSeen({ origin: name.origin, seq: name.seq, index: Math.floor(name.place / RUN_PLACES) })
    model.insert(
      above,
      side,
      effect.toLeft,
      { region, origin, seq, place: index * RUN_PLACES },
      effect.values,
      seen,
    )
  }
  return model.names().map(({ origin, seq, place }) => `${origin}.${seq}.${place}`)
}

function byCause(a: ReadInsert, b: ReadInsert): number {
  if (a.depth !== b.depth) return a.depth - b.depth
  if (a.origin !== b.origin) return a.origin < b.origin ? -1 : 1
  return a.seq - b.seq || a.index - b.index
}
