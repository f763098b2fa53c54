/**
 * documents.test.ts: documents survive the coordinator, damaged ones are told from good ones, and keys say what
 * they are for.
 */
import { describe, expect, it } from 'vitest'
import {
  decodeHandover,
  decodeLeader,
  decodeNode,
  decodeState,
  encode,
  isName,
  isOlder,
  Keys,
  type NodeDocument,
  type StateDocument,
} from '../../region-node/cluster/documents.ts'

const NODE: NodeDocument = {
  nodeId: 'n1',
  host: '10.0.0.1',
  port: 6379,
  tlsPort: 0,
  syncUrl: 'ws://10.0.0.1:7379',
  partitions: 1,
  partition: 3,
  zone: 'a',
  version: '0.1.0',
  opCount: 12,
  term: 4,
  edition: 9,
  isWhole: true,
}

const STATE: StateDocument = {
  term: 4,
  edition: 9,
  primary: 'n1',
  hasEnded: false,
  heldTerm: 4,
  isWhole: true,
  inSync: ['n1', 'n2'],
  members: ['n1', 'n2', 'n3'],
}

describe('documents', () => {
  it('come back as they went', () => {
    expect(decodeNode(encode(NODE))).toEqual(NODE)
    expect(decodeState(encode(STATE))).toEqual(STATE)
    const leader = { nodeId: 'n1', term: 4, leaseId: '77' }
    expect(decodeLeader(encode(leader))).toEqual(leader)
    const handover = { to: 'n2', term: 4 }
    expect(decodeHandover(encode(handover))).toEqual(handover)
  })

  it('of a later version may have more fields', () => {
    expect(decodeLeader('{"nodeId":"n1","term":4,"leaseId":"7","more":true}')).toMatchObject({ nodeId: 'n1' })
  })

  it.each([
    ['', 'nothing'],
    ['{', 'no JSON'],
    ['null', 'no object'],
    ['[1]', 'a list'],
    ['{"term":4}', 'fields that are missing'],
    [encode({ ...STATE, term: -1 }), 'a term below zero'],
    [encode({ ...STATE, term: 1.5 }), 'half a term'],
    [encode({ ...STATE, inSync: ['n1', 2 as unknown as string] }), 'a number for a name'],
    [encode({ ...STATE, inSync: 'n1' as unknown as string[] }), 'one name for a list'],
  ])('refuses %s: %s', (text) => {
    expect(decodeState(text)).toBeUndefined()
  })

  it('are ordered by term, then by edition', () => {
    expect(isOlder({ term: 1, edition: 9 }, { term: 2, edition: 1 })).toBe(true)
    expect(isOlder({ term: 2, edition: 1 }, { term: 2, edition: 2 })).toBe(true)
    expect(isOlder({ term: 2, edition: 2 }, { term: 2, edition: 2 })).toBe(false)
    expect(isOlder({ term: 3, edition: 0 }, { term: 2, edition: 2 })).toBe(false)
  })
})

describe('keys', () => {
  const keys = new Keys('shop', 'north')

  it('lie under one prefix', () => {
    expect(keys.prefix).toBe('/causeway/shop/north/')
    expect(keys.node('n1')).toBe('/causeway/shop/north/node/n1')
    expect(keys.of('state', 3)).toBe('/causeway/shop/north/partition/3/state')
  })

  it('say what they are for', () => {
    expect(keys.meaning(keys.node('n1'))).toEqual({ kind: 'node', nodeId: 'n1' })
    for (const kind of ['state', 'leader', 'handover'] as const)
      expect(keys.meaning(keys.of(kind, 12))).toEqual({ kind, partition: 12 })
  })

  it.each(['cluster', 'node/n1/more', 'partition/x/state', 'partition/1/other', 'partition/1/state/more'])(
    'of another kind mean nothing: %s',
    (key) => {
      expect(keys.meaning(keys.prefix + key)).toBeUndefined()
    },
  )

  it('take names without slashes', () => {
    expect(isName('node-1.north:7_b')).toBe(true)
    for (const name of ['', 'a/b', 'a b', 'ä']) expect(isName(name)).toBe(false)
  })
})
