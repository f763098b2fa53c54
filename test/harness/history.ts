/**
 * history.ts: random histories of several writers, and their delivery in any causal order.
 *
 * A history is a list of steps: a writer changes keys in one op, a writer takes a part of what another one
 * has, a writer's clock jumps. Each writer is a real engine, so that what an effect says about the past
 * (`seen`, `creates`, `run`, `total`) is what a node would say. Two of the writers belong to one region:
 * that is what a failover or a restart leaves behind.
 *
 * Steps speak the language of `Writes`, one level below the commands: what a command would refuse
 * (WRONGTYPE, a value that is no number) is left out when the step runs.
 */
import fc from 'fast-check'
import { type Amount, Decimal, parseAmount } from '../../crdt/amount.ts'
import { openRecord } from '../../crdt/codec/batch.ts'
import { portableLatin1 } from '../../crdt/codec/bytes.ts'
import { raiseOf } from '../../crdt/hll-hash.ts'
import { CARD_ZERO, HllRegisters } from '../../crdt/hll-registers.ts'
import { OriginTable, originId } from '../../crdt/origin.ts'
import type { TypeName } from '../../crdt/state.ts'
import { compareIds, ID_MIN } from '../../crdt/stream-id.ts'
import { type CommandContext, defineCommands, NO_KEYS } from '../../region-node/commands/command.ts'
import type { Services } from '../../region-node/commands/services.ts'
import { Session } from '../../region-node/commands/session.ts'
import { newsOf } from '../../region-node/commands/streams-read.ts'
import { CommandTable } from '../../region-node/commands/table.ts'
import { ConflictLog } from '../../region-node/engine/conflict-log.ts'
import { Engine } from '../../region-node/engine/engine.ts'
import { oracleOps } from './observe.ts'
import type { OracleOp } from './oracle.ts'
import { NO_EVICTION, openAccess } from './plain-node.ts'
import { Prng } from './prng.ts'
import { KeptJournal, START_MS } from './test-engine.ts'

const ACCESS = openAccess()

export type Write =
  | { readonly kind: 'set'; readonly key: string; readonly value: string; readonly deadlineMs: number }
  | { readonly kind: 'put'; readonly key: string; readonly value: string }
  | { readonly kind: 'increment'; readonly key: string; readonly delta: Amount }
  | { readonly kind: 'hset'; readonly key: string; readonly pairs: readonly string[] }
  | { readonly kind: 'hincrement'; readonly key: string; readonly field: string; readonly delta: Amount }
  | {
      readonly kind: 'hexpire'
      readonly key: string
      readonly fields: readonly string[]
      readonly deadlineMs: number
    }
  | { readonly kind: 'hdel'; readonly key: string; readonly fields: readonly string[] }
  | { readonly kind: 'sadd'; readonly key: string; readonly members: readonly string[] }
  | { readonly kind: 'srem'; readonly key: string; readonly members: readonly string[] }
  | { readonly kind: 'pfadd' | 'pfjoin'; readonly key: string; readonly elements: readonly string[] }
  | { readonly kind: 'zadd'; readonly key: string; readonly pairs: readonly (readonly [string, number])[] }
  | { readonly kind: 'zincrement'; readonly key: string; readonly member: string; readonly delta: number }
  | { readonly kind: 'zrem'; readonly key: string; readonly members: readonly string[] }
  | { readonly kind: 'xadd' | 'xdel'; readonly key: string; readonly ms: number }
  | { readonly kind: 'xtrim'; readonly key: string; readonly count: number }
  | { readonly kind: 'xgroup'; readonly key: string; readonly group: string; readonly ms: number }
  | { readonly kind: 'xungroup'; readonly key: string; readonly group: string }
  | { readonly kind: 'xread'; readonly key: string; readonly group: string; readonly count: number }
  | { readonly kind: 'xack'; readonly key: string; readonly group: string; readonly ms: number }
  | { readonly kind: 'deadline'; readonly key: string; readonly deadlineMs: number }
  | { readonly kind: 'del'; readonly key: string }
  | { readonly kind: 'flush'; readonly all: boolean }

