/**
 * zset-replies.ts: what a client was told by a write to a sorted set is what the oracle says of it.
 *
 * The reply is worked out from the answer at what the op had seen, and from the answer with the op on top:
 * who came, who went, which score there is now. Commands that minted nothing, or met a key with a deadline
 * (which may have been due), are left to the other checkers.
 */
import { isKeyEffect } from '../../../crdt/registry.ts'
import { type Reply, RespError } from '../../../region-node/resp/parse-reply.ts'
import { type Answer, answerOf, type OracleOp } from '../../harness/oracle.ts'
import type { SentCommand } from '../../harness/sim-client.ts'
import { type Checker, Finding, type World } from '../checker.ts'
import { Ledger } from '../ledger.ts'

type Scores = ReadonlyMap<string, number>

/** The sorted set that the op changed, before and after it. */
interface Change {
  readonly key: string
  readonly before: Scores
  readonly after: Scores
}

/** What the reply must be; numbers in texts are compared as numbers. */
type Model = (words: readonly string[], change: Change) => Reply

function came({ before, after }: Change): number {
  return [...after.keys()].filter((member) => !before.has(member)).length
}

function gone({ before, after }: Change): string[] {
  return [...before.keys()].filter((member) => !after.has(member))
}

function changed({ before, after }: Change): number {
  return [...after].filter(([member, score]) => before.get(member) !== score).length
}

const added: Model = (words, change) => {
  const options = words.slice(2, 5).map((word) => word.toUpperCase())
  if (options.includes('INCR')) return text(change.after.get(words.at(-1)!))
  return options.includes('CH') ? changed(change) : came(change)
}

/** Scores are in order: the oracle answers a sorted set that way. */
function popped({ before }: Change, count: number, isMax: boolean): [string, number][] {
  const inOrder = [...before]
  return (isMax ? inOrder.reverse() : inOrder).slice(0, count)
}

function flat(pairs: readonly [string, number][]): Reply[] {
  return pairs.flatMap(([member, score]) => [member, text(score)])
}

function text(score: number | undefined): string {
  return String(score)
}

const removedAll: Model = (_words, change) => gone(change).length
const storedAll: Model = (_words, { after }) => after.size
const manyPopped: Model = (words, change) => {
  const upper = words.map((word) => word.toUpperCase())
  const count = upper.at(-2) === 'COUNT' ? Number(words.at(-1)) : 1
  const pairs = popped(change, count, upper.includes('MAX'))
  return [change.key, pairs.map((pair) => flat([pair]))]
}
const onePopped: Model = (words, change) => [
  change.key,
  ...flat(popped(change, 1, words[0]!.toUpperCase() === 'BZPOPMAX')),
]

const MODELS: Readonly<Record<string, Model>> = {
  ZADD: added,
  GEOADD: added,
  ZINCRBY: (words, { after }) => text(after.get(words[3]!)),
  ZREM: removedAll,
  ZREMRANGEBYRANK: removedAll,
  ZREMRANGEBYSCORE: removedAll,
  ZREMRANGEBYLEX: removedAll,
  ZPOPMIN: (words, change) => flat(popped(change, Number(words[2]), false)),
  ZPOPMAX: (words, change) => flat(popped(change, Number(words[2]), true)),
  BZPOPMIN: onePopped,
  BZPOPMAX: onePopped,
  ZMPOP: manyPopped,
  BZMPOP: manyPopped,
  ZRANGESTORE: storedAll,
  ZUNIONSTORE: storedAll,
  ZINTERSTORE: storedAll,
  ZDIFFSTORE: storedAll,
  GEOSEARCHSTORE: storedAll,
  GEORADIUS: storedAll,
  GEORADIUSBYMEMBER: storedAll,
}

export class ZsetReplies implements Checker {
  readonly #world: World

  constructor(world: World) {
    this.#world = world
  }

  answered(command: SentCommand): void {
    const { dot, words, reply } = command
    const model = MODELS[words[0]!]
    if (model === undefined || dot === undefined || reply === undefined || reply instanceof RespError) return
    const op = this.#world.ledger.ops.get(Ledger.nameOf(dot.origin, dot.seq))
    if (op === undefined) return
    const change = this.#changeOf(op)
    if (change === undefined) return
    const expected = model(words, change)
    if (shown(reply) === shown(expected)) return
    throw new Finding(
      'replies',
      `${command.node} answered '${words.join(' ')}' with ${shown(reply)}, the oracle says ${shown(expected)}`,
    )
  }

  /** Undefined where the key has a deadline, or shows another type afterwards. */
  #changeOf(op: OracleOp): Change | undefined {
    // What a command is about comes last; before it stands the removal of a key that was due.
    const last = op.effects.at(-1)
    if (last === undefined || !isKeyEffect(last)) return undefined
    const { db, key } = last
    const name = `${db}:${key}`
    const earlier = this.#world.ledger.within(new Map([...op.deps, [op.origin, op.seq - 1]]))
    const before = answerOf(earlier)
    const after = answerOf([...earlier, op])
    if (hasDeadline(before, name) || hasDeadline(after, name)) return undefined
    const is = scoresOf(after, name)
    return is === undefined ? undefined : { key, before: scoresOf(before, name) ?? new Map(), after: is }
  }
}

function hasDeadline(answer: Answer, name: string): boolean {
  return Number.isFinite(answer.get(name)?.deadlineMs ?? Number.POSITIVE_INFINITY)
}

/** Undefined for another type. */
function scoresOf(answer: Answer, name: string): Scores | undefined {
  const state = answer.get(name)?.states[0]
  if (state === undefined) return new Map()
  if (state.type !== 'zset') return undefined
  const pairs = state.value as readonly (readonly [string, string])[]
  return new Map(pairs.map(([member, score]) => [member, Number(score)]))
}

/** Numbers that are texts in one form: Redis prints an infinity as `inf`. */
function shown(reply: Reply): string {
  return JSON.stringify(reply, (_name, value: unknown) => {
    if (typeof value !== 'string') return value
    if (/^-?inf$/.test(value)) return value === 'inf' ? 'Infinity' : '-Infinity'
    return value !== '' && Number.isFinite(Number(value)) ? String(Number(value)) : value
  })
}
