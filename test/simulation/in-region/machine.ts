/**
 * machine.ts: one node of a region: its machine, the process on it, the agent in the process, its connection to the
 * coordinator, and the guard that speaks for it when it dies.
 *
 * Process, agent and guard are the real ones; only what is around them is simulated.
 */
import { Agent } from '../../../region-node/cluster/agent.ts'
import { Keys } from '../../../region-node/cluster/documents.ts'
import { sayFarewell } from '../../../region-node/cluster/farewell.ts'
import { PROFILES } from '../../../region-node/cluster/profiles.ts'
import type { SettingValues } from '../../../region-node/config.ts'
import type {
  ConnectionSettings,
  MemoryCoordinator,
  MemoryStore,
} from '../../../region-node/coordinator/memory.ts'
import type { Coordinator, Lease, Told } from '../../../region-node/coordinator/port.ts'
import type { NodeCore } from '../../../region-node/core.ts'
import type { SimEnv } from '../../harness/sim-env.ts'
import { type Ending, type SimMachine, SimNode, type SimNodeObserver } from '../../harness/sim-node.ts'

export const PROFILE = PROFILES.high
export const DATABASE = 'db'
export const PARTITION = 0
/** A call of the coordinator is given up after this. */
const DEADLINE_MS = PROFILE.ttlMs / 3
/** From the end of a process to the first words of its guard. */
const GUARD_MS = 20
/** As in `last-will-guard`. */
const GUARD_RETRY_MS = 50
const GUARD_MS_MAX = 5000
/** How long an orderly end may take: as in `node`. */
const STOP_MS_MAX = 5000

export interface MachineOptions {
  readonly region: string
  readonly name: string
  readonly zone: string
  readonly hasGuard: boolean
  readonly isUncleanAllowed: boolean
  /** From here to the coordinator. */
  readonly coordinatorMs: number
}

interface Running {
  readonly core: NodeCore
  readonly agent: Agent
  readonly connection: MemoryCoordinator
}

export class Machine {
  readonly name: string
  readonly region: string
  readonly zone: string
  readonly node: SimNode
  readonly #options: MachineOptions
  readonly #store: MemoryStore
  readonly #noted: (sentence: string) => void
  /** Everything on this machine that talks to the coordinator. */
  readonly #connections = new Set<MemoryCoordinator>()
  #cut: 'not' | 'answers' | 'both' = 'not'
  #running: Running | undefined
  #lease: Lease | undefined
  #isFrozen = false
  /** What it called itself last. */
  nodeId = ''

  constructor(
    settings: Partial<SettingValues> & { region: string },
    machine: SimMachine,
    store: MemoryStore,
    options: MachineOptions,
    observer: SimNodeObserver,
    noted: (sentence: string) => void,
  ) {
    const { name, region, zone } = options
    this.name = name
    this.region = region
    this.zone = zone
    this.#options = options
    this.#store = store
    this.#noted = noted
    this.node = new SimNode(settings, machine, observer, name)
  }

  get core(): NodeCore | undefined {
    return this.node.core
  }

  get agent(): Agent | undefined {
    return this.#running?.agent
  }

  get isUp(): boolean {
    return this.node.core !== undefined
  }

  get isFrozen(): boolean {
    return this.#isFrozen
  }

  get isPrimary(): boolean {
    return this.core?.replication.role === 'primary'
  }

  /** The process does what it should, and hears the coordinator. */
  get isWell(): boolean {
    return this.isUp && !this.#isFrozen && this.#cut === 'not'
  }

  get lease(): Lease | undefined {
    return this.#lease
  }

  /** Begins a process, unless there is one. */
  async start(): Promise<void> {
    if (this.isUp) return
    await this.node.start()
    const { core, env } = this.node
    if (core === undefined || env === undefined) return
    this.nodeId = core.identity.nodeId
    this.#begin(core, env)
  }

