/**
 * bitmaps.test.ts: what bitmaps mean between regions, and what they write. What they answer is in
 * against-redis.test.ts.
 */
import { describe, expect, it } from 'vitest'
import { TestEngine } from '../../../harness/test-engine.ts'

function exchange(a: TestEngine, b: TestEngine): void {
  a.pullFrom(b)
  b.pullFrom(a)
}

describe('between regions', () => {
  it('the later of two concurrent writes wins with all its bits', () => {
    const a = new TestEngine(1)
    const b = new TestEngine(2)
    a.run('setbit', 'b', '0', '1')
    b.wallMs += 5
    b.run('setbit', 'b', '7', '1')
    exchange(a, b)
    for (const region of [a, b]) expect(region.run('get', 'b')).toBe('\x01')
    b.wallMs += 5
    a.wallMs += 10
    b.run('bitfield', 'b', 'incrby', 'u8', '0', '5')
    a.run('bitop', 'not', 'b', 'b')
    exchange(a, b)
    for (const region of [a, b]) expect(region.run('get', 'b')).toBe('\xfe')
  })

  it('a bit that is already as it should be hides nothing of others', () => {
    const a = new TestEngine(1)
    const b = new TestEngine(2)
    a.run('setbit', 'b', '0', '1')
    exchange(a, b)
    a.run('setbit', 'b', '1', '1')
    b.wallMs += 5
    b.run('setbit', 'b', '0', '1')
    b.run('bitfield', 'b', 'set', 'u4', '4', '0')
    exchange(a, b)
    for (const region of [a, b]) expect(region.run('bitcount', 'b')).toBe(2)
  })

  it('a write takes the increments it saw along, and leaves those it did not', () => {
    const a = new TestEngine(1)
    const b = new TestEngine(2)
    a.run('incrby', 'n', '12')
    exchange(a, b)
    b.run('incrby', 'n', '100')
    // '12' becomes '02'.
    a.run('setbit', 'n', '7', '0')
    expect(a.run('get', 'n')).toBe('02')
    exchange(a, b)
    expect(a.run('get', 'n')).toBe(b.run('get', 'n'))
  })
})

describe('what is written', () => {
  it.each([
    ['setbit', 'b', '3', '0'],
    ['setbit', 'b', '0', '1'],
    ['bitfield', 'b', 'set', 'u8', '0', '128', 'incrby', 'u4', '4', '0'],
    ['bitfield', 'b', 'get', 'u8', '100'],
    ['bitfield', 'b', 'overflow', 'fail', 'incrby', 'u8', '0', '1000'],
    ['bitop', 'or', 'none', 'none'],
  ])('nothing, where nothing changes: %s', (...words) => {
    const engine = new TestEngine()
    engine.run('setbit', 'b', '0', '1')
    engine.run(...words)
    expect(engine.engine.mintedCount).toBe(1)
  })

  it('one op, however many fields change', () => {
    const engine = new TestEngine()
    engine.run('bitfield', 'b', 'set', 'u8', '0', '1', 'set', 'u8', '#100', '2', 'incrby', 'i3', '5', '1')
    expect(engine.engine.mintedCount).toBe(1)
  })

  it('is refused where it would not fit a string', () => {
    const engine = new TestEngine(1, { stringBytesMax: 10 })
    const refused = { line: 'ERR bit offset is not an integer or out of range' }
    expect(engine.run('setbit', 'b', '80', '1')).toEqual(refused)
    expect(engine.run('setbit', 'b', '79', '1')).toBe(0)
    expect(engine.run('bitfield', 'b', 'get', 'u8', '79')).toEqual([128])
    expect(engine.run('bitfield', 'b', 'set', 'u8', '79', '1')).toEqual(refused)
    expect(engine.run('bitfield', 'b', 'set', 'u1', '79', '0')).toEqual([1])
  })
})
