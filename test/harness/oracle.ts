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
import { EVERY_DB, LIBRARY_DB } from '../../crdt/effects/key-effects.ts'
import { type Effect, isKeyEffect, type KeyEffect } from '../../crdt/registry.ts'
import type { TypeName } from '../../crdt/state.ts'
import { registersIn, registersText } from './hll-reading.ts'
import { elementsOf, nodeText, orderOf, type ReadInsert } from './list-reading.ts'
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
import { scoreOf } from './scores.ts'
import { compareEntryIds, type ReadEntry, streamReading } from './stream-reading.ts'

export interface OracleOp {
  readonly origin: string
  readonly region: number
  readonly seq: number
  readonly hlc: number
  /** What the origin had applied of others, by origin id. */
  readonly deps: ReadonlyMap<string, number>
  readonly effects: readonly Effect[]
}

/** Hash: `[field, value]` sorted by field, the value with ` until ` and the moment where the field has a deadline. Set: members, sorted. Sorted set: `[member, score]` in its order. */
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

type Part = TypeName | 'deadline' | 'field-deadline'

interface Fact {
  readonly at: Point
  readonly part: Part
  /** The field or member; '' where the part has only one. */
  readonly name: string
  readonly says:
    | { readonly kind: 'value'; readonly text: string }
    | { readonly kind: 'increment'; readonly delta: Amount; readonly total: Amount }
    | { readonly kind: 'member' }
    | { readonly kind: 'element' }
    | { readonly kind: 'score'; readonly value: number }
    | { readonly kind: 'scoreIncrement'; readonly delta: number; readonly run: number }
    | { readonly kind: 'entry'; readonly entry: ReadEntry }
    | { readonly kind: 'group' }
    | { readonly kind: 'registers'; readonly levels: ReadonlyMap<number, number> }
    | { readonly kind: 'deadline'; readonly ms: number }
}

interface Removal {
  readonly at: Point
  /** Undefined: every part of the key but a HyperLogLog, whose removals win over what they had not seen. */
  readonly part: Part | undefined
  /** Undefined: every name in the part. */
  readonly names: ReadonlySet<string> | undefined
  /** Of a stream's entries: those up to the one that stood there. */
  readonly upTo?: { readonly id: Pick<ReadEntry, 'ms' | 'sequence'>; readonly at: Point }
  /** Of a stream's groups: wins over what it had not seen, and over nothing that had seen it. */
  readonly isOfGroups?: boolean
}

interface KeyHistory {
  readonly facts: Fact[]
  readonly removals: Removal[]
  /** Into its list, whether anything of it is left or not. */
  readonly inserts: ReadInsert[]
}

/**
 * What reads answer where exactly these ops are applied.
 * @param only  `db:key`: nothing is said of other keys, which is a great deal faster
 */
export function answerOf(ops: Iterable<OracleOp>, only?: string): Answer {
  const histories = new Map<string, KeyHistory>()
  const flushes: { readonly db: number; readonly removal: Removal }[] = []
  for (const written of ops) {
    const op = asItWas(written)
    op.effects.forEach((effect, index) => {
      const at = { op, index }
      if (effect.tag === TAG.FLUSH) {
        flushes.push({ db: effect.db, removal: { at, part: undefined, names: undefined } })
      } else if (isKeyEffect(effect)) {
        const name = `${effect.db}:${effect.key}`
        if (only === undefined || only === name) state(effect, at, historyOf(histories, name))
      }
    })
  }
  const answers = new Map<string, KeyAnswer>()
  for (const [name, { facts, removals, inserts }] of histories) {
    const db = Number(name.slice(0, name.indexOf(':')))
    for (const flush of flushes) if (isFlushed(flush.db, db)) removals.push(flush.removal)
    const isGone = (fact: Fact) => removals.some((removal) => removes(removal, fact))
    const lost = facts.filter((fact) => isGone(fact) && !isGoneAtOnce(fact, removals))
    const answer = answerOfKey(withElements(facts.filter((fact) => !isGone(fact))), lost, inserts)
    if (answer !== undefined) answers.set(name, answer)
  }
  return answers
}

/** FLUSHALL leaves function libraries where they are. */
function isFlushed(flushed: number, db: number): boolean {
  return flushed === EVERY_DB ? db !== LIBRARY_DB : flushed === db
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
  const made: KeyHistory = { facts: [], removals: [], inserts: [] }
  histories.set(name, made)
  return made
}

