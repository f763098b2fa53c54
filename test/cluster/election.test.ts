/**
 * election.test.ts: who may run, before whom, when, and what a claim says.
 */
import { describe, expect, it } from 'vitest'
import type { NodeDocument, StateDocument } from '../../region-node/cluster/documents.ts'
import {
  type Candidacy,
  candidacyOf,
  type ElectionFacts,
  type ElectionMoments,
  isInSync,
  runsAtMs,
} from '../../region-node/cluster/election.ts'
import { PROFILES } from '../../region-node/cluster/profiles.ts'

const TTL_MS = PROFILES.high.ttlMs

function node(nodeId: string, more: Partial<NodeDocument> = {}): NodeDocument {
  return {
    nodeId,
    host: nodeId,
    port: 6379,
    tlsPort: 0,
    syncUrl: `ws://${nodeId}`,
    partitions: 1,
    partition: 0,
    zone: '',
    version: '0.1.0',
    opCount: 0,
    term: 3,
    edition: 8,
    isWhole: true,
    ...more,
  }
}

const STATE: StateDocument = {
  term: 3,
  edition: 8,
  primary: 'a',
  hasEnded: false,
  heldTerm: 3,
  isWhole: true,
  inSync: ['a', 'b', 'c'],
  members: ['a', 'b', 'c', 'd'],
}

/** The primary `a` is gone; `b` and `c` are in sync and registered, `d` is not in sync. */
function facts(self: string, more: Partial<ElectionFacts> = {}): ElectionFacts {
  return {
    self,
    memberTerm: 3,
    hasLostData: false,
    state: STATE,
    remembered: STATE,
    nodes: [node('b'), node('c'), node('d', { isWhole: false })],
    handover: undefined,
    lostZone: '',
    isUncleanAllowed: false,
    ...more,
  }
}

const LONG_AGO: ElectionMoments = {
  absentMs: 100_000,
  claimedMs: 0,
  heardMs: 0,
  unbrokenMs: 0,
  primaryMs: Number.NEGATIVE_INFINITY,
  handoverMs: 0,
  isHandoverNew: false,
  noneWholeMs: Number.POSITIVE_INFINITY,
}

function runs(
  candidacy: Candidacy | undefined,
  more: Partial<ElectionMoments> = {},
  isHealthy = true,
): number {
  return runsAtMs(candidacy!, { ...LONG_AGO, ...more }, isHealthy, PROFILES.high) - LONG_AGO.absentMs
}

const rankOf = (self: string, more: Partial<ElectionFacts>) => candidacyOf(facts(self, more))?.rank

describe('a claim', () => {
  it('takes the next term, and keeps those in sync that are registered', () => {
    expect(candidacyOf(facts('b'))).toMatchObject({
      isWhole: true,
      state: { term: 4, edition: 9, primary: 'b', hasEnded: false, heldTerm: 3, inSync: ['b', 'c'] },
    })
    expect(candidacyOf(facts('b'))!.state.members).toEqual(['a', 'b', 'c', 'd'])
  })

  it('is not made by one that is not in sync', () => {
    expect(candidacyOf(facts('d'))).toBeUndefined()
  })

  it('is not made by one that has lost what it had', () => {
    expect(candidacyOf(facts('b', { hasLostData: true }))).toBeUndefined()
  })

  it('keeps nobody who has come back without what it had', () => {
    const nodes = [node('b'), node('c', { isWhole: false })]
    expect(candidacyOf(facts('b', { nodes }))!.state.inSync).toEqual(['b'])
  })

  it('is not made as whole while the primary before had to ask the other regions', () => {
    const asking = { ...STATE, isWhole: false }
    const candidacy = candidacyOf(facts('b', { state: asking, remembered: asking }))
    expect(candidacy).toMatchObject({ isWhole: false, isInSync: true, state: { isWhole: false } })
    expect(runs(candidacy)).toBe(0)
  })

  it('is made by the first where nobody knows of anything', () => {
    const empty = { state: undefined, remembered: undefined, memberTerm: 0 }
    const nodes = [node('b', { term: 0, edition: 0, opCount: 5 }), node('d', { term: 0, edition: 0 })]
    expect(candidacyOf(facts('d', { ...empty, nodes }))).toMatchObject({
      isWhole: true,
      rank: 1,
      state: { term: 1, edition: 1, isWhole: false, inSync: ['d'], members: ['b', 'd'] },
    })
    expect(candidacyOf(facts('d', { ...empty, nodes: [...nodes, node('c', { term: 2 })] }))).toBeUndefined()
    expect(candidacyOf(facts('d', { ...empty, memberTerm: 2, nodes }))).toBeUndefined()
  })
})

