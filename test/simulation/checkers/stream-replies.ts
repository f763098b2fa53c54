/**
 * stream-replies.ts: what a client was told by a write to a stream is what the oracle says of it.
 *
 * Replies are worked out from the answer at what the op had seen, and from the answer with the op on top. What
 * readers do changes no answer, so their replies are held to what there was to read. Commands that minted nothing, or
 * met a key with a deadline (which may have been due), are left to the other checkers.
 */
import { TAG } from '../../../crdt/effects/effect.ts'
import { isKeyEffect } from '../../../crdt/registry.ts'
import { type Reply, RespError } from '../../../region-node/resp/parse-reply.ts'
import type { KeyAnswer, OracleOp } from '../../harness/oracle.ts'
import type { SentCommand } from '../../harness/sim-client.ts'
import { compareEntryIds } from '../../harness/stream-reading.ts'
import { type Checker, Finding, type World } from '../checker.ts'
import { Ledger, seenBy } from '../ledger.ts'

type Entry = readonly [id: string, fields: string]

interface Stream {
  /** In order. */
  readonly entries: readonly Entry[]
  readonly groups: ReadonlySet<string>
}

const NOTHING: Stream = { entries: [], groups: new Set() }

/** Undefined: the reply is right; otherwise what it should have been. */
type Judge = (words: readonly string[], reply: Reply, before: Stream, after: Stream) => string | undefined

function idOf(text: string): { ms: bigint; sequence: bigint } {
  const [ms, sequence] = text.split('-').map(BigInt)
  return { ms: ms!, sequence: sequence! }
}

const added: Judge = (words, reply, before, after) => {
  const last = before.entries.at(-1)
  if (typeof reply !== 'string') return 'an id'
  if (last !== undefined && compareEntryIds(idOf(reply), idOf(last[0])) <= 0) return `an id above ${last[0]}`
  const maxlen = words[2] === 'MAXLEN' ? Number(words[3]) : Number.POSITIVE_INFINITY
  if (after.entries.length > maxlen) return `at most ${maxlen} entries left`
  const isThere = after.entries.some(([id]) => id === reply)
  return isThere || maxlen === 0 ? undefined : 'the id of an entry that is there'
}

const removed: Judge = (_words, reply, before, after) => {
  const count = before.entries.length - after.entries.length
  return reply === count ? undefined : String(count)
}

const grouped: Judge = ([, subcommand, , name], reply, before, after) => {
  if (subcommand === 'CREATE') {
    const isNew = !before.groups.has(name!) && after.groups.has(name!)
    return reply === 'OK' && isNew ? undefined : 'that the group is there and was not'
  }
  if (subcommand !== 'DESTROY') return undefined
  const isGone = before.groups.has(name!) && !after.groups.has(name!)
  return reply === 1 && isGone ? undefined : 'that the group was there and is not'
}

const readByGroup: Judge = (words, reply, before) => {
  if (!before.groups.has(words[2]!)) return 'that there is no such group'
  if (words.at(-1) !== '>') return undefined
  for (const [id, fields] of entriesIn(reply)) {
    const isThere = before.entries.some((one) => one[0] === id && one[1] === JSON.stringify(fields))
    if (!isThere) return `no entry ${id}`
  }
  return undefined
}

const JUDGES: Readonly<Record<string, Judge>> = {
  XADD: added,
  XDEL: removed,
  XTRIM: removed,
  XGROUP: grouped,
  XREADGROUP: readByGroup,
}

export class StreamReplies implements Checker {
  readonly #world: World

  constructor(world: World) {
    this.#world = world
  }

  answered({ dot, words, reply, node }: SentCommand): void {
    const judge = JUDGES[words[0]!]
    if (judge === undefined || dot === undefined || reply === undefined || reply instanceof RespError) return
    const op = this.#world.ledger.ops.get(Ledger.nameOf(dot.origin, dot.seq))
    // One that had to wait may have minted its consumer first, and what it was given in another op.
    if (words[0] === 'XREADGROUP' && !op?.effects.some(({ tag }) => tag === TAG.STREAM_DELIVER)) return
    const change = op === undefined ? undefined : this.#changeOf(op)
    if (change === undefined) return
    const expected = judge(words, reply, change.before, change.after)
    if (expected === undefined) return
    throw new Finding(
      'replies',
      `${node} answered '${words.join(' ')}' with ${JSON.stringify(reply)}, the oracle says: ${expected}`,
    )
  }

  /** Undefined where the key has a deadline, or shows another type. */
  #changeOf(op: OracleOp): { readonly before: Stream; readonly after: Stream } | undefined {
    const last = op.effects.at(-1)
    if (last === undefined || !isKeyEffect(last)) return undefined
    const name = `${last.db}:${last.key}`
    const { ledger } = this.#world
    const before = streamIn(ledger.reading(name, seenBy(op)))
    const after = streamIn(ledger.reading(name, seenBy(op, op.seq)))
    return before === undefined || after === undefined ? undefined : { before, after }
  }
}

function streamIn(key: KeyAnswer | undefined): Stream | undefined {
  if (key === undefined) return NOTHING
  const [visible] = key.states
  if (visible?.type !== 'stream' || Number.isFinite(key.deadlineMs)) return undefined
  const pairs = visible.value as readonly Entry[]
  return {
    entries: pairs.filter(([kind]) => kind !== 'group'),
    groups: new Set(pairs.filter(([kind]) => kind === 'group').map(([, group]) => group)),
  }
}

/** The entries of an XREADGROUP of one stream. */
function entriesIn(reply: Reply): readonly (readonly [string, readonly string[]])[] {
  const streams = reply as
    | readonly (readonly [string, readonly (readonly [string, readonly string[]])[]])[]
    | null
  return streams?.[0]?.[1] ?? []
}
