/**
 * connection.test.ts: one client: turns, pipelines, blocked commands, back-pressure and limits, on a fake socket.
 */
import { describe, expect, test } from 'vitest'
import { User } from '../../../../region-node/acl/user.ts'
import { Session } from '../../../../region-node/commands/session.ts'
import {
  CLOSE_SECONDS_MAX,
  type ClientLimits,
  COMMANDS_PER_TURN_MAX,
  Connection,
  INPUT_BYTES_PAUSE,
  OUTPUT_BYTES_PAUSE,
  type Waiting,
} from '../../../../region-node/server/connection.ts'
import { NO_OUTPUT_LIMITS } from '../../../harness/no-output-limits.ts'

/** A client and its node, by hand: nothing happens that the test did not ask for. */
function start(changes: Partial<Pick<ClientLimits, 'idleSecondsMax' | 'output'>> = {}) {
  const limits = {
    bulkBytesMax: 2 ** 20,
    queryBytesMax: 2 ** 21,
    wordsMax: 1000,
    output: NO_OUTPUT_LIMITS,
    idleSecondsMax: 0,
    ...changes,
  }
  const sent: string[] = []
  const log: string[] = []
  const deferred: Array<() => void> = []
  const touched: Waiting[] = []
  const ran: string[] = []
  const warnings: string[] = []
  let onSent = (): void => {}
  const socket = {
    writableLength: 0,
    write: (text: string) => sent.push(text),
    pause: () => log.push('pause'),
    resume: () => log.push('resume'),
    end: (done: () => void) => {
      log.push('end')
      onSent = done
    },
    destroy: () => log.push('destroy'),
  }
  const session = new Session(1, 'client:1', 'server:2', 0)
  const sink = {
    open: (opened: Session) => {
      opened.user = new User('default')
      log.push('open')
    },
    execute: (client: Session, words: string[]) => {
      ran.push(words.join(' '))
      if (words[0] === 'QUIT') client.closing = true
      if (words[0] === 'WAIT') client.blocked = { cancel: () => log.push('cancel') }
      else if (words[0] === 'BIG') client.out.bulk('x'.repeat(OUTPUT_BYTES_PAUSE))
      else client.out.bulk(words[0]!)
    },
    close: () => log.push('close'),
  }
  const traffic = { inputBytes: 0, outputBytes: 0 }
  const connection = new Connection(socket, session, {
    env: { wallMs: () => 5000, defer: (task) => deferred.push(task) },
    sink,
    turn: { touch: (waiting) => touched.push(waiting) },
    limits,
    traffic,
    log: { warn: (sentence) => warnings.push(sentence) },
  })
  return {
    connection,
    session,
    socket,
    sent,
    log,
    ran,
    warnings,
    touched,
    deferred,
    traffic,
    send: (text: string) => connection.receive(Buffer.from(text, 'latin1')),
    /** The next turn begins: what was deferred runs. */
    nextTurn: () => {
      for (const task of deferred.splice(0)) task()
    },
    allSent: () => onSent(),
  }
}

describe('replies', () => {
  test('wait for flush, and go in one write', () => {
    const node = start()
    node.send('A\r\nB\r\n')
    node.send('C\r\n')
    expect(node.touched).toEqual([node.connection])
    expect(node.sent).toEqual([])
    node.connection.flush()
    expect(node.sent).toEqual(['$1\r\nA\r\n$1\r\nB\r\n$1\r\nC\r\n'])
    expect(node.traffic).toEqual({ inputBytes: 9, outputBytes: 21 })
    node.send('D\r\n')
    expect(node.touched).toHaveLength(2)
  })

  test('a sealed turn does not take later replies along', () => {
    const node = start()
    node.send('A\r\n')
    node.connection.seal()
    node.send('B\r\n')
    expect(node.touched).toHaveLength(2)
    node.connection.seal()
    node.send('C\r\n')
    expect(node.connection.outputBytes).toBe(21)
    node.connection.flush()
    expect(node.sent).toEqual(['$1\r\nA\r\n'])
    node.connection.flush()
    expect(node.sent).toEqual(['$1\r\nA\r\n', '$1\r\nB\r\n'])
    node.connection.flush()
    expect(node.sent).toHaveLength(3)
  })

  test('a turn without a reply announces nothing', () => {
    const node = start()
    node.send('WAIT\r\n')
    expect(node.touched).toEqual([])
  })
})

