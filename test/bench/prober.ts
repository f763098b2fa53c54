/**
 * prober.ts: the thread behind probes.ts: a command to each target every millisecond, on a connection of its
 * own, and the time until its reply.
 *
 * The next command does not wait for the reply to the last: a pause of the target is seen by every command
 * that falls into it, as by clients who do not know of each other.
 */
import { createConnection, type Socket } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'
import { monotonicMs } from './monotonic-clock.ts'
import type { ProbeOrder, Samples, Target } from './probes.ts'
import { CoreWait } from './process-facts.ts'
import { keyName, SHORT_VALUE } from './raw-load.ts'

const EVERY_MS = 1
const LINE_END = '\r\n'
const PING = { command: `PING${LINE_END}`, reply: `+PONG${LINE_END}` }
const VALUE_REPLY = `$${SHORT_VALUE.length}${LINE_END}${SHORT_VALUE}${LINE_END}`

interface Sent {
  readonly atMs: number
  /** Until then, in all. */
  readonly coreWaitMs: number
}

class Probe {
  readonly #socket: Socket
  readonly #coreWait: CoreWait
  readonly #keys: number | undefined
  readonly #reply: string
  /** Commands that have no reply yet. */
  readonly #waiting: Sent[] = []
  #sentMs: number[] = []
  #tookMs: number[] = []
  #waitedMs: number[] = []
  #errors = 0
  #unread = ''

  private constructor(socket: Socket, { pid, keys }: Target) {
    this.#socket = socket
    this.#coreWait = new CoreWait(pid)
    this.#keys = keys
    this.#reply = keys === undefined ? PING.reply : VALUE_REPLY
    socket.setNoDelay(true)
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => this.#read(text))
    // Counted when it closes.
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#errors++
    })
  }

  static async connect(target: Target): Promise<Probe> {
    const socket = createConnection({ port: target.port, host: '127.0.0.1' })
    await new Promise((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    return new Probe(socket, target)
  }

  send(): void {
    if (!this.#socket.writable) {
      this.#errors++
      return
    }
    const keys = this.#keys
    const command =
      keys === undefined ? PING.command : `GET ${keyName(Math.floor(Math.random() * keys))}${LINE_END}`
    this.#waiting.push({ atMs: monotonicMs(), coreWaitMs: this.#coreWait.totalMs })
    this.#socket.write(command, 'latin1')
  }

  /** What was answered since it was taken last. */
  take(): Samples {
    const samples = {
      sentMs: Float64Array.from(this.#sentMs),
      tookMs: Float64Array.from(this.#tookMs),
      waitedMs: Float64Array.from(this.#waitedMs),
      errors: this.#errors,
    }
    this.#sentMs = []
    this.#tookMs = []
    this.#waitedMs = []
    this.#errors = 0
    return samples
  }

  close(): void {
    this.#socket.destroy()
    this.#coreWait.close()
  }

  #read(text: string): void {
    const nowMs = monotonicMs()
    const coreWaitMs = this.#coreWait.totalMs
    const unread = this.#unread + text
    let at = 0
    for (;;) {
      const isExpected = unread.startsWith(this.#reply, at)
      const end = isExpected ? at + this.#reply.length : unread.indexOf(LINE_END, at) + LINE_END.length
      // The beginning of the expected reply may be all that has come.
      if (!isExpected && (end < LINE_END.length || this.#reply.startsWith(unread.slice(at)))) break
      if (!isExpected) this.#errors++
      const sent = this.#waiting.shift()!
      this.#sentMs.push(sent.atMs)
      this.#tookMs.push(nowMs - sent.atMs)
      this.#waitedMs.push(coreWaitMs - sent.coreWaitMs)
      at = end
    }
    this.#unread = unread.slice(at)
  }
}

const probes = await Promise.all((workerData as readonly Target[]).map((target) => Probe.connect(target)))
const timer = setInterval(() => {
  for (const probe of probes) probe.send()
}, EVERY_MS)
parentPort!.on('message', (order: ProbeOrder) => {
  if (order === 'take') {
    parentPort!.postMessage(probes.map((probe) => probe.take()))
    return
  }
  clearInterval(timer)
  for (const probe of probes) probe.close()
  parentPort!.close()
})
