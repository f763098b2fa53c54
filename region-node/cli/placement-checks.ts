/**
 * placement-checks.ts: why copies may not be placed as somebody wants them, each with what would do.
 */
import type { MachineDocument } from '../placement/documents.ts'
import { loadsOf, type Site, siteFor } from '../placement/layout.ts'
import { countOf } from './cluster-plan.ts'
import { NotDoneError } from './not-done.ts'
import { layoutOf, type PlacedDesk, sitesOf } from './placement-desk.ts'
import type { RegionView } from './region-documents.ts'

const PORT_MAX = 65_535

/** Two copies in one zone, where another machine would keep them apart. @throws NotDoneError */
export function checkZone(
  { view, layout, placements }: PlacedDesk,
  partition: number,
  from: string,
  to: Site,
): void {
  const others = sitesOf(
    view,
    placements[partition]!.machines.filter((name) => name !== from),
  )
  const inZone = (site: Site): number => others.filter(({ zone }) => zone === site.zone).length
  const sites = sitesOf(view, layout.machines).filter(({ name }) => view.placing.machines.has(name))
  const loads = loadsOf(layoutOf(placements))
  const load = (name: string): number => loads.get(name) ?? 0
  // It may be where it is.
  const best = siteFor(others, sites, load)
  if (best === undefined || inZone(to) <= inZone(best)) return
  const elsewhere = siteFor(
    others,
    sites.filter(({ name }) => name !== from),
    load,
  )
  const isBetter = elsewhere !== undefined && inZone(elsewhere) < inZone(to)
  const advice = isBetter
    ? `${elsewhere.name} in zone ${elsewhere.zone} would do`
    : `only ${from} keeps them apart`
  const mates = others.filter(({ zone }) => zone === to.zone).map(({ name }) => name)
  throw new NotDoneError(
    `${to.name} is in zone ${to.zone}, like ${mates.join(', ')} with another copy of partition ${partition}: they would be ` +
      `lost together; ${advice}`,
  )
}

/** @throws NotDoneError */
export function checkPorts(machines: readonly (Site & Partial<MachineDocument>)[], partitions: number): void {
  for (const { name, host, firstPort } of machines) {
    if (host === undefined || firstPort === undefined) continue
    const last = firstPort + partitions - 1
    const range = `${firstPort} to ${last}`
    if (last > PORT_MAX)
      throw new NotDoneError(`${name} would need the ports ${range}: start it with a lower --first-port`)
    const neighbour = machines.find(
      (other) =>
        other.name !== name &&
        other.host === host &&
        other.firstPort !== undefined &&
        other.firstPort >= firstPort &&
        other.firstPort <= last,
    )
    if (neighbour !== undefined) {
      throw new NotDoneError(
        `${name} and ${neighbour.name} are both at ${host}, and ${name} would need the ports ${range}: start ` +
          `${neighbour.name} with another --first-port`,
      )
    }
  }
}

/** Nodes that run already are told how many partitions there are. @throws NotDoneError */
export function checkNodes({ directory }: RegionView, partitions: number): void {
  const counts = new Set([...directory.nodes.values()].map((node) => node.partitions))
  const last = Math.max(-1, ...directory.partitions.keys())
  if ([...counts].every((count) => count === partitions) && last < partitions) return
  const known = counts.size > 0 ? Math.max(...counts) : last + 1
  throw new NotDoneError(
    `this region has data in ${countOf(known, 'partition', 'partitions')} already, and that number stays for ever: say --partitions ${known}`,
  )
}

/** @throws NotDoneError */
export function registered(view: RegionView, name: string): MachineDocument {
  const machine = view.placing.machines.get(name)
  if (machine === undefined) throw new NotDoneError(notRegistered(view, name))
  return machine
}

export function notRegistered({ placing }: RegionView, name: string): string {
  const names = [...placing.machines.keys()].sort().join(', ') || 'none'
  return `no machine ${name} is registered: start it with 'causeway machine --name ${name}'. Registered: ${names}`
}