export type Step =
  /** One op; `closes` ends the batch behind it, as the end of a turn does. */
  | {
      readonly kind: 'op'
      readonly writer: number
      readonly db: number
      readonly writes: readonly Write[]
      readonly closes: boolean
    }
  /** `to` applies at most `count` records that `from` has and it lacks. */
  | { readonly kind: 'pull'; readonly from: number; readonly to: number; readonly count: number }
  | { readonly kind: 'clock'; readonly writer: number; readonly ms: number }

/** The region of each writer. */
const WRITER_REGIONS = [1, 2, 3, 1] as const
/** A region that only receives. */
const READER_REGION = 9

/** One engine of a history. */
export class Writer {
  readonly origins = new OriginTable()
  readonly journal = new KeptJournal()
  readonly engine: Engine
  readonly #session = new Session(1, '', '', START_MS, ACCESS.first)
  #wallMs = START_MS
  #task: (ctx: CommandContext) => void = () => {}

  constructor(region: number, incarnation: number) {
    const perform = defineCommands([
      {
        name: 'perform',
        arity: 1,
        flags: ['write'],
        keys: NO_KEYS,
        group: 'causeway',
        since: '0.1.0',
        summary: 'Runs the task of the test.',
        run: (ctx) => this.#task(ctx),
      },
    ])
    const conflicts = new ConflictLog(() => 128)
    this.engine = new Engine({
      origins: this.origins,
      origin: this.origins.intern(originId(region, new Uint8Array([0, 0, 0, 0, 0, incarnation]))),
      table: new CommandTable([perform]),
      journal: this.journal,
      services: { latin1: portableLatin1 } as Services,
      conflicts,
      wallMs: () => this.#wallMs,
      packedFrom: 2,
      random: () => 0,
      driftMaxMs: () => 60_000,
      trackedKeysMax: () => 0,
      access: ACCESS,
      eviction: NO_EVICTION,
    })
  }

  write(db: number, writes: readonly Write[]): void {
    this.#task = (ctx) => {
      for (const write of writes) perform(write, ctx)
    }
    this.#session.db = db
    this.engine.execute(this.#session, ['perform'])
  }

  jump(ms: number): void {
    this.#wallMs += ms
  }

  /** Applies at most `count` of the records that `from` has and this lacks, in its order. */
  pull(from: Writer, count: number): void {
    from.engine.endBatch()
    let left = count
    for (const { record } of from.journal.records) {
      if (left === 0) return
      if (this.receive(record)) left--
    }
  }

  /** @returns false when all of it was known */
  receive(record: Uint8Array): boolean {
    const batch = openRecord(record, this.origins)
    const { origin, firstSeq, opCount } = batch.header
    if (firstSeq + opCount - 1 <= this.engine.applied.get(origin)) return false
    this.engine.applyReceived(record, batch)
    return true
  }

  get vector(): ReadonlyMap<string, number> {
    return new Map(this.engine.applied.toWire())
  }
}

