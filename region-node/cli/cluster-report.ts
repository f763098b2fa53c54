/**
 * cluster-report.ts: what the documents of a region say of its partitions, and what is wrong with that.
 *
 * Everything here is a function of the documents: nobody is asked.
 */
import type { Directory } from '../cluster/directory.ts'
import type { NodeDocument, StateDocument } from '../cluster/documents.ts'
import { forgottenState, latestOf } from '../cluster/election.ts'
import { slotsOf } from '../cluster/topology.ts'
import { type MachinesReport, machinesJson, machinesOf, machinesText } from './cluster-machines.ts'
import type { RegionView } from './region-documents.ts'
import { textTable } from './text-table.ts'
import { addressText } from './words.ts'

export interface ReplicaReport {
  readonly node: NodeDocument
  /** It may be promoted as it is. */
  readonly isInSync: boolean
  /** Ops that it lacks, by what both have said in the last seconds. */
  readonly behindOps: number
}

export interface PartitionReport {
  readonly partition: number
  /** The first slot and the last. */
  readonly slots: readonly [first: number, last: number]
  readonly term: number
  /** '' for none. */
  readonly primaryId: string
  /** Undefined while it is not registered. */
  readonly primary: NodeDocument | undefined
  /** All others that are registered. */
  readonly replicas: readonly ReplicaReport[]
}

export interface RegionReport {
  readonly partitions: readonly PartitionReport[]
  readonly nodeCount: number
  /** Undefined where nodes are started by hand. */
  readonly machines: MachinesReport | undefined
  /** In plain words, each with what to do. */
  readonly warnings: readonly string[]
}

export function reportOf(view: RegionView): RegionReport {
  const { directory } = view
  const machines = machinesOf(view)
  const partitions = partitionsOf(directory)
  const nodes = sortedNodes(directory)
  const warnings = [
    ...partitions.flatMap((partition) => partitionWarnings(partition, view, nodes)),
    ...(machines?.warnings ?? []),
    ...differences('run different versions of Causeway', nodes, ({ version }) => version),
    ...differences('run different versions of the configuration', nodes, ({ configVersion = 0 }) =>
      String(configVersion),
    ),
    ...nodes.flatMap(notApplied),
    ...differences('were told different numbers of partitions', nodes, (node) => String(node.partitions)),
  ]
  return { partitions, nodeCount: nodes.length, machines, warnings }
}

export function partitionsOf(directory: Directory): PartitionReport[] {
  const nodes = sortedNodes(directory)
  const known = [...nodes.map(({ partition }) => partition), ...directory.partitions.keys()]
  const count = Math.max(1, ...nodes.map(({ partitions }) => partitions), ...known.map((one) => one + 1))
  return Array.from({ length: count }, (_, partition) => partitionReport(partition, count, directory, nodes))
}

const sortedNodes = (directory: Directory): NodeDocument[] =>
  [...directory.nodes.values()].sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1))

/** Where clients reach it. */
export function nodeAddress({ host, port, tlsPort }: NodeDocument): string {
  return addressText({ host, port: port === 0 ? tlsPort : port })
}

function partitionReport(
  partition: number,
  count: number,
  directory: Directory,
  nodes: readonly NodeDocument[],
): PartitionReport {
  const { state, leader } = directory.of(partition)
  const primaryId = leader.document?.nodeId ?? ''
  const primary = directory.nodes.get(primaryId)
  const replicas = nodes
    .filter((node) => node.partition === partition && node.nodeId !== primaryId)
    .map((node) => ({
      node,
      isInSync: state.document?.inSync.includes(node.nodeId) === true,
      behindOps: Math.max(0, (primary?.opCount ?? 0) - node.opCount),
    }))
  const [first, end] = slotsOf(partition, count)
  return {
    partition,
    slots: [first, end - 1],
    term: state.document?.term ?? 0,
    primaryId,
    primary,
    replicas,
  }
}

function partitionWarnings(
  report: PartitionReport,
  { directory, placing }: RegionView,
  nodes: readonly NodeDocument[],
): string[] {
  const isPlaced = placing.placement(report.partition).revision !== 0
  const { partition, primaryId, primary, replicas } = report
  const { state, leader } = directory.of(partition)
  const name = `partition ${partition}`
  if ([state, leader].some(({ revision, document }) => revision !== 0 && document === undefined))
    return [`${name}: its documents cannot be read: use the version of causeway that its nodes run`]
  if (primaryId === '') return [`${name} ${withoutPrimary(report, state.document, isPlaced)}`]
  // What its placement wants is another matter: one copy may be all.
  if (replicas.length === 0 && !isPlaced) {
    return [
      `${name} has a single node: when that is lost, nobody serves it. Start another one with ` +
        `--partition ${partition} and the same coordinator`,
    ]
  }
  const warnings: string[] = []
  if (replicas.length > 0 && !replicas.some(({ isInSync }) => isInSync)) {
    warnings.push(
      `${name}: no replica is in sync, so none can take over without losing writes. Wait until one has caught up; ` +
        'if none does, its log says why',
    )
  }
  const zone = primary?.zone ?? ''
  const other = nodes.find((node) => node.zone !== '' && node.zone !== zone)?.zone
  if (zone !== '' && other !== undefined && !isPlaced && replicas.every(({ node }) => node.zone === zone)) {
    warnings.push(
      `${name}: its primary and its replicas are all in zone ${zone}, and would be lost together. ` +
        `Start a replica of it in zone ${other}`,
    )
  }
  return warnings
}

