/**
 * listening.test.ts: what clients hear beside their replies, in another region than the one where it happens:
 * published messages, keyspace events, changed keys. With real nodes and a client library that people use.
 */
import { createConnection, type Socket } from 'node:net'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Reply, ReplyParser } from '../../region-node/resp/parse-reply.ts'
import { type RegionName, Regions } from '../harness/three-regions.ts'

let regions: Regions
const clients: Redis[] = []

beforeAll(async () => {
  regions = await Regions.start({ names: ['A', 'B'], settings: { 'notify-keyspace-events': 'KEA' } })
})

afterAll(async () => {
  for (const client of clients) client.disconnect()
  await regions.dispose()
})

function connect(name: RegionName): Redis {
  const client = new Redis({ port: regions.process(name).ports.port, protocol: 3, replyMapping: 'legacy' })
  client.on('error', () => {})
  clients.push(client)
  return client
}

/** Sends a text and waits for that many replies. */
function talk(socket: Socket, text: string, count: number): Promise<Reply[]> {
  const parser = new ReplyParser()
  const replies: Reply[] = []
  return new Promise((resolve) => {
    const receive = (chunk: Buffer): void => {
      parser.feed(chunk.toString('latin1'))
      for (let reply = parser.next(); reply !== undefined; reply = parser.next()) replies.push(reply.value)
      if (replies.length < count) return
      socket.off('data', receive)
      resolve(replies)
    }
    socket.on('data', receive)
    socket.write(text)
  })
}

/** The next message on one of the channels. */
function heard(client: Redis, event: 'message' | 'pmessage'): Promise<string[]> {
  return new Promise((resolve) => client.once(event, (...words: string[]) => resolve(words)))
}

describe('a client in region B', () => {
  it('hears what is published in A, and can read by then what the publisher wrote before', async () => {
    const [publisher, listener, reader] = [connect('A'), connect('B'), connect('B')]
    await listener.subscribe('news')
    for (let i = 0; i < 50; i++) {
      const message = heard(listener, 'message')
      await publisher.multi().set('latest', i).publish('news', String(i)).exec()
      expect(await message).toEqual(['news', String(i)])
      expect(Number(await reader.get('latest'))).toBeGreaterThanOrEqual(i)
    }
  })

  it('hears patterns, and events of keys that A changes', async () => {
    const [writer, listener] = [connect('A'), connect('B')]
    await listener.psubscribe('__keyevent@0__:*')
    for (const [command, event] of [
      [['set', 'k', 'v'], 'set'],
      [['rpush', 'l', 'a'], 'linsert'],
      [['zadd', 'z', '1', 'm'], 'zadd'],
      [['del', 'k'], 'del'],
    ] as const) {
      const message = heard(listener, 'pmessage')
      await writer.call(...(command as unknown as [string, ...string[]]))
      expect(await message).toEqual(['__keyevent@0__:*', `__keyevent@0__:${event}`, command[1]])
    }
  })

  it('is told when a key that it keeps a copy of changes in A', async () => {
    const writer = connect('A')
    const socket = createConnection(regions.process('B').ports.port, '127.0.0.1')
    const replies = await talk(socket, 'HELLO 3\r\nCLIENT TRACKING ON\r\nGET copied\r\n', 3)
    expect(replies.slice(1)).toEqual(['OK', null])
    const [, told] = await Promise.all([writer.set('copied', 'anew'), talk(socket, '', 1)])
    expect(told).toEqual([['invalidate', ['copied']]])
    socket.destroy()
  })

  it('hears nothing across a link that is cut, and what is published after it has healed', async () => {
    const [publisher, listener] = [connect('A'), connect('B')]
    await listener.subscribe('line')
    await regions.setLink('A', 'B', 'DOWN')
    expect(await publisher.publish('line', 'lost')).toBe(0)
    await regions.heal()
    await publisher.set('after', '1')
    await regions.awaitEqualVectors()
    const message = heard(listener, 'message')
    await publisher.publish('line', 'heard')
    expect(await message).toEqual(['line', 'heard'])
  })
})
