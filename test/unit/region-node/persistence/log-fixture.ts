/**
 * log-fixture.ts: an engine with a real log on a simulated disk, for tests of the log and of recovery.
 */
import { portableLatin1 } from '../../../../crdt/codec/bytes.ts'
import { OriginTable } from '../../../../crdt/origin.ts'
import { commandTable } from '../../../../region-node/commands/families.ts'
import type { Services } from '../../../../region-node/commands/services.ts'
import { Session } from '../../../../region-node/commands/session.ts'
import { ConflictLog } from '../../../../region-node/engine/conflict-log.ts'
import { Engine } from '../../../../region-node/engine/engine.ts'
import type { Disk } from '../../../../region-node/env.ts'
import { type FsyncPolicy, OpLog } from '../../../../region-node/persistence/op-log.ts'
import { type Recovered, recoverAtOnce, recoverLog } from '../../../../region-node/persistence/recovery.ts'
import type { SnapshotHeader } from '../../../../region-node/persistence/snapshot-file.ts'
import { SnapshotStore } from '../../../../region-node/persistence/snapshot-store.ts'
import { type SnapshotRules, Snapshotter } from '../../../../region-node/persistence/snapshotter.ts'
import { NO_EVICTION, openAccess } from '../../../harness/plain-node.ts'
import { Prng } from '../../../harness/prng.ts'
import { SimClock } from '../../../harness/sim-clock.ts'
import { SimDisk } from '../../../harness/sim-disk.ts'
import { SimEnv, SimWallClock } from '../../../harness/sim-env.ts'

const ACCESS = openAccess()

export const FOLDER = '/data'

/** A disk that outlives the processes on it. */
export function simulatedMachine(
  seed = 1,
  syncErrorChance = 0,
): { clock: SimClock; disk: SimDisk; prng: Prng } {
  const clock = new SimClock()
  const prng = new Prng(seed)
  const faults = {
    syncMsMin: 1,
    syncMsMax: 3,
    slowSyncChance: 0,
    slowSyncMs: 0,
    syncErrorChance,
    pageBytes: 64,
  }
  return { clock, prng, disk: new SimDisk(clock, prng, faults) }
}

export class LoggedEngine {
  readonly origins = new OriginTable()
  readonly engine: Engine
  readonly log: OpLog
  /** As this process sees it. */
  readonly disk: Disk
  readonly store: SnapshotStore
  readonly snapshotter: Snapshotter
  readonly recovered: Recovered
  readonly warnings: string[] = []
  readonly failures: Error[] = []
  /** What was told of the room on the disk. */
  readonly rooms: boolean[] = []
  policy: FsyncPolicy
  readonly #session = new Session(1, '', '', 0, ACCESS.first)

  /** Recovers what is on the disk, as a new process does. @throws StartError */
  constructor(
    machine: { clock: SimClock; disk: SimDisk; prng: Prng },
    options: {
      policy?: FsyncPolicy
      origin?: string
      segmentBytes?: number
      tailBytes?: number
      rules?: Partial<SnapshotRules>
      /** Entries that a snapshot goes on by before others have a turn. */
      sliceEntriesMax?: number
    } = {},
  ) {
    const { clock, disk, prng } = machine
    this.policy = options.policy ?? 'everysec'
    const env = new SimEnv(clock, new SimWallClock(clock, 0, 1), prng, disk.mount())
    this.log = new OpLog({
      env,
      latin1: portableLatin1,
      origins: this.origins,
      folder: FOLDER,
      nodeId: 'test',
      regionId: 1,
      policy: () => this.policy,
      segmentBytes: () => options.segmentBytes ?? 2 ** 20,
      tailBytes: () => options.tailBytes ?? 2 ** 20,
      applied: () => this.engine.applied,
      limitOf: () => Number.POSITIVE_INFINITY,
      failed: (error) => this.failures.push(error),
      roomChanged: (hasRoom) => this.rooms.push(hasRoom),
      onDurable: () => this.snapshotter?.logDurable(),
    })
    this.engine = new Engine({
      origins: this.origins,
      origin: this.origins.intern(options.origin ?? '1-000000000001'),
      table: commandTable,
      journal: this.log,
      services: { databaseCount: 16, stringBytesMax: 2 ** 20, latin1: portableLatin1 } as Services,
      conflicts: new ConflictLog(() => 10),
      wallMs: () => env.wallMs(),
      random: () => prng.random(),
      driftMaxMs: () => 60_000,
      trackedKeysMax: () => 0,
      access: ACCESS,
      eviction: NO_EVICTION,
    })
    const { keyspace, applied } = this.engine
    const warn = (sentence: string) => {
      this.warnings.push(sentence)
    }
    this.disk = env.disk
    this.store = new SnapshotStore(env.disk, FOLDER, warn)
    this.snapshotter = new Snapshotter({
      env,
      latin1: portableLatin1,
      origins: this.origins,
      keyspace,
      store: this.store,
      log: this.log,
      applied,
      settle: () => this.#settledHeader(),
      rules: () => ({ save: [], everyHours: 0, logBytes: Number.POSITIVE_INFINITY, ...options.rules }),
      added: () => this.log.trim(this.store.logNeededFrom),
      info: () => {},
      warn,
      sliceEntriesMax: options.sliceEntriesMax ?? Number.POSITIVE_INFINITY,
    })
    this.recovered = recoverAtOnce(
      recoverLog({
        disk: env.disk,
        folder: FOLDER,
        origins: this.origins,
        latin1: portableLatin1,
        applied,
        target: {
          records: keyspace.records,
          restore: (db, key, entry) => keyspace.restore(db, key, entry),
          adopted: ({ vector }) => applied.join(vector),
          replay: (batch, held) => this.engine.replay(batch, held),
        },
        warn,
      }),
    )
    this.log.open(this.recovered)
    this.store.open(this.recovered.snapshots)
    this.snapshotter.recovered(this.recovered.snapshotOps)
  }

  #settledHeader(): SnapshotHeader {
    this.engine.endBatch()
    return {
      nodeId: 'test',
      vector: this.engine.applied.copy(),
      hlc: this.engine.hlc,
      clockMs: this.engine.clock.read(),
      createdMs: 0,
      databases: 16,
      horizon: new Uint8Array(0),
    }
  }

  /** Runs commands as one turn. @param released  called when their replies may leave */
  turn(commands: readonly (readonly string[])[], released: () => void = () => {}): void {
    for (const words of commands) this.engine.execute(this.#session, words)
    this.engine.endBatch()
    this.log.commit(released)
  }

  get(key: string): string {
    this.#session.out.take()
    this.engine.execute(this.#session, ['GET', key])
    return this.#session.out.take()
  }
}