/** Writes down what an effect says about its key. */
function state(effect: KeyEffect, at: Point, history: KeyHistory): void {
  const { facts, removals } = history
  const removes = (part?: Part, ...names: string[]) =>
    removals.push({ at, part, names: names.length === 0 ? undefined : new Set(names) })
  const deadline = (ms: number) => {
    removes('deadline')
    facts.push({ at, part: 'deadline', name: '', says: { kind: 'deadline', ms } })
  }
  const fieldDeadline = (name: string, ms: number) => {
    removes('field-deadline', name)
    facts.push({ at, part: 'field-deadline', name, says: { kind: 'deadline', ms } })
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
        fieldDeadline(name, Number.POSITIVE_INFINITY)
        facts.push({ at, part: 'hash', name, says: { kind: 'value', text: effect.pairs[i + 1]! } })
      }
      break
    case TAG.HASH_INCREMENT:
      if (effect.makesField) removes('field-deadline', effect.field)
      facts.push({
        at,
        part: 'hash',
        name: effect.field,
        says: { kind: 'increment', delta: effect.delta, total: effect.total },
      })
      break
    case TAG.HASH_REMOVE:
      removes('hash', ...effect.fields)
      removes('field-deadline', ...effect.fields)
      break
    case TAG.FIELD_DEADLINE:
      for (const name of effect.fields) fieldDeadline(name, effect.deadlineMs)
      break
    case TAG.SET_ADD:
      removes('set', ...effect.members)
      for (const name of effect.members) facts.push({ at, part: 'set', name, says: { kind: 'member' } })
      break
    case TAG.SET_REMOVE:
      removes('set', ...effect.members)
      break
    case TAG.LIST_INSERT: {
      const { region, origin, seq } = at.op
      const hasSeenOp = (other: { origin: string; seq: number; index: number }) =>
        hasSeen(at, { op: { ...at.op, origin: other.origin, seq: other.seq }, index: other.index })
      const { index } = at
      const insert = { effect, region, origin, seq, index, depth: depthOf(at.op), hasSeen: hasSeenOp }
      history.inserts.push(insert)
      for (const [name] of elementsOf(insert))
        facts.push({ at, part: 'list', name, says: { kind: 'element' } })
      break
    }
    case TAG.LIST_REMOVE: {
      const names: string[] = []
      for (const range of effect.ranges)
        for (let i = 0; i < range.count; i++) names.push(nodeText({ ...range, sub: range.sub + i }))
      removes('list', ...names)
      break
    }
    case TAG.LIST_SET: {
      const name = `set ${nodeText(effect.name)}`
      removes('list', name)
      facts.push({ at, part: 'list', name, says: { kind: 'value', text: effect.value } })
      break
    }
    case TAG.HLL_RAISE:
    case TAG.HLL_JOIN: {
      const levels = effect.tag === TAG.HLL_JOIN ? registersIn(effect.text) : levelsOf(effect.raises)
      facts.push({ at, part: 'hll', name: '', says: { kind: 'registers', levels } })
      break
    }
    case TAG.HLL_REMOVE:
      removes('hll')
      break
    case TAG.ZSET_ADD:
      removes('zset', ...effect.members)
      effect.members.forEach((name, i) => {
        facts.push({ at, part: 'zset', name, says: { kind: 'score', value: effect.scores[i]! } })
      })
      break
    case TAG.ZSET_INCREMENT: {
      const { member, delta, run } = effect
      facts.push({ at, part: 'zset', name: member, says: { kind: 'scoreIncrement', delta, run } })
      break
    }
    case TAG.ZSET_REMOVE:
      removes('zset', ...effect.members)
      break
    case TAG.STREAM_ADD: {
      const { id, fields } = effect
      const entry = { ms: id.ms, sequence: id.sequence, fields }
      facts.push({ at, part: 'stream', name: entryName(id), says: { kind: 'entry', entry } })
      break
    }
    case TAG.STREAM_REMOVE:
      removes('stream', ...effect.ids.map(entryName))
      break
    case TAG.STREAM_TRIM: {
      const { bound } = effect
      const { origin, seq, index, hlc } = bound
      const op = { origin: origin.id, region: origin.region, seq, hlc, deps: new Map(), effects: [] }
      removals.push({ at, part: 'stream', names: undefined, upTo: { id: bound, at: { op, index } } })
      break
    }
    case TAG.STREAM_GROUP:
      facts.push({ at, part: 'stream', name: `group ${effect.group}`, says: { kind: 'group' } })
      break
    case TAG.STREAM_UNGROUP:
      removals.push({ at, part: 'stream', names: new Set([`group ${effect.group}`]), isOfGroups: true })
      break
    case TAG.STREAM_BAR:
      removals.push({ at, part: 'stream', names: undefined, isOfGroups: true })
      break
    case TAG.DEADLINE:
      deadline(effect.deadlineMs)
      break
    case TAG.CLEAR:
      removes()
      break
  }
}

