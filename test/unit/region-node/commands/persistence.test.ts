/**
 * persistence.test.ts: SAVE, BGSAVE and LASTSAVE: what they answer, and when.
 */
import { expect, it } from 'vitest'
import type { SnapshotControl } from '../../../../region-node/commands/services.ts'
import { TestEngine } from '../../../harness/test-engine.ts'

/** A node that makes snapshots when the test says so. */
function world() {
  const waiting: ((failure: string | undefined) => void)[] = []
  const snapshots: SnapshotControl = {
    get isRunning() {
      return waiting.length > 0
    },
    lastSaveSeconds: 1_704_067_200,
    make: (done = () => {}) => waiting.push(done),
  }
  const finish = (failure?: string) => {
    for (const done of waiting.splice(0)) done(failure)
  }
  return { engine: new TestEngine(1, { snapshots }), finish, waiting }
}

it('SAVE answers when it is written, and holds up nobody else', () => {
  const { engine, finish } = world()
  expect(engine.run('save')).toBeUndefined()
  expect(engine.session().blocked).toBeDefined()
  expect(engine.runAs(2, 'set', 'a', '1')).toBe('OK')
  finish()
  expect(engine.reply()).toBe('OK')
  expect(engine.session().blocked).toBeUndefined()
})

it('SAVE says why there is none', () => {
  const { engine, finish } = world()
  engine.run('save')
  finish('cannot write: no space left on device')
  expect(engine.reply()).toMatchObject({
    line: 'ERR the snapshot was not written: cannot write: no space left on device',
  })
})

it('SAVE of a client that has gone, or wants no replies, answers nothing', () => {
  const { engine, finish } = world()
  engine.run('save')
  engine.engine.commands.release(engine.session())
  finish()
  expect(engine.reply()).toBeUndefined()
  engine.runAs(2, 'client', 'reply', 'off')
  engine.runAs(2, 'save')
  finish()
  expect(engine.reply(2)).toBeUndefined()
  expect(engine.session(2).blocked).toBeUndefined()
})

it('BGSAVE answers at once, and both refuse while one is being made', () => {
  const { engine, finish, waiting } = world()
  expect(engine.run('bgsave')).toBe('Background saving started')
  const inProgress = { line: 'ERR Background save already in progress' }
  expect(engine.run('bgsave')).toMatchObject(inProgress)
  expect(engine.run('bgsave', 'schedule')).toMatchObject(inProgress)
  expect(engine.run('save')).toMatchObject(inProgress)
  expect(waiting).toHaveLength(1)
  finish()
  expect(engine.run('BGSAVE', 'Schedule')).toBe('Background saving started')
  finish()
  expect(engine.run('bgsave', 'now')).toMatchObject({ line: 'ERR syntax error' })
})

it('in a transaction BGSAVE is put off, SAVE is refused', () => {
  const { engine } = world()
  engine.run('multi')
  expect(engine.run('save')).toMatchObject({ line: 'ERR Command not allowed inside a transaction' })
  engine.run('discard')
  engine.run('multi')
  engine.run('bgsave')
  expect(engine.run('exec')).toEqual(['Background saving scheduled'])
})

it('LASTSAVE answers seconds', () => {
  expect(world().engine.run('lastsave')).toBe(1_704_067_200)
})