describe('a coordinator that was restored', () => {
  const old: StateDocument = { ...STATE, term: 2, edition: 5, inSync: ['a', 'd'] }

  it('is not believed by those who remember more; they claim above all that is known', () => {
    expect(candidacyOf(facts('b', { state: old }))).toMatchObject({
      isWhole: true,
      state: { term: 4, edition: 9, inSync: ['b', 'c'] },
    })
    expect(candidacyOf(facts('d', { state: old }))).toBeUndefined()
  })

  it('is not believed by one that knows nothing itself, when another is registered with more', () => {
    const forgotten = { state: old, remembered: old, memberTerm: 2 }
    expect(isInSync(facts('d', forgotten))).toBe(false)
    expect(isInSync(facts('d', { ...forgotten, nodes: [node('d', { term: 2, edition: 5 })] }))).toBe(true)
  })

  it('may have another edition of the same term', () => {
    const sameTerm: StateDocument = { ...STATE, edition: 7, inSync: ['a', 'd'] }
    expect(isInSync(facts('d', { state: sameTerm }))).toBe(false)
    expect(isInSync(facts('c', { state: sameTerm }))).toBe(true)
  })

  it('is made by the primary of the last term, though the last state of it was never heard by the primary itself', () => {
    const mine: StateDocument = { ...STATE, edition: 7, primary: 'b' }
    const nodes = [node('b', { edition: 7 }), node('c', { edition: 8, isWhole: false })]
    const forgotten = { state: { ...mine, edition: 5 }, remembered: mine, nodes }
    expect(candidacyOf(facts('b', forgotten))).toMatchObject({
      isWhole: true,
      isInSync: true,
      state: { term: 4, edition: 9, inSync: ['b'] },
    })
    expect(candidacyOf(facts('b', { ...forgotten, hasLostData: true }))).toBeUndefined()
    const later = [...nodes, node('d', { term: 4, edition: 9, isWhole: false })]
    expect(candidacyOf(facts('b', { ...forgotten, nodes: later }))).toBeUndefined()
  })

  it('may have nothing at all', () => {
    expect(candidacyOf(facts('b', { state: undefined }))).toMatchObject({ isWhole: true, state: { term: 4 } })
  })
})

describe('rank', () => {
  it('prefers another zone than the lost one', () => {
    const nodes = [node('b', { zone: 'x', opCount: 9 }), node('c', { zone: 'y' })]
    expect(rankOf('c', { nodes, lostZone: 'x' })).toBe(0)
    expect(rankOf('b', { nodes, lostZone: 'x' })).toBe(1)
    expect(rankOf('b', { nodes, lostZone: '' })).toBe(0)
  })

  it('then more ops, then the id', () => {
    expect(rankOf('c', { nodes: [node('b', { opCount: 5 }), node('c', { opCount: 6 })] })).toBe(0)
    expect(rankOf('b', { nodes: [node('c'), node('b')] })).toBe(0)
  })

  it('puts a primary first that is back, unless it has ended', () => {
    const nodes = [node('a'), node('b', { opCount: 5 })]
    expect(rankOf('a', { nodes })).toBe(0)
    const ended = { ...STATE, hasEnded: true }
    expect(rankOf('a', { nodes, state: ended, remembered: ended })).toBe(1)
  })
})

