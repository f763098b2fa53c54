/**
 * cost-flow.ts: the cheapest way to send as much as possible through a network of edges with capacities and costs.
 *
 * Successive shortest paths; all of one length are used up before the next are looked for, so that the number of
 * searches is that of different lengths and not that of units. Costs are whole numbers, not below nought.
 * Source: Ahuja, Magnanti, Orlin: Network Flows, chapters 9 and 10.
 */

export class CostFlow {
  readonly #edgesOf: number[][]
  /** Edge 2n leads there, edge 2n + 1 takes back what was sent. */
  readonly #to: number[] = []
  readonly #room: number[] = []
  readonly #cost: number[] = []

  constructor(nodeCount: number) {
    this.#edgesOf = Array.from({ length: nodeCount }, () => [])
  }

  /** @returns what `sent` takes */
  add(from: number, to: number, capacity: number, cost: number): number {
    const edge = this.#to.length
    this.#to.push(to, from)
    this.#room.push(capacity, 0)
    this.#cost.push(cost, -cost)
    this.#edgesOf[from]!.push(edge)
    this.#edgesOf[to]!.push(edge + 1)
    return edge
  }

  sent(edge: number): number {
    return this.#room[edge + 1]!
  }

  /** @returns how much arrives */
  run(source: number, sink: number): number {
    let total = 0
    for (;;) {
      const distances = this.#distances(source)
      if (distances[sink] === Number.POSITIVE_INFINITY) return total
      const next = this.#edgesOf.map(() => 0)
      const isOnPath = this.#edgesOf.map(() => false)
      let sent = 0
      do {
        sent = this.#send(source, sink, Number.POSITIVE_INFINITY, { distances, next, isOnPath })
        total += sent
      } while (sent > 0)
    }
  }

  /** Bellman and Ford, with a queue. */
  #distances(source: number): number[] {
    const distances = this.#edgesOf.map(() => Number.POSITIVE_INFINITY)
    const isQueued = this.#edgesOf.map(() => false)
    distances[source] = 0
    const queue = [source]
    for (let at = 0; at < queue.length; at++) {
      const node = queue[at]!
      isQueued[node] = false
      for (const edge of this.#edgesOf[node]!) {
        const to = this.#to[edge]!
        const distance = distances[node]! + this.#cost[edge]!
        if (this.#room[edge] === 0 || distance >= distances[to]!) continue
        distances[to] = distance
        if (isQueued[to]) continue
        isQueued[to] = true
        queue.push(to)
      }
    }
    return distances
  }

  /** One path along shortest edges, as much as it takes. */
  #send(node: number, sink: number, most: number, search: Search): number {
    if (node === sink) return most
    const { distances, next, isOnPath } = search
    const edges = this.#edgesOf[node]!
    isOnPath[node] = true
    for (; next[node]! < edges.length; next[node]!++) {
      const edge = edges[next[node]!]!
      const to = this.#to[edge]!
      const isShortest = distances[node]! + this.#cost[edge]! === distances[to]
      if (this.#room[edge] === 0 || isOnPath[to] || !isShortest) continue
      const sent = this.#send(to, sink, Math.min(most, this.#room[edge]!), search)
      if (sent === 0) continue
      this.#room[edge]! -= sent
      this.#room[edge ^ 1]! += sent
      isOnPath[node] = false
      return sent
    }
    isOnPath[node] = false
    return 0
  }
}

interface Search {
  readonly distances: readonly number[]
  /** The edge of each node that was not tried yet. */
  readonly next: number[]
  readonly isOnPath: boolean[]
}
