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
import { type FsyncPolicy, OpLog } from '../../../../region-node/persistence/op-log.ts'
import { type Recovered, recoverLog } from '../../../../region-node/persistence/recovery.ts'
import { Prng } from '../../../harness/prng.ts'
import { SimClock } from '../../../harness/sim-clock.ts'
import { SimDisk } from '../../../harness/sim-disk.ts'
import { SimEnv, SimWallClock } from '../../../harness/sim-env.ts'

export const FOLDER = '/data'

/** A disk that outlives the processes on it. */
export function simulatedMachine(seed = 1): { clock: SimClock; disk: SimDisk; prng: Prng } {
  const clock = new SimClock()
  const prng = new Prng(seed)
  const faults = {
    syncMsMin: 1,
    syncMsMax: 3,
    slowSyncChance: 0,
    slowSyncMs: 0,
    syncErrorChance: 0,
    pageBytes: 64,
  }
  return { clock, prng, disk: new SimDisk(clock, prng, faults) }
}

export class LoggedEngine {
  readonly origins = new OriginTable()
  readonly engine: Engine
  readonly log: OpLog
  readonly recovered: Recovered
  readonly warnings: string[] = []
  readonly failures: Error[] = []
  policy: FsyncPolicy
  readonly #session = new Session(1, '', '', 0, true)

  /** Recovers what is on the disk, as a new process does. @throws StartError */
  constructor(
    machine: { clock: SimClock; disk: SimDisk; prng: Prng },
    options: { policy?: FsyncPolicy; origin?: string; segmentBytes?: number; tailBytes?: number } = {},
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
      failed: (error) => this.failures.push(error),
      onDurable: () => {},
    })
    this.engine = new Engine({
      origins: this.origins,
      origin: this.origins.intern(options.origin ?? '1-000000000001'),
      table: commandTable,
      journal: this.log,
      services: { databaseCount: 16, stringBytesMax: 2 ** 20 } as Services,
      conflicts: new ConflictLog(() => 10),
      wallMs: () => env.wallMs(),
      random: () => prng.random(),
      driftMaxMs: () => 60_000,
    })
    this.recovered = recoverLog({
      disk: env.disk,
      folder: FOLDER,
      origins: this.origins,
      latin1: portableLatin1,
      applied: this.engine.applied,
      replay: (batch) => this.engine.replay(batch),
      progress: () => {},
      warn: (sentence) => this.warnings.push(sentence),
    })
    this.log.open(this.recovered.segments, this.recovered.checkpoints)
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
