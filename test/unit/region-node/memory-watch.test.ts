/**
 * memory-watch.test.ts: when readings are taken, when a collection is worth its time, when clients are refused.
 */
import { describe, expect, it } from 'vitest'
import {
  COLLECT_REST_FACTOR,
  COLLECT_REST_MS,
  HEAP_SHARE,
  LOOK_BYTES,
  LOOK_MS,
  MARGIN_SHARE,
  MemoryWatch,
} from '../../../region-node/memory-watch.ts'
import { ManualClock } from '../../harness/manual-clock.ts'

const MB = 2 ** 20

/** A node whose memory the test decides about: `live` bytes, and garbage until it is collected. */
function watched(maxBytes = 100 * MB, heapBytesMax = 1000 * MB) {
  const clock = new ManualClock()
  const node = {
    clock,
    maxBytes,
    live: 0,
    garbage: 0,
    youngGarbage: 0,
    buffers: 0,
    free: 0,
    /** Of what is live, what the policy lets go. */
    evictable: 0,
    /** Of that, in one step. */
    stepBytes: Number.POSITIVE_INFINITY,
    machine: 100_000 * MB,
    collectMs: 0,
    /** What collections have taken so far. */
    stoodStillMs: 0,
    readings: 0,
    collections: 0,
    states: [] as boolean[],
    sentences: [] as string[],
  }
  const watch = new MemoryWatch({
    env: {
      after: (delayMs, task) => clock.after(delayMs, task),
      monoMs: () => clock.monoMs() + node.stoodStillMs,
      memory: () => {
        node.readings++
        return {
          heapBytes: node.live + node.garbage + node.youngGarbage,
          bufferBytes: node.buffers,
          heapBytesMax,
          machineBytes: node.machine,
        }
      },
      collectGarbage: (generations) => {
        node.youngGarbage = 0
        if (generations === 'young') return
        node.collections++
        node.garbage = 0
        node.stoodStillMs += node.collectMs
      },
    },
    maxBytes: () => node.maxBytes,
    freeBytes: () => node.free,
    evict: (bytes) => {
      const evicted = Math.min(bytes, node.evictable, node.stepBytes)
      node.evictable -= evicted
      node.live -= evicted
      node.garbage += evicted
      return evicted
    },
    changed: (isShort, sentence) => {
      node.states.push(isShort)
      node.sentences.push(sentence)
    },
  })
  return { node, watch }
}

describe('a reading', () => {
  it('is taken some time after a turn, once for all turns until then', () => {
    const { node, watch } = watched()
    for (let i = 0; i < 5; i++) watch.turnEnded(i)
    expect(node.readings).toBe(0)
    node.clock.advance(LOOK_MS)
    expect(node.readings).toBe(1)
    node.clock.advance(10 * LOOK_MS)
    expect(node.readings).toBe(1)
  })

  it('is taken at once when much was written', () => {
    const { node, watch } = watched()
    watch.turnEnded(LOOK_BYTES - 1)
    expect(node.readings).toBe(0)
    watch.turnEnded(LOOK_BYTES)
    expect(node.readings).toBe(1)
    watch.turnEnded(LOOK_BYTES + 1)
    watch.turnEnded(2 * LOOK_BYTES)
    expect(node.readings).toBe(2)
  })
})

describe('clients', () => {
  it('are refused above maxmemory, heap and buffers together, until it is below again', () => {
    const { node, watch } = watched()
    node.live = 60 * MB
    node.buffers = 40 * MB
    watch.look()
    expect(node.states).toEqual([])
    node.buffers++
    watch.look()
    expect(node.states).toEqual([true])
    expect(node.sentences[0]).toContain('100 MB are used, and maxmemory is 100 MB')
    node.live = 0
    watch.turnEnded(0)
    node.clock.advance(2 * COLLECT_REST_MS.all)
    expect(node.states).toEqual([true, false])
  })

  it('are not refused for room that their keys would fill', () => {
    const { node, watch } = watched()
    node.buffers = 120 * MB
    node.free = 20 * MB
    watch.look()
    expect(node.states).toEqual([])
    node.free--
    watch.look()
    expect(node.states).toEqual([true])
  })

  it('are not refused for garbage', () => {
    const { node, watch } = watched()
    node.live = 60 * MB
    node.garbage = 50 * MB
    watch.look()
    expect(node.collections).toBe(1)
    expect(node.states).toEqual([])
  })

  it('are let in again although nobody does anything', () => {
    const { node, watch } = watched()
    node.live = 120 * MB
    watch.look()
    expect(node.states).toEqual([true])
    // A DEL: what it freed is garbage, and the node is idle from now on.
    node.live = 10 * MB
    node.garbage = 110 * MB
    node.clock.advance(COLLECT_REST_MS.all + LOOK_MS)
    expect(node.states).toEqual([true, false])
  })

  it('are let in at once when maxmemory is raised or taken away', () => {
    const { node, watch } = watched()
    node.live = 120 * MB
    watch.look()
    node.maxBytes = 0
    watch.look()
    expect(node.states).toEqual([true, false])
  })

  it('are refused before the heap reaches its end, whatever maxmemory says', () => {
    const { node, watch } = watched(0, 1000 * MB)
    node.live = 1000 * MB * HEAP_SHARE
    node.buffers = 10_000 * MB
    watch.look()
    expect(node.states).toEqual([])
    node.live++
    watch.look()
    expect(node.states).toEqual([true])
    expect(node.sentences[0]).toContain("850 MB of the heap's 1000 MB")
  })
})

