/**
 * cluster.ts: CLUSTER, READONLY, READWRITE and ASKING: the cluster as its clients see it.
 *
 * Everything is read from the topology of this moment (`cluster/topology.ts`). A node without one answers as a
 * Redis server with cluster support disabled. What changes a cluster is an operator's business and not a client's:
 * those subcommands say where it is done.
 */
import type { FailoverKind } from '../cluster/cluster-view.ts'
import { primaryOf } from '../cluster/redirect.ts'
import type { ClusterNode, Topology } from '../cluster/topology.ts'
import { groupOf } from '../engine/database.ts'
import { SLOT_COUNT, slotOf } from '../engine/slot.ts'
import { errors } from '../errors.ts'
import { clusterInfo, nodeLine, replicasOf, shardId, writeShards, writeSlots } from './cluster-replies.ts'
import { type CommandContext, type CommandDef, defineCommands, NO_KEYS } from './command.ts'
import { container, helpOf } from './container.ts'
import { parseCount } from './parse.ts'

type Run = (ctx: CommandContext, words: readonly string[], topology: Topology) => void

/** @throws CommandError where there is no cluster */
function inCluster(run: Run): CommandDef['run'] {
  return (ctx, words) => {
    const { topology } = ctx.services
    if (topology === undefined) throw errors.clusterOff
    run(ctx, words, topology)
  }
}

/** @throws CommandError when there is no such node */
function nodeOf({ nodes }: Topology, id: string): ClusterNode {
  const node = nodes.find((one) => one.id === id)
  if (node === undefined) throw errors.unknownNode(id)
  return node
}

/** Keys of a slot that a read would show: a look at each key of its group. */
function* keysOfSlot(ctx: CommandContext, slot: number): IterableIterator<string> {
  const group = ctx.keyspace.db(ctx.db).group(groupOf(slot))
  if (group === undefined) return
  for (let row = 0; row < group.count; row++) {
    const key = group.name(group.place(row))
    if (slotOf(key) === slot && ctx.entry(key) !== undefined) yield key
  }
}

const isSlot = (slot: number): boolean => slot >= 0 && slot < SLOT_COUNT

const countKeysInSlot: Run = (ctx, words) => {
  const slot = parseCount(words[2]!)
  if (!isSlot(slot)) throw errors.invalidSlot
  let count = 0
  for (const _ of keysOfSlot(ctx, slot)) count++
  ctx.out.integer(count)
}

const getKeysInSlot: Run = (ctx, words) => {
  const slot = parseCount(words[2]!)
  const max = parseCount(words[3]!)
  if (!isSlot(slot) || max < 0) throw errors.invalidSlotOrCount
  const keys: string[] = []
  for (const key of keysOfSlot(ctx, slot)) {
    if (keys.length >= max) break
    keys.push(key)
  }
  ctx.out.words(keys)
}

const nodes: Run = ({ session, out }, _words, topology) => {
  const lines = topology.nodes.map((node) => `${nodeLine(topology, node, session.isTls)}\n`)
  out.verbatim('txt', lines.join(''))
}

const replicas: Run = ({ session, out }, words, topology) => {
  const primary = nodeOf(topology, words[2]!)
  if (primary.role !== 'primary') throw errors.nodeIsNoPrimary
  out.words(replicasOf(topology, primary).map((node) => nodeLine(topology, node, session.isTls)))
}

const FAILOVER_KINDS: ReadonlyMap<string | undefined, FailoverKind> = new Map([
  [undefined, 'agreed'],
  ['force', 'forced'],
  ['takeover', 'takeover'],
])

const failover: Run = ({ services, out }, words, topology) => {
  if (words.length > 3) throw errors.unknownSubcommandOrArity('cluster', words[1]!)
  const kind = FAILOVER_KINDS.get(words[2]?.toLowerCase())
  if (kind === undefined) throw errors.syntax
  const { self } = topology
  if (self.role === 'primary') throw errors.failoverOfPrimary
  const primary = primaryOf(topology, self.partition)
  if (primary === undefined) throw errors.failoverOfNobody
  if (kind === 'agreed' && !primary.isUp) throw errors.failoverOfDead
  const refusal = services.failover(kind)
  if (refusal !== undefined) throw refusal
  out.ok()
}

const forget: Run = ({ services, out }, words, { self }) => {
  const nodeId = words[2]!
  if (nodeId === self.id) throw errors.forgetOfMyself
  const refusal = services.forget(nodeId)
  if (refusal !== undefined) throw refusal
  out.ok()
}

function readsReplicas(value: boolean): Run {
  return ({ session, out }) => {
    session.readsReplicas = value
    out.ok()
  }
}

type Row = Pick<CommandDef, 'arity' | 'since' | 'summary' | 'syntax' | 'complexity'> & {
  readonly name: string
}

/** A look at the cluster. */
function look(row: Row, run: Run, flags: CommandDef['flags'] = ['stale']): CommandDef {
  return { ...row, name: `cluster|${row.name}`, flags, keys: NO_KEYS, group: 'cluster', run: inCluster(run) }
}

