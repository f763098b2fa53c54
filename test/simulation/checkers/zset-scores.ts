/**
 * zset-scores.ts: what replies to writes of sorted sets say is what the oracle says with the op on top, where no
 * model of plain data can tell: the last digit of a score to which several regions have added, and how many members
 * lie within a range of names when their scores differ.
 *
 * Commands that minted nothing, or met a key with a deadline (which may have been due), are left to the other
 * checkers.
 */
import { isKeyEffect } from '../../../crdt/registry.ts'
import { RespError } from '../../../region-node/resp/parse-reply.ts'
import type { KeyAnswer, OracleOp } from '../../harness/oracle.ts'
import type { SentCommand } from '../../harness/sim-client.ts'
import { type Checker, Finding, type World } from '../checker.ts'
import { Ledger, seenBy } from '../ledger.ts'

type Scores = ReadonlyMap<string, number>

/** The sorted set that the op changed. */
interface Change {
  readonly before: Scores
  readonly after: Scores
}

/** The number that the reply must be; undefined where the models tell. */
type Judge = (words: readonly string[], change: Change) => number | undefined

const JUDGES: Readonly<Record<string, Judge>> = {
  ZADD: (words, { after }) => (words[2] === 'INCR' ? after.get(words[4]!) : undefined),
  ZINCRBY: (words, { after }) => after.get(words[3]!),
  ZREMRANGEBYLEX: (_words, { before, after }) => before.size - after.size,
}

export class ZsetScores implements Checker {
  readonly #world: World

  constructor(world: World) {
    this.#world = world
  }

  answered({ node, dot, words, reply }: SentCommand): void {
    const judge = JUDGES[words[0]!]
    if (judge === undefined || dot === undefined || reply === undefined || reply instanceof RespError) return
    const op = this.#world.ledger.ops.get(Ledger.nameOf(dot.origin, dot.seq))
    const change = op === undefined ? undefined : this.#changeOf(op)
    const expected = change === undefined ? undefined : judge(words, change)
    if (expected === undefined || numberIn(reply as string | number) === expected) return
    throw new Finding(
      'replies',
      `${node} answered '${words.join(' ')}' with ${String(reply)}, the oracle says ${expected}`,
    )
  }

  /** Undefined where the key has a deadline, or shows another type afterwards. */
  #changeOf(op: OracleOp): Change | undefined {
    // What a command is about comes last; before it stands the removal of a key that was due.
    const last = op.effects.at(-1)
    if (last === undefined || !isKeyEffect(last)) return undefined
    const name = `${last.db}:${last.key}`
    const { ledger } = this.#world
    const before = ledger.reading(name, seenBy(op))
    const after = ledger.reading(name, seenBy(op, op.seq))
    if (hasDeadline(before) || hasDeadline(after)) return undefined
    const is = scoresOf(after)
    return is === undefined ? undefined : { before: scoresOf(before) ?? new Map(), after: is }
  }
}

function hasDeadline(key: KeyAnswer | undefined): boolean {
  return key !== undefined && Number.isFinite(key.deadlineMs)
}

/** Undefined for another type. */
function scoresOf(key: KeyAnswer | undefined): Scores | undefined {
  const state = key?.states[0]
  if (state === undefined) return new Map()
  if (state.type !== 'zset') return undefined
  const pairs = state.value as readonly (readonly [string, string])[]
  return new Map(pairs.map(([member, score]) => [member, Number(score)]))
}

/** Redis prints an infinity as `inf`. */
function numberIn(reply: string | number): number {
  return Number(String(reply).replace('inf', 'Infinity'))
}
