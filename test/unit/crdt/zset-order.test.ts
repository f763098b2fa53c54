/**
 * zset-order.test.ts: the counted tree against a sorted array, over enough members for several levels.
 */
import { describe, expect, it } from 'vitest'
import { ScoreOrder } from '../../../crdt/zset-order.ts'
import { Prng } from '../../harness/prng.ts'

type Pair = readonly [score: number, member: string]

function compare([a, x]: Pair, [b, y]: Pair): number {
  return a - b || (x < y ? -1 : x > y ? 1 : 0)
}

/** A tree and its dumb twin. */
class Twins {
  readonly order = new ScoreOrder()
  readonly pairs: Pair[] = []

  add(score: number, member: string): void {
    this.order.add(score, member)
    this.pairs.push([score, member])
  }

  removeAt(index: number): void {
    const [[score, member]] = this.pairs.splice(index, 1) as [Pair]
    this.order.remove(score, member)
  }

  check(prng: Prng): void {
    const sorted = [...this.pairs].sort(compare)
    const { order } = this
    expect(order.size).toBe(sorted.length)
    const { members, scores } = order.slice(0, order.size)
    expect(members.map((member, i) => [scores[i], member])).toEqual(sorted)
    for (let left = Math.min(20, sorted.length); left > 0; left--) {
      const rank = prng.below(sorted.length)
      const [score, member] = sorted[rank]!
      expect(order.rank(score, member)).toBe(rank)
      expect(order.memberAt(rank)).toBe(member)
      expect(order.countWhile((other) => other < score)).toBe(
        sorted.filter(([other]) => other < score).length,
      )
      expect(order.slice(rank, 5).members).toEqual(sorted.slice(rank, rank + 5).map(([, one]) => one))
    }
  }
}

describe('the order of scores', () => {
  it('is that of a sorted array, whatever comes and goes', () => {
    for (let seed = 1; seed <= 8; seed++) {
      const prng = new Prng(seed)
      const twins = new Twins()
      const range = prng.pick([3, 1000, 1_000_000])
      for (let phase = 0; phase < 6; phase++) {
        const grows = phase % 2 === 0
        for (let i = 0; i < 1500; i++) {
          if (prng.chance(grows ? 0.8 : 0.2)) twins.add(prng.below(range) / 4, `m${phase}:${i}`)
          else if (twins.pairs.length > 0) twins.removeAt(prng.below(twins.pairs.length))
        }
        twins.check(prng)
      }
    }
  })

  it('takes members at its end and loses them at its beginning, as queues do', () => {
    const prng = new Prng(1)
    const twins = new Twins()
    for (let i = 0; i < 6000; i++) {
      twins.add(i, `m${i}`)
      if (i > 500) twins.removeAt(0)
      if (i % 1000 === 0) twins.check(prng)
    }
    while (twins.pairs.length > 0) twins.removeAt(prng.chance(0.5) ? 0 : twins.pairs.length - 1)
    twins.check(prng)
    twins.add(1, 'after all were gone')
    twins.check(prng)
  })

  it('is empty where nothing is asked for', () => {
    const order = new ScoreOrder()
    expect([order.size, order.slice(0, 10).members, order.countWhile(() => true)]).toEqual([0, [], 0])
    order.add(1, 'a')
    expect(order.slice(1, 10).members).toEqual([])
    expect(order.slice(0, 0).members).toEqual([])
    expect(order.rank(1, 'b')).toBe(1)
  })
})
