/**
 * late-tail.ts: what this region minted behind the end of its own origins, minted again; and what it holds of a region
 * that has left, behind the ends of that one's: nobody else is there to do it.
 *
 * A region that was cut off for too long is suspended: the others end its origins at what they hold. What it
 * minted beyond, and answered clients for, is in its own log and in no other. Once it has come back it mints
 * those ops again, each with its old stamp (`engine/reminter.ts` says what of it). Removals are dropped, because
 * others have built upon what they would take away, and so are writes that lost to later ones; both are counted.
 *
 * No write of a client goes before: what an old op had not seen, and a new one has, could not be told apart.
 * Where the tail lies in the log is searched in slices, between which reads are served. All of the minting happens
 * in one turn, and is durable before any of it travels: a crash in the middle must not lead to one op under two
 * dots in two regions. What a crash left is minted at the next start.
 *
 * Invariant: while a tail is pending the log is not trimmed and this region mints nothing, so what the search has
 * found stays where it is, and nothing comes to it.
 * Source: algorithms.md, The horizon, 6.
 */
import { assert } from '../crdt/assert.ts'
import { type BatchReader, type BatchSpan, checkRecord, lastSeq, openRecord } from '../crdt/codec/batch.ts'
import type { Latin1 } from '../crdt/codec/bytes.ts'
import { TAG } from '../crdt/effects/effect.ts'
import type { OriginTable } from '../crdt/origin.ts'
import { RECORDS_AT } from '../sync/messages.ts'
import { runSlice } from '../sync/pace.ts'
import type { LogPosition, LogRecord } from '../sync/ports.ts'
import { ProtocolViolation } from '../sync/reason.ts'
import type { Engine } from './engine/engine.ts'
import type { Env } from './env.ts'
import type { OpLog } from './persistence/op-log.ts'

/** Log read between two looks at the clock. */
const SEARCH_BYTES = 64 * 1024
/** Log read at once while the tail is minted. */
const READ_BYTES = 1024 * 1024

export interface LateTailParts {
  readonly env: Pick<Env, 'monoMs' | 'after'>
  readonly engine: Pick<
    Engine,
    | 'applied'
    | 'membership'
    | 'mintedCount'
    | 'declare'
    | 'remint'
    | 'takenApart'
    | 'endRemint'
    | 'endTurn'
    | 'refusal'
  >
  readonly log: Pick<OpLog, 'start' | 'end' | 'isFull' | 'read' | 'whenIdle' | 'flushNow'>
  readonly origins: OriginTable
  readonly latin1: Latin1
  readonly regionId: number
  readonly report: (sentence: string) => void
  /** Something was minted outside a command. */
  readonly turnBegan: () => void
  /** The node stops or has failed: its log is not read any more. */
  readonly isEnding: () => boolean
}

/** How far the log was searched, and the part of it in which all of the tail lies, and what it was built upon. */
interface Search {
  position: LogPosition
  readonly end: LogPosition
  /** Infinity while nothing was found. */
  tailStart: LogPosition
  /** 0 while nothing of the tail was found. */
  tailEnd: LogPosition
}

export class LateTail {
  readonly #parts: LateTailParts
  #isPending = false
  #search: Search | undefined
  /** Ops minted again since the start. */
  mintedCount = 0
  /** Removals of theirs that were dropped. */
  droppedCount = 0
  /** Writes of theirs that had lost to later ones. */
  overwrittenCount = 0

  constructor(parts: LateTailParts) {
    this.#parts = parts
  }

  /** There may be ops that were not minted again yet. The log is not trimmed meanwhile. */
  get isPending(): boolean {
    return this.#isPending
  }

  /** The log may hold ops of this region that do not count under their dots. All of it is to be searched. */
  suspect(): void {
    this.#isPending = true
    this.#search = undefined
  }

