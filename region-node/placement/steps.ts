/**
 * steps.ts: what a controller has to do next, by the documents of this moment and how long things have been so.
 *
 * Nothing here remembers what was begun. Each step follows from the documents, and carrying it out changes them, so a
 * controller that dies leaves nothing half done: the next one sees the same, and goes on.
 *
 * Why no step loses anything. Only `let-go` permits a deletion: of a copy that is in sync itself, and has followed in
 * this term (`heldTerm`), so that it has handed up what it had, while all that stay are in sync, and that is not primary. It is committed on condition that
 * the state, the leader and the placement are what it was decided on, and holds for this term only: a copy that was
 * promoted before its machine heard of it is taken back. `rebuild` deletes nothing: when the machine
 * comes back its copy is taken back, and let go like any other.
 *
 * A scene has to be one of now: of documents that may be old no steps follow.
 */
import type { Directory, PartitionDocuments } from '../cluster/directory.ts'
import type { NodeDocument } from '../cluster/documents.ts'
import type { Change, Condition } from '../coordinator/port.ts'
import {
  copyOn,
  encodePlacing,
  isNamed,
  isReleased,
  type LayoutDocument,
  nodeOfCopy,
  type PlacementDocument,
  type PlacingKeys,
  type Release,
} from './documents.ts'
import { letGo, rebuilt, takenBack } from './edits.ts'
import { loadsOf, type Site, siteFor } from './layout.ts'
import type { Patience } from './patience.ts'
import type { Placing } from './placing.ts'

/** How long the preferred primary has to have followed another one before it takes over: it may have been unwell. */
const PREFERRED_AFTER_MS = 60_000
/** The first primary of all is whoever was there first: nobody has been unwell, so it is enough to have begun. */
const FIRST_TERM = 1
const BEGUN_MS = 5000
/** Partitions of which a lost copy is rebuilt at one time: each of them costs its primary a reading of everything. */
const REBUILDS_MAX = 4

/** Everything that steps follow from. */
export interface Scene {
  readonly placing: Placing
  readonly directory: Directory
  /** Has looked at both. */
  readonly patience: Patience
  /** For the cool-down, which outlasts a controller. */
  readonly wallMs: number
  /** A node does not claim before it has run for so long (`cluster/election.ts`): a lease of its detection profile. */
  readonly claimAfterMs: number
}

/** Where clients reach it; port 0: not so. */
export type NodePlace = Pick<NodeDocument, 'nodeId' | 'host' | 'port' | 'tlsPort'>

interface OfPartition {
  readonly partition: number
  /** For people: what for. */
  readonly why: string
}

export type Step =
  /** The node of that machine is to be primary: CLUSTER FAILOVER to it. */
  | (OfPartition & { readonly kind: 'hand-over'; readonly machine: string; readonly node: NodePlace })
  /** A member that is there no more: CLUSTER FORGET to the primary. */
  | (OfPartition & { readonly kind: 'forget'; readonly nodeId: string; readonly primary: NodePlace })
  /** A machine that leaves is named no more. Without a release it is away, and keeps what it has. */
  | (OfPartition & {
      readonly kind: 'let-go'
      readonly machine: string
      readonly release: Release | undefined
    })
  /** Another machine takes the place of one that is away. */
  | (OfPartition & { readonly kind: 'rebuild'; readonly lost: string; readonly on: string })
  /** A copy that nobody names is named again, to hand up what it has: the machine leaves. */
  | (OfPartition & { readonly kind: 'take-back'; readonly machine: string; readonly nodeId: string })

/** What carrying a step out is. */
export type Order =
  /** To be committed as it is; when it does not hold any more, nothing is lost: look again. */
  | {
      readonly do: 'commit'
      readonly conditions: readonly Condition[]
      readonly changes: readonly Change[]
    }
  /** To be said to a node, which answers OK or why not; the documents tell when it has happened. */
  | { readonly do: 'say'; readonly to: NodePlace; readonly words: readonly string[] }

