/**
 * messages.ts: what two nodes say to each other, as types and as bytes. PROTOCOL.md is the document.
 *
 * A message is one type byte and a body. `ops` carries whole log records, one behind the other, exactly
 * as they are on disk, and so does `tail`; `snapshot-part` bytes of a snapshot file, `publish` and `spread` what
 * clients published; every other body is a MessagePack array of fields in a fixed order. A later version may append
 * fields: a reader takes those it knows.
 *
 * Invariant: decoding checks every field. What it returns is well-formed whoever sent it, and origin ids
 * in vectors can be interned. Anything else is a ProtocolViolation.
 */
import { Packr } from 'msgpackr'
import { unreachable } from '../crdt/assert.ts'
import { REGION_ID_MAX } from '../crdt/origin.ts'
import type { WireVector } from '../crdt/version-vector.ts'
import { checkControlBytes } from './control-bytes.ts'
import { type Identity, ROLES, type Unheard } from './ports.ts'
import { ProtocolViolation } from './reason.ts'
import { NODES_MAX } from './whereabouts.ts'

/** Raised with every change of the wire. */
export const PROTOCOL_VERSION = 4
/** Oldest version still spoken. */
export const PROTOCOL_VERSION_MIN = 4

/** In a relay list: every region. */
export const EVERY_REGION = 0

/** Largest control message, bytes. */
const CONTROL_BYTES_MAX = 4 * 1024 * 1024
const TEXT_LENGTH_MAX = 4096
const VECTOR_LENGTH_MAX = 65_536
const CONFIGURATION_LENGTH_MAX = 1024
const PARTITIONS_MAX = 1024
const PORT_MAX = 65_535
const ORIGIN_ID = /^[1-9][0-9]{0,3}-[0-9a-f]{12}$/

/** Server to puller, first on the link: who I am; prove that you know the secret. */
export interface Challenge {
  readonly type: 'challenge'
  readonly versionMin: number
  readonly versionMax: number
  readonly nonce: string
  readonly identity: Identity
}

/** What a puller wants from a server's log. */
export interface Wanted {
  /** Everything up to here is applied at the puller. */
  readonly vector: WireVector
  /** Ids of the regions to relay, besides the server's and the puller's own; or `EVERY_REGION`. */
  readonly relay: readonly number[]
}

/** Puller to server: who I am, the proof, and what I want. */
export interface Hello extends Wanted {
  readonly type: 'hello'
  readonly version: number
  readonly nonce: string
  readonly proof: string
  readonly identity: Identity
  /** Largest message the puller takes, bytes. */
  readonly frameBytesMax: number
  /** To another region: where the puller itself is dialed, then the other nodes that hold its partition. */
  readonly nodes: readonly string[]
}

/** Server to puller: my proof; ops follow. */
export interface Welcome {
  readonly type: 'welcome'
  readonly proof: string
  readonly applied: WireVector
  /** The op by which the puller's region last joined or came back, as the server knows it; none for most. */
  readonly joined: WireVector
  /** The puller's region was suspended there: it gets a snapshot, and no ops. */
  readonly isBehind: boolean
}

/** Either way: no link between us, and why. */
export interface Refuse {
  readonly type: 'refuse'
  readonly code: string
  readonly sentence: string
  /** From a server: who has what the puller looked for. Absent: it knows of nobody. */
  readonly named?: NamedNodes | undefined
}

/** Nodes of the server's region, by their sync addresses. */
export interface NamedNodes {
  /** The primary first. */
  readonly nodes: readonly string[]
  /** That the server knows the secret, and means these. */
  readonly proof: string
}

/** Server to puller: whole log records from `RECORDS_AT` on. */
export interface Ops {
  readonly type: 'ops'
  readonly bytes: Uint8Array
}

/** What a region was last heard to say of itself: see `stable-cut.ts`. */
export interface WireStanding {
  readonly regionId: number
  /** The origin it mints under. */
  readonly origin: string
  readonly durable: WireVector
  /** Origins it takes no more ops of, with the last one it applied. */
  readonly fences: WireVector
  /** How long ago it said so, milliseconds. */
  readonly ageMs: number
  /** The latest expiry clock it has announced, milliseconds since the Unix epoch; 0: unknown. */
  readonly clockMs: number
}

