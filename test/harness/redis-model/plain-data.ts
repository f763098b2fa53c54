/**
 * plain-data.ts: the keys of one database as a single Redis would hold them: what the models of commands work on.
 *
 * Nothing here knows of regions or ops. What a key holds is asked of the oracle when a model first looks at it;
 * from then on the models say it. Values are never changed in place, so that a copy is the value itself. Other
 * databases are reached from the one that a client has selected.
 */
import type { Reply } from '../../../region-node/resp/parse-reply.ts'
import type { AnsweredValue, KeyAnswer } from '../oracle.ts'
import type { AllReaders, Readers } from '../readers.ts'

export type Words = readonly string[]

/**
 * What a command of Redis answers, and does to the data. It throws before it has changed anything.
 * @param told  what the client was told, where Redis leaves something open; undefined: that is not known
 */
export type Model = (words: Words, data: PlainData, told: Reply | undefined) => Reply

/** Models by the name of the command. */
export type Models = Readonly<Record<string, Model>>

export interface Field {
  readonly text: string
  /** Milliseconds since the Unix epoch; Infinity for never. */
  readonly deadlineMs: number
}

export interface StreamValue {
  readonly type: 'stream'
  /** In order; the fields and values as JSON. */
  readonly entries: readonly (readonly [id: string, fields: string])[]
  /** By name; undefined: there, and who reads from it is not known. */
  readonly groups: ReadonlyMap<string, Readers | undefined>
  /** Its last id is not above this one. */
  readonly top: string
}

export type Value =
  | { readonly type: 'string'; readonly text: string }
  | { readonly type: 'hash'; readonly fields: ReadonlyMap<string, Field> }
  | { readonly type: 'set'; readonly members: ReadonlySet<string> }
  | { readonly type: 'zset'; readonly scores: ReadonlyMap<string, number> }
  | { readonly type: 'list'; readonly elements: readonly string[] }
  /** By register, those above 0. */
  | { readonly type: 'hll'; readonly registers: ReadonlyMap<number, number> }
  | StreamValue

export interface PlainKey {
  readonly value: Value
  readonly deadlineMs: number
  /** Behind it are values of other types, one of which may show when something of this one is taken away. */
  readonly hidesOthers: boolean
}

/** The command ends with this error instead of a result. */
export class Refusal extends Error {
  readonly code: string

  constructor(code: string) {
    super(code)
    this.code = code
  }
}

/** The models do not say what the command answers here. */
export class Unsaid extends Error {}

/** What the oracle answers. */
export interface Source {
  /** The region that is asked. */
  readonly region: number
  /** A key of a database. */
  reading(db: number, key: string): KeyAnswer | undefined
  /** Who reads a stream in this region; undefined where nothing can be said of any in this region. */
  readers(db: number, key: string): AllReaders | undefined
  /** No id that was ever given in a stream is above this one. */
  highestId(db: number, key: string): string
}

export class PlainData {
  /** Stands still while a command, a transaction or a script runs. */
  readonly nowMs: number
  /** Keys that were looked at; undefined: not there. */
  readonly #keys = new Map<string, PlainKey | undefined>()
  /** Of these nothing is known any more. */
  readonly #unknown = new Set<string>()
  readonly #written = new Set<string>()
  readonly #db: number
  readonly #source: Source
  /** Those that were looked into, this one among them, by number. */
  readonly #databases: Map<number, PlainData>
  /** No key is there that was not written since. */
  #isFlushed = false

  constructor(nowMs: number, db: number, source: Source, databases = new Map<number, PlainData>()) {
    this.nowMs = nowMs
    this.#db = db
    this.#source = source
    this.#databases = databases.set(db, this)
  }

  get region(): number {
    return this.#source.region
  }

  /** A database that a command names. */
  in(db: number): PlainData {
    return this.#databases.get(db) ?? new PlainData(this.nowMs, db, this.#source, this.#databases)
  }

