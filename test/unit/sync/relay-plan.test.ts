/**
 * relay-plan.test.ts: who relays what, and when it is asked to stop.
 */
import { describe, expect, it } from 'vitest'
import { OriginTable } from '../../../crdt/origin.ts'
import { VersionVector, type WireVector } from '../../../crdt/version-vector.ts'
import { type RelayCandidate, RelayPlan } from '../../../sync/relay-plan.ts'

const WAITS = { relayAfterMs: 100, relayBehindMs: 3000 }
const C = '3-00000000000c'
const origins = new OriginTable()
const nothing = new VersionVector(origins)

function peer(name: string, regionId: number, open: boolean, vector: WireVector): RelayCandidate {
  return { name, regionId, open, announced: VersionVector.fromWire(origins, vector) }
}

describe('relay plan', () => {
  it('waits a little when the direct link is down, then takes who has most, and stays with it', () => {
    const plan = new RelayPlan(1)
    const peers = [peer('B', 2, true, [[C, 5]]), peer('C', 3, false, [[C, 5]]), peer('D', 4, true, [[C, 6]])]
    expect(plan.update(peers, nothing, 1000, WAITS)).toBe(100)
    expect(plan.relayedBy('D')).toEqual([])
    expect(plan.update(peers, nothing, 1100, WAITS)).toBe(Number.POSITIVE_INFINITY)
    expect(plan.relayedBy('D')).toEqual([3])
    // B is ahead now, but not for long enough.
    const ahead = [peer('B', 2, true, [[C, 9]]), peers[1]!, peers[2]!]
    expect(plan.update(ahead, nothing, 1200, WAITS)).toBe(3000)
    expect(plan.relayedBy('D')).toEqual([3])
    plan.update(ahead, nothing, 4200, WAITS)
    expect([plan.relayedBy('B'), plan.relayedBy('D')]).toEqual([[3], []])
  })

  it('ends when the direct link is open, unless that lacks something', () => {
    const plan = new RelayPlan(1)
    const b = peer('B', 2, true, [[C, 5]])
    plan.update([b, peer('C', 3, false, [])], nothing, 0, WAITS)
    plan.update([b, peer('C', 3, false, [])], nothing, 100, WAITS)
    expect(plan.relayedBy('B')).toEqual([3])
    plan.update([b, peer('C', 3, true, [[C, 5]])], nothing, 200, WAITS)
    expect(plan.relayedBy('B')).toEqual([])
    // C lost its last two ops in a crash; B still has them.
    const lossy = [b, peer('C', 3, true, [[C, 3]])]
    expect(plan.update(lossy, nothing, 300, WAITS)).toBe(3000)
    plan.update(lossy, nothing, 3300, WAITS)
    expect(plan.relayedBy('B')).toEqual([3])
    const caughtUp = VersionVector.fromWire(origins, [[C, 5]])
    plan.update(lossy, caughtUp, 3400, WAITS)
    expect(plan.relayedBy('B')).toEqual([])
  })

  it('never plans a relay of the own region or by a closed link', () => {
    const plan = new RelayPlan(1)
    const peers = [peer('B', 2, true, [['1-00000000000a', 5]]), peer('C', 3, false, [[C, 1]])]
    for (const nowMs of [0, 10_000]) plan.update(peers, nothing, nowMs, WAITS)
    expect(plan.relayedBy('B')).toEqual([3])
    expect(plan.relayedBy('C')).toEqual([])
    plan.update([{ ...peers[0]!, open: false }, peers[1]!], nothing, 10_001, WAITS)
    expect(plan.relayedBy('B')).toEqual([])
  })
})
