/**
 * messages.test.ts: messages: golden bytes per protocol version, and what malformed ones do.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type ControlMessage,
  decodeMessage,
  EVERY_REGION,
  encodeMessage,
  encodeOps,
  encodeSnapshotPart,
  PROTOCOL_VERSION,
  RECORDS_AT,
} from '../../../sync/messages.ts'
import { encodePublications, encodeSpread } from '../../../sync/publication.ts'
import { ProtocolViolation, REASON_CODES } from '../../../sync/reason.ts'

const identity = {
  region: 'A',
  regionId: 1,
  nodeId: '0123456789abcdef',
  partitions: 1,
  partition: 0,
  configuration: { databases: '16', 'stream-id-mode': 'strict' },
  version: '0.1.0',
  epoch: 3,
  role: 'replica',
  term: 4,
  host: '10.0.0.1',
  port: 6379,
} as const
const vector = [
  ['1-9f3c2a71b04e', 7],
  ['1023-000000000001', 2 ** 40],
] as const

/** One of each type, with numbers of every width. */
const samples: readonly ControlMessage[] = [
  { type: 'challenge', versionMin: 1, versionMax: 1, nonce: 'n1', identity },
  {
    type: 'hello',
    version: 1,
    nonce: 'n2',
    proof: 'p1',
    identity,
    frameBytesMax: 2 ** 30,
    vector,
    relay: [2, EVERY_REGION],
    nodes: [],
  },
  { type: 'welcome', proof: 'p2', applied: vector, joined: [['2-0000000000ff', 300]], isBehind: false },
  { type: 'refuse', code: 'wrong-secret', sentence: 'no' },
  {
    type: 'ack',
    applied: vector,
    durable: [],
    clockMs: 1_750_000_000_000,
    wallMs: 1_750_000_000_001,
    echoMs: 300,
    sentMs: 250,
    origin: '2-0000000000ff',
    fences: vector,
  },
  {
    type: 'status',
    applied: vector,
    clockMs: 1_750_000_000_000,
    atMs: 70_000,
    standings: [
      {
        regionId: 1,
        origin: '1-9f3c2a71b04e',
        durable: vector,
        fences: [],
        ageMs: 0,
        clockMs: 0,
      },
      { regionId: 1023, origin: '1023-000000000001', durable: [], fences: vector, ageMs: 70_000, clockMs: 0 },
    ],
    cut: vector,
    announced: [],
    unheard: [
      [2, 0],
      [3, 86_400_001],
    ],
    nodes: [],
  },
  { type: 'relay', vector, relay: [] },
  { type: 'hurry', until: vector },
  { type: 'bye', code: 'stopping', sentence: 'the node is stopping' },
  { type: 'trimmed' },
  { type: 'fetch', id: '1a2f-1795311000000', offset: 70_000, least: vector },
  { type: 'snapshot-wait', done: 400 },
  { type: 'snapshot-begin', id: '1a2f-1795311000000', offset: 0, bytes: 2 ** 40 },
  { type: 'snapshot-none', sentence: 'the disk is full' },
  { type: 'lead', term: 5 },
  { type: 'wish' },
]

/** What came later without a new version: fields behind those of before, and messages that nobody has to know. */
const later: readonly ControlMessage[] = [
  { type: 'hear', version: 4, nonce: 'n3', proof: 'p4', identity, nodeId: 'n1' },
  { type: 'pulse' },
  {
    type: 'hello',
    version: 1,
    nonce: 'n2',
    proof: 'p1',
    identity,
    frameBytesMax: 1,
    vector: [],
    relay: [],
    nodes: ['ws://10.0.0.1:7379', 'ws://10.0.0.2:7379'],
  },
  {
    type: 'refuse',
    code: 'not-primary',
    sentence: 'no',
    named: { nodes: ['ws://10.0.0.2:7379'], proof: 'p3' },
  },
  { type: 'welcome', proof: 'p2', applied: vector, joined: [], isBehind: true },
  {
    type: 'status',
    applied: [],
    clockMs: 1,
    atMs: 1,
    standings: [
      {
        regionId: 1,
        origin: '1-9f3c2a71b04e',
        durable: [],
        fences: [],
        ageMs: 0,
        clockMs: 1_700_000_000_000,
      },
    ],
    cut: [],
    announced: [],
    unheard: [],
    nodes: ['ws://10.0.0.2:7379'],
  },
]

/** A change here needs a new PROTOCOL_VERSION and an entry in PROTOCOL.md, History. Old rows stay. */
const GOLDEN: Readonly<Record<number, string>> = {
  1: '1c63170edd85f4d50aa05dd0a85922d71d7062706d14e8fe90e47b7a01ffb8aa',
  2: 'a9c4cebbcdfea5b6606c6b743f795b032e5abfb75f675bedd16ac20944d1f6aa',
  3: '1a6d3de51314f3ead3df0e08feecb4d2873ec59cd668c22245847318ad0923d4',
  4: 'a6d428fa4d583d8137fa6c35697b3f9b3c5cf969e07609e8173732e493255060',
}
const GOLDEN_LATER = '7cd9a48b98d4c838632dd57d364a4a77217e5dc453ce615419fd493c8388becc'

