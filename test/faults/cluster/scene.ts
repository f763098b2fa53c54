/**
 * scene.ts: two regions of several nodes with an etcd of three members, where every way between them leads through a
 * relay that a test can cut, silence or slow down.
 *
 * Nodes listen on 127.0.0.2, and say that they are at 127.0.0.1: there, on the same ports, stand the relays. Behind the
 * port for links stand two of them: one for the nodes of the region, and one for those of the other region, which are
 * told that address too. Who dials is asked of the system. Every node has relays of its own to the etcd.
 * Needs Linux: a loopback that is all of 127.0.0.0/8, and its /proc.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Cluster } from '../../../compose/cluster/cluster.ts'
import type { ClusterNode } from '../../../compose/cluster/cluster-node.ts'
import { type NodePorts, nodeNames, planCluster } from '../../../compose/cluster/cluster-plan.ts'
import { EtcdMembers } from '../../../compose/cluster/etcd-members.ts'
import { type Address, ClusterWriter } from '../../../compose/cluster/writer.ts'
import { isDialedBy } from '../../harness/dialer.ts'
import { freePorts } from '../../harness/free-ports.ts'
import { Relay, RelayDoor } from '../../harness/relay.ts'

const BEHIND = '127.0.0.2'
const BEFORE = '127.0.0.1'
const ETCD_SIZE = 3

export const REGIONS: ReadonlyMap<string, readonly string[]> = new Map([
  ['A', ['zone-1', 'zone-2', 'zone-3']],
  ['B', ['zone-1', 'zone-2']],
])

/** The ways that lead to and from one node. */
export interface NodeRelays {
  readonly clients: Relay
  /** By which the replicas of its region pull from it. */
  readonly replicas: Relay
  /** By which other regions pull from it. */
  readonly regions: Relay
  /** By which it reaches the members of the etcd. */
  readonly etcd: readonly Relay[]
}

export class Scene {
  readonly cluster: Cluster
  readonly relays: ReadonlyMap<string, NodeRelays>
  readonly #doors: readonly RelayDoor[]
  readonly #folder: string
  #writers = 0

  private constructor(
    cluster: Cluster,
    relays: ReadonlyMap<string, NodeRelays>,
    doors: readonly RelayDoor[],
    folder: string,
  ) {
    this.cluster = cluster
    this.relays = relays
    this.#doors = doors
    this.#folder = folder
  }

  /**
   * @param tellsRegionsApart  to cut the regions and nothing else; to ask who dials takes some milliseconds of each new
   * link, which clients wait for at a hand-over. Without it the way of the replicas is that of the regions
   */
  static async start(tellsRegionsApart = true): Promise<Scene> {
    const folder = mkdtempSync(join(tmpdir(), 'causeway-cluster-'))
    const etcd = new EtcdMembers(folder, await freePorts(2 * ETCD_SIZE))
    const ports = new Map<string, NodePorts>()
    const relays = new Map<string, NodeRelays>()
    const doors: RelayDoor[] = []
    const etcdPorts = new Map<string, readonly number[]>()
    for (const [region, zones] of REGIONS)
      for (const name of nodeNames(region, zones)) {
        const [port, syncPort, adminPort, ...toEtcd] = (await freePorts(3 + ETCD_SIZE)) as [
          ...[number, number, number],
          ...number[],
        ]
        ports.set(name, { port, syncPort, adminPort })
        etcdPorts.set(name, toEtcd)
        const own = relaysOf(port, syncPort, etcd)
        relays.set(name, own)
        doors.push(
          await RelayDoor.listen({ host: BEFORE, port }, () => own.clients),
          await RelayDoor.listen({ host: BEFORE, port: syncPort }, (near) =>
            tellsRegionsApart
              ? isDialedBy(near, scene.pidsOf(region)).then((isOwn) => (isOwn ? own.replicas : own.regions))
              : own.replicas,
          ),
          ...(await Promise.all(
            toEtcd.map((at, member) => RelayDoor.listen({ host: BEFORE, port: at }, () => own.etcd[member]!)),
          )),
        )
      }
    const plans = planCluster({
      ...{ regions: REGIONS, ports, folder, bind: BEHIND, address: BEFORE, settings: {} },
      coordinator: (node) => etcdPorts.get(node)!.map((at) => `http://${BEFORE}:${at}`),
    })
    const scene = new Scene(new Cluster(etcd, plans), relays, doors, folder)
    try {
      await scene.cluster.start()
      return scene
    } catch (error) {
      await scene.stop()
      throw error
    }
  }

  pidsOf(region: string): number[] {
    return this.cluster
      .nodesOf(region)
      .filter(({ process }) => process.isRunning)
      .map(({ process }) => process.pid)
  }

  relaysOf(node: ClusterNode): NodeRelays {
    return this.relays.get(node.name)!
  }

  /** Every way to and from a node. */
  around(node: ClusterNode): readonly Relay[] {
    const { clients, replicas, regions, etcd } = this.relaysOf(node)
    return [clients, replicas, regions, ...etcd]
  }

  /** The ways between the two regions. */
  get between(): readonly Relay[] {
    return [...this.relays.values()].map(({ regions }) => regions)
  }

  /** Every relay forwards again, at once and at full speed. */
  mend(): void {
    for (const { clients, replicas, regions, etcd } of this.relays.values())
      for (const relay of [clients, replicas, regions, ...etcd]) {
        relay.delayMs = 0
        relay.bytesPerSecondMax = Number.POSITIVE_INFINITY
        relay.open()
      }
  }

  seeds(region: string): readonly Address[] {
    return this.cluster.nodesOf(region).map(({ plan }) => ({ host: BEFORE, port: plan.port }))
  }

  /** A writer of a region that has been answered. */
  async writer(region: string): Promise<ClusterWriter> {
    const writer = new ClusterWriter(`${region}-${++this.#writers}`, this.seeds(region))
    await writer.start()
    return writer
  }

  /** On every node that runs, until it ends. */
  async configure(name: string, value: string): Promise<void> {
    for (const node of this.cluster.nodes)
      if (node.process.isRunning) await node.ask('CONFIG', 'SET', name, value)
  }

  async stop(): Promise<void> {
    await Promise.all(this.cluster.nodes.map((node) => node.process.kill()))
    await this.cluster.etcd.end()
    for (const { clients, replicas, regions, etcd } of this.relays.values())
      for (const relay of [clients, replicas, regions, ...etcd]) relay.cut()
    await Promise.all(this.#doors.map((door) => door.close()))
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

function relaysOf(port: number, syncPort: number, etcd: EtcdMembers): NodeRelays {
  const sync = { host: BEHIND, port: syncPort }
  return {
    clients: new Relay({ host: BEHIND, port }),
    replicas: new Relay(sync),
    regions: new Relay(sync),
    etcd: etcd.endpoints.map((url) => new Relay({ host: BEFORE, port: Number(new URL(url).port) })),
  }
}
