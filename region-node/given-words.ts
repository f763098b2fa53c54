/**
 * given-words.ts: what this node said of one region, and another may have acted upon.
 *
 * A region is suspended when those who hear each other all say that they do not hear it (`horizon-keeper`). Such
 * a word may be acted upon by anybody who was heard when it was given, and the op that says so may be late: the
 * region that minted it can itself be cut off before it has sent it. Who then said the same of that region, to
 * the one it had spoken against before, would let the two suspend each other.
 *
 * Invariant: who gave a region its word against another does not call that region dark until the matter is settled:
 * the other one is suspended here as well, or both were heard again when the word was too old to count. A region
 * that may be gone for good cannot be waited for without end: one that is silent for long enough binds nobody.
 */
import type { Unheard } from '../sync/ports.ts'

/** A member as it is heard here. */
export interface HeardMember {
  readonly regionId: number
  /** For how long it was not heard, milliseconds. */
  readonly darkMs: number
  /** Changes of its membership. */
  readonly epoch: number
}

interface Word {
  readonly epoch: number
  /** Since when the region that it was given against is heard again. */
  overMs: number | undefined
}

export class GivenWords {
  /** By the region that was heard, what was said of others then. */
  readonly #words = new Map<number, Map<number, Word>>()
  /** How old a word may be and still count, milliseconds. */
  readonly #validMs: number

  constructor(validMs: number) {
    this.#validMs = validMs
  }

  /**
   * Takes note of what is said of the members, and gives what may be said.
   * @param limitMs  a region that is unheard for longer may be suspended
   * @param bindsMs  one that is unheard for longer is waited for no more
   */
  say(members: readonly HeardMember[], limitMs: number, bindsMs: number, nowMs: number): Unheard[] {
    this.#settle(members, limitMs, bindsMs, nowMs)
    const said = members.map(
      ({ regionId, darkMs }) =>
        [regionId, Math.round(this.binds(regionId) ? Math.min(darkMs, limitMs) : darkMs)] as const,
    )
    for (const [i, { regionId, epoch }] of members.entries())
      if (said[i]![1] > limitMs) this.#give(regionId, epoch, members, limitMs)
    return said
  }

  /** This node gave that region its word against another, and does not know yet what came of it. */
  binds(regionId: number): boolean {
    return this.#words.has(regionId)
  }

  #give(against: number, epoch: number, members: readonly HeardMember[], limitMs: number): void {
    for (const { regionId, darkMs } of members) {
      if (darkMs >= limitMs / 2) continue
      const words = this.#words.get(regionId) ?? new Map<number, Word>()
      words.set(against, { epoch, overMs: undefined })
      this.#words.set(regionId, words)
    }
  }

  #settle(members: readonly HeardMember[], limitMs: number, bindsMs: number, nowMs: number): void {
    const byId = new Map(members.map((member) => [member.regionId, member]))
    for (const [to, words] of this.#words) {
      // One that is no member decides nothing any more.
      const darkMs = byId.get(to)?.darkMs ?? Number.POSITIVE_INFINITY
      for (const [against, word] of words) {
        const other = byId.get(against)
        if (other !== undefined && other.darkMs <= limitMs) word.overMs ??= nowMs
        const isOver = word.overMs !== undefined && nowMs - darkMs > word.overMs + this.#validMs
        if (isOver || other?.epoch !== word.epoch) words.delete(against)
      }
      if (words.size === 0 || darkMs > bindsMs) this.#words.delete(to)
    }
  }
}
