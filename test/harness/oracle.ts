/**
 * oracle.ts: what every read must answer, as a pure function of the set of ops.
 *
 * Written from semantics, for clarity and not for speed, and without a line of `crdt/` beyond the shapes of
 * ops. No op is "applied" here and no order of arrival exists. Every effect states *facts* (this key has
 * this value, this field, this member, this deadline, this increment) and *removals* (of a whole key, or of
 * parts of it). A fact holds unless some removal in the set reaches its part of the key and had seen it.
 * All answers follow from the facts that hold.
 *
 * An effect has seen what its op's deps cover, every earlier op of its own origin, and the effects before
 * it in its own op.
 */
import type { Amount } from '../../crdt/amount.ts'
import { TAG } from '../../crdt/effects/effect.ts'
import { EVERY_DB } from '../../crdt/effects/key-effects.ts'
import { type Effect, isKeyEffect, type KeyEffect } from '../../crdt/registry.ts'
import type { TypeName } from '../../crdt/state.ts'
import {
  add,
  decimalText,
  integerText,
  parseNumber,
  type Rational,
  rational,
  scaled,
  ZERO,
} from './rational.ts'

export interface OracleOp {
  readonly origin: string
  readonly region: number
  readonly seq: number
  readonly hlc: number
  /** What the origin had applied of others, by origin id. */
  readonly deps: ReadonlyMap<string, number>
  readonly effects: readonly Effect[]
}

/** Hash: `[field, value]` sorted by field. Set: members, sorted. */
export type AnsweredValue = string | readonly string[] | readonly (readonly [string, string])[]

export interface KeyAnswer {
  /** The visible type and value first, hidden ones behind it. Never empty. */
  readonly states: readonly { readonly type: TypeName; readonly value: AnsweredValue }[]
  /** Milliseconds since the Unix epoch; Infinity for never. */
  readonly deadlineMs: number
}

/** By `db:key`; keys that exist only, due ones included. */
export type Answer = ReadonlyMap<string, KeyAnswer>

/** Where an effect stands. */
interface Point {
  readonly op: OracleOp
  readonly index: number
}

type Part = TypeName | 'deadline'

interface Fact {
  readonly at: Point
  readonly part: Part
  /** The field or member; '' where the part has only one. */
  readonly name: string
  readonly says:
    | { readonly kind: 'value'; readonly text: string }
    | { readonly kind: 'increment'; readonly delta: Amount; readonly total: Amount }
    | { readonly kind: 'member' }
    | { readonly kind: 'deadline'; readonly ms: number }
}

interface Removal {
  readonly at: Point
  /** Undefined: every part of the key. */
  readonly part: Part | undefined
  /** Undefined: every name in the part. */
  readonly names: ReadonlySet<string> | undefined
}

interface KeyHistory {
  readonly facts: Fact[]
  readonly removals: Removal[]
}

/** What reads answer where exactly these ops are applied. */
export function answerOf(ops: Iterable<OracleOp>): Answer {
  const histories = new Map<string, KeyHistory>()
  const flushes: { readonly db: number; readonly removal: Removal }[] = []
  for (const written of ops) {
    const op = asItWas(written)
    op.effects.forEach((effect, index) => {
      const at = { op, index }
      if (effect.tag === TAG.FLUSH) {
        flushes.push({ db: effect.db, removal: { at, part: undefined, names: undefined } })
      } else if (isKeyEffect(effect)) {
        state(effect, at, historyOf(histories, `${effect.db}:${effect.key}`))
      }
    })
  }
  const answers = new Map<string, KeyAnswer>()
  for (const [name, { facts, removals }] of histories) {
    const db = Number(name.slice(0, name.indexOf(':')))
    for (const flush of flushes) if (flush.db === EVERY_DB || flush.db === db) removals.push(flush.removal)
    const answer = answerOfKey(facts.filter((fact) => !removals.some((removal) => removes(removal, fact))))
    if (answer !== undefined) answers.set(name, answer)
  }
  return answers
}

/** An op minted again has the stamp it first had. What it had then seen was settled when it was. */
function asItWas(op: OracleOp): OracleOp {
  const was = op.effects[0]
  return was?.tag === TAG.WAS ? { ...op, hlc: was.hlc } : op
}

/** Those ops that a vector covers. */
export function opsWithin(ops: Iterable<OracleOp>, vector: ReadonlyMap<string, number>): OracleOp[] {
  return [...ops].filter(({ origin, seq }) => seq <= (vector.get(origin) ?? 0))
}

function historyOf(histories: Map<string, KeyHistory>, name: string): KeyHistory {
  const known = histories.get(name)
  if (known !== undefined) return known
  const made: KeyHistory = { facts: [], removals: [] }
  histories.set(name, made)
  return made
}

