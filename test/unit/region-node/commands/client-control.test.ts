/**
 * client-control.test.ts: CLIENT KILL, PAUSE and UNBLOCK among several clients, one of them on a connection.
 * How refusals are worded is in against-redis.test.ts.
 */
import { describe, expect, it } from 'vitest'
import type { Services } from '../../../../region-node/commands/services.ts'
import { Session } from '../../../../region-node/commands/session.ts'
import { Connection } from '../../../../region-node/server/connection.ts'
import { clusterNode, topologyOf } from '../../../harness/fake-cluster.ts'
import { NO_OUTPUT_LIMITS } from '../../../harness/no-output-limits.ts'
import { TestEngine } from '../../../harness/test-engine.ts'

const OPERATOR = 1
const OTHER = 2

function start() {
  const timers: { delayMs: number; task: () => void }[] = []
  const sessions: Session[] = []
  const services: Partial<Services> = {
    sessions,
    after: (delayMs, task) => {
      const timer = { delayMs, task }
      timers.push(timer)
      return { cancel: () => timers.splice(timers.indexOf(timer), 1) }
    },
  }
  const engine = new TestEngine(1, services)
  sessions.push(engine.session(OPERATOR), engine.session(OTHER))
  return {
    engine,
    sessions,
    timers,
    /** The last timer runs out. */
    ring: () => timers.pop()!.task(),
  }
}

describe('CLIENT KILL', () => {
  it('disconnects those that pass all filters, but not the one that asks', () => {
    const { engine, sessions } = start()
    let resumed = 0
    sessions[1]!.resume = () => resumed++
    expect(engine.run('client', 'kill', 'addr', '127.0.0.1:40002', 'id', '3')).toBe(0)
    expect(engine.run('client', 'kill', 'addr', '127.0.0.1:40002', 'type', 'normal', 'user', 'default')).toBe(
      1,
    )
    expect(sessions.map(({ closing }) => closing)).toEqual([false, true])
    expect(resumed).toBe(1)
    // It is on its way already.
    expect(engine.run('client', 'kill', 'laddr', '127.0.0.1:7101')).toBe(0)
    expect(engine.run('client', 'kill', 'laddr', '127.0.0.1:7101', 'skipme', 'no')).toBe(1)
    expect(sessions[0]!.closing).toBe(true)
  })

  it('in its old form may kill the one that asks', () => {
    const { engine, sessions } = start()
    expect(engine.run('client', 'kill', '127.0.0.1:40001')).toBe('OK')
    expect(sessions.map(({ closing }) => closing)).toEqual([true, false])
  })
})

describe('CLIENT UNBLOCK', () => {
  it.each([
    [[], 0],
    [['TIMEOUT'], 0],
    [['error'], { line: 'UNBLOCKED client unblocked via CLIENT UNBLOCK' }],
  ] as const)('ends a wait: %j', (words, reply) => {
    const { engine, sessions, timers } = start()
    let resumed = 0
    sessions[1]!.resume = () => resumed++
    expect(engine.runAs(OTHER, 'wait', '1', '1000')).toBeUndefined()
    expect(engine.run('client', 'unblock', '2', ...words)).toBe(1)
    expect(engine.reply(OTHER)).toEqual(reply)
    expect(sessions[1]!.blocked).toBeUndefined()
    expect([resumed, timers.length]).toEqual([1, 0])
    expect(engine.run('client', 'unblock', '2')).toBe(0)
  })

  it('leaves alone who waits for the end of a pause', () => {
    const { engine } = start()
    engine.run('client', 'pause', '1000', 'write')
    engine.runAs(OTHER, 'set', 'k', 'v')
    expect(engine.run('client', 'unblock', '2')).toBe(0)
  })
})

describe('a pause for a hand-over', () => {
  it('holds commands of a partition of which it is open who is primary, instead of refusing them', () => {
    const { engine, sessions } = start()
    const known = topologyOf([clusterNode(1)])
    engine.services.topology = { ...known, isOpen: true }
    expect(engine.runAs(OTHER, 'get', 'k')).toEqual({ line: 'CLUSTERDOWN Hash slot not served' })
    engine.run('client', 'pause', '1000', 'write')
    for (const words of [
      ['set', 'k', 'v'],
      ['get', 'k'],
    ]) {
      expect(engine.runAs(OTHER, ...words)).toBeUndefined()
      expect(sessions[1]!.postponed).toEqual(words)
    }
    engine.services.topology = known
    engine.run('client', 'unpause')
    expect(sessions[1]!.blocked).toBeUndefined()
    expect(engine.runAs(OTHER, 'get', 'k')).toBeNull()
  })
})

