/**
 * any-order.ts: replies that Redis gives in whatever order it likes.
 */
import type { Reply } from '../../../region-node/resp/parse-reply.ts'

/**
 * What the client was told if it is these groups of words in any order, each group in one piece; otherwise the
 * groups as they are.
 */
export function sameInAnyOrder(groups: readonly (readonly string[])[], told: Reply | undefined): Reply {
  if (Array.isArray(told) && told.length === groups.flat().length) {
    const width = groups[0]?.length ?? 1
    const heard = Array.from({ length: told.length / width }, (_, i) =>
      told.slice(i * width, (i + 1) * width),
    )
    if (sorted(heard) === sorted(groups)) return told
  }
  return groups.flat()
}

function sorted(groups: readonly unknown[]): string {
  return groups
    .map((group) => JSON.stringify(group))
    .sort()
    .join()
}
