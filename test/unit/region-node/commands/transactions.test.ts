/**
 * transactions.test.ts: MULTI, EXEC and WATCH across regions. That they answer as Redis does is in
 * against-redis.test.ts.
 */
import { describe, expect, it } from 'vitest'
import { TestEngine } from '../../../harness/test-engine.ts'

describe('transactions', () => {
  it('are one op, which another region applies whole', () => {
    const a = new TestEngine(1)
    const b = new TestEngine(2)
    a.run('multi')
    expect(a.run('set', 'k', '1')).toBe('QUEUED')
    a.run('incr', 'k')
    a.run('get', 'k')
    expect(a.run('exec')).toEqual(['OK', 2, '2'])
    expect(a.engine.mintedCount).toBe(1)
    b.pullFrom(a)
    expect(b.run('get', 'k')).toBe('2')
  })

  it('fail when another region has touched a watched key', () => {
    const a = new TestEngine(1)
    const b = new TestEngine(2)
    expect(a.run('watch', 'k')).toBe('OK')
    b.run('set', 'k', 'b')
    a.pullFrom(b)
    a.run('multi')
    a.run('set', 'k', 'a')
    expect(a.run('exec')).toBeNull()
    expect(a.run('get', 'k')).toBe('b')
  })

  it('fail when a watched key has become due, also when it is watched twice', () => {
    const engine = new TestEngine()
    engine.run('set', 'k', 'v', 'px', '100')
    engine.run('watch', 'k')
    engine.wallMs += 101
    engine.run('watch', 'k')
    engine.run('multi')
    expect(engine.run('exec')).toBeNull()
  })

  it('do not fail because a key goes that was due when it was watched', () => {
    const engine = new TestEngine()
    engine.run('set', 'k', 'v', 'px', '100')
    engine.wallMs += 101
    engine.run('watch', 'k')
    expect(engine.engine.removeDue(Number.POSITIVE_INFINITY, () => true).keys).toBe(1)
    engine.run('multi')
    engine.run('get', 'k')
    expect(engine.run('exec')).toEqual([null])
    engine.run('watch', 'k')
    engine.run('set', 'k', 'v')
    engine.run('del', 'k')
    engine.run('multi')
    expect(engine.run('exec')).toBeNull()
  })

  it('go on after a command that failed, and do not start with one that was refused', () => {
    const engine = new TestEngine()
    engine.run('multi')
    engine.run('sadd', 's', 'm')
    engine.run('incr', 's')
    engine.run('set', 'k', 'v')
    expect(engine.run('exec')).toMatchObject([1, { line: expect.stringContaining('WRONGTYPE') }, 'OK'])
    engine.run('multi')
    engine.run('nosuch')
    expect(engine.run('exec')).toMatchObject({ line: expect.stringContaining('EXECABORT') })
  })
})
