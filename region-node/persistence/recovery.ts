/**
 * recovery.ts: from the files of a folder back to the state of the node: the newest whole snapshot, then the
 * log from where that snapshot stands.
 *
 * A snapshot is checked from its first byte to its last before anything of it is used. One that is damaged
 * is passed over with a warning if the one before it, or the log from its first record on, still leads to
 * the present; else the start is refused. Ops that the snapshot holds already are skipped.
 *
 * Every segment is read from there to its last record and handed to the engine, in the order in which it was
 * applied before. What can be wrong, and what follows:
 *
 *   the newest segment ends inside a record, or in bytes that make no sense, and no sync mark behind that
 *   place says that it was durable: a torn tail. It was promised to nobody. Cut, and said so.
 *
 *   the same, but a mark behind it says that it was durable, or a newer segment exists (which is begun
 *   only when the older one is durable as a whole): damage. The start is refused; nothing is skipped.
 *
 * It goes on in steps, so that a node can answer LOADING meanwhile.
 */
import { type BatchReader, openRecord } from '../../crdt/codec/batch.ts'
import { DecodeError, type Latin1 } from '../../crdt/codec/bytes.ts'
import type { EntrySink } from '../../crdt/codec/state.ts'
import type { OriginTable } from '../../crdt/origin.ts'
import { VersionVector, type WireVector } from '../../crdt/version-vector.ts'
import type { Disk, DiskFile } from '../env.ts'
import { StartError } from '../start-error.ts'
import { Checkpoints } from './checkpoints.ts'
import type { LogFound, Segment } from './op-log.ts'
import { decodeSegmentHeader, isSegmentName, positionInName, SegmentReader } from './segment.ts'
import { type SnapshotHeader, SnapshotReader } from './snapshot-file.ts'
import { listSnapshots, type StoredSnapshot } from './snapshot-store.ts'

const READ_STRETCH_BYTES = 1024 * 1024
/** A step checks or loads about this much; some milliseconds of work. */
const VERIFY_STEP_BYTES = 1024 * 1024
const LOAD_STEP_ENTRIES = 5000
const REPLAY_STEP_BYTES = 256 * 1024

/** Whom recovery brings back. */
export interface RecoveryTarget extends EntrySink {
  /** Everything a snapshot holds was restored: its vector is applied now. */
  adopted(header: SnapshotHeader): void
  /**
   * Applies what of a record of the log is new.
   * @param held  what counted of it when a later segment was begun; undefined for all
   * @throws DecodeError
   */
  replay(batch: BatchReader, held: VersionVector | undefined): void
}

export interface RecoveryOptions {
  readonly disk: Disk
  readonly folder: string
  readonly origins: OriginTable
  readonly latin1: Latin1
  /** What the engine has applied: live. */
  readonly applied: VersionVector
  readonly target: RecoveryTarget
  /** Something was put right that people should know of. */
  readonly warn: (sentence: string) => void
}

/** How far it is. Each phase counts bytes of its own. */
export interface RecoveryProgress {
  readonly phase: 'checking' | 'loading' | 'replaying'
  readonly bytesDone: number
  readonly bytesTotal: number
}

export interface Recovered extends LogFound {
  /** Those that are left, newest first. */
  readonly snapshots: readonly StoredSnapshot[]
  /** Ops in the one that was loaded; 0 for none. */
  readonly snapshotOps: number
}

/**
 * Recovers a folder, a step of some milliseconds at a time.
 * @throws StartError with a sentence that says which file is damaged where, and what to do
 */
export function* recoverLog(options: RecoveryOptions): Generator<RecoveryProgress, Recovered> {
  const { applied, target } = options
  const segments = openSegments(options)
  const { found, snapshots } = yield* findSnapshot(options, segments)
  if (found !== undefined) {
    yield* load(found.reader, target)
    found.file.close()
  }
  const snapshotOps = applied.opCount
  const from = found?.position ?? segments[0]?.header.firstPosition ?? 0
  const kept = withoutLeftovers(options, segments, from)
  const checkpoints = new Checkpoints()
  const position = yield* replay(options, kept, from, checkpoints)
  const unsaid = found === undefined ? [] : unsaidIn(found, kept, options.origins)
  return { segments: kept, checkpoints, position, unsaid, snapshots, snapshotOps }
}

