/**
 * cluster-machines.ts: what the documents of a region say of its machines: what they hold, what is under way, and
 * what is wrong with that.
 */
import type { Layout, Site } from '../placement/layout.ts'
import { loadsOf } from '../placement/layout.ts'
import { countOf, zoneWarning } from './cluster-plan.ts'
import { type Stage, stagesOf } from './cluster-stages.ts'
import type { RegionView } from './region-documents.ts'
import { textTable } from './text-table.ts'
import { addressText } from './words.ts'

export interface MachineReport {
  readonly name: string
  /** Undefined while it is away: then nobody knows the next three. */
  readonly address: string | undefined
  readonly zone: string
  readonly version: string
  /** Partitions of which a copy is on its disk. */
  readonly held: readonly number[]
  /** Those that placements give it; others leave. */
  readonly named: number
  readonly takesCopies: boolean
  readonly isController: boolean
}

export interface MachinesReport {
  readonly machines: readonly MachineReport[]
  /** Partitions that are not yet as their placements say. */
  readonly moves: readonly Stage[]
  readonly warnings: readonly string[]
}

/** Undefined: this region has no machines, its nodes are started by hand. */
export function machinesOf(view: RegionView): MachinesReport | undefined {
  const { placing } = view
  const layout = placing.layout.document
  const placements = Array.from(
    { length: layout?.partitions ?? 0 },
    (_, partition) => placing.placement(partition).document,
  )
  const named = placements.map((placement) => placement?.machines ?? [])
  const leaving = placements.flatMap((placement) => placement?.leaving ?? [])
  const names = [
    ...new Set([...placing.machines.keys(), ...(layout?.machines ?? []), ...named.flat(), ...leaving]),
  ]
  if (names.length === 0) return undefined
  const machines = names.sort().map((name) => machineReport(view, name, named))
  const moves = stagesOf(view).filter(({ isDone }) => !isDone)
  return { machines, moves, warnings: warningsOf(view, machines) }
}

function machineReport({ placing }: RegionView, name: string, named: Layout): MachineReport {
  const machine = placing.machines.get(name)
  return {
    name,
    address: machine === undefined ? undefined : addressText({ host: machine.host, port: machine.firstPort }),
    zone: machine?.zone ?? '',
    version: machine?.version ?? '',
    held: machine?.held.map(({ partition }) => partition) ?? [],
    named: loadsOf(named).get(name) ?? 0,
    takesCopies: placing.layout.document?.machines.includes(name) === true,
    isController: placing.controller.document?.name === name,
  }
}

function warningsOf({ placing }: RegionView, machines: readonly MachineReport[]): string[] {
  const layout = placing.layout.document
  if (layout === undefined) {
    return placing.layout.revision === 0
      ? ["machines are there and hold nothing: 'causeway cluster create' places partitions on them"]
      : ['the layout cannot be read: use the version of causeway that the machines run']
  }
  const warnings = machines.flatMap((machine) => awayWarning(machine, layout.rebuildAfterMs))
  for (const { name, held } of placing.machines.values())
    for (const { partition, state } of held)
      if (state === 'failed')
        warnings.push(`${name} cannot start its copy of partition ${partition}: its log says why`)
  if (placing.controller.revision === 0)
    warnings.push(
      'no machine carries out moves and rebuildings now: one takes that over within seconds, if any is there',
    )
  const sites = layout.machines.flatMap((name): Site[] => {
    const machine = placing.machines.get(name)
    return machine === undefined ? [] : [machine]
  })
  const zones = zoneWarning(layout.copies, sites)
  return zones === undefined ? warnings : [...warnings, zones]
}

function awayWarning({ name, address, named, takesCopies }: MachineReport, rebuildAfterMs: number): string[] {
  if (address !== undefined) return []
  if (named > 0) {
    return [
      `machine ${name} is away, and ${countOf(named, 'copy', 'copies')} with it: bring it back, or they are built on other machines ` +
        `when it has been away for ${Math.round(rebuildAfterMs / 60_000)} min`,
    ]
  }
  return takesCopies
    ? [
        `machine ${name} is away and holds nothing: bring it back, or 'causeway cluster drain --machine ${name}'`,
      ]
    : []
}

const HEADING = ['machine', 'zone', 'nodes at', 'copies', 'state']

/** For people. */
export function machinesText({ machines, moves }: MachinesReport): string {
  const table = textTable([HEADING, ...machines.map(rowOf)])
  const lines = moves.map(({ partition, sentence }) => `  partition ${partition}: ${sentence}\n`)
  return lines.length === 0 ? `${table}\n` : `${table}\nunder way:\n${lines.join('')}\n`
}

function rowOf({ name, address, zone, named, held, takesCopies, isController }: MachineReport): string[] {
  const states = [
    address === undefined ? 'away' : 'there',
    ...(isController ? ['controller'] : []),
    ...(takesCopies ? [] : ['takes none']),
  ]
  const more = held.length > named ? `${named} (holds ${held.length})` : String(named)
  return [name, zone || '-', address === undefined ? '-' : `${address} and up`, more, states.join(', ')]
}

/** For programs. */
export function machinesJson({ machines, moves }: MachinesReport): object {
  return {
    machines: machines.map(({ address, ...machine }) => ({ ...machine, address: address ?? null })),
    moves: moves.map(({ partition, sentence }) => ({ partition, state: sentence })),
  }
}
