/**
 * node-agent.ts: the agent of a real node: with the coordinator that its settings name, and a guard that speaks
 * for it when it dies.
 */

import type { Neighbour } from '../../sync/neighbours.ts'
import { syncUrlOf } from '../../sync/sync-url.ts'
import type { SettingValues } from '../config.ts'
import { etcdSettings, folderOf, openCoordinator } from '../coordinator/open.ts'
import type { Coordinator, Lease } from '../coordinator/port.ts'
import type { Env } from '../env.ts'
import { StartError } from '../start-error.ts'
import { VERSION } from '../version.ts'
import { Agent, type AgentStatus } from './agent.ts'
import type { Configuration } from './configuration.ts'
import { ConfigurationWatch } from './configuration-watch.ts'
import { Keys } from './documents.ts'
import { LastWill } from './last-will.ts'
import type { Member } from './member.ts'
import { deadlineMsOf, PROFILES } from './profiles.ts'
import type { Topology } from './topology.ts'

export interface NodeAgentParts {
  readonly values: SettingValues
  readonly env: Env
  readonly member: Member
  readonly configuration: Configuration
  /** The port on which clients reach this node, and the one for TLS; 0: none. */
  readonly ports: () => { readonly port: number; readonly tlsPort: number }
  /** For how long an fsync has been under way, milliseconds. */
  readonly syncingMs: () => number
  readonly isDiskFull: () => boolean
  readonly topologyChanged: (topology: Topology) => void
  readonly info: (sentence: string) => void
}

export class NodeAgent {
  readonly #parts: NodeAgentParts
  readonly #coordinator: Coordinator
  readonly #will: LastWill | undefined
  readonly #agent: Agent
  readonly #configuration: ConfigurationWatch

  /** @throws StartError */
  constructor(parts: NodeAgentParts) {
    this.#parts = parts
    const { values, env, member } = parts
    const { host, syncUrl } = addressOf(values)
    const profile = PROFILES[values['failover-profile']]
    const deadlineMs = deadlineMsOf(profile)
    const { region, partition, partitions } = values
    const database = values['database-name']
    this.#coordinator = openCoordinator(values, deadlineMs, env)
    if (folderOf(values) === undefined) {
      const etcd = etcdSettings(values, deadlineMs)
      this.#will = new LastWill({ etcd, database, region, partition }, env)
    }
    this.#agent = new Agent(
      { coordinator: this.#coordinator, member, env },
      {
        database,
        region,
        partition,
        partitions,
        profile,
        describe: () => ({
          host,
          ...parts.ports(),
          syncUrl,
          zone: values.zone,
          version: VERSION,
          ...parts.configuration.report,
        }),
        isUncleanAllowed: () => values['unclean-failover'],
        isHealthy: () => !parts.isDiskFull() && parts.syncingMs() < profile.ttlMs,
      },
      {
        topologyChanged: () => this.#topologyChanged(),
        leaseChanged: (lease) => this.#leaseChanged(lease),
        noted: parts.info,
      },
    )
    this.#configuration = new ConfigurationWatch(this.#coordinator, env, new Keys(database, region), {
      read: (document) => parts.configuration.take(document),
      warned: parts.info,
    })
  }

  #leaseChanged(lease: Lease | undefined): void {
    if (lease !== undefined) {
      this.#will?.name(lease)
      return
    }
    this.#will?.withdraw()
    // A coordinator that was restored from a backup knows nothing of the lease, and may say something else.
    this.#configuration.read()
  }

  #topologyChanged(): void {
    const { topology } = this.#agent
    if (topology !== undefined) this.#parts.topologyChanged(topology)
  }

  start(): void {
    this.#parts.info(
      `who is primary of region ${this.#parts.values.region} is agreed by ${this.#coordinator.description}`,
    )
    this.#configuration.read()
    this.#agent.start()
  }

  /** Hands over if somebody is there, and gives the lease back. @param limitMs  how long that may take */
  stop(limitMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#agent.stop(limitMs, () => {
        this.#will?.close()
        this.#configuration.close()
        this.#coordinator.close()
        resolve()
      })
    })
  }

  get topology(): Topology | undefined {
    return this.#agent.topology
  }

  get status(): AgentStatus {
    return this.#agent.status
  }

  get syncUrl(): string {
    return this.#agent.syncUrl
  }

  get neighbours(): readonly Neighbour[] {
    return this.#agent.neighbours
  }

  /** See `Agent.nodesOf`. */
  nodesOf(partition: number): string[] {
    return this.#agent.nodesOf(partition)
  }

  /** See `Agent.forget`. */
  forget(nodeId: string): string | undefined {
    return this.#agent.forget(nodeId)
  }

  /** See `Agent.handOver`. */
  handOver(target: string, timeoutMs: number): void {
    this.#agent.handOver(target, timeoutMs, (failure) =>
      this.#parts.info(failure === undefined ? `handed over to ${target}` : `not handed over: ${failure}`),
    )
  }
}

/** Where others reach this node. @throws StartError when nobody could know */
function addressOf(values: SettingValues): { readonly host: string; readonly syncUrl: string } {
  const { bind } = values
  const host = values['replica-announce-ip'] === '' ? bind : values['replica-announce-ip']
  if (host === '0.0.0.0' || host === '::' || host === '*') {
    throw new StartError(
      `bind ${bind} does not say where others reach this node: name its address with --replica-announce-ip.`,
    )
  }
  const announced = values['sync-announce-url']
  if (announced !== '') return { host, syncUrl: announced }
  const isTls = values['tls-replication']
  const clientPort = isTls ? values['tls-port'] : values.port
  const port = values['sync-port'] === 0 ? clientPort : values['sync-port']
  if (isTls && port === 0)
    throw new StartError(
      'tls-replication yes needs a port where other nodes reach this one: tls-port, or sync-port',
    )
  return { host, syncUrl: syncUrlOf(`${host.includes(':') ? `[${host}]` : host}:${port}`, isTls) }
}