describe('without maxmemory clients', () => {
  it('are refused before the machine is used up', () => {
    const { node, watch } = watched(0)
    node.machine = 1000 * MB
    node.buffers = 850 * MB
    watch.look()
    expect(node.states).toEqual([])
    node.buffers += MB
    watch.look()
    expect(node.states).toEqual([true])
    expect(node.sentences[0]).toContain('851 MB are used, and 85 % of the machine is 850 MB')
  })
})

describe('a collection', () => {
  it('rests so long that it takes a small share of the time', () => {
    const { node, watch } = watched()
    node.live = 120 * MB
    node.collectMs = 200
    watch.look()
    expect(node.collections).toBe(1)
    node.clock.advance(200 * COLLECT_REST_FACTOR - 1)
    for (let i = 0; i < 10; i++) watch.look()
    expect(node.collections).toBe(1)
    node.clock.advance(LOOK_MS + 1)
    expect(node.collections).toBe(2)
  })

  it('of the young generation spares one of everything', () => {
    const { node, watch } = watched()
    node.live = 60 * MB
    node.youngGarbage = 50 * MB
    watch.look()
    expect({ states: node.states, collections: node.collections }).toEqual({ states: [], collections: 0 })
  })

  it('that is not due yet leaves the state as it is, up to a margin', () => {
    const { node, watch } = watched()
    node.live = 40 * MB
    node.garbage = 120 * MB
    watch.look()
    expect(node.collections).toBe(1)
    node.garbage = 60 * MB + 100 * MB * MARGIN_SHARE
    watch.look()
    expect(node.states).toEqual([])
    node.garbage++
    watch.look()
    expect(node.states).toEqual([true])
    node.clock.advance(COLLECT_REST_MS.all + LOOK_MS)
    expect(node.states).toEqual([true, false])
  })

  it('follows a reading that it was not due for, although nobody does anything', () => {
    const { node, watch } = watched()
    node.garbage = 120 * MB
    watch.look()
    node.live = 105 * MB
    watch.look()
    expect(node.states).toEqual([])
    node.clock.advance(COLLECT_REST_MS.all + LOOK_MS)
    expect(node.states).toEqual([true])
  })
})

describe('a policy that evicts', () => {
  it('makes room before anybody is refused', () => {
    const { node, watch } = watched()
    node.live = 105 * MB
    node.evictable = 50 * MB
    watch.look()
    expect(node.states).toEqual([])
    // Some more than was asked for: what comes before the next collection finds room.
    expect(node.live).toBeLessThan(100 * MB)
    expect(node.live).toBeGreaterThan(90 * MB)
  })

  it('refuses when there is nothing left to evict', () => {
    const { node, watch } = watched()
    node.live = 105 * MB
    watch.look()
    expect(node.states).toEqual([true])
  })

  it('refuses nobody while keys go in steps, and goes on with what a step left', () => {
    const { node, watch } = watched()
    node.live = 140 * MB
    node.evictable = 140 * MB
    node.stepBytes = MB
    watch.look()
    expect(node.live).toBe(139 * MB)
    node.clock.advance(45 * LOOK_MS)
    expect(node.live).toBeLessThanOrEqual(100 * MB)
    expect(node.states).toEqual([])
  })

  it('refuses far beyond the limit, and no longer', () => {
    const { node, watch } = watched()
    node.live = 300 * MB
    node.evictable = 300 * MB
    watch.look()
    expect(node.states).toEqual([true])
    for (let i = 0; i < 200 && node.states.length < 2; i++) node.clock.advance(LOOK_MS)
    expect(node.states).toEqual([true, false])
  })
})
