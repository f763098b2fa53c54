/**
 * hll.ts: a HyperLogLog whose removals win, with the marks they leave.
 *
 * Writes raise registers, and regions join by maximum. Registers do not say who raised them, so a removal
 * cannot take away what it saw and leave the rest: it takes all, also what others add at the same time. On
 * arrival it clears the registers and leaves its dot as a mark; a write counts only if its origin had seen
 * every mark. A mark goes once it is stable: nothing can come then that has not seen it.
 *
 * What is left of one that is gone are its marks; no read sees those. The cached cardinality is a hint of this
 * node for PFCOUNT and for GET, as in Redis: it is neither replicated nor part of the digest.
 *
 * Invariants: (1) every write in `registers` has seen every mark. (2) No mark had been seen by another one.
 * Source: algorithms.md, HyperLogLog.
 */
import type { Fingerprint } from './digest.ts'
import { compareStamps, Dot, type OpPoint } from './dot.ts'
import { packed } from './hll-hash.ts'
import { CARD_ZERO, cardIn, cardOf, countOfCard, estimate, HllRegisters, staleCard } from './hll-registers.ts'
import { type Description, describeDot, type SeenCounter, type TypedState } from './state.ts'

const NO_MARKS: readonly Dot[] = []

export class HllState implements TypedState {
  registers = new HllRegisters()
  /** Eight bytes, as Redis keeps them. */
  card = CARD_ZERO
  /** Of the writes that count, the one with the highest stamp; undefined when it is gone. */
  latestWrite: Dot | undefined = undefined
  marks: readonly Dot[] = NO_MARKS

  get type(): 'hll' {
    return 'hll'
  }

  get isGone(): boolean {
    return this.latestWrite === undefined
  }

  get isUnseen(): boolean {
    return this.latestWrite === undefined
  }

  /** Raises registers. @param raises  each a register and a value, packed  @param isDense  its origin has it dense */
  raise(raises: readonly number[], isDense: boolean, at: OpPoint): void {
    if (!this.#counts(at)) return
    for (const raise of raises) this.registers.raise(raise)
    if (isDense) this.registers.pin()
    // Also where nothing rises: PFMERGE does not look, and neither does Redis's.
    this.card = staleCard(this.card)
    this.#note(at)
  }

  /** Joins a whole value. @param other  not used any more  @param text  the bytes it was read from */
  join(other: HllRegisters, text: string, at: OpPoint): void {
    if (!this.#counts(at)) return
    if (this.isGone) {
      this.registers = other
      this.card = cardIn(text)
    } else {
      let isChanged = false
      for (const [index, value] of other.values().entries())
        if (value > 0 && this.registers.raise(packed(index, value))) isChanged = true
      if (other.isPinned) this.registers.pin()
      if (isChanged) this.card = staleCard(this.card)
    }
    this.#note(at)
  }

  /** A removal: nothing of it is left but the mark. */
  clear(at: OpPoint): void {
    this.registers = new HllRegisters()
    this.card = CARD_ZERO
    this.latestWrite = undefined
    this.marks = [...this.marks.filter((mark) => !at.covers(mark)), new Dot(at)]
  }

  #counts(at: OpPoint): boolean {
    for (const mark of this.marks) if (!at.covers(mark)) return false
    return true
  }

  #note(at: OpPoint): void {
    const written = new Dot(at)
    if (this.latestWrite === undefined || compareStamps(written, this.latestWrite) > 0)
      this.latestWrite = written
  }

  /** How many different elements were added, and remembers it. */
  count(): number {
    const known = countOfCard(this.card)
    if (known !== undefined) return known
    const count = estimate(this.registers.values())
    this.card = cardOf(count)
    return count
  }

  /** The bytes that Redis would hold. */
  text(): string {
    return this.registers.text(this.card)
  }

  /** Only asked of one that is not gone. */
  latest(): Dot {
    return this.latestWrite!
  }

  /** What a removal saw of it is said by an effect of its own. */
  withoutSeen(_seen: readonly SeenCounter[], _at: OpPoint): HllState {
    return this
  }

  collectSeen(_into: SeenCounter[], _field?: string): void {}

  fingerprint(into: Fingerprint): void {
    into.word(this.registers.text(CARD_ZERO))
  }

  describe(): Description {
    return {
      encoding: this.registers.isDense ? 'dense' : 'sparse',
      estimate: estimate(this.registers.values()),
      latest: this.latestWrite === undefined ? null : describeDot(this.latestWrite),
      marks: this.marks.map(describeDot),
    }
  }
}
