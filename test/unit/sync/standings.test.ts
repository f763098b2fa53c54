/**
 * standings.test.ts: what a node says of where it stands, and how that travels on.
 */
import { describe, expect, it } from 'vitest'
import { TAG } from '../../../crdt/effects/effect.ts'
import {
  durableFences,
  durableOf,
  ownStanding,
  standingFromWire,
  standingToWire,
} from '../../../sync/standings.ts'
import { ManualClock } from '../../harness/manual-clock.ts'
import { MemoryHost } from '../../harness/memory-host.ts'

function host(): MemoryHost {
  return new MemoryHost(new ManualClock(), 'A', 1)
}

describe('a fence', () => {
  it('is answered once the op that set it is durable', () => {
    const node = host()
    const former = node.origins.intern('2-000000000001')
    node.applied.advance(former, 7)
    const at = { origin: node.origin, seq: 1, index: 0, hlcHigh: 0, hlcLow: 0 }
    node.membership.apply({ tag: TAG.FENCE, origin: former }, at, node.applied)
    expect(durableFences(node)).toEqual([])
    expect(ownStanding(node).fences).toEqual([])
    node.write()
    expect(durableFences(node)).toEqual([])
    node.sync()
    expect(durableFences(node)).toEqual([[former.id, 7]])
    expect(ownStanding(node).fences).toEqual([[former.id, 7]])
  })
})

describe('a standing', () => {
  it('names what is durable, not what is applied', () => {
    const node = host()
    node.write(2)
    node.sync()
    node.write(3)
    expect(ownStanding(node)).toEqual({
      regionId: 1,
      origin: node.origin.id,
      durable: [[node.origin.id, 2]],
      fences: [],
      ageMs: 0,
      clockMs: node.expiryClockMs(),
    })
  })

  it('grows older on its way, by the clocks of those who hand it on', () => {
    const [near, far] = [host(), host()]
    const wire = {
      regionId: 2,
      origin: '2-000000000001',
      durable: [['2-000000000001', 3]],
      ageMs: 40,
      clockMs: 1_700_000_000_000,
    } as const
    const known = standingFromWire(near.origins, { ...wire, fences: [['3-000000000001', 9]] }, 1000)
    expect(known.heardMs).toBe(960)
    const onward = standingToWire(known, 1100)
    expect(onward).toEqual({ ...wire, fences: [['3-000000000001', 9]], ageMs: 140 })
    const there = standingFromWire(far.origins, onward, 50)
    expect(there.heardMs).toBe(-90)
    expect([...there.fences].map(([{ id }, limit]) => [id, limit])).toEqual([['3-000000000001', 9]])
    expect(there.durable.toWire()).toEqual([['2-000000000001', 3]])
  })

  it('is found among others by its region', () => {
    const node = host()
    node.write(2)
    node.sync()
    const other = { ...ownStanding(node), regionId: 2, durable: [] }
    const durableIn = (regionId: number | undefined) =>
      durableOf(regionId, [other, ownStanding(node)], node.origins).toWire()
    expect(durableIn(1)).toEqual([[node.origin.id, 2]])
    expect([2, 3, undefined].map(durableIn)).toEqual([[], [], []])
  })

  it('is never younger than now', () => {
    const node = host()
    const known = standingFromWire(
      node.origins,
      { regionId: 2, origin: '2-000000000001', durable: [], fences: [], ageMs: 0, clockMs: 0 },
      1000,
    )
    expect(standingToWire(known, 999.4).ageMs).toBe(0)
  })
})