describe('the moment', () => {
  it('is the next one for the first, and a little later for those behind', () => {
    expect(runs(candidacyOf(facts('b')))).toBe(0)
    expect(runs(candidacyOf(facts('c')))).toBe(100)
    const nodes = ['b', 'c', 'e', 'f'].map((nodeId) => node(nodeId))
    const state = { ...STATE, inSync: ['b', 'c', 'e', 'f'] }
    expect(runs(candidacyOf(facts('f', { nodes, state, remembered: state })))).toBe(200)
  })

  it('is not while a promise holds, unless the primary has ended', () => {
    const heard = { heardMs: LONG_AGO.absentMs - 1000 }
    const claimed = { claimedMs: LONG_AGO.absentMs - 500 }
    expect(runs(candidacyOf(facts('b')), heard)).toBe(TTL_MS - 1000)
    expect(runs(candidacyOf(facts('b')), claimed)).toBe(TTL_MS - 500)
    const ended = { ...STATE, hasEnded: true }
    expect(runs(candidacyOf(facts('b', { state: ended, remembered: ended })), { ...heard, ...claimed })).toBe(
      0,
    )
  })

  it('is not while others may not have said yet what they know', () => {
    expect(runs(candidacyOf(facts('b')), { unbrokenMs: LONG_AGO.absentMs - 1 })).toBe(TTL_MS - 1)
    expect(runs(candidacyOf(facts('b')), { unbrokenMs: Number.POSITIVE_INFINITY })).toBe(
      Number.POSITIVE_INFINITY,
    )
  })

  it('is at once for one that was primary a moment ago', () => {
    const moments = { unbrokenMs: LONG_AGO.absentMs - 1, primaryMs: LONG_AGO.absentMs - 10 }
    expect(runs(candidacyOf(facts('b')), moments)).toBe(0)
    expect(runs(candidacyOf(facts('b')), { ...moments, primaryMs: moments.unbrokenMs - TTL_MS })).toBe(
      TTL_MS - 1,
    )
  })

  it('is at once for one that the primary calls, also when its process has just begun', () => {
    const ended = { ...STATE, hasEnded: true }
    const called = facts('c', { handover: { to: 'c', term: 3 }, state: ended, remembered: ended })
    const begun = { unbrokenMs: LONG_AGO.absentMs - 1, heardMs: LONG_AGO.absentMs }
    expect(runs(candidacyOf(called), { ...begun, isHandoverNew: true })).toBe(0)
    expect(runs(candidacyOf(called), begun)).toBe(TTL_MS - 1)
    expect(runs(candidacyOf({ ...called, self: 'b' }), { ...begun, isHandoverNew: true })).toBeGreaterThan(
      1000,
    )
  })

  it('is left to the one that a handover names', () => {
    const handover = { to: 'c', term: 3 }
    const seen = { handoverMs: LONG_AGO.absentMs }
    expect(runs(candidacyOf(facts('c', { handover })), seen)).toBe(0)
    expect(runs(candidacyOf(facts('b', { handover })), seen)).toBe(1000)
    expect(runs(candidacyOf(facts('b', { handover: { to: 'c', term: 2 } })), seen)).toBe(0)
  })

  it('comes later for one that is not well', () => {
    expect(runs(candidacyOf(facts('b')), {}, false)).toBe(TTL_MS)
  })

  it('does not come for one that is no member, and that a cut off primary may not know of', () => {
    const stranger = { nodes: [node('e', { isWhole: false })], isUncleanAllowed: true }
    expect(candidacyOf(facts('e', stranger))).toBeUndefined()
    expect(candidacyOf(facts('e', { ...stranger, state: undefined, remembered: undefined }))).toBeDefined()
  })

  it('comes for one that is not whole when nobody whole was there for long, and only if that is allowed', () => {
    const alone = { nodes: [node('d', { isWhole: false })], isUncleanAllowed: true }
    const candidacy = candidacyOf(facts('d', alone))
    expect(candidacy).toMatchObject({ isWhole: false, state: { inSync: ['d'], heldTerm: 0 } })
    expect(runs(candidacy, { noneWholeMs: LONG_AGO.absentMs })).toBe(10_000)
    expect(runs(candidacy, { noneWholeMs: 0, unbrokenMs: LONG_AGO.absentMs })).toBe(10_000)
    expect(runs(candidacy)).toBe(Number.POSITIVE_INFINITY)
  })
})
