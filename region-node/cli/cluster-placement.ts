/**
 * cluster-placement.ts: `causeway cluster create | add-node | rebalance | move | drain --machine`: which machine holds
 * a copy of which partition.
 *
 * A change is a plan first, and then a commit of placements on the revisions that the plan was made of. All that
 * follows (copies that are built, primaries that move, copies that are deleted) is done by the machines themselves, also
 * when nobody watches: what is printed meanwhile is only read.
 */
import { encodePlacing, type LayoutDocument } from '../placement/documents.ts'
import { firstPlacement, moved } from '../placement/edits.ts'
import { type Layout, loadsOf, rebalance, type Site, spread, without } from '../placement/layout.ts'
import { changedBy, countOf, layoutText, type Plan, planText, zoneWarning } from './cluster-plan.ts'
import { followMoves } from './cluster-progress.ts'
import type { CliHost } from './host.ts'
import { NotDoneError } from './not-done.ts'
import { checkNodes, checkPorts, checkZone, notRegistered, registered } from './placement-checks.ts'
import {
  commit,
  commitPlacements,
  type Desk,
  layoutOf,
  type PlacedDesk,
  type PlacementChange,
  placedDesk,
  sitesOf,
} from './placement-desk.ts'
import { countIn, durationIn, needed } from './placement-words.ts'
import type { RegionDocuments, RegionView } from './region-documents.ts'
import { UsageError, type Words } from './words.ts'

const PARTITIONS_MAX = 1024
const REBUILD_AFTER_MS = 10 * 60_000
const COOLDOWN_MS = 60 * 60_000

type Run = (words: Words, documents: RegionDocuments, host: CliHost) => Promise<number>

/** Partitions are spread over the machines that are registered. @throws UsageError, NotDoneError, UnreadableError */
export const create: Run = async (words, documents, host) => {
  const view = await documents.view()
  const desk: Desk = { words, documents, host, view }
  const partitions = countIn(words, 'partitions', PARTITIONS_MAX)
  if ((partitions & (partitions - 1)) !== 0)
    throw new UsageError(`--partitions ${partitions}: it is a power of two, from 1 to ${PARTITIONS_MAX}`)
  const copies = countIn(words, 'copies', PARTITIONS_MAX)
  if (view.placing.layout.revision !== 0) {
    throw new NotDoneError(
      "the partitions of this region are placed already: 'add-node', 'rebalance', 'move' and 'drain' change that",
    )
  }
  const machines = namesIn(words.get('machines'), view).map((name) => registered(view, name))
  if (machines.length < copies) {
    throw new NotDoneError(
      `${countOf(copies, 'copy needs', 'copies need')} as many machines, and there ${machines.length === 1 ? 'is' : 'are'} ` +
        `${machines.length} (${machines.map(({ name }) => name).join(', ') || 'none'}): start more with 'causeway machine'`,
    )
  }
  checkPorts(machines, partitions)
  checkNodes(view, partitions)
  const after = spread(partitions, copies, machines)
  const names = machines.map(({ name }) => name).sort()
  const layout: LayoutDocument = {
    version: 1,
    partitions,
    copies,
    machines: names,
    rebuildAfterMs: durationIn(words, 'rebuild-after') ?? REBUILD_AFTER_MS,
    cooldownMs: COOLDOWN_MS,
  }
  const plan = planOf(desk, [], after, machines)
  host.print(
    `${countOf(partitions, 'partition', 'partitions')}, ${countOf(copies, 'copy', 'copies')} of each\n\n`,
  )
  host.print(layoutText(plan))
  warnOfZones(host, copies, machines)
  if (words.has('dry-run')) return 0
  // Machines begin when there is a layout: by then all placements are there.
  const changes = after.map((names, partition): PlacementChange => {
    const { revision } = view.placing.placement(partition)
    return { partition, revision, placement: firstPlacement(names) }
  })
  await commitPlacements(documents, changes, [])
  await commit(
    documents,
    [{ key: documents.placingKeys.layout, revision: 0 }],
    [{ do: 'put', key: documents.placingKeys.layout, value: encodePlacing(layout) }],
  )
  await followMoves(documents, host, after.keys())
  return 0
}

