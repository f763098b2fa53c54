/**
 * observe.ts: what a node's keyspace answers, in the oracle's form, so that the two can be compared.
 */
import { type Cell, cellText, ManyCell } from '../../crdt/cell.ts'
import { openRecord } from '../../crdt/codec/batch.ts'
import { HashState } from '../../crdt/hash-aw.ts'
import { HllState } from '../../crdt/hll.ts'
import { deadlineOf, type KeyEntry, liveStates } from '../../crdt/key.ts'
import { ListState } from '../../crdt/list-fugue.ts'
import { OriginTable } from '../../crdt/origin.ts'
import { Register } from '../../crdt/register.ts'
import { SetState } from '../../crdt/set-aw.ts'
import type { TypedState } from '../../crdt/state.ts'
import { StreamState } from '../../crdt/stream.ts'
import { ZsetState } from '../../crdt/zset-aw.ts'
import type { Keyspace } from '../../region-node/engine/keyspace.ts'
import { registersIn, registersText } from './hll-reading.ts'
import type { Answer, AnsweredValue, KeyAnswer, OracleOp } from './oracle.ts'
import { streamReading } from './stream-reading.ts'

/** Every key that exists, due ones included. */
export function observe(keyspace: Keyspace): Answer {
  const answers = new Map<string, KeyAnswer>()
  for (const database of keyspace.databases()) {
    for (const [key, entry] of database.entries()) {
      const states = statesOf(entry).map((state) => ({ type: state.type, value: readingOf(state) }))
      if (states.length > 0)
        answers.set(`${database.index}:${key}`, { states, deadlineMs: deadlineOf(entry) })
    }
  }
  return answers
}

function statesOf(entry: KeyEntry): TypedState[] {
  return entry instanceof Register ? [entry] : liveStates(entry)
}

function readingOf(state: TypedState): AnsweredValue {
  if (state instanceof Register || state instanceof ManyCell) return cellText(state)
  if (state instanceof SetState) return [...state.members.keys()].sort()
  if (state instanceof ZsetState) {
    const { members, scores } = state.order.slice(0, state.size)
    return members.map((member, i) => [member, String(scores[i])] as const)
  }
  if (state instanceof ListState) return state.slice(0, state.size)
  if (state instanceof HllState) return registersText(registersIn(state.text()))
  if (state instanceof StreamState) return streamReading([...state.entries], state.groups.keys())
  if (!(state instanceof HashState)) throw new TypeError(`no reading of type ${state.type}`)
  return [...state.cells()].sort(byName).map(([field, cell]) => {
    const dueMs = state.deadlineOf(field)
    return [field, Number.isFinite(dueMs) ? `${cellText(cell)} until ${dueMs}` : cellText(cell)] as const
  })
}

function byName(a: readonly [string, Cell], b: readonly [string, Cell]): number {
  return a[0] < b[0] ? -1 : 1
}

/** The first difference between two answers as a sentence; undefined when there is none. */
export function difference(seen: Answer, expected: Answer): string | undefined {
  for (const name of new Set([...seen.keys(), ...expected.keys()])) {
    const mine = text(seen.get(name))
    const theirs = text(expected.get(name))
    if (mine !== theirs) return `key ${JSON.stringify(name)}: reads ${mine}, the oracle says ${theirs}`
  }
  return undefined
}

function text(answer: KeyAnswer | undefined): string {
  // JSON has no Infinity.
  return answer === undefined
    ? 'nothing'
    : JSON.stringify({ ...answer, deadlineMs: String(answer.deadlineMs) })
}

/** The ops in a record, for the oracle. */
export function oracleOps(record: Uint8Array): OracleOp[] {
  const batch = openRecord(record, new OriginTable())
  const { origin, deps } = batch.header
  const seen = new Map(deps.toWire())
  return batch.ops().map(({ seq, hlc, effects }) => ({
    origin: origin.id,
    region: origin.region,
    seq,
    hlc,
    deps: seen,
    effects,
  }))
}
