/**
 * in-sync.test.ts: for whom a new primary waits before it acknowledges, and for how long.
 */
import { describe, expect, it } from 'vitest'
import { Directory } from '../../../../region-node/cluster/directory.ts'
import {
  decodeState,
  encode,
  Keys,
  type NodeDocument,
  type StateDocument,
} from '../../../../region-node/cluster/documents.ts'
import { InSync } from '../../../../region-node/cluster/in-sync.ts'
import type { LeaseKeeper } from '../../../../region-node/cluster/lease-keeper.ts'
import type { Member } from '../../../../region-node/cluster/member.ts'
import type { Change } from '../../../../region-node/coordinator/port.ts'

const keys = new Keys('db', 'a')
const state: StateDocument = {
  ...{ term: 2, edition: 5, primary: 'next', hasEnded: false, heldTerm: 1, isWhole: true },
  ...{ inSync: ['next', 'former', 'third'], members: ['former', 'next', 'third'] },
}

function node(nodeId: string): NodeDocument {
  return {
    ...{
      nodeId,
      host: '',
      port: 1,
      tlsPort: 0,
      syncUrl: '',
      partition: 0,
      partitions: 1,
      zone: '',
      version: '1',
    },
    ...{ opCount: 0, term: 2, edition: 5, isWhole: true },
  }
}

/** @returns whom the state names after one look, without the one who looks, milliseconds after it became primary */
function namedAfter(registered: readonly string[], lookMs: number): readonly string[] {
  const directory = new Directory(keys)
  const documents: [string, string][] = [
    ...registered.map((nodeId): [string, string] => [keys.node(nodeId), encode(node(nodeId))]),
    [keys.of('state', 0), encode(state)],
    [keys.of('leader', 0), encode({ nodeId: 'next', term: 2, leaseId: '7' })],
  ]
  const entries = documents.map(([key, value], at) => ({ key, value, revision: at + 1 }))
  directory.replace({ revision: entries.length, entries })
  let nowMs = 0
  let stored = state
  // Nobody follows it yet.
  const member = { replicas: () => [], setInSync: () => {} } as Pick<
    Member,
    'replicas' | 'setInSync'
  > as Member
  const lease = { lease: { id: '7', ttlMs: 3000 } } as unknown as LeaseKeeper
  const inSync = new InSync({
    ...{ self: 'next', partition: 0, keys, member, directory, lease, env: { monoMs: () => nowMs } },
    remembered: () => state,
    commit: (_conditions, changes: readonly Change[]) => {
      for (const change of changes)
        if (change.do === 'put' && change.key === keys.of('state', 0)) stored = decodeState(change.value)!
    },
  })
  nowMs = lookMs
  inSync.review(true)
  return stored.inSync.filter((nodeId) => nodeId !== 'next')
}

describe('a new primary', () => {
  it('gives those that were in sync with the former one time to find it', () => {
    expect(namedAfter(['next', 'former', 'third'], 1900)).toEqual(['former', 'third'])
    expect(namedAfter(['next', 'former', 'third'], 2100)).toEqual([])
  })

  it('does not wait for one whose lease is gone: it has died', () => {
    expect(namedAfter(['next', 'third'], 1)).toEqual(['third'])
  })
})
