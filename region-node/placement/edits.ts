/**
 * edits.ts: the changes that a placement goes through, each as a new edition of it.
 *
 * Invariant: no machine is named twice, in `machines` and `leaving` together. Whoever stops being one of `machines`
 * leaves, and keeps its copy meanwhile; the one exception is a machine that is away and whose place is taken.
 */
import type { PlacementDocument, Release } from './documents.ts'

/** Releases that are remembered. One that is forgotten too soon is taken back and let go once more: nothing is lost. */
const RELEASED_MAX = 16

/** @param machines  the first is where the primary had best be */
export function firstPlacement(machines: readonly string[]): PlacementDocument {
  return { edition: 1, machines, leaving: [], released: [], rebuiltMs: 0 }
}

/** Other machines hold the copies from now on, or the same in another order. */
export function moved(before: PlacementDocument, machines: readonly string[]): PlacementDocument {
  const left = [...before.leaving, ...before.machines].filter((name) => !machines.includes(name))
  return { ...before, edition: before.edition + 1, machines, leaving: left }
}

/** @param release  of its copy; undefined: the machine is away, and what it has stays */
export function letGo(
  before: PlacementDocument,
  machine: string,
  release: Release | undefined,
): PlacementDocument {
  const releases = release === undefined ? [] : [release]
  const released = [...before.released, ...releases].slice(-RELEASED_MAX)
  return { ...before, edition: before.edition + 1, leaving: lessOf(before.leaving, machine), released }
}

/** The place of a machine that is away is taken. */
export function rebuilt(
  before: PlacementDocument,
  { lost, on }: { readonly lost: string; readonly on: string },
  wallMs: number,
): PlacementDocument {
  return {
    ...before,
    edition: before.edition + 1,
    machines: before.machines.map((name) => (name === lost ? on : name)),
    leaving: lessOf(before.leaving, on),
    rebuiltMs: wallMs,
  }
}

/** A copy that is named no more runs again, until others have all that it has. */
export function takenBack(before: PlacementDocument, machine: string, nodeId: string): PlacementDocument {
  return {
    ...before,
    edition: before.edition + 1,
    leaving: [...before.leaving, machine],
    released: before.released.filter((release) => release.nodeId !== nodeId),
  }
}

function lessOf(names: readonly string[], name: string): readonly string[] {
  return names.filter((one) => one !== name)
}