/** Runs a recovery to its end. @throws StartError */
export function recoverAtOnce<T>(
  recovery: Generator<RecoveryProgress, T>,
  progress: (progress: RecoveryProgress) => void = () => {},
): T {
  for (;;) {
    const step = recovery.next()
    if (step.done === true) return step.value
    progress(step.value)
  }
}

function openSegments({ disk, folder, warn }: RecoveryOptions): Segment[] {
  const paths = disk
    .list(folder)
    .filter(isSegmentName)
    .map((name) => `${folder}/${name}`)
  const segments: Segment[] = []
  for (const [i, path] of paths.entries()) {
    const file = disk.open(path)
    const segment = openSegment(path, file, i === paths.length - 1)
    if (segment !== undefined) {
      segments.push(segment)
      continue
    }
    warn(`${path} was begun and not finished before the last stop; it holds nothing and is removed`)
    file.close()
    disk.removeFile(path)
  }
  return segments
}

/** @returns undefined for a newest segment whose header never became whole */
function openSegment(path: string, file: DiskFile, isLast: boolean): Segment | undefined {
  const read = (offset: number, length: number) => file.read(offset, length)
  try {
    return { path, file, ...decodeSegmentHeader(read) }
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    const reader = new SegmentReader(read, file.size, READ_STRETCH_BYTES)
    // A mark in it that only speaks of the segments before it says nothing about its own bytes.
    if (isLast && reader.promisedBehind(0) <= positionInName(path)) return undefined
    throw damaged(path, 0, error.message)
  }
}

function endOf({ file, header, bodyAt }: Segment): number {
  return header.firstPosition + file.size - bodyAt
}

interface FoundSnapshot {
  readonly file: DiskFile
  readonly reader: SnapshotReader
  readonly position: number
}

/** The newest snapshot that is whole and from which the log leads on; undefined to begin with the log alone. */
function* findSnapshot(
  options: RecoveryOptions,
  segments: readonly Segment[],
): Generator<RecoveryProgress, { found: FoundSnapshot | undefined; snapshots: StoredSnapshot[] }> {
  const { disk, folder, origins, latin1, warn } = options
  const snapshots: StoredSnapshot[] = []
  const unusable: { path: string; reason: string }[] = []
  let found: FoundSnapshot | undefined
  for (const { path, position } of listSnapshots(disk, folder)) {
    const file = disk.open(path)
    try {
      // Those behind the first that will do are checked when they are needed.
      if (found === undefined) {
        const reader = new SnapshotReader(file, origins, latin1)
        while (!reader.verify(VERIFY_STEP_BYTES))
          yield { phase: 'checking', bytesDone: reader.bytesVerified, bytesTotal: reader.bytesTotal }
        const gap = gapBehind(reader.header.vector, position, segments, origins)
        if (gap !== undefined) throw new DecodeError(gap)
        found = { file, reader, position }
      }
      snapshots.push({ path, position, bytes: file.size })
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      unusable.push({ path, reason: error.message })
    }
    if (found?.file !== file) file.close()
  }
  if (found === undefined && !isComplete(segments)) throw noWayBack(folder, segments, unusable)
  for (const { path, reason } of unusable) {
    disk.rename(path, `${path}.unusable`)
    warn(
      `${path} cannot be used: ${reason}. An older state and more of the log are used instead; the file is ` +
        `kept as ${path}.unusable`,
    )
  }
  return { found, snapshots }
}

