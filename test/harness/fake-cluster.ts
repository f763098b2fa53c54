/**
 * fake-cluster.ts: the nodes of a region in one process, behind real sockets, with a topology that the test decides.
 *
 * A node is an engine without a log behind a real listener. Nobody watches anybody: a replica has what `replicate`
 * brings it, and roles are what the test says.
 */
import type { FailoverKind } from '../../region-node/cluster/cluster-view.ts'
import type { ClusterNode, Topology } from '../../region-node/cluster/topology.ts'
import type { Session } from '../../region-node/commands/session.ts'
import { nodeEnv } from '../../region-node/env-node.ts'
import type { CommandError } from '../../region-node/errors.ts'
import { sentinelDoor } from '../../region-node/sentinel/door.ts'
import { Sentinel } from '../../region-node/sentinel/sentinel.ts'
import type { CommandSink, TurnPort } from '../../region-node/server/connection.ts'
import { ClientListener, type ListenerLimits } from '../../region-node/server/listener.ts'
import { freePorts } from './free-ports.ts'
import { NO_OUTPUT_LIMITS } from './no-output-limits.ts'
import { TestEngine } from './test-engine.ts'

const LIMITS: ListenerLimits = {
  bulkBytesMax: 2 ** 26,
  queryBytesMax: 2 ** 27,
  wordsMax: 1000,
  output: NO_OUTPUT_LIMITS,
  idleSecondsMax: 0,
  clientsMax: 100,
  isProtected: () => false,
  keepaliveSeconds: 0,
}

/** A node of a topology; what a test does not care about is made up from its number. */
export function clusterNode(number: number, told: Partial<ClusterNode> = {}): ClusterNode {
  return {
    id: number.toString(16).padStart(40, '0'),
    host: '127.0.0.1',
    port: 7000 + number,
    tlsPort: 0,
    partition: 0,
    zone: '',
    role: 'primary',
    isUp: true,
    offset: 100 * number,
    ...told,
  }
}

/** As node `self` sees it. @param nodes  by partition, primaries first */
export function topologyOf(nodes: readonly ClusterNode[], self = 0, partitions = 1, epoch = 1): Topology {
  return { self: nodes[self]!, nodes, partitions, epoch, isOpen: false }
}

class FakeNode {
  readonly engine: TestEngine
  readonly listener: ClientListener
  readonly failovers: FailoverKind[] = []

  constructor(number: number, port: number) {
    this.engine = new TestEngine(number, {
      region: 'here',
      infoSections: [{ name: 'cluster', isDefault: true }],
      infoSection: () => '# Cluster\r\ncluster_enabled:1\r\n',
      after: nodeEnv().after,
      failover: (kind): CommandError | undefined => {
        this.failovers.push(kind)
        return undefined
      },
    })
    this.listener = new ClientListener(
      { host: '127.0.0.1', port, tls: undefined },
      {
        env: nodeEnv(),
        sink: sinkOf(this.engine),
        turn: AT_ONCE,
        peers: undefined,
        limits: LIMITS,
        log: { warn() {} },
      },
    )
  }

  become(topology: Topology): void {
    this.engine.services.topology = topology
    this.engine.engine.commands.topologyChanged(topology)
  }
}

/** There is no log to wait for. */
const AT_ONCE: TurnPort = { touch: (connection) => nodeEnv().defer(() => connection.flush()) }

function sinkOf({ engine, access }: TestEngine): CommandSink {
  return {
    open: (session) => {
      session.user = access.first
    },
    execute: (session, words) => engine.execute(session, words),
    close: (session) => engine.commands.release(session),
  }
}

export class FakeCluster {
  readonly #nodes: readonly FakeNode[]
  readonly #partitions: number
  #members: readonly ClusterNode[]
  #epoch = 1
  readonly #sentinel: Sentinel
  readonly #sentinelDoor: ClientListener

  private constructor(members: readonly ClusterNode[], partitions: number, sentinelPort: number) {
    this.#members = members
    this.#partitions = partitions
    this.#nodes = members.map(({ port }, i) => new FakeNode(i + 1, port))
    const { access } = this.#nodes[0]!.engine
    this.#sentinel = new Sentinel({
      region: 'here',
      id: 'f'.repeat(40),
      access,
      services: { wallMs: () => nodeEnv().wallMs() },
    })
    this.#sentinelDoor = sentinelDoor(
      { host: '127.0.0.1', port: sentinelPort, tls: undefined },
      this.#sentinel,
      {
        env: nodeEnv(),
        limits: LIMITS,
        log: { warn() {} },
      },
    )
  }

  /** Nodes listen on ports of their own. @param members  what each one is; by partition, primaries first */
  static async start(members: readonly Partial<ClusterNode>[], partitions: number): Promise<FakeCluster> {
    const [sentinelPort, ...ports] = await freePorts(members.length + 1)
    const nodes = members.map((told, i) => clusterNode(i + 1, { ...told, port: ports[i]! }))
    const cluster = new FakeCluster(nodes, partitions, sentinelPort!)
    await Promise.all([
      ...cluster.#nodes.map(({ listener }) => listener.listen()),
      cluster.#sentinelDoor.listen(),
    ])
    cluster.#tell()
    return cluster
  }

  get sentinelPort(): number {
    return this.#sentinelDoor.port
  }

  port(node: number): number {
    return this.#members[node]!.port
  }

  engine(node: number): TestEngine {
    return this.#nodes[node]!.engine
  }

  /** Clients of a node. */
  sessions(node: number): Session[] {
    return Array.from(this.#nodes[node]!.listener.connections, ({ session }) => session)
  }

  /** Clients that listen at the sentinel's port. */
  get sentinelListeners(): number {
    return [...this.#sentinelDoor.connections].filter(({ session }) => session.subscriptions > 0).length
  }

  /** What CLUSTER FAILOVER has asked a node for. */
  failovers(node: number): readonly FailoverKind[] {
    return this.#nodes[node]!.failovers
  }

  /** A replica has all that its primary has. */
  replicate(from: number, to: number): void {
    this.engine(to).pullFrom(this.engine(from))
  }

  /** Two members of a partition change places, and all nodes know. */
  swapRoles(primary: number, replica: number): void {
    this.#members = this.#members.map((node, i) => {
      if (i === primary) return { ...node, role: 'replica' }
      return i === replica ? { ...node, role: 'primary' } : node
    })
    this.#epoch++
    this.#tell()
  }

  #tell(): void {
    for (const [i, node] of this.#nodes.entries())
      node.become(topologyOf(this.#members, i, this.#partitions, this.#epoch))
    this.#sentinel.topologyChanged(topologyOf(this.#members, 0, this.#partitions, this.#epoch))
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#nodes.map(({ listener }) => listener.close()), this.#sentinelDoor.close()])
  }
}
