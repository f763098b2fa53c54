/**
 * cluster-replies.ts: a topology in the formats of Redis Cluster's replies.
 *
 * Nodes of a region meet through a coordinator and not over a bus of their own. So what Redis tells of its gossip
 * is empty here: no messages, no links, no failure reports, and port 0 for the bus.
 * Source: clusterGenNodeDescription, clusterReplyMultiBulkSlots and clusterReplyShards in cluster.c of Redis 7.2;
 * `availability-zone` is Valkey's.
 */
import { portFor, primaryOf } from '../cluster/redirect.ts'
import { type ClusterNode, slotsOf, type Topology } from '../cluster/topology.ts'
import { SLOT_COUNT } from '../engine/slot.ts'
import type { ReplyWriter } from '../resp/reply.ts'
import { sha1Hex } from '../scripts/sha1.ts'

/** The text of CLUSTER INFO. The state is `ok` while anything is served: partitions do not wait for each other. */
export function clusterInfo(topology: Topology): string {
  const primaries = topology.nodes.filter(({ role }) => role === 'primary')
  const serving = primaries.filter((node) => answers(topology, node))
  const slotsEach = SLOT_COUNT / topology.partitions
  const fields: readonly (readonly [name: string, value: string | number])[] = [
    ['cluster_state', serving.length === 0 ? 'fail' : 'ok'],
    ['cluster_slots_assigned', primaries.length * slotsEach],
    ['cluster_slots_ok', serving.length * slotsEach],
    ['cluster_slots_pfail', 0],
    ['cluster_slots_fail', (primaries.length - serving.length) * slotsEach],
    ['cluster_known_nodes', topology.nodes.length],
    ['cluster_size', primaries.length],
    ['cluster_current_epoch', topology.epoch],
    ['cluster_my_epoch', topology.epoch],
    ['cluster_stats_messages_sent', 0],
    ['cluster_stats_messages_received', 0],
    ['total_cluster_links_buffer_limit_exceeded', 0],
  ]
  return fields.map(([name, value]) => `${name}:${value}\r\n`).join('')
}

/** One line of CLUSTER NODES, without its end. */
export function nodeLine(topology: Topology, node: ClusterNode, isTls: boolean): string {
  const { id, host, partition, role } = node
  const isUp = answers(topology, node)
  const flags = [role === 'primary' ? 'master' : 'slave']
  if (isSelf(topology, node)) flags.unshift('myself')
  if (!isUp) flags.push('fail')
  const followed = role === 'replica' ? primaryOf(topology, partition)?.id : undefined
  const words = [
    id,
    `${host}:${portFor(node, isTls)}@0`,
    flags.join(','),
    followed ?? '-',
    '0',
    '0',
    String(topology.epoch),
    isUp ? 'connected' : 'disconnected',
  ]
  if (role === 'primary') {
    const [first, end] = slotsOf(partition, topology.partitions)
    words.push(`${first}-${end - 1}`)
  }
  return words.join(' ')
}

/** CLUSTER SLOTS: partitions that have a primary, each with those of its replicas that can be asked. */
export function writeSlots(out: ReplyWriter, topology: Topology, isTls: boolean): void {
  const primaries = topology.nodes.filter(({ role }) => role === 'primary')
  out.array(primaries.length)
  for (const primary of primaries) {
    const [first, end] = slotsOf(primary.partition, topology.partitions)
    const nodes = [primary, ...replicasOf(topology, primary).filter((node) => answers(topology, node))]
    out.array(2 + nodes.length)
    out.integer(first)
    out.integer(end - 1)
    for (const node of nodes) {
      out.array(4)
      out.bulk(node.host)
      out.integer(portFor(node, isTls))
      out.bulk(node.id)
      // Further addresses of the node: none.
      out.map(0)
    }
  }
}

/** CLUSTER SHARDS: a partition whose primary nobody knows has no slots. */
export function writeShards(out: ReplyWriter, topology: Topology): void {
  const partitions = [...new Set(topology.nodes.map(({ partition }) => partition))]
  out.array(partitions.length)
  for (const partition of partitions) {
    out.map(2)
    out.bulk('slots')
    if (primaryOf(topology, partition) === undefined) {
      out.array(0)
    } else {
      const [first, end] = slotsOf(partition, topology.partitions)
      out.array(2)
      out.integer(first)
      out.integer(end - 1)
    }
    out.bulk('nodes')
    const nodes = topology.nodes.filter((node) => node.partition === partition)
    out.array(nodes.length)
    for (const node of nodes) writeShardNode(out, topology, node)
  }
}

function writeShardNode(out: ReplyWriter, topology: Topology, node: ClusterNode): void {
  const { id, host, port, tlsPort, role, offset, zone } = node
  out.map(6 + [port !== 0, tlsPort !== 0, zone !== ''].filter(Boolean).length)
  out.bulk('id')
  out.bulk(id)
  if (port !== 0) {
    out.bulk('port')
    out.integer(port)
  }
  if (tlsPort !== 0) {
    out.bulk('tls-port')
    out.integer(tlsPort)
  }
  out.bulk('ip')
  out.bulk(host)
  out.bulk('endpoint')
  out.bulk(host)
  out.bulk('role')
  out.bulk(role === 'primary' ? 'master' : 'replica')
  out.bulk('replication-offset')
  out.integer(offset)
  out.bulk('health')
  out.bulk(answers(topology, node) ? 'online' : 'fail')
  if (zone === '') return
  out.bulk('availability-zone')
  out.bulk(zone)
}

/** The id of a partition, which clients call a shard: 40 hexadecimal digits, the same on all of its nodes for ever. */
export function shardId(region: string, partition: number): string {
  return sha1Hex(`${region}/${partition}`)
}

export function replicasOf(topology: Topology, primary: ClusterNode): ClusterNode[] {
  return topology.nodes.filter(({ partition, role }) => partition === primary.partition && role === 'replica')
}

/** Whoever writes the reply is up, whatever the coordinator has heard. */
function answers(topology: Topology, node: ClusterNode): boolean {
  return node.isUp || isSelf(topology, node)
}

function isSelf({ self }: Topology, { id }: ClusterNode): boolean {
  return id === self.id
}
