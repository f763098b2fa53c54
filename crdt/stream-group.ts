/**
 * stream-group.ts: one consumer group of a stream: what all regions know of it, and what only this one does.
 *
 * All regions agree on who created the group and where it begins, and on `unseen`: the entries at or below the
 * beginning that some creator of the group had not seen, which are news to it all the same. The rest is this
 * region's alone and never leaves it: how far it has read, its consumers, what they were given and have not
 * acknowledged. A region has read everything up to `cursor` but what stands in `late`: entries that came from
 * other regions when the cursor had passed their place. So nothing is skipped, and nothing is given twice.
 *
 * Invariants: (1) `creations` is never empty, and `start` is the lowest of theirs. (2) Whatever is in `late` is an
 * entry of the stream with an id up to `cursor`; `unseen` likewise up to `start`. (3) Each pending delivery stands
 * in `pending` and in its consumer's, the same object.
 * Source: algorithms.md, Stream; consumers and pending lists as in Redis 7.2.
 */
import { compareStamps, Dot, type OpPoint, type Stamp } from './dot.ts'
import { type Description, describeDot } from './state.ts'
import { compareIds, idText, type StreamId, type U64 } from './stream-id.ts'
import { IdOrder } from './stream-order.ts'

/** The name of one entry: its id, and the dot that tells it from another one with that id. */
export class EntryPoint extends Dot implements StreamId {
  readonly ms: U64
  readonly sequence: U64

  constructor(id: StreamId, stamp: Stamp) {
    super(stamp)
    this.ms = id.ms
    this.sequence = id.sequence
  }
}

/** Entries by id; those with one id by stamp. */
export function entryOrder<T extends EntryPoint>(): IdOrder<T, EntryPoint> {
  return new IdOrder<T, EntryPoint>(compareStamps)
}

/** An entry that a consumer was given and has not acknowledged. */
export interface Pending extends StreamId {
  consumer: Consumer
  /** Milliseconds since the Unix epoch. */
  deliveredMs: number
  deliveries: number
}

function pendingOrder(): IdOrder<Pending> {
  return new IdOrder<Pending>(() => 0)
}

export class Consumer {
  readonly name: string
  /** When it last asked for something, milliseconds since the Unix epoch; no op tells of it when it got nothing. */
  seenMs: number
  /** When it last got something; undefined for never. */
  activeMs: number | undefined
  readonly pending = pendingOrder()

  constructor(name: string, seenMs: number) {
    this.name = name
    this.seenMs = seenMs
    this.activeMs = undefined
  }
}

export class Group {
  readonly name: string
  creations: Dot[]
  start: StreamId
  readonly unseen = entryOrder<EntryPoint>()

  /** The region that what follows belongs to. */
  region: number
  cursor: StreamId
  readonly late = entryOrder<EntryPoint>()
  /** Entries of the stream's history that it is past; undefined when nobody knows. */
  entriesRead: number | undefined
  readonly consumers = new Map<string, Consumer>()
  readonly pending = pendingOrder()

  constructor(name: string, creations: Dot[], start: StreamId, region: number) {
    this.name = name
    this.creations = creations
    this.start = start
    this.region = region
    this.cursor = start
    this.entriesRead = undefined
  }

  /** Whoever wrote the op at `at` knew of every creation of the group. */
  isKnownAt(at: OpPoint): boolean {
    for (const creation of this.creations) if (!at.covers(creation)) return false
    return true
  }

  /** An entry has come to the stream. */
  entryAdded(entry: EntryPoint, at: OpPoint): void {
    const isNews = compareIds(entry, this.start) > 0 || !this.isKnownAt(at)
    if (isNews && compareIds(entry, this.start) <= 0) this.unseen.add(entry)
    // Whoever adds an entry here knows how far this region has read, and chose the id.
    if (isNews && at.origin.region !== at.home && compareIds(entry, this.cursor) <= 0) this.late.add(entry)
  }

  entryRemoved(entry: EntryPoint): void {
    if (this.unseen.size > 0) this.unseen.remove(entry)
    if (this.late.size > 0) this.late.remove(entry)
  }

  /** Takes this region's part back to the beginning: it came from another region. */
  resetRegion(region: number): void {
    this.region = region
    this.cursor = this.start
    this.entriesRead = undefined
    this.late.clear()
    for (const entry of this.unseen) this.late.add(entry)
    this.consumers.clear()
    this.pending.clear()
  }

  /** Takes over this region's part of the group as it was before, but for what was late. */
  resumeFrom(old: Group): void {
    this.cursor = old.cursor
    this.entriesRead = old.entriesRead
    this.late.clear()
    this.consumers.clear()
    this.pending.clear()
    for (const one of old.consumers.values()) {
      const consumer = this.consumer(one.name, one.seenMs)
      consumer.activeMs = one.activeMs
      for (const pending of one.pending) this.give(pending, consumer, pending.deliveredMs, pending.deliveries)
    }
  }

  /** The group begins before the entry, or some creator of it had not seen the entry. */
  isFor(entry: EntryPoint): boolean {
    return compareIds(entry, this.start) > 0 || this.unseen.find(entry) !== undefined
  }

  /** The consumer of that name, made where there is none. */
  consumer(name: string, nowMs: number): Consumer {
    const known = this.consumers.get(name)
    if (known !== undefined) return known
    const made = new Consumer(name, nowMs)
    this.consumers.set(name, made)
    return made
  }

  /** The entry is the consumer's now, whoever had it before. */
  give(id: StreamId, consumer: Consumer, deliveredMs: number, deliveries: number): void {
    const known = this.pending.at(id)
    if (known !== undefined) {
      if (known.consumer !== consumer) {
        known.consumer.pending.remove(known)
        known.consumer = consumer
        consumer.pending.add(known)
      }
      known.deliveredMs = deliveredMs
      known.deliveries = deliveries
      return
    }
    const made: Pending = { ms: id.ms, sequence: id.sequence, consumer, deliveredMs, deliveries }
    this.pending.add(made)
    consumer.pending.add(made)
  }

  /** It is pending no more. */
  settle(id: StreamId): void {
    const known = this.pending.at(id)
    if (known === undefined) return
    this.pending.remove(known)
    known.consumer.pending.remove(known)
  }

  describe(): Description {
    return {
      name: this.name,
      creations: this.creations.map(describeDot),
      start: idText(this.start),
      unseen: [...this.unseen].map(idText),
      region: this.region,
      cursor: idText(this.cursor),
      late: [...this.late].map(idText),
      entriesRead: this.entriesRead ?? null,
      consumers: [...this.consumers.values()].map(({ name, activeMs, pending }) => ({
        name,
        activeMs: activeMs ?? null,
        pending: [...pending].map((one) => [idText(one), one.deliveredMs, one.deliveries]),
      })),
    }
  }

  removeConsumer(name: string): void {
    const consumer = this.consumers.get(name)
    if (consumer === undefined) return
    for (const pending of consumer.pending) this.pending.remove(pending)
    this.consumers.delete(name)
  }
}
