/**
 * topology-of.ts: the documents of a region as the topology that clients of Redis Cluster are shown.
 *
 * A primary stays the primary of its partition until another one has claimed: it may go on without a lease
 * (`failsafe.ts`), and clients that know of nobody else have to ask somebody.
 */
import type { Directory } from './directory.ts'
import type { NodeDocument } from './documents.ts'
import type { ClusterNode, Topology } from './topology.ts'

/** A node id for clients has 40 hexadecimal digits: five numbers of 32 bits. */
const NUMBERS = 5

/**
 * The name of a node for clients of Redis Cluster: 40 lower-case hexadecimal digits, the same for ever. Not secret,
 * so any function will do that spreads well: FNV-1a with five beginnings, each finished as MurmurHash3 does.
 */
export function clusterNodeId(nodeId: string): string {
  let digits = ''
  for (let i = 0; i < NUMBERS; i++) {
    let hash = 0x811c9dc5 ^ Math.imul(i + 1, 0x9e3779b1)
    for (let at = 0; at < nodeId.length; at++) hash = Math.imul(hash ^ nodeId.charCodeAt(at), 0x01000193)
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
    digits += ((hash ^ (hash >>> 16)) >>> 0).toString(16).padStart(8, '0')
  }
  return digits
}

/** Of this node in its partition: `primary` answers as such, `claiming` waits to hear whether it may. */
export type Standing = 'primary' | 'claiming' | 'none'

/** Those that hold a partition and are registered now, its primary first. */
export function holdersOf(directory: Directory, partition: number): NodeDocument[] {
  const { state, leader } = directory.of(partition)
  const primary = leader.document?.nodeId ?? state.document?.primary
  const rank = ({ nodeId }: NodeDocument): number => (nodeId === primary ? 0 : 1)
  const holders = [...directory.nodes.values()].filter((node) => node.partition === partition)
  return holders.sort((a, b) => rank(a) - rank(b) || (a.nodeId < b.nodeId ? -1 : 1))
}

/**
 * @param self  what the answering node says of itself, registered or not
 * @param partitions  how many there are: a power of two
 * @param standing  whether this node answers as primary, or would like to
 */
export function topologyOf(
  directory: Directory,
  self: NodeDocument,
  partitions: number,
  standing: Standing,
): Topology {
  const primaries = new Map<number, string>()
  const members = new Set([self.nodeId, ...directory.nodes.keys()])
  let epoch = 0
  for (const [partition, { state, leader }] of directory.partitions) {
    const primary = leader.document?.nodeId ?? state.document?.primary
    if (primary !== undefined) primaries.set(partition, primary)
    for (const nodeId of state.document?.members ?? []) members.add(nodeId)
    epoch = Math.max(epoch, state.document?.term ?? 0)
  }
  const show = (node: NodeDocument, isUp: boolean): ClusterNode => ({
    id: clusterNodeId(node.nodeId),
    host: node.host,
    port: node.port,
    tlsPort: node.tlsPort,
    partition: node.partition,
    zone: node.zone,
    role: primaries.get(node.partition) === node.nodeId ? 'primary' : 'replica',
    isUp,
    offset: node.opCount,
  })
  const own = show(self, true)
  const nodes = [own]
  for (const nodeId of members) {
    const node = directory.known.get(nodeId)
    // One that has not been up since this process began: nobody knows where it is.
    if (nodeId === self.nodeId || node === undefined) continue
    nodes.push(show(node, directory.nodes.has(nodeId)))
  }
  nodes.sort(
    (a, b) =>
      a.partition - b.partition ||
      Number(b.role === 'primary') - Number(a.role === 'primary') ||
      (a.id < b.id ? -1 : 1),
  )
  const isOpen = standing === 'claiming' || (standing === 'none' && own.role === 'primary')
  return { self: own, nodes, partitions, epoch, isOpen }
}
