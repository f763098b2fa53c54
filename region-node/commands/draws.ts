/**
 * draws.ts: random draws for SPOP, SRANDMEMBER and HRANDFIELD.
 *
 * Positions are drawn, not members: an index (`crdt/member-index.ts`) turns one into the other in O(1), so a draw costs the
 * same from ten members and from ten million.
 */
import { errors } from '../errors.ts'
import { parseWithin } from './parse.ts'

/** Draws with repetition in one command. Redis knows no limit here but its own memory. */
export const REPEATED_DRAWS_MAX = 2 ** 20

/** A count is refused from here on, either sign, when each draw is answered with a pair. */
export const PAIRED_COUNT_MAX = 2 ** 62

const LONG_MAX = 2n ** 63n - 1n

/**
 * A count as SRANDMEMBER and HRANDFIELD take it: negative means "with repetition".
 * @throws CommandError
 */
export function parseDrawCount(word: string): number {
  return Number(parseWithin(word, -LONG_MAX, LONG_MAX))
}

/** A position below `size`. */
export function drawPosition(size: number, random: () => number): number {
  return Math.floor(random() * size)
}

/** As many positions as asked for, each drawn anew. @throws CommandError when they are too many */
export function drawRepeated(size: number, count: number, random: () => number): number[] {
  if (count > REPEATED_DRAWS_MAX) throw errors.valueOutOfRange
  return Array.from({ length: count }, () => drawPosition(size, random))
}

/**
 * `count` different positions below `size`, every choice of them equally likely; `count` <= `size`.
 * Source: Floyd's algorithm, Bentley, "Programming Pearls: A Sample of Brilliance", 1987.
 */
export function drawDistinct(size: number, count: number, random: () => number): number[] {
  const drawn = new Set<number>()
  for (let top = size - count; top < size; top++) {
    const position = drawPosition(top + 1, random)
    drawn.add(drawn.has(position) ? top : position)
  }
  return [...drawn]
}