describe('a blocked client', () => {
  test('runs nothing until it is resumed, and then in a later turn', () => {
    const node = start()
    node.send('WAIT\r\nA\r\n')
    expect(node.ran).toEqual(['WAIT'])
    node.session.blocked = undefined
    node.session.out.bulk('done')
    node.session.resume()
    expect(node.ran).toEqual(['WAIT'])
    node.nextTurn()
    node.connection.flush()
    expect(node.sent).toEqual(['$4\r\ndone\r\n$1\r\nA\r\n'])
  })

  test('is read from only up to a limit', () => {
    const node = start()
    node.send('WAIT\r\n')
    for (let bytes = 0; bytes < INPUT_BYTES_PAUSE; bytes += 1024) node.send(`${'a'.repeat(1022)}\r\n`)
    expect(node.log).toEqual(['open', 'pause'])
    node.session.blocked = undefined
    node.session.resume()
    node.nextTurn()
    expect(node.log).toEqual(['open', 'pause', 'resume'])
    expect(node.ran).toHaveLength(65)
  })

  test('a large word that is arriving is no reason to pause', () => {
    const node = start()
    node.send('*2\r\n$4\r\nECHO\r\n$1000000\r\n')
    for (let i = 0; i < 100; i++) node.send('a'.repeat(10_000))
    node.send('\r\n')
    expect(node.log).toEqual(['open'])
    expect(node.ran).toHaveLength(1)
  })

  test('that goes away is cancelled', () => {
    const node = start()
    node.send('WAIT\r\n')
    node.connection.receiveEnd()
    expect(node.log).toEqual(['open', 'destroy'])
    node.connection.closed()
    expect(node.log).toEqual(['open', 'destroy', 'cancel', 'close'])
    node.session.resume()
    node.connection.flush()
    expect(node.sent).toEqual([])
  })
})

describe('fairness', () => {
  test('a long pipeline goes on in later turns', () => {
    const node = start()
    node.send('A\r\n'.repeat(2 * COMMANDS_PER_TURN_MAX + 1))
    expect(node.ran).toHaveLength(COMMANDS_PER_TURN_MAX)
    node.nextTurn()
    expect(node.ran).toHaveLength(2 * COMMANDS_PER_TURN_MAX)
    node.nextTurn()
    expect(node.ran).toHaveLength(2 * COMMANDS_PER_TURN_MAX + 1)
    expect(node.deferred).toHaveLength(0)
    expect(node.touched).toHaveLength(1)
  })
})

describe('a client that does not read', () => {
  test('runs no more commands in a turn than its output allows', () => {
    const node = start()
    node.send('BIG\r\nBIG\r\nBIG\r\n')
    expect(node.ran).toHaveLength(1)
    node.connection.flush()
    node.nextTurn()
    expect(node.ran).toHaveLength(2)
  })

  test('is not read from until its socket has drained', () => {
    const node = start()
    node.send('BIG\r\nA\r\n')
    node.socket.writableLength = OUTPUT_BYTES_PAUSE
    node.connection.flush()
    node.nextTurn()
    expect(node.log).toEqual(['open', 'pause'])
    expect(node.ran).toEqual(['BIG'])
    node.socket.writableLength = 0
    node.connection.drained()
    expect(node.log).toEqual(['open', 'pause', 'resume'])
    expect(node.ran).toEqual(['BIG', 'A'])
  })

  test('is disconnected beyond the hard limit', () => {
    const node = start({
      output: {
        ...NO_OUTPUT_LIMITS,
        normal: { hardBytes: OUTPUT_BYTES_PAUSE, softBytes: 0, softSeconds: 0 },
      },
    })
    node.send('A\r\n')
    node.socket.writableLength = OUTPUT_BYTES_PAUSE
    node.connection.flush()
    expect(node.log).toEqual(['open', 'pause'])
    node.session.out.bulk('pushed')
    node.session.resume()
    node.connection.seal()
    expect(node.log).toEqual(['open', 'pause', 'destroy'])
    expect(node.warnings).toHaveLength(1)
    expect(node.warnings[0]).toContain('client 1 at client:1 is disconnected: 1048588 bytes')
  })

  test('has the limit of those who listen while it does', () => {
    const node = start({
      output: { ...NO_OUTPUT_LIMITS, pubsub: { hardBytes: 1000, softBytes: 0, softSeconds: 0 } },
    })
    const push = (): void => {
      node.session.out.bulk('x'.repeat(2000))
      node.session.resume()
      node.connection.seal()
    }
    push()
    expect(node.log).toEqual(['open'])
    node.session.subscriptions = 1
    push()
    expect(node.log).toEqual(['open', 'destroy'])
    expect(node.warnings[0]).toContain('client-output-buffer-limit pubsub allows fewer')
  })

  test('is disconnected when it stays beyond the soft limit', () => {
    const node = start({
      output: { ...NO_OUTPUT_LIMITS, normal: { hardBytes: 0, softBytes: 1000, softSeconds: 2 } },
    })
    node.socket.writableLength = 1001
    node.connection.everySecond()
    node.connection.everySecond()
    node.socket.writableLength = 0
    node.connection.everySecond()
    node.socket.writableLength = 1001
    for (let i = 0; i < 2; i++) node.connection.everySecond()
    expect(node.log).toEqual(['open'])
    node.connection.everySecond()
    expect(node.log).toEqual(['open', 'destroy'])
  })
})