/** A machine takes copies from now on. @throws UsageError, NotDoneError, UnreadableError */
export const addNode: Run = async (words, documents, host) => {
  const desk = await placedDesk(words, documents, host)
  const { view, layout, layoutRevision, placements } = desk
  const machine = registered(view, needed(words, 'machine', 'the name of the machine that is to take copies'))
  const isNew = !layout.machines.includes(machine.name)
  const sites = sitesOf(view, [...new Set([...layout.machines, machine.name])])
  checkPorts(sites, layout.partitions)
  if (isNew && !words.has('dry-run')) {
    const key = documents.placingKeys.layout
    const machines = [...layout.machines, machine.name].sort()
    const next = { ...layout, version: layout.version + 1, machines }
    await commit(
      documents,
      [{ key, revision: layoutRevision }],
      [{ do: 'put', key, value: encodePlacing(next) }],
    )
  }
  const what = isNew
    ? words.has('dry-run')
      ? 'would take copies'
      : 'takes copies from now on'
    : 'takes copies already'
  host.print(`${machine.name} ${what}. Nothing has moved: 'causeway cluster rebalance' would do this:\n\n`)
  const before = layoutOf(placements)
  host.print(planText(evenPlan(desk, before, rebalance(before, layout.copies, sites), sites)))
  return 0
}

/** Even numbers on all machines. @throws NotDoneError, UnreadableError */
export const rebalanceAll: Run = async (words, documents, host) => {
  const desk = await placedDesk(words, documents, host)
  const { view, layout, placements } = desk
  const away = layout.machines.filter((name) => !view.placing.machines.has(name))
  if (away.length > 0) {
    throw new NotDoneError(
      `${away.join(', ')} ${away.length === 1 ? 'is' : 'are'} away: bring ${away.length === 1 ? 'it' : 'them'} back, or take ` +
        `${away.length === 1 ? 'it' : 'them'} out with 'causeway cluster drain --machine NAME', and say it again`,
    )
  }
  const sites = sitesOf(view, layout.machines)
  const before = layoutOf(placements)
  const after = rebalance(before, layout.copies, sites)
  warnOfZones(host, layout.copies, sites)
  return carryOut(desk, evenPlan(desk, before, after, sites), layout)
}

/** One copy goes from one machine to another. @throws UsageError, NotDoneError, UnreadableError */
export const move: Run = async (words, documents, host) => {
  const desk = await placedDesk(words, documents, host)
  const { view, layout, placements } = desk
  const partition = countIn(words, 'partition', layout.partitions - 1, 0)
  const from = needed(words, 'from', 'the machine that is to lose the copy')
  const to = registered(view, needed(words, 'to', 'the machine that is to have it'))
  const { machines } = placements[partition]!
  if (!machines.includes(from))
    throw new NotDoneError(
      `${from} has no copy of partition ${partition} to give: ${machines.join(', ')} have one`,
    )
  if (machines.includes(to.name))
    throw new NotDoneError(`${to.name} has a copy of partition ${partition} already`)
  if (!layout.machines.includes(to.name))
    throw new NotDoneError(
      `${to.name} takes no copies: say 'causeway cluster add-node --machine ${to.name}' first`,
    )
  checkZone(desk, partition, from, to)
  const before = layoutOf(placements)
  const after = before.map((names, at) =>
    at === partition ? names.map((name) => (name === from ? to.name : name)) : names,
  )
  const plan = planOf(desk, before, after, sitesOf(view, layout.machines), () => 'as you say')
  return carryOut(desk, plan, layout)
}

