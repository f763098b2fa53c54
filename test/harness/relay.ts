/**
 * relay.ts: a stretch of network in a test's hands: it forwards TCP connections from one address to another, and can
 * be cut, silenced, slowed down and delayed.
 *
 *   cut      connections end, and new ones are ended at once: as when a process is gone
 *   silent   connections stay and new ones are made, and nothing passes: as when a cable is pulled
 *
 * What was on its way when a relay fell silent arrives when it is opened again, as TCP would have it.
 */
import { connect, createServer, type Server, type Socket } from 'node:net'

export interface RelayEnd {
  readonly host: string
  readonly port: number
}

/** Bytes of one direction that wait, from which on no more are taken. */
const WAITING_BYTES_MAX = 256 * 1024

export class Relay {
  /** How long bytes are under way, each direction. */
  delayMs = 0
  bytesPerSecondMax = Number.POSITIVE_INFINITY
  /** In both directions. */
  forwardedBytes = 0
  readonly #target: RelayEnd
  readonly #lanes = new Set<Lane>()
  #state: 'open' | 'cut' | 'silent' = 'open'

  constructor(target: RelayEnd) {
    this.#target = target
  }

  get isSilent(): boolean {
    return this.#state === 'silent'
  }

  open(): void {
    this.#state = 'open'
    for (const lane of this.#lanes) lane.pump()
  }

  cut(): void {
    this.#state = 'cut'
    for (const lane of this.#lanes) lane.end()
  }

  silence(): void {
    this.#state = 'silent'
  }

  /** Forwards this connection from now on. */
  take(near: Socket): void {
    if (this.#state === 'cut') {
      near.destroy()
      return
    }
    const far = connect(this.#target.port, this.#target.host)
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.setNoDelay(true)
      const lane: Lane = new Lane(this, from, to, () => this.#lanes.delete(lane))
      this.#lanes.add(lane)
    }
  }
}

/** Where connections come in, each for one relay or another. */
export class RelayDoor {
  readonly #server: Server

  private constructor(relayOf: (near: Socket) => Relay | Promise<Relay>) {
    this.#server = createServer({ pauseOnConnect: true }, async (near) => {
      near.on('error', () => {})
      const relay = await relayOf(near)
      if (near.destroyed) return
      relay.take(near)
      near.resume()
    })
  }

  static async listen(at: RelayEnd, relayOf: (near: Socket) => Relay | Promise<Relay>): Promise<RelayDoor> {
    const door = new RelayDoor(relayOf)
    await new Promise<void>((resolve, reject) => {
      door.#server.once('error', reject)
      door.#server.listen(at.port, at.host, resolve)
    })
    return door
  }

  /** Resolves when the relays behind it are cut. */
  async close(): Promise<void> {
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

/** One direction of one connection. */
class Lane {
  readonly #relay: Relay
  readonly #from: Socket
  readonly #to: Socket
  readonly #over: () => void
  readonly #waiting: { readonly bytes: Buffer; readonly dueMs: number }[] = []
  #waitingBytes = 0
  /** When the line is free for more. */
  #freeMs = 0
  #timer: NodeJS.Timeout | undefined
  #hasEnded = false

  /** @param over  nothing is left to be forwarded */
  constructor(relay: Relay, from: Socket, to: Socket, over: () => void) {
    this.#relay = relay
    this.#from = from
    this.#to = to
    this.#over = over
    from.on('data', (bytes) => this.#take(bytes))
    from.on('error', () => {})
    from.once('close', () => {
      this.#hasEnded = true
      clearTimeout(this.#timer)
      this.pump()
    })
  }

  end(): void {
    clearTimeout(this.#timer)
    this.#from.destroy()
    this.#to.destroy()
  }

  #take(bytes: Buffer): void {
    const { delayMs, bytesPerSecondMax } = this.#relay
    this.#freeMs = Math.max(this.#freeMs, performance.now()) + (1000 * bytes.length) / bytesPerSecondMax
    this.#waiting.push({ bytes, dueMs: this.#freeMs + delayMs })
    this.#waitingBytes += bytes.length
    if (this.#waitingBytes > WAITING_BYTES_MAX) this.#from.pause()
    this.pump()
  }

  /** Sends on what is due. */
  pump(): void {
    clearTimeout(this.#timer)
    if (this.#relay.isSilent) return
    for (;;) {
      const first = this.#waiting[0]
      if (first === undefined) break
      const restMs = first.dueMs - performance.now()
      if (restMs > 0 && !this.#hasEnded) {
        this.#timer = setTimeout(() => this.pump(), restMs)
        return
      }
      this.#waiting.shift()
      this.#waitingBytes -= first.bytes.length
      this.#relay.forwardedBytes += first.bytes.length
      this.#to.write(first.bytes)
    }
    if (this.#from.isPaused() && this.#waitingBytes <= WAITING_BYTES_MAX) this.#from.resume()
    if (!this.#hasEnded) return
    this.#to.destroySoon()
    this.#over()
  }
}
