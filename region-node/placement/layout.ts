/**
 * layout.ts: which machines hold the copies of which partition: spread at first, made even later, replaced one by one.
 *
 * Invariants: no machine has two copies of a partition. The copies of a partition are spread over zones as evenly as
 * the machines of the zones let them: with at least as many zones as copies, no zone has two.
 * Within that, first the numbers of copies on machines are as even as can be, then as few copies move as can be, then
 * the numbers of primaries are as even as can be, and then as few primaries move as can be. All this is the cheapest
 * flow through a network, so it is exact, and what is in order stays as it is.
 */
import { CostFlow } from './cost-flow.ts'

/** A machine that takes copies. */
export interface Site {
  readonly name: string
  /** '' for none. */
  readonly zone: string
}

/** By partition, names of machines: the first is where the primary had best be. */
export type Layout = readonly (readonly string[])[]

/** How many copies of a partition a zone may have. */
interface ZoneRule {
  /** All zones have that many, or as many as they have machines. */
  readonly base: number
  /** That many zones have one more. */
  readonly extra: number
}

/** @param sites  at least as many as copies */
export function spread(partitions: number, copies: number, sites: readonly Site[]): string[][] {
  const ring = alternating(sites)
  const hint = Array.from({ length: partitions }, (_, partition) => {
    // Each round pairs a machine with others, so that what one of them leaves is taken over by many.
    const stride = 1 + (Math.floor(partition / ring.length) % Math.max(1, ring.length - 1))
    return Array.from({ length: copies }, (_, copy) => ring[(partition + copy * stride) % ring.length]!.name)
  })
  return rebalance(hint, copies, sites)
}

/**
 * @param now  machines that are no sites lose what they have
 * @param sites  at least as many as copies
 */
export function rebalance(now: Layout, copies: number, sites: readonly Site[]): string[][] {
  const ordered = [...sites].sort((a, b) => (a.name < b.name ? -1 : 1))
  const holders = evenHolders(now, copies, ordered)
  const primaries = evenPrimaries(
    holders,
    now.map(([first]) => first),
    ordered,
  )
  return holders.map((names, partition) => inOrder(names, primaries[partition]!, now[partition]!))
}

/** Where one copy goes whose other copies are on `others`; undefined: no site is left. */
export function siteFor(
  others: readonly Site[],
  sites: readonly Site[],
  load: (machine: string) => number,
): Site | undefined {
  const free = sites.filter(({ name }) => !others.some((other) => other.name === name))
  const inZone = (zone: string): number => others.filter((other) => other.zone === zone).length
  const [best] = free.sort(
    (a, b) => inZone(a.zone) - inZone(b.zone) || load(a.name) - load(b.name) || (a.name < b.name ? -1 : 1),
  )
  return best
}

/** Copies go to other sites, one by one, and nothing else moves; undefined: there are too few sites. */
export function without(machine: string, now: Layout, sites: readonly Site[]): string[][] | undefined {
  const left = sites.filter(({ name }) => name !== machine)
  const zones = new Map(sites.map(({ name, zone }) => [name, zone]))
  const loads = loadsOf(now)
  const next: string[][] = []
  for (const names of now) {
    if (!names.includes(machine)) {
      next.push([...names])
      continue
    }
    const others = names.filter((name) => name !== machine)
    const known = others.map((name) => ({ name, zone: zones.get(name) ?? '' }))
    const site = siteFor(known, left, (name) => loads.get(name) ?? 0)
    if (site === undefined) return undefined
    loads.set(site.name, (loads.get(site.name) ?? 0) + 1)
    next.push(names.map((name) => (name === machine ? site.name : name)))
  }
  return next
}

/** Copies on each machine. */
export function loadsOf(layout: Layout): Map<string, number> {
  const loads = new Map<string, number>()
  for (const name of layout.flat()) loads.set(name, (loads.get(name) ?? 0) + 1)
  return loads
}

/** In order; '' is one as well. */
export function zonesOf(sites: readonly Site[]): string[] {
  return [...new Set(sites.map(({ zone }) => zone))].sort()
}

