/**
 * snapshot-file.ts: the bytes of a snapshot: header, chunks, footer. FORMAT.md beside this file is the
 * authority; what stands in the chunks is `crdt/codec/state.ts`'s.
 *
 * Written and read in one pass, in pieces, so that a node can do either while it serves.
 *
 * Invariants: (1) a file without a footer is no snapshot: the footer is written last and counts what came
 * before. (2) The vector in the header says exactly which ops the entries are the sum of.
 */
import { ByteReader, ByteWriter, DecodeError, type Latin1, readU32 } from '../../crdt/codec/bytes.ts'
import { crc32c } from '../../crdt/codec/crc32c.ts'
import { type EntrySink, type OpenCollections, StateReader, StateWriter } from '../../crdt/codec/state.ts'
import type { Hlc } from '../../crdt/hlc.ts'
import type { Origin, OriginTable } from '../../crdt/origin.ts'
import { VersionVector } from '../../crdt/version-vector.ts'

const FORMAT_VERSION = 2
const MAGIC = 'CAUSNAPS'
/** Magic, version, length and checksum of the header. */
const PREFIX_BYTES = MAGIC.length + 12
const CHUNK_HEAD_BYTES = 8
/** A chunk is closed when it has grown to this. */
const CHUNK_BYTES = 64 * 1024
/** In place of a database index plus one: this chunk is the footer. */
const FOOTER = 0
/** Arrays that grew larger than this for one huge value are not kept for the next. */
const KEPT_BYTES_MAX = 8 * 1024 * 1024

export interface SnapshotHeader {
  /** The node that made it. */
  readonly nodeId: string
  /** Which ops the entries are the sum of. */
  readonly vector: VersionVector
  /** The latest reading minted or received there. */
  readonly hlc: Hlc
  /** Its expiry clock, milliseconds since the Unix epoch. */
  readonly clockMs: number
  /** Its wall clock at that moment, milliseconds since the Unix epoch. */
  readonly createdMs: number
  readonly databases: number
  /** Membership and sealed origins, as the engine writes them; opaque here. */
  readonly horizon: Uint8Array
}

/** 14 hex digits: the position in the local log from which to replay. */
export function snapshotName(position: number): string {
  return `${position.toString(16).padStart(14, '0')}.snapshot`
}

/** The position in a snapshot's name; undefined when the file is something else. */
export function snapshotPosition(name: string): number | undefined {
  return /^[0-9a-f]{14}\.snapshot$/.test(name) ? Number.parseInt(name, 16) : undefined
}

/**
 * Encodes a snapshot into a growing stretch of memory, from which finished chunks are taken to the disk.
 * `select` goes before each entry.
 */
export class SnapshotEncoder extends StateWriter {
  /** Where the open chunk begins; what lies before may be taken. */
  #chunkAt = 0
  #db = -1
  #chunks = 0
  #entries = 0
  #spare: Uint8Array | undefined = undefined

  /** @param origins  all that entries can refer to; those that come later are not written */
  constructor(header: SnapshotHeader, origins: OriginTable, latin1: Latin1) {
    super(origins.size, latin1, 2 * CHUNK_BYTES)
    this.raw(encodeHeader(header, origins))
    this.#chunkAt = this.at
  }

  /** The entry that follows belongs to that database. */
  select(db: number): void {
    this.#entries++
    if (db === this.#db && this.at - this.#chunkAt < CHUNK_BYTES) return
    this.#closeChunk()
    this.#openChunk()
    this.#db = db
    this.varint(db + 1)
  }

  #openChunk(): void {
    this.u32(0)
    this.u32(0)
  }

