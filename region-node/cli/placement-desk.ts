/**
 * placement-desk.ts: reads the layout and the placements of a region for somebody who changes them, and commits what
 * was made of them, on condition that they are still the same.
 */
import type { Change, Condition, Revision } from '../coordinator/port.ts'
import {
  encodePlacing,
  type LayoutDocument,
  type MachineDocument,
  type PlacementDocument,
} from '../placement/documents.ts'
import type { Layout, Site } from '../placement/layout.ts'
import type { CliHost } from './host.ts'
import { NotDoneError } from './not-done.ts'
import type { RegionDocuments, RegionView } from './region-documents.ts'
import type { Words } from './words.ts'

/** A commit takes 128 conditions; some are on other documents than placements. */
const PLACEMENTS_PER_COMMIT = 100
const LOOK = "look at 'causeway cluster status', and say it again"

/** What an action reads before it plans. */
export interface Desk {
  readonly words: Words
  readonly documents: RegionDocuments
  readonly host: CliHost
  readonly view: RegionView
}

export interface PlacedDesk extends Desk {
  readonly layout: LayoutDocument
  readonly layoutRevision: Revision
  /** By partition. */
  readonly placements: readonly PlacementDocument[]
}

/** @throws NotDoneError when nothing is placed yet, or a placement cannot be read */
export async function placedDesk(
  words: Words,
  documents: RegionDocuments,
  host: CliHost,
): Promise<PlacedDesk> {
  const view = await documents.view()
  const { revision, document: layout } = view.placing.layout
  if (layout === undefined) {
    throw new NotDoneError(
      revision === 0
        ? "the partitions of this region are not placed: 'causeway cluster create' does that"
        : 'the layout of this region cannot be read: use the version of causeway that its machines run',
    )
  }
  const placements = Array.from({ length: layout.partitions }, (_, partition) => {
    const { document } = view.placing.placement(partition)
    if (document !== undefined) return document
    throw new NotDoneError(
      `the placement of partition ${partition} cannot be read: use the version of causeway that its machines run`,
    )
  })
  return { words, documents, host, view, layout, layoutRevision: revision, placements }
}

export const layoutOf = (placements: readonly PlacementDocument[]): Layout =>
  placements.map(({ machines }) => machines)

/** Of one that is away nobody knows the zone. */
export function sitesOf(
  { placing }: RegionView,
  names: readonly string[],
): (Site & Partial<MachineDocument>)[] {
  return names.map((name) => placing.machines.get(name) ?? { name, zone: '' })
}

export interface PlacementChange {
  readonly partition: number
  readonly revision: Revision
  readonly placement: PlacementDocument
}

/** @throws NotDoneError */
export async function commitPlacements(
  documents: RegionDocuments,
  changes: readonly PlacementChange[],
  conditions: readonly Condition[],
): Promise<void> {
  const { placingKeys } = documents
  for (let at = 0; at < changes.length; at += PLACEMENTS_PER_COMMIT) {
    const some = changes.slice(at, at + PLACEMENTS_PER_COMMIT)
    await commit(
      documents,
      [
        ...conditions,
        ...some.map(({ partition, revision }) => ({ key: placingKeys.placement(partition), revision })),
      ],
      some.map(({ partition, placement }) => ({
        do: 'put',
        key: placingKeys.placement(partition),
        value: encodePlacing(placement),
      })),
    )
  }
}

/** @throws NotDoneError */
export function commit(
  { coordinator }: RegionDocuments,
  conditions: readonly Condition[],
  changes: readonly Change[],
): Promise<void> {
  return new Promise((resolve, reject) => {
    coordinator.commit(conditions, changes, (answer) => {
      if (answer.ok && answer.result.isCommitted) resolve()
      else if (answer.ok) reject(new NotDoneError(`something else has changed meanwhile: ${LOOK}`))
      else if (answer.failure.code === 'unavailable')
        reject(new NotDoneError(`it was not written: ${answer.failure.sentence}`))
      else
        reject(new NotDoneError(`nobody knows whether it was written (${answer.failure.sentence}): ${LOOK}`))
    })
  })
}
