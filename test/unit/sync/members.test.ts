/**
 * members.test.ts: what no other region has, by what they said.
 */
import { describe, expect, it } from 'vitest'
import { OriginTable } from '../../../crdt/origin.ts'
import { VersionVector } from '../../../crdt/version-vector.ts'
import { type Member, Members } from '../../../sync/members.ts'
import { Peer } from '../../../sync/peer.ts'

const OPS = [
  ['1-00000000000a', 5],
  ['1-00000000000b', 7],
] as const

describe('ops that a node holds', () => {
  const origins = new OriginTable()
  const ops = VersionVector.fromWire(origins, OPS)

  /** @param said  by each region: when, and how far it has each of the ops; undefined: nothing */
  function unknownTo(said: readonly ([heardMs: number, a: number, b: number] | undefined)[]) {
    const members = new Members()
    const regions = said.map((words, i) => {
      const peer = new Peer(`r${i}`, ['ws://r:1'], () => {})
      if (words !== undefined) {
        const [heardMs, a, b] = words
        peer.heardMs = heardMs
        peer.applied = VersionVector.fromWire(origins, [
          [OPS[0][0], a],
          [OPS[1][0], b],
        ])
      }
      members.add({ peer } as Member)
      return { name: peer.name }
    })
    return members.unknownTo(regions, ops, 100)?.map(({ id }) => id)
  }

  it('are unknown to a mesh of one region', () => {
    expect(unknownTo([])).toEqual(OPS.map(([id]) => id))
  })

  it('are unknown where each other region has less', () => {
    expect(
      unknownTo([
        [100, 4, 7],
        [150, 0, 6],
      ]),
    ).toEqual([OPS[0][0]])
    expect(
      unknownTo([
        [100, 5, 0],
        [150, 0, 9],
      ]),
    ).toEqual([])
  })

  it('may be known to one that was not heard since', () => {
    expect(unknownTo([[100, 0, 0], undefined])).toBeUndefined()
    expect(
      unknownTo([
        [100, 0, 0],
        [99, 0, 0],
      ]),
    ).toBeUndefined()
  })
})