/** Writes down what an effect says about its key. */
function state(effect: KeyEffect, at: Point, { facts, removals }: KeyHistory): void {
  const removes = (part?: Part, ...names: string[]) =>
    removals.push({ at, part, names: names.length === 0 ? undefined : new Set(names) })
  const deadline = (ms: number) => {
    removes('deadline')
    facts.push({ at, part: 'deadline', name: '', says: { kind: 'deadline', ms } })
  }
  // The creation of a key counts as a deadline that never comes.
  if ('creates' in effect && effect.creates) deadline(Number.POSITIVE_INFINITY)
  switch (effect.tag) {
    case TAG.SET:
      removes()
      facts.push({ at, part: 'string', name: '', says: { kind: 'value', text: effect.value } })
      deadline(effect.deadlineMs)
      break
    case TAG.PUT:
      removes('string')
      facts.push({ at, part: 'string', name: '', says: { kind: 'value', text: effect.value } })
      break
    case TAG.INCREMENT:
      facts.push({
        at,
        part: 'string',
        name: '',
        says: { kind: 'increment', delta: effect.delta, total: effect.total },
      })
      break
    case TAG.HASH_PUT:
      for (let i = 0; i < effect.pairs.length; i += 2) {
        const name = effect.pairs[i]!
        removes('hash', name)
        facts.push({ at, part: 'hash', name, says: { kind: 'value', text: effect.pairs[i + 1]! } })
      }
      break
    case TAG.HASH_INCREMENT:
      facts.push({
        at,
        part: 'hash',
        name: effect.field,
        says: { kind: 'increment', delta: effect.delta, total: effect.total },
      })
      break
    case TAG.HASH_REMOVE:
      removes('hash', ...effect.fields)
      break
    case TAG.SET_ADD:
      removes('set', ...effect.members)
      for (const name of effect.members) facts.push({ at, part: 'set', name, says: { kind: 'member' } })
      break
    case TAG.SET_REMOVE:
      removes('set', ...effect.members)
      break
    case TAG.DEADLINE:
      deadline(effect.deadlineMs)
      break
    case TAG.CLEAR:
      removes()
      break
  }
}

function removes({ at, part, names }: Removal, fact: Fact): boolean {
  return (
    (part === undefined || part === fact.part) &&
    (names === undefined || names.has(fact.name)) &&
    hasSeen(at, fact.at)
  )
}

function hasSeen(at: Point, other: Point): boolean {
  if (other.op.origin !== at.op.origin) return other.op.seq <= (at.op.deps.get(other.op.origin) ?? 0)
  return other.op.seq < at.op.seq || (other.op.seq === at.op.seq && other.index < at.index)
}

/** > 0 when the stamp of `a` is the higher one. */
function compareStamps(a: Point, b: Point): number {
  if (a.op.hlc !== b.op.hlc) return a.op.hlc - b.op.hlc
  if (a.op.region !== b.op.region) return b.op.region - a.op.region
  if (a.op.origin !== b.op.origin) return a.op.origin < b.op.origin ? 1 : -1
  return a.op.seq - b.op.seq || a.index - b.index
}

function highest(facts: readonly Fact[]): Fact {
  return facts.reduce((best, fact) => (compareStamps(fact.at, best.at) > 0 ? fact : best))
}

function answerOfKey(facts: readonly Fact[]): KeyAnswer | undefined {
  const types = (['string', 'hash', 'set'] as const)
    .map((type) => ({ type, facts: facts.filter(({ part }) => part === type) }))
    .filter((one) => one.facts.length > 0)
    .sort((a, b) => compareStamps(highest(b.facts).at, highest(a.facts).at))
  if (types.length === 0) return undefined
  let deadlineMs = Number.NEGATIVE_INFINITY
  for (const { says } of facts) if (says.kind === 'deadline') deadlineMs = Math.max(deadlineMs, says.ms)
  return {
    states: types.map((one) => ({ type: one.type, value: readingOf(one.type, one.facts) })),
    deadlineMs: deadlineMs === Number.NEGATIVE_INFINITY ? Number.POSITIVE_INFINITY : deadlineMs,
  }
}

function readingOf(type: TypeName, facts: readonly Fact[]): AnsweredValue {
  if (type === 'string') return textOf(facts)
  const names = [...new Set(facts.map(({ name }) => name))].sort()
  if (type === 'set') return names
  return names.map((name) => [name, textOf(facts.filter((fact) => fact.name === name))] as const)
}

/** A string, or one field: the value with the highest stamp plus all increments, where it is a number. */
function textOf(facts: readonly Fact[]): string {
  const values = facts.filter(({ says }) => says.kind === 'value')
  const winner = values.length === 0 ? undefined : highest(values).says
  const text = winner?.kind === 'value' ? winner.text : undefined
  if (values.length === facts.length) return text!
  const base = text === undefined ? { value: ZERO, isInteger: true } : parseNumber(text)
  if (base === undefined) return text!
  let sum = base.value
  let isInteger = base.isInteger
  for (const { says } of facts) {
    if (says.kind !== 'increment') continue
    sum = add(sum, exact(says.delta))
    // A running total that ever had a fraction in it prints as one.
    if (typeof says.total !== 'number' && says.total.fractional) isInteger = false
  }
  return isInteger ? integerText(sum) : decimalText(sum)
}

function exact(amount: Amount): Rational {
  return typeof amount === 'number' ? rational(BigInt(amount)) : scaled(amount.units, amount.scale)
}