describe('CLIENT PAUSE', () => {
  it('WRITE holds up writes and transactions that write', () => {
    const { engine, sessions } = start()
    engine.run('set', 'k', 'v')
    engine.run('client', 'pause', '1000', 'WRITE')
    expect(engine.runAs(OTHER, 'get', 'k')).toBe('v')
    for (const words of [['multi'], ['get', 'k'], ['exec']]) engine.runAs(OTHER, ...words)
    expect(sessions[1]!.blocked).toBeUndefined()
    engine.runAs(OTHER, 'multi')
    expect(engine.runAs(OTHER, 'set', 'k', 'w')).toBeUndefined()
    expect(sessions[1]!.postponed).toEqual(['set', 'k', 'w'])
  })

  it('holds up an EXEC whose writes were queued before', () => {
    const { engine, sessions } = start()
    engine.runAs(OTHER, 'multi')
    engine.runAs(OTHER, 'set', 'k', 'w')
    engine.run('client', 'pause', '1000', 'WRITE')
    expect(engine.runAs(OTHER, 'exec')).toBeUndefined()
    expect(sessions[1]!.postponed).toEqual(['exec'])
    expect(engine.run('get', 'k')).toBeNull()
  })

  it('ALL holds up everything but its own end', () => {
    const { engine, sessions, timers } = start()
    expect(engine.run('client', 'pause', '1000')).toBe('OK')
    expect(engine.runAs(OTHER, 'ping')).toBeUndefined()
    let resumed = 0
    sessions[1]!.resume = () => resumed++
    expect(engine.run('client', 'unpause')).toBe('OK')
    expect([resumed, timers.length]).toEqual([1, 0])
    expect(sessions[1]!.blocked).toBeUndefined()
    expect(engine.run('ping')).toBe('PONG')
  })

  it('lasts until the latest end, in the strictest mode', () => {
    const { engine, timers } = start()
    engine.run('client', 'pause', '1000', 'write')
    engine.run('client', 'pause', '10', 'write')
    expect(timers.map(({ delayMs }) => delayMs)).toEqual([1000])
    engine.run('client', 'pause', '2000', 'all')
    expect(timers.map(({ delayMs }) => delayMs)).toEqual([2000])
    expect(engine.run('ping')).toBeUndefined()
  })

  it('mints no removal of due keys', () => {
    const { engine, ring } = start()
    engine.run('set', 'k', 'v', 'px', '10')
    engine.wallMs += 100_000
    engine.run('client', 'pause', '1000', 'write')
    expect(engine.engine.removeDue(engine.wallMs, () => true).keys).toBe(0)
    ring()
    expect(engine.engine.removeDue(engine.wallMs, () => true).keys).toBe(1)
  })

  it('forgets a client that has gone', () => {
    const { engine, sessions, ring } = start()
    engine.run('client', 'pause', '1000')
    engine.runAs(OTHER, 'ping')
    let resumed = 0
    sessions[1]!.resume = () => resumed++
    engine.engine.commands.release(sessions[1]!)
    ring()
    expect(resumed).toBe(0)
  })

  it('answers on the connection when it is over, in order', () => {
    const { engine, ring } = start()
    const deferred: (() => void)[] = []
    let sent = ''
    const socket = {
      writableLength: 0,
      write: (text: string) => {
        sent += text
      },
      pause() {},
      resume() {},
      end() {},
      destroy() {},
    }
    const session = new Session(3, '127.0.0.1:40003', '127.0.0.1:7101', 0, engine.access.first)
    const connection = new Connection(socket, session, {
      env: { wallMs: () => engine.wallMs, defer: (task) => deferred.push(task) },
      sink: {
        open() {},
        execute: (client, words) => engine.engine.execute(client, words),
        close() {},
      },
      turn: { touch: (waiting) => deferred.push(() => waiting.flush()) },
      limits: {
        bulkBytesMax: 2 ** 20,
        queryBytesMax: 2 ** 20,
        wordsMax: 100,
        output: NO_OUTPUT_LIMITS,
        idleSecondsMax: 0,
      },
      traffic: { inputBytes: 0, outputBytes: 0 },
      log: { warn() {} },
    })
    const settle = (): void => {
      for (let task = deferred.shift(); task !== undefined; task = deferred.shift()) task()
    }
    engine.run('client', 'pause', '1000', 'write')
    connection.receive(Buffer.from('GET k\r\nCLIENT REPLY SKIP\r\nSET k 1\r\nINCR k\r\nGET k\r\n'))
    settle()
    expect(sent).toBe('$-1\r\n')
    ring()
    settle()
    expect(sent).toBe('$-1\r\n:2\r\n$1\r\n2\r\n')
  })
})
