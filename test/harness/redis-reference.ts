/**
 * redis-reference.ts: a redis-server to compare with, where one is installed.
 *
 * It listens on a Unix socket in a folder of its own, so no port can be taken and nobody else finds it.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RawClient } from './raw-client.ts'

/** `redis-server` can be started here. */
export const redisIsInstalled = spawnSync('redis-server', ['--version']).status === 0

/** Some commands make Redis build a reply of any size (SRANDMEMBER with a count far below 0): it ends, not the machine. */
const MEMORY_KB_MAX = 2 * 1024 * 1024
const SOCKET = 'redis.sock'

export class RedisReference {
  readonly #server: ChildProcess
  readonly #folder: string
  readonly #client: RawClient

  private constructor(server: ChildProcess, folder: string, client: RawClient) {
    this.#server = server
    this.#folder = folder
    this.#client = client
  }

  /** @param settings  further ones, as on its command line */
  static async start(settings: readonly string[] = []): Promise<RedisReference> {
    const folder = mkdtempSync(join(tmpdir(), 'causeway-redis-'))
    const path = join(folder, SOCKET)
    const options = [
      '--port',
      '0',
      '--unixsocket',
      path,
      '--dir',
      folder,
      '--save',
      '',
      '--appendonly',
      'no',
      ...settings,
    ]
    const limited = ['-c', `ulimit -v ${MEMORY_KB_MAX}; exec redis-server "$@"`, 'redis-server', ...options]
    const server = spawn('sh', limited, { stdio: ['ignore', 'pipe', 'inherit'] })
    await new Promise<void>((resolve, reject) => {
      server.stdout.on('data', (text) => String(text).includes('eady to accept connections') && resolve())
      server.on('exit', (code) => reject(new Error(`redis-server ended with ${code}`)))
    })
    return new RedisReference(server, folder, await RawClient.connect('redis-server', path))
  }

  /** Sends a command and returns its reply as it came, one character per byte. */
  exchange(words: readonly string[]): Promise<string> {
    return this.#client.exchange(words)
  }

  /** Same for several commands, sent in one go. */
  exchangeAll(commands: readonly (readonly string[])[]): Promise<string[]> {
    return this.#client.exchangeAll(commands)
  }

  /** One command by a second client, for when the first is inside MULTI. */
  async aside(words: readonly string[]): Promise<string> {
    const other = await RawClient.connect('redis-server', join(this.#folder, SOCKET))
    try {
      return await other.exchange(words)
    } finally {
      other.close()
    }
  }

  async stop(): Promise<void> {
    this.#client.close()
    const ended = new Promise((resolve) => this.#server.removeAllListeners('exit').on('exit', resolve))
    this.#server.kill()
    await ended
    rmSync(this.#folder, { recursive: true })
  }
}
