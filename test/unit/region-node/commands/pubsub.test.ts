/**
 * pubsub.test.ts: the commands of publish and subscribe, as one client and several see them.
 */
import { beforeEach, describe, expect, it } from 'vitest'
import { TestEngine } from '../../../harness/test-engine.ts'

const LISTENER = 2
let engine: TestEngine
let sent: string[][]

beforeEach(() => {
  sent = []
  engine = new TestEngine(1, { publish: (...words) => sent.push(words) })
})

describe('publish and subscribe', () => {
  it('tells listeners, and the other regions whether anybody listens here or not', () => {
    expect(engine.run('PUBLISH', 'news', 'nobody')).toBe(0)
    expect(engine.runAs(LISTENER, 'SUBSCRIBE', 'news')).toEqual(['subscribe', 'news', 1])
    expect(engine.run('PUBLISH', 'news', 'hello')).toBe(1)
    expect(engine.reply(LISTENER)).toEqual(['message', 'news', 'hello'])
    expect(sent).toEqual([
      ['channel', 'news', 'nobody'],
      ['channel', 'news', 'hello'],
    ])
  })

  it('answers each name of a SUBSCRIBE, and counts shard channels apart', () => {
    expect(engine.run('SUBSCRIBE', 'a', 'b')).toEqual(['subscribe', 'a', 1])
    expect(engine.reply()).toEqual(['subscribe', 'b', 2])
    expect(engine.run('PSUBSCRIBE', 'p*')).toEqual(['psubscribe', 'p*', 3])
    expect(engine.run('SSUBSCRIBE', 's')).toEqual(['ssubscribe', 's', 1])
    expect(engine.run('UNSUBSCRIBE', 'a')).toEqual(['unsubscribe', 'a', 2])
    expect(engine.run('PUNSUBSCRIBE')).toEqual(['punsubscribe', 'p*', 1])
    expect(engine.run('PUNSUBSCRIBE')).toEqual(['punsubscribe', null, 1])
  })

  it('lets a RESP2 subscriber do nothing else, and a RESP3 one everything', () => {
    engine.run('SUBSCRIBE', 'a')
    expect(engine.run('GET', 'k')).toMatchObject({ line: expect.stringContaining("Can't execute 'get'") })
    expect(engine.run('PING')).toEqual(['pong', ''])
    engine.run('UNSUBSCRIBE')
    expect(engine.run('GET', 'k')).toBe(null)
    engine.runAs(LISTENER, 'HELLO', '3')
    engine.runAs(LISTENER, 'SUBSCRIBE', 'a')
    expect(engine.runAs(LISTENER, 'GET', 'k')).toBe(null)
  })

  it('gives a publisher that listens to itself its reply before the message', () => {
    engine.run('HELLO', '3')
    engine.run('SUBSCRIBE', 'a')
    engine.engine.execute(engine.session(), ['PUBLISH', 'a', 'm'])
    expect(engine.session().out.take()).toBe(':1\r\n>3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nm\r\n')
  })

  it('publishes from a transaction once it is executed', () => {
    engine.runAs(LISTENER, 'SUBSCRIBE', 'a')
    engine.run('MULTI')
    engine.run('PUBLISH', 'a', 'm')
    expect(engine.reply(LISTENER)).toBe(undefined)
    expect(engine.run('EXEC')).toEqual([1])
    expect(engine.reply(LISTENER)).toEqual(['message', 'a', 'm'])
  })

  it('shows who listens to what', () => {
    engine.runAs(LISTENER, 'SUBSCRIBE', 'news', 'olds')
    engine.runAs(3, 'PSUBSCRIBE', 'n*')
    engine.runAs(4, 'SSUBSCRIBE', 'shard')
    expect(engine.run('PUBSUB', 'CHANNELS', 'n*')).toEqual(['news'])
    expect(engine.run('PUBSUB', 'NUMSUB', 'news', 'none')).toEqual(['news', 1, 'none', 0])
    expect(engine.run('PUBSUB', 'NUMPAT')).toBe(1)
    expect(engine.run('PUBSUB', 'SHARDCHANNELS')).toEqual(['shard'])
    expect(engine.run('PUBSUB', 'SHARDNUMSUB', 'shard')).toEqual(['shard', 1])
  })

  it('leaves everything with RESET and with the end of the connection', () => {
    engine.runAs(LISTENER, 'SUBSCRIBE', 'a')
    engine.runAs(LISTENER, 'RESET')
    engine.runAs(3, 'SUBSCRIBE', 'a')
    engine.engine.commands.release(engine.session(3))
    expect(engine.run('PUBLISH', 'a', 'm')).toBe(0)
  })
})
