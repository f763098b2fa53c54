/**
 * op-log.ts: the log: every op of this node, in the order in which it was applied here.
 *
 * It is the append-only file, the stream to peers and the truth after a crash, all in one. The engine
 * encodes batches into its writer; at the end of a turn `commit` makes one write of all that the turn
 * brought, and calls back when the turn's replies may leave and its ops may travel:
 *
 *   everysec, no   when the write is done, which is at once; the fsync follows within 1 s or 30 s
 *   always         when the fsync is done; turns that come meanwhile share the next one
 *
 * A write that the disk has no room for is no failure: the file is cut back to where it was, and the same bytes
 * are tried again every 100 ms. Until then no turn is released, so nobody was told of those ops and they have
 * travelled nowhere; `roomChanged` tells the node to refuse new ones. Any other error ends the node, and so
 * does a failed fsync, after which nobody knows what the disk holds.
 *
 * Positions count bytes of records and marks over all segments, headers left out.
 *
 * The log may begin in the middle: segments before a snapshot are trimmed when nobody needs them, and a
 * snapshot from another region brings ops that never were in this log. `base` says what is missing; who lacks
 * any of it is told LogTrimmed, and gets a snapshot.
 *
 * Invariants: (1) durable position <= written position. (2) `durable` names only ops whose bytes an fsync
 * has covered. (3) Under `always` nothing behind the durable position is read by a subscriber. (4) A new
 * segment gets its first byte only when the one before is durable as a whole, so a hole can only be at
 * the very end of the log. (5) For every origin the log holds all ops beyond `base` up to what is applied.
 */

import { assert } from '../../crdt/assert.ts'
import { type BatchSpan, openRecord } from '../../crdt/codec/batch.ts'
import type { Latin1 } from '../../crdt/codec/bytes.ts'
import type { Origin, OriginTable } from '../../crdt/origin.ts'
import { VersionVector, type WireVector } from '../../crdt/version-vector.ts'
import { LogTrimmed } from '../../sync/log-trimmed.ts'
import type { LogPosition, LogRecord, LogStream } from '../../sync/ports.ts'
import type { Journal } from '../engine/journal.ts'
import { DiskError, type DiskFile, type Env } from '../env.ts'
import { Checkpoints, coversWanted } from './checkpoints.ts'
import { LogTail } from './log-tail.ts'
import { encodeMark, encodeSegmentHeader, type SegmentHeader, SegmentReader, segmentName } from './segment.ts'
import { TailWriter } from './tail-writer.ts'

export type FsyncPolicy = 'always' | 'everysec' | 'no'

/** Longest time from a write to the fsync that follows it. */
export const FSYNC_INTERVAL_MS: Record<FsyncPolicy, number> = { always: 0, everysec: 1000, no: 30_000 }
/** How often a write is tried again that the disk had no room for. */
const ROOM_RETRY_MS = 100
/**
 * Stretch of a segment read at once when a subscriber is served from disk, in slices: enough that the record behind
 * the slice, which says that it is full, needs no second read. Larger ones were most of the garbage of a node that
 * a newcomer caught up from, and every few MB of that brought a collection of everything.
 */
const STRETCH_SLICES = 2

export interface Segment {
  readonly path: string
  readonly file: DiskFile
  readonly header: SegmentHeader
  /** Where its records begin in the file. */
  readonly bodyAt: number
}

export interface OpLogOptions {
  readonly env: Env
  readonly latin1: Latin1
  readonly origins: OriginTable
  readonly folder: string
  readonly nodeId: string
  readonly regionId: number
  readonly policy: () => FsyncPolicy
  readonly segmentBytes: () => number
  readonly tailBytes: () => number
  /** What the engine has applied: live. */
  readonly applied: () => VersionVector
  /** The last op of an origin that counts: what the log holds behind it is asked for by nobody. */
  readonly limitOf: (origin: Origin) => number
  /** The log cannot go on: a write or an fsync failed. */
  readonly failed: (error: DiskError) => void
  /** The disk has no room for what was appended, or has room again. */
  readonly roomChanged: (hasRoom: boolean) => void
  readonly onDurable: () => void
}

