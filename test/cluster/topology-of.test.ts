/**
 * topology-of.test.ts: what clients are shown of the documents of a region.
 */
import { describe, expect, it } from 'vitest'
import { Directory } from '../../region-node/cluster/directory.ts'
import {
  encode,
  Keys,
  type LeaderDocument,
  type NodeDocument,
  type StateDocument,
} from '../../region-node/cluster/documents.ts'
import { clusterNodeId, type Standing, topologyOf } from '../../region-node/cluster/topology-of.ts'

const keys = new Keys('shop', 'north')

function node(nodeId: string, partition: number): NodeDocument {
  return {
    nodeId,
    host: nodeId,
    port: 6379,
    tlsPort: 0,
    syncUrl: `ws://${nodeId}`,
    partition,
    partitions: 2,
    zone: 'x',
    version: '0.1.0',
    opCount: 7,
    term: 1,
    edition: 1,
    isWhole: true,
  }
}

function state(term: number, primary: string, members: readonly string[]): StateDocument {
  return {
    term,
    edition: 1,
    primary,
    hasEnded: false,
    heldTerm: term,
    isWhole: true,
    inSync: members,
    members,
  }
}

function directoryOf(documents: Record<string, NodeDocument | StateDocument | LeaderDocument>): Directory {
  const directory = new Directory(keys)
  const entries = Object.entries(documents).map(([key, document]) => ({
    key,
    value: encode(document),
    revision: 1,
  }))
  directory.replace({ revision: 1, entries })
  return directory
}

const REGION = {
  [keys.node('a')]: node('a', 0),
  [keys.node('b')]: node('b', 0),
  [keys.node('c')]: node('c', 1),
  [keys.of('state', 0)]: state(4, 'b', ['a', 'b']),
  [keys.of('leader', 0)]: { nodeId: 'b', term: 4, leaseId: '1' },
  [keys.of('state', 1)]: state(6, 'c', ['c']),
}

describe('a topology', () => {
  it('has all nodes by partition, primaries first', () => {
    const { self, nodes, epoch, partitions } = topologyOf(directoryOf(REGION), node('a', 0), 2, 'none')
    expect(nodes.map(({ host, role, isUp }) => [host, role, isUp])).toEqual([
      ['b', 'primary', true],
      ['a', 'replica', true],
      ['c', 'primary', true],
    ])
    expect(self.host).toBe('a')
    expect(nodes).toContain(self)
    expect([epoch, partitions]).toEqual([6, 2])
  })

  it('keeps a member that is gone, and its place, as long as the partition names it', () => {
    const directory = directoryOf(REGION)
    directory.apply([
      { key: keys.node('b'), value: undefined, revision: 2 },
      { key: keys.of('leader', 0), value: undefined, revision: 2 },
      { key: keys.node('c'), value: undefined, revision: 2 },
      { key: keys.of('state', 1), value: encode(state(6, 'd', ['d'])), revision: 3 },
    ])
    const { nodes } = topologyOf(directory, node('a', 0), 2, 'none')
    expect(nodes.map(({ host, role, isUp }) => [host, role, isUp])).toEqual([
      ['b', 'primary', false],
      ['a', 'replica', true],
    ])
  })

  it('shows a node that is not registered to itself', () => {
    const { nodes, self } = topologyOf(directoryOf({}), node('a', 0), 1, 'none')
    expect(nodes).toEqual([self])
  })
})

describe('who is primary of its own partition', () => {
  const isOpen = (nodeId: string, standing: Standing): boolean =>
    topologyOf(directoryOf(REGION), node(nodeId, 0), 2, standing).isOpen

  it('is open for a node that is shown as primary and does not answer as such', () => {
    expect(isOpen('b', 'primary')).toBe(false)
    expect(isOpen('b', 'none')).toBe(true)
  })

  it('is open for one that has claimed, although another is shown', () => {
    expect(isOpen('a', 'none')).toBe(false)
    expect(isOpen('a', 'claiming')).toBe(true)
  })
})

describe('the id of a node for clients', () => {
  it('is 40 hexadecimal digits, the same for ever', () => {
    expect(clusterNodeId('n1')).toMatch(/^[0-9a-f]{40}$/)
    expect(clusterNodeId('n1')).toBe(clusterNodeId('n1'))
  })

  it('is another one for every node', () => {
    const ids = new Set(Array.from({ length: 20_000 }, (_, i) => clusterNodeId(`node-${i}`)))
    expect(ids.size).toBe(20_000)
    for (let part = 0; part < 40; part += 8) {
      const parts = new Set([...ids].map((id) => id.slice(part, part + 8)))
      expect(parts.size).toBeGreaterThan(19_900)
    }
  })
})
