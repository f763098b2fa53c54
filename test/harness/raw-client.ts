/**
 * raw-client.ts: commands out, replies back as the bytes they came in, for comparing servers byte for byte.
 *
 * Nothing is parsed beyond where a reply ends, and nothing may arrive that no command asked for.
 */
import { connect, type Socket } from 'node:net'
import { replyEnd } from './reply-text.ts'
import { request } from './resp-client.ts'

/** A server that does not answer by then has failed. */
const ANSWER_MS_MAX = 60_000

export class RawClient {
  readonly #name: string
  readonly #socket: Socket

  private constructor(name: string, socket: Socket) {
    this.#name = name
    this.#socket = socket
  }

  /**
   * @param name  of the server, for what goes wrong
   * @param address  a port of this machine, or the path of a Unix socket
   * @throws the system's error when nobody listens there
   */
  static async connect(name: string, address: number | string): Promise<RawClient> {
    const socket = typeof address === 'number' ? connect(address, '127.0.0.1') : connect(address)
    await new Promise<void>((resolve, reject) => socket.on('connect', resolve).on('error', reject))
    return new RawClient(name, socket)
  }

  /** Sends a command and returns its reply, one character per byte. */
  async exchange(words: readonly string[]): Promise<string> {
    return (await this.exchangeAll([words]))[0]!
  }

  /** Same for several commands, sent in one go. @throws when the server goes away or some replies never come */
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
        stop()
        resolve(replies)
      }
      const fail = (what: string): void => {
        stop()
        const next = JSON.stringify(commands[replies.length])
        reject(new Error(`${what} after ${replies.length} of ${commands.length} replies, at ${next}`))
      }
      const closed = (): void => fail(`${this.#name} closed the connection`)
      const timer = setTimeout(
        () => fail(`${this.#name} gave no answer in ${ANSWER_MS_MAX} ms`),
        ANSWER_MS_MAX,
      )
      const stop = (): void => {
        clearTimeout(timer)
        this.#socket.off('data', receive).off('close', closed)
      }
      this.#socket.on('data', receive).on('close', closed)
      this.#socket.write(commands.map(request).join(''), 'latin1')
    })
  }

  close(): void {
    this.#socket.destroy()
  }
}
