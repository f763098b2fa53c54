/**
 * steps.test.ts: whatever happens to machines and placements, nothing is lost, and in the end all is as it should be.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { rebalance } from '../../../../region-node/placement/layout.ts'
import { Prng } from '../../../harness/prng.ts'
import { PlacedRegion, REBUILD_AFTER_MS, TURN_MS } from './placed-region.ts'

const COPIES = 2
/** Whatever has to be waited for comes within so many turns. */
const QUIET_TURNS = 20
/** By then whatever was begun is done: some rebuildings one after the other, and all that they bring with them. */
const SETTLING_TURNS = 400

type Happening =
  | { readonly what: 'crash' | 'come back'; readonly machine: number }
  | { readonly what: 'move'; readonly partition: number; readonly copy: number; readonly to: number }
  | { readonly what: 'rebalance' | 'new controller' | 'drain' | 'take'; readonly machine: number }
  | { readonly what: 'wait'; readonly turns: number }

const machine = fc.nat(4)
const happening: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ what: fc.constant('crash' as const), machine }) },
  { weight: 3, arbitrary: fc.record({ what: fc.constant('come back' as const), machine }) },
  {
    weight: 4,
    arbitrary: fc.record({
      what: fc.constant('move' as const),
      partition: fc.nat(3),
      copy: fc.nat(COPIES - 1),
      to: machine,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      what: fc.constantFrom(
        'rebalance' as const,
        'new controller' as const,
        'drain' as const,
        'take' as const,
      ),
      machine,
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ what: fc.constant('wait' as const), turns: fc.integer({ min: 1, max: 12 }) }),
  },
)

const FORMER_PRIMARY_COMES_BACK: Happening[] = [
  { what: 'move', partition: 3, copy: 1, to: 0 },
  { what: 'wait', turns: 3 },
  { what: 'come back', machine: 1 },
  { what: 'wait', turns: 3 },
  { what: 'crash', machine: 0 },
]

function newRegion(seed: number): PlacedRegion {
  const region = new PlacedRegion(new Prng(seed), ['a', 'a', 'b', 'b', 'c'], 4, COPIES)
  for (let turn = 0; turn < 10; turn++) region.turn()
  return region
}

class Operator {
  readonly #region: PlacedRegion
  readonly takes: Set<string>

  constructor(region: PlacedRegion) {
    this.#region = region
    this.takes = new Set(region.machines.map(({ name }) => name))
  }

  do(one: Happening): void {
    const region = this.#region
    if (one.what === 'wait') for (let turn = 0; turn < one.turns; turn++) region.turn()
    else if (one.what === 'move') this.#move(one.partition, one.copy, one.to)
    else if (one.what === 'rebalance') this.#rebalance()
    else if (one.what === 'new controller') region.changeController()
    else this.#machine(one.what, one.machine)
  }

  /** Something small, at a bad moment. */
  meddle(prng: Prng): void {
    const at = prng.below(this.#region.machines.length)
    if (prng.below(2) === 0) this.#move(prng.below(this.#region.partitions), prng.below(COPIES), at)
    else this.#machine(this.#region.machines[at]!.isUp ? 'crash' : 'come back', at)
  }

  #machine(what: 'crash' | 'come back' | 'drain' | 'take', at: number): void {
    const region = this.#region
    const one = region.machines[at]!
    if (what === 'crash' && one.isUp) region.crash(one)
    if (what === 'come back' && !one.isUp) region.comeBack(one)
    if (what === 'take') this.takes.add(one.name)
    if (what === 'drain' && this.takes.size > COPIES) this.takes.delete(one.name)
    region.takesCopies([...this.takes])
    if (what === 'drain') this.#rebalance()
  }

  #move(partition: number, copy: number, to: number): void {
    const from = this.#region.placement(partition).machines[copy]!
    this.#region.move(partition, from, this.#region.machines[to]!.name)
  }

  #rebalance(): void {
    const region = this.#region
    const now = Array.from(
      { length: region.partitions },
      (_, partition) => region.placement(partition).machines,
    )
    const sites = region.machines.filter(({ name }) => this.takes.has(name))
    region.place(rebalance(now, COPIES, sites))
  }
}

function settle(region: PlacedRegion): void {
  let quietTurns = 0
  for (let turn = 0; turn < SETTLING_TURNS && quietTurns < QUIET_TURNS; turn++)
    quietTurns = region.turn() ? 0 : quietTurns + 1
}

function expectSettled(region: PlacedRegion): void {
  const story = region.notes.slice(-60).join('\n')
  expect(region.faults, story).toEqual([])
  for (let partition = 0; partition < region.partitions; partition++) {
    const { machines, leaving } = region.placement(partition)
    const copies = region.copiesOf(partition)
    expect({ leaving, holders: [...copies.keys()].sort() }, story).toEqual({
      leaving: [],
      holders: [...machines].sort(),
    })
    expect(machines).toHaveLength(COPIES)
    const ids = machines.map((name) => copies.get(name)!.nodeId)
    const state = region.state(partition)!
    expect(state.primary, story).toBe(ids[0])
    expect([...state.inSync].sort(), story).toEqual([...ids].sort())
    expect([...state.members].sort(), story).toEqual([...ids].sort())
  }
}

describe('whatever happens', () => {
  it('nothing acknowledged is lost, and all is settled when all machines are back', () => {
    fc.assert(
      fc.property(fc.nat(), fc.array(happening, { maxLength: 40 }), (seed, happenings) => {
        const region = newRegion(seed)
        const operator = new Operator(region)
        const meanwhile = new Prng(seed)
        region.meanwhile = () => operator.meddle(meanwhile)
        for (const one of happenings) operator.do(one)
        region.meanwhile = () => {}
        for (const one of region.machines) if (!one.isUp) region.comeBack(one)
        settle(region)
        expectSettled(region)
        for (const [partition, writes] of region.acknowledged.entries())
          expect([...region.primaryOf(partition)!.writes].sort(), region.notes.join('\n')).toEqual(
            writes.sort(),
          )
      }),
      // A former primary was let go before it had handed up what it had.
      { numRuns: 60, examples: [[16, FORMER_PRIMARY_COMES_BACK]] },
    )
  })
})

describe('a machine that never comes back', () => {
  it('is replaced, and forgotten', () => {
    fc.assert(
      fc.property(fc.nat(), machine, (seed, at) => {
        const region = newRegion(seed)
        region.crash(region.machines[at]!)
        settle(region)
        region.machines[at]!.disk.clear()
        expectSettled(region)
      }),
      { numRuns: 20 },
    )
  })

  it('is not replaced before its time', () => {
    const region = newRegion(1)
    region.crash(region.machines[0]!)
    const before = region.notes.length
    for (let ms = 0; ms < REBUILD_AFTER_MS; ms += TURN_MS) region.turn()
    expect(region.notes.slice(before).join()).not.toContain('rebuild')
  })
})
