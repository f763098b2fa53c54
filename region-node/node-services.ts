/**
 * node-services.ts: what commands ask of the node, answered from its rooms.
 *
 * A core without sockets (the simulator, tests) gives no `front`: then there are no clients to list.
 */
import type { Latin1 } from '../crdt/codec/bytes.ts'
import type { VersionVector } from '../crdt/version-vector.ts'
import type { ChannelKind } from '../sync/ports.ts'
import type { AclFile } from './acl/acl-file.ts'
import { ClusterView, type FailoverKind } from './cluster/cluster-view.ts'
import type { Topology } from './cluster/topology.ts'
import type {
  LinkState,
  MemoryFigures,
  RegionControl,
  ReplicationControl,
  Services,
  SnapshotControl,
} from './commands/services.ts'
import type { Session } from './commands/session.ts'
import { configGet, configRewrite, configSet } from './config.ts'
import type { NodeCore } from './core.ts'
import type { CommandWatch } from './engine/command-watch.ts'
import { DiskError, type Env } from './env.ts'
import { type CommandError, commandError, errors } from './errors.ts'
import { type HostFacts, INFO_SECTIONS, infoSection } from './info.ts'
import { memoryFigures } from './memory-figures.ts'
import { regionsOf } from './regions.ts'
import { LuaHost } from './scripts/lua-host.ts'
import { luaProgram } from './scripts/lua-program.ts'
import type { ScriptHost } from './scripts/port.ts'
import { VERSION } from './version.ts'

/** The side of the node that clients and operators see. */
export interface Front {
  readonly sessions: Iterable<Session>
  facts(): HostFacts
  resetStatistics(): void
  shutdown(): void
  /** Stops the process for a while. */
  stall(ms: number): void
}

export class NodeServices implements Services {
  readonly version = VERSION
  readonly infoSections = INFO_SECTIONS
  readonly regions: RegionControl
  readonly replication: ReplicationControl
  readonly scripts: ScriptHost
  readonly #core: NodeCore
  readonly #env: Env
  readonly #front: Front
  readonly #cluster: ClusterView

  constructor(core: NodeCore, env: Env, front: Front, cluster = new ClusterView()) {
    this.#core = core
    this.#env = env
    this.#front = front
    this.#cluster = cluster
    this.scripts = new LuaHost(luaProgram, core.latin1, (level, text) => logOfScript(core, level, text))
    this.replication = {
      state: () => core.replication.state(),
      follow: (address) => this.configSet([['replica-of', address]]),
      get waits() {
        return core.replication.waits
      },
      get handOver() {
        return core.replication.handOver
      },
    }
    this.regions = {
      list: () => regionsOf(core),
      change: (...change) => core.changeRegion(...change),
      changeMode: (mode) => core.changeMode(mode),
    }
  }

  get region(): string {
    return this.#core.identity.region
  }

  get regionId(): number {
    return this.#core.identity.regionId
  }

  get applied(): VersionVector {
    return this.#core.applied
  }

  get durable(): VersionVector {
    return this.#core.durable
  }

  get latin1(): Latin1 {
    return this.#core.latin1
  }

  get conflicts(): NodeCore['conflicts'] {
    return this.#core.conflicts
  }

  collectGarbage(): void {
    this.#env.collectGarbage('all')
  }

  memoryFigures(): MemoryFigures {
    const { process, clients } = this.#front.facts()
    return memoryFigures(this.#core, process, clients.bufferedBytes)
  }

  infoSection(name: string, { isProxied }: Session): string | undefined {
    return infoSection(name, this.#core, { ...this.#front.facts(), isProxied })
  }

  configGet(patterns: readonly string[]): readonly (readonly [string, string])[] {
    const flat = configGet(this.#core.settings, patterns)
    const pairs: [string, string][] = []
    for (let i = 0; i + 1 < flat.length; i += 2) pairs.push([flat[i]!, flat[i + 1]!])
    return pairs
  }

  configSet(pairs: readonly (readonly [string, string])[]): void {
    const refusal = configSet(this.#core.settings, pairs.flat())
    if (refusal !== undefined) throw commandError(refusal)
    this.#core.watch.configure()
  }

  configRewrite(): void {
    const { settings } = this.#core
    const { latin1 } = this.#core
    const { disk } = this.#env
    if (settings.path === undefined) throw errors.noConfigFile
    try {
      const bytes = disk.readFile(settings.path) ?? new Uint8Array(0)
      const text = configRewrite(settings, latin1.read(bytes, 0, bytes.length))
      const rewritten = new Uint8Array(text.length)
      latin1.write(rewritten, text, 0)
      disk.replaceFile(settings.path, rewritten)
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      throw commandError(`ERR Rewriting config file: ${error.message}`)
    }
  }

  resetStatistics(): void {
    this.#core.engine.resetStatistics()
    this.#front.resetStatistics()
  }

  get scriptLimitMs(): number {
    return this.#core.settings.values['busy-reply-threshold']
  }

  get databaseCount(): number {
    return this.#core.settings.values.databases
  }

  get streamIdMode(): Services['streamIdMode'] {
    return this.#core.settings.values['stream-id-mode']
  }

  get stringBytesMax(): number {
    return this.#core.settings.values['proto-max-bulk-len']
  }

  get watch(): CommandWatch {
    return this.#core.watch
  }

  get debugCommand(): 'no' | 'yes' | 'local' {
    return this.#core.settings.values['enable-debug-command']
  }

  get logPosition(): number {
    return this.#core.log.writtenPosition
  }

  get aclFile(): AclFile {
    return this.#core.aclFile
  }

  get snapshots(): SnapshotControl {
    return this.#core.snapshotter
  }

  get sessions(): Iterable<Session> {
    return this.#front.sessions
  }

  shutdown(): void {
    this.#front.shutdown()
  }

  stall(ms: number): void {
    this.#front.stall(ms)
  }

  get topology(): Topology | undefined {
    return this.#cluster.topology
  }

  failover(kind: FailoverKind): CommandError | undefined {
    return this.#cluster.failover(kind)
  }

  forget(nodeId: string): CommandError | undefined {
    return this.#cluster.forget(nodeId)
  }

  setLink(region: string, up: boolean): boolean {
    return this.#core.mesh.setLink(region, up)
  }

  resync(region: string): string | undefined {
    return this.#core.mesh.resync(region)
  }

  links(): readonly LinkState[] {
    return this.#core.mesh.links()
  }

  awaitDurable(target: VersionVector, timeoutMs: number, done: (peers: number) => void): () => void {
    const { cancel } = this.#core.mesh.awaitDurable(target, timeoutMs, done)
    return cancel
  }

  publish(kind: ChannelKind, channel: string, message: string): void {
    this.#core.mesh.publish({ kind, channel, message })
  }

  digest(done: (digest: string) => void): () => void {
    return this.#core.digests.take(done)
  }

  after(delayMs: number, task: () => void): { cancel(): void } {
    return this.#env.after(delayMs, task)
  }

  wallMs(): number {
    return this.#env.wallMs()
  }
}

const LOG_NOTICE = 2

/** redis.log; what is less than a notice is for who writes the script, and has no reader here. */
function logOfScript(core: NodeCore, level: number, text: string): void {
  if (level >= LOG_NOTICE) core.report(`a script says: ${text}`)
}
