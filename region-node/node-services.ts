/**
 * node-services.ts: what commands ask of the node, answered from its rooms.
 *
 * A core without sockets (the simulator, tests) gives no `front`: then there are no clients to list.
 */
import type { Latin1 } from '../crdt/codec/bytes.ts'
import type { VersionVector } from '../crdt/version-vector.ts'
import type { LinkState, RegionControl, Services, SnapshotControl } from './commands/services.ts'
import type { Session } from './commands/session.ts'
import { configGet, configSet } from './config.ts'
import type { NodeCore } from './core.ts'
import type { CommandWatch } from './engine/command-watch.ts'
import type { Env } from './env.ts'
import { commandError } from './errors.ts'
import { type HostFacts, INFO_SECTIONS, infoSection } from './info.ts'
import { regionsOf } from './regions.ts'
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
  readonly #core: NodeCore
  readonly #env: Env
  readonly #front: Front

  constructor(core: NodeCore, env: Env, front: Front) {
    this.#core = core
    this.#env = env
    this.#front = front
    this.regions = {
      list: () => regionsOf(core),
      change: (regionId, name, url, status) => core.changeRegion(regionId, name, url, status),
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

  infoSection(name: string): string | undefined {
    return infoSection(name, this.#core, this.#front.facts())
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

  resetStatistics(): void {
    this.#core.engine.resetStatistics()
    this.#front.resetStatistics()
  }

  get password(): string {
    return this.#core.settings.values.requirepass
  }

  get databaseCount(): number {
    return this.#core.settings.values.databases
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

  after(delayMs: number, task: () => void): { cancel(): void } {
    return this.#env.after(delayMs, task)
  }

  wallMs(): number {
    return this.#env.wallMs()
  }
}
