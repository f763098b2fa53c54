/**
 * give-back.test.ts: memory that goes at once, and memory that is not worth it.
 */
import { describe, expect, it } from 'vitest'
import { giveBack } from '../../../../crdt/table/give-back.ts'

describe('an array that was outgrown', () => {
  it('has no elements any more, and neither has another view of it', () => {
    const ints = new Int32Array(2048)
    const bytes = new Uint8Array(ints.buffer)
    giveBack(ints)
    expect(ints.length).toBe(0)
    expect(bytes.length).toBe(0)
  })

  it('is left to the collector when it is small', () => {
    const ints = new Int32Array(1000)
    giveBack(ints)
    expect(ints.length).toBe(1000)
  })
})
