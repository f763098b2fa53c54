/**
 * key-waits.test.ts: clients that wait for keys: who is served, in which order, by what, and how a wait ends.
 */
import { describe, expect, test } from 'vitest'
import { errors } from '../../../../region-node/errors.ts'
import { ManualClock } from '../../../harness/manual-clock.ts'
import { TestEngine } from '../../../harness/test-engine.ts'

class Waiting extends TestEngine {
  readonly clock: ManualClock

  constructor(regionId = 1) {
    const clock = new ManualClock()
    super(regionId, { after: (delayMs, task) => clock.after(delayMs, task) })
    this.clock = clock
  }

  isBlocked(client: number): boolean {
    return this.session(client).blocked !== undefined
  }
}

describe('waiting for keys', () => {
  test('one push serves those who wait, first come first', () => {
    const engine = new Waiting()
    expect(engine.runAs(2, 'BLPOP', 'l', '0')).toBeUndefined()
    expect(engine.runAs(3, 'BRPOP', 'x', 'l', '0')).toBeUndefined()
    expect(engine.runAs(4, 'BLPOP', 'l', '0')).toBeUndefined()
    expect(engine.run('RPUSH', 'l', 'a', 'b')).toBe(2)
    expect([engine.reply(2), engine.reply(3), engine.reply(4)]).toEqual([['l', 'a'], ['l', 'b'], undefined])
    expect([engine.isBlocked(2), engine.isBlocked(3), engine.isBlocked(4)]).toEqual([false, false, true])
    expect(engine.run('EXISTS', 'l')).toBe(0)
  })

  test('each client that is served has an op of its own', () => {
    const engine = new Waiting()
    engine.runAs(2, 'BLPOP', 'l', '0')
    engine.run('RPUSH', 'l', 'a')
    expect(engine.engine.mintedCount).toBe(2)
  })

  test('what one client moves serves another one', () => {
    const engine = new Waiting()
    engine.runAs(2, 'BLMOVE', 'a', 'b', 'LEFT', 'LEFT', '0')
    engine.runAs(3, 'BLPOP', 'b', '0')
    engine.run('RPUSH', 'a', 'x')
    expect(engine.reply(2)).toBe('x')
    expect(engine.reply(3)).toEqual(['b', 'x'])
  })

  test('a transaction is over before anybody is served', () => {
    const engine = new Waiting()
    engine.runAs(2, 'BLPOP', 'l', '0')
    engine.run('MULTI')
    engine.run('RPUSH', 'l', 'a')
    engine.run('LPUSH', 'l', 'b')
    expect(engine.run('EXEC')).toEqual([1, 2])
    expect(engine.reply(2)).toEqual(['l', 'b'])
  })

  test('a transaction does not wait', () => {
    const engine = new Waiting()
    engine.run('MULTI')
    engine.run('BLPOP', 'l', '0')
    engine.run('BLMOVE', 'l', 'm', 'LEFT', 'LEFT', '0')
    expect(engine.run('EXEC')).toEqual([null, null])
  })

  test('a push in another region serves, too', () => {
    const here = new Waiting(1)
    const there = new TestEngine(2)
    here.runAs(2, 'BLPOP', 'l', '0')
    there.run('RPUSH', 'l', 'far')
    here.pullFrom(there)
    expect(here.reply(2)).toEqual(['l', 'far'])
    there.pullFrom(here)
    expect(there.run('EXISTS', 'l')).toBe(0)
  })

  test('other databases and other types are not meant', () => {
    const engine = new Waiting()
    engine.runAs(2, 'BLPOP', 'l', '0')
    engine.run('SET', 'l', 'text')
    expect(engine.isBlocked(2)).toBe(true)
    engine.run('DEL', 'l')
    engine.run('SELECT', '1')
    engine.run('RPUSH', 'l', 'a')
    expect(engine.isBlocked(2)).toBe(true)
    engine.run('MOVE', 'l', '0')
    expect(engine.reply(2)).toEqual(['l', 'a'])
  })

  test('the time is over', () => {
    const engine = new Waiting()
    engine.runAs(2, 'BLPOP', 'l', '0.5')
    engine.runAs(3, 'BLPOP', 'l', '0')
    engine.clock.advance(499)
    expect(engine.isBlocked(2)).toBe(true)
    engine.clock.advance(1)
    expect(engine.isBlocked(2)).toBe(false)
    expect(engine.reply(2)).toBeNull()
    engine.clock.advance(1e9)
    expect(engine.isBlocked(3)).toBe(true)
    engine.run('RPUSH', 'l', 'a')
    expect(engine.reply(3)).toEqual(['l', 'a'])
  })

  test('a client that was served is not timed out later', () => {
    const engine = new Waiting()
    engine.runAs(2, 'BLPOP', 'l', '1')
    engine.run('RPUSH', 'l', 'a')
    expect(engine.reply(2)).toEqual(['l', 'a'])
    engine.runAs(2, 'BLPOP', 'l', '0')
    engine.clock.advance(5000)
    expect(engine.isBlocked(2)).toBe(true)
  })

  test('CLIENT UNBLOCK ends the wait as its timeout would, or with an error', () => {
    const engine = new Waiting()
    engine.runAs(2, 'BLPOP', 'l', '0')
    engine.session(2).blocked!.unblock!(undefined)
    expect(engine.reply(2)).toBeNull()
    engine.runAs(2, 'BLPOP', 'l', '0')
    engine.session(2).blocked!.unblock!(errors.unblocked)
    expect(engine.reply(2)).toMatchObject({ line: 'UNBLOCKED client unblocked via CLIENT UNBLOCK' })
    engine.run('RPUSH', 'l', 'a')
    expect(engine.reply(2)).toBeUndefined()
    expect(engine.run('LLEN', 'l')).toBe(1)
  })

  test('a client that has gone takes nothing', () => {
    const engine = new Waiting()
    engine.runAs(2, 'BLPOP', 'l', '5')
    engine.engine.commands.release(engine.session(2))
    engine.run('RPUSH', 'l', 'a')
    engine.clock.advance(10_000)
    expect(engine.reply(2)).toBeUndefined()
    expect(engine.run('LLEN', 'l')).toBe(1)
    expect(engine.engine.keyspace.onTouch, 'nobody listens any more').toBeUndefined()
  })

  test('while clients are paused who waits is held up, and served afterwards', () => {
    const engine = new Waiting()
    engine.runAs(2, 'BLPOP', 'l', '0')
    engine.run('CLIENT', 'PAUSE', '1000', 'WRITE')
    const there = new TestEngine(2)
    there.run('RPUSH', 'l', 'a')
    engine.pullFrom(there)
    expect(engine.reply(2)).toBeUndefined()
    expect(engine.session(2).postponed).toEqual(['BLPOP', 'l', '0'])
    engine.clock.advance(1000)
    const words = engine.session(2).postponed!
    engine.session(2).postponed = undefined
    expect(engine.runAs(2, ...words)).toEqual(['l', 'a'])
  })

  test('a node that may not mint serves who waits when it may again', () => {
    const engine = new Waiting()
    engine.runAs(2, 'BLPOP', 'l', '0')
    engine.engine.refuseWrites(errors.regionLate)
    const there = new TestEngine(2)
    there.run('RPUSH', 'l', 'a')
    engine.pullFrom(there)
    expect(engine.isBlocked(2)).toBe(true)
    engine.engine.refuseWrites(undefined)
    engine.clock.advance(0)
    expect(engine.reply(2)).toEqual(['l', 'a'])
  })

  test('CLIENT REPLY SKIP silences the reply that comes later', () => {
    const engine = new Waiting()
    engine.runAs(2, 'CLIENT', 'REPLY', 'SKIP')
    engine.runAs(2, 'BLPOP', 'l', '0')
    engine.run('RPUSH', 'l', 'a')
    expect(engine.isBlocked(2)).toBe(false)
    expect(engine.reply(2)).toBeUndefined()
    expect(engine.run('LLEN', 'l')).toBe(0)
  })
})
