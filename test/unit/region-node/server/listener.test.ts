/**
 * listener.test.ts: clients on real sockets: coming, going, too many, busy ports.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { afterEach, describe, expect, test } from 'vitest'
import { User } from '../../../../region-node/acl/user.ts'
import type { Session } from '../../../../region-node/commands/session.ts'
import { type Reply, ReplyParser } from '../../../../region-node/resp/parse-reply.ts'
import type { Waiting } from '../../../../region-node/server/connection.ts'
import { ClientListener, isLoopback } from '../../../../region-node/server/listener.ts'
import { StartError } from '../../../../region-node/start-error.ts'
import { NO_OUTPUT_LIMITS } from '../../../harness/no-output-limits.ts'

const limits = {
  bulkBytesMax: 2 ** 26,
  queryBytesMax: 2 ** 27,
  wordsMax: 1000,
  output: NO_OUTPUT_LIMITS,
  idleSecondsMax: 0,
  clientsMax: 3,
  keepaliveSeconds: 300,
}

const cleanUps: Array<() => unknown> = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

/** The toy engine answers ECHO, HANG (blocks), WAKE (resumes all who hang), SIZE and QUIT. */
function toyNode(port = 0, host = '127.0.0.1', isProtected = false) {
  const sessions = new Set<Session>()
  const seconds: Array<() => void> = []
  const sink = {
    open: (session: Session) => {
      session.user = new User('default')
      sessions.add(session)
    },
    execute: (session: Session, words: string[]) => {
      switch (words[0]) {
        case 'HANG':
          session.blocked = { cancel: () => {} }
          break
        case 'WAKE':
          for (const other of sessions) {
            if (other.blocked === undefined) continue
            other.blocked = undefined
            other.out.simple('WOKEN')
            other.resume()
          }
          session.out.ok()
          break
        case 'SIZE':
          session.out.integer(words[1]!.length)
          break
        case 'QUIT':
          session.closing = true
          session.out.ok()
          break
        default:
          session.out.bulk(words[1]!)
      }
    },
    close: (session: Session) => sessions.delete(session),
  }
  let touched: Waiting[] = []
  const turn = {
    touch: (waiting: Waiting) => {
      touched.push(waiting)
      if (touched.length > 1) return
      setImmediate(() => {
        const all = touched
        touched = []
        for (const each of all) each.flush()
      })
    },
  }
  const env = {
    wallMs: () => 1,
    defer: (task: () => void) => void setImmediate(task),
    after: (_: number, task: () => void) => {
      seconds.push(task)
      return { cancel: () => {} }
    },
  }
  const listener = new ClientListener(
    { host, port, tls: undefined },
    {
      env,
      sink,
      turn,
      limits: { ...limits, isProtected: () => isProtected },
      log: { warn: () => {} },
      peers: undefined,
    },
  )
  cleanUps.push(() => listener.close())
  return { listener, sessions, seconds }
}

class ToyClient {
  readonly socket: Socket
  private readonly parser = new ReplyParser()
  private readonly waiting: Array<(reply: Reply) => void> = []
  private readonly early: Reply[] = []

  constructor(port: number, host = '127.0.0.1') {
    this.socket = connect({ port, host, allowHalfOpen: true })
    this.socket.on('error', () => {})
    this.socket.on('data', (chunk: Buffer) => {
      this.parser.feed(chunk.toString('latin1'))
      for (let reply = this.parser.next(); reply !== undefined; reply = this.parser.next()) {
        const next = this.waiting.shift()
        if (next === undefined) this.early.push(reply.value)
        else next(reply.value)
      }
    })
    cleanUps.push(() => this.socket.destroy())
  }

  write(text: string): void {
    this.socket.write(text, 'latin1')
  }

  reply(): Promise<Reply> {
    const early = this.early.shift()
    return early !== undefined ? Promise.resolve(early) : new Promise((resolve) => this.waiting.push(resolve))
  }

  async replies(count: number): Promise<Reply[]> {
    const all: Reply[] = []
    while (all.length < count) all.push(await this.reply())
    return all
  }

  ended(): Promise<unknown> {
    return once(this.socket, 'end')
  }
}