/** Neighbours are in different zones as long as there are any. */
function alternating(sites: readonly Site[]): Site[] {
  const sorted = [...sites].sort((a, b) => (a.name < b.name ? -1 : 1))
  const inZone = zonesOf(sites).map((zone) => sorted.filter((site) => site.zone === zone))
  const longest = Math.max(0, ...inZone.map(({ length }) => length))
  return Array.from({ length: longest }, (_, at) => inZone.flatMap((one) => one.slice(at, at + 1))).flat()
}

function zoneRule(copies: number, sites: readonly Site[]): ZoneRule {
  const sizes = zonesOf(sites).map((zone) => sites.filter((site) => site.zone === zone).length)
  const room = (each: number): number => sizes.reduce((sum, size) => sum + Math.min(size, each), 0)
  let base = 0
  while (room(base + 1) < copies) base++
  return { base, extra: copies - room(base) }
}

/** The names of the machines of each partition, in no order. */
function evenHolders(now: Layout, copies: number, sites: readonly Site[]): string[][] {
  const zones = zonesOf(sites)
  const rule = zoneRule(copies, sites)
  const source = 0
  const sink = 1
  const machineAt = (site: number): number => 2 + site
  const roomsEach = 2 + zones.length
  const partitionAt = (partition: number): number => 2 + sites.length + partition * roomsEach
  const flow = new CostFlow(partitionAt(now.length))
  const links = now.map((names, partition) => {
    const all = partitionAt(partition)
    const extra = all + 1
    flow.add(source, all, copies, 0)
    flow.add(all, extra, rule.extra, 0)
    zones.forEach((zone, at) => {
      const size = sites.filter((site) => site.zone === zone).length
      flow.add(all, extra + 1 + at, Math.min(size, rule.base), 0)
      flow.add(extra, extra + 1 + at, 1, 0)
    })
    return sites.map(({ name, zone }, site) =>
      flow.add(extra + 1 + zones.indexOf(zone), machineAt(site), 1, names.includes(name) ? 0 : 1),
    )
  })
  // Evenness is dearer than all moves together.
  addLoads(flow, { sites: sites.length, machineAt, sink, most: now.length, weight: now.length * copies + 1 })
  flow.run(source, sink)
  return links.map((edges) => sites.filter((_, site) => flow.sent(edges[site]!) > 0).map(({ name }) => name))
}

/** One of the holders of each partition. */
function evenPrimaries(
  holders: Layout,
  now: readonly (string | undefined)[],
  sites: readonly Site[],
): string[] {
  const source = 0
  const sink = 1
  const machineAt = (site: number): number => 2 + site
  const flow = new CostFlow(2 + sites.length + holders.length)
  const links = holders.map((names, partition) => {
    const at = 2 + sites.length + partition
    flow.add(source, at, 1, 0)
    return sites.flatMap(({ name }, site) =>
      names.includes(name)
        ? [{ name, edge: flow.add(at, machineAt(site), 1, now[partition] === name ? 0 : 1) }]
        : [],
    )
  })
  addLoads(flow, { sites: sites.length, machineAt, sink, most: holders.length, weight: holders.length + 1 })
  flow.run(source, sink)
  return links.map((edges) => edges.find(({ edge }) => flow.sent(edge) > 0)!.name)
}

interface Loads {
  readonly sites: number
  readonly machineAt: (site: number) => number
  readonly sink: number
  readonly most: number
  readonly weight: number
}

/** The n-th copy on a machine costs 2n + 1: the sum of that is the square, which is least when all are even. */
function addLoads(flow: CostFlow, { sites, machineAt, sink, most, weight }: Loads): void {
  for (let site = 0; site < sites; site++)
    for (let copy = 0; copy < most; copy++) flow.add(machineAt(site), sink, 1, weight * (2 * copy + 1))
}

/** The primary, those that were there in the order in which they were, and then the new ones. */
function inOrder(names: readonly string[], primary: string, before: readonly string[]): string[] {
  const kept = before.filter((name) => names.includes(name))
  return [...new Set([primary, ...kept, ...names])]
}
