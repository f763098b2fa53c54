/**
 * connection.test.ts: AUTH, HELLO, RESET and CLIENT. That refusals are worded as Redis words them is in
 * against-redis.test.ts.
 */
import { describe, expect, it } from 'vitest'
import type { Services } from '../../../../region-node/commands/services.ts'
import type { Session } from '../../../../region-node/commands/session.ts'
import { TestEngine } from '../../../harness/test-engine.ts'

const NOAUTH = { line: 'NOAUTH Authentication required.' }
const WRONGPASS = { line: 'WRONGPASS invalid username-password pair or user is disabled.' }

/** An engine whose client has not given the password yet. */
function lockedEngine(): TestEngine {
  const engine = new TestEngine()
  engine.access.setDefaultPassword('secret')
  return engine
}

describe('AUTH', () => {
  it('takes the password, alone or with the name of the one user', () => {
    for (const words of [['secret'], ['default', 'secret']]) {
      const engine = lockedEngine()
      expect(engine.run('get', 'k')).toEqual(NOAUTH)
      for (const wrong of ['', 'secre', 'secretx', 'SECRET', 'secretsecret']) {
        expect(engine.run('auth', wrong)).toEqual(WRONGPASS)
      }
      expect(engine.run('auth', 'other', 'secret')).toEqual(WRONGPASS)
      expect(engine.run('get', 'k')).toEqual(NOAUTH)
      expect(engine.run('auth', ...words)).toBe('OK')
      expect(engine.run('get', 'k')).toBeNull()
    }
  })
})

describe('HELLO', () => {
  it('introduces the server in the protocol that was asked for', () => {
    const engine = new TestEngine()
    const about = {
      server: 'redis',
      version: '7.2.5',
      id: 1,
      mode: 'standalone',
      role: 'master',
      modules: [],
    }
    expect(engine.run('hello')).toEqual(
      [
        'server',
        'redis',
        'version',
        '7.2.5',
        'proto',
        2,
        'id',
        1,
        'mode',
        'standalone',
        'role',
        'master',
      ].concat(['modules'], [[] as never]),
    )
    const reply = engine.run('hello', '3', 'setname', 'me') as Map<string, unknown>
    expect(Object.fromEntries(reply)).toEqual({ ...about, proto: 3 })
    expect(engine.run('client', 'getname')).toBe('me')
  })

  it('changes nothing when it is refused', () => {
    const engine = lockedEngine()
    expect(engine.run('hello', '3', 'setname', 'me')).toMatchObject({
      line: expect.stringContaining('NOAUTH HELLO'),
    })
    expect(engine.run('hello', '3', 'auth', 'default', 'wrong')).toEqual(WRONGPASS)
    expect(engine.session()).toMatchObject({ name: '', user: undefined, out: { protocol: 2 } })
    expect(engine.run('hello', '3', 'auth', 'default', 'secret')).toBeInstanceOf(Map)
    expect(engine.session().user?.name).toBe('default')
  })
})

describe('RESET and QUIT', () => {
  it('RESET forgets all but the connection itself', () => {
    const engine = lockedEngine()
    engine.run('hello', '3', 'auth', 'default', 'secret', 'setname', 'me')
    engine.run('select', '3')
    engine.run('client', 'no-evict', 'on')
    engine.run('watch', 'k')
    engine.run('multi')
    expect(engine.run('reset')).toBe('RESET')
    expect(engine.session()).toMatchObject({
      db: 0,
      name: '',
      noEvict: false,
      queue: undefined,
      watched: [],
      user: undefined,
      out: { protocol: 2 },
    })
  })

  it('QUIT answers, then asks to close', () => {
    const engine = new TestEngine()
    expect(engine.run('quit')).toBe('OK')
    expect(engine.session().closing).toBe(true)
  })
})

describe('PING', () => {
  it('answers a RESP2 subscriber with a message', () => {
    const engine = new TestEngine()
    engine.session().subscriptions = 1
    expect(engine.run('ping')).toEqual(['pong', ''])
    expect(engine.run('ping', 'x')).toEqual(['pong', 'x'])
  })
})

describe('CLIENT', () => {
  function withClients(): TestEngine {
    const sessions: Session[] = []
    const services: Partial<Services> = { sessions }
    const engine = new TestEngine(1, services)
    sessions.push(engine.session(1), engine.session(2))
    return engine
  }

  it('shows a line for each client, with every field of Redis 7.2', () => {
    const engine = withClients()
    engine.run('client', 'setname', 'me')
    engine.run('client', 'setinfo', 'LIB-NAME', 'lib')
    engine.run('client', 'setinfo', 'lib-ver', '1.2')
    engine.run('select', '2')
    engine.wallMs += 2500
    engine.runAs(2, 'multi')
    engine.runAs(2, 'get', 'k')
    const line =
      'id=1 addr=127.0.0.1:40001 laddr=127.0.0.1:7101 fd=-1 name=me age=2 idle=0 flags=N db=2 sub=0 psub=0 ' +
      'ssub=0 multi=-1 qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=0 tot-mem=0 ' +
      'events=r cmd=client|info user=default redir=-1 resp=2 lib-name=lib lib-ver=1.2\n'
    expect(engine.run('client', 'info')).toBe(line)
    const lines = String(engine.run('client', 'list')).split('\n')
    expect(lines).toHaveLength(3)
    expect(lines[1]).toMatch(/^id=2 .* flags=x .* multi=1 .* cmd=get /)
    expect(engine.run('client', 'list', 'id', '2', '9')).toBe(`${lines[1]}\n`)
    expect(engine.run('client', 'list', 'type', 'pubsub')).toBe('')
  })

  it('SETINFO takes two attributes, each a single word', () => {
    const engine = withClients()
    expect(engine.run('client', 'setinfo', 'lib-name', 'a b')).toEqual({
      line: 'ERR lib-name cannot contain spaces, newlines or special characters.',
    })
    expect(engine.run('client', 'setinfo', 'foo', 'a')).toEqual({ line: "ERR Unrecognized option 'foo'" })
  })

  it('NO-TOUCH is accepted: nothing is ever touched', () => {
    const engine = withClients()
    expect(engine.run('client', 'no-touch', 'on')).toBe('OK')
    expect(engine.run('client', 'no-touch', 'x')).toEqual({ line: 'ERR syntax error' })
  })

  it('REPLY switches answers off, on, and off for one command', () => {
    const engine = withClients()
    expect(engine.run('client', 'reply', 'skip')).toBeUndefined()
    expect(engine.run('set', 'k', '1')).toBeUndefined()
    expect(engine.run('get', 'k')).toBe('1')
    expect(engine.run('client', 'reply', 'off')).toBeUndefined()
    expect(engine.run('incr', 'k')).toBeUndefined()
    expect(engine.run('client', 'reply', 'skip')).toBeUndefined()
    expect(engine.run('incr', 'k')).toBeUndefined()
    expect(engine.run('client', 'reply', 'on')).toBe('OK')
    expect(engine.run('get', 'k')).toBe('3')
  })
})