/** What operators change, with `causeway cluster`. */
function change(name: string, arity: number, summary: string, syntax?: string): CommandDef {
  const refuse: Run = () => {
    throw errors.clusterByOperator(name.toUpperCase())
  }
  const flags: CommandDef['flags'] =
    name === 'reset' ? ['admin', 'noscript', 'stale'] : ['admin', 'stale', 'no_async_loading']
  const since = name.endsWith('slotsrange') ? '7.0.0' : '3.0.0'
  const row = { name, arity, since, summary: `Refused: ${summary}`, complexity: 'O(1)' }
  return look(syntax === undefined ? row : { ...row, syntax }, refuse, flags)
}

const OPERATORS_LOOK: CommandDef['flags'] = ['admin', 'stale']

const HELP = [
  'COUNT-FAILURE-REPORTS <node-id>',
  '    Return number of failure reports for <node-id>.',
  'COUNTKEYSINSLOT <slot>',
  '    Return the number of keys in <slot>.',
  'FAILOVER [FORCE|TAKEOVER]',
  '    Promote current replica node to being a master.',
  'FORGET <node-id>',
  '    Remove a node that is gone for good from the members of this partition.',
  'GETKEYSINSLOT <slot> <count>',
  '    Return key names stored by current node in a slot.',
  'INFO',
  '    Return information about the cluster.',
  'KEYSLOT <key>',
  '    Return the hash slot for <key>.',
  'MYID',
  '    Return the node id.',
  'MYSHARDID',
  "    Return the node's shard id.",
  'NODES',
  '    Return cluster configuration seen by node. Output format:',
  '    <id> <ip:port> <flags> <master> <pings> <pongs> <epoch> <link> <slot> ...',
  'REPLICAS <node-id>',
  '    Return <node-id> replicas.',
  'SLAVES <node-id>',
  '    Return <node-id> replicas.',
  'SLOTS',
  '    Return information about slots range mappings. Each range is made of:',
  '    start, end, master and replicas IP addresses, ports and ids',
  'SHARDS',
  '    Return information about slot range mappings and the nodes associated with them.',
  'LINKS',
  '    Return information about all network links between this node and its peers.',
  '    Output format is an array where each array element is a map containing attributes of a link',
]

/** What changes a cluster. */
const OPERATORS_COMMANDS: readonly CommandDef[] = [
  change('addslots', -3, 'assigns hash slots to this node.', 'slot:integer [slot:integer ...]'),
  change(
    'addslotsrange',
    -4,
    'assigns ranges of hash slots to this node.',
    'start-slot:integer end-slot:integer [start-slot:integer end-slot:integer ...]',
  ),
  change('bumpepoch', 2, 'advances the epoch of the cluster.'),
  change('delslots', -3, 'takes hash slots from this node.', 'slot:integer [slot:integer ...]'),
  change(
    'delslotsrange',
    -4,
    'takes ranges of hash slots from this node.',
    'start-slot:integer end-slot:integer [start-slot:integer end-slot:integer ...]',
  ),
  change('flushslots', 2, 'takes all hash slots from this node.'),
  change('meet', -4, 'brings two nodes together.', 'ip port:integer [cluster-bus-port:integer]'),
  change('replicate', 3, 'makes this node a replica of another one.', 'node-id'),
  change('reset', -2, 'takes this node out of the cluster.', '[HARD|SOFT]'),
  change('saveconfig', 2, 'saves the state of the cluster on disk.'),
  change('set-config-epoch', 3, 'sets the epoch of a new node.', 'config-epoch:integer'),
  change(
    'setslot',
    -4,
    'binds a hash slot to a node.',
    'slot:integer <IMPORTING node-id|MIGRATING node-id|NODE node-id|STABLE>',
  ),
]

const help = helpOf('cluster', 'cluster', '5.0.0', [
  ...HELP,
  ...OPERATORS_COMMANDS.flatMap(({ name }) => [
    name.slice('cluster|'.length).toUpperCase(),
    "    Not here: 'causeway cluster' does this.",
  ]),
])

