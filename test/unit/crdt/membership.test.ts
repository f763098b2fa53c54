/**
 * membership.test.ts: regions and ended origins: what is recorded, in any order of arrival, and as bytes.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ByteReader, ByteWriter, DecodeError } from '../../../crdt/codec/bytes.ts'
import type { Stamp } from '../../../crdt/dot.ts'
import { TAG } from '../../../crdt/effects/effect.ts'
import {
  type HorizonEffect,
  REGION_MODES,
  REGION_STATUSES,
  type RegionMode,
  type RegionStatus,
} from '../../../crdt/effects/horizon-effects.ts'
import { Membership } from '../../../crdt/membership.ts'
import { type Origin, OriginTable } from '../../../crdt/origin.ts'
import { VersionVector } from '../../../crdt/version-vector.ts'

const UNLIMITED = Number.POSITIVE_INFINITY

class World {
  readonly origins = new OriginTable()
  readonly membership = new Membership()
  readonly applied = new VersionVector(this.origins)

  origin(region: number, incarnation = 0): Origin {
    return this.origins.intern(`${region}-00000000000${incarnation}`)
  }

  /** The op of region 1 with that seq. */
  by(seq: number, region = 1): Stamp {
    return { origin: this.origin(region), seq, index: 0, hlcHigh: 0, hlcLow: 0 }
  }

  change(regionId: number, status: RegionStatus, epoch: number, at: Stamp = this.by(epoch)): void {
    const effect = { tag: TAG.REGION, regionId, name: `r${regionId}`, url: 'ws://r', status, epoch }
    this.membership.apply(effect, at, this.applied)
  }

  changeMode(regionId: number, mode: RegionMode, epoch: number): void {
    this.membership.apply({ tag: TAG.MODE, regionId, mode, epoch }, this.by(epoch), this.applied)
  }

  fence(origin: Origin, at: Stamp): void {
    this.membership.apply({ tag: TAG.FENCE, origin }, at, this.applied)
  }

  seal(origin: Origin, end: number, at: Stamp): void {
    this.membership.apply({ tag: TAG.SEAL, origin, end }, at, this.applied)
  }
}

describe('regions', () => {
  it('without a record are members from the beginning', () => {
    const { membership } = new World()
    expect([membership.statusOf(7), membership.epochOf(7)]).toEqual(['member', 0])
  })

  it('have the status of the highest epoch, and of one epoch the one with the most force', () => {
    const world = new World()
    world.change(2, 'suspended', 1)
    world.change(2, 'member', 2)
    world.change(2, 'suspended', 1)
    expect(world.membership.statusOf(2)).toBe('member')
    world.change(2, 'left', 2)
    world.change(2, 'suspended', 2)
    expect([world.membership.statusOf(2), world.membership.epochOf(2)]).toEqual(['left', 2])
  })

  it('agree everywhere, in whatever order concurrent changes came', () => {
    const change = fc.record({
      regionId: fc.integer({ min: 1, max: 2 }),
      status: fc.constantFrom(...REGION_STATUSES),
      epoch: fc.integer({ min: 1, max: 3 }),
      by: fc.integer({ min: 1, max: 3 }),
    })
    fc.assert(
      fc.property(fc.array(change, { maxLength: 8 }), fc.infiniteStream(fc.nat()), (changes, chance) => {
        // One seq for one change, so that no two are the same op.
        const numbered = changes.map((one, i) => ({ ...one, seq: i + 1, key: chance.next().value }))
        const inAnyOrder = [...numbered].sort((a, b) => a.key - b.key)
        const [first, second] = [numbered, inAnyOrder].map((order) => {
          const world = new World()
          for (const { regionId, status, epoch, by, seq } of order)
            world.change(regionId, status, epoch, world.by(seq, by))
          return [...world.membership.regions.values()]
            .map(({ by, ...record }) => ({
              ...record,
              by: by.map(({ origin, seq }) => `${origin.id}:${seq}`),
            }))
            .sort((a, b) => a.regionId - b.regionId)
        })
        expect(second).toEqual(first)
      }),
    )
  })

  it('mint under a new origin only what has seen them join', () => {
    const world = new World()
    const [minter, joined] = [world.origin(1), world.origin(2)]
    const blind = new VersionVector(world.origins)
    expect(world.membership.admits(joined, blind)).toBe(true)
    world.change(2, 'member', 1, world.by(5))
    expect(world.membership.admits(joined, blind)).toBe(false)
    const seen = blind.copy()
    seen.advance(minter, 5)
    expect(world.membership.admits(joined, seen)).toBe(true)
    for (const [epoch, status] of [[2, 'suspended'] as const, [3, 'left'] as const]) {
      world.change(2, status, epoch, world.by(5))
      // Only members bring ops of it now, and what they took of it counts.
      expect(world.membership.admits(joined, blind)).toBe(true)
    }
  })
})

