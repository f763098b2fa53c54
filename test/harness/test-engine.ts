/**
 * test-engine.ts: an engine without a server, for tests of commands and types.
 *
 * Time stands where the test puts it; ops are kept as records, so that two engines can be brought
 * together by hand.
 */
import { type BatchSpan, BatchWriter, openRecord } from '../../crdt/codec/batch.ts'
import { portableLatin1 } from '../../crdt/codec/bytes.ts'
import { OriginTable, originId } from '../../crdt/origin.ts'
import { commandTable } from '../../region-node/commands/families.ts'
import type { ReplicationControl, Services } from '../../region-node/commands/services.ts'
import { Session } from '../../region-node/commands/session.ts'
import { ConflictLog } from '../../region-node/engine/conflict-log.ts'
import { Engine, type EngineOptions } from '../../region-node/engine/engine.ts'
import type { Journal } from '../../region-node/engine/journal.ts'
import { ReplyParser } from '../../region-node/resp/parse-reply.ts'
import { LuaHost } from '../../region-node/scripts/lua-host.ts'
import { luaProgram } from '../../region-node/scripts/lua-program.ts'
import { NO_EVICTION, openAccess } from './plain-node.ts'

export class KeptJournal implements Journal {
  readonly writer = new BatchWriter()
  readonly records: { record: Uint8Array; span: BatchSpan }[] = []

  minted(record: Uint8Array, span: BatchSpan): void {
    this.records.push({ record: record.slice(), span })
  }

  received(record: Uint8Array, span: BatchSpan): void {
    this.records.push({ record: record.slice(), span })
  }
}

/** A fixed start, so that expected stamps and deadlines can be written down: 2024-01-01T00:00:00Z. */
export const START_MS = 1_704_067_200_000

/** A primary without replicas. @param offset  ops it holds */
export function lonePrimary(offset: () => number, after: Services['after']): ReplicationControl {
  const none = { local: 1, replicas: 0 }
  return {
    state: () => ({ role: 'primary', term: 0, offset: offset(), primary: undefined, replicas: [] }),
    follow: () => {},
    waits: {
      count: () => none,
      begin: (_target, { replicas }, timeoutMs, done) => {
        if (replicas <= 0) done(none)
        const timer = replicas > 0 && timeoutMs > 0 ? after(timeoutMs, () => done(none)) : undefined
        return () => timer?.cancel()
      },
    },
    handOver: { begin: () => {}, abort: () => {} },
  }
}

export class TestEngine {
  readonly origins = new OriginTable()
  readonly journal = new KeptJournal()
  readonly conflicts = new ConflictLog(() => 128)
  /** What the commands see of the node; a test may change it. */
  readonly services: { -readonly [Name in keyof Services]: Services[Name] }
  readonly engine: Engine
  /** Lua is loaded by the first script. */
  readonly scripts = new LuaHost(luaProgram, portableLatin1, (level, text) =>
    this.scriptLog.push([level, text]),
  )
  /** What scripts logged: level and text. */
  readonly scriptLog: [number, string][] = []
  wallMs = START_MS
  readonly access = openAccess(() => this.wallMs)
  #seed: number
  readonly #sessions = new Map<number, { session: Session; parser: ReplyParser }>()

  /** @param services  what the commands under test need of the node; anything else throws when touched */
  constructor(
    regionId = 1,
    services: Partial<Services> = {},
    options: Partial<Pick<EngineOptions, 'trackedKeysMax' | 'eviction'>> = {},
  ) {
    this.#seed = regionId
    const origin = this.origins.intern(originId(regionId, new Uint8Array([0, 0, 0, 0, 0, regionId])))
    const defaults: Partial<Services> = {
      databaseCount: 16,
      streamIdMode: 'semi-strict',
      stringBytesMax: 512 * 1024 * 1024,
      conflicts: this.conflicts,
      latin1: portableLatin1,
      scripts: this.scripts,
      scriptLimitMs: 1000,
      replication: lonePrimary(
        () => this.engine.applied.opCount,
        (delayMs, task) => services.after!(delayMs, task),
      ),
      wallMs: () => this.wallMs,
      digest: (done) => {
        done(this.engine.keyspace.digest())
        return () => {}
      },
    }
    this.services = Object.assign(defaults, services) as Services
    this.engine = new Engine({
      origins: this.origins,
      origin,
      table: commandTable,
      journal: this.journal,
      services: this.services,
      conflicts: this.conflicts,
      wallMs: () => this.wallMs,
      random: () => this.#random(),
      driftMaxMs: () => 60_000,
      trackedKeysMax: () => 0,
      access: this.access,
      eviction: NO_EVICTION,
      ...options,
    })
    if (services.applied === undefined) this.services.applied = this.engine.applied
  }

  /** mulberry32 */
  #random(): number {
    this.#seed = (this.#seed + 0x6d2b79f5) | 0
    let t = Math.imul(this.#seed ^ (this.#seed >>> 15), 1 | this.#seed)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }

  session(client = 1): Session {
    const known = this.#sessions.get(client)
    if (known !== undefined) return known.session
    const session = new Session(
      client,
      `127.0.0.1:${40000 + client}`,
      '127.0.0.1:7101',
      this.wallMs,
      this.access.first,
    )
    this.#sessions.set(client, { session, parser: new ReplyParser() })
    return session
  }

  /** Runs a command as a client and returns its reply as JavaScript values; a RespError is returned, not thrown. */
  run(...words: string[]): unknown {
    return this.runAs(1, ...words)
  }

  runAs(client: number, ...words: string[]): unknown {
    this.engine.execute(this.session(client), words)
    return this.reply(client)
  }

  /** The next reply that waits; undefined when there is none (a blocked command, CLIENT REPLY OFF). */
  reply(client = 1): unknown {
    const session = this.session(client)
    const { parser } = this.#sessions.get(client)!
    parser.feed(session.out.take())
    return parser.next()?.value
  }

  /** Applies what `other` has and this lacks, in its order. */
  pullFrom(other: TestEngine): void {
    other.engine.endBatch()
    for (const { record } of other.journal.records) {
      const batch = openRecord(record, this.origins)
      const { origin, firstSeq, opCount } = batch.header
      if (firstSeq + opCount - 1 > this.engine.applied.get(origin)) this.engine.applyReceived(record, batch)
    }
  }
}