/** Puller to server: what I have. Sent after ops, after fsyncs, and as a sign of life. */
export interface Ack {
  readonly type: 'ack'
  readonly applied: WireVector
  readonly durable: WireVector
  /** The puller's expiry clock, milliseconds since the Unix epoch. */
  readonly clockMs: number
  /** The puller's wall clock, milliseconds since the Unix epoch. */
  readonly wallMs: number
  /** `atMs` of the last status, plus the milliseconds since it arrived; 0 when there was none. */
  readonly echoMs: number
  /** `atMs` of the last status; 0 when there was none. */
  readonly sentMs: number
  /** The origin the puller mints under. */
  readonly origin: string
  /** Origins the puller takes no more ops of, durably, with the last one it applied. */
  readonly fences: WireVector
}

/** Server to puller: what exists here. A sign of life. */
export interface Status {
  readonly type: 'status'
  readonly applied: WireVector
  readonly clockMs: number
  /** The server's monotonic clock, milliseconds: comes back in an ack. */
  readonly atMs: number
  /** The server's own standing, and those it heard of. */
  readonly standings: readonly WireStanding[]
  /** Ids of the other members, each with the milliseconds for which the server has not heard it. */
  readonly unheard: readonly Unheard[]
  /** The stable cut, and what all have announced as such: see `stable-cut.ts` and `crdt/membership.ts`. */
  readonly cut: WireVector
  readonly announced: WireVector
  /** To another region: the other nodes that hold this partition, by their sync addresses. */
  readonly nodes: readonly string[]
}

/** Puller to server: from now on, this is what I want. */
export interface Relay extends Wanted {
  readonly type: 'relay'
}

/** Server to puller: somebody waits until you have this durably. */
export interface Hurry {
  readonly type: 'hurry'
  readonly until: WireVector
}

/** Either way: I close the link, and why. */
export interface Bye {
  readonly type: 'bye'
  readonly code: string
  readonly sentence: string
}

/** Server to puller: my log no longer reaches back to what you have. No ops until you subscribe anew. */
export interface Trimmed {
  readonly type: 'trimmed'
}

/** Puller to server: give me a snapshot. */
export interface Fetch {
  readonly type: 'fetch'
  /** The one that I have the first `offset` bytes of; empty when there is none. */
  readonly id: string
  readonly offset: number
  /** It has to cover this. */
  readonly least: WireVector
}

/** Server to puller: a snapshot is being made, `done` thousandths of it. */
export interface SnapshotWait {
  readonly type: 'snapshot-wait'
  readonly done: number
}

/** Server to puller: bytes `offset` to `bytes` of that snapshot follow. */
export interface SnapshotBegin {
  readonly type: 'snapshot-begin'
  readonly id: string
  readonly offset: number
  readonly bytes: number
}

/** Server to puller: the next bytes of the snapshot, from `PART_AT` on. */
export interface SnapshotPart {
  readonly type: 'snapshot-part'
  readonly bytes: Uint8Array
}

/** Server to puller: I cannot give you a snapshot now, and why. */
export interface SnapshotNone {
  readonly type: 'snapshot-none'
  readonly sentence: string
}

/** Server to puller: messages that clients published; their bytes are read by `publication.ts`. */
export interface Publish {
  readonly type: 'publish'
  readonly bytes: Uint8Array
}

/**
 * Replica to primary: whole log records of ops that its region minted and the primary lacks, from `RECORDS_AT` on;
 * one without records ends the tail.
 */
export interface Tail {
  readonly type: 'tail'
  readonly bytes: Uint8Array
}

/** Primary to replica: you hold all that I have, and are primary from now on. I mint nothing any more. */
export interface Lead {
  readonly type: 'lead'
  readonly term: number
}

/** Replica to primary: an operator wants me to be primary in your place. */
export interface Wish {
  readonly type: 'wish'
}

/** A node to another one of its region, in place of a hello: tell me what is published at you. */
export interface Hear {
  readonly type: 'hear'
  readonly version: number
  readonly nonce: string
  readonly proof: string
  readonly identity: Identity
  /** Who is meant. Another node may have taken its address. */
  readonly nodeId: string
}

/** Server to hearer: messages that clients published; their bytes are read by `publication.ts`. */
export interface SpreadBytes {
  readonly type: 'spread'
  readonly bytes: Uint8Array
}

/** Either way, between a server and a hearer: a sign of life. */
export interface Pulse {
  readonly type: 'pulse'
}

