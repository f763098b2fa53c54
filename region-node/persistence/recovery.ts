/**
 * recovery.ts: from the files of a folder back to the state of the node.
 *
 * Every segment is read from its first record to its last and handed to the engine, in the order in which
 * it was applied before. What can be wrong, and what follows:
 *
 *   the newest segment ends inside a record, or in bytes that make no sense, and no sync mark behind that
 *   place says that it was durable: a torn tail. It was promised to nobody. Cut, and said so.
 *
 *   the same, but a mark behind it says that it was durable, or a newer segment exists (which is begun
 *   only when the older one is durable as a whole): damage. The start is refused; nothing is skipped.
 */
import { type BatchReader, openRecord } from '../../crdt/codec/batch.ts'
import { DecodeError, type Latin1 } from '../../crdt/codec/bytes.ts'
import type { OriginTable } from '../../crdt/origin.ts'
import type { VersionVector } from '../../crdt/version-vector.ts'
import type { Disk, DiskFile } from '../env.ts'
import { StartError } from '../start-error.ts'
import { Checkpoints } from './checkpoints.ts'
import type { Segment } from './op-log.ts'
import { decodeSegmentHeader, isSegmentName, positionInName, SegmentReader } from './segment.ts'

const READ_STRETCH_BYTES = 1024 * 1024

export interface RecoveryOptions {
  readonly disk: Disk
  readonly folder: string
  readonly origins: OriginTable
  readonly latin1: Latin1
  /** What the engine has applied: live. */
  readonly applied: VersionVector
  readonly replay: (batch: BatchReader) => void
  readonly progress: (bytesDone: number, bytesTotal: number) => void
  /** Something was put right that people should know of. */
  readonly warn: (sentence: string) => void
}

export interface Recovered {
  readonly segments: readonly Segment[]
  readonly checkpoints: Checkpoints
  /** Behind the last whole record. */
  readonly position: number
}

/** @throws StartError with a sentence that says which file is damaged where, and what to do */
export function recoverLog(options: RecoveryOptions): Recovered {
  const { disk, folder, warn } = options
  const paths = disk
    .list(folder)
    .filter(isSegmentName)
    .map((name) => `${folder}/${name}`)
  const files = paths.map((path) => disk.open(path))
  const bytesTotal = files.reduce((sum, { size }) => sum + size, 0)
  const segments: Segment[] = []
  const checkpoints = new Checkpoints()
  let position: number | undefined
  let bytesDone = 0
  for (const [i, file] of files.entries()) {
    const path = paths[i]!
    const isLast = i === files.length - 1
    const segment = openSegment(path, file, isLast)
    if (segment === undefined) {
      warn(`${path} was begun and not finished before the last stop; it holds nothing and is removed`)
      file.close()
      disk.removeFile(path)
      continue
    }
    position ??= segment.header.firstPosition
    if (segment.header.firstPosition !== position)
      throw missingBefore(path, position, segment.header.firstPosition)
    position = replaySegment(segment, isLast, options, checkpoints, (done) =>
      options.progress(bytesDone + done, bytesTotal),
    )
    bytesDone += file.size
    segments.push(segment)
  }
  options.progress(bytesTotal, bytesTotal)
  return { segments, checkpoints, position: position ?? 0 }
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

function replaySegment(
  segment: Segment,
  isLast: boolean,
  options: RecoveryOptions,
  checkpoints: Checkpoints,
  progress: (bytes: number) => void,
): number {
  const { path, file, header, bodyAt } = segment
  const reader = new SegmentReader(
    (offset, length) => file.read(offset, length),
    file.size,
    READ_STRETCH_BYTES,
  )
  const positionOf = (offset: number) => header.firstPosition + offset - bodyAt
  let offset = bodyAt
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
      replayRecord(path, offset, piece.bytes, options)
      checkpoints.note(positionOf(piece.end), () => options.applied.copy())
      progress(piece.end)
    }
    offset = piece.end
  }
}

function replayRecord(
  path: string,
  offset: number,
  bytes: Uint8Array,
  { origins, latin1, replay }: RecoveryOptions,
): void {
  try {
    replay(openRecord(bytes, origins, latin1))
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
