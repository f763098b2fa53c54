/**
 * hostile-clients.test.ts: what a node does with input that is no input, with clients that do not read, and
 * with very many that do nothing: it closes, refuses or waits, goes on serving the others, and keeps to its
 * memory.
 *
 * A client of good manners asks all the while how the node is. No test may leave it without an answer for
 * STALL_MS_MAX, end the process, or leave it larger than it was by more than its test allows.
 *
 *   HOSTILE_ROUNDS=20000 HOSTILE_SEED=7 npx vitest run test/clients/hostile-clients.test.ts
 */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { commandTable } from '../../region-node/commands/families.ts'
import { ReplyParser } from '../../region-node/resp/parse-reply.ts'
import { residentBytes } from '../bench/process-facts.ts'
import { Prng } from '../harness/prng.ts'
import { RegionProcess } from '../harness/region-process.ts'
import { type RespClient, request } from '../harness/resp-client.ts'
import { damaged, noise } from './hostile-input.ts'
import { RandomCommands } from './random-commands.ts'

const ROUNDS = Number(process.env.HOSTILE_ROUNDS ?? 300)
const SEED = Number(process.env.HOSTILE_SEED ?? 1)
/** Connections of a round that are open at the same time. */
const TOGETHER = 20
const MB = 1024 * 1024
/** Generous: other tests and the simulator share the machine. */
const STALL_MS_MAX = 3000
const PING_EVERY_MS = 20
/** What a node may keep of memory it has used: V8 and the allocator give back late. */
const SLACK_BYTES = 200 * MB
/** A client has this long to be disconnected. */
const CLOSE_MS_MAX = 10_000
const QUERY_MB = 16
const OUTPUT_MB = 32
/** Well below the other: a listener that had that limit would be noticed. */
const PUBSUB_MB = 8
/** Files that a process needs beside its connections. */
const OTHER_FILES = 200
const IDLE_WANTED = 10_000
const IDLE = Math.min(IDLE_WANTED, openFilesMax() - OTHER_FILES)

let node: RegionProcess
let wellMannered: Pinging

beforeAll(async () => {
  node = await RegionProcess.prepare({
    name: 'A',
    id: 1,
    settings: {
      'client-query-buffer-limit': `${QUERY_MB}mb`,
      'client-output-buffer-limit': `normal ${OUTPUT_MB}mb 0 0 pubsub ${PUBSUB_MB}mb 0 0`,
      'proto-max-bulk-len': `${QUERY_MB / 2}mb`,
      maxclients: String(IDLE + 1),
    },
  })
  await node.start()
})

afterAll(() => node.dispose())

beforeEach(async () => {
  wellMannered = await Pinging.start()
})

afterEach(() => wellMannered.stop())

/** A client that asks again and again, and notes the longest time it waited. */
class Pinging {
  worstMs = 0
  readonly #client: RespClient
  #isOver = false
  readonly #done: Promise<void>
  #failure: unknown

  private constructor(client: RespClient) {
    this.#client = client
    this.#done = this.#pingOn().catch((error: unknown) => {
      this.#failure = error
    })
  }

  static async start(): Promise<Pinging> {
    return new Pinging(await node.connect())
  }

  /** Something else, between its PINGs. */
  async ask(...words: string[]): Promise<string> {
    return String(await this.#client.ask(...words))
  }

  async #pingOn(): Promise<void> {
    while (!this.#isOver) {
      const fromMs = performance.now()
      expect(await this.#client.ask('PING')).toBe('PONG')
      this.worstMs = Math.max(this.worstMs, performance.now() - fromMs)
      await delay(PING_EVERY_MS)
    }
  }

  /** @throws when the node was away for too long, or is gone */
  async stop(): Promise<void> {
    this.#isOver = true
    await this.#done
    await this.#client.close()
    expect(this.#failure).toBeUndefined()
    expect(this.worstMs).toBeLessThan(STALL_MS_MAX)
  }
}

function openFilesMax(): number {
  return Number(/^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))![1])
}

