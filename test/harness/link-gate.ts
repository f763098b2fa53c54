/**
 * link-gate.ts: the network between two regions, as far as a test needs to hold it in its hands.
 *
 * A gate listens for one region and forwards to another one's sync port. Shut, it drops what is
 * connected and takes nothing new, as a network that is cut. Unlike CRDT.LINK, of which a restarted node
 * knows nothing, a gate stays shut while the nodes behind it come and go. It also counts bytes, without
 * asking the node.
 */
import { connect, createServer, type Server, type Socket } from 'node:net'

export class LinkGate {
  readonly port: number
  /** Bytes forwarded from the one that dialled, and to it. */
  forwarded = 0
  returned = 0
  /** Bytes that are let through to the one that dialled in a second; Infinity for no limit. */
  returnedPerSecondMax = Number.POSITIVE_INFINITY
  readonly #target: number
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #open = true

  private constructor(port: number, target: number) {
    this.port = port
    this.#target = target
    this.#server = createServer((socket) => this.#accept(socket))
  }

  static async listen(port: number, target: number): Promise<LinkGate> {
    const gate = new LinkGate(port, target)
    await new Promise<void>((resolve, reject) => {
      gate.#server.once('error', reject)
      gate.#server.listen(port, '127.0.0.1', resolve)
    })
    return gate
  }

  get url(): string {
    return `ws://127.0.0.1:${this.port}`
  }

  open(): void {
    this.#open = true
  }

  shut(): void {
    this.#open = false
    for (const socket of this.#sockets) socket.destroy()
  }

  async close(): Promise<void> {
    this.shut()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #accept(near: Socket): void {
    if (!this.#open) {
      near.destroy()
      return
    }
    const far = connect(this.#target, '127.0.0.1')
    near.on('data', (bytes) => {
      this.forwarded += bytes.length
    })
    far.on('data', (bytes) => {
      this.returned += bytes.length
    })
    this.#join(near, far)
    this.#join(far, near)
    far.on('data', (bytes) => this.#slow(far, near, bytes.length))
  }

  /** Takes no more from `far` until the bytes just forwarded have had their time. */
  #slow(far: Socket, near: Socket, length: number): void {
    if (this.returnedPerSecondMax === Number.POSITIVE_INFINITY) return
    far.unpipe(near)
    far.pause()
    setTimeout(() => far.pipe(near), (1000 * length) / this.returnedPerSecondMax)
  }

  #join(from: Socket, to: Socket): void {
    this.#sockets.add(from)
    from.setNoDelay(true)
    from.pipe(to)
    from.on('error', () => to.destroy())
    from.on('close', () => {
      this.#sockets.delete(from)
      to.destroy()
    })
  }
}
