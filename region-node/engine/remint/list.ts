/**
 * list.ts: the rule of lists for late tails.
 *
 * Elements always count again. They hang where they hung, if their parent is still there or is an older one of the
 * tail, which has a new name by now; else they go to the end at which they were pushed. An LSET competes by stamp
 * with those it had not seen; on an element that is gone it is lost.
 */

import { compareStamps } from '../../../crdt/dot.ts'
import type { OnKey } from '../../../crdt/effects/effect.ts'
import { type ListInsertEffect, type ListSetEffect, listOf } from '../../../crdt/effects/list-effects.ts'
import type { ListState } from '../../../crdt/list-fugue.ts'
import { type NodeName, RUN_PLACES } from '../../../crdt/list-names.ts'
import { Register } from '../../../crdt/register.ts'
import type { TailRules } from './tail-rules.ts'

/** New names of the elements of a tail that were minted again, by the old ones. */
export class RenamedNodes {
  readonly #names = new Map<string, NodeName>()

  present(name: NodeName): NodeName {
    return this.#names.get(textOf(name)) ?? name
  }

  renamed(old: NodeName, name: NodeName): void {
    this.#names.set(textOf(old), name)
  }

  clear(): void {
    this.#names.clear()
  }
}

function textOf({ origin, seq, sub }: NodeName): string {
  return `${origin.id}.${seq}.${sub}`
}

/** @param minted  the dot that the next effect gets */
export function remintListInsert(
  effect: ListInsertEffect,
  rules: TailRules,
  nodes: RenamedNodes,
  minted: () => { readonly seq: number; readonly index: number },
): void {
  const { key, values, toLeft } = effect
  rules.begin(effect, effect.creates)
  const { list } = rules.write(effect)
  const at = presentIndex(effect, rules, nodes)
  if (at === undefined) list.push(key, values, toLeft || effect.place.side === 'left', effect.db)
  else list.insertBefore(key, at, values, toLeft)
  const { seq, index } = minted()
  const old = rules.old
  values.forEach((_value, i) => {
    nodes.renamed(
      { origin: old.origin, seq: old.seq, sub: old.index * RUN_PLACES + i },
      { origin: rules.origin, seq, sub: index * RUN_PLACES + i },
    )
  })
}

/** Before which element the run goes now; undefined when its parent is gone. */
function presentIndex(effect: ListInsertEffect, rules: TailRules, nodes: RenamedNodes): number | undefined {
  const { parent, side } = effect.place
  if (parent === undefined) return undefined
  const index = listIn(effect, rules)?.indexOf(nodes.present(parent))
  return index === undefined || side === 'left' ? index : index + 1
}

function listIn(on: OnKey, rules: TailRules): ListState | undefined {
  const entry = rules.entry(on)
  return entry === undefined ? undefined : listOf(entry)
}

export function remintListSet(effect: ListSetEffect, rules: TailRules, nodes: RenamedNodes): void {
  const name = nodes.present(effect.name)
  const list = listIn(effect, rules)
  const mine = new Register(effect.value, rules.old)
  if (list?.indexOf(name) === undefined) {
    rules.overwritten()
    return
  }
  const winner = list.setsOf(name).find((register) => !rules.hadSeen(register))
  if (winner !== undefined && compareStamps(winner, mine) > 0) {
    rules.overwritten()
    rules.old.report('register', winner, mine)
    return
  }
  rules.begin(effect, false)
  rules.write(effect).list.setNode(effect.key, name, effect.value)
}
