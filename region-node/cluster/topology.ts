/**
 * topology.ts: who serves which slots, as clients of Redis Cluster are shown it.
 *
 * Made anew from the documents of the coordinator with every change (`agent.ts`); commands only read it. A node
 * without a coordinator has none: it answers as a Redis server with cluster support disabled.
 */
import { SLOT_COUNT } from '../engine/slot.ts'

/** A node as clients see it. */
export interface ClusterNode {
  /** 40 lower-case hexadecimal digits, for ever. */
  readonly id: string
  /** Where clients reach it. */
  readonly host: string
  readonly port: number
  /** 0: none. */
  readonly tlsPort: number
  readonly partition: number
  /** '' for none. */
  readonly zone: string
  readonly role: 'primary' | 'replica'
  /** It has said so in the last few seconds. */
  readonly isUp: boolean
  /** Ops it holds. */
  readonly offset: number
}

export interface Topology {
  /** The node that answers. */
  readonly self: ClusterNode
  /** All nodes of the region, `self` among them; by partition, primaries first. */
  readonly nodes: readonly ClusterNode[]
  /** How many partitions there are: a power of two. Each owns an equal run of slots. */
  readonly partitions: number
  /** The highest term of any partition. */
  readonly epoch: number
  /**
   * Who is primary of this node's own partition is open: this node is shown as it for want of another, or has claimed,
   * and does not answer as primary.
   */
  readonly isOpen: boolean
}

/** The first slot of a partition, and the first behind it. */
export function slotsOf(partition: number, partitions: number): readonly [first: number, end: number] {
  const length = SLOT_COUNT / partitions
  return [partition * length, (partition + 1) * length]
}

export function partitionOf(slot: number, partitions: number): number {
  return Math.floor(slot / (SLOT_COUNT / partitions))
}
