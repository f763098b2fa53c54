/**
 * reply-limit.test.ts: a reply that no string can hold is that client's error, and not the node's end.
 */
import { expect, it } from 'vitest'
import { WORD_BYTES_MAX } from '../../../../region-node/resp/word.ts'
import { TestEngine } from '../../../harness/test-engine.ts'

/** Leaves room for an error line and for little else. */
function fillReplies(engine: TestEngine): number {
  const { out } = engine.session()
  out.raw('x'.repeat(WORD_BYTES_MAX - 200))
  return out.length
}

it('takes back what does not fit and says so', () => {
  const engine = new TestEngine()
  engine.run('SET', 'k', 'v'.repeat(300))
  const waiting = fillReplies(engine)
  engine.engine.execute(engine.session(), ['GET', 'k'])
  expect(engine.session().out.length).toBeLessThan(waiting + 100)
  engine.session().out.take()
  expect(engine.run('STRLEN', 'k')).toBe(300)
})

it('inside EXEC, too, and the other commands of it stand', () => {
  const engine = new TestEngine()
  engine.run('SET', 'k', 'v'.repeat(300))
  engine.run('MULTI')
  engine.run('GET', 'k')
  engine.run('SET', 'other', '1')
  fillReplies(engine)
  engine.engine.execute(engine.session(), ['EXEC'])
  engine.session().out.take()
  expect(engine.run('GET', 'other')).toBe('1')
})
