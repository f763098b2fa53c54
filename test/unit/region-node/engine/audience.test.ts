/**
 * audience.test.ts: keyspace events and client-side caching, for effects of this region and of another one.
 */
import { beforeEach, describe, expect, it } from 'vitest'
import { formatEventFlags, parseEventFlags } from '../../../../region-node/engine/event-classes.ts'
import { TestEngine } from '../../../harness/test-engine.ts'

const LISTENER = 2
const READER = 3
let engine: TestEngine
let remote: TestEngine

beforeEach(() => {
  engine = new TestEngine(1)
  remote = new TestEngine(2)
})

function turnEnds(): void {
  engine.engine.endTurn()
}

describe('keyspace events', () => {
  beforeEach(() => {
    engine.engine.commands.audience.configure(parseEventFlags('EA')!)
    engine.runAs(LISTENER, 'PSUBSCRIBE', '__keyevent@*')
  })

  /** The events of what a client did, `event key` each. */
  function eventsOf(...commands: string[]): string[] {
    for (const command of commands) engine.run(...command.split(' '))
    return heard()
  }

  function heard(): string[] {
    const events: string[] = []
    for (let reply = engine.reply(LISTENER); reply !== undefined; reply = engine.reply(LISTENER)) {
      const [, , channel, key] = reply as string[]
      events.push(`${channel!.slice(channel!.indexOf(':') + 1)} ${key}`)
    }
    return events
  }

  it.each([
    ['SET k v EX 100', ['set k', 'expire k']],
    ['APPEND k v', ['append k']],
    ['INCRBYFLOAT n 1.5', ['incrbyfloat n']],
    ['MSET a 1 b 2', ['set a', 'set b']],
    ['SADD s a b', ['sadd s']],
    ['HSET h f 1', ['hset h']],
    ['PERSIST none', []],
    ['DEL none', []],
  ])('%s', (command, events) => {
    expect(eventsOf(command)).toEqual(events)
  })

  it.each([
    ['SPOP s 2', ['spop s', 'del s']],
    ['SREM s a', ['srem s']],
    ['SMOVE s t a', ['srem s', 'sadd t']],
    ['SUNIONSTORE t s s', ['sunionstore t']],
    ['SDIFFSTORE s s s', ['del s']],
    ['RENAME s t', ['rename_from s', 'rename_to t']],
    ['COPY s t', ['copy_to t']],
    ['MOVE s 3', ['move_from s', 'move_to s']],
    ['EXPIRE s 10', ['expire s']],
    ['EXPIRE s -1', ['del s']],
    ['UNLINK s none', ['del s']],
  ])('on a set: %s', (command, events) => {
    engine.run('SADD', 's', 'a', 'b')
    heard()
    expect(eventsOf(command).sort()).toEqual([...events].sort())
  })

  it('tells a transaction command by command', () => {
    expect(eventsOf('SET k v', 'MULTI', 'DEL k', 'SET k w', 'EXEC')).toEqual(['set k', 'del k', 'set k'])
  })

  it('tells effects of another region by what they do', () => {
    remote.run('APPEND', 'k', 'v')
    remote.run('SADD', 's', 'a')
    remote.run('SREM', 's', 'a')
    engine.pullFrom(remote)
    expect(heard()).toEqual(['set k', 'sadd s', 'srem s', 'del s'])
  })

  it('calls a key that was due expired, whoever removes it', () => {
    engine.run('SET', 'k', 'v', 'PX', '10')
    heard()
    engine.wallMs += 100
    expect(eventsOf('APPEND k w')).toEqual(['expired k', 'append k'])
  })

  it('tells of misses and of new keys only when asked by letter', () => {
    expect(eventsOf('GET none')).toEqual([])
    engine.engine.commands.audience.configure(parseEventFlags('Emn$')!)
    expect(eventsOf('GET none', 'SET k v', 'GET k', 'SET k w')).toEqual([
      'keymiss none',
      'new k',
      'set k',
      'set k',
    ])
  })

  it('names the channel after the key, too', () => {
    engine.engine.commands.audience.configure(parseEventFlags('K$')!)
    engine.runAs(READER, 'SUBSCRIBE', '__keyspace@0__:k')
    engine.run('SET', 'k', 'v')
    expect(engine.reply(READER)).toEqual(['message', '__keyspace@0__:k', 'set'])
  })
})

