/**
 * readers.ts: what the consumer groups of a stream are to one region: who reads, what was given to whom and waits
 * for an acknowledgement, and what is still to be given. Worked out for the oracle: of `crdt/` it
 * takes the form of ops, and nothing that merges them.
 *
 * A region goes through its own ops in their order. What it had applied of others before each stands in its deps, and
 * in between only three things that others do matter to it: acknowledgements, entries that come with ids behind which
 * it has read, and groups that come and go.
 */
import { TAG } from '../../crdt/effects/effect.ts'
import { EVERY_DB } from '../../crdt/effects/key-effects.ts'
import type { Effect, KeyEffect } from '../../crdt/registry.ts'
import { isKeyEffect } from '../../crdt/registry.ts'
import type { KeyAnswer, OracleOp } from './oracle.ts'
import { compareIdTexts, idTextOf } from './stream-reading.ts'

export interface Pending {
  readonly consumer: string
  /** Milliseconds since the Unix epoch. */
  readonly deliveredMs: number
  readonly deliveries: number
}

/** All up to the cursor was given, but for what is late. */
export interface Position {
  readonly cursor: string
  readonly late: readonly string[]
}

export interface Readers {
  readonly consumers: ReadonlySet<string>
  /** By the id of the entry. */
  readonly pending: ReadonlyMap<string, Pending>
  /** Undefined where it hangs on more than is looked at here. */
  readonly position: Position | undefined
}

/** By the name of the group. */
export type AllReaders = ReadonlyMap<string, Readers>

interface Group extends Readers {
  readonly start: string
  /** Undefined where there are several. */
  readonly creation: OracleOp | undefined
}

type Groups = ReadonlyMap<string, Group>

/** A region after one of its ops. */
interface Stage {
  readonly groups: Groups
  readonly vector: ReadonlyMap<string, number>
}

/** What is asked of the ledger of a run. */
export interface ReadersLedger {
  /** Ops that say something of the key, by whomever. */
  readonly ops: readonly OracleOp[]
  reading(vector: ReadonlyMap<string, number>): KeyAnswer | undefined
}

const NOBODY = { consumers: new Set<string>(), pending: new Map<string, Pending>() }

/** Goes through the history of one key in one region, as far as it has gone on since the last question. */
export class ReadersHistory {
  readonly #name: string
  readonly #region: number
  /** After each of the region's ops, by how many there were and the name of the last. */
  readonly #stages = new Map<string, Stage>()

  /** @param name  `db:key` */
  constructor(name: string, region: number) {
    this.#name = name
    this.#region = region
  }

