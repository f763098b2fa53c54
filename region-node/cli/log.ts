/**
 * log.ts: `causeway log FILE|DIR`: prints a log in readable form, one line per op.
 *
 * Reads only: the folder is not locked, so a running node's log can be looked at. It goes on to the first
 * thing that is not whole, says what that is and where, and ends with exit code 1 if it is not the end.
 */
import { openRecord } from '../../crdt/codec/batch.ts'
import { DecodeError } from '../../crdt/codec/bytes.ts'
import { hlcLogical, hlcWallMs } from '../../crdt/hlc.ts'
import { OriginTable } from '../../crdt/origin.ts'
import { nodeLatin1 } from '../latin1-node.ts'
import { decodeSegmentHeader, isSegmentName, SegmentReader } from '../persistence/segment.ts'
import { StartError } from '../start-error.ts'
import type { CliHost } from './host.ts'
import { describeEffect } from './log-effects.ts'

const READ_STRETCH_BYTES = 1024 * 1024

export const LOG_HELP = `causeway log: print a node's log in readable form

  causeway log DIR            the whole log in a data folder
  causeway log FILE           one segment of it

Each line is one op: its dot (origin:seq), its time (wall clock and logical count of its HLC), and its
effects, those after the first on lines of their own. Lines that begin with # are about the file:
batches with what their origin had seen (deps), and sync marks with the position that was durable.

  causeway log data-a | grep -F '"cart:17"'      everything that happened to one key
`

export async function runLog(argv: readonly string[], host: CliHost): Promise<number> {
  const [path, ...more] = argv
  if (path === undefined || more.length > 0) {
    host.complain(LOG_HELP)
    return 1
  }
  const files = segmentFiles(path, host)
  if (files === undefined) {
    host.complain(`causeway: there is no log at ${path}: name a data folder or a file NNN.log in it\n`)
    return 1
  }
  const origins = new OriginTable()
  for (const file of files) if (!printSegment(file, origins, host)) return 1
  return 0
}

function segmentFiles(path: string, { env }: CliHost): string[] | undefined {
  const names = env.disk.list(path).filter(isSegmentName)
  if (names.length > 0) return names.map((name) => `${path}/${name}`)
  return env.disk.exists(path) && isSegmentName(path.slice(path.lastIndexOf('/') + 1)) ? [path] : undefined
}

/** @returns whether it is whole */
function printSegment(path: string, origins: OriginTable, { env, print, complain }: CliHost): boolean {
  const file = env.disk.open(path)
  try {
    const read = (offset: number, length: number) => file.read(offset, length)
    const { header, bodyAt } = decodeSegmentHeader(read)
    print(
      `# ${path}: region ${header.regionId}, node ${header.nodeId}, from position ${header.firstPosition}\n`,
    )
    const reader = new SegmentReader(read, file.size, READ_STRETCH_BYTES)
    let offset = bodyAt
    for (;;) {
      const piece = reader.at(offset)
      if (piece.kind === 'end') return true
      const position = header.firstPosition + offset - bodyAt
      if (piece.kind === 'broken') {
        complain(`causeway: ${path} at byte ${offset}: ${piece.reason}\n`)
        return false
      }
      if (piece.kind === 'mark') print(`# ${position}: durable up to ${piece.durablePosition}\n`)
      else print(describeRecord(piece.bytes, position, origins))
      offset = piece.end
    }
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    throw new StartError(`${path} cannot be read: ${error.message}`)
  } finally {
    file.close()
  }
}

function describeRecord(record: Uint8Array, position: number, origins: OriginTable): string {
  const batch = openRecord(record, origins, nodeLatin1)
  const { origin, opCount, deps } = batch.header
  const seen = deps.toWire().map(([id, seq]) => `${id}:${seq}`)
  const lines = [`# ${position}: ${opCount} ops of ${origin.id}, deps ${seen.join(' ') || 'none'}\n`]
  for (const { seq, hlc, effects } of batch.ops()) {
    const time = `${new Date(hlcWallMs(hlc)).toISOString()}+${hlcLogical(hlc)}`
    const texts = effects.map(describeEffect)
    lines.push(`${origin.id}:${seq}  ${time}  ${texts.join('\n    ')}\n`)
  }
  return lines.join('')
}
