/**
 * against-redis.test.ts: scripts and functions must be answered as redis-server answers them, to the byte, in
 * RESP2 and in RESP3. Runs where a redis-server is installed.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RedisReference, redisIsInstalled } from '../../../harness/redis-reference.ts'
import { TestEngine } from '../../../harness/test-engine.ts'
import { type Line, SCRIPT_DIALOGUES } from './dialogues.ts'

describe.skipIf(!redisIsInstalled)('a dialogue with redis-server', () => {
  let redis: RedisReference

  beforeAll(async () => {
    redis = await RedisReference.start()
  })
  afterAll(() => redis.stop())

  it('takes the libraries that FUNCTION DUMP gives, and gives what Redis takes', async () => {
    const code = `#!lua name=lib\n${'-- so long that Redis packs it\n'.repeat(9)}redis.register_function('f', function() return 'here' end)`
    await redis.exchangeAll([
      ['hello', '2'],
      ['function', 'flush'],
      ['function', 'load', code],
    ])
    const engine = new TestEngine()
    engine.run('function', 'restore', bulk(await redis.exchange(['function', 'dump'])))
    expect(engine.run('fcall', 'f', '0')).toBe('here')
    await redis.exchange(['function', 'flush'])
    expect(await redis.exchange(['function', 'restore', engine.run('function', 'dump') as string])).toBe(
      '+OK\r\n',
    )
    expect(await redis.exchange(['fcall', 'f', '0'])).toBe('$4\r\nhere\r\n')
  })

  for (const protocol of ['2', '3']) {
    it.each(Object.entries(SCRIPT_DIALOGUES))(`RESP${protocol}: %s`, async (_name, lines) => {
      const begin: readonly Line[] = [
        ['hello', protocol],
        ['flushall'],
        ['function', 'flush'],
        ['script', 'flush'],
      ]
      await redis.exchangeAll(begin)
      const expected: [Line, string][] = []
      // One by one: SCRIPT DEBUG is refused to who sends ahead.
      for (const line of lines) expected.push([line, await redis.exchange(line)])
      const engine = new TestEngine()
      const session = engine.session()
      session.out.protocol = protocol === '3' ? 3 : 2
      const actual = lines.map((line) => {
        engine.engine.execute(session, line)
        return [line, session.out.take()]
      })
      expect(actual).toEqual(expected)
    })
  }
})

/** The word in a bulk reply. */
function bulk(reply: string): string {
  return reply.slice(reply.indexOf('\n') + 1, -2)
}
