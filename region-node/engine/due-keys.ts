/**
 * due-keys.ts: which keys of a database are past their deadline.
 *
 * A due key is hidden from every read at once, but stays in the keyspace until a removal is minted, which
 * may take as long as a member that could extend it is out of reach. So the number of due keys must be
 * known without a walk (DBSIZE), and so must the keys (to remove them when their time has come).
 *
 * A heap of deadlines ordered by time; entries are not taken out when a deadline changes, they are looked
 * at again when they surface. `due` holds the keys that surfaced and are still there. A key whose
 * deadline is put off at every request would fill the heap, so entries that are out of date are dropped
 * once they are the larger part.
 *
 * Invariants: (1) every key with a finite deadline is in the heap with that deadline, or in `due`.
 * (2) The heap is at most twice as long as there are such keys, but for a fixed number of entries.
 */
export interface Waiting {
  readonly atMs: number
  readonly key: string
}

export class DueKeys {
  readonly #heap: Waiting[] = []
  readonly #due = new Set<string>()
  /** Where a round through `#due` stands; undefined between two of them. */
  #round: Iterator<string> | undefined = undefined

  /** Entries in the heap that `compact` may leave out of date. */
  static readonly spareMax = 1024

  /** Entries that wait, out of date or not. */
  get waiting(): number {
    return this.#heap.length
  }

  /** The earliest deadline that waits, out of date or not; Infinity when none does. */
  get nextMs(): number {
    return this.#heap[0]?.atMs ?? Number.POSITIVE_INFINITY
  }

  /** Drops the entries that are out of date. */
  compact(deadlineOf: (key: string) => number): void {
    const kept = new Map<string, Waiting>()
    for (const entry of this.#heap) if (deadlineOf(entry.key) === entry.atMs) kept.set(entry.key, entry)
    // In order of time, which makes it a heap.
    const ordered = [...kept.values()].sort((a, b) => a.atMs - b.atMs)
    this.#heap.length = 0
    for (const entry of ordered) this.#heap.push(entry)
  }

  /** Keys that surfaced as due; the caller drops those that are no longer. */
  get keys(): ReadonlySet<string> {
    return this.#due
  }

  /**
   * One after the other of `keys`, in a round that goes on from call to call: there may be millions, and whoever can
   * do nothing about most of them must not look at them all each time. Keys may come and go meanwhile.
   * @returns undefined at the end of a round
   */
  nextInRound(): string | undefined {
    this.#round ??= this.#due.values()
    const { done, value } = this.#round.next()
    if (done !== true) return value
    this.#round = undefined
    return undefined
  }

  /** The key has a new deadline: Infinity when it has none or is gone. */
  changed(key: string, atMs: number): void {
    this.#due.delete(key)
    if (atMs !== Number.POSITIVE_INFINITY) this.#push({ atMs, key })
  }

  /**
   * Moves all that is past `nowMs` to `keys`.
   * @param deadlineOf  the deadline a key has now; Infinity when none
   * @param onDue  called with each key that surfaces
   * @param most  entries to look at; what is left comes first the next time
   */
  advance(
    nowMs: number,
    deadlineOf: (key: string) => number,
    onDue?: (key: string) => void,
    most = Number.POSITIVE_INFINITY,
  ): void {
    for (let left = most; left > 0; left--) {
      const first = this.#heap[0]
      if (first === undefined || first.atMs >= nowMs) return
      this.#pop()
      if (deadlineOf(first.key) !== first.atMs) continue
      this.#due.add(first.key)
      onDue?.(first.key)
    }
  }

  /** The entry that would surface first; it may be out of date. */
  get first(): Waiting | undefined {
    return this.#heap[0]
  }

  /** Drops the first entry, which is out of date. */
  dropFirst(): void {
    this.#pop()
  }

  /** Any entry, all equally likely; it may be out of date. */
  any(random: () => number): Waiting | undefined {
    return this.#heap[Math.floor(random() * this.#heap.length)]
  }

  clear(): void {
    this.#heap.length = 0
    this.#due.clear()
  }

  #push(entry: Waiting): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(entry)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (heap[parent]!.atMs <= entry.atMs) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = entry
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()!
    if (heap.length === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && heap[child + 1]!.atMs < heap[child]!.atMs) child++
      if (heap[child]!.atMs >= last.atMs) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
  }
}