function perform(write: Write, ctx: CommandContext): void {
  const { write: writes } = ctx
  if (write.kind === 'flush') {
    writes.flush(write.all ? 'all' : ctx.db)
    return
  }
  const { key } = write
  const state = ctx.state(key)
  const type = TYPE_OF[write.kind]
  if (type !== undefined && state !== undefined && state.type !== type) return
  switch (write.kind) {
    case 'set':
      writes.set(key, write.value, write.deadlineMs)
      break
    case 'put':
      writes.put(key, write.value)
      break
    case 'increment':
      if (isNumber(ctx.text(key))) writes.increment(key, write.delta)
      break
    case 'hset':
      writes.putFields(key, write.pairs)
      break
    case 'hincrement':
      if (isNumber(ctx.hash(key)?.get(write.field))) writes.incrementField(key, write.field, write.delta)
      break
    case 'hexpire': {
      const fields = write.fields.filter((field) => ctx.hash(key)?.get(field) !== undefined)
      if (fields.length > 0) writes.setFieldDeadline(key, fields, write.deadlineMs)
      break
    }
    case 'hdel': {
      const fields = write.fields.filter((field) => ctx.hash(key)?.get(field) !== undefined)
      if (fields.length > 0) writes.removeFields(key, fields)
      break
    }
    case 'sadd':
      writes.addMembers(key, write.members)
      break
    case 'srem': {
      const members = write.members.filter((member) => ctx.set(key)?.has(member))
      if (members.length > 0) writes.removeMembers(key, members)
      break
    }
    case 'pfadd':
      writes.hll.raise(key, write.elements.map(raiseOf), false)
      break
    case 'pfjoin':
      writes.hll.join(key, hllTextOf(write.elements))
      break
    case 'zadd':
      writes.zset.add(
        key,
        write.pairs.map(([member]) => member),
        write.pairs.map(([, score]) => score),
      )
      break
    case 'zincrement': {
      const score = ctx.zset(key)?.get(write.member) ?? 0
      if (!Number.isNaN(score + write.delta)) writes.zset.increment(key, write.member, write.delta)
      break
    }
    case 'zrem': {
      const members = write.members.filter((member) => ctx.zset(key)?.has(member))
      if (members.length > 0) writes.zset.remove(key, members)
      break
    }
    case 'xadd':
    case 'xdel':
    case 'xtrim':
      writeEntries(write, ctx)
      break
    case 'xgroup':
    case 'xungroup':
    case 'xread':
    case 'xack':
      writeGroup(write, ctx)
      break
    case 'deadline':
      if (state !== undefined) writes.setDeadline(key, write.deadlineMs)
      break
    case 'del':
      writes.clear(key)
  }
}

/** Ids are few, so that regions meet on them; what a group is to read is in order all the same. */
function writeEntries(
  write: Extract<Write, { readonly kind: 'xadd' | 'xdel' | 'xtrim' }>,
  ctx: CommandContext,
): void {
  const { key } = write
  const writes = ctx.write.stream
  const stream = ctx.stream(key)
  if (write.kind === 'xtrim') {
    const last = stream?.entries.nth(Math.min(write.count, stream.size) - 1)
    if (last !== undefined) writes.trim(key, last)
    return
  }
  const id = { ms: write.ms, sequence: 0 }
  if (write.kind === 'xdel') {
    if (stream?.entries.at(id) !== undefined) writes.remove(key, [id])
  } else if (compareIds(id, stream?.lastId ?? ID_MIN) > 0) {
    writes.add(key, id, ['at', String(ctx.nowMs)])
  }
}

function writeGroup(
  write: Extract<Write, { readonly kind: 'xgroup' | 'xungroup' | 'xread' | 'xack' }>,
  ctx: CommandContext,
): void {
  const { key, group: name } = write
  const writes = ctx.write.stream
  const group = ctx.stream(key)?.groups.get(name)
  if (write.kind === 'xgroup') {
    if (group === undefined) writes.createGroup(key, name, { ms: write.ms, sequence: 0 }, undefined)
  } else if (group === undefined) {
    return
  } else if (write.kind === 'xungroup') {
    writes.destroyGroup(key, name)
  } else if (write.kind === 'xack') {
    writes.ack(key, name, [{ ms: write.ms, sequence: 0 }])
  } else {
    const entries = newsOf(ctx.stream(key)!, group, write.count)
    if (entries.length > 0) writes.deliver(key, name, 'reader', START_MS, true, entries)
  }
}

/** The type that a write needs to find, if it finds a key at all. */
const TYPE_OF: Partial<Record<Write['kind'], TypeName>> = {
  put: 'string',
  increment: 'string',
  hset: 'hash',
  hincrement: 'hash',
  hdel: 'hash',
  hexpire: 'hash',
  sadd: 'set',
  srem: 'set',
  zadd: 'zset',
  zincrement: 'zset',
  zrem: 'zset',
  pfadd: 'hll',
  pfjoin: 'hll',
  xadd: 'stream',
  xdel: 'stream',
  xtrim: 'stream',
  xgroup: 'stream',
  xungroup: 'stream',
  xread: 'stream',
  xack: 'stream',
}

function hllTextOf(elements: readonly string[]): string {
  const registers = new HllRegisters()
  for (const element of elements) registers.raise(raiseOf(element))
  return registers.text(CARD_ZERO)
}