  #closeChunk(): void {
    const { bytes, at } = this
    const start = this.#chunkAt
    if (at === start) return
    this.patchU32(start, at - start - CHUNK_HEAD_BYTES)
    this.patchU32(start + 4, crc32c(bytes, start + CHUNK_HEAD_BYTES, at))
    this.#chunkAt = at
    this.#chunks++
  }

  /** Everything was written. */
  finish(): void {
    this.#closeChunk()
    const chunks = this.#chunks
    this.#openChunk()
    this.varint(FOOTER)
    this.varint(chunks)
    this.varint(this.#entries)
    this.#closeChunk()
  }

  /** Bytes that may be taken. */
  get readyBytes(): number {
    return this.#chunkAt
  }

  /** Everything that is finished, to be given back when it was written. */
  take(): Uint8Array {
    const { bytes } = this
    const ready = bytes.subarray(0, this.#chunkAt)
    const open = bytes.subarray(this.#chunkAt, this.at)
    const next =
      this.#spare !== undefined && this.#spare.length >= open.length + CHUNK_BYTES
        ? this.#spare
        : new Uint8Array(open.length + 2 * CHUNK_BYTES)
    next.set(open)
    this.#spare = undefined
    this.bytes = next
    this.at = open.length
    this.#chunkAt = 0
    return ready
  }

  /** The bytes that were taken last are on their way and not needed any more. */
  giveBack(taken: Uint8Array): void {
    const { buffer } = taken
    if (buffer.byteLength <= KEPT_BYTES_MAX) this.#spare = new Uint8Array(buffer)
  }
}

function encodeHeader(header: SnapshotHeader, origins: OriginTable): Uint8Array {
  const body = new ByteWriter()
  body.word(header.nodeId)
  body.varint(origins.size)
  for (let i = 0; i < origins.size; i++) body.word(origins.at(i).id)
  const entries = [...header.vector.entries()]
  body.varint(entries.length)
  for (const [origin, seq] of entries) {
    body.varint(origin.index)
    body.varint(seq)
  }
  body.varint(header.hlc)
  body.varint(header.clockMs)
  body.varint(header.createdMs)
  body.varint(header.databases)
  body.varint(header.horizon.length)
  body.raw(header.horizon)
  const out = new ByteWriter()
  for (const letter of MAGIC) out.byte(letter.charCodeAt(0))
  out.u32(FORMAT_VERSION)
  out.u32(body.at)
  out.u32(crc32c(body.bytes, 0, body.at))
  out.raw(body.bytes.subarray(0, body.at))
  return out.bytes.slice(0, out.at)
}

export interface SnapshotSource {
  /** @returns `length` bytes from `offset` on, fewer only at the end */
  read(offset: number, length: number): Uint8Array
  /** Bytes in all. */
  readonly size: number
}

/**
 * Reads a snapshot: the header at once, then `verify` to the end, then `step` to the end.
 */
export class SnapshotReader {
  readonly header: SnapshotHeader
  readonly #source: SnapshotSource
  readonly #latin1: Latin1 | undefined
  readonly #origins: readonly Origin[]
  readonly #open: OpenCollections = new Map()
  #verifiedTo: number
  #verifiedChunks = 0
  #loadedTo: number
  /** Of the chunk that is being read. */
  #chunk: StateReader | undefined = undefined
  #db = 0
  #entryCount = 0

  /**
   * @param origins  takes the origins that the file names
   * @throws DecodeError when the header is damaged or of another format, with a reason for people
   */
  constructor(source: SnapshotSource, origins: OriginTable, latin1?: Latin1) {
    this.#source = source
    this.#latin1 = latin1
    const { header, refs, bodyAt } = decodeHeader(source, origins)
    this.header = header
    this.#origins = refs
    this.#verifiedTo = bodyAt
    this.#loadedTo = bodyAt
  }

  /** Bytes in the file. */
  get bytesTotal(): number {
    return this.#source.size
  }

  /** Bytes checked so far. */
  get bytesVerified(): number {
    return this.#verifiedTo
  }

  /** Bytes read into entries so far. */
  get bytesLoaded(): number {
    return this.#loadedTo
  }

  /**
   * Checks the checksums of some `bytes` more.
   * @returns true when the file is whole
   * @throws DecodeError when it is not
   */
  verify(bytes: number): boolean {
    const until = this.#verifiedTo + bytes
    while (this.#verifiedTo < until) {
      const at = this.#verifiedTo
      const chunk = this.#chunkAt(at)
      const start = CHUNK_HEAD_BYTES
      if (crc32c(chunk, start, chunk.length) !== readU32(chunk, 4)) {
        throw new DecodeError(`a checksum that does not match at byte ${at}`)
      }
      this.#verifiedTo = at + chunk.length
      const body = new ByteReader(chunk, undefined, start)
      if (body.varint() === FOOTER) {
        if (body.varint() !== this.#verifiedChunks) throw new DecodeError('its footer counts other chunks')
        if (this.#verifiedTo !== this.#source.size) throw new DecodeError('bytes after the footer')
        return true
      }
      this.#verifiedChunks++
    }
    return false
  }

  /**
   * Hands over about `entries` more. The file was verified before.
   * @returns true when there are no more
   * @throws DecodeError when an entry is of another version
   */
  step(entries: number, sink: EntrySink): boolean {
    for (let left = entries; left > 0; left--) {
      while (this.#chunk === undefined || !this.#chunk.more) {
        if (!this.#nextChunk()) return true
      }
      this.#chunk.entry(this.#db, sink)
      this.#entryCount++
    }
    return false
  }

  /** @returns false at the footer */
  #nextChunk(): boolean {
    const bytes = this.#chunkAt(this.#loadedTo)
    const chunk = new StateReader(bytes, this.#origins, this.#open, this.#latin1, CHUNK_HEAD_BYTES)
    const db = chunk.varint()
    if (db === FOOTER) {
      chunk.varint()
      if (chunk.varint() !== this.#entryCount) throw new DecodeError('its footer counts other entries')
      if (this.#open.size > 0) throw new DecodeError('a collection that is never closed')
      return false
    }
    this.#loadedTo += bytes.length
    this.#chunk = chunk
    this.#db = db - 1
    return true
  }

  /** The chunk that begins there, with its head. */
  #chunkAt(at: number): Uint8Array {
    const { size } = this.#source
    // Most chunks are a little larger than this: one read for head and body.
    const first = this.#source.read(at, Math.min(CHUNK_BYTES + 4096, size - at))
    if (first.length < CHUNK_HEAD_BYTES) throw new DecodeError('it ends before its footer')
    const length = CHUNK_HEAD_BYTES + readU32(first, 0)
    if (length > size - at) throw new DecodeError('it ends inside a chunk')
    return first.length >= length ? first.subarray(0, length) : this.#source.read(at, length)
  }
}

function decodeHeader(
  source: SnapshotSource,
  origins: OriginTable,
): { header: SnapshotHeader; refs: Origin[]; bodyAt: number } {
  const prefix = new ByteReader(source.read(0, PREFIX_BYTES))
  for (const letter of MAGIC) {
    if (prefix.byte() !== letter.charCodeAt(0)) throw new DecodeError('it does not begin as a snapshot does')
  }
  const version = prefix.u32()
  if (version !== FORMAT_VERSION)
    throw new DecodeError(`it has format ${version}, this version reads ${FORMAT_VERSION}`)
  const length = prefix.u32()
  const crc = prefix.u32()
  const bytes = source.read(PREFIX_BYTES, Math.min(length, source.size))
  if (bytes.length < length || crc32c(bytes, 0, length) !== crc)
    throw new DecodeError('its header is damaged')
  const body = new ByteReader(bytes)
  const nodeId = body.word()
  const refs: Origin[] = []
  for (let left = body.varint(); left > 0; left--) refs.push(origins.intern(body.word()))
  const vector = new VersionVector(origins)
  for (let left = body.varint(); left > 0; left--) {
    const origin = refs[body.varint()]
    if (origin === undefined) throw new DecodeError('its vector refers to an origin that it does not name')
    vector.advance(origin, body.varint())
  }
  const header = {
    nodeId,
    vector,
    hlc: body.varint(),
    clockMs: body.varint(),
    createdMs: body.varint(),
    databases: body.varint(),
    horizon: body.raw(body.varint()),
  }
  return { header, refs, bodyAt: PREFIX_BYTES + length }
}
