/**
 * core.ts: one node without its sockets: folder, log, engine, mesh, and the turn that ties them together.
 *
 *   client words ─→ execute ─┐                         ┌─→ replies leave (connection.flush)
 *                            ├─ end of the turn: commit ┤
 *   peer's records ─→ apply ─┘   one write to the log   └─→ records travel (mesh.logAdvanced)
 *
 * The server adds a listener, the WebSocket transport and the admin server (`node.ts`); the simulator
 * adds its own, and runs everything here unchanged.
 *
 * Invariants: (1) nothing a turn produced leaves the node before the log has committed it. (2) After a
 * failure of the disk or of an invariant nothing leaves the node any more.
 */
import type { BatchReader } from '../crdt/codec/batch.ts'
import type { Latin1 } from '../crdt/codec/bytes.ts'
import { OriginTable } from '../crdt/origin.ts'
import type { VersionVector } from '../crdt/version-vector.ts'
import { Mesh } from '../sync/mesh.ts'
import type { Identity, SyncHost, Transport } from '../sync/ports.ts'
import { SYNC_DEFAULTS, type SyncSettings } from '../sync/settings.ts'
import { commandTable } from './commands/families.ts'
import type { Services } from './commands/services.ts'
import type { Session } from './commands/session.ts'
import { SETTING_ROWS } from './config/table.ts'
import { databaseConfiguration, type Settings } from './config.ts'
import { CommandWatch, type WatchSettings } from './engine/command-watch.ts'
import { ConflictLog } from './engine/conflict-log.ts'
import { Engine } from './engine/engine.ts'
import { DiskError, type Env } from './env.ts'
import { claimFolder, claimOrigin, type FolderIdentity, releaseOrigin } from './persistence/identity.ts'
import { OpLog } from './persistence/op-log.ts'
import { recoverLog } from './persistence/recovery.ts'
import type { CommandSink, TurnPort, Waiting } from './server/connection.ts'
import { StartError } from './start-error.ts'
import { VERSION } from './version.ts'

/** How often due keys are looked at for removal. */
const EXPIRE_INTERVAL_MS = 100
/** Recovery reports its progress after this many bytes more. */
const PROGRESS_BYTES = 64 * 1024 * 1024

export interface CoreLog {
  info(sentence: string): void
  warn(sentence: string): void
  error(sentence: string): void
}

export interface CorePorts {
  readonly env: Env
  readonly latin1: Latin1
  readonly transport: Transport
  readonly hmac: (secret: string, message: string) => string
  readonly log: CoreLog
  /** What commands ask of the node beyond the core. */
  readonly services: (core: NodeCore) => Services
  /** The node cannot go on. Called once. */
  readonly failed: (error: Error) => void
}

export class NodeCore implements CommandSink, TurnPort, SyncHost {
  readonly settings: Settings
  readonly conflicts: ConflictLog
  readonly origins = new OriginTable()
  readonly engine: Engine
  readonly watch: CommandWatch
  readonly log: OpLog
  readonly mesh: Mesh
  readonly identity: Identity
  readonly latin1: Latin1
  readonly #ports: CorePorts
  readonly #folder: string
  readonly #lock: { release(): void }
  #waiting = new Set<Waiting>()
  #turnScheduled = false
  #failed = false
  #stopping = false

