/**
 * redis-reference.ts: a redis-server to compare with, where one is installed.
 *
 * It listens on a Unix socket in a folder of its own, so no port can be taken and nobody else finds it.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { replyEnd } from './reply-text.ts'

/** `redis-server` can be started here. */
export const redisIsInstalled = spawnSync('redis-server', ['--version']).status === 0

/** Some commands make Redis build a reply of any size (SRANDMEMBER with a count far below 0): it ends, not the machine. */
const MEMORY_KB_MAX = 2 * 1024 * 1024
const SOCKET = 'redis.sock'

export class RedisReference {
  readonly #server: ChildProcess
  readonly #folder: string
  readonly #socket: Socket

  private constructor(server: ChildProcess, folder: string, socket: Socket) {
    this.#server = server
    this.#folder = folder
    this.#socket = socket
  }

  static async start(): Promise<RedisReference> {
    const folder = mkdtempSync(join(tmpdir(), 'causeway-redis-'))
    const path = join(folder, SOCKET)
    const options = ['--port', '0', '--unixsocket', path, '--dir', folder, '--save', '', '--appendonly', 'no']
    const limited = ['-c', `ulimit -v ${MEMORY_KB_MAX}; exec redis-server "$@"`, 'redis-server', ...options]
    const server = spawn('sh', limited, { stdio: ['ignore', 'pipe', 'inherit'] })
    await new Promise<void>((resolve, reject) => {
      server.stdout.on('data', (text) => String(text).includes('eady to accept connections') && resolve())
      server.on('exit', (code) => reject(new Error(`redis-server ended with ${code}`)))
    })
    return new RedisReference(server, folder, await connected(path))
  }

  /** Sends a command and returns its reply as it came, one character per byte. */
  async exchange(words: readonly string[]): Promise<string> {
    return (await this.exchangeAll([words]))[0]!
  }

  /** Same for several commands, sent in one go. */
  exchangeAll(commands: readonly (readonly string[])[]): Promise<string[]> {
    return new Promise((resolve, reject) => {
      const replies: string[] = []
      let text = ''
      const receive = (chunk: Buffer): void => {
        text += chunk.toString('latin1')
        let at = 0
        for (let end = replyEnd(text, at); end !== undefined; end = replyEnd(text, at)) {
          replies.push(text.slice(at, end))
          at = end
        }
        text = text.slice(at)
        if (replies.length < commands.length) return
        this.#socket.off('data', receive).off('close', fail)
        resolve(replies)
      }
      const fail = (): void => reject(new Error('redis-server closed the connection'))
      this.#socket.on('data', receive).on('close', fail)
      this.#socket.write(commands.map(encodeCommand).join(''), 'latin1')
    })
  }

  /** One command by a second client, for when the first is inside MULTI. */
  async aside(words: readonly string[]): Promise<string> {
    const socket = await connected(join(this.#folder, SOCKET))
    const other = new RedisReference(this.#server, this.#folder, socket)
    try {
      return await other.exchange(words)
    } finally {
      socket.destroy()
    }
  }

  async stop(): Promise<void> {
    this.#socket.destroy()
    const ended = new Promise((resolve) => this.#server.removeAllListeners('exit').on('exit', resolve))
    this.#server.kill()
    await ended
    rmSync(this.#folder, { recursive: true })
  }
}

async function connected(path: string): Promise<Socket> {
  const socket = connect(path)
  await new Promise<void>((resolve, reject) => socket.on('connect', resolve).on('error', reject))
  return socket
}

function encodeCommand(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`
}