function decodeOrViolation(bytes: Uint8Array): void {
  try {
    decodeMessage(bytes)
  } catch (error) {
    if (!(error instanceof ProtocolViolation)) throw error
    expect(REASON_CODES).toContain(error.code)
  }
}

describe('the wire', () => {
  it('has not changed without a new version', () => {
    const hash = createHash('sha256')
    for (const sample of samples) hash.update(encodeMessage(sample))
    hash.update(encodeOps([Uint8Array.of(1, 2), Uint8Array.of(3)]))
    hash.update(encodeOps([Uint8Array.of(1)], 'tail'))
    hash.update(encodeSnapshotPart(Uint8Array.of(1, 2, 3)))
    hash.update(encodePublications([{ kind: 'shard', channel: 'c', message: 'm' }], vector))
    expect(hash.digest('hex')).toBe(GOLDEN[PROTOCOL_VERSION])
  })

  it('has not changed what came later either', () => {
    const hash = createHash('sha256')
    for (const sample of later) hash.update(encodeMessage(sample))
    const publications = [{ kind: 'shard', channel: 'c', message: 'm' }] as const
    hash.update(encodeSpread({ publications, deps: vector, isForRegions: true }))
    expect(hash.digest('hex')).toBe(GOLDEN_LATER)
  })

  it.each([...samples, ...later])('brings a $type back as it was', (sample) => {
    expect(decodeMessage(encodeMessage(sample))).toEqual(sample)
  })

  it('carries records as they are', () => {
    const bytes = encodeOps([Uint8Array.of(1, 2), Uint8Array.of(3)])
    expect([...bytes.subarray(RECORDS_AT)]).toEqual([1, 2, 3])
    expect(decodeMessage(bytes)).toEqual({ type: 'ops', bytes })
  })

  it('carries parts of a snapshot as they are', () => {
    const bytes = encodeSnapshotPart(Uint8Array.of(1, 2, 3))
    expect(decodeMessage(bytes)).toEqual({ type: 'snapshot-part', bytes: Uint8Array.of(1, 2, 3) })
  })

  it('takes a message with fields that a later version appended', () => {
    const hurry = encodeMessage({ type: 'hurry', until: [] })
    expect([...hurry]).toEqual([9, 0x91, 0x90])
    expect(decodeMessage(Uint8Array.of(9, 0x92, 0x90, 0x05))).toEqual({ type: 'hurry', until: [] })
  })
})

describe('foreign bytes', () => {
  it('are a violation or a message, never anything else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => decodeOrViolation(bytes)),
      { numRuns: 3000 },
    )
  })

  it('made from good messages are a violation or a message', () => {
    const change = fc.record({ at: fc.nat(), to: fc.integer({ min: 0, max: 255 }) })
    fc.assert(
      fc.property(
        fc.constantFrom(...samples, ...later),
        fc.array(change, { minLength: 1, maxLength: 4 }),
        fc.nat(),
        (sample, changes, cut) => {
          const bytes = encodeMessage(sample)
          for (const { at, to } of changes) bytes[at % bytes.length] = to
          decodeOrViolation(bytes)
          decodeOrViolation(bytes.subarray(0, cut % bytes.length))
        },
      ),
      { numRuns: 5000 },
    )
  })

  it.each([
    ['an array of four billion entries', [1, 0xdd, 0xff, 0xff, 0xff, 0xff]],
    ['a map', [3, 0x80]],
    ['an extension', [3, 0xd4, 0x00, 0x00]],
    ['nesting without end', [1, ...Array.from({ length: 1000 }, () => 0x91)]],
    ['nothing', []],
    ['an unknown type', [77, 0x90]],
    ['too few fields', [3, 0x90]],
    ['bytes behind the end', [9, 0x91, 0x90, 0x00]],
    ['a negative count', [8, 0x92, 0x90, 0x91, 0xff]],
    ['a region beyond the last', [8, 0x92, 0x90, 0x91, 0xcd, 0x04, 0x00]],
    ['NaN', [7, 0x93, 0x90, 0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0, 0]],
  ])('%s is a malformed message', (_name, bytes) => {
    expect(() => decodeMessage(Uint8Array.from(bytes))).toThrow(ProtocolViolation)
  })
})

describe('PROTOCOL.md', () => {
  const document = readFileSync(new URL('../../../sync/PROTOCOL.md', import.meta.url), 'utf8')

  it('explains every code, and no other', () => {
    const documented = [...document.matchAll(/^\| `([a-z-]+)` +\|/gm)].map(([, code]) => code)
    expect(documented.sort()).toEqual([...REASON_CODES].sort())
  })

  it('has the history of the present version', () => {
    expect(document).toMatch(new RegExp(`^\\| ${PROTOCOL_VERSION} +\\|`, 'm'))
  })
})