/** A partition with what belongs to it. */
interface View {
  readonly scene: Scene
  readonly layout: LayoutDocument
  readonly partition: number
  readonly placement: PlacementDocument
  readonly documents: PartitionDocuments
  /** Those that are registered. */
  readonly nodes: readonly NodeDocument[]
  /** Undefined while nobody who is registered is. */
  readonly primary: NodeDocument | undefined
}

/** One step at most for each partition; none: all is as it should be, or has to be waited for. */
export function stepsOf(scene: Scene): Step[] {
  const layout = scene.placing.layout.document
  if (layout === undefined) return []
  const views = viewsOf(scene, layout)
  const rebuilds = new Rebuilds(views)
  return views.flatMap((view) => {
    const step = takeBack(view) ?? release(view) ?? handOver(view) ?? rebuilds.next(view) ?? forget(view)
    return step === undefined ? [] : [step]
  })
}

/** @param scene  the one that the step follows from */
export function orderOf(step: Step, scene: Scene, keys: PlacingKeys): Order {
  const { partition } = step
  if (step.kind === 'hand-over') return { do: 'say', to: step.node, words: ['CLUSTER', 'FAILOVER'] }
  if (step.kind === 'forget')
    return { do: 'say', to: step.primary, words: ['CLUSTER', 'FORGET', step.nodeId] }
  const { revision, document } = scene.placing.placement(partition)
  const key = keys.placement(partition)
  return {
    do: 'commit',
    conditions: [{ key, revision }, ...conditionsOf(step, scene, keys)],
    changes: [{ do: 'put', key, value: encodePlacing(edited(document!, step, scene)) }],
  }
}

type EditStep = Extract<Step, { readonly kind: 'let-go' | 'rebuild' | 'take-back' }>

/** What the step was decided on, beside the placement. */
function conditionsOf(step: EditStep, { placing, directory }: Scene, keys: PlacingKeys): Condition[] {
  if (step.kind === 'take-back') return []
  const machine = step.kind === 'let-go' ? step.machine : step.lost
  const absence = placing.machines.has(machine) ? [] : [{ key: keys.machine(machine), revision: 0 }]
  if (step.kind === 'rebuild') return absence
  const { state, leader } = directory.of(step.partition)
  return [
    { key: keys.nodes.of('state', step.partition), revision: state.revision },
    { key: keys.nodes.of('leader', step.partition), revision: leader.revision },
    ...absence,
  ]
}

function edited(before: PlacementDocument, step: EditStep, { wallMs }: Scene): PlacementDocument {
  if (step.kind === 'let-go') return letGo(before, step.machine, step.release)
  if (step.kind === 'rebuild') return rebuilt(before, step, wallMs)
  return takenBack(before, step.machine, step.nodeId)
}

function viewsOf(scene: Scene, layout: LayoutDocument): View[] {
  const { placing, directory } = scene
  const nodes = new Map<number, NodeDocument[]>()
  for (const node of directory.nodes.values())
    nodes.set(node.partition, [...(nodes.get(node.partition) ?? []), node])
  return Array.from({ length: layout.partitions }, (_, partition): View[] => {
    const placement = placing.placement(partition).document
    if (placement === undefined) return []
    const documents = directory.of(partition)
    const primary = directory.nodes.get(documents.leader.document?.nodeId ?? '')
    return [{ scene, layout, partition, placement, documents, nodes: nodes.get(partition) ?? [], primary }]
  }).flat()
}

/** The node of that machine, when it is registered. */
export function nodeOn(
  { placing }: Pick<Scene, 'placing'>,
  machine: string,
  partition: number,
  nodes: Iterable<NodeDocument>,
): NodeDocument | undefined {
  const known = placing.known.get(machine)
  return known === undefined ? undefined : nodeOfCopy(known, partition, nodes)
}

/** The node of that machine, when it may be promoted as it is. */
function inSyncOn(view: View, machine: string): NodeDocument | undefined {
  const node = nodeOn(view.scene, machine, view.partition, view.nodes)
  const { inSync = [] } = view.documents.state.document ?? {}
  return node !== undefined && inSync.includes(node.nodeId) ? node : undefined
}

