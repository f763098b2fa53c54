/**
 * set-aw.test.ts: which dots support a member, and which Dot objects are used again.
 */
import { describe, expect, it } from 'vitest'
import { type Dot, OpPoint } from '../../../crdt/dot.ts'
import { type Origin, OriginTable, originId } from '../../../crdt/origin.ts'
import { SetState } from '../../../crdt/set-aw.ts'
import { VersionVector } from '../../../crdt/version-vector.ts'

const origins = new OriginTable()
const here = origins.intern(originId(1, new Uint8Array(6)))
const there = origins.intern(originId(2, new Uint8Array(6)))

/** @param seen  how much of the other origin the op had seen */
function at(origin: Origin, seq: number, seen = 0): OpPoint {
  const deps = new VersionVector(origins)
  if (seen > 0) deps.advance(origin === here ? there : here, seen)
  const point = new OpPoint(origin, deps, { conflict: () => {} })
  point.moveTo(origin, seq, seq * 1000, deps)
  return point
}

function namesOf(dots: Dot | Dot[] | undefined): string[] {
  if (dots === undefined) return []
  return (Array.isArray(dots) ? dots : [dots]).map(({ origin, seq }) => `${origin.region}:${seq}`)
}

describe('the add-wins set', () => {
  it('renews in place the dot of a member that was added alone', () => {
    const set = new SetState()
    set.add(['a'], at(here, 1))
    const first = set.members.get('a')
    set.add(['a'], at(here, 2))
    expect(set.members.get('a')).toBe(first)
    expect(namesOf(first)).toEqual(['1:2'])
    set.add(['a'], at(there, 1, 2))
    expect(namesOf(set.members.get('a'))).toEqual(['2:1'])
  })

  it('leaves a dot that others share as it is', () => {
    const set = new SetState()
    set.add(['a', 'b'], at(here, 1))
    set.add(['a'], at(here, 2))
    expect(namesOf(set.members.get('a'))).toEqual(['1:2'])
    expect(namesOf(set.members.get('b'))).toEqual(['1:1'])
    set.add(['a', 'b'], at(here, 3))
    set.add(['b'], at(here, 4))
    expect(namesOf(set.members.get('a'))).toEqual(['1:3'])
    expect(namesOf(set.members.get('b'))).toEqual(['1:4'])
  })

  it('keeps both of two adds that had not seen each other, until an op had seen them', () => {
    const set = new SetState()
    set.add(['a'], at(here, 1))
    set.add(['a'], at(there, 1))
    expect(namesOf(set.members.get('a'))).toEqual(['1:1', '2:1'])
    set.remove(['a'], at(here, 2))
    expect(namesOf(set.members.get('a'))).toEqual(['2:1'])
    set.add(['a'], at(here, 3))
    expect(namesOf(set.members.get('a'))).toEqual(['2:1', '1:3'])
    set.add(['a'], at(here, 4, 1))
    expect(namesOf(set.members.get('a'))).toEqual(['1:4'])
  })

  it('keeps an add that a remove had not seen, though the add before it was seen', () => {
    const set = new SetState()
    set.add(['a'], at(here, 1))
    set.add(['a'], at(here, 2))
    set.remove(['a'], at(there, 1, 1))
    expect(set.has('a')).toBe(true)
    set.remove(['a'], at(there, 2, 2))
    expect(set.has('a')).toBe(false)
  })
})
