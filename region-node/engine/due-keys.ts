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
 * once they are the larger part: some with each change, because all at once stops a node that has a million of them
 * for seconds.
 *
 * Invariants: (1) every key with a finite deadline is in the heap with that deadline, or in `due`.
 * (2) The heap is about twice as long as there are such keys at most, but for a fixed number of entries; after many
 * keys have gone at once it becomes so with the next changes.
 */

/** Entries that a change looks at: half of them are out of date then, and it has added one. */
const SWEEP_LOOKS = 3

export interface Waiting {
  readonly atMs: number
  readonly key: string
}

export class DueKeys {
  readonly #heap: Waiting[] = []
  readonly #due = new Set<string>()
  /** Where in the heap `sweep` goes on. */
  #sweptTo = 0
  /** Where a round through `#due` stands; undefined between two of them. */
  #round: Iterator<string> | undefined = undefined

  /** Entries in the heap that may always be out of date. */
  static readonly spareMax = 1024

  /** Entries that wait, out of date or not. */
  get waiting(): number {
    return this.#heap.length
  }

  /** The earliest deadline that waits, out of date or not; Infinity when none does. */
  get nextMs(): number {
    return this.#heap[0]?.atMs ?? Number.POSITIVE_INFINITY
  }

  /**
   * Drops some entries that are out of date when they are too many: called after each change, so that there is never a
   * moment at which all have to be looked at.
   * @param keyCount  how many keys have a deadline
   * @param deadlineOf  as for `advance`
   */
  sweep(keyCount: number, deadlineOf: (key: string) => number): void {
    const heap = this.#heap
    for (let left = SWEEP_LOOKS; left > 0 && heap.length > 2 * keyCount + DueKeys.spareMax; left--) {
      if (this.#sweptTo >= heap.length) this.#sweptTo = 0
      const { key, atMs } = heap[this.#sweptTo]!
      // What takes the place of one that goes is looked at next.
      if (deadlineOf(key) === atMs) this.#sweptTo++
      else this.#removeAt(this.#sweptTo)
    }
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
    this.#heap.push(entry)
    this.#raise(this.#heap.length - 1, entry)
  }

  #pop(): void {
    this.#removeAt(0)
  }

  /** The last entry takes its place. */
  #removeAt(at: number): void {
    const heap = this.#heap
    const last = heap.pop()!
    if (at === heap.length) return
    if (at > 0 && heap[(at - 1) >> 1]!.atMs > last.atMs) this.#raise(at, last)
    else this.#sink(at, last)
  }

  /** Puts an entry at that place, or above it. */
  #raise(at: number, entry: Waiting): void {
    const heap = this.#heap
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (heap[parent]!.atMs <= entry.atMs) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = entry
  }

  /** Puts an entry at that place, or below it. */
  #sink(at: number, entry: Waiting): void {
    const heap = this.#heap
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && heap[child + 1]!.atMs < heap[child]!.atMs) child++
      if (heap[child]!.atMs >= entry.atMs) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = entry
  }
}
