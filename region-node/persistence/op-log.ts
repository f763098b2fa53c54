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
 * Positions count bytes of records and marks over all segments, headers left out.
 *
 * Invariants: (1) durable position <= written position. (2) `durable` names only ops whose bytes an fsync
 * has covered. (3) Under `always` nothing behind the durable position is read by a subscriber. (4) A new
 * segment gets its first byte only when the one before is durable as a whole, so a hole can only be at
 * the very end of the log.
 */
import { type BatchSpan, openRecord } from '../../crdt/codec/batch.ts'
import type { Latin1 } from '../../crdt/codec/bytes.ts'
import type { Origin, OriginTable } from '../../crdt/origin.ts'
import { VersionVector } from '../../crdt/version-vector.ts'
import type { LogPosition, LogRecord, LogStream } from '../../sync/ports.ts'
import type { Journal } from '../engine/journal.ts'
import type { DiskError, DiskFile, Env } from '../env.ts'
import { Checkpoints } from './checkpoints.ts'
import { LogTail } from './log-tail.ts'
import { encodeMark, encodeSegmentHeader, type SegmentHeader, SegmentReader, segmentName } from './segment.ts'
import { TailWriter } from './tail-writer.ts'

export type FsyncPolicy = 'always' | 'everysec' | 'no'

const FSYNC_INTERVAL_MS: Record<FsyncPolicy, number> = { always: 0, everysec: 1000, no: 30_000 }
/** Stretch of a segment read at once when a subscriber is served from disk. */
const READ_STRETCH_BYTES = 256 * 1024

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
  /** The log cannot go on: a write or an fsync failed. */
  readonly failed: (error: DiskError) => void
  readonly onDurable: () => void
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
  /** A write of `always` is under way. */
  #inRound = false
  #syncTimer: { cancel(): void } | undefined
  #markDue = false
  /** Callbacks of turns whose bytes wait for the round that is under way (`always`). */
  #waiting: (() => void)[] = []
  #failed = false
  #closing: (() => void) | undefined = undefined

  constructor(options: OpLogOptions) {
    this.#options = options
    this.writer = new TailWriter(options.latin1)
    this.#tail = new LogTail(options.tailBytes)
    this.durable = new VersionVector(options.origins)
    this.#writtenVector = new VersionVector(options.origins)
  }

  /** Takes over what recovery found. With no segments the first one is made. */
  open(segments: readonly Segment[], checkpoints: Checkpoints): void {
    this.#segments.push(...segments)
    this.#checkpoints.takeOver(checkpoints)
    const applied = this.#options.applied()
    if (segments.length === 0) this.#addSegment(0, applied)
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

  #addSegment(firstPosition: number, startVector: VersionVector): void {
    const { env, folder, nodeId, regionId } = this.#options
    const header = { firstPosition, nodeId, regionId, startVector: startVector.toWire() }
    const path = `${folder}/${segmentName(firstPosition)}`
    const file = env.disk.open(path)
    const bytes = encodeSegmentHeader(header)
    file.write(bytes)
    this.#segments.push({ path, file, header, bodyAt: bytes.length })
  }

  get #current(): Segment {
    return this.#segments[this.#segments.length - 1]!
  }

  get segments(): readonly Segment[] {
    return this.#segments
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
    // A round that began under `always` ends under it, or its bytes and later ones would change places.
    if (this.#options.policy() === 'always' || this.#inRound) {
      this.#waiting.push(released)
      if (!this.#syncing) this.#startRound()
      return
    }
    if (this.#appended > this.#written && !this.#write()) return
    released()
  }

  /** One write of everything appended. @returns false when it failed */
  #write(): boolean {
    const { file } = this.#current
    try {
      for (const stretch of this.#takeStretches()) file.write(stretch)
    } catch (error) {
      this.#fail(error as DiskError)
      return false
    }
    this.#noteWritten()
    this.#scheduleSync()
    return true
  }

  #takeStretches(): Uint8Array[] {
    const stretches = this.writer.take()
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
      // Nothing is under way: a close that waited for the round before this one has its turn.
      this.#goOn()
      return
    }
    this.#syncing = true
    this.#inRound = true
    const { file } = this.#current
    file.writeLater(joined(stretches), (writeError) => {
      if (writeError !== undefined) return this.#fail(writeError)
      this.#written = position
      this.#writtenVector = vector
      this.#checkpoints.note(position, () => vector)
      file.sync((error) => {
        this.#syncing = false
        this.#inRound = false
        if (error !== undefined) return this.#fail(error)
        this.#nowDurable(position, vector)
        for (const release of released) release()
        this.#rotateIfFull()
        this.#goOn()
      })
    })
  }

  /** What came while a sync was under way. */
  #goOn(): void {
    // In the middle of a turn a batch may be open: then the end of that turn begins the round.
    if (this.#waiting.length > 0 && !this.writer.isOpen && !this.#failed) this.#startRound()
    else if (this.#closing !== undefined) this.close(this.#closing)
  }

  #nowDurable(position: number, vector: VersionVector): void {
    this.#durablePosition = position
    this.durable.join(vector)
    this.#markDue = true
    this.#options.onDurable()
  }

  /** Right behind an fsync little is unsynced, so making the segment durable as a whole is quick. */
  #rotateIfFull(): void {
    const { file } = this.#current
    if (this.#syncing || file.size < this.#options.segmentBytes()) return
    try {
      file.syncNow()
      this.#nowDurable(this.#written, this.#writtenVector)
      // Appended bytes that are not written yet belong to the new segment.
      this.#addSegment(this.#written, this.#writtenVector)
    } catch (error) {
      this.#fail(error as DiskError)
    }
  }

  #fail(error: DiskError): void {
    if (this.#failed) return
    this.#failed = true
    this.#options.failed(error)
  }

  seek(vector: VersionVector, wanted?: (origin: Origin) => boolean): LogPosition {
    return this.#checkpoints.before(vector, wanted)
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
        READ_STRETCH_BYTES,
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
    throw new Error(`position ${position} is before the log begins`)
  }

  /** Bytes of all segments on disk. */
  get bytes(): number {
    return this.#segments.reduce((sum, { file }) => sum + file.size, 0)
  }

  /**
   * Ends the log in order: everything appended is written and fsynced, then the files are closed. No batch
   * is open, and nothing is appended or committed afterwards.
   */
  close(closed: () => void): void {
    if (this.#syncing) {
      // What is under way ends first; its replies leave as usual.
      this.#closing = closed
      return
    }
    this.#syncTimer?.cancel()
    if (!this.#failed && this.#appended > this.#written) this.#write()
    if (!this.#failed) this.#syncAll()
    this.#syncTimer?.cancel()
    this.#failed = true
    for (const { file } of this.#segments) file.close()
    closed()
  }

  #syncAll(): void {
    try {
      this.#current.file.syncNow()
      this.#nowDurable(this.#written, this.#writtenVector)
    } catch (error) {
      this.#fail(error as DiskError)
    }
  }
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