  /** Those that were looked into, this one among them. */
  get databases(): ReadonlyMap<number, PlainData> {
    return this.#databases
  }

  /** @throws Unsaid */
  at(key: string): PlainKey | undefined {
    if (!this.#unknown.has(key) && !this.#keys.has(key)) this.#look(key)
    if (this.#unknown.has(key)) throw new Unsaid()
    return this.#keys.get(key)
  }

  #look(key: string): void {
    const answer = this.#isFlushed ? undefined : this.#source.reading(this.#db, key)
    this.#keys.set(key, undefined)
    if (answer === undefined || answer.deadlineMs < this.nowMs) return
    const [visible, ...hidden] = answer.states
    const value =
      visible!.type === 'stream'
        ? this.#streamOf(key, visible!.value)
        : plainValue(visible!.type, visible!.value, this.nowMs)
    const hidesOthers = hidden.length > 0
    if (!isEmpty(value)) this.#keys.set(key, { value, deadlineMs: answer.deadlineMs, hidesOthers })
    // All its fields are due.
    else if (hidesOthers) this.forget(key)
  }

  #streamOf(key: string, value: AnsweredValue): StreamValue {
    const pairs = value as StreamValue['entries']
    const readers = this.#source.readers(this.#db, key)
    const names = pairs.filter(([kind]) => kind === 'group').map(([, name]) => name)
    return {
      type: 'stream',
      entries: pairs.filter(([kind]) => kind !== 'group'),
      groups: new Map(names.map((name) => [name, readers?.get(name)])),
      top: this.#source.highestId(this.#db, key),
    }
  }