describe('modes', () => {
  it('are active until something else is said, also of regions with a record', () => {
    const world = new World()
    world.change(2, 'member', 1)
    expect([world.membership.modeOf(1), world.membership.modeOf(2)]).toEqual(['active', 'active'])
    expect(world.membership.modeEpochOf(2)).toBe(0)
  })

  it('are those of the highest epoch, and of one epoch the passive one', () => {
    const world = new World()
    world.changeMode(2, 'active', 2)
    world.changeMode(2, 'passive', 1)
    expect([world.membership.modeOf(2), world.membership.modeEpochOf(2)]).toEqual(['active', 2])
    world.changeMode(2, 'passive', 2)
    world.changeMode(2, 'active', 2)
    expect([world.membership.modeOf(2), world.membership.modeEpochOf(2)]).toEqual(['passive', 2])
    expect(world.membership.modeOf(3)).toBe('active')
  })

  it('agree everywhere, in whatever order concurrent changes came', () => {
    const change = fc.record({
      regionId: fc.integer({ min: 1, max: 2 }),
      mode: fc.constantFrom(...REGION_MODES),
      epoch: fc.integer({ min: 1, max: 3 }),
    })
    fc.assert(
      fc.property(fc.array(change, { maxLength: 6 }), fc.infiniteStream(fc.nat()), (changes, chance) => {
        const inAnyOrder = changes
          .map((one) => ({ ...one, key: chance.next().value }))
          .sort((a, b) => a.key - b.key)
        const [first, second] = [changes, inAnyOrder].map((order) => {
          const world = new World()
          for (const { regionId, mode, epoch } of order) world.changeMode(regionId, mode, epoch)
          return [1, 2].map((id) => [world.membership.modeOf(id), world.membership.modeEpochOf(id)])
        })
        expect(second).toEqual(first)
      }),
    )
  })
})

describe('ended origins', () => {
  it('are taken up to what was applied when they were fenced, then up to their end', () => {
    const world = new World()
    const former = world.origin(2, 1)
    world.applied.advance(former, 5)
    expect(world.membership.limitOf(former)).toBe(UNLIMITED)
    world.fence(former, world.by(1))
    expect(world.membership.limitOf(former)).toBe(5)
    // A second fence comes too late to raise the first one's answer.
    world.applied.advance(former, 6)
    world.fence(former, world.by(2, 3))
    expect(world.membership.limitOf(former)).toBe(5)
    world.seal(former, 9, world.by(3))
    expect(world.membership.limitOf(former)).toBe(9)
    expect(world.membership.fences.size).toBe(0)
    world.fence(former, world.by(4))
    expect(world.membership.limitOf(former)).toBe(9)
    expect(world.membership.limitOf(world.origin(2, 2))).toBe(UNLIMITED)
  })

  it('end at the lower of two seals, whichever came first', () => {
    for (const ends of [
      [7, 9],
      [9, 7],
    ]) {
      const world = new World()
      ends.forEach((end, i) => {
        world.seal(world.origin(2), end, world.by(i + 1, i + 3))
      })
      expect(world.membership.limitOf(world.origin(2))).toBe(7)
    }
  })

  it('end with the very op in which they fence themselves: what has seen it is not stranded', () => {
    const world = new World()
    world.applied.advance(world.origin(1), 4)
    world.fence(world.origin(1), world.by(5))
    expect(world.membership.limitOf(world.origin(1))).toBe(5)
  })

  it('are minted again once for each op', () => {
    const { membership, ...world } = new World()
    const origin = world.origins.intern('2-000000000001')
    expect(membership.remint({ origin, seq: 6 })).toBe(true)
    expect(membership.remint({ origin, seq: 6 })).toBe(false)
    expect(membership.remint({ origin, seq: 5 })).toBe(false)
    expect(membership.remint({ origin, seq: 8 })).toBe(true)
    expect(membership.remintedTo(origin)).toBe(8)
  })
})