  at(vector: ReadonlyMap<string, number>, ledger: ReadersLedger): AllReaders {
    const covered = ledger.ops.filter(({ origin, seq }) => seq <= (vector.get(origin) ?? 0))
    const own = covered
      .filter(({ region }) => region === this.#region)
      .sort((a, b) => depthOf(a) - depthOf(b))
    let stage: Stage = { groups: new Map(), vector: new Map() }
    own.forEach((op, i) => {
      const place = `${i} ${op.origin} ${op.seq}`
      stage = this.#stages.get(place) ?? this.#after(op, this.#goneOn(stage, beforeOf(op), covered, ledger))
      this.#stages.set(place, stage)
    })
    const { groups } = this.#goneOn(stage, vector, covered, ledger)
    return new Map([...groups].map(([name, group]) => [name, readersOf(group)]))
  }

  /** What others did has come. */
  #goneOn(
    { groups, vector }: Stage,
    to: ReadonlyMap<string, number>,
    covered: readonly OracleOp[],
    ledger: ReadersLedger,
  ): Stage {
    const isNew = ({ origin, seq, region }: OracleOp) =>
      region !== this.#region && seq <= (to.get(origin) ?? 0) && seq > (vector.get(origin) ?? 0)
    const come = covered.filter(isNew)
    if (come.length === 0) return { groups, vector: to }
    const answer = streamIn(ledger.reading(to))
    const went = new Map<string, Group>()
    for (const name of answer.groups)
      went.set(name, this.#groupAfter(groups.get(name), name, come, answer, covered))
    return { groups: went, vector: to }
  }

  #groupAfter(
    before: Group | undefined,
    name: string,
    come: readonly OracleOp[],
    answer: StreamAnswer,
    covered: readonly OracleOp[],
  ): Group {
    const effects = come.flatMap((op) => this.#effectsOf(op).map((effect) => ({ op, effect })))
    const creations = effects.filter(({ effect }) => effect.tag === TAG.STREAM_GROUP && effect.group === name)
    const isReset = effects.some(({ effect }) => endsGroup(effect, name))
    const authorsOf = (id: string) => covered.filter((op) => this.#adds(op, id))
    if (before === undefined || isReset) return groupOf(creations, answer, authorsOf)
    const pending = new Map(before.pending)
    for (const { effect } of effects)
      if (effect.tag === TAG.STREAM_ACK && effect.group === name)
        for (const id of effect.ids) pending.delete(idTextOf(id))
    const isMade = creations.length > 0
    const position = isMade ? undefined : this.#positionAfter(before, come, answer, authorsOf)
    return { ...before, pending, position, creation: isMade ? undefined : before.creation }
  }

  #positionAfter(
    { position, start, creation }: Group,
    come: readonly OracleOp[],
    { ids, hasTwins }: StreamAnswer,
    authorsOf: (id: string) => readonly OracleOp[],
  ): Position | undefined {
    if (position === undefined || creation === undefined || hasTwins) return undefined
    const { cursor, late } = position
    const isLate = (id: string) =>
      compareIdTexts(id, cursor) <= 0 &&
      come.some((op) => this.#adds(op, id) && (compareIdTexts(id, start) > 0 || !covers(op, creation)))
    // The one that came may have been removed with the same step, and another one of that id may stand.
    if (ids.some((id) => isLate(id) && authorsOf(id).length > 1)) return undefined
    return { cursor, late: ids.filter((id) => late.includes(id) || isLate(id)) }
  }

  /** What the region has done itself. */
  #after(op: OracleOp, { groups, vector }: Stage): Stage {
    const after = new Map(groups)
    for (const effect of this.#effectsOf(op)) applyOwn(effect, op, after)
    return { groups: after, vector: new Map(vector).set(op.origin, op.seq) }
  }

  #adds(op: OracleOp, id: string): boolean {
    return this.#effectsOf(op).some((effect) => effect.tag === TAG.STREAM_ADD && idTextOf(effect.id) === id)
  }

  /** Those on the key, and those that flush its database. */
  #effectsOf(op: OracleOp): Effect[] {
    const db = Number(this.#name.slice(0, this.#name.indexOf(':')))
    return op.effects.filter((effect) => {
      if (effect.tag === TAG.FLUSH) return effect.db === EVERY_DB || effect.db === db
      return isKeyEffect(effect) && `${effect.db}:${effect.key}` === this.#name
    })
  }
}

function readersOf({ consumers, pending, position }: Group): Readers {
  return { consumers, pending, position }
}

/** A group that this region has not read from. @param authorsOf  the ops that added an entry with that id */
function groupOf(
  creations: readonly { readonly op: OracleOp; readonly effect: Effect }[],
  { ids, hasTwins }: StreamAnswer,
  authorsOf: (id: string) => readonly OracleOp[],
): Group {
  const [only, ...others] = creations
  // Of several entries that were given one id, one may stand, and it is not known here which.
  const isUnclear = hasTwins || ids.some((id) => authorsOf(id).length > 1)
  if (only?.effect.tag !== TAG.STREAM_GROUP || others.length > 0 || isUnclear)
    return { ...NOBODY, position: undefined, start: '0-0', creation: undefined }
  const start = idTextOf(only.effect.start)
  const creation = only.op
  const isNews = (id: string) =>
    compareIdTexts(id, start) <= 0 &&
    authorsOf(id).every((op) => op !== creation && !covers(creation, op) && !covers(op, creation))
  return { ...NOBODY, position: { cursor: start, late: ids.filter(isNews) }, start, creation }
}

function endsGroup(effect: Effect, name: string): boolean {
  return (effect.tag === TAG.STREAM_UNGROUP && effect.group === name) || effect.tag === TAG.STREAM_BAR
}

const REMOVALS: ReadonlySet<number> = new Set([TAG.SET, TAG.CLEAR, TAG.FLUSH, TAG.STREAM_BAR])

function applyOwn(effect: Effect, op: OracleOp, groups: Map<string, Group>): void {
  if (REMOVALS.has(effect.tag)) groups.clear()
  else if (effect.tag === TAG.STREAM_UNGROUP) groups.delete(effect.group)
  else if (effect.tag === TAG.STREAM_GROUP) {
    const start = idTextOf(effect.start)
    groups.set(effect.group, { ...NOBODY, position: { cursor: start, late: [] }, start, creation: op })
  } else if (isKeyEffect(effect) && 'group' in effect) {
    const group = groups.get(effect.group)
    if (group !== undefined) groups.set(effect.group, { ...group, ...afterReading(effect, group) })
  }
}

function afterReading(effect: KeyEffect, group: Group): Partial<Readers> {
  const pending = new Map(group.pending)
  const withConsumer = (name: string) => new Set([...group.consumers, name])
  switch (effect.tag) {
    case TAG.STREAM_ACK:
      for (const id of effect.ids) pending.delete(idTextOf(id))
      return { pending }
    case TAG.STREAM_CONSUMER:
      return { consumers: withConsumer(effect.consumer) }
    case TAG.STREAM_NO_CONSUMER:
      for (const [id, { consumer }] of pending) if (consumer === effect.consumer) pending.delete(id)
      return { pending, consumers: new Set([...group.consumers].filter((name) => name !== effect.consumer)) }
    case TAG.STREAM_POSITION:
      return { position: { cursor: idTextOf(effect.cursor), late: effect.late.map(idTextOf) } }
    case TAG.STREAM_CLAIM: {
      const { consumer } = effect
      for (const { deliveredMs, deliveries, ...id } of effect.claims)
        pending.set(idTextOf(id), { consumer, deliveredMs, deliveries })
      for (const id of effect.gone) pending.delete(idTextOf(id))
      return { pending, consumers: withConsumer(consumer) }
    }
    case TAG.STREAM_DELIVER: {
      const { consumer, atMs } = effect
      const ids = effect.entries.map(idTextOf)
      if (effect.isRecorded)
        for (const id of ids) pending.set(id, { consumer, deliveredMs: atMs, deliveries: 1 })
      return { pending, consumers: withConsumer(consumer), position: givenTo(group.position, ids) }
    }
    default:
      return {}
  }
}

/** These were given. */
export function givenTo(position: Position | undefined, ids: readonly string[]): Position | undefined {
  if (position === undefined) return undefined
  const cursor = [position.cursor, ...ids].reduce((a, b) => (compareIdTexts(a, b) >= 0 ? a : b))
  return { cursor, late: position.late.filter((id) => !ids.includes(id)) }
}

interface StreamAnswer {
  readonly ids: readonly string[]
  readonly groups: readonly string[]
  /** Two regions have given one id. */
  readonly hasTwins: boolean
}

function streamIn(answer: KeyAnswer | undefined): StreamAnswer {
  const stream = answer?.states.find(({ type }) => type === 'stream')
  const pairs = (stream?.value ?? []) as readonly (readonly [string, string])[]
  const ids = pairs.filter(([kind]) => kind !== 'group').map(([id]) => id)
  const groups = pairs.filter(([kind]) => kind === 'group').map(([, name]) => name)
  return { ids, groups, hasTwins: new Set(ids).size < ids.length }
}

/** What its origin had applied before it. */
function beforeOf({ deps, origin, seq }: OracleOp): Map<string, number> {
  return new Map([...deps, [origin, seq - 1]])
}

/** How many ops it had seen. */
function depthOf(op: OracleOp): number {
  return [...beforeOf(op).values()].reduce((sum, seq) => sum + seq, 0)
}

function covers(op: OracleOp, other: OracleOp): boolean {
  return other.seq <= (beforeOf(op).get(other.origin) ?? 0)
}
