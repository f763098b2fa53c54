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
import { ByteReader, type Latin1 } from '../crdt/codec/bytes.ts'
import type { RegionMode, RegionStatus } from '../crdt/effects/horizon-effects.ts'
import { Membership } from '../crdt/membership.ts'
import { type Origin, OriginTable } from '../crdt/origin.ts'
import type { VersionVector } from '../crdt/version-vector.ts'
import { Mesh } from '../sync/mesh.ts'
import type { Identity, Publication, SyncHost, Transport, Unheard } from '../sync/ports.ts'
import { reason } from '../sync/reason.ts'
import type { SnapshotHost } from '../sync/snapshot-ports.ts'
import type { AccessControl } from './acl/access-control.ts'
import { AclFile } from './acl/acl-file.ts'
import { Adoption } from './adoption.ts'
import { commandTable } from './commands/families.ts'
import type { Services } from './commands/services.ts'
import type { Session } from './commands/session.ts'
import type { Settings } from './config.ts'
import {
  accessControl,
  evictionSettings,
  identityOf,
  lockFolder,
  syncSettings,
  watchSettings,
} from './core-settings.ts'
import { Digests } from './digests.ts'
import { CommandWatch } from './engine/command-watch.ts'
import { ConflictLog } from './engine/conflict-log.ts'
import { Engine } from './engine/engine.ts'
import type { Env } from './env.ts'
import { errors } from './errors.ts'
import { expireFromNowOn } from './expirer.ts'
import { HorizonKeeper } from './horizon-keeper.ts'
import { LateTail } from './late-tail.ts'
import { LogRetention } from './log-retention.ts'
import { MemoryWatch } from './memory-watch.ts'
import { claimFolder, type FolderIdentity } from './persistence/identity.ts'
import { OpLog } from './persistence/op-log.ts'
import { type Recovered, type RecoveryProgress, recoverLog } from './persistence/recovery.ts'
import { RunTerms } from './persistence/run-terms.ts'
import { Shelf } from './persistence/shelf.ts'
import { SnapshotStore } from './persistence/snapshot-store.ts'
import type { Snapshotter } from './persistence/snapshotter.ts'
import { Staging } from './persistence/staging.ts'
import { heedMode } from './region-mode.ts'
import { replicationOf } from './replication/of-core.ts'
import type { Replication } from './replication/replication.ts'
import { type CommandSink, dropAll, type TurnPort, type Waiting } from './server/connection.ts'
import { snapshotterOf } from './snapshotter-of.ts'
import { StartError } from './start-error.ts'

/** A change of the membership is made durable this soon. */
const HURRY_MS = 20
/** How often the horizon is looked at. */
const HORIZON_INTERVAL_MS = 1000
/** How often it is looked whether a part of the log may go. */
const TRIM_INTERVAL_MS = 10_000

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
  /** SHA-256 of a word, 64 lower-case hexadecimal digits. */
  readonly sha256: (word: string) => string
  readonly log: CoreLog
  /** What commands ask of the node beyond the core. */
  readonly services: (core: NodeCore) => Services
  /** The port on which clients reach this node; 0 or absent: none. */
  readonly clientPort?: () => number
  /** The node cannot go on. Called once. */
  readonly failed: (error: Error) => void
  /**
   * Most entries that a snapshot goes on by before others have a turn. For the simulator, where no time
   * passes while something runs; a node goes by its clock.
   */
  readonly snapshotSliceEntries?: number
  /** From how many members on a collection is packed. For tests, whose collections are small. */
  readonly packedFrom?: number
}

export class NodeCore implements CommandSink, TurnPort, SyncHost {
  readonly settings: Settings
  readonly conflicts: ConflictLog
  readonly origins = new OriginTable()
  readonly engine: Engine
  readonly watch: CommandWatch
  readonly memory: MemoryWatch
  readonly access: AccessControl
  readonly aclFile: AclFile
  readonly log: OpLog
  readonly store: SnapshotStore
  readonly snapshotter: Snapshotter
  readonly digests: Digests
  readonly adoption: Adoption
  readonly snapshots: SnapshotHost
  readonly mesh: Mesh
  readonly identity: Identity
  readonly services: Services
  readonly latin1: Latin1
  readonly #ports: CorePorts
  readonly #folder: string
  readonly machineBytes: number
  /** Memory used before anything was loaded, bytes. */
  readonly startBytes: number
  readonly #lock: { release(): void }
  readonly keeper: HorizonKeeper
  readonly #terms: RunTerms
  readonly lateTail: LateTail
  readonly retention: LogRetention
  /** What this node is in its region. */
  readonly replication: Replication
  #waiting = new Set<Waiting>()
  #turnScheduled = false
  /** Ops handed to the log by all turns that are over. */
  #committedOps = 0
  #failed = false
  #stopping = false

