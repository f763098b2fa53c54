/**
 * stream.ts: the stream behind XADD, XRANGE and XREADGROUP: entries that are only ever added and removed, and
 * consumer groups.
 *
 * An entry is known inside by its dot, so two regions may use one id; entries stand in the order of their ids, and
 * those with one id in the order of their stamps. A removal takes what its origin had seen.
 *
 * Groups are the exception: the destruction of a group wins over every creation of that name that had not seen
 * it, and the removal of the key over every such creation of any group. Each leaves its dot as a mark; a creation
 * counts only if its origin had seen all marks that concern it. A mark goes once it is stable: nothing can come
 * then that has not seen it. When entries and groups are gone, the marks are all that is left, and no read sees them.
 *
 * `lastId`, `entriesAdded` and `maxDeletedId` are hints of this node, outside of convergence and digest: from them
 * it makes new ids and guesses how far a group lags behind.
 *
 * Invariants: (1) every group in `groups` has seen every mark of its name and of the key. (2) No mark had been seen
 * by a newer one that says as much. (3) Of a stream without entries and groups, the hints are forgotten.
 * Source: algorithms.md, Stream.
 */
import { Fingerprint } from './digest.ts'
import { compareStamps, Dot, type OpPoint, type Stamp, sameDot } from './dot.ts'
import { type Description, describeDot, type SeenCounter, type TypedState } from './state.ts'
import { EntryPoint, entryOrder, Group } from './stream-group.ts'
import { compareIds, ID_MIN, idText, nextId, type StreamId } from './stream-id.ts'

export class StreamEntry extends EntryPoint {
  /** Fields and values in turn. */
  readonly fields: readonly string[]

  constructor(id: StreamId, fields: readonly string[], stamp: Stamp) {
    super(id, stamp)
    this.fields = fields
  }
}

/** A destruction that later creations have to have seen. */
export class GroupMark extends Dot {
  /** Undefined: the key was removed, and every group with it. */
  readonly group: string | undefined

  constructor(group: string | undefined, stamp: Stamp) {
    super(stamp)
    this.group = group
  }
}

export class StreamState implements TypedState {
  readonly entries = entryOrder<StreamEntry>()
  readonly groups = new Map<string, Group>()
  marks: GroupMark[] = []
  /** At least the id of every entry that was added here. */
  lastId: StreamId = ID_MIN
  entriesAdded = 0
  /** The highest id that XDEL took. */
  maxDeletedId: StreamId = ID_MIN

  get type(): 'stream' {
    return 'stream'
  }

  get size(): number {
    return this.entries.size
  }

  /** Only marks are left. */
  get isGone(): boolean {
    return this.entries.size === 0 && this.groups.size === 0
  }

  get isUnseen(): boolean {
    return this.isGone
  }

  /** @returns what is to be kept of it; undefined when nothing is */
  rest(): StreamState | undefined {
    if (!this.isGone) return this
    this.lastId = ID_MIN
    this.entriesAdded = 0
    this.maxDeletedId = ID_MIN
    return this.marks.length > 0 ? this : undefined
  }

  add(id: StreamId, fields: readonly string[], at: OpPoint): void {
    const entry = new StreamEntry(id, fields, at)
    this.entries.add(entry)
    this.entriesAdded++
    if (compareIds(id, this.lastId) > 0) this.lastId = id
    if (this.groups.size > 0) for (const group of this.groups.values()) group.entryAdded(entry, at)
  }

  /** Takes what the op had seen of the entries with these ids. */
  remove(ids: readonly StreamId[], at: OpPoint): void {
    for (const id of ids) {
      const found = this.entries.range(id, id, Number.POSITIVE_INFINITY)
      for (const entry of found) {
        if (!at.covers(entry)) continue
        this.entries.remove(entry)
        this.#removed(entry)
        if (compareIds(id, this.maxDeletedId) > 0) this.maxDeletedId = id
      }
    }
  }