  /**
   * Searches the log for the tail, in slices: at once as much as one slice holds. Clients of this region wait for
   * it with their writes, so there is no rest between the slices.
   * @param found  called when the search is over and nothing is being written, if the tail is pending still; again
   *   when it is asked for again
   */
  search(found: () => void): void {
    const { log } = this.#parts
    if (this.#search !== undefined) {
      if (isOver(this.#search)) this.#whenIdle(found)
      return
    }
    const { start: position, end } = log
    const search: Search = { position, end, tailStart: Number.POSITIVE_INFINITY, tailEnd: 0 }
    this.#search = search
    this.#searchOn(search, found)
  }

  #searchOn(search: Search, found: () => void): void {
    const { env, isEnding } = this.#parts
    // Another adoption may have made it begin anew.
    if (isEnding() || search !== this.#search) return
    runSlice(env, () => this.#searchStep(search))
    if (isOver(search)) this.#whenIdle(found)
    else env.after(0, () => this.#searchOn(search, found))
  }

  #whenIdle(found: () => void): void {
    const { log, isEnding } = this.#parts
    log.whenIdle(() => {
      if (this.#isPending && !isEnding() && !log.isFull) found()
    })
  }

  /** @returns true at the end of the log as it was when the search began */
  /**
   * As a replica: the records of the tail, slice by slice, of which the primary has minted nothing again yet. When there
   * is none left, nothing is pending any more. REQUIRES: the tail was found.
   */
  *unminted(): IterableIterator<readonly Uint8Array[]> {
    const { engine, log } = this.#parts
    const search = this.#search
    assert(search !== undefined && isOver(search), 'the tail was searched for')
    let isOpen = false
    for (let position = search.tailStart; position < search.tailEnd; ) {
      const { records, next } = log.read(position, READ_BYTES)
      position = next
      const due = records.filter(
        (record) =>
          this.#isOwn(record.span) &&
          this.#isApart(record) &&
          lastSeq(record.span) > engine.membership.remintedTo(record.span.origin),
      )
      isOpen ||= due.length > 0
      if (due.length > 0) yield due.map(({ bytes }) => bytes)
    }
    if (isOpen) return
    this.#isPending = false
    this.#search = undefined
  }

  /**
   * As primary: what a former primary minted behind the end of its origin, and its replica has sent, is minted again.
   * Nothing is while this node may not mint, or has a tail of its own: the replica sends it again.
   * @throws ProtocolViolation
   */
  rescue(messages: readonly Uint8Array[]): void {
    const { log, engine } = this.#parts
    const late = this.#lateOf(messages)
    if (late.length === 0 || this.#isPending) return
    log.whenIdle(() => {
      if (engine.refusal !== undefined || this.#parts.isEnding() || log.isFull) return
      engine.endTurn()
      this.#mintAgain('a former primary of this region', () => {
        for (const batch of late) this.#remintBatch(batch)
      })
      this.#parts.turnBegan()
    })
  }

  #lateOf(messages: readonly Uint8Array[]): BatchReader[] {
    const { engine, origins, latin1, regionId } = this.#parts
    const { membership } = engine
    const late: BatchReader[] = []
    for (const message of messages) {
      for (let at = RECORDS_AT; at < message.length; ) {
        const check = checkRecord(message, at)
        if (check.kind !== 'whole')
          throw new ProtocolViolation('malformed-record', 'a record that is not whole')
        const batch = openRecord(message.subarray(at, check.end), origins, latin1)
        at = check.end
        const { origin } = batch.header
        const end =
          membership.sealOf(origin)?.end ?? (this.#isStranded(batch) ? engine.applied.get(origin) : undefined)
        if (origin.region === regionId && end !== undefined && lastSeq(batch.header) > end) late.push(batch)
      }
    }
    return late
  }

  /** It was minted upon ops behind the end of another origin: under its own dot it would wait for these for ever. */
  #isStranded({ header }: BatchReader): boolean {
    const { membership } = this.#parts.engine
    for (const [origin, seq] of header.deps.entries())
      if (seq > (membership.sealOf(origin)?.end ?? Number.POSITIVE_INFINITY)) return true
    return false
  }

  #searchStep(search: Search): boolean {
    if (isOver(search)) return true
    const { records, next } = this.#parts.log.read(search.position, SEARCH_BYTES)
    if (records.some((record) => this.#isApart(record)))
      search.tailStart = Math.min(search.tailStart, search.position)
    if (records.some((record) => this.#isLate(record))) search.tailEnd = next
    search.position = next
    return isOver(search)
  }

  #isLate(record: LogRecord): boolean {
    return (this.#isOwn(record.span) || this.#hasLeft(record.span)) && this.#isApart(record)
  }

  #isOwn({ origin }: BatchSpan): boolean {
    return origin.region === this.#parts.regionId
  }

  /** A region that has left mints nothing any more. Before its origin is sealed members may hold more than this one. */
  #hasLeft({ origin }: BatchSpan): boolean {
    const { membership } = this.#parts.engine
    return membership.statusOf(origin.region) === 'left' && membership.sealOf(origin) !== undefined
  }

  /** It does not count under its dots here: it is of the tail, or of a region that was cut off as well. */
  #isApart({ span }: LogRecord): boolean {
    return lastSeq(span) > this.#parts.engine.applied.get(span.origin)
  }

  /** Mints the tail again. REQUIRES: it was found, the node may mint, and no batch is open. */
  remint(): void {
    const search = this.#search
    assert(search !== undefined && isOver(search), 'the tail was searched for')
    this.#isPending = false
    this.#search = undefined
    this.#mintAgain('this region, or one that has left,', () => this.#remintFromLog(search))
  }

  #mintAgain(who: string, remint: () => void): void {
    const { engine, log, report } = this.#parts
    const opCount = engine.mintedCount
    const { mintedCount, droppedCount, overwrittenCount } = this
    remint()
    engine.endRemint()
    // There was none, or all of it had been minted again before.
    if (engine.mintedCount === opCount) return
    engine.endTurn()
    log.flushNow()
    report(
      `${this.mintedCount - mintedCount} ops that ${who} minted while it was cut off count again under a ` +
        `new origin; ${this.droppedCount - droppedCount} removals among them were dropped, and ` +
        `${this.overwrittenCount - overwrittenCount} writes had lost to later ones`,
    )
  }

  #remintFromLog({ tailStart, tailEnd }: Search): void {
    const { log, origins, latin1 } = this.#parts
    for (let position = tailStart; position < tailEnd; ) {
      const { records, next } = log.read(position, READ_BYTES)
      position = next
      // What it reads beyond the tail, ops minted again a moment ago among it, counts under its dots.
      for (const record of records) {
        if (!this.#isApart(record)) continue
        const batch = openRecord(record.bytes, origins, latin1)
        if (this.#isLate(record)) this.#remintBatch(batch)
        else this.#takenApart(batch)
      }
    }
  }

  /** Of another region: the tail may have been built upon it. */
  #takenApart(batch: BatchReader): void {
    const { engine } = this.#parts
    const counted = engine.applied.get(batch.header.origin)
    for (const op of batch.ops()) if (op.seq > counted) engine.takenApart(op)
  }

  /** Those of its ops that do not count under their own dots. */
  #remintBatch(batch: BatchReader): void {
    const { engine } = this.#parts
    const { origin, deps } = batch.header
    const counted = engine.applied.get(origin)
    // The others never heard of it, so they did not end it.
    if (engine.membership.sealOf(origin) === undefined) {
      engine.declare([{ tag: TAG.SEAL, origin, end: counted }])
    }
    for (const op of batch.ops()) {
      const reminted = op.seq > counted ? engine.remint(origin, op, deps) : undefined
      if (reminted === undefined) continue
      this.mintedCount += Number(reminted.isMinted)
      this.droppedCount += reminted.dropped
      this.overwrittenCount += reminted.overwritten
    }
  }
}

function isOver({ position, end }: Search): boolean {
  return position >= end
}
