/**
 * fugue-model.ts: the list as a tree, as simple as can be: what `crdt/list-fugue.ts` is judged by.
 *
 * Every node stays for ever, and the order is that of a walk through the tree. Among the children of one side,
 * those that an insert had seen lie further away from the parent than it, the others by region.
 */

export interface ModelName {
  readonly region: number
  /** Tells origins of one region apart. */
  readonly origin: string
  readonly seq: number
  /** The effect in the op, and the place in its run, as one number. */
  readonly place: number
}

interface Node {
  readonly name: ModelName
  value: string | undefined
  readonly left: Node[]
  readonly right: Node[]
}

export class FugueModel {
  readonly #root: Node = node({ region: 0, origin: '', seq: 0, place: 0 }, undefined)
  readonly #nodes = new Map<string, Node>()

  /** @param hasSeen  the op that inserts had seen the op that inserted that node */
  insert(
    parent: ModelName | undefined,
    side: 'left' | 'right',
    toLeft: boolean,
    first: ModelName,
    values: readonly string[],
    hasSeen: (name: ModelName) => boolean,
  ): void {
    let above = parent === undefined ? this.#root : this.#nodes.get(text(parent))
    if (above === undefined) throw new RangeError(`a list has no node ${text(parent!)}`)
    let at = side
    values.forEach((value, i) => {
      const made = node({ ...first, place: first.place + i }, value)
      this.#nodes.set(text(made.name), made)
      const siblings = above![at]
      const later = ({ name: { region, origin } }: Node) =>
        region === first.region ? origin > first.origin : region > first.region
      const isFurther = (one: Node) => hasSeen(one.name) || (at === 'right' ? later(one) : !later(one))
      if (at === 'right') {
        const place = siblings.findIndex(isFurther)
        siblings.splice(place < 0 ? siblings.length : place, 0, made)
      } else {
        siblings.splice(siblings.findLastIndex(isFurther) + 1, 0, made)
      }
      above = made
      at = toLeft ? 'left' : 'right'
    })
  }

  remove(name: ModelName): void {
    this.#nodes.get(text(name))!.value = undefined
  }

  /** Removes every node that `hasSeen`. */
  clear(hasSeen: (name: ModelName) => boolean): void {
    for (const one of this.#nodes.values()) if (hasSeen(one.name)) one.value = undefined
  }

  values(): string[] {
    const values: string[] = []
    for (const { value } of this.#inOrder()) if (value !== undefined) values.push(value)
    return values
  }

  /** The names of all nodes, in their order. */
  names(): ModelName[] {
    return this.#inOrder().map(({ name }) => name)
  }

  #inOrder(): Node[] {
    const nodes: Node[] = []
    const visit = (one: Node): void => {
      for (const child of one.left) visit(child)
      if (one !== this.#root) nodes.push(one)
      for (const child of one.right) visit(child)
    }
    visit(this.#root)
    return nodes
  }
}

function node(name: ModelName, value: string | undefined): Node {
  return { name, value, left: [], right: [] }
}

function text({ origin, seq, place }: ModelName): string {
  return `${origin}.${seq}.${place}`
}
