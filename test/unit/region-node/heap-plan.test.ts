/**
 * heap-plan.test.ts: the heap of large and small machines, with and without maxmemory.
 */
import { describe, expect, it } from 'vitest'
import { planHeap } from '../../../region-node/heap-plan.ts'
import { HEAP_SHARE } from '../../../region-node/memory-watch.ts'

const MB = 2 ** 20
const GB = 2 ** 30

describe('the heap', () => {
  it('holds maxmemory and a reserve below the share where clients are refused', () => {
    for (const maxMemory of [MB, 100 * MB, GB, 64 * GB]) {
      const { oldBytes } = planHeap(maxMemory, 8 * GB)
      expect(oldBytes * HEAP_SHARE).toBeGreaterThanOrEqual(maxMemory + 256 * MB)
      expect(oldBytes).toBeLessThan(maxMemory * 1.2 + 512 * MB)
    }
  })

  it('is most of the machine without maxmemory', () => {
    expect(planHeap(0, 8 * GB)).toEqual({
      oldBytes: 6 * GB,
      semiSpaceBytes: 64 * MB,
      oldBytesStart: 256 * MB,
    })
    expect(planHeap(0, 100 * MB).oldBytes).toBe(256 * MB)
  })

  it('has a young generation that a small machine can bear', () => {
    expect(planHeap(0, 512 * MB).semiSpaceBytes).toBe(16 * MB)
    expect(planHeap(0, 512 * MB).oldBytesStart).toBe(64 * MB)
    expect(planHeap(0, 1.5 * GB).semiSpaceBytes).toBe(32 * MB)
    expect(planHeap(0, 100 * GB).semiSpaceBytes).toBe(64 * MB)
  })

  it('leaves little of maxmemory to garbage', () => {
    expect(planHeap(100 * MB, 8 * GB).oldBytesStart).toBe(64 * MB)
    expect(planHeap(2 * GB, 8 * GB).oldBytesStart).toBe(128 * MB)
    expect(planHeap(32 * GB, 64 * GB).oldBytesStart).toBe(256 * MB)
  })
})
