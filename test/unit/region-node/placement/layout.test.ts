/**
 * layout.test.ts: copies of partitions on machines: never two on one, zones apart, even numbers, few moves.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Layout,
  loadsOf,
  rebalance,
  type Site,
  siteFor,
  spread,
  without,
} from '../../../../region-node/placement/layout.ts'

const RUNS = { numRuns: 300 }

interface Case {
  readonly sites: readonly Site[]
  readonly copies: number
  readonly partitions: number
}

/** @param zones  how many there are at most; 0: none are given */
function cases(zones: number): fc.Arbitrary<Case> {
  const machines = fc.array(fc.integer({ min: 0, max: Math.max(0, zones - 1) }), {
    minLength: 1,
    maxLength: 8,
  })
  return machines
    .map((places) =>
      places.map((place, at): Site => ({ name: `m${at}`, zone: zones === 0 ? '' : `z${place}` })),
    )
    .chain((sites) =>
      fc.record({
        sites: fc.constant(sites),
        copies: fc.integer({ min: 1, max: Math.min(4, sites.length) }),
        partitions: fc.constantFrom(1, 2, 4, 8, 16),
      }),
    )
}

/** Any layout, however bad: of machines that are sites, and of others. */
function layouts({ sites, copies, partitions }: Case): fc.Arbitrary<string[][]> {
  const names = [...sites.map(({ name }) => name), 'gone-1', 'gone-2', 'gone-3', 'gone-4']
  return fc.array(fc.shuffledSubarray(names, { minLength: copies, maxLength: copies }), {
    minLength: partitions,
    maxLength: partitions,
  })
}

const withLayout = (zones: number) => cases(zones).chain((one) => fc.tuple(fc.constant(one), layouts(one)))

function expectLawful(layout: Layout, { sites, copies, partitions }: Case): void {
  expect(layout).toHaveLength(partitions)
  for (const names of layout) {
    expect(new Set(names).size, names.join()).toBe(copies)
    const counts = countsIn(names, sites)
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(copies)
    // As even as possible: no copy could go to a zone with two less that has a machine to spare.
    const sizes = zoneNames(sites).map((zone) => sites.filter((site) => site.zone === zone).length)
    for (const [to, count] of counts.entries())
      if (count < sizes[to]!) expect(Math.max(...counts), names.join()).toBeLessThanOrEqual(count + 1)
  }
}

const zoneNames = (sites: readonly Site[]): string[] => [...new Set(sites.map(({ zone }) => zone))]

const countsIn = (names: readonly string[], sites: readonly Site[]): number[] =>
  zoneNames(sites).map(
    (zone) => names.filter((name) => sites.some((site) => site.name === name && site.zone === zone)).length,
  )

const unevenness = (layout: Layout, sites: readonly Site[]): number => {
  const loads = sites.map(({ name }) => loadsOf(layout).get(name) ?? 0)
  return Math.max(...loads) - Math.min(...loads)
}

const primaries = (layout: Layout): Layout => layout.map((names) => names.slice(0, 1))

const movesOf = (before: Layout, after: Layout): number =>
  after.flatMap((names, partition) => names.filter((name) => !before[partition]!.includes(name))).length

describe('spread', () => {
  it('keeps copies apart, in machines and zones', () => {
    fc.assert(
      fc.property(cases(4), (one) => {
        expectLawful(spread(one.partitions, one.copies, one.sites), one)
      }),
      RUNS,
    )
  })

  it('gives every machine as much as any other, of copies and of primaries', () => {
    fc.assert(
      fc.property(cases(0), (one) => {
        const layout = spread(one.partitions, one.copies, one.sites)
        expect(unevenness(layout, one.sites)).toBeLessThanOrEqual(1)
        expect(unevenness(primaries(layout), one.sites)).toBeLessThanOrEqual(1)
      }),
      RUNS,
    )
  })

  it('pairs a machine with many others, so that no single one inherits all that it leaves', () => {
    const sites = Array.from({ length: 6 }, (_, at) => ({ name: `m${at}`, zone: '' }))
    const heirs = spread(64, 2, sites).flatMap(([first, second]) => (first === 'm0' ? [second] : []))
    expect(new Set(heirs).size).toBe(5)
  })

  it('is done in a moment for the largest region', () => {
    const sites = Array.from({ length: 30 }, (_, at) => ({ name: `m${at}`, zone: `z${at % 3}` }))
    const layout = spread(1024, 3, sites)
    expectLawful(layout, { sites, copies: 3, partitions: 1024 })
    expect(unevenness(layout, sites)).toBeLessThanOrEqual(1)
  })
})

describe('rebalance', () => {
  it('makes any layout lawful and even, and then leaves it alone', () => {
    fc.assert(
      fc.property(withLayout(3), ([one, before]) => {
        const after = rebalance(before, one.copies, one.sites)
        expectLawful(after, one)
        expect(rebalance(after, one.copies, one.sites)).toEqual(after)
      }),
      RUNS,
    )
  })

  it('is as even as the machines let it be, primaries as well', () => {
    fc.assert(
      fc.property(withLayout(0), ([one, before]) => {
        const after = rebalance(before, one.copies, one.sites)
        expect(unevenness(after, one.sites)).toBeLessThanOrEqual(1)
        expect(unevenness(primaries(after), one.sites)).toBeLessThanOrEqual(1)
      }),
      RUNS,
    )
  })

  it('moves what a new machine is to have, and nothing else', () => {
    fc.assert(
      fc.property(cases(0), (one) => {
        const before = spread(one.partitions, one.copies, one.sites)
        const sites = [...one.sites, { name: 'new', zone: '' }]
        const after = rebalance(before, one.copies, sites)
        const share = Math.floor((one.partitions * one.copies) / sites.length)
        expect(movesOf(before, after)).toBe(loadsOf(after).get('new') ?? 0)
        expect(movesOf(before, after)).toBe(share)
      }),
      RUNS,
    )
  })

  it('moves as little as any layout that is as even: tried out one by one', () => {
    const small = fc
      .record({
        sites: fc.array(fc.constantFrom('a', 'b'), { minLength: 2, maxLength: 4 }),
        partitions: fc.constantFrom(1, 2, 3),
      })
      .map(({ sites, partitions }) => ({
        sites: sites.map((zone, at): Site => ({ name: `m${at}`, zone })),
        copies: 2,
        partitions,
      }))
      .chain((one) => fc.tuple(fc.constant(one), layouts(one)))
    fc.assert(
      fc.property(small, ([one, before]) => {
        const after = rebalance(before, one.copies, one.sites)
        const best = cheapest(one, before)
        expect([squares(after), movesOf(before, after)]).toEqual(best)
      }),
      { numRuns: 100 },
    )
  })
})

