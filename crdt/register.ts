/**
 * register.ts: one write of a string value, with its dot and stamp.
 *
 * It is the sibling of the multi-value register behind strings and hash fields, and, where a string key
 * or a field holds nothing but this one write, it is also the whole state of it: nearly every key of
 * most databases is one Register and nothing else.
 *
 * Source: multi-value register of Shapiro et al., RR-7506, 2011, shown by stamp.
 */
import type { Fingerprint } from './digest.ts'
import { Dot, type OpPoint, type Stamp } from './dot.ts'
import { type Description, describeDot, type SeenCounter, type TypedState } from './state.ts'

export class Register extends Dot implements TypedState {
  value: string

  constructor(value: string, at: Stamp) {
    super(at)
    this.value = value
  }

  get type(): 'string' {
    return 'string'
  }

  latest(): Dot {
    return this
  }

  withoutSeen(_seen: readonly SeenCounter[], at: OpPoint): Register | undefined {
    return at.covers(this) ? undefined : this
  }

  collectSeen(_into: SeenCounter[], _field?: string): void {}

  fingerprint(into: Fingerprint): void {
    into.word(this.value)
  }

  describe(): Description {
    return { value: this.value, dot: describeDot(this), hlc: this.hlc }
  }
}