  #begin(core: NodeCore, env: SimEnv): void {
    const { name, zone, region, isUncleanAllowed } = this.#options
    const { replication, log } = core
    const connection = this.#connect()
    const agent = new Agent(
      { coordinator: heardBy(env, connection), member: replication, env },
      {
        database: DATABASE,
        region,
        partition: PARTITION,
        partitions: 1,
        profile: PROFILE,
        describe: () => ({ host: name, port: 1, tlsPort: 0, syncUrl: `ws://${name}:1`, zone, version: '0' }),
        isUncleanAllowed: () => isUncleanAllowed,
        isHealthy: () => !log.isFull && log.syncingMs < PROFILE.ttlMs,
      },
      {
        topologyChanged: () => {
          const { topology } = agent
          core.mesh.neighbours.meet(agent.neighbours)
          if (topology !== undefined && topology.self.role !== 'primary') replication.primaryKnown()
        },
        leaseChanged: (lease) => {
          this.#lease = lease
        },
        noted: (sentence) => this.#noted(`${name}: ${sentence}`),
      },
    )
    replication.handOverByAgent = (nodeId, timeoutMs) => agent.handOver(nodeId, timeoutMs, () => {})
    replication.places = agent
    this.#running = { core, agent, connection }
    agent.start()
  }

  #connect(): MemoryCoordinator {
    const settings: ConnectionSettings = { deadlineMs: DEADLINE_MS, delayMs: this.#options.coordinatorMs }
    const connection = this.#store.connect(settings)
    this.#connections.add(connection)
    if (this.#cut !== 'not') connection.cut(this.#cut)
    return connection
  }

  #disconnect(connection: MemoryCoordinator): void {
    connection.close()
    this.#connections.delete(connection)
  }

  /** The process ends from one moment to the next. */
  crash(how: 'kill' | 'power'): void {
    this.node.crash(how)
  }

  /** For the observer of its node: the process has just ended, for whatever reason. */
  ended(how: Ending): void {
    const running = this.#running
    const lease = this.#lease
    this.#running = undefined
    this.#lease = undefined
    this.#isFrozen = false
    if (running !== undefined) this.#disconnect(running.connection)
    if (how === 'kill' && lease !== undefined && this.#options.hasGuard) this.#speakFor(lease)
  }

  #speakFor(lease: Lease): void {
    const { clock } = this.#store
    const connection = this.#connect()
    const keys = new Keys(DATABASE, this.region)
    const endMs = clock.monoMs() + GUARD_MS_MAX
    const attempt = (): void =>
      sayFarewell(connection, keys, PARTITION, lease, (isSaid) => {
        if (isSaid || clock.monoMs() >= endMs) this.#disconnect(connection)
        else clock.after(GUARD_RETRY_MS, attempt)
      })
    clock.after(GUARD_MS, attempt)
  }

  /** An orderly end, as by SIGTERM. */
  async stop(passTime: () => void): Promise<void> {
    const { agent } = this
    if (agent === undefined) return
    let isOver = false
    agent.stop(STOP_MS_MAX, () => {
      isOver = true
    })
    while (!isOver && this.agent === agent) passTime()
    if (this.agent === agent) await this.node.stop(passTime)
  }

  freeze(): void {
    if (!this.isUp) return
    this.#isFrozen = true
    this.node.freeze()
  }

  /** After `freeze`. */
  thaw(first: 'timers' | 'input'): void {
    if (!this.#isFrozen) return
    this.#isFrozen = false
    this.node.thaw(first)
  }

  /** The coordinator is out of reach, or only its answers do not come back. */
  cutCoordinator(what: 'answers' | 'both'): void {
    this.#cut = what
    for (const connection of this.#connections) connection.cut(what)
  }

  healCoordinator(): void {
    this.#cut = 'not'
    for (const connection of this.#connections) connection.heal()
  }
}

/** What the coordinator says reaches a process that is frozen when it goes on. */
function heardBy(env: SimEnv, connection: Coordinator): Coordinator {
  const later =
    <Result>(told: Told<Result>): Told<Result> =>
    (answer) =>
      env.enter(() => told(answer))
  return {
    description: connection.description,
    read: (prefix, told) => connection.read(prefix, later(told)),
    commit: (conditions, changes, told) => connection.commit(conditions, changes, later(told)),
    grant: (ttlMs, told) => connection.grant(ttlMs, later(told)),
    renew: (lease, told) => connection.renew(lease, later(told)),
    revoke: (lease, told) => connection.revoke(lease, later(told)),
    watch: (prefix, after, events) =>
      connection.watch(prefix, after, {
        changed: (changes) => env.enter(() => events.changed(changes)),
        lost: (sentence) => env.enter(() => events.lost(sentence)),
      }),
    close: () => connection.close(),
  }
}
