/**
 * horizon-node.ts: a node reduced to what the horizon needs of it: an engine, a mesh, a keeper.
 *
 * Between the memory host, which only counts ops, and the simulated node, which has files and clients too:
 * what a keeper decides becomes ops of a real engine, and travels by a real mesh on a memory network.
 */
import { type BatchReader, type BatchSpan, BatchWriter, openRecord } from '../../crdt/codec/batch.ts'
import { portableLatin1 } from '../../crdt/codec/bytes.ts'
import type { Membership } from '../../crdt/membership.ts'
import type { VersionVector } from '../../crdt/version-vector.ts'
import { commandTable } from '../../region-node/commands/families.ts'
import type { Services } from '../../region-node/commands/services.ts'
import { Session } from '../../region-node/commands/session.ts'
import { ConflictLog } from '../../region-node/engine/conflict-log.ts'
import { Engine } from '../../region-node/engine/engine.ts'
import { HorizonKeeper } from '../../region-node/horizon-keeper.ts'
import type { Mesh } from '../../sync/mesh.ts'
import type { Unheard } from '../../sync/ports.ts'
import type { ManualClock } from './manual-clock.ts'
import { MemoryHost, memoryNode } from './memory-host.ts'
import type { MemoryNetwork } from './memory-transport.ts'
import { NO_EVICTION, openAccess } from './plain-node.ts'

const ACCESS = openAccess()

const BEAT_MS = 1000
const SYNC_MS = 50
export const DARK_MAX_MS = 60_000

export class HorizonNode extends MemoryHost {
  /** Its log has grown past the limit. */
  logIsTooLong = false
  darkMaxMs = DARK_MAX_MS
  override readonly applied: VersionVector
  override readonly durable: VersionVector
  override readonly membership: Membership
  readonly engine: Engine
  readonly mesh: Mesh
  readonly keeper: HorizonKeeper
  readonly reports: string[] = []
  /** How many ops were applied here each time the keeper found that the node may mint after all. */
  readonly settledAt: number[] = []
  /** There are ops to be minted again first. */
  hasLateTail = false
  /** The node has not crashed. */
  isRunning = true
  readonly #session = new Session(1, '', '', 0, ACCESS.first)
  readonly #clock: ManualClock

  /** @param log  of an earlier run, whose ops are read first */
  constructor(
    clock: ManualClock,
    network: MemoryNetwork,
    region: string,
    regionId: number,
    peers: readonly string[],
    lacking: boolean,
    log: readonly Uint8Array[] = [],
  ) {
    super(clock, region, regionId)
    this.#clock = clock
    this.engine = this.#makeEngine(clock)
    this.applied = this.engine.applied
    this.membership = this.engine.membership
    for (const record of log) this.#replay(record)
    this.durable = this.applied.copy()
    const { membership } = this
    this.identity = {
      ...this.identity,
      get epoch() {
        return membership.epochOf(regionId)
      },
    }
    this.mesh = memoryNode(clock, network, this, peers).mesh
    this.membership.onChange = () => this.mesh.membershipChanged()
    this.keeper = new HorizonKeeper({
      notPrimary: () => undefined,
      engine: this.engine,
      mesh: this.mesh,
      regionId,
      durable: () => this.durable,
      nowMs: () => clock.monoMs(),
      darkMaxMs: () => this.darkMaxMs,
      logIsTooLong: () => this.logIsTooLong,
      report: (sentence) => this.reports.push(sentence),
      settled: () => this.settledAt.push(this.applied.opCount),
      former: () => [],
      hurryDurable: () => {},
      permitted: () => !this.hasLateTail,
    })
    this.keeper.begin(lacking)
  }

  #makeEngine(clock: ManualClock): Engine {
    const place = (record: Uint8Array, span: BatchSpan): void => {
      this.log.append({ bytes: record.slice(), span })
      this.onLog(span.opCount)
    }
    return new Engine({
      origins: this.origins,
      origin: this.origin,
      table: commandTable,
      journal: { writer: new BatchWriter(), minted: place, received: place },
      services: { databaseCount: 16, stringBytesMax: 2 ** 20, latin1: portableLatin1 } as Services,
      conflicts: new ConflictLog(() => 10),
      wallMs: () => clock.wallMs(),
      packedFrom: 2,
      random: () => clock.random(),
      driftMaxMs: () => 60_000,
      trackedKeysMax: () => 0,
      access: ACCESS,
      eviction: NO_EVICTION,
    })
  }

  #replay(record: Uint8Array): void {
    const batch = openRecord(record, this.origins)
    this.engine.replay(batch)
    this.log.append({ bytes: record, span: batch.header })
  }

  async start(): Promise<this> {
    await this.mesh.start()
    this.#every(BEAT_MS, () => {
      this.keeper.beat()
      this.engine.endBatch()
    })
    this.#every(SYNC_MS, () => this.sync())
    return this
  }

  #every(ms: number, task: () => void): void {
    this.#clock.after(ms, () => {
      if (!this.isRunning) return
      task()
      this.#every(ms, task)
    })
  }

  async crash(): Promise<void> {
    this.isRunning = false
    await this.mesh.stop()
  }

  /** What its log holds, for its next run. */
  get records(): readonly Uint8Array[] {
    return this.log.records.map(({ bytes }) => bytes)
  }

  /** Runs a command of a client. @returns its reply, as the client gets it */
  run(...words: string[]): string {
    this.engine.execute(this.#session, words)
    this.engine.endTurn()
    return this.#session.out.take()
  }

  override apply(record: Uint8Array, batch: BatchReader): void {
    this.engine.applyReceived(record, batch)
  }

  override sync(): void {
    this.durable.join(this.applied)
    this.onDurable()
  }

  override welcomed(joined: VersionVector): void {
    this.keeper.welcomed(joined)
  }

  override unheard(): readonly Unheard[] {
    return this.keeper.unheard()
  }

  override stood(): void {
    this.keeper.judge()
  }
}