/** Also without making clients wait: one that has just begun would leave the claim to another one, or to nobody. */
function readyOn(view: View, machine: string): NodeDocument | undefined {
  const node = inSyncOn(view, machine)
  return node !== undefined && followedMs(view, node) >= view.scene.claimAfterMs ? node : undefined
}

/** For how long it has been in sync with the primary of now. */
function followedMs({ scene, partition, documents }: View, { nodeId }: NodeDocument): number {
  return scene.patience.followedMs(partition, nodeId, documents.state.document?.term ?? 0)
}

const isAllInSync = (view: View): boolean =>
  view.placement.machines.every((machine) => inSyncOn(view, machine) !== undefined)

/** Its machine is away, or cannot start it, and has been so for long enough to do without it. */
function isLost(view: View, machine: string): boolean {
  const { scene, layout, partition } = view
  const goneMs = scene.patience.copyGoneMs(partition, machine)
  const isGone = goneMs > 0 && goneMs >= layout.rebuildAfterMs
  return isGone && nodeOn(scene, machine, partition, view.nodes) === undefined
}

function takeBack({ scene, partition, placement, documents }: View): Step | undefined {
  const term = documents.state.document?.term ?? 0
  for (const machine of scene.placing.machines.values()) {
    const copy = copyOn(machine, partition)
    if (copy === undefined || copy.nodeId === '' || isNamed(placement, machine.name)) continue
    if (isReleased(placement, copy.nodeId, term)) continue
    const why = `${machine.name} holds a copy that no placement names, and maybe writes that nobody else has`
    return { kind: 'take-back', partition, machine: machine.name, nodeId: copy.nodeId, why }
  }
  return undefined
}

function release(view: View): Step | undefined {
  const { scene, partition, placement, primary, documents } = view
  const { term, heldTerm } = documents.state.document ?? {}
  if (primary === undefined || term === undefined || !isAllInSync(view)) return undefined
  // Who was in sync with the primary before is named until it has come: it may be that one, with what nobody else has.
  if (heldTerm !== term) return undefined
  for (const machine of placement.leaving) {
    const node = inSyncOn(view, machine)
    if (node === primary) continue
    if (node !== undefined) {
      const why = `all others are in sync, so nobody needs the copy on ${machine} any more`
      return { kind: 'let-go', partition, machine, release: { nodeId: node.nodeId, term }, why }
    }
    if (scene.placing.machines.has(machine) || !isLost(view, machine)) continue
    const why = `all others are in sync, and ${machine} is away; when it comes back it is looked at what it has`
    return { kind: 'let-go', partition, machine, release: undefined, why }
  }
  return undefined
}

function handOver(view: View): Step | undefined {
  const { scene, partition, placement, primary, documents } = view
  const [preferred = ''] = placement.machines
  const holder = [...placement.machines, ...placement.leaving].find(
    (machine) => primary !== undefined && inSyncOn(view, machine) === primary,
  )
  // A primary that still asks the other regions would leave that to its successor, and its clients without an answer.
  if (primary === undefined || holder === preferred || documents.state.document?.isWhole !== true)
    return undefined
  const isStaying = holder !== undefined && placement.machines.includes(holder)
  const place = (to: NodeDocument, machine: string, why: string): Step => {
    return { kind: 'hand-over', partition, machine, node: placeOf(to), why }
  }
  const best = readyOn(view, preferred)
  if (isStaying) {
    if (best === undefined) return undefined
    const { term = 0 } = documents.state.document ?? {}
    if (followedMs(view, best) < (term === FIRST_TERM ? BEGUN_MS : PREFERRED_AFTER_MS)) return undefined
    return place(best, preferred, `primaries are even over machines when it is on ${preferred}`)
  }
  // While the preferred one is being built it is waited for: clients are to be moved once.
  const isAwaited = best === undefined && scene.placing.machines.has(preferred)
  const machine = placement.machines.find((name) => readyOn(view, name) !== undefined)
  const node = machine === undefined ? undefined : readyOn(view, machine)
  if (isAwaited || machine === undefined || node === undefined) return undefined
  return place(
    node,
    machine,
    `its primary is on ${holder ?? 'a machine that is not named'}, which is to be left`,
  )
}

