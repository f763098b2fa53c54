/**
 * hll-replies.ts: PFADD says 1 exactly where a register rose or the key came to be, and PFMERGE leaves the highest
 * of each register; worked out by the oracle from what the op had seen.
 *
 * Commands that minted nothing, or met a key with a deadline (which may have been due), are left to the other
 * checkers.
 */
import type { KeyAnswer } from '../../harness/oracle.ts'
import type { SentCommand } from '../../harness/sim-client.ts'
import { type Checker, Finding, type World } from '../checker.ts'
import { Ledger, seenBy } from '../ledger.ts'

type Registers = ReadonlyMap<string, number>

export class HllReplies implements Checker {
  readonly #world: World

  constructor(world: World) {
    this.#world = world
  }

  answered({ node, dot, words, reply }: SentCommand): void {
    const [name, ...keys] = words
    const isMerge = name === 'PFMERGE' && reply === 'OK'
    if (dot === undefined || (!isMerge && !(name === 'PFADD' && typeof reply === 'number'))) return
    const { ledger } = this.#world
    const op = ledger.ops.get(Ledger.nameOf(dot.origin, dot.seq))
    const last = op?.effects.at(-1)
    if (op === undefined || last === undefined || !('db' in last)) return
    const [target] = keys
    const before = (key: string) => ledger.reading(`${last.db}:${key}`, seenBy(op))
    const named = (isMerge ? keys : [target!]).map((key) => registersOf(before(key)))
    const after = registersOf(ledger.reading(`${last.db}:${target}`, seenBy(op, op.seq)))
    if (after === undefined || named.includes(undefined)) return
    const isRight = isMerge
      ? shown(after) === shown(highest(named as Registers[]))
      : reply === (before(target!) !== undefined && shown(after) === shown(named[0]!) ? 0 : 1)
    if (isRight) return
    throw new Finding(
      'replies',
      `${node} answered '${words.join(' ')}' with ${String(reply)}: ${shown(after)}`,
    )
  }
}

/** By register; undefined where the key has a deadline, or is none of this type. Empty where it is not there. */
function registersOf(key: KeyAnswer | undefined): Registers | undefined {
  if (key === undefined) return new Map()
  const [{ type, value }] = key.states as [(typeof key.states)[number]]
  if (type !== 'hll' || typeof value !== 'string' || Number.isFinite(key.deadlineMs)) return undefined
  const pairs = value === '' ? [] : value.split(' ').map((pair) => pair.split(':'))
  return new Map(pairs.map(([index, level]) => [index!, Number(level)]))
}

function highest(all: readonly Registers[]): Registers {
  const joined = new Map<string, number>()
  for (const registers of all)
    for (const [index, level] of registers) joined.set(index, Math.max(level, joined.get(index) ?? 0))
  return joined
}

function shown(registers: Registers): string {
  return [...registers]
    .map((pair) => pair.join(':'))
    .sort()
    .join(' ')
}