/** Why the log does not lead on from a snapshot; undefined when it does. */
function gapBehind(
  vector: VersionVector,
  position: number,
  segments: readonly Segment[],
  origins: OriginTable,
): string | undefined {
  const newest = segments.at(-1)
  // A folder with a snapshot and no log at all: the log begins anew behind it.
  if (newest === undefined) return undefined
  if (endOf(newest) < position) return 'the log ends before the place where it would have to go on'
  if (firstIndexFrom(segments, position) === undefined)
    return 'the log begins behind the place where it would have to go on'
  const held = heldLater(segments, origins)
  for (const [i, { header }] of segments.entries()) {
    if (header.firstPosition < position) continue
    const base = VersionVector.fromWire(origins, header.base)
    // What counted no more when a later segment was begun need not be there.
    if (!vector.covers(held[i] === undefined ? base : base.meet(held[i])))
      return 'the log does not go on from it: a snapshot from another region came in between'
  }
  return undefined
}

/**
 * What of a snapshot from another region the log may not hold, and does not say so: the node stopped between
 * the renaming of the file and the segment that goes with it. The log from the segment's beginning to the
 * snapshot's position is not looked at, so this may name ops that are in it: who lacks them gets a snapshot.
 */
function unsaidIn(
  { reader: { header }, position }: FoundSnapshot,
  segments: readonly Segment[],
  origins: OriginTable,
): WireVector {
  const at = segments[firstIndexFrom(segments, position) ?? 0]
  if (at === undefined || header.nodeId === at.header.nodeId) return []
  const isSaid = segments.some(
    ({ header: { firstPosition, startVector } }) =>
      firstPosition >= position && VersionVector.fromWire(origins, startVector).covers(header.vector),
  )
  if (isSaid) return []
  const held = VersionVector.fromWire(origins, at.header.startVector)
  return header.vector.toWire().filter(([id, seq]) => seq > held.get(origins.intern(id)))
}

/** The segment that holds the position, or ends or begins with it. */
function firstIndexFrom(segments: readonly Segment[], position: number): number | undefined {
  for (let i = segments.length - 1; i >= 0; i--) if (segments[i]!.header.firstPosition <= position) return i
  return undefined
}

/** The log alone holds everything there ever was. */
function isComplete(segments: readonly Segment[]): boolean {
  const first = segments[0]
  if (first === undefined) return true
  return first.header.firstPosition === 0 && segments.every(({ header }) => header.base.length === 0)
}

/** Segments from the position on, and those before them without a gap; what a trim left behind a gap is removed. */
function withoutLeftovers({ disk }: RecoveryOptions, segments: readonly Segment[], from: number): Segment[] {
  let first = firstIndexFrom(segments, from) ?? 0
  while (first > 0 && endOf(segments[first - 1]!) === segments[first]!.header.firstPosition) first--
  for (const { file, path } of segments.slice(0, first)) {
    file.close()
    disk.removeFile(path)
  }
  return segments.slice(first)
}

function* load(reader: SnapshotReader, target: RecoveryTarget): Generator<RecoveryProgress> {
  try {
    while (!reader.step(LOAD_STEP_ENTRIES, target))
      yield { phase: 'loading', bytesDone: reader.bytesLoaded, bytesTotal: reader.bytesTotal }
    target.adopted(reader.header)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    throw new StartError(
      `the newest snapshot is whole, but this version cannot read it: ${error.message}. It was written by ` +
        'another version: start that one.',
    )
  }
}

/** @returns behind the last whole record */
function* replay(
  options: RecoveryOptions,
  segments: readonly Segment[],
  from: number,
  checkpoints: Checkpoints,
): Generator<RecoveryProgress, number> {
  const bytesTotal = segments.reduce((sum, segment) => sum + Math.max(0, endOf(segment) - from), 0)
  let position = segments[0]?.header.firstPosition ?? from
  let bytesDone = 0
  const held = heldLater(segments, options.origins)
  for (const [i, segment] of segments.entries()) {
    const { header, path } = segment
    if (header.firstPosition !== position) throw missingBefore(path, position, header.firstPosition)
    checkpoints.note(header.firstPosition, () => VersionVector.fromWire(options.origins, header.startVector))
    const end = endOf(segment)
    if (end <= from && i < segments.length - 1) {
      position = end
      continue
    }
    const start = Math.max(from, header.firstPosition)
    const isLast = i === segments.length - 1
    position = yield* replaySegment(segment, start, isLast, options, held[i], checkpoints, (at) => ({
      phase: 'replaying',
      bytesDone: bytesDone + at - start,
      bytesTotal,
    }))
    bytesDone += position - start
  }
  return position
}