  /** The value if it is of that type. @throws Refusal for any other */
  #valueAs<Type extends Value['type']>(key: string, type: Type): Extract<Value, { type: Type }> | undefined {
    const value = this.at(key)?.value
    if (value === undefined || value.type === type) return value as Extract<Value, { type: Type }> | undefined
    throw new Refusal('WRONGTYPE')
  }

  /** A HyperLogLog is a string of bytes that the models do not know. @throws Refusal, Unsaid */
  text(key: string): string | undefined {
    if (this.at(key)?.value.type === 'hll') throw new Unsaid()
    return this.#valueAs(key, 'string')?.text
  }

  /** Empty where the key is not there. @throws Refusal */
  hash(key: string): ReadonlyMap<string, Field> {
    return this.#valueAs(key, 'hash')?.fields ?? new Map()
  }

  /** Empty where the key is not there. @throws Refusal */
  set(key: string): ReadonlySet<string> {
    return this.#valueAs(key, 'set')?.members ?? new Set()
  }

  /** Empty where the key is not there. @throws Refusal */
  zset(key: string): ReadonlyMap<string, number> {
    return this.#valueAs(key, 'zset')?.scores ?? new Map()
  }

  /** Empty where the key is not there. @throws Refusal */
  list(key: string): readonly string[] {
    return this.#valueAs(key, 'list')?.elements ?? []
  }

  /** Who reads from a group made now can be told. */
  knowsReaders(key: string): boolean {
    return this.#source.readers(this.#db, key) !== undefined
  }

  /** @throws Refusal */
  stream(key: string): StreamValue | undefined {
    return this.#valueAs(key, 'stream')
  }

  /** The key has this value and no other; an empty one is none. */
  put(key: string, value: Value, deadlineMs = Number.POSITIVE_INFINITY): void {
    this.#unknown.delete(key)
    this.#written.add(key)
    const isThere = !isEmpty(value) && deadlineMs >= this.nowMs
    this.#keys.set(key, isThere ? { value, deadlineMs, hidesOthers: false } : undefined)
  }

  /** The key has this value, and its deadline as before. */
  keep(key: string, value: Value): void {
    const before = this.at(key)
    this.put(key, value, before?.deadlineMs)
    if (before?.hidesOthers === true) this.forget(key)
  }

  /** A key that is there has another deadline. */
  expire(key: string, deadlineMs: number): void {
    this.#keys.set(key, { ...this.at(key)!, deadlineMs })
    this.#written.add(key)
  }

  /** @returns whether it was there. @throws Unsaid */
  remove(key: string): boolean {
    const isThere = this.at(key) !== undefined
    this.#keys.set(key, undefined)
    this.#written.add(key)
    return isThere
  }

  /** Keys that were written, and of which the models say what they hold. */
  get written(): readonly string[] {
    return [...this.#written].filter((key) => !this.#unknown.has(key))
  }

  /** What a key holds as a line to be compared; undefined where the models do not say. */
  line(key: string): string | undefined {
    try {
      const found = this.at(key)
      return found === undefined ? 'nothing' : lineOf(found)
    } catch (error) {
      if (error instanceof Unsaid) return undefined
      throw error
    }
  }

  /** A command has run of which the models do not say what it does to the key. */
  forget(key: string): void {
    this.#unknown.add(key)
  }

  /** No key is left. */
  flush(): void {
    this.#isFlushed = true
    for (const key of this.#keys.keys()) this.#written.add(key)
    this.#keys.clear()
    this.#unknown.clear()
  }
}

function isEmpty(value: Value): boolean {
  switch (value.type) {
    case 'hash':
      return value.fields.size === 0
    case 'set':
      return value.members.size === 0
    case 'zset':
      return value.scores.size === 0
    case 'list':
      return value.elements.length === 0
    case 'stream':
      return value.entries.length === 0 && value.groups.size === 0
    default:
      return false
  }
}

/** Parts that are known only more or less, or not at all. */
const LOOSE: ReadonlySet<string> = new Set(['top', 'position'])

function lineOf({ value, deadlineMs }: PlainKey): string {
  return `${textOf(value)} until ${deadlineMs}`
}

/** Fields and members in one order, whatever the one they came in. */
function textOf(part: unknown): string {
  if (part instanceof Map || part instanceof Set) return `{${[...part].map(textOf).sort()}}`
  if (Array.isArray(part)) return `[${part.map(textOf)}]`
  if (typeof part === 'number') return String(part)
  if (typeof part !== 'object' || part === null) return JSON.stringify(part) ?? 'unknown'
  return Object.entries(part)
    .filter(([name]) => !LOOSE.has(name))
    .map(([name, inner]) => `${name} ${textOf(inner)}`)
    .sort()
    .join()
}

/** @param nowMs  fields that were due before are not there */
function plainValue(type: Exclude<Value['type'], 'stream'>, value: AnsweredValue, nowMs: number): Value {
  switch (type) {
    case 'string':
      return { type, text: value as string }
    case 'hash': {
      const fields = (value as readonly (readonly [string, string])[]).map(
        ([name, text]) => [name, fieldOf(text)] as const,
      )
      return { type, fields: new Map(fields.filter(([, { deadlineMs }]) => deadlineMs >= nowMs)) }
    }
    case 'set':
      return { type, members: new Set(value as readonly string[]) }
    case 'zset': {
      const pairs = value as readonly (readonly [string, string])[]
      return { type, scores: new Map(pairs.map(([member, score]) => [member, Number(score)])) }
    }
    case 'list':
      return { type, elements: value as readonly string[] }
    case 'hll': {
      const pairs = (value as string).split(' ').filter((pair) => pair !== '')
      const registers = pairs.map((pair) => pair.split(':').map(Number) as [number, number])
      return { type, registers: new Map(registers) }
    }
  }
}

function fieldOf(answered: string): Field {
  const [, text, dueMs] = /^(.*) until ([0-9]+)$/s.exec(answered) ?? [undefined, answered, undefined]
  return { text: text!, deadlineMs: dueMs === undefined ? Number.POSITIVE_INFINITY : Number(dueMs) }
}