  /**
   * Locks the folder and recovers what is in it. Reads the whole log before it returns.
   * @throws StartError
   */
  constructor(settings: Settings, ports: CorePorts) {
    const { env, latin1 } = ports
    const { values } = settings
    this.settings = settings
    this.latin1 = latin1
    this.#ports = ports
    this.#folder = values.dir
    this.conflicts = new ConflictLog(() => values['conflict-log-length'])
    this.#lock = lockFolder(env, this.#folder)
    const folder = claimFolder(env, this.#folder, {
      region: values.region,
      regionId: values['region-id'],
      partitions: values.partitions,
    })
    this.identity = identityOf(folder, settings)
    this.log = this.#makeLog(folder)
    const provisional = this.origins.intern(`${folder.regionId}-000000000000`)
    this.engine = new Engine({
      origins: this.origins,
      origin: provisional,
      table: commandTable,
      journal: this.log,
      services: ports.services(this),
      conflicts: this.conflicts,
      wallMs: () => env.wallMs(),
      random: () => env.random(),
      driftMaxMs: () => values['max-drift-ms'],
    })
    this.watch = new CommandWatch(
      env,
      () => watchSettings(settings),
      (observer) => {
        this.engine.observer = observer
      },
    )
    this.watch.configure()
    this.#recover(folder)
    this.mesh = new Mesh(this, ports.transport, env, syncSettings(settings))
  }

  #makeLog({ nodeId, regionId }: FolderIdentity): OpLog {
    const { env, latin1 } = this.#ports
    const { values } = this.settings
    return new OpLog({
      env,
      latin1,
      origins: this.origins,
      folder: this.#folder,
      nodeId,
      regionId,
      policy: () => values.appendfsync,
      segmentBytes: () => values['log-segment-bytes'],
      tailBytes: () => values['log-tail-bytes'],
      applied: () => this.engine.applied,
      failed: (error) => this.fail(error),
      onDurable: () => this.mesh?.durableAdvanced(),
    })
  }

  #recover({ regionId }: FolderIdentity): void {
    const { env, latin1, log } = this.#ports
    const startMs = env.monoMs()
    let reportAt = PROGRESS_BYTES
    const { segments, checkpoints, position } = recoverLog({
      disk: env.disk,
      folder: this.#folder,
      origins: this.origins,
      latin1,
      applied: this.engine.applied,
      replay: (batch) => this.engine.replay(batch),
      progress: (done, total) => {
        if (done < reportAt) return
        reportAt = done + PROGRESS_BYTES
        log.info(`recovering: ${megabytes(done)} of ${megabytes(total)} MB of the log read`)
      },
      warn: (sentence) => log.warn(sentence),
    })
    this.engine.adoptOrigin(this.origins.intern(claimOrigin(env, this.#folder, regionId, position)))
    this.log.open(segments, checkpoints)
    const seconds = ((env.monoMs() - startMs) / 1000).toFixed(2)
    log.info(
      `recovered ${this.engine.applied.opCount} ops from ${megabytes(position)} MB of log in ${seconds} s`,
    )
  }

  /** Begins to talk to peers and to remove what is due. @throws StartError when it cannot listen for peers */
  async start(): Promise<void> {
    await this.mesh.start().catch((error: Error) => {
      throw new StartError(`${error.message}. End what is in the way, or choose another --sync-port.`)
    })
    this.#expireLater()
  }

  get applied(): VersionVector {
    return this.engine.applied
  }

  get durable(): VersionVector {
    return this.log.durable
  }

  open(session: Session): void {
    session.authenticated = this.settings.values.requirepass === ''
  }

  execute(session: Session, words: readonly string[]): void {
    if (this.#failed) return
    try {
      this.engine.execute(session, words)
    } catch (error) {
      this.fail(error as Error)
    }
    this.#scheduleTurnEnd()
  }

  close(session: Session): void {
    if (session.isMonitor) this.watch.removeMonitor(session)
    this.engine.release(session)
  }

  touch(connection: Waiting): void {
    this.#waiting.add(connection)
    this.#scheduleTurnEnd()
  }

  expiryClockMs(): number {
    return this.engine.clock.read()
  }

  apply(record: Uint8Array, batch: BatchReader): void {
    if (this.#failed) return
    this.engine.applyReceived(record, batch)
    this.#scheduleTurnEnd()
  }

  hurryDurable(): void {
    this.log.hurryDurable()
  }

  report(sentence: string): void {
    this.#ports.log.warn(sentence)
  }

  hmac(secret: string, message: string): string {
    return this.#ports.hmac(secret, message)
  }

  nonce(): string {
    return Array.from(this.#ports.env.randomBytes(16), (byte) => byte.toString(16).padStart(2, '0')).join('')
  }

  #scheduleTurnEnd(): void {
    if (this.#turnScheduled) return
    this.#turnScheduled = true
    this.#ports.env.defer(() => this.#endTurn())
  }

  #endTurn(): void {
    this.#turnScheduled = false
    if (this.#failed) return
    const waiting = this.#waiting
    this.#waiting = new Set()
    this.engine.endTurn()
    for (const connection of waiting) connection.seal()
    this.log.commit(() => {
      if (this.#failed) return
      for (const connection of waiting) connection.flush()
      this.mesh.logAdvanced()
    })
  }

  #expireLater(): void {
    this.#ports.env.after(EXPIRE_INTERVAL_MS, () => {
      if (this.#failed || this.#stopping) return
      if (this.#removeDue() > 0) this.#scheduleTurnEnd()
      this.#expireLater()
    })
  }

  #removeDue(): number {
    const { mesh } = this
    return this.engine.removeDue(mesh.settledClockMs(), ({ origin, seq }) => mesh.seenByAll(origin, seq))
  }

  /** Nothing leaves this node from now on. */
  fail(error: Error): void {
    if (this.#failed) return
    this.#failed = true
    this.#ports.failed(error)
  }

  /** An orderly end: everything is durable when it resolves, and the next start keeps the origin. */
  async stop(reason: string): Promise<void> {
    this.#stopping = true
    await this.mesh.stop(reason)
    if (!this.#failed) {
      this.#endTurn()
      await new Promise<void>((resolve) => this.log.close(resolve))
    }
    if (!this.#failed) this.#releaseOrigin()
    this.#lock.release()
  }

  #releaseOrigin(): void {
    try {
      releaseOrigin(this.#ports.env, this.#folder, this.engine.origin.id, this.log.durablePosition)
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      // Nothing is lost by it: the next start takes a new origin, as after a crash.
      this.#ports.log.warn(`the stop was not noted in ${this.#folder}: ${error.message}`)
    }
  }
}

function lockFolder(env: Env, folder: string): { release(): void } {
  try {
    env.disk.makeFolder(folder)
    const lock = env.disk.lockFolder(folder)
    if ('release' in lock) return lock
    throw new StartError(
      `the data folder ${folder} is in use by process ${lock.heldBy}: two nodes never share one. ` +
        'Stop that process, or give this node a folder of its own with --dir.',
    )
  } catch (error) {
    if (!(error instanceof DiskError)) throw error
    throw new StartError(`cannot use the data folder ${folder}: ${error.message}. Choose another with --dir.`)
  }
}

function identityOf({ region, regionId, nodeId, partitions }: FolderIdentity, settings: Settings): Identity {
  return {
    region,
    regionId,
    nodeId,
    partitions,
    configuration: databaseConfiguration(settings),
    version: VERSION,
  }
}

function watchSettings({ values }: Settings): WatchSettings {
  return {
    slowMicros: values['slowlog-log-slower-than'],
    slowLogLength: values['slowlog-max-len'],
    latencyMs: values['latency-monitor-threshold'],
    tracksLatency: values['latency-tracking'],
    isSecret: (name) => SETTING_ROWS.get(name)?.secret === true,
  }
}

/** Settings as sync reads them: through, so that CONFIG SET takes effect at once. */
function syncSettings({ values }: Settings): SyncSettings {
  return {
    ...SYNC_DEFAULTS,
    peers: values.peer,
    secret: values['sync-secret'],
    frameBytesMax: values['sync-frame-bytes-max'],
    get lingerMs() {
      return values['sync-linger-ms']
    },
    get causalBufferBytesMax() {
      return values['causal-buffer-bytes']
    },
  }
}

function megabytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1)
}
