/**
 * subscription.test.ts: what a subscriber is sent from the log, and what is left out.
 */
import { describe, expect, it } from 'vitest'
import type { Origin } from '../../../crdt/origin.ts'
import { OpsFrames } from '../../../sync/ops-frame.ts'
import { Subscription } from '../../../sync/subscription.ts'
import { ManualClock } from '../../harness/manual-clock.ts'
import { MemoryHost } from '../../harness/memory-host.ts'

function host(): MemoryHost {
  return new MemoryHost(new ManualClock(), 'A', 1)
}

const every = (): boolean => true

function readAll(subscription: Subscription, bytesMax = 1): { records: number; ops: number } {
  let records = 0
  let ops = 0
  while (!subscription.caughtUp) {
    const slice = subscription.next(bytesMax)
    records += slice.records.length
    ops += slice.opCount
  }
  return { records, ops }
}

describe('subscription', () => {
  it('begins where the vector ends, and counts only what is new of a batch covered in part', () => {
    const a = host()
    for (let i = 0; i < 5; i++) a.write(2)
    const subscription = new Subscription(a.log, a.applied, [[a.origin.id, 5]], every)
    expect(readAll(subscription)).toEqual({ records: 3, ops: 5 })
    a.write()
    expect(readAll(subscription)).toEqual({ records: 1, ops: 1 })
  })

  it('leaves out what came behind the end of its origin, and counts for nothing here', () => {
    const a = host()
    a.write(2)
    a.write(3)
    const counted = a.applied.copy()
    counted.retreat(a.origin, 2)
    const subscription = new Subscription(a.log, counted, [], every)
    expect(readAll(subscription)).toEqual({ records: 1, ops: 2 })
  })

  it('leaves out regions that are not wanted, and what the puller has from elsewhere', () => {
    const a = host()
    const own: Origin = a.origin
    a.write(3)
    a.origin = a.origins.intern('2-00000000000a')
    a.write(3)
    const wanted = new Subscription(a.log, a.applied, [], (region) => region === 2)
    expect(readAll(wanted)).toEqual({ records: 1, ops: 3 })
    const supplied = new Subscription(a.log, a.applied, [], every)
    supplied.has(own, 3)
    expect(readAll(supplied)).toEqual({ records: 1, ops: 3 })
    const satisfied = new Subscription(a.log, a.applied, [], every)
    satisfied.hasAll(a.applied)
    expect(readAll(satisfied)).toEqual({ records: 0, ops: 0 })
  })

  it('shares one message between links that send the same records', () => {
    const a = host()
    const [first, second] = [a.write(), a.write()]
    const frames = new OpsFrames()
    const message = frames.of([first, second])
    expect(frames.of([first, second])).toBe(message)
    expect(frames.of([first])).not.toBe(message)
    expect(message.length).toBe(1 + first.length + second.length)
  })
})
