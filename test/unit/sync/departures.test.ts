/**
 * departures.test.ts: a lone write leaves at once, and no two messages within the linger of each other.
 */
import { describe, expect, it } from 'vitest'
import { Departures } from '../../../sync/departures.ts'
import { ManualClock } from '../../harness/manual-clock.ts'

const LINGER_MS = 10
const OPS_MAX = 5

function station(lingerMs = LINGER_MS) {
  const clock = new ManualClock()
  const leftAtMs: number[] = []
  const departures = new Departures({
    env: clock,
    settings: { lingerMs, lingerOpsMax: OPS_MAX },
    depart: () => leftAtMs.push(clock.monoMs()),
  })
  departures.begin()
  clock.advance(100)
  return { clock, departures, leftAtMs }
}

describe('departures', () => {
  it('come at once after a pause', () => {
    const { clock, departures, leftAtMs } = station()
    departures.logged(1)
    clock.advance(LINGER_MS)
    departures.logged(1)
    expect(leftAtMs).toEqual([100, 100 + LINGER_MS])
  })

  it('are a linger apart, and then take all that has come', () => {
    const { clock, departures, leftAtMs } = station()
    for (let i = 0; i < 25; i++) {
      departures.logged(1)
      clock.advance(3)
    }
    clock.advance(100)
    expect(leftAtMs).toEqual([100, 110, 120, 130, 140, 150, 160, 170, 180])
  })

  it('do not wait when there is company enough, and count anew then', () => {
    const { clock, departures, leftAtMs } = station()
    departures.logged(1)
    clock.advance(1)
    departures.logged(OPS_MAX - 1)
    expect(leftAtMs).toEqual([100])
    departures.logged(1)
    departures.logged(OPS_MAX - 1)
    expect(leftAtMs).toEqual([100, 101])
    clock.advance(LINGER_MS)
    expect(leftAtMs).toEqual([100, 101, 111])
  })

  it('happen now for who cannot wait, and what waited goes with it', () => {
    const { clock, departures, leftAtMs } = station()
    departures.logged(1)
    departures.logged(1)
    clock.advance(2)
    departures.now()
    clock.advance(100)
    expect(leftAtMs).toEqual([100, 102])
  })

  it('take what is no op in a later turn, or with the next ops', () => {
    const { clock, departures, leftAtMs } = station()
    departures.soon()
    expect(leftAtMs).toEqual([])
    clock.advance(0)
    expect(leftAtMs).toEqual([100])
    departures.soon()
    departures.logged(1)
    clock.advance(100)
    expect(leftAtMs).toEqual([100, 110])
  })

  it('follow every turn without a linger', () => {
    const { departures, leftAtMs } = station(0)
    for (let i = 0; i < 3; i++) departures.logged(1)
    expect(leftAtMs).toEqual([100, 100, 100])
  })

  it('end with the mesh', () => {
    const { clock, departures, leftAtMs } = station()
    departures.logged(1)
    departures.logged(1)
    departures.stop()
    departures.logged(OPS_MAX)
    departures.now()
    clock.advance(100)
    expect(leftAtMs).toEqual([100])
  })
})