export type ControlMessage =
  | Challenge
  | Hello
  | Hear
  | Pulse
  | Welcome
  | Refuse
  | Ack
  | Status
  | Relay
  | Hurry
  | Bye
  | Trimmed
  | Fetch
  | SnapshotWait
  | SnapshotBegin
  | SnapshotNone
  | Lead
  | Wish
export type Message = ControlMessage | Ops | SnapshotPart | Publish | Tail | SpreadBytes

export const TYPE_BYTE = {
  challenge: 1,
  hello: 2,
  welcome: 3,
  refuse: 4,
  ops: 5,
  ack: 6,
  status: 7,
  relay: 8,
  hurry: 9,
  bye: 10,
  trimmed: 11,
  fetch: 12,
  'snapshot-wait': 13,
  'snapshot-begin': 14,
  'snapshot-part': 15,
  'snapshot-none': 16,
  publish: 17,
  tail: 18,
  lead: 19,
  wish: 20,
  hear: 21,
  spread: 22,
  pulse: 23,
} as const satisfies Record<Message['type'], number>

/** Where the records begin in an ops message. */
export const RECORDS_AT = 1
/** Where the bytes begin in a snapshot part. */
export const PART_AT = 1

const packr = new Packr({ useRecords: false })

export function encodeMessage(message: ControlMessage): Uint8Array {
  const body = packr.pack(fieldsOf(message))
  const bytes = new Uint8Array(1 + body.length)
  bytes[0] = TYPE_BYTE[message.type]
  bytes.set(body, 1)
  return bytes
}

/** One ops message of these records. */
export function encodeOps(records: readonly Uint8Array[], type: 'ops' | 'tail' = 'ops'): Uint8Array {
  let length = RECORDS_AT
  for (const record of records) length += record.length
  const bytes = new Uint8Array(length)
  bytes[0] = TYPE_BYTE[type]
  let at = RECORDS_AT
  for (const record of records) {
    bytes.set(record, at)
    at += record.length
  }
  return bytes
}

export function encodeSnapshotPart(part: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(PART_AT + part.length)
  bytes[0] = TYPE_BYTE['snapshot-part']
  bytes.set(part, PART_AT)
  return bytes
}

/** @throws ProtocolViolation */
export function decodeMessage(bytes: Uint8Array): Message {
  if (bytes[0] === TYPE_BYTE.ops) return { type: 'ops', bytes }
  if (bytes[0] === TYPE_BYTE['snapshot-part'])
    return { type: 'snapshot-part', bytes: bytes.subarray(PART_AT) }
  if (bytes[0] === TYPE_BYTE.publish) return { type: 'publish', bytes }
  if (bytes[0] === TYPE_BYTE.tail) return { type: 'tail', bytes }
  if (bytes[0] === TYPE_BYTE.spread) return { type: 'spread', bytes }
  if (bytes.length > CONTROL_BYTES_MAX) throw malformed('a control message that is too long')
  checkControlBytes(bytes, 1)
  const body: unknown = packr.unpack(bytes.subarray(1))
  return readMessage(bytes[0], new Fields(body))
}

function fieldsOf(message: ControlMessage): unknown[] {
  switch (message.type) {
    case 'challenge':
      return [message.versionMin, message.versionMax, message.nonce, identityFields(message.identity)]
    case 'hello':
      return [
        message.version,
        message.nonce,
        message.proof,
        identityFields(message.identity),
        message.frameBytesMax,
        message.vector,
        message.relay,
        ...(message.nodes.length === 0 ? [] : [message.nodes]),
      ]
    case 'welcome':
      return [message.proof, message.applied, message.joined, ...(message.isBehind ? [1] : [])]
    case 'refuse': {
      const { code, sentence, named } = message
      return named === undefined ? [code, sentence] : [code, sentence, named.nodes, named.proof]
    }
    case 'bye':
      return [message.code, message.sentence]
    case 'ack':
      return [
        message.applied,
        message.durable,
        message.clockMs,
        message.wallMs,
        message.echoMs,
        message.sentMs,
        message.origin,
        message.fences,
      ]
    case 'status':
      return [
        message.applied,
        message.clockMs,
        message.atMs,
        message.standings.map(standingFields),
        message.unheard,
        message.cut,
        message.announced,
        ...(message.nodes.length === 0 ? [] : [message.nodes]),
      ]
    case 'relay':
      return [message.vector, message.relay]
    case 'hurry':
      return [message.until]
    case 'hear':
      return [message.version, message.nonce, message.proof, identityFields(message.identity), message.nodeId]
    case 'trimmed':
    case 'wish':
    case 'pulse':
      return []
    case 'fetch':
      return [message.id, message.offset, message.least]
    case 'snapshot-wait':
      return [message.done]
    case 'snapshot-begin':
      return [message.id, message.offset, message.bytes]
    case 'snapshot-none':
      return [message.sentence]
    case 'lead':
      return [message.term]
    default:
      return unreachable(message)
  }
}