  /** Takes what the op had seen of the entries up to and with `bound`. */
  trim(bound: EntryPoint, at: OpPoint): void {
    this.#takeUpTo(bound, at)
  }

  #takeUpTo(bound: EntryPoint | undefined, at: OpPoint): void {
    this.entries.takeUpTo(
      bound,
      (entry) => at.covers(entry),
      (entry) => this.#removed(entry),
    )
  }

  #removed(entry: StreamEntry): void {
    if (this.groups.size > 0) for (const group of this.groups.values()) group.entryRemoved(entry)
  }

  /** @param entriesRead  what the creator says of the history before `start`; undefined: nothing */
  createGroup(name: string, start: StreamId, entriesRead: number | undefined, at: OpPoint): void {
    for (const mark of this.marks) {
      if ((mark.group === undefined || mark.group === name) && !at.covers(mark)) return
    }
    const known = this.groups.get(name)
    if (known !== undefined) {
      this.#createAgain(known, start, at)
      return
    }
    const group = new Group(name, [new Dot(at)], start, at.home)
    group.entriesRead = entriesRead
    this.groups.set(name, group)
    for (const entry of this.entries.range(ID_MIN, start, Number.POSITIVE_INFINITY)) {
      if (at.covers(entry)) continue
      group.unseen.add(entry)
      group.late.add(entry)
    }
  }

  /** Two regions have created a group apart: it begins at the lower start, and what is news to one is news. */
  #createAgain(group: Group, start: StreamId, at: OpPoint): void {
    group.creations.push(new Dot(at))
    for (const entry of this.entries.range(ID_MIN, group.start, Number.POSITIVE_INFINITY)) {
      if (group.unseen.find(entry) !== undefined) continue
      const isBelow = compareIds(entry, start) <= 0
      if (isBelow && at.covers(entry)) continue
      if (isBelow) group.unseen.add(entry)
      if (compareIds(entry, group.cursor) <= 0) group.late.add(entry)
    }
    if (compareIds(start, group.start) >= 0) return
    group.start = start
    group.unseen.takeUpTo(
      undefined,
      (entry) => compareIds(entry, start) > 0,
      () => {},
    )
  }

  destroyGroup(name: string, at: OpPoint): void {
    this.groups.delete(name)
    this.#mark(name, at)
  }

  /** The key was removed by somebody who had seen a stream in it. */
  destroyGroups(at: OpPoint): void {
    this.groups.clear()
    this.#mark(undefined, at)
  }

  #mark(group: string | undefined, at: OpPoint): void {
    this.marks = this.marks.filter(
      (mark) => !(at.covers(mark) && (group === undefined || mark.group === group)),
    )
    this.marks.push(new GroupMark(group, at))
  }

  /** The region has given entries to a consumer, or to one who asked for no record of it (NOACK). */
  deliver(
    group: Group,
    points: readonly EntryPoint[],
    consumerName: string,
    nowMs: number,
    isRecorded: boolean,
  ): void {
    const consumer = group.consumer(consumerName, nowMs)
    consumer.seenMs = nowMs
    consumer.activeMs = nowMs
    const from = group.cursor
    for (const point of points) {
      this.#countRead(group, point)
      if (compareIds(point, group.cursor) > 0) group.cursor = { ms: point.ms, sequence: point.sequence }
      if (isRecorded) group.give(point, consumer, nowMs, 1)
    }
    // Not all with the highest id may have been given, and a replica may hold what came too late for the others.
    if (compareIds(group.cursor, from) > 0) this.#passed(group, from, points)
    if (group.late.size > 0) for (const point of points) group.late.remove(point)
  }

  /** The cursor has gone on from `from`: what it went by and was not given is late. @param given  in order */
  #passed(group: Group, from: StreamId, given: readonly EntryPoint[]): void {
    let next = 0
    for (const entry of this.entries.range(nextId(from)!, group.cursor, Number.POSITIVE_INFINITY)) {
      while (next < given.length && compareIds(given[next]!, entry) < 0) next++
      const point = given[next]
      if (point !== undefined && sameDot(point, entry)) next++
      else group.late.add(entry)
    }
  }

  /** As in Redis: counted on while nothing was deleted ahead, estimated where that is possible. */
  #countRead(group: Group, point: EntryPoint): void {
    const isLate = compareIds(point, group.cursor) <= 0
    if (group.entriesRead !== undefined && !this.hasDeletedFrom(point)) group.entriesRead++
    else if (!isLate && this.entriesAdded > 0) group.entriesRead = this.distanceTo(point)
  }

  /** XDEL took an entry with an id from `id` on, for all that is known. */
  hasDeletedFrom(id: StreamId): boolean {
    const { maxDeletedId } = this
    if (this.size === 0 || compareIds(maxDeletedId, ID_MIN) === 0) return false
    return compareIds(id, maxDeletedId) <= 0
  }

  /** How many entries were ever added up to that id; undefined when nobody can tell. */
  distanceTo(id: StreamId): number | undefined {
    const { entriesAdded, lastId, maxDeletedId, size } = this
    if (entriesAdded === 0) return 0
    const order = compareIds(id, lastId)
    if (size === 0 && order <= 0) return entriesAdded
    if (order === 0) return entriesAdded
    if (order > 0) return undefined
    const first = this.entries.first ?? ID_MIN
    if (compareIds(maxDeletedId, ID_MIN) !== 0 && compareIds(maxDeletedId, first) >= 0) return undefined
    const orderToFirst = compareIds(id, first)
    if (orderToFirst < 0) return entriesAdded - size
    return orderToFirst === 0 ? entriesAdded - size + 1 : undefined
  }

  /** How many entries the group has still to read; undefined when nobody can tell. */
  lagOf(group: Group): number | undefined {
    if (this.entriesAdded === 0) return 0
    const read =
      group.entriesRead !== undefined && !this.hasDeletedFrom(group.cursor)
        ? group.entriesRead
        : this.distanceTo(group.cursor)
    return read === undefined ? undefined : this.entriesAdded - read
  }

  /** Drops what another region knew of its own readers: the state came with a snapshot of that one. */
  settleIn(region: number): void {
    for (const group of this.groups.values()) if (group.region !== region) group.resetRegion(region)
  }

  *dots(): IterableIterator<Dot> {
    yield* this.entries
    for (const group of this.groups.values()) yield* group.creations
  }

  latest(): Dot {
    let latest: Dot | undefined
    for (const dot of this.dots()) if (latest === undefined || compareStamps(dot, latest) > 0) latest = dot
    return latest!
  }

  withoutSeen(_seen: readonly SeenCounter[], at: OpPoint): StreamState | undefined {
    this.#takeUpTo(undefined, at)
    for (const group of this.groups.values()) {
      group.creations = group.creations.filter((creation) => !at.covers(creation))
      if (group.creations.length === 0) this.groups.delete(group.name)
    }
    return this.rest()
  }

  collectSeen(_into: SeenCounter[], _field?: string): void {}

  fingerprint(into: Fingerprint): void {
    for (const entry of this.entries) {
      into.word(idText(entry)).number(entry.fields.length)
      for (const word of entry.fields) into.word(word)
    }
    for (const name of this.groups.keys()) into.sum(new Fingerprint().word(name))
  }

  describe(): Description {
    return {
      entries: [...this.entries].map((entry) => ({
        id: idText(entry),
        dot: describeDot(entry),
        fields: [...entry.fields],
      })),
      groups: [...this.groups.values()].map((group) => group.describe()),
      hints: {
        lastId: idText(this.lastId),
        entriesAdded: this.entriesAdded,
        maxDeletedId: idText(this.maxDeletedId),
      },
      marks: this.marks.map((mark) => ({ dot: describeDot(mark), group: mark.group ?? null })),
    }
  }
}
