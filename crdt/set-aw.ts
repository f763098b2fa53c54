/**
 * set-aw.ts: the add-wins set behind SADD, SREM and SMEMBERS.
 *
 * A member is present while at least one dot supports it. A remove takes the dots its op's deps cover,
 * so a concurrent add survives. No tombstones: causal delivery brings every add before the removes that
 * saw it. Adding a member again renews its dot, which is what lets that SADD win against a concurrent
 * SREM elsewhere. The members of one SADD share one Dot object; a member that was added alone has an OwnDot,
 * which its next add renews in place: a set that is added to again and again makes no garbage. A large set keeps its
 * members in records, where a dot is a few numbers (`member-map.ts`).
 *
 * Invariants: (1) no member has zero dots; (2) no member holds two dots of which one's op had seen the
 * other; (3) a Dot in here is never changed in place, unless it is an OwnDot; that one is in here once.
 * Source: Bieniusa et al., "An Optimized Conflict-free Replicated Set", RR-8083, 2012.
 */
import { Fingerprint } from './digest.ts'
import { compareStamps, Dot, type OpPoint } from './dot.ts'
import type { Positions } from './member-index.ts'
import { MemberMap } from './member-map.ts'
import { type Description, describeDot, type SeenCounter, type TypedState } from './state.ts'
import type { PlainForm } from './table/member-table.ts'

type Dots = Dot | Dot[]

/** Supports one member. */
class OwnDot extends Dot {}

/** A member that one dot supports. */
const PLAIN: PlainForm<Dots, Dot> = {
  isPlain: (dots): dots is Dot => !Array.isArray(dots),
  textOf: () => '',
  make: (_, stamp) => new Dot(stamp),
}

export class SetState implements TypedState {
  readonly members = new MemberMap(PLAIN)

  get type(): 'set' {
    return 'set'
  }

  get size(): number {
    return this.members.size
  }

  has(member: string): boolean {
    return this.members.has(member)
  }

  /** Members by position, for random draws; positions change with every add and remove. */
  get index(): Positions {
    return this.members.index
  }

  add(members: readonly string[], at: OpPoint): void {
    if (members.length === 1) {
      this.#addAlone(members[0]!, at)
      return
    }
    const dot = new Dot(at)
    for (const member of members)
      if (!this.members.write(member, '', at)) this.#support(member, this.members.get(member), dot, at)
  }

  #addAlone(member: string, at: OpPoint): void {
    if (this.members.write(member, '', at)) return
    const dots = this.members.get(member)
    if (dots instanceof OwnDot && at.covers(dots)) dots.renew(at)
    else this.#support(member, dots, new OwnDot(at), at)
  }

  /** @param dots  the member's present ones */
  #support(member: string, dots: Dots | undefined, dot: Dot, at: OpPoint): void {
    const rest = unseen(dots, at)
    const dotsNow = rest === undefined ? dot : Array.isArray(rest) ? [...rest, dot] : [rest, dot]
    this.members.set(member, dotsNow, at.records)
  }

  remove(members: Iterable<string>, at: OpPoint): void {
    for (const member of members) {
      if (this.members.removeSeen(member, at)) continue
      const dots = this.members.get(member)
      if (dots === undefined) continue
      const rest = unseen(dots, at)
      if (rest === undefined) this.members.delete(member)
      else this.members.set(member, rest, at.records)
    }
  }

  latest(): Dot {
    let latest: Dot | undefined
    for (const dots of this.members.values()) {
      for (const dot of Array.isArray(dots) ? dots : [dots]) {
        if (latest === undefined || compareStamps(dot, latest) > 0) latest = dot
      }
    }
    return latest!
  }

  withoutSeen(_seen: readonly SeenCounter[], at: OpPoint): SetState | undefined {
    if (this.members.isAllSeen(at)) return undefined
    this.remove(this.members.keys(), at)
    return this.size > 0 ? this : undefined
  }

  collectSeen(_into: SeenCounter[]): void {}

  fingerprint(into: Fingerprint): void {
    for (const member of this.members.keys()) into.sum(new Fingerprint().word(member))
  }

  describe(): Description {
    const members: { [member: string]: Description } = {}
    for (const [member, dots] of this.members) {
      members[member] = Array.isArray(dots) ? dots.map(describeDot) : describeDot(dots)
    }
    return members
  }
}

/** The dots that the op at `at` had not seen. */
function unseen(dots: Dots | undefined, at: OpPoint): Dots | undefined {
  if (dots === undefined) return undefined
  if (!Array.isArray(dots)) return at.covers(dots) ? undefined : dots
  const rest = dots.filter((dot) => !at.covers(dot))
  return rest.length > 1 ? rest : rest[0]
}