function isNumber(text: string | undefined): boolean {
  return text === undefined || parseAmount(text) !== undefined
}

/**
 * Runs a history.
 * @param between  called after every step
 * @returns the writers as it leaves them, their open batches ended
 */
export function play(steps: readonly Step[], between?: (writers: readonly Writer[]) => void): Writer[] {
  const writers = WRITER_REGIONS.map((region, i) => new Writer(region, i))
  for (const step of steps) {
    if (step.kind === 'clock') {
      writers[step.writer]!.jump(step.ms)
    } else if (step.kind === 'pull') {
      writers[step.to]!.pull(writers[step.from]!, step.count)
    } else {
      const writer = writers[step.writer]!
      writer.write(step.db, step.writes)
      if (step.closes) writer.engine.endBatch()
    }
    between?.(writers)
  }
  for (const writer of writers) writer.engine.endBatch()
  return writers
}

/** Every record that some writer minted, each once. */
export function recordsOf(writers: readonly Writer[]): Uint8Array[] {
  return writers.flatMap((writer) =>
    writer.journal.records
      .filter(({ span }) => span.origin === writer.engine.origin)
      .map(({ record }) => record),
  )
}

export function opsOf(records: readonly Uint8Array[]): OracleOp[] {
  return records.flatMap(oracleOps)
}

/** A replica that receives the records in some causal order; `seed` says in which. */
export function deliver(records: readonly Uint8Array[], seed: number): Writer {
  const prng = new Prng(seed)
  const reader = new Writer(READER_REGION, 0)
  const waiting = [...records]
  while (waiting.length > 0) {
    const ready = waiting.filter((record) => isReady(record, reader))
    const next = prng.pick(ready)
    waiting.splice(waiting.indexOf(next), 1)
    reader.receive(next)
  }
  return reader
}

function isReady(record: Uint8Array, { engine, origins }: Writer): boolean {
  const { origin, firstSeq, deps } = openRecord(record, origins).header
  return engine.applied.covers(deps) && engine.applied.get(origin) === firstSeq - 1
}

const KEYS = ['k', 'l', 'm']
const NAMES = ['a', 'b', 'c']
const WORDS = ['', 'text', '10', '-3', '0', '0.5', '1e2', '007', '-0', '9223372036854775807', '\xff\x00\xfe']
const DELTAS: Amount[] = [
  1,
  1,
  2,
  -2,
  0,
  7,
  Number.MAX_SAFE_INTEGER,
  new Decimal(2n ** 63n - 1n, 0, false),
  new Decimal(1n, 1, true),
  new Decimal(-25n, 2, true),
]

/** Sums of these round, cancel and pass the range of doubles. */
const SCORES = [0, 1, 2, -3, 0.1, 0.2, 0.3, 4.1, 1e16, 1e308, -1e308, 5e-324, Number.POSITIVE_INFINITY]
const SCORE_DELTAS = [1, 1, -2, 0, 0.1, 0.2, 0.7, -0.3, 1e16, 9e307, -1e308, 5e-324, Number.NEGATIVE_INFINITY]

const key = fc.constantFrom(...KEYS)
const name = fc.constantFrom(...NAMES)
const names = fc.uniqueArray(name, { minLength: 1, maxLength: 2 })
const word = fc.constantFrom(...WORDS)
/** Of a HyperLogLog: few, so that writers raise the same registers. */
const elements = fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { maxLength: 3 })
const delta = fc.constantFrom(...DELTAS)
const entryMs = fc.integer({ min: 1, max: 9 })
const groupStartMs = fc.constantFrom(0, 0, 2, 5)
const deadlineMs = fc.oneof(
  { weight: 1, arbitrary: fc.constant(Number.POSITIVE_INFINITY) },
  { weight: 3, arbitrary: fc.integer({ min: -50, max: 200 }).map((ms) => START_MS + ms) },
)
const pairs = names
  .chain((fields) => fc.tuple(...fields.map((field) => fc.tuple(fc.constant(field), word))))
  .map((list) => list.flat())

