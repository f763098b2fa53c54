/**
 * placed-region.ts: a region of compose-cluster.yaml: three machines with the nodes that are placed on them, and an etcd
 * of three members, each in a container. What is where is asked of `causeway cluster status` in one of the machines.
 *
 * Nodes call themselves by the names of their containers, which nobody outside can look up: so every client here maps
 * them to the ports at which the engine publishes them.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { Redis, type Cluster as RedisCluster } from 'ioredis'
import { partitionOf } from '../../region-node/cluster/topology.ts'
import { slotOf } from '../../region-node/engine/slot.ts'
import { connectCluster, type Witness } from '../cluster/writer.ts'
import { connect } from '../region.ts'
import type { ContainerEngine } from './engine.ts'
import { until } from './until.ts'

/** As in compose-cluster.yaml. */
const PER_REGION = 3
const FIRST_PROXY_PORT = 9000
const CAUSEWAY = ['node', '/app/bin/causeway.mjs']
/** Sixteen nodes may start at once, on two cores. */
const SETTLE_MS_MAX = 180_000
const CREATE_MS_MAX = 240_000
const LOOK_MS = 250

interface NodeStatus {
  readonly address: string
  readonly zone: string
  /** Of a replica. */
  readonly isInSync?: boolean
}

/** The part of `causeway cluster status --json` that is of use here. */
export interface Status {
  readonly partitions: readonly {
    readonly partition: number
    readonly term: number
    readonly primary: NodeStatus | null
    readonly replicas: readonly NodeStatus[]
  }[]
  readonly machines?: readonly {
    readonly name: string
    readonly zone: string
    readonly held: readonly number[]
    readonly address: string | null
    readonly takesCopies: boolean
  }[]
  readonly moves?: readonly object[]
  readonly warnings: readonly string[]
}

export class PlacedRegion {
  readonly name: string
  readonly machines: readonly string[]
  readonly #engine: ContainerEngine
  /** `container:port` of every place where a node may listen, each with the port of this machine. */
  readonly #published = new Map<string, number>()
  #password = ''

  constructor(engine: ContainerEngine, name: string) {
    this.#engine = engine
    this.name = name
    this.machines = Array.from({ length: PER_REGION }, (_, at) => `causeway-${name.toLowerCase()}${at + 1}`)
  }

  get etcdMembers(): readonly string[] {
    return this.machines.map((machine) => machine.replace('causeway-', 'causeway-etcd-'))
  }

