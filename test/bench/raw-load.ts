/**
 * raw-load.ts: sends commands over one connection as fast as the server takes them, or at a given pace,
 * and counts replies. Commands and replies are of fixed shape (SET, +OK), so nothing needs to be parsed; the
 * first reply that is another one ends the load with an error.
 */
import { createConnection, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

const OK_BYTES = '+OK\r\n'.length
/** Commands per write. */
const CHUNK = 512
/** Commands without a reply, above which the sender waits. */
const OUTSTANDING_MAX = 20_000
/** Between two writes of a paced load. */
const PACE_MS = 5
/** An error begins with it, and `+OK` has none. */
const MINUS = 0x2d

/** The value of loads that are not about the size of values. */
export const SHORT_VALUE = 'xxx'

/** The name of key `i`: 16 bytes. */
export function keyName(i: number): string {
  return `key:${String(i).padStart(12, '0')}`
}

export class RawLoad {
  readonly #socket: Socket
  #sent = 0
  #answered = 0
  #wake: () => void = () => {}
  #failure: Error | undefined = undefined

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk) => {
      const minus = chunk.indexOf(MINUS)
      if (minus >= 0)
        this.#failure = new Error(`the server answered ${chunk.toString('latin1', minus, minus + 80)}`)
      this.#answered += chunk.length / OK_BYTES
      this.#wake()
    })
    socket.on('error', (error) => this.#fail(error))
    socket.on('close', () => this.#fail(new Error('the server closed the connection')))
  }

  #fail(error: Error): void {
    this.#failure ??= error
    this.#wake()
  }

  static async connect(port: number): Promise<RawLoad> {
    const socket = createConnection({ port, host: '127.0.0.1' })
    await new Promise((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    return new RawLoad(socket)
  }

  /** Sets keys `from` to `to - 1`, and waits for all replies. */
  async setKeys(from: number, to: number, value: string): Promise<void> {
    for (let next = from; next < to; next += CHUNK) {
      this.#send(next, Math.min(to, next + CHUNK), value)
      await this.#outstandingBelow(OUTSTANDING_MAX)
    }
    await this.#outstandingBelow(1)
  }

  /** Sets keys at random among `range` at a pace, until it is told to end. @returns ops sent per second */
  async paced(opsPerSecond: number, range: number, value: string, hasEnded: () => boolean): Promise<number> {
    const start = performance.now()
    let sent = 0
    while (!hasEnded()) {
      const due = Math.floor(((performance.now() - start) * opsPerSecond) / 1000)
      while (sent < due) {
        const first = Math.floor(Math.random() * (range - CHUNK))
        const count = Math.min(CHUNK, due - sent)
        this.#send(first, first + count, value)
        sent += count
      }
      await delay(PACE_MS)
      await this.#outstandingBelow(OUTSTANDING_MAX)
    }
    await this.#outstandingBelow(1)
    return (sent * 1000) / (performance.now() - start)
  }

  close(): void {
    this.#socket.destroy()
  }

  #send(from: number, to: number, value: string): void {
    let text = ''
    for (let i = from; i < to; i++) {
      text += `*3\r\n$3\r\nSET\r\n$16\r\n${keyName(i)}\r\n$${value.length}\r\n${value}\r\n`
    }
    this.#socket.write(text, 'latin1')
    this.#sent += to - from
  }

  async #outstandingBelow(count: number): Promise<void> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure
      if (this.#sent - this.#answered < count) return
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}