/** Copies that are lost, each rebuilt on the machine that has least to do, and not all at one time. */
class Rebuilds {
  readonly #loads: Map<string, number>
  #underWay: number

  constructor(views: readonly View[]) {
    this.#loads = loadsOf(views.map(({ placement }) => placement.machines))
    this.#underWay = views.filter(isRebuilding).length
  }

  next(view: View): Step | undefined {
    const { partition, placement, primary } = view
    const lost = placement.machines.find((machine) => isLost(view, machine))
    // Without a primary there is nobody to build a copy from.
    if (lost === undefined || primary === undefined || isCooling(view) || this.#underWay >= REBUILDS_MAX)
      return undefined
    const on = this.#siteFor(view, lost)
    if (on === undefined) return undefined
    this.#underWay++
    this.#loads.set(on, (this.#loads.get(on) ?? 0) + 1)
    return {
      kind: 'rebuild',
      partition,
      lost,
      on,
      why: `${lost} is away for too long, or cannot start its copy`,
    }
  }

  #siteFor({ scene, layout, partition, placement }: View, lost: string): string | undefined {
    const { machines, known } = scene.placing
    const others = placement.machines
      .filter((name) => name !== lost)
      .map((name): Site => ({ name, zone: known.get(name)?.zone ?? '' }))
    const sites = layout.machines.flatMap((name): Site[] => {
      const machine = machines.get(name)
      const isFit = machine !== undefined && copyOn(machine, partition)?.state !== 'failed' && name !== lost
      return isFit ? [machine] : []
    })
    // One that is about to leave has everything already.
    const load = (name: string): number =>
      placement.leaving.includes(name) ? -1 : (this.#loads.get(name) ?? 0)
    return siteFor(others, sites, load)?.name
  }
}

function isCooling({ scene, layout, placement }: View): boolean {
  const sinceMs = scene.wallMs - placement.rebuiltMs
  return placement.rebuiltMs > 0 && sinceMs >= 0 && sinceMs < layout.cooldownMs
}

const isRebuilding = (view: View): boolean => isCooling(view) && !isAllInSync(view)

function forget(view: View): Step | undefined {
  const { scene, layout, partition, placement, primary, documents } = view
  const { members = [], inSync = [] } = documents.state.document ?? {}
  if (primary === undefined || !isEveryCopyKnown(view)) return undefined
  const nodeId = members.find((member) => {
    if (scene.directory.nodes.has(member) || inSync.includes(member)) return false
    const awayMs = scene.patience.memberAwayMs(partition, member)
    const isOver =
      placement.released.some((release) => release.nodeId === member) ||
      (awayMs > 0 && awayMs >= layout.rebuildAfterMs)
    return isOver && !isHeld(scene.placing, partition, member)
  })
  if (nodeId === undefined) return undefined
  const why = `node ${nodeId} is gone for good: it is registered nowhere, and no machine holds its data`
  return { kind: 'forget', partition, nodeId, primary: placeOf(primary), why }
}

function placeOf({ nodeId, host, port, tlsPort }: NodeDocument): NodePlace {
  return { nodeId, host, port, tlsPort }
}

/** All machines that are named are there, and know which nodes they hold. */
function isEveryCopyKnown({ scene, partition, placement }: View): boolean {
  return [...placement.machines, ...placement.leaving].every((name) => {
    const machine = scene.placing.machines.get(name)
    return machine !== undefined && copyOn(machine, partition)?.nodeId !== ''
  })
}

function isHeld(placing: Placing, partition: number, nodeId: string): boolean {
  return [...placing.machines.values()].some((machine) => copyOn(machine, partition)?.nodeId === nodeId)
}
