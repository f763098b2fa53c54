/**
 * cut-lag.test.ts: for how long the cut has stood behind what was applied.
 */
import { expect, it } from 'vitest'
import { OriginTable } from '../../../crdt/origin.ts'
import { VersionVector } from '../../../crdt/version-vector.ts'
import { CutLag } from '../../../sync/cut-lag.ts'

const origins = new OriginTable()

function at(a: number, b = 0): VersionVector {
  return VersionVector.fromWire(origins, [
    ['1-00000000000a', a],
    ['2-00000000000b', b],
  ])
}

it('is nothing while the cut has reached everything', () => {
  const lag = new CutLag()
  expect(lag.lagMs(50)).toBe(0)
  lag.look(at(3), at(3), 1000)
  expect(lag.lagMs(1500)).toBe(0)
})

it('grows while the cut stands still, though more is applied all the time', () => {
  const lag = new CutLag()
  for (let second = 1; second <= 10; second++) lag.look(at(second), at(0), second * 1000)
  expect(lag.lagMs(10_000)).toBe(9000)
})

it('is the age of the oldest state that the cut has not reached', () => {
  const lag = new CutLag()
  lag.look(at(1), at(0), 1000)
  lag.look(at(2), at(0), 2000)
  lag.look(at(3), at(1), 3000)
  expect(lag.lagMs(3000)).toBe(1000)
  lag.look(at(3), at(2), 4000)
  expect(lag.lagMs(4500)).toBe(1500)
  lag.look(at(3), at(3), 5000)
  expect(lag.lagMs(5000)).toBe(0)
})

it('keeps the oldest through a long wait', () => {
  const lag = new CutLag()
  for (let second = 1; second <= 10_000; second++) lag.look(at(second), at(0), second * 1000)
  expect(lag.lagMs(10_000_000)).toBe(9_999_000)
  lag.look(at(10_000), at(5000), 10_000_000)
  expect(lag.lagMs(10_000_000)).toBeGreaterThan(0)
  expect(lag.lagMs(10_000_000)).toBeLessThanOrEqual(5_000_000)
})

it('is not taken in by a higher count of other ops', () => {
  const lag = new CutLag()
  lag.look(at(10, 10), at(5, 50), 1000)
  lag.look(at(10, 50), at(5, 50), 2000)
  expect(lag.lagMs(3000)).toBe(2000)
})

it('does not wait for ops that do not count any more, behind the end of a sealed origin', () => {
  const lag = new CutLag()
  lag.look(at(4, 9), at(4, 5), 1000)
  lag.look(at(4, 7), at(4, 7), 2000)
  expect(lag.lagMs(2000)).toBe(0)
})