describe('the letters of the setting', () => {
  it.each([
    ['KEA', 'AKE'],
    ['g$K', 'g$K'],
    ['mE', 'Em'],
    ['', ''],
  ])('%s is shown as %s', (given, shown) => {
    expect(formatEventFlags(parseEventFlags(given)!)).toBe(shown)
  })

  it('refuses others', () => {
    expect(parseEventFlags('KQ')).toBe(undefined)
  })
})

describe('client-side caching', () => {
  beforeEach(() => {
    engine.runAs(READER, 'HELLO', '3')
  })

  it('tells a reader once of a key that changed, here or elsewhere', () => {
    engine.runAs(READER, 'CLIENT', 'TRACKING', 'ON')
    engine.runAs(READER, 'MGET', 'a', 'b')
    engine.run('SET', 'a', '1')
    engine.run('SET', 'a', '2')
    expect(engine.reply(READER)).toEqual(['invalidate', ['a']])
    expect(engine.reply(READER)).toBe(undefined)
    remote.run('SET', 'b', '1')
    engine.pullFrom(remote)
    expect(engine.reply(READER)).toEqual(['invalidate', ['b']])
  })

  it('tells of everything when a database is flushed', () => {
    engine.runAs(READER, 'CLIENT', 'TRACKING', 'ON')
    engine.runAs(READER, 'GET', 'a')
    engine.run('FLUSHALL')
    expect(engine.reply(READER)).toEqual(['invalidate', null])
  })

  it('does not tell a client of its own changes when it asks not to', () => {
    engine.runAs(READER, 'CLIENT', 'TRACKING', 'ON', 'NOLOOP')
    engine.runAs(READER, 'GET', 'a')
    expect(engine.runAs(READER, 'SET', 'a', '1')).toBe('OK')
    expect(engine.reply(READER)).toBe(undefined)
    // The key is forgotten all the same: it is not read any more.
    engine.run('SET', 'a', '2')
    expect(engine.reply(READER)).toBe(undefined)
  })

  it('remembers with OPTIN only what CLIENT CACHING YES stands before', () => {
    engine.runAs(READER, 'CLIENT', 'TRACKING', 'ON', 'OPTIN')
    engine.runAs(READER, 'GET', 'a')
    engine.runAs(READER, 'CLIENT', 'CACHING', 'YES')
    engine.runAs(READER, 'GET', 'b')
    engine.runAs(READER, 'GET', 'c')
    engine.run('MSET', 'a', '1', 'b', '1', 'c', '1')
    expect(engine.reply(READER)).toEqual(['invalidate', ['b']])
    expect(engine.reply(READER)).toBe(undefined)
  })

  it('broadcasts what begins with a prefix, once a turn', () => {
    engine.runAs(READER, 'CLIENT', 'TRACKING', 'ON', 'BCAST', 'PREFIX', 'user:')
    engine.run('MSET', 'user:1', 'x', 'user:2', 'x', 'other', 'x')
    expect(engine.reply(READER)).toBe(undefined)
    turnEnds()
    expect(engine.reply(READER)).toEqual(['invalidate', ['user:1', 'user:2']])
  })

  it('tells a RESP2 client through another connection that listens', () => {
    const services = { sessions: [engine.session(4), engine.session(5)] }
    engine = new TestEngine(1, services)
    const reader = services.sessions[0]!
    const listener = services.sessions[1]!
    engine.engine.execute(listener, ['SUBSCRIBE', '__redis__:invalidate'])
    engine.engine.execute(reader, ['CLIENT', 'TRACKING', 'ON', 'REDIRECT', String(listener.id)])
    engine.engine.execute(reader, ['GET', 'a'])
    listener.out.take()
    engine.run('SET', 'a', '1')
    expect(listener.out.take()).toBe(
      '*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n*1\r\n$1\r\na\r\n',
    )
  })

  it('keeps no more keys than it may: the readers of the oldest are told', () => {
    engine = new TestEngine(1, {}, { trackedKeysMax: () => 2 })
    engine.runAs(READER, 'HELLO', '3')
    engine.runAs(READER, 'CLIENT', 'TRACKING', 'ON')
    engine.runAs(READER, 'MGET', 'a', 'b', 'c')
    expect(engine.reply(READER)).toEqual(['invalidate', ['a']])
  })
})
