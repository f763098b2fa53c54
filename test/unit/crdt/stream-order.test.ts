/**
 * stream-order.test.ts: items in the order of their ids, against a sorted array that does the same slowly.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { IdOrder } from '../../../crdt/stream-order.ts'

interface Item {
  readonly ms: number
  readonly sequence: number
  readonly rank: number
}

const byAll = (a: Item, b: Item): number => a.ms - b.ms || a.sequence - b.sequence || a.rank - b.rank
const INFINITY = Number.POSITIVE_INFINITY

const item = fc.record({ ms: fc.nat({ max: 40 }), sequence: fc.nat({ max: 6 }), rank: fc.nat({ max: 2 }) })
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('add' as const), item }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('remove' as const), item }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('take' as const), item, odd: fc.boolean() }) },
)

function check(order: IdOrder<Item>, model: readonly Item[], one: Item): void {
  const low = { ms: Math.max(0, one.ms - 5), sequence: one.sequence }
  const within = model.filter((each) => byAll({ ...low, rank: 0 }, each) <= 0 && !isAbove(each, one))
  expect([...order]).toEqual(model)
  expect(order.size).toBe(model.length)
  expect(order.first).toEqual(model[0])
  expect(order.last).toEqual(model.at(-1))
  expect(order.range(low, one, INFINITY)).toEqual(within)
  expect(order.range(low, one, 3)).toEqual(within.slice(0, 3))
  expect(order.rangeBack(low, one, INFINITY)).toEqual([...within].reverse())
  expect(order.rangeBack(low, one, 2)).toEqual([...within].reverse().slice(0, 2))
  expect(order.find(one)).toEqual(model.find((each) => byAll(each, one) === 0))
  expect(order.at(one)).toEqual(model.find((each) => each.ms === one.ms && each.sequence === one.sequence))
  expect(order.after(one)).toEqual(model.find((each) => byAll(each, one) > 0))
  expect(order.from(one)).toEqual(model.find((each) => byAll(each, { ...one, rank: 0 }) >= 0))
  const below = order.countBelow(one)
  expect(below).toBe(model.filter((each) => byAll(each, { ...one, rank: 0 }) < 0).length)
  expect(order.nth(below)).toEqual(model[below])
  expect(order.nth(model.length)).toBeUndefined()
}

function isAbove(each: Item, id: Item): boolean {
  return each.ms - id.ms > 0 || (each.ms === id.ms && each.sequence > id.sequence)
}

describe('items by id', () => {
  it('are found, ranged, removed and taken as from a sorted array', () => {
    fc.assert(
      fc.property(
        fc.array(item, { maxLength: 700 }),
        fc.array(step, { minLength: 1, maxLength: 40 }),
        (begin, steps) => {
          const order = new IdOrder<Item>((a, b) => a.rank - b.rank)
          let model: Item[] = []
          const put = (one: Item) => {
            order.add(one)
            model = [...model.filter((each) => byAll(each, one) !== 0), one].sort(byAll)
          }
          for (const one of begin) put(one)
          for (const { kind, item: one, ...rest } of steps) {
            if (kind === 'add') {
              put(one)
            } else if (kind === 'remove') {
              const known = model.find((each) => byAll(each, one) === 0)
              expect(order.remove(one)).toEqual(known)
              model = model.filter((each) => each !== known)
            } else {
              const isTaken = (each: Item) => !('odd' in rest && rest.odd) || each.sequence % 2 === 1
              const taken: Item[] = []
              order.takeUpTo(one, isTaken, (each) => taken.push(each))
              const gone = model.filter((each) => byAll(each, one) <= 0 && isTaken(each))
              expect(taken).toEqual(gone)
              model = model.filter((each) => !gone.includes(each))
            }
            check(order, model, one)
          }
        },
      ),
      { numRuns: 60 },
    )
  })

  it('at the beginning of a long order go in one step, whole blocks of them', () => {
    const order = new IdOrder<Item>(() => 0)
    for (let ms = 0; ms < 10_000; ms++) order.add({ ms, sequence: 0, rank: 0 })
    let count = 0
    order.takeUpTo(
      { ms: 9000, sequence: 0, rank: 0 },
      () => true,
      () => count++,
    )
    expect(count).toBe(9001)
    expect(order.first?.ms).toBe(9001)
    expect(order.size).toBe(999)
  })
})