/** Every kind of write, by name: a property draws from the kinds it is about. */
export const writeOf = {
  set: fc.record({
    kind: fc.constant('set' as const),
    key,
    value: word,
    deadlineMs: fc.constant(Number.POSITIVE_INFINITY),
  }),
  setWithDeadline: fc.record({ kind: fc.constant('set' as const), key, value: word, deadlineMs }),
  put: fc.record({ kind: fc.constant('put' as const), key, value: word }),
  increment: fc.record({ kind: fc.constant('increment' as const), key, delta }),
  hset: fc.record({ kind: fc.constant('hset' as const), key, pairs }),
  hincrement: fc.record({ kind: fc.constant('hincrement' as const), key, field: name, delta }),
  hexpire: fc.record({ kind: fc.constant('hexpire' as const), key, fields: names, deadlineMs }),
  hdel: fc.record({ kind: fc.constant('hdel' as const), key, fields: names }),
  sadd: fc.record({ kind: fc.constant('sadd' as const), key, members: names }),
  srem: fc.record({ kind: fc.constant('srem' as const), key, members: names }),
  pfadd: fc.record({ kind: fc.constant('pfadd' as const), key, elements }),
  pfjoin: fc.record({ kind: fc.constant('pfjoin' as const), key, elements }),
  zadd: fc.record({
    kind: fc.constant('zadd' as const),
    key,
    pairs: names.chain((members) =>
      fc.tuple(...members.map((member) => fc.tuple(fc.constant(member), fc.constantFrom(...SCORES)))),
    ),
  }),
  zincrement: fc.record({
    kind: fc.constant('zincrement' as const),
    key,
    member: name,
    delta: fc.constantFrom(...SCORE_DELTAS),
  }),
  zrem: fc.record({ kind: fc.constant('zrem' as const), key, members: names }),
  xadd: fc.record({ kind: fc.constant('xadd' as const), key, ms: entryMs }),
  xdel: fc.record({ kind: fc.constant('xdel' as const), key, ms: entryMs }),
  xtrim: fc.record({ kind: fc.constant('xtrim' as const), key, count: fc.integer({ min: 1, max: 3 }) }),
  xgroup: fc.record({ kind: fc.constant('xgroup' as const), key, group: name, ms: groupStartMs }),
  xungroup: fc.record({ kind: fc.constant('xungroup' as const), key, group: name }),
  xread: fc.record({
    kind: fc.constant('xread' as const),
    key,
    group: name,
    count: fc.integer({ min: 1, max: 4 }),
  }),
  xack: fc.record({ kind: fc.constant('xack' as const), key, group: name, ms: entryMs }),
  deadline: fc.record({ kind: fc.constant('deadline' as const), key, deadlineMs }),
  del: fc.record({ kind: fc.constant('del' as const), key }),
  flush: fc.record({ kind: fc.constant('flush' as const), all: fc.boolean() }),
} satisfies Record<string, fc.Arbitrary<Write>>

/** Histories of such writes. */
export function historyOf(kinds: readonly (keyof typeof writeOf)[]): fc.Arbitrary<Step[]> {
  const writer = fc.nat({ max: WRITER_REGIONS.length - 1 })
  const writes = fc.array(fc.oneof(...kinds.map((kind) => writeOf[kind] as fc.Arbitrary<Write>)), {
    minLength: 1,
    maxLength: 3,
  })
  const op = fc.record({
    kind: fc.constant('op' as const),
    writer,
    db: fc.constantFrom(0, 0, 0, 1),
    writes,
    closes: fc.boolean(),
  })
  const pull = fc.record({
    kind: fc.constant('pull' as const),
    from: writer,
    to: writer,
    count: fc.integer({ min: 1, max: 5 }),
  })
  const clock = fc.record({
    kind: fc.constant('clock' as const),
    writer,
    ms: fc.integer({ min: -20, max: 60 }),
  })
  return fc.array(
    fc.oneof({ weight: 5, arbitrary: op }, { weight: 3, arbitrary: pull }, { weight: 1, arbitrary: clock }),
    { maxLength: 30 },
  )
}