function withoutPrimary(
  { partition, replicas }: PartitionReport,
  state: StateDocument | undefined,
  isPlaced: boolean,
): string {
  if (state === undefined) {
    if (isPlaced && replicas.length === 0) return 'has no node yet: the machines of its placement start them'
    return replicas.length > 0
      ? 'has no primary yet: its nodes are about to choose one'
      : `has no node: nobody serves its slots. Start one with --partition ${partition} and the same coordinator`
  }
  const forgotten = forgottenState(state, latestOf([state, ...replicas.map(({ node }) => node)]))
  if (forgotten !== undefined) return `has no primary: ${forgotten}`
  const there = replicas.filter(({ isInSync }) => isInSync)
  if (there.length > 0)
    return `has no primary; ${there.map(({ node }) => nodeAddress(node)).join(', ')} may take over: look again soon`
  return (
    `has no primary, and nobody that could be promoted without losing writes is there. The last one was node ` +
    `${state.primary}: start it again, or another node that was in sync (${state.inSync.join(', ')})`
  )
}

function notApplied(node: NodeDocument): string[] {
  const { configNotApplied: names = [], configVersion } = node
  if (names.length === 0) return []
  return [
    `${nodeAddress(node)} could not apply ${names.join(', ')} of configuration ${configVersion}: its log says why`,
  ]
}

/** @returns a warning when the nodes do not all say the same */
export function differences(
  what: string,
  nodes: readonly NodeDocument[],
  tell: (node: NodeDocument) => string,
): string[] {
  const byValue = new Map<string, string[]>()
  for (const node of nodes) {
    const value = tell(node)
    byValue.set(value, [...(byValue.get(value) ?? []), nodeAddress(node)])
  }
  if (byValue.size < 2) return []
  const groups = [...byValue].map(([value, addresses]) => `${value} (${addresses.join(', ')})`)
  return [`nodes ${what}: ${groups.join('; ')}`]
}

const HEADING = ['partition', 'slots', 'term', 'role', 'address', 'zone', 'state', 'node']

/** For people. */
export function reportText(
  place: string,
  { partitions, nodeCount, machines, warnings }: RegionReport,
): string {
  const rows = [HEADING, ...partitions.flatMap(rowsOf)]
  const nodes = `${nodeCount} ${nodeCount === 1 ? 'node' : 'nodes'} registered`
  const findings = warnings.map((warning) => `warning: ${warning}.\n`).join('')
  const onMachines = machines === undefined ? '' : machinesText(machines)
  return `${place}: ${nodes}\n\n${textTable(rows)}\n${onMachines}${findings === '' ? 'healthy\n' : findings}`
}

function rowsOf({ partition, slots, term, primaryId, primary, replicas }: PartitionReport): string[][] {
  const place = [String(partition), slots.join('-'), String(term)]
  const first =
    primaryId === ''
      ? ['primary', 'none', '-', '-', '-']
      : primary === undefined
        ? ['primary', 'not registered', '-', '-', primaryId]
        : ['primary', nodeAddress(primary), primary.zone || '-', '-', primaryId]
  const others = replicas.map(({ node, isInSync, behindOps }) => {
    const state = isInSync ? 'in sync' : primary === undefined ? 'not in sync' : `${behindOps} ops behind`
    return ['', '', '', 'replica', nodeAddress(node), node.zone || '-', state, node.nodeId]
  })
  return [[...place, ...first], ...others]
}

/** For programs. */
export function reportJson(place: Readonly<Record<string, string>>, report: RegionReport): string {
  const shown = (node: NodeDocument): Record<string, string | number> => ({
    id: node.nodeId,
    address: nodeAddress(node),
    zone: node.zone,
    version: node.version,
    configVersion: node.configVersion ?? 0,
  })
  const partitions = report.partitions.map(({ partition, slots, term, primaryId, primary, replicas }) => ({
    partition,
    slots,
    term,
    primary: primary === undefined ? (primaryId === '' ? null : { id: primaryId }) : shown(primary),
    replicas: replicas.map(({ node, isInSync, behindOps }) => ({ ...shown(node), isInSync, behindOps })),
  }))
  const onMachines = report.machines === undefined ? {} : machinesJson(report.machines)
  const all = { ...place, nodes: report.nodeCount, partitions, ...onMachines, warnings: report.warnings }
  return `${JSON.stringify(all, null, 2)}\n`
}