/** How many ops an op had seen. */
function depthOf({ deps, origin, seq }: OracleOp): number {
  let depth = seq
  for (const [of, applied] of deps) if (of !== origin) depth += applied
  return depth
}

/** @param raises  register times 64 plus level; of two for one register the higher one counts */
function levelsOf(raises: readonly number[]): Map<number, number> {
  const levels = new Map<number, number>()
  for (const raise of raises) {
    const index = Math.floor(raise / 64)
    levels.set(index, Math.max(levels.get(index) ?? 0, raise % 64))
  }
  return levels
}

function entryName({ ms, sequence }: Pick<ReadEntry, 'ms' | 'sequence'>): string {
  return `entry ${ms}-${sequence}`
}

function removes(removal: Removal, fact: Fact): boolean {
  const { at, part, names, upTo } = removal
  if (removal.isOfGroups === true) {
    return fact.says.kind === 'group' && (names?.has(fact.name) ?? true) && !hasSeen(fact.at, at)
  }
  if (upTo !== undefined) {
    if (fact.says.kind !== 'entry' || !hasSeen(at, fact.at)) return false
    return (compareEntryIds(fact.says.entry, upTo.id) || compareStamps(fact.at, upTo.at)) <= 0
  }
  // A write to a HyperLogLog counts only if it had seen every removal there is.
  if (fact.part === 'hll') return part === 'hll' && !hasSeen(fact.at, at)
  return (
    (part === undefined || part === fact.part) &&
    (names === undefined || names.has(fact.name)) &&
    hasSeen(at, fact.at)
  )
}