  /** Waits until all machines are registered. @throws Error when a container is not there, or they are not in time */
  async open(): Promise<void> {
    for (const machine of this.machines)
      for (const [port, published] of await this.#engine.publishedPorts(machine))
        this.#published.set(`${machine}:${port}`, published)
    this.#password = await this.#engine.variable(this.machines[0]!, 'CAUSEWAY_REQUIREPASS')
    await this.await('all machines are there', ({ machines = [] }) => {
      const there = machines.filter(({ address }) => address !== null)
      return there.length === this.machines.length
    })
  }

  async status(): Promise<Status> {
    // Its exit code says whether all is well, and that is not what is asked here.
    const words = ['sh', '-c', `${CAUSEWAY.join(' ')} cluster status --json || true`]
    return JSON.parse(await this.#exec(words)) as Status
  }

  /** Runs a program in a machine of the region that is there. @returns what it printed */
  async #exec(words: readonly string[], timeoutMs?: number): Promise<string> {
    let failure: unknown
    for (const machine of this.machines)
      try {
        return await this.#engine.exec(machine, words, timeoutMs)
      } catch (error) {
        failure = error
      }
    throw failure
  }

  /** Places partitions, unless that was done before. @returns what `causeway cluster` printed */
  async place(partitions: number, copies: number): Promise<string> {
    const { machines = [] } = await this.status()
    if (machines.some(({ takesCopies }) => takesCopies)) return ''
    const words = ['create', '--partitions', String(partitions), '--copies', String(copies)]
    return this.#exec([...CAUSEWAY, 'cluster', ...words], CREATE_MS_MAX)
  }

  /** Waits until it is so. @returns what the status is then @throws Error */
  async await(what: string, isSo: (status: Status) => boolean): Promise<Status> {
    let last: Status | undefined
    const holds = async (): Promise<boolean> => {
      await delay(LOOK_MS)
      last = await this.status()
      return isSo(last)
    }
    if ((await until(holds, SETTLE_MS_MAX)) === undefined)
      throw new Error(
        `region ${this.name} after ${SETTLE_MS_MAX / 1000} s: not so that ${what}: ${last?.warnings.join('; ')}`,
      )
    return last!
  }

  /** Waits until every copy is where it is to be, and in sync. */
  settled(copies: number): Promise<Status> {
    return this.await(
      'all copies are in sync',
      ({ partitions, machines = [], moves = [], warnings }) =>
        warnings.length === 0 &&
        moves.length === 0 &&
        machines.every(({ address }) => address !== null) &&
        partitions.every(
          ({ primary, replicas }) =>
            primary !== null && replicas.length === copies - 1 && replicas.every(({ isInSync }) => isInSync),
        ),
    )
  }

  /** A client by the protocol of Redis Cluster. */
  clusterClient(options: { readonly sendsAgain: boolean; readonly hasTimeout: boolean }): RedisCluster {
    const seeds = [...this.#published.values()].map((port) => ({ host: '127.0.0.1', port }))
    const natMap = Object.fromEntries(
      [...this.#published].map(([address, port]) => [address, { host: '127.0.0.1', port }]),
    )
    return connectCluster(seeds, { ...options, password: this.#password, natMap })
  }

  /** Where a node is that takes clients for the whole region. @param not  in a container of another name */
  async proxyAddress(not = ''): Promise<string> {
    const { machines = [] } = await this.status()
    const machine = machines.find(({ name, held }) => containerOf(name) !== not && held.length > 0)
    if (machine === undefined) throw new Error(`region ${this.name} has no node`)
    return `${containerOf(machine.name)}:${FIRST_PROXY_PORT + machine.held[0]!}`
  }

  /** A client that knows of one server only. */
  plainClient(address: string): Redis {
    const place = { host: '127.0.0.1', port: this.publishedAt(address) }
    const client = new Redis({ ...place, password: this.#password, protocol: 2 })
    client.on('error', () => {})
    return client
  }

  get password(): string {
    return this.#password
  }

  /** @param address  as a node calls itself @returns its port of this machine @throws Error */
  publishedAt(address: string): number {
    const port = this.#published.get(address)
    if (port === undefined) throw new Error(`${address} is not published`)
    return port
  }

  /** Asks one node what it has itself. @throws ReplyError */
  async ask(address: string, [name, ...words]: readonly [string, ...string[]]): Promise<unknown> {
    const client = await connect(this.publishedAt(address), { password: this.#password })
    try {
      await client.readonly()
      return await client.call(name, words)
    } finally {
      client.disconnect()
    }
  }

  /** All copies as they are now: the first of each partition, which are the primaries, the second ones, and so on. */
  async copies(): Promise<readonly CopySet[]> {
    const { partitions } = await this.status()
    const addresses = partitions.map(({ primary, replicas }) =>
      [...(primary === null ? [] : [primary]), ...replicas].map(({ address }) => address),
    )
    const sets = Math.max(...addresses.map(({ length }) => length))
    return Array.from(
      { length: sets },
      (_, at) =>
        new CopySet(
          `${this.name}, ${at === 0 ? 'primaries' : 'replicas'}`,
          this,
          addresses.map((all) => all[at] ?? all[0]!),
        ),
    )
  }
}

function containerOf(machine: string): string {
  return `causeway-${machine}`
}

/** The container with the most primaries, and of which partitions. */
export function busiest({ partitions, machines = [] }: Status): {
  container: string
  primaries: readonly number[]
} {
  const all = machines.map(({ name }) => ({
    container: containerOf(name),
    primaries: partitions
      .filter(({ primary }) => primary?.address.startsWith(`${containerOf(name)}:`))
      .map(({ partition }) => partition),
  }))
  return all.sort((one, other) => other.primaries.length - one.primaries.length)[0]!
}

/** One copy of each partition: together all that the region has. */
export class CopySet implements Witness {
  readonly name: string
  /** By partition. */
  readonly addresses: readonly string[]
  readonly #region: PlacedRegion

  constructor(name: string, region: PlacedRegion, addresses: readonly string[]) {
    this.name = name
    this.#region = region
    this.addresses = addresses
  }

  /** Asks the copy that has the key, which is the first word behind the name. */
  ask(...words: readonly [string, ...string[]]): Promise<unknown> {
    const partition = partitionOf(slotOf(words[1] ?? ''), this.addresses.length)
    return this.#region.ask(this.addresses[partition]!, words)
  }

  askEach(...words: readonly [string, ...string[]]): Promise<unknown[]> {
    return Promise.all(this.addresses.map((address) => this.#region.ask(address, words)))
  }

  async size(): Promise<number> {
    return (await this.askEach('DBSIZE')).reduce<number>((sum, size) => sum + Number(size), 0)
  }
}