/** What recovery hands over. */
export interface LogFound {
  readonly segments: readonly Segment[]
  readonly checkpoints: Checkpoints
  /** Where the log ends; with no segments: where it is to begin. */
  readonly position: LogPosition
  /** What a snapshot from another region brought, where the node stopped before the log could say so. */
  readonly unsaid: WireVector
}

export class OpLog implements Journal, LogStream {
  readonly writer: TailWriter
  readonly #options: OpLogOptions
  readonly #segments: Segment[] = []
  readonly #tail: LogTail
  readonly #checkpoints = new Checkpoints()
  /** Behind the last byte handed to the writer. */
  #appended = 0
  /** Behind the last byte written to the file. */
  #written = 0
  #durablePosition = 0
  /** What is durable; its entries only grow. */
  readonly durable: VersionVector
  /** The applied vector at the last write. */
  #writtenVector: VersionVector
  #syncing = false
  #syncBeganMs = 0
  /** A write of `always` is under way. */
  #inRound = false
  #syncTimer: { cancel(): void } | undefined
  #markDue = false
  /** Bytes of earlier turns that the disk had no room for. */
  #unwritten: Uint8Array[] = []
  #retry: { cancel(): void } | undefined
  #isFull = false
  /** Callbacks of turns whose bytes wait for the round that is under way (`always`), or for room. */
  #waiting: (() => void)[] = []
  #failed = false
  #closing: (() => void) | undefined = undefined
  /** Run between two rounds of `always`. */
  #idleTasks: (() => void)[] = []
  /** What was applied here and is not in this log: of each origin up to there. Its entries only grow. */
  readonly base: VersionVector

  constructor(options: OpLogOptions) {
    this.#options = options
    this.writer = new TailWriter(options.latin1)
    this.#tail = new LogTail(options.tailBytes)
    this.durable = new VersionVector(options.origins)
    this.#writtenVector = new VersionVector(options.origins)
    this.base = new VersionVector(options.origins)
  }

  /** Takes over what recovery found. With no segments the first one is made. */
  open({ segments, checkpoints, position, unsaid }: LogFound): void {
    this.#segments.push(...segments)
    this.#checkpoints.takeOver(checkpoints)
    const applied = this.#options.applied()
    if (segments.length === 0) this.#addSegment(position, applied)
    if (unsaid.length > 0) {
      this.#current.file.syncNow()
      this.#beginSegment(position, applied, unsaid)
    }
    this.#joinBase(this.#segments[0]!.header.startVector)
    for (const { header } of this.#segments) this.#joinBase(header.base)
    const last = this.#segments[this.#segments.length - 1]!
    this.#appended = last.header.firstPosition + last.file.size - last.bodyAt
    this.#written = this.#appended
    // What an earlier run left unsynced is promised to peers from now on, so it is made durable first.
    last.file.syncNow()
    this.#durablePosition = this.#written
    this.durable.join(applied)
    this.#writtenVector = applied.copy()
    this.#markDue = this.#written > 0
  }

  #joinBase(vector: WireVector): void {
    this.base.join(VersionVector.fromWire(this.#options.origins, vector))
  }

  #addSegment(firstPosition: number, startVector: VersionVector, base: WireVector = []): void {
    const { env, folder, nodeId, regionId } = this.#options
    const header = { firstPosition, nodeId, regionId, startVector: startVector.toWire(), base }
    const path = `${folder}/${segmentName(firstPosition)}`
    const file = env.disk.open(path)
    const bytes = encodeSegmentHeader(header)
    try {
      file.write(bytes)
    } catch (error) {
      // Behind a later segment a header that is not whole would count as damage.
      file.close()
      env.disk.removeFile(path)
      throw error
    }
    this.#segments.push({ path, file, header, bodyAt: bytes.length })
  }

  /** Begins a segment in place of the newest one if that holds nothing yet: both would have one name. */
  #beginSegment(firstPosition: number, startVector: VersionVector, base: WireVector): void {
    const { header, path, file } = this.#current
    if (header.firstPosition === firstPosition) {
      file.close()
      this.#options.env.disk.removeFile(path)
      this.#segments.pop()
    }
    this.#addSegment(firstPosition, startVector, [...header.base, ...base])
  }