/**
 * For each segment what still counted of it when those behind it were begun: an adoption may have left out ops
 * that are in the log before it. Undefined for the newest.
 */
function heldLater(segments: readonly Segment[], origins: OriginTable): (VersionVector | undefined)[] {
  const held: (VersionVector | undefined)[] = []
  let least: VersionVector | undefined
  for (let i = segments.length - 1; i >= 0; i--) {
    held[i] = least
    const start = VersionVector.fromWire(origins, segments[i]!.header.startVector)
    least = least === undefined ? start : start.meet(least)
  }
  return held
}

function* replaySegment(
  segment: Segment,
  from: number,
  isLast: boolean,
  options: RecoveryOptions,
  held: VersionVector | undefined,
  checkpoints: Checkpoints,
  progress: (position: number) => RecoveryProgress,
): Generator<RecoveryProgress, number> {
  const { path, file, header, bodyAt } = segment
  const reader = new SegmentReader(
    (offset, length) => file.read(offset, length),
    file.size,
    READ_STRETCH_BYTES,
  )
  const positionOf = (offset: number) => header.firstPosition + offset - bodyAt
  let offset = from - header.firstPosition + bodyAt
  let reportAt = offset + REPLAY_STEP_BYTES
  for (;;) {
    const piece = reader.at(offset)
    if (piece.kind === 'end') return positionOf(offset)
    if (piece.kind === 'broken') {
      const promised = reader.promisedBehind(offset)
      if (!isLast || promised > positionOf(offset)) throw damaged(path, offset, piece.reason)
      options.warn(
        `${path}: cut ${file.size - offset} bytes of an unfinished write at byte ${offset}; ` +
          'they had not been made durable when the node stopped',
      )
      file.truncate(offset)
      return positionOf(offset)
    }
    if (piece.kind === 'record') {
      replayRecord(path, offset, piece.bytes, held, options)
      checkpoints.note(positionOf(piece.end), () => options.applied.copy())
    }
    offset = piece.end
    if (offset < reportAt) continue
    reportAt = offset + REPLAY_STEP_BYTES
    yield progress(positionOf(offset))
  }
}

function replayRecord(
  path: string,
  offset: number,
  bytes: Uint8Array,
  held: VersionVector | undefined,
  { origins, latin1, target }: RecoveryOptions,
): void {
  try {
    target.replay(openRecord(bytes, origins, latin1), held)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    throw damaged(path, offset, `a record that this version cannot read: ${error.message}`)
  }
}

function damaged(path: string, offset: number, reason: string): StartError {
  return new StartError(
    `the log is damaged: ${path} at byte ${offset}: ${reason}. These bytes had been made durable, so this is ` +
      'not an unfinished write, and starting without them would lose data silently. Put the file back from a ' +
      'backup; or move the whole data folder away and start with an empty one: the node then fetches ' +
      'everything from its peers.',
  )
}

function missingBefore(path: string, expected: number, found: number): StartError {
  return new StartError(
    `a log file is missing: ${path} begins at position ${found}, but the one before it ends at ${expected}. ` +
      'Put the missing file back; or move the whole data folder away and start with an empty one: the node ' +
      'then fetches everything from its peers.',
  )
}

function noWayBack(
  folder: string,
  segments: readonly Segment[],
  unusable: readonly { path: string; reason: string }[],
): StartError {
  const reasons = unusable.map(({ path, reason }) => `${path}: ${reason}`)
  const why = reasons.length > 0 ? reasons.join('; ') : 'there is none'
  return new StartError(
    `the log in ${folder} begins at position ${segments[0]!.header.firstPosition}, and no snapshot leads up to ` +
      `it (${why}). Put the files back from a backup; or move the whole data folder away and start with an ` +
      'empty one: the node then fetches everything from its peers.',
  )
}