async function open(): Promise<Socket> {
  const socket = connect(node.ports.port, '127.0.0.1')
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

/** Resolves when the socket is closed, by whichever side and for whatever reason. */
async function closed(socket: Socket): Promise<void> {
  if (socket.closed) return
  const signal = AbortSignal.timeout(CLOSE_MS_MAX)
  await new Promise<void>((resolve, reject) => {
    socket.once('close', () => resolve())
    signal.addEventListener('abort', () => reject(new Error(`still open after ${CLOSE_MS_MAX} ms`)))
  })
}

/** Sends everything in pieces, closes its side, and reads to the end. @returns what came back */
async function converse(input: string, pieces: number): Promise<string> {
  const socket = await open()
  let output = ''
  socket.setEncoding('latin1').on('data', (text: string) => {
    output += text
  })
  const length = Math.ceil(input.length / pieces)
  for (let at = 0; at < input.length && socket.writable; at += length) {
    socket.write(input.slice(at, at + length), 'latin1')
    if (pieces > 1) await new Promise((resolve) => setImmediate(resolve))
  }
  socket.end()
  await closed(socket)
  return output
}

/** Every reply is RESP, and complete. */
function expectReplies(text: string): void {
  const parser = new ReplyParser()
  parser.feed(text)
  while (parser.next() !== undefined);
  // Something whole behind it is only seen when nothing unfinished stands before.
  parser.feed('+END\r\n')
  expect(parser.next()?.value).toBe('END')
}

/** Conversations of input made from the seed, some at a time. */
async function rounds(label: string, make: (r: Prng) => string): Promise<void> {
  const r = new Prng(SEED).fork(label)
  const before = residentBytes(node.pid!)
  for (let done = 0; done < ROUNDS; done += TOGETHER) {
    const outputs = await Promise.all(
      Array.from({ length: TOGETHER }, () => converse(make(r), r.pick([1, 1, 3, 50]))),
    )
    outputs.forEach(expectReplies)
  }
  expect(residentBytes(node.pid!) - before).toBeLessThan(SLACK_BYTES)
}

describe('input that is no input', () => {
  it('noise', () => rounds('noise', noise))

  it('commands that were damaged', async () => {
    const commands = new RandomCommands(SEED, (name) => commandTable.get(name) !== undefined)
    await rounds('damaged', (r) => {
      const text = Array.from({ length: 5 }, () => commands.next().map(request).join('')).join('')
      return damaged(r, text)
    })
  })

  it.each([
    ['a negative array', '*-1\r\n', ''],
    ['the lowest array', '*-9223372036854775808\r\n', ''],
    ['an array beyond 32 bits', '*2147483648\r\n', 'invalid multibulk length'],
    ['an array that is no number', '*x\r\n', 'invalid multibulk length'],
    ['a negative bulk', '*1\r\n$-1\r\n', 'invalid bulk length'],
    ['the lowest bulk', '*1\r\n$-9223372036854775808\r\n', 'invalid bulk length'],
    ['a bulk beyond the limit', `*1\r\n$${QUERY_MB * MB}\r\n`, 'invalid bulk length'],
    ['a bulk beyond 64 bits', `*1\r\n$${'9'.repeat(30)}\r\n`, 'invalid bulk length'],
    ['an array in an array', '*1\r\n*1\r\n$4\r\nPING\r\n', "expected '$', got '*'"],
    ['a header without end', `*${'1'.repeat(100_000)}`, 'too big mbulk count string'],
    ['a bulk header without end', `*1\r\n$${'1'.repeat(100_000)}`, 'too big bulk count string'],
    ['a line without end', 'x'.repeat(100_000), 'too big inline request'],
    ['a quote without end', 'SET k "abc\r\n', 'unbalanced quotes in request'],
  ])('%s', async (_name, input, error) => {
    expect(await converse(input, 1)).toBe(error === '' ? '' : `-ERR Protocol error: ${error}\r\n`)
  })

  it('lengths that are announced and never come', async () => {
    const before = residentBytes(node.pid!)
    const announced = ['*2147483647\r\n', `*1\r\n$${(QUERY_MB / 2) * MB}\r\nx`, '*1000000\r\n$3\r\nSET\r\n']
    const sockets = await Promise.all(Array.from({ length: 300 }, open))
    for (const [i, socket] of sockets.entries()) socket.write(announced[i % announced.length]!)
    await wellMannered.stop()
    wellMannered = await Pinging.start()
    expect(residentBytes(node.pid!) - before).toBeLessThan(SLACK_BYTES)
    for (const socket of sockets) socket.destroy()
  })

  it('a command that never ends', async () => {
    const socket = await open()
    const before = residentBytes(node.pid!)
    // Words and words: each is small enough, all of them are too much.
    socket.write('*2147483647\r\n')
    const word = `$1024\r\n${'w'.repeat(1024)}\r\n`.repeat(64)
    let sent = 0
    while (!socket.closed && sent < 8 * QUERY_MB * MB) {
      sent += word.length
      if (socket.write(word)) continue
      await new Promise((resolve) => socket.once('drain', resolve).once('close', resolve))
    }
    await closed(socket)
    expect(sent).toBeLessThan(8 * QUERY_MB * MB)
    expect(residentBytes(node.pid!) - before).toBeLessThan(SLACK_BYTES)
  })

  it('a command that comes byte by byte', async () => {
    const socket = await open()
    socket.setNoDelay(true)
    for (const byte of request(['ECHO', 'x'.repeat(500)])) {
      socket.write(byte)
      await new Promise((resolve) => setImmediate(resolve))
    }
    const [reply] = await once(socket, 'data')
    expect(String(reply)).toContain('x'.repeat(500))
    socket.destroy()
  })
})

describe('words that are hard to work on', () => {
  const DEEP = 100_000
  let client: RespClient

  beforeEach(async () => {
    client = await node.connect()
  })
  afterEach(() => client.close())

  it('patterns that could be tried in endless ways', async () => {
    const text = 'a'.repeat(200)
    await client.ask('SET', text, 'x')
    expect(await client.ask('KEYS', `${'a*'.repeat(100)}b`)).toEqual([])
    expect(await client.ask('SCAN', '0', 'COUNT', '1000000', 'MATCH', `${'*a'.repeat(100)}b`)).toEqual([
      '0',
      [],
    ])
    expect(await client.ask('KEYS', '['.repeat(DEEP))).toEqual([])
    await client.ask('DEL', text)
  })

  it.each([
    ['an array of JSON in arrays', "return cjson.decode(ARGV[1]) and 'read'", '['.repeat(DEEP)],
    ['arrays of MessagePack in arrays', "return cmsgpack.unpack(ARGV[1]) and 'read'", '\x91'.repeat(DEEP)],
    ['tables in tables', `local t = {} for i = 1, ${DEEP} do t = {t} end return t`, ''],
    ['calls in calls', 'local function f(n) return 1 + f(n) end return f(1)', ''],
    ['brackets in brackets', `return ${'('.repeat(DEEP)}1${')'.repeat(DEEP)}`, ''],
    ['a string that doubles', "local s = 'x' while true do s = s .. s end", ''],
  ])('a script with %s', async (_name, script, word) => {
    const before = residentBytes(node.pid!)
    await client.command('EVAL', script, '0', word)
    expect(await client.ask('EVAL', 'return ARGV[1]', '0', 'fine')).toBe('fine')
    expect(residentBytes(node.pid!) - before).toBeLessThan(2 * SLACK_BYTES)
  })

  it('as many words as a command may have, and a transaction without end', async () => {
    const words = Array.from({ length: 100_000 }, (_, i) => String(i))
    expect(await client.ask('DEL', ...words)).toBe(0)
    await client.ask('MULTI')
    await client.pipeline(Array.from({ length: 50_000 }, () => ['PING']))
    expect(await client.ask('DISCARD')).toBe('OK')
  })
})

describe('a client that never reads', () => {
  it('is not served further, and holds no more than its limit', async () => {
    const client = await node.connect()
    await client.ask('SET', 'large', 'x'.repeat(MB))
    const before = residentBytes(node.pid!)
    const sockets = await Promise.all(Array.from({ length: 5 }, open))
    for (const socket of sockets) {
      socket.pause()
      socket.write(request(['GET', 'large']).repeat(2000), 'latin1')
    }
    for (let i = 0; i < 50; i++) {
      expect(await client.ask('STRLEN', 'large')).toBe(MB)
      await delay(PING_EVERY_MS)
    }
    expect(residentBytes(node.pid!) - before).toBeLessThan(sockets.length * OUTPUT_MB * MB + SLACK_BYTES)
    for (const socket of sockets) socket.destroy()
    await client.close()
  })

  it('is disconnected when others write to it', async () => {
    const client = await node.connect()
    const before = residentBytes(node.pid!)
    const socket = await open()
    socket.write(request(['SUBSCRIBE', 'news']))
    await once(socket, 'data')
    socket.pause()
    const news = 'x'.repeat(MB)
    let published = 0
    while (Number(await client.ask('PUBLISH', 'news', news)) > 0 && published < 1000) published++
    // What the system holds for both ends of a connection comes on top of the limit.
    expect(published).toBeLessThan(3 * PUBSUB_MB)
    expect(residentBytes(node.pid!) - before).toBeLessThan(PUBSUB_MB * MB + SLACK_BYTES)
    socket.resume()
    await closed(socket)
    await client.close()
  })
})

describe(`clients that do nothing (${IDLE} of ${IDLE_WANTED}: as many as this system lets a process open)`, () => {
  /** Connections that are being made at the same time: the system's queue is no longer. */
  const AT_ONCE = 200
  const BYTES_PER_CLIENT_MAX = 32 * 1024

  it('do not slow the others down, and one more than the limit is refused', async () => {
    const before = residentBytes(node.pid!)
    const idle: Socket[] = []
    while (idle.length < IDLE) {
      const count = Math.min(AT_ONCE, IDLE - idle.length)
      idle.push(...(await Promise.all(Array.from({ length: count }, open))))
    }
    expect(residentBytes(node.pid!) - before).toBeLessThan(IDLE * BYTES_PER_CLIENT_MAX)
    expect(await converse('', 1)).toBe('-ERR max number of clients reached\r\n')
    for (const socket of idle) socket.destroy()
    const deadlineMs = performance.now() + CLOSE_MS_MAX
    while (!/connected_clients:1\r/.test(await wellMannered.ask('INFO', 'clients'))) {
      expect(performance.now()).toBeLessThan(deadlineMs)
      await delay(PING_EVERY_MS)
    }
  })
})
