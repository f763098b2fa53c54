/**
 * record-context.ts: what tables of records share: the origins that stamps name, how text becomes bytes, and room to
 * work in. One for each keyspace.
 */
import type { Latin1 } from '../codec/bytes.ts'
import type { OriginTable } from '../origin.ts'
import { NameProbe } from './name-probe.ts'

/** Smaller ones are those that are read as a whole most, and a Map has their names at hand. */
const PACKED_FROM = 512

export class RecordContext {
  readonly origins: OriginTable
  readonly latin1: Latin1
  readonly probe = new NameProbe()
  /** From how many members on a collection is packed. */
  readonly packedFrom: number
  /** Where records are gathered while a heap is squeezed. */
  spare = new Int32Array(0)

  constructor(origins: OriginTable, latin1: Latin1, packedFrom = PACKED_FROM) {
    this.packedFrom = packedFrom
    this.origins = origins
    this.latin1 = latin1
  }
}
