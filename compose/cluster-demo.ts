/**
 * cluster-demo.ts: `npm run demo:cluster`: two regions of three nodes each and a real etcd of three members on this
 * machine; primaries are killed, frozen and asked to hand over while clients write. Then an open stage until Ctrl-C.
 *
 *   npm run demo:cluster                  the demonstration, then everything stays up
 *   npm run demo:cluster -- --exit        the demonstration only; the exit code is 1 if a claim turned out false
 *   npm run demo:cluster -- --port 7301   other ports: 7301 to 7306 for clients, +1000 for admin, +2000 for sync,
 *                                         7351 to 7356 for the etcd
 *
 * Invariants: (1) every claim is computed from replies. (2) Whatever happens, all that was started is ended.
 */
import {
  type Company,
  freezePrimary,
  handOver,
  killPrimary,
  loseEtcdMember,
  loseZone,
} from './acts/failovers.ts'
import { loadData } from './acts/load-data.ts'
import { reckon } from './acts/reckoning.ts'
import { Cluster } from './cluster/cluster.ts'
import { nodeNames, planCluster } from './cluster/cluster-plan.ts'
import { EtcdMembers, etcdIsInstalled } from './cluster/etcd-members.ts'
import { CLIENT_SENTENCE, ClusterWriter } from './cluster/writer.ts'
import type { Stage } from './stage.ts'
import { demonstrate, type Play } from './theatre.ts'

const FIRST_PORT = 7201
const ADMIN_OFFSET = 1000
const SYNC_OFFSET = 2000
const ETCD_OFFSET = 50
const ETCD_PORTS = 6
const ADDRESS = '127.0.0.1'
const ZONES = ['zone-1', 'zone-2', 'zone-3']
const REGIONS: ReadonlyMap<string, readonly string[]> = new Map([
  ['A', ZONES],
  ['B', ZONES],
])
/** Nothing that was acknowledged may be missing at the next primary. */
const SETTINGS = { 'replica-ack': 'sync' }

class TwoRegions implements Play {
  readonly #cluster: Cluster

  constructor(folder: string, firstPort: number) {
    const etcdPorts = Array.from({ length: ETCD_PORTS }, (_, at) => firstPort + ETCD_OFFSET + at)
    const etcd = new EtcdMembers(folder, etcdPorts)
    const names = [...REGIONS].flatMap(([region, zones]) => nodeNames(region, zones))
    const ports = new Map(
      names.map((name, at) => {
        const port = firstPort + at
        return [name, { port, syncPort: port + SYNC_OFFSET, adminPort: port + ADMIN_OFFSET }]
      }),
    )
    const plans = planCluster({
      ...{ regions: REGIONS, ports, folder, bind: ADDRESS, address: ADDRESS, settings: SETTINGS },
      coordinator: () => etcd.endpoints,
    })
    this.#cluster = new Cluster(etcd, plans)
  }

  async perform(stage: Stage): Promise<void> {
    const cluster = this.#cluster
    stage.heading('Causeway: two regions of three nodes, with an etcd that says who is primary')
    stage.say()
    await cluster.start((node) => stage.say(`${node.name} serves`))
    await this.#show(stage)
    await loadData(stage, cluster)
    const writers = await this.#startWriters()
    try {
      await playAll({ stage, cluster, writers })
    } finally {
      await Promise.all([...writers.values()].map((writer) => writer.stop()))
    }
  }

  async #show(stage: Stage): Promise<void> {
    const { nodes } = this.#cluster
    const roles = await Promise.all(nodes.map((node) => node.role()))
    stage.table(
      ['node', 'clients', 'zone', 'is'],
      nodes.map(({ name, plan }, at) => [name, `${ADDRESS}:${plan.port}`, plan.zone, roles[at] ?? 'silent']),
    )
    stage.say('replica-ack is sync: an OK means that the replicas in sync have the write.')
    stage.say(`The client is ${CLIENT_SENTENCE}.`)
  }

  async #startWriters(): Promise<ReadonlyMap<string, ClusterWriter>> {
    const writers = new Map<string, ClusterWriter>()
    for (const region of this.#cluster.regions) {
      const seeds = this.#cluster.nodesOf(region).map(({ plan }) => ({ host: ADDRESS, port: plan.port }))
      writers.set(region, new ClusterWriter(region, seeds))
    }
    await Promise.all([...writers.values()].map((writer) => writer.start()))
    return writers
  }

  invite(stage: Stage): void {
    const [first, second] = this.#cluster.nodes.map(({ plan }) => plan.port)
    stage.act('Your turn')
    stage.say('Everything stays up until you press Ctrl-C. Any client of Redis Cluster will do:')
    stage.say()
    stage.say(`  redis-cli -c -p ${first} SET greeting hello     goes to the primary`)
    stage.say(`  redis-cli -p ${first} CLUSTER NODES             who is what`)
    stage.say(`  redis-cli -p ${second} CLUSTER FAILOVER          a replica takes over, as agreed`)
    stage.say(
      `  kill -9 ${this.#cluster.nodes[0]!.process.pid}                                a node, and see who is next`,
    )
  }

  end(): Promise<void> {
    return this.#cluster.stop()
  }
}

async function playAll(company: Company): Promise<void> {
  await killPrimary(company)
  await handOver(company)
  await freezePrimary(company)
  await loseZone(company)
  await loseEtcdMember(company)
  await reckon(company)
}

if (etcdIsInstalled) {
  process.exitCode = await demonstrate(FIRST_PORT, (folder, port) => new TwoRegions(folder, port))
} else {
  console.error('causeway: this demonstration needs etcd: apt-get install etcd-server')
  process.exitCode = 1
}
