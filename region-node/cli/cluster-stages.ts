/**
 * cluster-stages.ts: how far each partition is on the way to what its placement says, in words for people.
 */
import type { NodeDocument } from '../cluster/documents.ts'
import { copyOn, type PlacementDocument } from '../placement/documents.ts'
import { nodeOn } from '../placement/steps.ts'
import type { RegionView } from './region-documents.ts'

export interface Stage {
  readonly partition: number
  readonly isDone: boolean
  /** Without the counts: it is another one when something has happened. */
  readonly key: string
  readonly sentence: string
}

/** A step on the way: what is to be told once, and with counts. */
interface Errand {
  readonly key: string
  readonly sentence: string
}

const SHARES = 4

export function stagesOf(view: RegionView): Stage[] {
  const count = view.placing.layout.document?.partitions ?? 0
  return Array.from({ length: count }, (_, partition) => stageOf(view, partition))
}

export function stageOf(view: RegionView, partition: number): Stage {
  const placement = view.placing.placement(partition).document
  if (placement === undefined) {
    const sentence = 'its placement is missing or cannot be read'
    return { partition, isDone: false, key: sentence, sentence }
  }
  const errands = errandsOf(view, partition, placement)
  if (errands.length > 0) {
    const [key, sentence] = [errands.map((one) => one.key), errands.map((one) => one.sentence)]
    return { partition, isDone: false, key: key.join('; '), sentence: sentence.join('; ') }
  }
  const sentence = `is on ${placement.machines.join(', ')}`
  return { partition, isDone: true, key: sentence, sentence }
}

/** Which machine that node runs on, of those that are named. */
export function holderOf(
  view: RegionView,
  { machines, leaving }: PlacementDocument,
  node: NodeDocument,
): string | undefined {
  return [...machines, ...leaving].find(
    (machine) => nodeOn(view, machine, node.partition, view.directory.nodes.values()) === node,
  )
}

function errandsOf(view: RegionView, partition: number, placement: PlacementDocument): Errand[] {
  const { directory } = view
  const primary = directory.nodes.get(directory.of(partition).leader.document?.nodeId ?? '')
  const building = placement.machines.flatMap((machine) => buildingOf(view, partition, machine, primary))
  if (primary === undefined) return [...building, plain('nobody is primary')]
  const [preferred = ''] = placement.machines
  const holder = holderOf(view, placement, primary)
  const waiting = building.length > 0 ? [] : leavingOf(view, partition, placement, holder)
  if (holder === preferred || building.length > 0) return [...building, ...waiting]
  return [
    plain(`${preferred} is about to become primary in place of ${holder ?? 'a node elsewhere'}`),
    ...waiting,
  ]
}

/** What a copy still lacks. */
function buildingOf(
  view: RegionView,
  partition: number,
  machine: string,
  primary: NodeDocument | undefined,
): Errand[] {
  const { placing, directory } = view
  const registered = placing.machines.get(machine)
  if (registered === undefined) return [plain(`${machine} is away`)]
  const node = nodeOn(view, machine, partition, directory.nodes.values())
  if (node === undefined) {
    if (copyOn(registered, partition) === undefined) return [plain(`${machine} has not begun its copy`)]
    const isFailed = copyOn(registered, partition)?.state === 'failed'
    return [
      plain(isFailed ? `${machine} cannot start its copy: its log says why` : `${machine} starts its copy`),
    ]
  }
  if (directory.of(partition).state.document?.inSync.includes(node.nodeId) === true) return []
  if (primary === undefined) return [plain(`${machine} waits for a primary`)]
  const share = Math.min(SHARES - 1, Math.floor((SHARES * node.opCount) / Math.max(1, primary.opCount)))
  return [
    {
      key: `${machine} fetches ${share}`,
      sentence: `${machine} has ${node.opCount} of ${primary.opCount} ops`,
    },
  ]
}

/** Who is still to be let go. */
function leavingOf(
  { placing }: RegionView,
  partition: number,
  { leaving }: PlacementDocument,
  holder: string | undefined,
): Errand[] {
  return leaving
    .filter((machine) => machine !== holder)
    .map((machine) => {
      const registered = placing.machines.get(machine)
      if (registered === undefined) return plain(`${machine} is to be let go, and is away`)
      if (copyOn(registered, partition)?.state === 'failed')
        return plain(`${machine} is to be let go, and cannot start its copy: its log says why`)
      return plain(`${machine} is about to be let go`)
    })
}

const plain = (sentence: string): Errand => ({ key: sentence, sentence })