function readMessage(type: number | undefined, from: Fields): ControlMessage {
  switch (type) {
    case TYPE_BYTE.challenge:
      return {
        type: 'challenge',
        versionMin: from.count(),
        versionMax: from.count(),
        nonce: from.text(),
        identity: from.identity(),
      }
    case TYPE_BYTE.hello:
      return {
        type: 'hello',
        version: from.count(),
        nonce: from.text(),
        proof: from.text(),
        identity: from.identity(),
        frameBytesMax: from.count(),
        vector: from.vector(),
        relay: from.regions(),
        nodes: from.isAtEnd ? [] : from.nodes(),
      }
    case TYPE_BYTE.welcome:
      return {
        type: 'welcome',
        proof: from.text(),
        applied: from.vector(),
        joined: from.vector(),
        isBehind: !from.isAtEnd && from.count() !== 0,
      }
    case TYPE_BYTE.refuse:
      return { type: 'refuse', code: from.code(), sentence: from.text(), named: from.named() }
    case TYPE_BYTE.ack:
      return {
        type: 'ack',
        applied: from.vector(),
        durable: from.vector(),
        clockMs: from.count(),
        wallMs: from.count(),
        echoMs: from.count(),
        sentMs: from.count(),
        origin: from.originId(),
        fences: from.vector(),
      }
    case TYPE_BYTE.status:
      return {
        type: 'status',
        applied: from.vector(),
        clockMs: from.count(),
        atMs: from.count(),
        standings: from.standings(),
        unheard: from.unheard(),
        cut: from.vector(),
        announced: from.vector(),
        nodes: from.isAtEnd ? [] : from.nodes(),
      }
    case TYPE_BYTE.relay:
      return { type: 'relay', vector: from.vector(), relay: from.regions() }
    case TYPE_BYTE.hurry:
      return { type: 'hurry', until: from.vector() }
    case TYPE_BYTE.bye:
      return { type: 'bye', code: from.code(), sentence: from.text() }
    case TYPE_BYTE.trimmed:
      return { type: 'trimmed' }
    case TYPE_BYTE.fetch:
      return { type: 'fetch', id: from.text(), offset: from.count(), least: from.vector() }
    case TYPE_BYTE['snapshot-wait']:
      return { type: 'snapshot-wait', done: from.count() }
    case TYPE_BYTE['snapshot-begin']:
      return { type: 'snapshot-begin', id: from.text(), offset: from.count(), bytes: from.count() }
    case TYPE_BYTE['snapshot-none']:
      return { type: 'snapshot-none', sentence: from.text() }
    case TYPE_BYTE.wish:
      return { type: 'wish' }
    case TYPE_BYTE.hear:
      return {
        type: 'hear',
        version: from.count(),
        nonce: from.text(),
        proof: from.text(),
        identity: from.identity(),
        nodeId: from.text(),
      }
    case TYPE_BYTE.pulse:
      return { type: 'pulse' }
    case TYPE_BYTE.lead:
      return { type: 'lead', term: from.count() }
    default:
      throw malformed(`a message of the unknown type ${type}`)
  }
}

/** An identity as it travels and as the proofs cover it. */
export function identityFields(identity: Identity): unknown[] {
  const { region, regionId, nodeId, partitions, partition, version, epoch, role, term, host, port } = identity
  const settings = Object.entries(identity.configuration).sort(([a], [b]) => (a < b ? -1 : 1))
  return [region, regionId, nodeId, partitions, version, settings, epoch, role, term, host, port, partition]
}

function standingFields({ regionId, origin, durable, fences, ageMs, clockMs }: WireStanding): unknown[] {
  return [regionId, origin, durable, fences, ageMs, ...(clockMs === 0 ? [] : [clockMs])]
}

/** Takes the fields of a body one by one, each checked. */
class Fields {
  readonly #values: readonly unknown[]
  #at = 0

  constructor(body: unknown) {
    this.#values = arrayOf(body, TEXT_LENGTH_MAX)
  }

