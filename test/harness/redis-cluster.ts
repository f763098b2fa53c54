/**
 * redis-cluster.ts: three redis-servers that form a Redis Cluster: two primaries, each with half of the slots, and a
 * replica of the first.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { ClusterNode } from '../../region-node/cluster/topology.ts'
import { ReplyParser } from '../../region-node/resp/parse-reply.ts'
import { clusterNode } from './fake-cluster.ts'
import { freePorts } from './free-ports.ts'
import { RedisReference } from './redis-reference.ts'

/** A cluster that is not formed by then has failed. */
const FORM_MS_MAX = 30_000
const POLL_MS = 50

export class RedisCluster {
  readonly #servers: readonly RedisReference[]
  /** The servers as a topology describes them: the replica stands behind its primary. */
  readonly nodes: readonly ClusterNode[]

  private constructor(servers: readonly RedisReference[], nodes: readonly ClusterNode[]) {
    this.#servers = servers
    this.nodes = nodes
  }

  static async start(): Promise<RedisCluster> {
    const ports = await freePorts(6)
    const servers = await Promise.all(
      [0, 1, 2].map((i) =>
        RedisReference.start(
          `--port ${ports[i]} --cluster-enabled yes --cluster-port ${ports[i + 3]} --cluster-announce-ip 127.0.0.1`.split(
            ' ',
          ),
        ),
      ),
    )
    const ids = await Promise.all(servers.map((server) => read(server, 'cluster myid')))
    const nodes = [
      { partition: 0, role: 'primary' },
      { partition: 0, role: 'replica' },
      { partition: 1, role: 'primary' },
    ] as const
    const cluster = new RedisCluster(
      servers,
      nodes.map((told, i) => clusterNode(i, { ...told, id: String(ids[i]), port: ports[i]! })),
    )
    await cluster.#form(ports, ids.map(String))
    return cluster
  }

  async #form(ports: readonly number[], ids: readonly string[]): Promise<void> {
    const [first, replica, second] = this.#servers
    await read(first!, 'cluster addslotsrange 0 8191')
    await read(second!, 'cluster addslotsrange 8192 16383')
    for (const i of [1, 2]) await read(first!, `cluster meet 127.0.0.1 ${ports[i]} ${ports[i + 3]}`)
    await until(async () => String(await read(replica!, 'cluster nodes')).includes(ids[0]!))
    await read(replica!, `cluster replicate ${ids[0]}`)
    for (const server of this.#servers) {
      await until(async () => {
        const info = String(await read(server, 'cluster info'))
        // A replica that has no data yet is not shown to clients.
        const shown = String(await read(server, 'cluster slots'))
        return info.includes('cluster_state:ok') && shown.includes(ids[1]!)
      })
    }
  }

  server(node: number): RedisReference {
    return this.#servers[node]!
  }

  async stop(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.stop()))
  }
}

async function read(server: RedisReference, line: string): Promise<unknown> {
  const parser = new ReplyParser()
  parser.feed(await server.exchange(line.split(' ')))
  return parser.next()!.value
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + FORM_MS_MAX
  while (!(await isSo())) {
    if (performance.now() > deadlineMs) throw new Error(`no cluster within ${FORM_MS_MAX} ms`)
    await delay(POLL_MS)
  }
}
