/**
 * publication.ts: published messages on their way to another node, as bytes. PROTOCOL.md is the document.
 *
 * All messages of a moment share one `deps`: what their sender had applied then. They are told at the other
 * end when all of that is applied there, so nobody hears of a write before he can read it.
 */
import { ByteReader, ByteWriter, DecodeError, type Latin1 } from '../crdt/codec/bytes.ts'
import type { WireVector } from '../crdt/version-vector.ts'
import { isOriginId, TYPE_BYTE } from './messages.ts'
import type { ChannelKind, Publication } from './ports.ts'
import { ProtocolViolation } from './reason.ts'

/** Their place is their number on the wire. */
const CHANNEL_KINDS: readonly ChannelKind[] = ['channel', 'shard']

/** Bytes that a publication takes beside its words, at most. */
export const PUBLICATION_OVERHEAD_BYTES = 16

export function publicationBytes({ channel, message }: Publication): number {
  return channel.length + message.length + PUBLICATION_OVERHEAD_BYTES
}

/** Messages of one moment, and what their sender had applied then. */
export interface PublicationBatch {
  readonly publications: readonly Publication[]
  readonly deps: WireVector
}

/** Those that a node tells the other nodes of its region. */
export interface Spread extends PublicationBatch {
  /** The sender has no links with other regions: the primary of its partition passes them on. */
  readonly isForRegions: boolean
}

export function encodePublications(
  publications: readonly Publication[],
  deps: WireVector,
  latin1?: Latin1,
): Uint8Array {
  const out = new ByteWriter(latin1)
  out.byte(TYPE_BYTE.publish)
  writeBatch(out, { publications, deps })
  return out.bytes.slice(0, out.at)
}

export function encodeSpread(spread: Spread, latin1?: Latin1): Uint8Array {
  const out = new ByteWriter(latin1)
  out.byte(TYPE_BYTE.spread)
  out.byte(spread.isForRegions ? 1 : 0)
  writeBatch(out, spread)
  return out.bytes.slice(0, out.at)
}

/** @throws ProtocolViolation */
export function decodePublications(bytes: Uint8Array, latin1?: Latin1): PublicationBatch {
  return checked(() => readBatch(new ByteReader(bytes, latin1, 1)))
}

/** @throws ProtocolViolation */
export function decodeSpread(bytes: Uint8Array, latin1?: Latin1): Spread {
  return checked(() => {
    const from = new ByteReader(bytes, latin1, 1)
    const isForRegions = from.byte() === 1
    return { isForRegions, ...readBatch(from) }
  })
}

function writeBatch(out: ByteWriter, { publications, deps }: PublicationBatch): void {
  out.varint(deps.length)
  for (const [origin, seq] of deps) {
    out.word(origin)
    out.varint(seq)
  }
  out.varint(publications.length)
  for (const { kind, channel, message } of publications) {
    out.byte(CHANNEL_KINDS.indexOf(kind))
    out.word(channel)
    out.word(message)
  }
}

/** @throws DecodeError */
function readBatch(from: ByteReader): PublicationBatch {
  const deps: (readonly [string, number])[] = []
  for (let left = from.varint(); left > 0; left--) {
    const origin = from.word()
    if (!isOriginId(origin)) throw new DecodeError('a text that names no origin')
    deps.push([origin, from.varint()])
  }
  const publications: Publication[] = []
  for (let left = from.varint(); left > 0; left--) {
    const kind = CHANNEL_KINDS[from.byte()]
    if (kind === undefined) throw new DecodeError('a message for an unknown kind of channel')
    publications.push({ kind, channel: from.word(), message: from.word() })
  }
  return { publications, deps }
}

function checked<Read>(read: () => Read): Read {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    throw new ProtocolViolation('malformed-message', error.message)
  }
}