  /**
   * Locks the folder. What is in it is read by `recovery`, to its end before anything else is asked of the node
   * but commands, which are refused until then.
   * @throws StartError
   */
  constructor(settings: Settings, ports: CorePorts) {
    const { env, latin1 } = ports
    const { values } = settings
    this.settings = settings
    this.latin1 = latin1
    this.#ports = ports
    this.#folder = values.dir
    const { heapBytes, bufferBytes, machineBytes } = env.memory()
    this.machineBytes = machineBytes
    this.startBytes = heapBytes + bufferBytes
    this.conflicts = new ConflictLog(() => values['conflict-log-length'])
    this.#lock = lockFolder(env, this.#folder)
    const folder = claimFolder(env, this.#folder, {
      region: values.region,
      regionId: values['region-id'],
      partitions: values.partitions,
      partition: values.partition,
    })
    this.identity = identityOf(folder, settings, {
      epoch: () => this.engine.membership.epochOf(folder.regionId),
      role: () => this.replication.role,
      term: () => this.replication.term,
      port: () => ports.clientPort?.() ?? 0,
    })
    const { regionId } = folder
    this.#terms = new RunTerms(env, this.#folder, regionId, this.origins, (sentence) =>
      ports.log.warn(sentence),
    )
    this.log = this.#makeLog(folder)
    this.access = accessControl(settings, env, ports.sha256, (user, isGone) =>
      this.engine.commands.userChanged(this.services.sessions, user, isGone),
    )
    this.aclFile = new AclFile(env.disk, latin1, () => values.aclfile, this.access)
    this.aclFile.loadAtStart()
    const provisional = this.origins.intern(`${folder.regionId}-000000000000`)
    this.services = ports.services(this)
    this.engine = new Engine({
      origins: this.origins,
      origin: provisional,
      table: commandTable,
      journal: this.log,
      services: this.services,
      conflicts: this.conflicts,
      wallMs: () => env.wallMs(),
      random: () => env.random(),
      driftMaxMs: () => values['max-drift-ms'],
      access: this.access,
      eviction: evictionSettings(settings),
      ...(ports.packedFrom === undefined ? {} : { packedFrom: ports.packedFrom }),
      trackedKeysMax: () => values['tracking-table-max-keys'],
      partition: values.partition,
    })
    this.watch = new CommandWatch(
      env,
      () => watchSettings(settings),
      (observer) => {
        this.engine.commands.observer = observer
      },
    )
    this.watch.configure()
    this.memory = new MemoryWatch({
      env,
      maxBytes: () => values.maxmemory,
      // Recent log is kept for peers, and has a limit of its own: no key goes because others read slowly.
      freeBytes: () => this.engine.keyspace.freeBytes + this.log.tailBytes,
      evict: (bytes) => this.#evict(bytes),
      changed: (isShort, sentence) => this.#memoryChanged(isShort, sentence),
    })
    this.engine.commands.audience.configure(values['notify-keyspace-events'])
    this.engine.policyChanged()
    settings.onChange((name) => {
      if (name === 'maxmemory') this.memory.look()
      if (name === 'requirepass') this.access.setDefaultPassword(values.requirepass)
      if (name === 'maxmemory-policy') this.engine.policyChanged()
      if (name === 'notify-keyspace-events') this.engine.commands.audience.configure(values[name])
    })
    this.store = new SnapshotStore(env.disk, this.#folder, (sentence) => ports.log.warn(sentence))
    this.snapshotter = snapshotterOf(this, {
      env,
      sliceEntriesMax: ports.snapshotSliceEntries ?? Number.POSITIVE_INFINITY,
      turnBegan: () => this.#scheduleTurnEnd(),
      info: (sentence) => ports.log.info(sentence),
      warn: (sentence) => ports.log.warn(sentence),
    })
    this.digests = new Digests({
      env,
      keyspace: this.engine.keyspace,
      isSaving: () => this.snapshotter.isRunning,
    })
    this.adoption = this.#makeAdoption()
    this.lateTail = new LateTail({
      env,
      engine: this.engine,
      log: this.log,
      origins: this.origins,
      latin1,
      regionId: folder.regionId,
      report: (sentence) => ports.log.warn(sentence),
      isEnding: () => this.#failed || this.#stopping,
      turnBegan: () => this.#scheduleTurnEnd(),
    })
    this.replication = replicationOf(this, {
      env,
      folder: this.#folder,
      terms: this.#terms,
      turnBegan: () => this.#scheduleTurnEnd(),
      silence: () => this.#silence(),
      info: (sentence) => ports.log.info(sentence),
    })
    this.snapshots = {
      shelf: new Shelf(env.disk, this.origins, this.store, this.snapshotter),
      stage: this.adoption,
      inform: (sentence) => ports.log.info(sentence),
    }
    this.mesh = new Mesh(this, ports.transport, env, syncSettings(settings, env))
    this.retention = new LogRetention(this)
    this.keeper = this.#makeKeeper()
    this.engine.commands.admission.begin('loading')
  }

  #makeKeeper(): HorizonKeeper {
    const { env, log } = this.#ports
    const { values } = this.settings
    const parts = {
      engine: this.engine,
      mesh: this.mesh,
      regionId: this.identity.regionId,
      durable: () => this.durable,
      notPrimary: () => this.replication.refusal,
      nowMs: () => env.monoMs(),
      darkMaxMs: () => values['peer-dark-max-ms'],
      logIsTooLong: () => this.log.bytes > values['log-retain-bytes'],
      report: (sentence: string) => log.warn(sentence),
      settled: () => {
        log.info(`region ${values.region} holds what its peers have, and takes writes`)
        this.#terms.note(this.keeper.lacking)
      },
      former: () => this.#terms.former,
      hurryDurable: () => this.log.hurryDurable(),
      permitted: () => {
        if (this.lateTail.isPending) this.lateTail.search(() => this.#remintLateTail())
        return !this.lateTail.isPending
      },
    }
    return new HorizonKeeper(parts)
  }

  /** At an operator's word: a region joins, leaves, or is called back. The node may mint. */
  changeRegion(regionId: number, name: string, url: string, status: RegionStatus, mode?: RegionMode): void {
    this.keeper.change(regionId, name, url, status, mode)
    this.#scheduleTurnEnd()
  }

  /** Likewise: this node's own region becomes active or passive. */
  changeMode(mode: RegionMode): void {
    this.keeper.changeMode(mode)
    this.#scheduleTurnEnd()
  }

  #remintLateTail(): void {
    const { engine, lateTail } = this
    // The search may have taken a while: the node may mint still, and waits for nothing but this.
    if (engine.refusal !== errors.regionLate) return
    engine.endTurn()
    engine.refuseWrites(undefined)
    lateTail.remint()
    this.#scheduleTurnEnd()
    this.#resumeReaders()
  }

  #resumeReaders(): void {
    // The late tail comes first: it may create their groups.
    if (!this.lateTail.isPending && this.engine.endReaders()) this.snapshotter.make()
  }

  /** Others have fenced the origin of this very run, not knowing that it is back: nothing is minted under it. */
  #leaveEndedOrigin(): void {
    const { engine } = this
    if (engine.membership.limitOf(engine.origin) === Number.POSITIVE_INFINITY) return
    try {
      engine.adoptOrigin(this.#terms.renew())
    } catch (error) {
      this.fail(error as Error)
    }
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
      limitOf: (origin) => this.engine.membership.limitOf(origin),
      failed: (error) => this.fail(error),
      roomChanged: (hasRoom) => this.#roomChanged(hasRoom),
      onDurable: () => {
        this.mesh?.durableAdvanced()
        this.replication?.waits.look()
        this.replication?.gate.release()
        this.snapshotter?.logDurable()
      },
    })
  }

  /** @throws DiskError */
  #makeAdoption(): Adoption {
    const { env, latin1 } = this.#ports
    return new Adoption({
      env,
      latin1,
      origins: this.origins,
      engine: this.engine,
      log: this.log,
      store: this.store,
      staging: new Staging(env.disk, this.#folder),
      abandonSnapshot: () => this.snapshotter.abandon('a snapshot from another region takes its place'),
      isPrimary: () => this.replication.role === 'primary',
      mayReturn: (membership) => this.keeper.mayReturn(membership),
      newOrigin: (membership) => {
        // An origin without an op has nothing that could have come too late, unless it was ended all the same.
        const { origin, applied } = this.engine
        const isOpen = membership.limitOf(origin) === Number.POSITIVE_INFINITY
        return applied.get(origin) === 0 && isOpen ? origin : this.#terms.renew()
      },
      returned: (mayHaveTail) => {
        if (mayHaveTail) this.lateTail.suspect()
        // It mints a tail that is found at once in this turn, unless it has to wait until it may mint at all.
        this.keeper.judge()
      },
      resumed: () => this.#resumeReaders(),
    })
  }

  #trimLater(): void {
    this.#ports.env.after(TRIM_INTERVAL_MS, () => {
      if (this.#failed || this.#stopping) return
      this.retention.trim()
      this.#trimLater()
    })
  }

  /** Reads what is in the folder, a step of some milliseconds at a time. @throws StartError */
  *recovery(): Generator<RecoveryProgress, void> {
    const { env, log } = this.#ports
    const startMs = env.monoMs()
    const recovered = yield* this.#recoverFiles()
    const hasPeers = this.settings.values.peer.length > 0
    const isEnded = (origin: Origin): boolean => this.engine.membership.sealOf(origin) !== undefined
    this.engine.adoptOrigin(this.#terms.claim(recovered.position, hasPeers, isEnded))
    this.log.open(recovered)
    this.store.open(recovered.snapshots)
    this.snapshotter.recovered(recovered.snapshotOps)
    const seconds = ((env.monoMs() - startMs) / 1000).toFixed(2)
    const snapshot = this.store.newest
    const from = snapshot?.position ?? this.log.start
    log.info(
      `recovered ${this.engine.applied.opCount} ops in ${seconds} s, from ` +
        (snapshot === undefined ? '' : `${megabytes(snapshot.bytes)} MB of snapshot and `) +
        `${megabytes(recovered.position - from)} MB of log`,
    )
    this.engine.membership.onChange = () => {
      this.#leaveEndedOrigin()
      this.#heedMode()
      this.mesh.membershipChanged()
      // Others wait until this node says that it knows, and it may say so only of what is durable.
      this.#ports.env.after(HURRY_MS, () => this.log.hurryDurable())
    }
    this.#heedMode()
    this.mesh.membershipChanged()
    if (this.engine.hasLateTail) this.lateTail.suspect()
    this.keeper.begin(this.#terms.lacking)
    this.engine.commands.admission.end('loading')
  }

  #heedMode(): void {
    heedMode(this.engine, this.identity.regionId, (sentence) => this.#ports.log.info(sentence))
  }

  #recoverFiles(): Generator<RecoveryProgress, Recovered> {
    const { env, latin1, log } = this.#ports
    const { engine, origins } = this
    const { nodeId } = this.identity
    return recoverLog({
      disk: env.disk,
      folder: this.#folder,
      origins,
      latin1,
      applied: engine.applied,
      target: {
        records: engine.keyspace.records,
        restore: (db, key, entry) => engine.restore(db, key, entry),
        adopted: ({ nodeId: maker, vector, hlc, clockMs, horizon }) =>
          engine.resume(
            vector,
            Membership.decode(new ByteReader(horizon), origins),
            hlc,
            clockMs,
            maker === nodeId,
          ),
        replay: (batch, held) => engine.replay(batch, held),
      },
      warn: (sentence) => log.warn(sentence),
    })
  }

  /** Begins to talk to peers and to remove what is due. @throws StartError when it cannot listen for peers */
  async start(): Promise<void> {
    await this.mesh.start().catch((error: Error) => {
      throw new StartError(`${error.message}. End what is in the way, or choose another --sync-port.`)
    })
    this.replication.begin()
    this.snapshotter.start()
    this.#trimLater()
    expireFromNowOn({
      env: this.#ports.env,
      engine: this.engine,
      expiry: this.mesh.expiry,
      isRunning: () => !this.#failed && !this.#stopping,
      mayMint: () => !this.log.isFull,
      minted: () => this.#scheduleTurnEnd(),
    })
    this.#keepHorizonLater()
  }

  #keepHorizonLater(): void {
    this.#ports.env.after(HORIZON_INTERVAL_MS, () => {
      if (this.#failed || this.#stopping) return
      if (!this.log.isFull && this.keeper.beat()) this.#scheduleTurnEnd()
      this.#keepHorizonLater()
    })
  }

  get origin(): Origin {
    return this.engine.origin
  }

  get membership(): Membership {
    return this.engine.membership
  }

  get isJoining(): boolean {
    return this.keeper.lacking
  }

  welcomed(joined: VersionVector): void {
    this.keeper.welcomed(joined)
  }

  unheard(): readonly Unheard[] {
    return this.keeper.unheard()
  }

  published({ kind, channel, message }: Publication): void {
    this.engine.published(kind, channel, message)
  }

  announced(): VersionVector | undefined {
    return this.keeper.announced()
  }

  stood(): void {
    this.keeper.judge()
  }

  get applied(): VersionVector {
    return this.engine.applied
  }

  get durable(): VersionVector {
    return this.mesh?.replicas.common ?? this.log.durable
  }

  get isDurableKnown(): boolean {
    return this.mesh.replicas.isCommonKnown
  }

  open(session: Session): void {
    session.user = this.access.first
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
    this.engine.commands.release(session)
  }

  touch(connection: Waiting): void {
    this.#waiting.add(connection)
    this.#scheduleTurnEnd()
  }

  expiryClockMs(): number {
    return this.keeper.mayLackItsOwn ? 0 : this.engine.clock.read()
  }

  recallClock(clockMs: number): void {
    this.engine.clock.atLeast(clockMs)
  }

  apply(record: Uint8Array, batch: BatchReader): void {
    // What is not applied is asked for again.
    if (this.#failed || this.log.isFull) return
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
    // It may evict keys, which belongs to the turn.
    this.memory.turnEnded(this.log.writtenPosition)
    this.engine.endTurn()
    if (this.log.isFull) this.#flushFree()
    const waiting = this.#waiting
    this.#waiting = new Set()
    const opCount = this.#loggedOps - this.#committedOps
    this.#committedOps = this.#loggedOps
    for (const connection of waiting) connection.seal()
    const logged = this.replication.turnEnded(waiting)
    this.log.commit(() => {
      if (this.#failed) return
      logged()
      this.mesh.logAdvanced(opCount)
    })
  }

  /** Replies to what has run in this turn must not leave. */
  #silence(): void {
    const waiting = this.#waiting
    this.#waiting = new Set()
    dropAll(waiting)
  }

  get #loggedOps(): number {
    return this.engine.mintedCount + this.engine.receivedCount
  }

  /**
   * The disk is full, and this turn's replies would wait behind those of earlier turns. Those that promise
   * nothing need not: the turn has written nothing, and no earlier reply of that client waits.
   */
  #flushFree(): void {
    if (this.#loggedOps > this.#committedOps || !this.replication.gate.mayAnswer) return
    for (const connection of this.#waiting) {
      if (connection.hasSealed) continue
      this.#waiting.delete(connection)
      connection.flush()
    }
  }

  #roomChanged(hasRoom: boolean): void {
    const { admission } = this.engine.commands
    if (hasRoom) {
      admission.end('disk')
      this.mesh.resumePulling()
      this.#ports.log.info('the disk has room again: writes are taken, and ops are pulled from peers')
      return
    }
    admission.begin('disk', this.settings.values.appendfsync === 'always')
    this.mesh.stopPulling(reason('disk-full', 'the disk is full: ops of peers could not be logged'))
    this.#ports.log.error(
      `the disk of ${this.#folder} is full: clients may not write, and nothing is pulled from peers, until ` +
        'there is room; reads go on',
    )
  }

  #evict(bytes: number): number {
    if (this.#failed || this.log.isFull) return 0
    const freed = this.engine.evict(bytes)
    if (freed > 0) this.#scheduleTurnEnd()
    return freed
  }

  #memoryChanged(isShort: boolean, sentence: string): void {
    const { admission } = this.engine.commands
    if (isShort) admission.begin('memory')
    else admission.end('memory')
    this.#ports.log.warn(sentence)
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
    this.snapshotter.stop()
    this.adoption.stop()
    await this.mesh.stop(reason)
    // In the middle of recovery nothing was begun that would have to be ended.
    if (!this.engine.commands.admission.has('loading')) await this.#endLog()
    this.#lock.release()
  }

  async #endLog(): Promise<void> {
    if (!this.#failed) {
      this.#endTurn()
      await new Promise<void>((resolve) => this.log.close(resolve))
    }
    // Ops that found no room are gone: their dots are never used again, as after a crash.
    if (this.log.isFull)
      this.#ports.log.warn('the last writes, of which no client was told, found no room on the disk')
    else if (!this.#failed) this.#terms.note(this.keeper.lacking, this.log.durablePosition)
  }
}

function megabytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1)
}
