/**
 * resp-client.ts: a small client for tests: words in, replies out, in order, over one connection.
 *
 * It knows nothing of types or retries, so that a test sees what was answered, and what was not: a
 * command whose connection ended before its reply rejects with `ConnectionLost`. An error reply is a
 * value (`RespError`), not an exception.
 */
import { connect, type Socket } from 'node:net'
import { type Reply, ReplyParser, RespError } from '../../region-node/resp/parse-reply.ts'

export class ConnectionLost extends Error {
  constructor(reason: string) {
    super(`the connection ended: ${reason}`)
    this.name = 'ConnectionLost'
  }
}

interface Waiting {
  readonly resolve: (reply: Reply) => void
  readonly reject: (error: Error) => void
}

export class RespClient {
  /** Messages that no command asked for (RESP3), in order of arrival. */
  readonly pushes: Reply[] = []
  readonly #socket: Socket
  readonly #parser = new ReplyParser()
  readonly #waiting: Waiting[] = []
  #waitingFrom = 0
  #lost: ConnectionLost | undefined
  #outgoing = ''

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => this.#receive(text))
    socket.on('error', (error) => this.#end(error.message))
    socket.on('close', () => this.#end('closed'))
  }

  /** @throws the system's error when nobody listens there */
  static connect(port: number): Promise<RespClient> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1')
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.removeListener('error', reject)
        resolve(new RespClient(socket))
      })
    })
  }

  get isOpen(): boolean {
    return this.#lost === undefined
  }

  /** Commands sent that have no reply yet. */
  get unanswered(): number {
    return this.#waiting.length - this.#waitingFrom
  }

  /** Sends one command; those sent in one turn of the event loop travel together. */
  command(...words: string[]): Promise<Reply> {
    return this.send(words)
  }

  send(words: readonly string[]): Promise<Reply> {
    if (this.#lost !== undefined) return Promise.reject(this.#lost)
    if (this.#outgoing === '') setImmediate(() => this.#write())
    this.#outgoing += request(words)
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  /** One command whose failure is the test's: throws what an error reply says. */
  async ask(...words: string[]): Promise<Reply> {
    const reply = await this.send(words)
    if (reply instanceof RespError) throw new Error(`${words.join(' ').slice(0, 200)}: ${reply.line}`)
    return reply
  }

  /** Commands in one go. */
  pipeline(commands: readonly (readonly string[])[]): Promise<Reply[]> {
    return Promise.all(commands.map((words) => this.send(words)))
  }

  /** Ends the connection; resolves when it is closed. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#socket.destroyed) return resolve()
      this.#socket.once('close', () => resolve())
      this.#socket.destroy()
    })
  }

  #write(): void {
    const text = this.#outgoing
    this.#outgoing = ''
    if (this.#lost === undefined) this.#socket.write(text, 'latin1')
  }

  #receive(text: string): void {
    this.#parser.feed(text)
    for (let reply = this.#parser.next(); reply !== undefined; reply = this.#parser.next()) {
      if (reply.push) this.pushes.push(reply.value)
      else this.#answer(reply.value)
    }
  }

  #answer(reply: Reply): void {
    const waiting = this.#waiting[this.#waitingFrom++]
    if (waiting === undefined) throw new Error('a reply to no command')
    waiting.resolve(reply)
    if (this.#waitingFrom < 1024 && this.#waitingFrom < this.#waiting.length) return
    this.#waiting.splice(0, this.#waitingFrom)
    this.#waitingFrom = 0
  }

  #end(reason: string): void {
    if (this.#lost !== undefined) return
    this.#lost = new ConnectionLost(reason)
    for (const { reject } of this.#waiting.splice(0).slice(this.#waitingFrom)) reject(this.#lost)
    this.#waitingFrom = 0
  }
}

/** A command as RESP sends it. */
export function request(words: readonly string[]): string {
  let text = `*${words.length}\r\n`
  for (const word of words) text += `$${word.length}\r\n${word}\r\n`
  return text
}