describe('announced cuts', () => {
  it('are known of all that were asked, and of anybody: that goes for one that was away when they were', () => {
    const world = new World()
    const { membership } = world
    expect(membership.announcedByAny).toBeUndefined()
    for (const [region, own, other] of [
      [1, 4, 9],
      [2, 7, 5],
    ] as const) {
      const ends: [Origin, number][] = [
        [world.origin(1), own],
        [world.origin(2), other],
      ]
      membership.apply({ tag: TAG.CUT, ends }, world.by(1, region), world.applied)
    }
    const asWire = (vector: VersionVector | undefined) => vector?.toWire()
    const [one, two, three] = [world.origin(1), world.origin(2), world.origin(3)]
    const read = Membership.decode(new ByteReader(bytesOf(membership)), world.origins)
    const adopted = new Membership()
    adopted.become(read, world.applied)
    for (const any of [membership, read, adopted].map(({ announcedByAny }) => announcedByAny)) {
      expect([any!.get(one), any!.get(two)]).toEqual([7, 9])
    }
    expect(asWire(membership.announcedByAll([one, two], world.applied))).toEqual([
      [one.id, 4],
      [two.id, 5],
    ])
    expect(membership.announcedByAll([one, two, three], world.applied)).toBeUndefined()
  })
})

/** A membership with something of everything, and with the widest numbers. */
function full(): World {
  const world = withoutModes()
  world.changeMode(1023, 'passive', 2 ** 40 + 1)
  world.changeMode(3, 'active', 2)
  return world
}

function withoutModes(): World {
  const world = new World()
  world.change(1023, 'left', 2 ** 40, world.by(2 ** 50))
  world.change(3, 'suspended', 1)
  world.applied.advance(world.origin(2, 1), 2 ** 45)
  world.fence(world.origin(2, 1), world.by(2 ** 33))
  world.fence(world.origin(2, 2), world.by(2))
  world.seal(world.origin(3, 1), 0, world.by(3))
  world.seal(world.origin(3, 2), 2 ** 52, world.by(4))
  world.membership.remint({ origin: world.origin(3, 2), seq: 2 ** 52 + 3 })
  return world
}

/** A region, a fence, a seal, an op minted again and a cut, as they were written before regions had modes. */
const BEFORE_MODES =
  '010201420677733a2f2f620003010e312d30303030303030303030306101010e322d303030303030303030303062000e' +
  '312d30303030303030303030306102010e322d303030303030303030303063090e312d30303030303030303030306103' +
  '010e322d3030303030303030303030630b010e312d303030303030303030303061010e312d3030303030303030303030' +
  '6103'

function bytesOf(membership: Membership): Uint8Array {
  const out = new ByteWriter()
  membership.encode(out)
  return out.bytes.slice(0, out.at)
}

