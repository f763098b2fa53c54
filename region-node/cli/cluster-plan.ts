/**
 * cluster-plan.ts: what a change of placements moves, as a plan that can be read before it is carried out.
 */
import { type Layout, loadsOf, type Site, zonesOf } from '../placement/layout.ts'
import { textTable } from './text-table.ts'

export interface Plan {
  readonly before: Layout
  readonly after: Layout
  /** All that have copies or may get some. */
  readonly sites: readonly Site[]
  /** Ops that a partition holds; undefined: nobody says. */
  readonly opsOf: (partition: number) => number | undefined
  /** Why a copy leaves that machine for that one. */
  readonly why: (partition: number, from: string, to: string) => string
}

interface Move {
  readonly partition: number
  readonly from: string
  readonly to: string
}

export function movesOf({ before, after }: Pick<Plan, 'before' | 'after'>): Move[] {
  return after.flatMap((names, partition) => {
    const left = (before[partition] ?? []).filter((name) => !names.includes(name))
    const taken = names.filter((name) => !(before[partition] ?? []).includes(name))
    return taken.map((to, at) => ({ partition, from: left[at] ?? '', to }))
  })
}

/** Partitions whose placement changes. */
export function changedBy({ before, after }: Pick<Plan, 'before' | 'after'>): number[] {
  return after.flatMap((names, partition) =>
    names.join() === (before[partition] ?? []).join() ? [] : [partition],
  )
}

export function planText(plan: Plan): string {
  const moves = movesOf(plan)
  const primaries = primaryChanges(plan)
  const ops = moves.map(({ partition }) => plan.opsOf(partition))
  const known = ops.reduce<number>((sum, count = 0) => sum + count, 0)
  const rest = ops.includes(undefined) ? ', and some that nobody counts now' : ''
  const rows = [
    ...moves.map(({ partition, from, to }) => [
      String(partition),
      `copy ${from} -> ${to}`,
      String(plan.opsOf(partition) ?? '?'),
      plan.why(partition, from, to),
    ]),
    ...primaries.map(({ partition, from, to }) => [
      String(partition),
      `primary ${from} -> ${to}`,
      '-',
      'clients wait for some milliseconds',
    ]),
  ].sort((a, b) => Number(a[0]) - Number(b[0]))
  const parts = [
    `${countOf(moves.length, 'copy moves', 'copies move')} (${known} ops on the way${rest})`,
    countOf(primaries.length, 'primary moves', 'primaries move'),
  ]
  return `${parts.join('; ')}\n\n${textTable([['partition', 'what', 'ops', 'why'], ...rows])}\n${machineTable(plan)}`
}

/** Every partition with its machines. */
export function layoutText(plan: Plan): string {
  const rows = plan.after.map(([primary = '', ...replicas], partition) => [
    String(partition),
    primary,
    replicas.join(', ') || '-',
  ])
  return `${textTable([['partition', 'primary', 'replicas'], ...rows])}\n${machineTable(plan)}`
}

/** How many of them each machine has, now and then. */
export function machineTable({ before, after, sites }: Plan): string {
  const copies = [loadsOf(before), loadsOf(after)] as const
  const primaries = [loadsOf(firstsOf(before)), loadsOf(firstsOf(after))] as const
  const change = (name: string, [now, then]: readonly [Map<string, number>, Map<string, number>]): string => {
    const [first, second] = [now.get(name) ?? 0, then.get(name) ?? 0]
    return first === second ? String(first) : `${first} -> ${second}`
  }
  const rows = sites.map(({ name, zone }) => [
    name,
    zone || '-',
    change(name, copies),
    change(name, primaries),
  ])
  return textTable([['machine', 'zone', 'copies', 'primaries'], ...rows])
}

/** @returns undefined when the loss of any one zone leaves all but one copy */
export function zoneWarning(copies: number, sites: readonly Site[]): string | undefined {
  const zones = zonesOf(sites)
  if (zones.length >= copies || zones.join() === '') return undefined
  return (
    `there are ${copies} copies of a partition and ${countOf(zones.length, 'zone', 'zones')} (${zones.map((zone) => zone || 'none').join(', ')}): ` +
    'some of them share a zone, and would be lost together. Add machines in other zones'
  )
}

export function countOf(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`
}

function primaryChanges({ before, after }: Plan): Move[] {
  return after.flatMap(([to = ''], partition) => {
    const [from = ''] = before[partition] ?? []
    return from === to ? [] : [{ partition, from, to }]
  })
}

const firstsOf = (layout: Layout): Layout => layout.map((names) => names.slice(0, 1))