function encode(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`
}

async function started() {
  const node = toyNode()
  await node.listener.listen()
  return { ...node, client: () => new ToyClient(node.listener.port) }
}

describe('a client', () => {
  test('is answered in order, whatever the pieces', async () => {
    const node = await started()
    const client = node.client()
    for (const byte of encode(['ECHO', 'a\r\n\xff'])) client.write(byte)
    for (let i = 0; i < 10_000; i++) client.write(encode(['ECHO', `${i}`]))
    expect(await client.reply()).toBe('a\r\n\xff')
    expect(await client.replies(10_000)).toEqual(Array.from({ length: 10_000 }, (_, i) => `${i}`))
    const session = [...node.sessions][0]!
    expect(session.address).toBe(`127.0.0.1:${client.socket.localPort}`)
    expect(session.localAddress).toBe(`127.0.0.1:${node.listener.port}`)
    expect(node.listener.traffic.inputBytes).toBe(client.socket.bytesWritten)
    expect(node.listener.traffic.outputBytes).toBe(client.socket.bytesRead)
  })

  test('large words go both ways', async () => {
    const client = (await started()).client()
    const word = 'xyz\0\r\n\xfe'.repeat(3_000_000)
    client.write(encode(['ECHO', word]) + encode(['SIZE', word]))
    expect((await client.reply()) === word).toBe(true)
    expect(await client.reply()).toBe(word.length)
  })

  test('may wait while others work', async () => {
    const node = await started()
    const hanging = node.client()
    hanging.write('HANG\r\nECHO after\r\n')
    const other = node.client()
    other.write('ECHO x\r\n')
    expect(await other.reply()).toBe('x')
    other.write('WAKE\r\n')
    expect(await other.reply()).toBe('OK')
    expect(await hanging.replies(2)).toEqual(['WOKEN', 'after'])
  })

  test('that leaves while it waits is noticed', async () => {
    const node = await started()
    const client = node.client()
    client.write('ECHO x\r\nHANG\r\n')
    await client.reply()
    client.socket.end()
    await once(client.socket, 'close')
    expect(node.sessions.size).toBe(0)
    expect(node.listener.connectedClients).toBe(0)
  })

  test('that closes its side gets every reply', async () => {
    const client = (await started()).client()
    client.socket.end(encode(['ECHO', 'x']).repeat(20_000), 'latin1')
    expect(await client.replies(20_000)).toHaveLength(20_000)
    await client.ended()
  })

  test('that does not read stops being read, and loses nothing', async () => {
    const node = await started()
    const client = node.client()
    client.socket.pause()
    const word = 'x'.repeat(1_000_000)
    for (let i = 0; i < 30; i++) client.write(encode(['ECHO', word]))
    const other = node.client()
    other.write('ECHO meanwhile\r\n')
    expect(await other.reply()).toBe('meanwhile')
    const [connection] = node.listener.connections
    expect(connection!.outputBytes).toBeLessThan(10_000_000)
    client.socket.resume()
    for (const reply of await client.replies(30)) expect(reply === word).toBe(true)
  })

  test('ends with QUIT or a protocol error', async () => {
    const node = await started()
    const polite = node.client()
    polite.write('QUIT\r\nECHO never\r\n')
    expect(await polite.reply()).toBe('OK')
    await polite.ended()
    const rude = node.client()
    rude.write('*1\r\n$-5\r\n')
    expect(await rude.reply()).toMatchObject({ line: 'ERR Protocol error: invalid bulk length' })
    await rude.ended()
  })

  test('that resets its connection harms nobody', async () => {
    const node = await started()
    const client = node.client()
    client.write('ECHO x\r\n')
    await client.reply()
    client.write('ECHO y\r\n'.repeat(1000))
    client.socket.resetAndDestroy()
    const other = node.client()
    other.write('ECHO x\r\n')
    expect(await other.reply()).toBe('x')
  })
})

/** An address by which this machine reaches itself as another would, if it has one. */
const outsideAddress = Object.values(networkInterfaces())
  .flat()
  .find((address) => address?.family === 'IPv4' && !address.internal)?.address

describe('protected mode', () => {
  test.each([
    ['127.0.0.1', true],
    ['127.1.2.3', true],
    ['::1', true],
    ['::ffff:127.0.0.1', true],
    ['10.0.0.1', false],
    ['12.7.0.1', false],
    ['::ffff:10.0.0.1', false],
    ['fe80::1', false],
    [undefined, false],
  ])('%s is of this machine: %s', (address, expected) => {
    expect(isLoopback(address)).toBe(expected)
  })

  test.runIf(outsideAddress !== undefined)('refuses clients of other machines in words', async () => {
    const node = toyNode(0, '0.0.0.0', true)
    await node.listener.listen()
    const outside = new ToyClient(node.listener.port, outsideAddress)
    expect(await outside.reply()).toMatchObject({
      line: expect.stringMatching(/^DENIED Causeway is running in protected mode .*--protected-mode no/),
    })
    await outside.ended()
    const inside = new ToyClient(node.listener.port)
    inside.write('ECHO x\r\n')
    expect(await inside.reply()).toBe('x')
    expect(node.listener.rejectedConnections).toBe(1)
    expect(node.sessions.size).toBe(1)
  })
})

describe('the listener', () => {
  test('refuses clients beyond the limit in words', async () => {
    const node = await started()
    const clients = [node.client(), node.client(), node.client()]
    for (const client of clients) {
      client.write('ECHO x\r\n')
      await client.reply()
    }
    const tooMany = node.client()
    expect(await tooMany.reply()).toMatchObject({ line: 'ERR max number of clients reached' })
    await tooMany.ended()
    expect(node.listener.connectedClients).toBe(3)
    expect(node.listener.totalConnectionsReceived).toBe(4)
    expect(node.listener.rejectedConnections).toBe(1)
    expect([...node.sessions].map((session) => session.id)).toEqual([1, 2, 3])
  })

  test('says in a sentence why it cannot listen', async () => {
    const node = await started()
    const second = toyNode(node.listener.port)
    const failure = await second.listener.listen().catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(StartError)
    expect((failure as StartError).message).toContain(`port ${node.listener.port} of 127.0.0.1 is taken`)
  })

  test('disconnects everybody when it closes, and may be closed before it listens', async () => {
    const node = await started()
    const client = node.client()
    client.write('ECHO x\r\n')
    await client.reply()
    const ended = once(client.socket, 'close')
    await node.listener.close()
    expect(node.sessions.size).toBe(0)
    client.socket.end()
    await ended
    await toyNode().listener.close()
  })

  test('looks at its clients every second', async () => {
    const node = await started()
    const client = node.client()
    client.write('ECHO x\r\n')
    await client.reply()
    const [session] = node.sessions
    const [connection] = node.listener.connections
    let looks = 0
    connection!.everySecond = () => looks++
    for (let i = 0; i < 3; i++) node.seconds.shift()!()
    expect(looks).toBe(3)
    expect(session!.closing).toBe(false)
  })
})