  /** A whole number from 0 to 2^53 - 1. */
  count(): number {
    return countOf(this.#next())
  }

  text(): string {
    return textOf(this.#next())
  }

  code(): string {
    const code = this.text()
    if (!/^[a-z][a-z-]{0,63}$/.test(code)) throw malformed('a reason that is not a code')
    return code
  }

  /** Nothing follows: neither this version nor the sender has more to say. */
  get isAtEnd(): boolean {
    return this.#at === this.#values.length
  }

  named(): NamedNodes | undefined {
    return this.isAtEnd ? undefined : { nodes: this.nodes(), proof: this.text() }
  }

  nodes(): readonly string[] {
    return arrayOf(this.#next(), NODES_MAX).map(textOf)
  }

  vector(): WireVector {
    return arrayOf(this.#next(), VECTOR_LENGTH_MAX).map((entry) => {
      const [id, seq] = pairOf(entry)
      return [originIdOf(id), countOf(seq)] as const
    })
  }

  originId(): string {
    return originIdOf(this.#next())
  }

  unheard(): readonly Unheard[] {
    return arrayOf(this.#next(), REGION_ID_MAX + 1).map((entry) => {
      const [regionId, ms] = pairOf(entry)
      return [countOf(regionId, REGION_ID_MAX), countOf(ms)] as const
    })
  }

  standings(): readonly WireStanding[] {
    return arrayOf(this.#next(), REGION_ID_MAX + 1).map((entry) => {
      const from = new Fields(entry)
      return {
        regionId: countOf(from.#next(), REGION_ID_MAX),
        origin: from.originId(),
        durable: from.vector(),
        fences: from.vector(),
        ageMs: from.count(),
        clockMs: from.isAtEnd ? 0 : from.count(),
      }
    })
  }

  regions(): readonly number[] {
    return arrayOf(this.#next(), REGION_ID_MAX + 1).map((id) => countOf(id, REGION_ID_MAX))
  }

  identity(): Identity {
    const from = new Fields(this.#next())
    const region = from.text()
    const regionId = countOf(from.#next(), REGION_ID_MAX)
    const nodeId = from.text()
    const partitions = countOf(from.#next(), PARTITIONS_MAX)
    const version = from.text()
    if (region === '' || regionId === 0 || nodeId === '' || partitions === 0) {
      throw malformed('an identity with an empty field')
    }
    const settings = arrayOf(from.#next(), CONFIGURATION_LENGTH_MAX).map((entry) => {
      const [name, value] = pairOf(entry)
      return [textOf(name), textOf(value)] as const
    })
    const epoch = countOf(from.#next())
    const roleText = from.text()
    const role = ROLES.find((one) => one === roleText)
    if (role === undefined) throw malformed('a role that is none')
    const term = countOf(from.#next())
    const host = from.text()
    const port = countOf(from.#next(), PORT_MAX)
    const partition = countOf(from.#next(), PARTITIONS_MAX - 1)
    return {
      region,
      regionId,
      nodeId,
      partitions,
      version,
      epoch,
      role,
      term,
      host,
      port,
      partition,
      configuration: Object.fromEntries(settings),
    }
  }

  #next(): unknown {
    if (this.isAtEnd) throw malformed('a message with too few fields')
    return this.#values[this.#at++]
  }
}

function arrayOf(value: unknown, lengthMax: number): readonly unknown[] {
  if (!Array.isArray(value)) throw malformed('a field that should be a list')
  if (value.length > lengthMax) throw malformed('a list that is too long')
  return value
}

function pairOf(value: unknown): readonly [unknown, unknown] {
  const pair = arrayOf(value, 2)
  if (pair.length !== 2) throw malformed('a field that should be a pair')
  return [pair[0], pair[1]]
}

function countOf(value: unknown, max = Number.MAX_SAFE_INTEGER): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > max) {
    throw malformed('a field that should be a whole number in its range')
  }
  return value
}

function originIdOf(value: unknown): string {
  const id = textOf(value)
  if (!isOriginId(id)) throw malformed('a text that names no origin')
  return id
}

export function isOriginId(text: string): boolean {
  return ORIGIN_ID.test(text) && Number.parseInt(text, 10) <= REGION_ID_MAX
}

function textOf(value: unknown): string {
  if (typeof value !== 'string') throw malformed('a field that should be text')
  if (value.length > TEXT_LENGTH_MAX) throw malformed('a text that is too long')
  return value
}

function malformed(sentence: string): ProtocolViolation {
  return new ProtocolViolation('malformed-message', sentence)
}
