/**
 * views.ts: the same keys as each region shows them, side by side.
 */
import type { RegionClient } from '../region.ts'
import { type Stage, shown } from '../stage.ts'

/** A read, and how to print its reply. */
export interface View {
  readonly label: string
  readonly words: readonly [string, ...string[]]
  /** The reply comes in no particular order. */
  readonly unordered?: true
}

/** What one region answers, in the order of the views, as text that is equal where the answers are. */
export async function readViews(region: RegionClient, views: readonly View[]): Promise<string[]> {
  const replies = await Promise.all(views.map(({ words }) => region.run(...words)))
  return replies.map((reply, index) => {
    const unordered = views[index]!.unordered === true && Array.isArray(reply)
    return shown(unordered ? reply.map(String).sort() : reply)
  })
}

/** Shows what every region answers. @returns one list of answers per region */
export async function showViews(
  stage: Stage,
  regions: readonly RegionClient[],
  views: readonly View[],
): Promise<string[][]> {
  const answers = await Promise.all(regions.map((region) => readViews(region, views)))
  stage.table(
    ['', ...regions.map(({ name }) => name)],
    views.map(({ label }, index) => [label, ...answers.map((answer) => answer[index]!)]),
  )
  return answers
}

export function allEqual(values: readonly unknown[]): boolean {
  return new Set(values.map((value) => JSON.stringify(value))).size === 1
}

/** Whether all regions have the same digest of all their data and the same vector. */
export async function agree(regions: readonly RegionClient[]): Promise<boolean> {
  const digests = await Promise.all(regions.map((region) => region.digest()))
  const vectors = await Promise.all(regions.map((region) => region.vector()))
  return allEqual(digests) && allEqual(vectors)
}