const clusterCommand = container({
  name: 'cluster',
  group: 'cluster',
  since: '3.0.0',
  summary: 'A container for Redis Cluster commands.',
  subcommands: [
    look(
      {
        name: 'info',
        arity: 2,
        since: '3.0.0',
        summary: 'Returns information about the state of a node.',
        complexity: 'O(N) where N is the total number of nodes',
      },
      ({ out }, _words, topology) => out.verbatim('txt', clusterInfo(topology)),
    ),
    look(
      {
        name: 'myid',
        arity: 2,
        since: '3.0.0',
        summary: 'Returns the ID of a node.',
        complexity: 'O(1)',
      },
      ({ out }, _words, { self }) => out.bulk(self.id),
    ),
    look(
      {
        name: 'myshardid',
        arity: 2,
        since: '7.2.0',
        summary: 'Returns the shard ID of a node.',
        complexity: 'O(1)',
      },
      ({ out, services }, _words, { self }) => out.bulk(shardId(services.region, self.partition)),
    ),
    look(
      {
        name: 'slots',
        arity: 2,
        since: '3.0.0',
        summary: 'Returns the mapping of cluster slots to nodes.',
        complexity: 'O(N) where N is the total number of Cluster nodes',
      },
      ({ out, session }, _words, topology) => writeSlots(out, topology, session.isTls),
    ),
    look(
      {
        name: 'shards',
        arity: 2,
        since: '7.0.0',
        summary: 'Returns the mapping of cluster slots to shards.',
        complexity: 'O(N) where N is the total number of cluster nodes',
      },
      ({ out }, _words, topology) => writeShards(out, topology),
    ),
    look(
      {
        name: 'nodes',
        arity: 2,
        since: '3.0.0',
        summary: 'Returns the cluster configuration for a node.',
        complexity: 'O(N) where N is the total number of Cluster nodes',
      },
      nodes,
    ),
    look(
      {
        name: 'replicas',
        arity: 3,
        since: '5.0.0',
        summary: 'Lists the replica nodes of a master node.',
        syntax: 'node-id',
        complexity: 'O(N) where N is the number of replicas.',
      },
      replicas,
      OPERATORS_LOOK,
    ),
    look(
      {
        name: 'slaves',
        arity: 3,
        since: '3.0.0',
        summary: 'Lists the replica nodes of a master node.',
        syntax: 'node-id',
        complexity: 'O(N) where N is the number of replicas.',
      },
      replicas,
      OPERATORS_LOOK,
    ),
    look(
      {
        name: 'links',
        arity: 2,
        since: '7.0.0',
        summary: 'Returns no links: nodes have no cluster bus here.',
        complexity: 'O(1)',
      },
      ({ out }) => out.array(0),
    ),
    look(
      {
        name: 'keyslot',
        arity: 3,
        since: '3.0.0',
        summary: 'Returns the hash slot for a key.',
        syntax: 'key:string',
        complexity: 'O(N) where N is the number of bytes in the key',
      },
      ({ out }, words) => out.integer(slotOf(words[2]!)),
    ),
    look(
      {
        name: 'countkeysinslot',
        arity: 3,
        since: '3.0.0',
        summary: 'Returns the number of keys in a hash slot.',
        syntax: 'slot:integer',
        complexity: 'O(N) where N is the number of keys in 16 neighbouring slots',
      },
      countKeysInSlot,
    ),
    look(
      {
        name: 'getkeysinslot',
        arity: 4,
        since: '3.0.0',
        summary: 'Returns the key names in a hash slot.',
        syntax: 'slot:integer count',
        complexity: 'O(N) where N is the number of keys in 16 neighbouring slots',
      },
      getKeysInSlot,
    ),
    look(
      {
        name: 'count-failure-reports',
        arity: 3,
        since: '3.0.0',
        summary: 'Returns 0: the coordinator knows who is up, and nodes report nobody.',
        syntax: 'node-id',
        complexity: 'O(N) where N is the total number of nodes',
      },
      ({ out }, words, topology) => {
        nodeOf(topology, words[2]!)
        out.integer(0)
      },
      OPERATORS_LOOK,
    ),
    look(
      {
        name: 'failover',
        arity: -2,
        since: '3.0.0',
        summary: 'Forces a replica to perform a manual failover of its master.',
        syntax: '[FORCE|TAKEOVER]',
        complexity: 'O(1)',
      },
      failover,
      ['admin', 'stale', 'no_async_loading'],
    ),
    look(
      {
        name: 'forget',
        arity: 3,
        since: '3.0.0',
        summary: 'Removes a node that is gone for good from the members of this partition.',
        syntax: 'node-id',
        complexity: 'O(N) where N is the number of members of the partition',
      },
      forget,
      ['admin', 'stale', 'no_async_loading'],
    ),
    ...OPERATORS_COMMANDS,
    { ...help, run: inCluster((ctx, words) => help.run(ctx, words)) },
  ],
})

/** @param name  a command that says how its connection takes redirections */
function mode(name: string, summary: string, flags: CommandDef['flags'], run: Run): CommandDef {
  return {
    name,
    arity: 1,
    flags,
    keys: NO_KEYS,
    categories: ['connection'],
    group: 'cluster',
    since: '3.0.0',
    summary,
    complexity: 'O(1)',
    run: inCluster(run),
  }
}

export const clusterCommands = defineCommands([
  clusterCommand,
  mode(
    'asking',
    'Changes nothing: no slot is ever between two nodes, so nobody is told to ask.',
    ['fast'],
    ({ out }) => out.ok(),
  ),
  mode(
    'readonly',
    'Enables read-only queries for a connection to a replica.',
    ['loading', 'stale', 'fast'],
    readsReplicas(true),
  ),
  mode(
    'readwrite',
    'Enables read-write queries for a connection to a replica.',
    ['loading', 'stale', 'fast'],
    readsReplicas(false),
  ),
])
