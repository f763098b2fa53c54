/**
 * redirect.ts: whether a command is for this node, and where its client has to go when it is not.
 *
 * The keys decide, by their slots: slots make partitions, and a node holds one partition. A primary serves all of
 * its own; a replica serves reads to clients that asked for that (READONLY), and shard channels to everybody.
 * A command without keys is served wherever it arrives.
 *
 * CROSSSLOT is answered where keys belong to different partitions. Redis answers it for different slots of one
 * node too, because each of its slots may move alone. Here a partition moves as a whole, so that all its keys are
 * together, and a database of one partition keeps all of Redis's freedom with several keys. For the same reason
 * there is no ASK and no TRYAGAIN: no slot is ever between two nodes.
 *
 * CLUSTERDOWN is answered while it is open who is primary here: clients of Redis Cluster wait then, and try again.
 * A client is sent to a primary that seems to be down too: the other partitions go on, as under
 * `cluster-require-full-coverage no`.
 * Source: getNodeByQuery in cluster.c of Redis 7.2.
 */
import type { CommandDef } from '../commands/command.ts'
import { keysOf } from '../commands/table.ts'
import { slotOf } from '../engine/slot.ts'
import { type CommandError, errors } from '../errors.ts'
import { type ClusterNode, partitionOf, type Topology } from './topology.ts'

/** Of the client that asks. */
export interface Asker {
  /** It takes what a replica has: READONLY. */
  readonly readsReplicas: boolean
  /** It is told the TLS ports of other nodes. */
  readonly isTls: boolean
}

/** What a command does to its keys; `channel`: they are names of shard channels. */
type SlotUse = 'read' | 'write' | 'channel'

/** @returns what the client is told in place of a reply; undefined when the command is served here */
export function redirect(
  topology: Topology,
  command: CommandDef,
  words: readonly string[],
  asker: Asker,
): CommandError | undefined {
  // Most commands without keys end here, before a list of them is made.
  if (command.keys.first === 0 && command.keysOf === undefined) return undefined
  return redirectKeys(topology, keysOf(command, words), useOf(command), asker)
}

/** A script may touch those keys here. Whether it may write them is not asked: a replica says that in its own words. */
export function isInReach(
  topology: Topology,
  command: CommandDef,
  words: readonly string[],
  asker: Asker,
): boolean {
  const use = useOf(command)
  return redirectKeys(topology, keysOf(command, words), use === 'write' ? 'read' : use, asker) === undefined
}

function redirectKeys(
  topology: Topology,
  keys: readonly string[],
  use: SlotUse,
  asker: Asker,
): CommandError | undefined {
  const first = keys[0]
  if (first === undefined) return undefined
  const { self, partitions, isOpen } = topology
  const slot = slotOf(first)
  const partition = partitionOf(slot, partitions)
  // With one partition there is nothing to compare.
  if (partitions > 1) {
    for (let i = 1; i < keys.length; i++)
      if (partitionOf(slotOf(keys[i]!), partitions) !== partition) return errors.crossSlot
  }
  if (partition === self.partition) {
    if (serves(topology, use, asker)) return undefined
    // A client that is sent elsewhere would be sent back, again and again, until it gives up.
    if (isOpen) return errors.slotNotServed
  }
  const primary = primaryOf(topology, partition)
  return primary === undefined
    ? errors.slotNotServed
    : errors.moved(slot, primary.host, portFor(primary, asker.isTls))
}

function serves({ self, isOpen }: Topology, use: SlotUse, { readsReplicas }: Asker): boolean {
  return (self.role === 'primary' && !isOpen) || use === 'channel' || (use === 'read' && readsReplicas)
}

function useOf({ group, flags }: CommandDef): SlotUse {
  if (group === 'pubsub') return 'channel'
  return flags.includes('write') ? 'write' : 'read'
}

/** Undefined while nobody is known. */
export function primaryOf({ nodes }: Topology, partition: number): ClusterNode | undefined {
  return nodes.find((node) => node.partition === partition && node.role === 'primary')
}

/** The port for a client that speaks TLS, or does not; the other one where a node has only that. */
export function portFor({ port, tlsPort }: ClusterNode, isTls: boolean): number {
  return (isTls && tlsPort !== 0) || port === 0 ? tlsPort : port
}