describe('endings', () => {
  test('QUIT: the reply, then nothing more', () => {
    const node = start()
    node.send('A\r\nQUIT\r\nB\r\n')
    node.send('C\r\n')
    expect(node.ran).toEqual(['A', 'QUIT'])
    node.connection.flush()
    expect(node.sent).toEqual(['$1\r\nA\r\n$4\r\nQUIT\r\n'])
    expect(node.log).toEqual(['open', 'end'])
    node.allSent()
    expect(node.log).toEqual(['open', 'end', 'destroy'])
  })

  test('sealed replies go before the end', () => {
    const node = start()
    node.send('A\r\n')
    node.connection.seal()
    node.send('QUIT\r\n')
    node.connection.seal()
    node.connection.flush()
    expect(node.log).toEqual(['open'])
    node.connection.flush()
    expect(node.log).toEqual(['open', 'end'])
  })

  test('a protocol error is answered after the commands before it', () => {
    const node = start()
    node.send('A\r\n*1\r\nB\r\n')
    node.connection.flush()
    expect(node.sent).toEqual(["$1\r\nA\r\n-ERR Protocol error: expected '$', got 'B'\r\n"])
    expect(node.log).toEqual(['open', 'end'])
  })

  test('killed by another client', () => {
    const node = start()
    node.session.closing = true
    node.session.resume()
    expect(node.touched).toHaveLength(1)
    node.connection.flush()
    expect(node.log).toEqual(['open', 'end'])
  })

  test('a client that closes its side still gets its replies', () => {
    const node = start()
    node.send('A\r\n'.repeat(COMMANDS_PER_TURN_MAX + 1))
    node.connection.receiveEnd()
    node.connection.flush()
    expect(node.sent.join('')).toBe('$1\r\nA\r\n'.repeat(COMMANDS_PER_TURN_MAX + 1))
    expect(node.log).toEqual(['open', 'end'])
  })

  test('one that does not take its last reply is cut off', () => {
    const node = start()
    node.send('QUIT\r\n')
    node.connection.flush()
    for (let i = 0; i < CLOSE_SECONDS_MAX; i++) node.connection.everySecond()
    expect(node.log).toEqual(['open', 'end'])
    node.connection.everySecond()
    expect(node.log).toEqual(['open', 'end', 'destroy'])
  })

  test('an idle client is disconnected, a blocked, subscribed or monitoring one is not', () => {
    const node = start({ idleSecondsMax: 2 })
    const wait = (seconds: number): void => {
      for (let i = 0; i < seconds; i++) node.connection.everySecond()
    }
    wait(2)
    node.send('WAIT\r\n')
    wait(5)
    node.session.blocked = undefined
    node.session.subscriptions = 1
    wait(5)
    node.session.subscriptions = 0
    node.session.isMonitor = true
    wait(5)
    node.session.isMonitor = false
    wait(2)
    expect(node.log).toEqual(['open'])
    wait(1)
    expect(node.log).toEqual(['open', 'destroy'])
  })

  test('a client dropped by its own command runs no further one', () => {
    const node = start()
    node.send('WAIT\r\nA\r\n')
    node.session.blocked = undefined
    node.connection.drop()
    node.connection.drained()
    expect(node.ran).toEqual(['WAIT'])
  })
})

test('a client that has not authenticated may send small commands only', () => {
  const node = start()
  node.session.user = undefined
  node.send(`*11\r\n`)
  node.connection.flush()
  expect(node.sent).toEqual(['-ERR Protocol error: unauthenticated multibulk length\r\n'])
})
