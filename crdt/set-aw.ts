/**
 * set-aw.ts: the add-wins set behind SADD, SREM and SMEMBERS.
 *
 * A member is present while at least one dot supports it. A remove takes the dots its op's deps cover,
 * so a concurrent add survives. No tombstones: causal delivery brings every add before the removes that
 * saw it. Adding a member again renews its dot, which is what lets that SADD win against a concurrent
 * SREM elsewhere. The members of one SADD share one Dot object; a member that was added alone has an OwnDot,
 * which its next add renews in place: a set that is added to again and again makes no garbage. A large set keeps its
 * members in a table of records instead, where a dot is a few numbers (`table/member-table.ts`).
 *
 * Invariants: (1) no member has zero dots; (2) no member holds two dots of which one's op had seen the
 * other; (3) a Dot in here is never changed in place, unless it is an OwnDot; that one is in here once.
 * Source: Bieniusa et al., "An Optimized Conflict-free Replicated Set", RR-8083, 2012.
 */
import { Fingerprint } from './digest.ts'
import { compareStamps, Dot, type OpPoint } from './dot.ts'
import { MemberIndex, type Positions } from './member-index.ts'
import { type Description, describeDot, type SeenCounter, type TypedState } from './state.ts'
import { type Members, MemberTable, type PlainForm } from './table/member-table.ts'
import type { RecordContext } from './table/record-context.ts'

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
  #members: Members<Dots> = new Map<string, Dots>()
  /** The members, once they are many. */
  #table: MemberTable<Dots, Dot> | undefined = undefined
  #index: MemberIndex | undefined = undefined

  get members(): Members<Dots> {
    return this.#members
  }

  get type(): 'set' {
    return 'set'
  }

  get size(): number {
    return this.#members.size
  }

  /** Bytes that the members take, if they are packed. */
  get packedBytes(): number | undefined {
    return this.#table?.bytes
  }

  has(member: string): boolean {
    return this.#members.has(member)
  }

  /** Members by position, for random draws; positions change with every add and remove. */
  get index(): Positions {
    if (this.#table !== undefined) return this.#table
    this.#index ??= new MemberIndex(this.#members.keys())
    return this.#index
  }

  /** A member of a snapshot. */
  restore(member: string, dots: Dots, records: RecordContext | undefined): void {
    this.#members.set(member, dots)
    if (this.#table === undefined) this.#grown(records)
  }

  /** Large ones are packed. */
  #grown(records: RecordContext | undefined): void {
    if (records === undefined || this.#table !== undefined || this.size < records.packedFrom) return
    const table = new MemberTable(records, PLAIN)
    // In the order in which a scan under way goes through them.
    for (const member of this.#index?.names ?? this.#members.keys())
      table.set(member, this.#members.get(member)!)
    this.#members = table
    this.#table = table
    this.#index = undefined
  }

  add(members: readonly string[], at: OpPoint): void {
    if (members.length === 1) {
      this.#addAlone(members[0]!, at)
    } else {
      const dot = new Dot(at)
      for (const member of members)
        if (this.#table?.write(member, '', at) !== true)
          this.#support(member, this.#members.get(member), dot, at)
    }
    if (this.#table === undefined) this.#grown(at.records)
  }

  #addAlone(member: string, at: OpPoint): void {
    if (this.#table?.write(member, '', at) === true) return
    const dots = this.#members.get(member)
    if (dots instanceof OwnDot && at.covers(dots)) dots.renew(at)
    else this.#support(member, dots, new OwnDot(at), at)
  }

  /** @param dots  the member's present ones */
  #support(member: string, dots: Dots | undefined, dot: Dot, at: OpPoint): void {
    const rest = unseen(dots, at)
    this.#members.set(member, rest === undefined ? dot : Array.isArray(rest) ? [...rest, dot] : [rest, dot])
    this.#index?.add(member)
  }

  remove(members: Iterable<string>, at: OpPoint): void {
    for (const member of members) {
      if (this.#table?.removeSeen(member, at) === true) continue
      const dots = this.#members.get(member)
      if (dots === undefined) continue
      const rest = unseen(dots, at)
      if (rest !== undefined) {
        this.#members.set(member, rest)
        continue
      }
      this.#members.delete(member)
      this.#index?.remove(member)
    }
  }

  latest(): Dot {
    let latest: Dot | undefined
    for (const dots of this.#members.values()) {
      for (const dot of Array.isArray(dots) ? dots : [dots]) {
        if (latest === undefined || compareStamps(dot, latest) > 0) latest = dot
      }
    }
    return latest!
  }

  withoutSeen(_seen: readonly SeenCounter[], at: OpPoint): SetState | undefined {
    if (this.#table?.isAllSeen(at) === true) return undefined
    this.remove(this.#members.keys(), at)
    return this.size > 0 ? this : undefined
  }

  collectSeen(_into: SeenCounter[]): void {}

  fingerprint(into: Fingerprint): void {
    for (const member of this.#members.keys()) into.sum(new Fingerprint().word(member))
  }

  describe(): Description {
    const members: { [member: string]: Description } = {}
    for (const [member, dots] of this.#members) {
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