const squares = (layout: Layout): number =>
  [...loadsOf(layout).values()].reduce((sum, load) => sum + load * load, 0)

/** Of all lawful layouts: evenness first, then moves. */
function cheapest({ sites, partitions }: Case, before: Layout): [number, number] {
  const isApart = new Set(sites.map(({ zone }) => zone)).size > 1
  const pairs = sites.flatMap((one, at) =>
    sites
      .slice(at + 1)
      .flatMap((other) => (isApart && one.zone === other.zone ? [] : [[one.name, other.name]])),
  )
  let all: string[][][] = [[]]
  for (let at = 0; at < partitions; at++) all = all.flatMap((head) => pairs.map((pair) => [...head, pair]))
  const costs = all.map((layout): [number, number] => [squares(layout), movesOf(before, layout)])
  return costs.reduce((best, cost) =>
    cost[0] < best[0] || (cost[0] === best[0] && cost[1] < best[1]) ? cost : best,
  )
}

describe('primaries', () => {
  it('become even by as few changes as can be, also where each only helps the next', () => {
    // A ring: the only ways from m0, which has one too many, to m4, which has one too few, are of four changes.
    const sites = Array.from({ length: 8 }, (_, at) => ({ name: `m${at}`, zone: '' }))
    const primary = [0, 0, 1, 1, 2, 2, 3, 3, 4, 5, 5, 6, 6, 7, 7, 0]
    const before = primary.map((first, partition) => {
      const at = Math.floor(partition / 2)
      const ends = [at, (at + 1) % 8]
      return [`m${first}`, `m${ends.find((end) => end !== first)}`]
    })
    const after = rebalance(before, 2, sites)
    expect(movesOf(before, after)).toBe(0)
    expect(unevenness(primaries(before), sites)).toBe(2)
    expect(unevenness(primaries(after), sites)).toBe(0)
    expect(after.filter(([first], partition) => first !== before[partition]![0])).toHaveLength(4)
  })
})

describe('primaries of any layout', () => {
  it('change as little as any that are as even: tried out one by one', () => {
    const small = cases(0)
      .filter(({ partitions, copies }) => copies ** partitions <= 300)
      .chain((one) => fc.tuple(fc.constant(one), layouts(one)))
    fc.assert(
      fc.property(small, ([one, before]) => {
        const after = rebalance(before, one.copies, one.sites)
        const firsts = primaries(after).flat()
        const changes = (names: readonly string[]): number =>
          names.filter((name, partition) => name !== before[partition]![0]).length
        const best = choices(after)
          .map((names): [number, number] => [squares([names]), changes(names)])
          .reduce((least, cost) =>
            cost[0] < least[0] || (cost[0] === least[0] && cost[1] < least[1]) ? cost : least,
          )
        expect([squares([firsts]), changes(firsts)]).toEqual(best)
      }),
      RUNS,
    )
  })
})

/** Every way to choose one of each. */
function choices(layout: Layout): string[][] {
  return layout.reduce<string[][]>(
    (heads, names) => heads.flatMap((head) => names.map((name) => [...head, name])),
    [[]],
  )
}

describe('a machine that is drained', () => {
  it('loses all copies to others, and no other copy moves', () => {
    fc.assert(
      fc.property(cases(3), (one) => {
        const before = spread(one.partitions, one.copies, one.sites)
        const after = without('m0', before, one.sites)
        if (one.copies === one.sites.length) {
          expect(after).toBeUndefined()
          return
        }
        expect(movesOf(before, after!)).toBe(loadsOf(before).get('m0') ?? 0)
        expect(after!.flat()).not.toContain('m0')
        for (const names of after!) expect(new Set(names).size).toBe(one.copies)
        const left = one.sites.slice(1)
        if (zoneNames(left).length >= one.copies)
          for (const names of after!) expect(Math.max(...countsIn(names, left))).toBe(1)
      }),
      RUNS,
    )
  })
})

describe('the machine for a copy that was lost', () => {
  const sites: Site[] = [
    { name: 'm1', zone: 'a' },
    { name: 'm2', zone: 'a' },
    { name: 'm3', zone: 'b' },
    { name: 'm4', zone: 'b' },
  ]
  const loads = new Map([['m3', 5]])
  const load = (name: string): number => loads.get(name) ?? 0

  it('is in a zone without a copy, and the one that has least to do there', () => {
    expect(siteFor([sites[0]!], sites, load)?.name).toBe('m4')
  })

  it('is in the zone of another copy when no other is left', () => {
    expect(siteFor([sites[2]!], sites.slice(2), load)?.name).toBe('m4')
  })

  it('is none that has a copy', () => {
    expect(siteFor(sites, sites, load)).toBeUndefined()
  })
})
