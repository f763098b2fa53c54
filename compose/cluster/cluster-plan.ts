/**
 * cluster-plan.ts: names, ports, folders and command lines of regions of several nodes on one machine, each region
 * a peer of the others, all nodes with the same etcd.
 */
import { join } from 'node:path'
import type { RegionPlan } from '../plan.ts'

/** What regions prove to each other, and replicas to their primary. */
const SYNC_SECRET = 'of nodes of one machine'

export interface NodePlan extends RegionPlan {
  /** `A1`: region A, first node. */
  readonly name: string
  readonly region: string
  readonly zone: string
}

export interface NodePorts {
  readonly port: number
  readonly syncPort: number
  readonly adminPort: number
}

export interface ClusterShape {
  /** Of each region: a node in each of these zones. */
  readonly regions: ReadonlyMap<string, readonly string[]>
  readonly ports: ReadonlyMap<string, NodePorts>
  /** Holds the folders and the logs. */
  readonly folder: string
  /** What nodes listen on, and what they say their address is. */
  readonly bind: string
  readonly address: string
  /** Further settings of all nodes. */
  readonly settings: Readonly<Record<string, string>>
  /** Where `node` reaches the members of the etcd. */
  readonly coordinator: (node: string) => readonly string[]
}

export function nodeNames(region: string, zones: readonly string[]): string[] {
  return zones.map((_, at) => `${region}${at + 1}`)
}

export function planCluster(shape: ClusterShape): NodePlan[] {
  return [...shape.regions].flatMap(([region, zones], at) =>
    nodeNames(region, zones).map((name, index) => planNode(shape, name, region, at + 1, zones[index]!)),
  )
}

function planNode(shape: ClusterShape, name: string, region: string, id: number, zone: string): NodePlan {
  const { ports, folder, bind, address, settings, coordinator } = shape
  const { port, syncPort, adminPort } = ports.get(name)!
  const dir = join(folder, name)
  const own: Record<string, string | number> = {
    ...{ region, 'region-id': id, dir, bind, zone, port },
    ...{ 'sync-port': syncPort, 'admin-port': adminPort, 'sync-secret': SYNC_SECRET },
    'replica-announce-ip': address,
    ...settings,
  }
  const others = [...shape.regions].filter(([other]) => other !== region)
  const peers = others.flatMap(([other, zones]) =>
    nodeNames(other, zones).flatMap((node) => [
      '--peer',
      `${other}@ws://${address}:${ports.get(node)!.syncPort}`,
    ]),
  )
  return {
    ...{ name, region, id, zone, bind, port, adminPort, folder: dir },
    syncUrl: `ws://${address}:${syncPort}`,
    logFile: join(folder, `${name}.log`),
    words: [
      ...Object.entries(own).flatMap(([setting, value]) => [`--${setting}`, String(value)]),
      ...['--coordinator', coordinator(name).join(' ')],
      ...peers,
    ],
  }
}