/** All copies leave a machine, and it takes none. @throws UsageError, NotDoneError, UnreadableError */
export const drainMachine: Run = async (words, documents, host) => {
  const desk = await placedDesk(words, documents, host)
  const { view, layout, placements } = desk
  const machine = needed(words, 'machine', 'the name of the machine that is to be emptied')
  const before = layoutOf(placements)
  const isKnown =
    view.placing.machines.has(machine) || layout.machines.includes(machine) || before.flat().includes(machine)
  if (!isKnown) throw new NotDoneError(notRegistered(view, machine))
  const left = layout.machines.filter((name) => name !== machine)
  const sites = sitesOf(view, left).filter(({ name }) => view.placing.machines.has(name))
  const after = without(machine, before, sites)
  if (after === undefined) {
    throw new NotDoneError(
      `there are ${countOf(layout.copies, 'copy', 'copies')} of each partition, and only ${sites.map(({ name }) => name).join(', ') || 'no machine'} ` +
        `would be left to hold them: bring in another machine with 'causeway cluster add-node' first`,
    )
  }
  warnOfZones(host, layout.copies, sites)
  const plan = planOf(
    desk,
    before,
    after,
    sitesOf(view, [...left, machine].sort()),
    () => `${machine} is to be empty`,
  )
  const next = layout.machines.includes(machine)
    ? { ...layout, version: layout.version + 1, machines: left }
    : layout
  const begun = placements.flatMap(({ leaving }, partition) => (leaving.includes(machine) ? [partition] : []))
  const code = await carryOut(desk, plan, next, begun)
  if (words.has('dry-run')) return code
  // What was let go is still on its disk for a moment.
  await documents.until(({ placing }) => (placing.machines.get(machine)?.held.length ?? 0) === 0)
  host.print(`${machine} holds no copies and takes none: its process may be stopped\n`)
  return code
}

/**
 * Prints the plan, commits it, and tells how it goes.
 * @param layout  as it is to be
 * @param begun  partitions whose moves were begun earlier, and are told of as well
 */
async function carryOut(
  desk: PlacedDesk,
  plan: Plan,
  layout: LayoutDocument,
  begun: readonly number[] = [],
): Promise<number> {
  const { words, documents, host, view, layoutRevision, placements } = desk
  const changed = changedBy(plan)
  const isSame = layout === desk.layout
  host.print(changed.length === 0 ? 'nothing has to move\n' : planText(plan))
  if (words.has('dry-run')) return 0
  const changes = changed.map((partition): PlacementChange => {
    const { revision } = view.placing.placement(partition)
    return { partition, revision, placement: moved(placements[partition]!, plan.after[partition]!) }
  })
  const key = documents.placingKeys.layout
  const value = encodePlacing(layout)
  if (!isSame) await commit(documents, [{ key, revision: layoutRevision }], [{ do: 'put', key, value }])
  await commitPlacements(documents, changes, isSame ? [{ key, revision: layoutRevision }] : [])
  await followMoves(documents, host, [...new Set([...changed, ...begun])])
  return 0
}

function planOf(
  { view }: Desk,
  before: Layout,
  after: Layout,
  sites: readonly Site[],
  why: Plan['why'] = () => '',
): Plan {
  const { directory } = view
  const opsOf = (partition: number): number | undefined =>
    directory.nodes.get(directory.of(partition).leader.document?.nodeId ?? '')?.opCount
  return { before, after, sites: [...sites].sort((a, b) => (a.name < b.name ? -1 : 1)), opsOf, why }
}

/** With reasons for what `rebalance` moves. */
function evenPlan(desk: Desk, before: Layout, after: Layout, sites: readonly Site[]): Plan {
  const loads = loadsOf(before)
  const zone = (machine: string): string => sites.find(({ name }) => name === machine)?.zone ?? ''
  const inZone = (names: readonly string[], one: string): number =>
    names.filter((name) => zone(name) === one).length
  const why = (partition: number, from: string, to: string): string => {
    if (!sites.some(({ name }) => name === from)) return `${from} takes no copies`
    const crowd = inZone(before[partition]!, zone(from))
    if (crowd > 1 && inZone(after[partition]!, zone(from)) < crowd)
      return `zone ${zone(from)} has ${crowd} copies of this partition`
    return `${from} has ${loads.get(from) ?? 0} copies, ${to} has ${loads.get(to) ?? 0}`
  }
  return planOf(desk, before, after, sites, why)
}

function warnOfZones(host: CliHost, copies: number, sites: readonly Site[]): void {
  const warning = zoneWarning(copies, sites)
  if (warning !== undefined) host.print(`warning: ${warning}.\n`)
}

function namesIn(given: string | undefined, { placing }: RegionView): string[] {
  return given === undefined ? [...placing.machines.keys()].sort() : [...new Set(given.split(','))]
}