/** Its own op took it away again. */
function isGoneAtOnce(fact: Fact, removals: readonly Removal[]): boolean {
  return removals.some((removal) => removal.at.op === fact.at.op && removes(removal, fact))
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

/** Values of elements that are gone say nothing. */
function withElements(facts: readonly Fact[]): readonly Fact[] {
  const elements = new Set(facts.filter(({ says }) => says.kind === 'element').map(({ name }) => name))
  return facts.filter(
    ({ part, name, says }) =>
      part !== 'list' || says.kind === 'element' || elements.has(name.slice('set '.length)),
  )
}

/** Elements in their order: the value of an element is that of the LSET with the highest stamp, if there is one. */
function elementsIn(facts: readonly Fact[], inserts: readonly ReadInsert[]): AnsweredValue {
  const first = new Map<string, string>()
  for (const insert of inserts) for (const [name, value] of elementsOf(insert)) first.set(name, value)
  const here = new Set(facts.filter(({ says }) => says.kind === 'element').map(({ name }) => name))
  return orderOf(inserts)
    .filter((name) => here.has(name))
    .map((name) => {
      const sets = facts.filter((fact) => fact.name === `set ${name}`)
      return sets.length === 0 ? first.get(name)! : textOf([highest(sets)])
    })
}

/**
 * @param lost  what other ops have taken away
 * @param inserts  into its list
 */
function answerOfKey(
  facts: readonly Fact[],
  lost: readonly Fact[],
  inserts: readonly ReadInsert[],
): KeyAnswer | undefined {
  const types = (['string', 'hash', 'set', 'zset', 'stream', 'hll', 'list'] as const)
    .map((type) => ({ type, facts: facts.filter(({ part }) => part === type) }))
    .filter((one) => one.facts.length > 0)
    .sort((a, b) => compareStamps(highest(b.facts).at, highest(a.facts).at))
  if (types.length === 0) return undefined
  let deadlineMs = Number.NEGATIVE_INFINITY
  for (const { part, says } of facts)
    if (part === 'deadline' && says.kind === 'deadline') deadlineMs = Math.max(deadlineMs, says.ms)
  return {
    states: types.map((one) => ({
      type: one.type,
      value:
        one.type === 'hash'
          ? hashOf(one.facts, facts)
          : one.type === 'list'
            ? elementsIn(one.facts, inserts)
            : readingOf(one.type, one.facts, lost),
    })),
    deadlineMs: deadlineMs === Number.NEGATIVE_INFINITY ? Number.POSITIVE_INFINITY : deadlineMs,
  }
}

function readingOf(type: TypeName, facts: readonly Fact[], lost: readonly Fact[]): AnsweredValue {
  if (type === 'string') return textOf(facts)
  if (type === 'hll') return registersText(joined(facts))
  const names = [...new Set(facts.map(({ name }) => name))].sort()
  if (type === 'set') return names
  if (type === 'stream') return streamOf(facts)
  if (type === 'zset') return zsetOf(names, facts, lost)
  throw new TypeError(`no reading of type ${type}`)
}

/** Fields with their values, and when they are due. @param all  of the key, deadlines of fields among them */
function hashOf(facts: readonly Fact[], all: readonly Fact[]): AnsweredValue {
  const names = [...new Set(facts.map(({ name }) => name))].sort()
  return names.map((name) => {
    const text = textOf(facts.filter((fact) => fact.name === name))
    let dueMs = Number.NEGATIVE_INFINITY
    for (const one of all)
      if (one.part === 'field-deadline' && one.name === name && one.says.kind === 'deadline')
        dueMs = Math.max(dueMs, one.says.ms)
    return [name, Number.isFinite(dueMs) ? `${text} until ${dueMs}` : text] as const
  })
}

/** Entries by id, those with one id by stamp. */
function streamOf(facts: readonly Fact[]): AnsweredValue {
  const entries: { entry: ReadEntry; at: Point }[] = []
  for (const { says, at } of facts) if (says.kind === 'entry') entries.push({ entry: says.entry, at })
  entries.sort((a, b) => compareEntryIds(a.entry, b.entry) || compareStamps(a.at, b.at))
  const groups = facts.filter(({ says }) => says.kind === 'group')
  return streamReading(
    entries.map(({ entry }) => entry),
    groups.map(({ name }) => name.slice('group '.length)),
  )
}

/** Members by score, then by name. */
function zsetOf(names: readonly string[], facts: readonly Fact[], lost: readonly Fact[]): AnsweredValue {
  return names
    .map((name) => ({ name, score: scoreOfMember(name, facts, lost) }))
    .sort((a, b) => a.score - b.score || (a.score === b.score && a.name < b.name ? -1 : 1))
    .map(({ name, score }) => [name, String(score)] as const)
}

/** The value with the highest stamp plus all increments, those of each origin in its order. */
function scoreOfMember(name: string, facts: readonly Fact[], lost: readonly Fact[]): number {
  const mine = facts.filter((fact) => fact.name === name)
  const values = mine.filter(({ says }) => says.kind === 'score')
  const winner = values.length === 0 ? undefined : highest(values).says
  const byOrigin = new Map<string, { deltas: number[]; isWhole: boolean }>()
  for (const { at, says } of mine.sort((a, b) => a.at.op.seq - b.at.op.seq || a.at.index - b.at.index)) {
    if (says.kind !== 'scoreIncrement') continue
    const isRest = lost.some(
      (one) =>
        one.name === name &&
        one.says.kind === 'scoreIncrement' &&
        one.says.run === says.run &&
        one.at.op.origin === at.op.origin,
    )
    const own = byOrigin.get(at.op.origin) ?? { deltas: [], isWhole: !isRest }
    own.deltas.push(says.delta)
    byOrigin.set(at.op.origin, own)
  }
  return scoreOf(winner?.kind === 'score' ? winner.value : undefined, [...byOrigin.values()])
}

/** The highest level of each register. */
function joined(facts: readonly Fact[]): Map<number, number> {
  const levels = new Map<number, number>()
  for (const { says } of facts) {
    if (says.kind !== 'registers') continue
    for (const [index, level] of says.levels) levels.set(index, Math.max(levels.get(index) ?? 0, level))
  }
  return levels
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
