/**
 * list-locator.ts: in which chunk of a list a node lies, by its name.
 *
 * The names of one origin come in order, and neighbours in time are mostly neighbours in the list. So there is
 * no entry per node but one per stretch: the nodes from this name up to the next entry's name lie in that
 * chunk. A list that is pushed to at its ends has an entry per chunk.
 *
 * Invariant: for every node in a chunk of the list, the last entry of its origin that does not lie behind its
 * name refers to its chunk.
 */
import type { ListChunk } from './list-chunk.ts'

interface Stretch {
  readonly seq: number
  readonly sub: number
  readonly chunk: ListChunk
}

interface Stretches {
  list: Stretch[]
  /** How many there may be before those of chunks that are gone are looked for. */
  cleanAt: number
}

const CLEAN_MIN = 64

function isBehind(a: { seq: number; sub: number }, b: { seq: number; sub: number }): boolean {
  return a.seq > b.seq || (a.seq === b.seq && a.sub > b.sub)
}

export class ListLocator {
  readonly #byOrigin = new Map<number, Stretches>()

  find(originIndex: number, seq: number, sub: number): ListChunk | undefined {
    const list = this.#byOrigin.get(originIndex)?.list
    if (list === undefined) return undefined
    let low = 0
    let high = list.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const { seq: begins, sub: at } = list[middle]!
      if (begins > seq || (begins === seq && at > sub)) high = middle
      else low = middle + 1
    }
    return list[low - 1]?.chunk
  }

  /** A node has come; no node of its origin has a later name. */
  added(originIndex: number, seq: number, sub: number, chunk: ListChunk): void {
    const known = this.#byOrigin.get(originIndex)
    if (known === undefined) {
      this.#byOrigin.set(originIndex, { list: [{ seq, sub, chunk }], cleanAt: CLEAN_MIN })
      return
    }
    const { list } = known
    if (list.length > 0 && list[list.length - 1]!.chunk === chunk) return
    list.push({ seq, sub, chunk })
    if (list.length <= known.cleanAt) return
    known.list = list.filter((stretch) => !stretch.chunk.isGone)
    known.cleanAt = Math.max(CLEAN_MIN, 2 * known.list.length)
  }

  /** Nodes have moved between these chunks. */
  moved(chunks: readonly ListChunk[]): void {
    const names = new Map<number, Stretch[]>()
    for (const chunk of chunks) {
      for (let slot = chunk.from; slot < chunk.to; slot++) {
        const originIndex = chunk.originIndex(slot)
        const stretch = { seq: chunk.seq(slot), sub: chunk.sub(slot), chunk }
        const list = names.get(originIndex)
        if (list === undefined) names.set(originIndex, [stretch])
        else list.push(stretch)
      }
    }
    for (const [originIndex, list] of names) {
      list.sort((a, b) => a.seq - b.seq || a.sub - b.sub)
      const known = this.#byOrigin.get(originIndex)
      const others = (known?.list ?? []).filter(({ chunk }) => !chunk.isGone && !chunks.includes(chunk))
      const merged = mergeStretches(others, list)
      this.#byOrigin.set(originIndex, { list: merged, cleanAt: Math.max(CLEAN_MIN, 2 * merged.length) })
    }
  }
}

/** Both in order; one entry where several in turn mean the same chunk. */
function mergeStretches(a: readonly Stretch[], b: readonly Stretch[]): Stretch[] {
  const merged: Stretch[] = []
  let i = 0
  let j = 0
  while (i < a.length || j < b.length) {
    const takesB = i === a.length || (j < b.length && isBehind(a[i]!, b[j]!))
    const next = takesB ? b[j++]! : a[i++]!
    if (merged.length === 0 || merged[merged.length - 1]!.chunk !== next.chunk) merged.push(next)
  }
  return merged
}