describe('as bytes', () => {
  it('comes back as it was, in a table of origins that knows none of them', () => {
    const { membership } = full()
    const bytes = bytesOf(membership)
    const read = Membership.decode(new ByteReader(bytes), new OriginTable())
    expect(bytesOf(read)).toEqual(bytes)
    expect([...read.regions.values()].map(({ by, ...record }) => record)).toEqual(
      [...membership.regions.values()].map(({ by, ...record }) => record),
    )
    expect([...read.seals].map(([{ id }, { end }]) => [id, end])).toEqual([
      ['3-000000000001', 0],
      ['3-000000000002', 2 ** 52],
    ])
    expect([...read.fences].map(([{ id }, { limit }]) => [id, limit])).toEqual([
      ['2-000000000001', 2 ** 45],
      ['2-000000000002', 0],
    ])
    expect([1023, 3, 2].map((id) => [read.modeOf(id), read.modeEpochOf(id)])).toEqual([
      ['passive', 2 ** 40 + 1],
      ['active', 2],
      ['active', 0],
    ])
  })

  it('from before regions had modes is read: all are active', () => {
    const read = Membership.decode(new ByteReader(Buffer.from(BEFORE_MODES, 'hex')), new OriginTable())
    expect([read.statusOf(2), read.epochOf(2), read.modeOf(2)]).toEqual(['member', 3, 'active'])
    expect([...read.fences.keys()].map(({ id }) => id)).toEqual(['2-00000000000b'])
    expect([...read.seals].map(([{ id }, { end }]) => [id, end])).toEqual([['2-00000000000c', 9]])
    // Nothing but the count of modes, which is none, comes to it.
    expect(Buffer.from(bytesOf(read)).toString('hex')).toBe(`${BEFORE_MODES}00`)
    expect(() =>
      Membership.decode(new ByteReader(Buffer.from(`${BEFORE_MODES}01`, 'hex')), new OriginTable()),
    ).toThrow(DecodeError)
    expect(() =>
      Membership.decode(new ByteReader(Buffer.from(`${BEFORE_MODES}01020200`, 'hex')), new OriginTable()),
    ).toThrow('an unknown mode of a region')
  })

  it('cut off anywhere, or changed anywhere, is refused or read, and nothing else happens', () => {
    const bytes = bytesOf(full().membership)
    const read = (damaged: Uint8Array): void => {
      try {
        Membership.decode(new ByteReader(damaged), new OriginTable())
      } catch (error) {
        expect(error).toBeInstanceOf(DecodeError)
      }
    }
    // Their count is one byte; what ends before it is from before there were any.
    const beforeModes = bytesOf(withoutModes().membership).length - 1
    for (let length = 0; length < bytes.length; length++) {
      if (length === beforeModes) continue
      expect(() => Membership.decode(new ByteReader(bytes.subarray(0, length)), new OriginTable())).toThrow(
        DecodeError,
      )
    }
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, to) => {
        const damaged = bytes.slice()
        damaged[at] = to
        read(damaged)
      }),
      { numRuns: 1000 },
    )
  })
})

describe('taken over from a snapshot', () => {
  it('keeps fences at what this node has applied, if that is more', () => {
    const { membership, applied, origins } = full()
    const mine = new Membership()
    let told = 0
    mine.onChange = () => told++
    const own = new VersionVector(origins)
    own.advance(origins.intern('2-000000000002'), 7)
    mine.become(membership, own)
    expect(told).toBe(1)
    expect(mine.limitOf(origins.intern('2-000000000001'))).toBe(applied.get(origins.intern('2-000000000001')))
    expect(mine.limitOf(origins.intern('2-000000000002'))).toBe(7)
    expect(mine.remintedTo(origins.intern('3-000000000002'))).toBe(2 ** 52 + 3)
    expect(mine.statusOf(1023)).toBe('left')
    expect(mine.modeOf(1023)).toBe('passive')
    mine.become(new Membership(), own)
    expect(mine.modeOf(1023)).toBe('active')
  })
})

it('tells of every change', () => {
  const world = new World()
  let told = 0
  world.membership.onChange = () => told++
  const effects: readonly HorizonEffect[] = [
    { tag: TAG.REGION, regionId: 2, name: 'B', url: '', status: 'left', epoch: 1 },
    { tag: TAG.FENCE, origin: world.origin(2) },
    { tag: TAG.SEAL, origin: world.origin(2), end: 3 },
    { tag: TAG.MODE, regionId: 2, mode: 'passive', epoch: 1 },
  ]
  effects.forEach((effect, i) => {
    world.membership.apply(effect, world.by(i + 1), world.applied)
    expect(told).toBe(i + 1)
  })
})
