/**
 * member-index.ts: picks the n-th member of an unordered collection in O(1).
 *
 * A JavaScript Map cannot be asked for a random entry. Collections that SPOP, SRANDMEMBER and HRANDFIELD
 * draw from get this index at the first draw and keep it up to date from then on; others never pay.
 *
 * Invariant: `list[positions.get(m)] === m` for every member, and nothing else is in either.
 */
/** Names of an unordered collection, by number. */
export interface Positions {
  readonly size: number
  at(position: number): string
}

export class MemberIndex implements Positions {
  readonly #list: string[]
  readonly #positions: Map<string, number>

  constructor(members: Iterable<string>) {
    this.#list = [...members]
    this.#positions = new Map(this.#list.map((member, position) => [member, position]))
  }

  get size(): number {
    return this.#list.length
  }

  at(position: number): string {
    return this.#list[position]!
  }

  get names(): readonly string[] {
    return this.#list
  }

  add(member: string): void {
    if (this.#positions.has(member)) return
    this.#positions.set(member, this.#list.length)
    this.#list.push(member)
  }

  /** The last member takes the place of the one that goes. */
  remove(member: string): void {
    const position = this.#positions.get(member)
    if (position === undefined) return
    const last = this.#list.pop()!
    this.#positions.delete(member)
    if (last === member) return
    this.#list[position] = last
    this.#positions.set(last, position)
  }
}