  get #current(): Segment {
    return this.#segments[this.#segments.length - 1]!
  }

  get segments(): readonly Segment[] {
    return this.#segments
  }

  /** Behind the last record that was handed to the log. */
  get appendedPosition(): LogPosition {
    return this.#appended
  }

  /** Where the log begins. */
  get start(): LogPosition {
    return this.#segments[0]!.header.firstPosition
  }

  /** Behind the last byte in the log's files. */
  get writtenPosition(): LogPosition {
    return this.#written
  }

  get durablePosition(): LogPosition {
    return this.#durablePosition
  }

  get end(): LogPosition {
    return this.#options.policy() === 'always' ? this.#durablePosition : this.#written
  }

  minted(record: Uint8Array, span: BatchSpan): void {
    this.#place(record, span)
  }

  received(record: Uint8Array, span: BatchSpan): void {
    this.#place(this.writer.append(record), span)
  }

  #place(record: Uint8Array, span: BatchSpan): void {
    this.#tail.push(this.#appended, record, span)
    this.#appended += record.length
  }

  /**
   * The turn is over and no batch is open.
   * @param released  called when the turn's replies may leave; at once where the policy allows it
   */
  commit(released: () => void): void {
    if (this.#failed) return
    // What is written of an open batch has neither its length nor its checksum.
    assert(!this.writer.isOpen, 'no batch is open when the turn is committed')
    if (this.#isFull) {
      this.#waiting.push(released)
      return
    }
    // A round that began under `always` ends under it, or its bytes and later ones would change places.
    if (this.#options.policy() === 'always' || this.#inRound) {
      this.#waiting.push(released)
      if (!this.#syncing) this.#startRound()
      return
    }
    if (this.#appended === this.#written || this.#write()) released()
    else this.#waiting.push(released)
  }

  /** One write of everything appended. @returns false when it was refused: for want of room, or for good */
  #write(): boolean {
    const { file } = this.#current
    const { size } = file
    const stretches = this.#takeStretches()
    try {
      for (const stretch of stretches) file.write(stretch)
    } catch (error) {
      this.#refused(error as DiskError, stretches, size)
      return false
    }
    this.#noteWritten()
    this.#scheduleSync()
    return true
  }

  /** @param size  of the file before the write: a part of it may be in there */
  #refused(error: DiskError, stretches: Uint8Array[], size: number): void {
    const { file } = this.#current
    try {
      if (!lacksRoom(error)) throw error
      if (file.size > size) file.truncate(size)
    } catch (fatal) {
      this.#fail(fatal as DiskError)
      return
    }
    this.#unwritten = stretches
    this.#retry = this.#options.env.after(ROOM_RETRY_MS, () => this.#tryAgain())
    if (this.#isFull) return
    this.#isFull = true
    this.#options.roomChanged(false)
  }

  #tryAgain(): void {
    if (this.#failed) return
    const isAlways = this.#options.policy() === 'always'
    // Ops of an open batch are applied and not appended: what is written now would be taken to hold them.
    if (this.writer.isOpen || (isAlways && this.#syncing)) {
      this.#retry = this.#options.env.after(ROOM_RETRY_MS, () => this.#tryAgain())
    } else if (isAlways) {
      this.#startRound()
    } else if (this.#write()) {
      this.#releaseWaiting()
    }
  }

  #releaseWaiting(): void {
    const released = this.#waiting
    this.#waiting = []
    for (const release of released) release()
    this.#foundRoom()
  }

  #foundRoom(): void {
    if (!this.#isFull) return
    this.#isFull = false
    this.#options.roomChanged(true)
  }

  /** Turns wait because the disk has no room for them. */
  get isFull(): boolean {
    return this.#isFull
  }

  #takeStretches(): Uint8Array[] {
    const stretches = this.#unwritten
    this.#unwritten = []
    stretches.push(...this.writer.take())
    if (this.#markDue) {
      // After the turn's records, not before: their positions are already given out.
      const mark = this.writer.append(encodeMark(this.#durablePosition))
      this.#appended += mark.length
      this.#markDue = false
      stretches.push(...this.writer.take())
    }
    return stretches
  }

  #noteWritten(): void {
    this.#written = this.#appended
    this.#writtenVector = this.#options.applied().copy()
    this.#checkpoints.note(this.#written, () => this.#writtenVector)
  }

  #scheduleSync(): void {
    if (this.#syncing || this.#syncTimer !== undefined) return
    const delay = FSYNC_INTERVAL_MS[this.#options.policy()]
    this.#syncTimer = this.#options.env.after(delay, () => this.#startSync())
  }

  /** Somebody waits for an acknowledgement: no need to wait for the clock. */
  hurryDurable(): void {
    if (this.#syncing || this.#failed || this.#durablePosition === this.#written) return
    this.#startSync()
  }

  #startSync(): void {
    this.#syncTimer?.cancel()
    this.#syncTimer = undefined
    if (this.#syncing || this.#failed) return
    this.#syncing = true
    this.#syncBeganMs = this.#options.env.monoMs()
    const position = this.#written
    const vector = this.#writtenVector
    this.#current.file.sync((error) => {
      this.#syncing = false
      if (error !== undefined) return this.#fail(error)
      this.#nowDurable(position, vector)
      this.#rotateIfFull()
      if (this.#written > this.#durablePosition) this.#scheduleSync()
      this.#goOn()
    })
  }

  /** `always`: writes what has come together, syncs it, lets its replies go, and begins again. */
  #startRound(): void {
    const released = this.#waiting
    this.#waiting = []
    const stretches = this.#appended > this.#written ? this.#takeStretches() : []
    const position = this.#appended
    const vector = this.#options.applied().copy()
    if (stretches.length === 0 && position === this.#durablePosition) {
      for (const release of released) release()
      // What had no room before may have been written for a snapshot's sake.
      this.#foundRoom()
      // Nothing is under way: a close that waited for the round before this one has its turn.
      this.#goOn()
      return
    }
    this.#syncing = true
    this.#syncBeganMs = this.#options.env.monoMs()
    this.#inRound = true
    const { file } = this.#current
    const { size } = file
    const bytes = joined(stretches)
    file.writeLater(bytes, (writeError) => {
      if (writeError !== undefined) return this.#roundRefused(writeError, bytes, size, released)
      this.#written = position
      this.#writtenVector = vector
      this.#checkpoints.note(position, () => vector)
      file.sync((error) => {
        this.#syncing = false
        this.#inRound = false
        if (error !== undefined) return this.#fail(error)
        this.#nowDurable(position, vector)
        for (const release of released) release()
        this.#foundRoom()
        this.#rotateIfFull()
        this.#goOn()
      })
    })
  }

  #roundRefused(error: DiskError, bytes: Uint8Array, size: number, released: readonly (() => void)[]): void {
    this.#syncing = false
    this.#inRound = false
    this.#waiting = [...released, ...this.#waiting]
    this.#refused(error, [bytes], size)
    if (this.#closing !== undefined) this.close(this.#closing)
  }

  /** What came while a sync was under way. */
  #goOn(): void {
    const tasks = this.#idleTasks
    this.#idleTasks = []
    for (const task of tasks) task()
    // In the middle of a turn a batch may be open: then the end of that turn begins the round.
    if (this.#waiting.length > 0 && !this.writer.isOpen && !this.#isFull && !this.#failed) this.#startRound()
    else if (this.#closing !== undefined) this.close(this.#closing)
  }

  #nowDurable(position: number, vector: VersionVector): void {
    // A rebase may have made more durable than the fsync that was under way.
    if (position < this.#durablePosition) return
    this.#durablePosition = position
    this.durable.join(vector)
    this.#markDue = true
    this.#options.onDurable()
  }

  /** Right behind an fsync little is unsynced, so making the segment durable as a whole is quick. */
  #rotateIfFull(): void {
    const { file } = this.#current
    if (this.#syncing || this.#isFull || file.size < this.#options.segmentBytes()) return
    if (!this.#syncAll()) return
    try {
      // Appended bytes that are not written yet belong to the new segment.
      this.#addSegment(this.#written, this.#writtenVector)
    } catch (error) {
      // Without room for another the newest grows on: the next fsync tries again.
      if (!lacksRoom(error as DiskError)) this.#fail(error as DiskError)
    }
  }

  #fail(error: DiskError): void {
    if (this.#failed) return
    this.#failed = true
    this.#options.failed(error)
  }

  seek(vector: VersionVector, wanted: (origin: Origin) => boolean = () => true): LogPosition {
    const { limitOf } = this.#options
    if (!coversWanted(vector, this.base, wanted, limitOf)) {
      throw new LogTrimmed('ops that are asked for are not in the log any more, or never were')
    }
    return Math.max(this.start, this.#checkpoints.before(vector, wanted, limitOf))
  }

  /**
   * Removes whole segments that lie before `position`; never the newest. They are gone some time later.
   * @returns how many
   */
  trim(position: LogPosition): number {
    let count = 0
    while (this.#segments.length > 1 && this.#segments[1]!.header.firstPosition <= position) {
      const { file, path } = this.#segments.shift()!
      file.close()
      // One that stays for a while does no harm: recovery wants segments without a gap, and the oldest go first.
      this.#options.env.disk.removeLater(path, () => {})
      count++
    }
    if (count === 0) return 0
    this.#joinBase(this.#segments[0]!.header.startVector)
    this.#checkpoints.forgetBefore(this.start)
    return count
  }

  /**
   * Runs `task` when nothing is being written: at once, or between two rounds of `always`. A batch may be
   * open then.
   */
  whenIdle(task: () => void): void {
    if (this.#inRound) this.#idleTasks.push(task)
    else task()
  }

  /**
   * Ops that are not in this log are about to count as applied here: those of a snapshot from another
   * region, which is durable in the folder. Begins a new segment that says so. Everything up to `vector` is
   * durable when it returns. Inside `whenIdle`, with no batch open, before `applied` advances.
   * @param vector  what will be applied then
   */
  rebase(vector: VersionVector): void {
    assert(!this.#inRound && !this.writer.isOpen, 'the log is rebased between writes')
    if (this.#failed) return
    if (this.#appended > this.#written && !this.#write()) {
      // The state has to change with the log or not at all: it is fetched again after the next start.
      this.#fail(
        new DiskError('ENOSPC', 'the disk is full, and a snapshot from another region is to be noted'),
      )
      return
    }
    const applied = this.#options.applied()
    const base: [string, number][] = []
    for (const [origin, seq] of vector.entries()) if (seq > applied.get(origin)) base.push([origin.id, seq])
    try {
      this.#current.file.syncNow()
      this.#beginSegment(this.#written, vector, base)
      this.#current.file.syncNow()
    } catch (error) {
      this.#fail(error as DiskError)
      return
    }
    this.#joinBase(base)
    this.#writtenVector = vector.copy()
    // All of it is durable; and what lies behind the end of an origin counts no more.
    this.durable.become(vector)
    this.#nowDurable(this.#written, this.#writtenVector)
  }

  /** Makes all that was appended durable before it returns. No batch is open; inside `whenIdle`. */
  flushNow(): void {
    if (this.#failed || (this.#appended > this.#written && !this.#write())) return
    this.#syncAll()
  }

  read(position: LogPosition, bytesMax: number): { records: readonly LogRecord[]; next: LogPosition } {
    const { end } = this
    const tailStart = this.#tail.start
    if (tailStart !== undefined && position >= tailStart) return this.#tail.read(position, end, bytesMax)
    return this.#readFromDisk(position, Math.min(end, tailStart ?? end), bytesMax)
  }

  #readFromDisk(
    position: LogPosition,
    end: LogPosition,
    bytesMax: number,
  ): { records: LogRecord[]; next: LogPosition } {
    const records: LogRecord[] = []
    let next = position
    let bytes = 0
    while (next < end) {
      const segment = this.#segmentAt(next)
      const { file, bodyAt, header } = segment
      const reader = new SegmentReader(
        (offset, length) => file.read(offset, length),
        file.size,
        STRETCH_SLICES * bytesMax,
      )
      for (;;) {
        const piece = reader.at(next - header.firstPosition + bodyAt)
        if (piece.kind === 'end') break
        if (piece.kind === 'broken') throw new Error(`${segment.path} at position ${next}: ${piece.reason}`)
        if (piece.kind === 'record') {
          if (records.length > 0 && bytes + piece.bytes.length > bytesMax) return { records, next }
          records.push({ bytes: piece.bytes, span: openRecord(piece.bytes, this.#options.origins).header })
          bytes += piece.bytes.length
        }
        next = header.firstPosition + piece.end - bodyAt
        if (next >= end || bytes >= bytesMax) return { records, next }
      }
    }
    return { records, next }
  }

  #segmentAt(position: LogPosition): Segment {
    for (let i = this.#segments.length - 1; i >= 0; i--) {
      if (this.#segments[i]!.header.firstPosition <= position) return this.#segments[i]!
    }
    throw new LogTrimmed(`position ${position} is before the log begins`)
  }

  /** For how long an fsync has been under way, milliseconds; 0: none is. */
  get syncingMs(): number {
    return this.#syncing ? this.#options.env.monoMs() - this.#syncBeganMs : 0
  }

  /** Bytes of recent log in memory. */
  get tailBytes(): number {
    return this.#tail.bytes
  }

  /** Bytes of all segments on disk. */
  get bytes(): number {
    return this.#segments.reduce((sum, { file }) => sum + file.size, 0)
  }

  /**
   * Ends the log in order: everything appended is written and fsynced, then the files are closed. No batch
   * is open, and nothing is appended or committed afterwards. What a full disk has no room for is lost then:
   * nobody was told of it, and `isFull` says so.
   */
  close(closed: () => void): void {
    if (this.#syncing) {
      // What is under way ends first; its replies leave as usual.
      this.#closing = closed
      return
    }
    if (!this.#failed && this.#appended > this.#written) this.#write()
    if (!this.#failed) this.#syncAll()
    this.#syncTimer?.cancel()
    this.#retry?.cancel()
    this.#failed = true
    for (const { file } of this.#segments) file.close()
    closed()
  }

  /** @returns whether everything written is durable now */
  #syncAll(): boolean {
    try {
      this.#current.file.syncNow()
    } catch (error) {
      this.#fail(error as DiskError)
      return false
    }
    this.#nowDurable(this.#written, this.#writtenVector)
    return true
  }
}

/** The disk, or this user's share of it, is full: it may have room again. */
function lacksRoom({ code }: DiskError): boolean {
  return code === 'ENOSPC' || code === 'EDQUOT'
}

function joined(stretches: readonly Uint8Array[]): Uint8Array {
  if (stretches.length === 1) return stretches[0]!
  const whole = new Uint8Array(stretches.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const stretch of stretches) {
    whole.set(stretch, at)
    at += stretch.length
  }
  return whole
}
