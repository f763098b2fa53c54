/**
 * transport-ws.ts: links over WebSocket. The only file that knows it.
 *
 * WebSocket gives message frames, a limit on their size and a way through proxies that end TLS. Messages
 * are binary; compression is off, because values are often compressed already and the CPU is ours.
 *
 * Invariants: (1) whatever a peer sends, no exception leaves this file: a text frame, a frame too large
 * or bytes that are no WebSocket at all end that one connection. (2) `closed` is reported once per link.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import type { Socket } from 'node:net'
import type { SecureContext, TlsOptions } from 'node:tls'
import { WebSocket, WebSocketServer } from 'ws'
import type { Link, LinkEvents, SyncEnv, Transport } from './ports.ts'

export interface WsOptions {
  /** Address to listen on. */
  readonly host: string
  /** 0 takes any free port; see `WsTransport.port`. Undefined: this node dials and is not dialed. */
  readonly port: number | undefined
  /** Largest message taken, bytes. */
  readonly frameBytesMax: number
  readonly env: Pick<SyncEnv, 'after'>
  /** Undefined: who dials here speaks no TLS, and whom this node dials at `wss://` shows a certificate that all trust. */
  readonly tls?: LinkTls | undefined
}

/** Certificates, and whose others are trusted. */
export interface LinkTls {
  readonly server: TlsOptions
  readonly client: { readonly secureContext: SecureContext }
}

/** Milliseconds for a dialed peer to answer, and for one that dials to come as far as that. */
const DIAL_MS_MAX = 5000
/** Milliseconds for the other end to take a close before the socket is cut. */
const CLOSE_MS_MAX = 1000
/** Close codes of RFC 6455, section 7.4.1. */
const CODE_NORMAL = 1000
const CODE_UNSUPPORTED_DATA = 1003
/** A close frame has room for 123 bytes of reason. */
const CLOSE_REASON_LENGTH_MAX = 120

export class WsTransport implements Transport {
  readonly #options: WsOptions
  readonly #links = new Set<WsLink>()
  /** Where requests for a WebSocket come in. The first takes sockets of another port too; it listens if there is no TLS. */
  #http: Server | undefined
  #https: TlsServer | undefined
  #server: WebSocketServer | undefined
  #tls: LinkTls | undefined
  #port: number | undefined
  #closed = false

  constructor(options: WsOptions) {
    this.#options = options
    this.#tls = options.tls
  }

  /** Links that begin from now on have these certificates. */
  renewTls(tls: LinkTls): void {
    this.#tls = tls
    this.#https?.setSecureContext(tls.server)
  }

  /** The port it listens on, or undefined. */
  get port(): number | undefined {
    return this.#port
  }

  dial(url: string, opened: (link: Link) => LinkEvents, failed: (reason: string) => void): void {
    const socket = this.#connect(url)
    if (socket === undefined) {
      this.#options.env.after(0, () => failed(`not an address of a peer: ${url}`))
      return
    }
    let tcp: Socket | undefined
    let reason = `no answer from ${url}`
    const early = (error: Error): void => {
      reason = `cannot reach ${url}: ${dialFailure(url, error)}`
    }
    const never = (): void => failed(reason)
    socket.once('error', early)
    socket.once('close', never)
    socket.once('upgrade', (response: IncomingMessage) => {
      tcp = response.socket
    })
    socket.once('open', () => {
      socket.off('error', early)
      socket.off('close', never)
      this.#attach(socket, tcp, url, opened)
    })
  }

  /** Undefined when the text is no address. */
  #connect(url: string): WebSocket | undefined {
    try {
      return new WebSocket(url, {
        perMessageDeflate: false,
        maxPayload: this.#options.frameBytesMax,
        handshakeTimeout: DIAL_MS_MAX,
        ...this.#tls?.client,
      })
    } catch {
      return undefined
    }
  }

  /** @throws Error that names the address when it cannot be listened on */
  async listen(accept: (link: Link) => LinkEvents): Promise<void> {
    const { host, port, frameBytesMax } = this.#options
    const http = createServer(answerBrowser)
    const https =
      this.#tls === undefined
        ? undefined
        : createTlsServer({ ...this.#tls.server, handshakeTimeout: DIAL_MS_MAX }, answerBrowser)
    const server = new WebSocketServer({
      noServer: true,
      perMessageDeflate: false,
      maxPayload: frameBytesMax,
    })
    for (const door of [http, https])
      door?.on('upgrade', (request: IncomingMessage, tcp: Socket, head: Buffer) =>
        server.handleUpgrade(request, tcp, head, (socket) => {
          const { remoteAddress, remotePort } = tcp
          this.#attach(socket, tcp, `${remoteAddress}:${remotePort}`, accept)
        }),
      )
    this.#server = server
    this.#http = http
    this.#https = https
    if (port === undefined) return
    const door = https ?? http
    await new Promise<void>((resolve, reject) => {
      const refused = (error: Error): void => {
        reject(new Error(`cannot listen for peers on ${host}:${port}: ${inWords(error)}`))
      }
      door.once('error', refused)
      door.listen(port, host, () => {
        door.off('error', refused)
        door.on('error', () => {})
        resolve()
      })
    })
    const address = door.address()
    this.#port = typeof address === 'object' && address !== null ? address.port : undefined
  }

  /** A socket that came to another port, and what was read from it already. Before `listen` it is closed. */
  take(socket: Socket, first: Buffer): void {
    if (this.#http === undefined || this.#closed) {
      socket.destroy()
      return
    }
    // Nobody listens for a moment: what flows then would be lost.
    socket.pause()
    socket.unshift(first)
    this.#http.emit('connection', socket)
    socket.resume()
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    for (const link of this.#links) link.close('stopping')
    this.#server?.close()
    await Promise.all([closed(this.#http), closed(this.#https)])
  }

  #attach(
    socket: WebSocket,
    tcp: Socket | undefined,
    remote: string,
    opened: (link: Link) => LinkEvents,
  ): void {
    tcp?.setNoDelay(true)
    const link = new WsLink(socket, tcp, remote, this.#options.env)
    if (this.#closed) {
      socket.on('error', () => {})
      link.close('stopping')
      return
    }
    this.#links.add(link)
    link.start(opened(link), () => this.#links.delete(link))
  }
}

class WsLink implements Link {
  readonly remote: string
  readonly #socket: WebSocket
  readonly #tcp: Socket | undefined
  readonly #env: Pick<SyncEnv, 'after'>
  #reason = 'the connection was lost'
  #events: LinkEvents | undefined

  constructor(socket: WebSocket, tcp: Socket | undefined, remote: string, env: Pick<SyncEnv, 'after'>) {
    this.#socket = socket
    this.#tcp = tcp
    this.remote = remote
    this.#env = env
  }

  get unsentBytes(): number {
    return this.#socket.bufferedAmount
  }

  get receivedBytes(): number {
    return this.#tcp?.bytesRead ?? 0
  }

  start(events: LinkEvents, ended: () => void): void {
    const socket = this.#socket
    socket.on('message', (data, isBinary) => {
      if (!isBinary || !(data instanceof Uint8Array)) {
        this.#reason = 'a text message, where only binary ones belong'
        socket.close(CODE_UNSUPPORTED_DATA, this.#reason)
        return
      }
      // A plain view: a Buffer's own methods differ from those of other byte arrays.
      events.message(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    })
    this.#events = events
    socket.on('error', (error) => {
      this.#reason = error.message
    })
    socket.on('close', (_code, text) => {
      ended()
      events.closed(text.length > 0 ? text.toString('utf8') : this.#reason)
    })
  }

  send(message: Uint8Array): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return
    this.#socket.send(message, (error) => {
      // What broke the socket is reported by `close`.
      if (error === undefined || error === null) this.#events?.drained()
    })
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  close(reason: string): void {
    const socket = this.#socket
    if (socket.readyState === WebSocket.CLOSED) return
    socket.close(CODE_NORMAL, reason.slice(0, CLOSE_REASON_LENGTH_MAX))
    this.#env.after(CLOSE_MS_MAX, () => socket.terminate())
  }
}

/** Somebody opened the address in a browser. */
function answerBrowser(_request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(426, { connection: 'close' }).end('This port speaks the sync protocol over WebSocket.\n')
}

/** When it listens no more, and all its connections are closed. */
function closed(door: Server | TlsServer | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (door === undefined) {
      resolve()
      return
    }
    door.close(() => resolve())
    door.closeAllConnections()
  })
}

/** One side speaks TLS and the other does not: what each of them sees of that says nothing to an operator. */
function dialFailure(url: string, error: Error): string {
  const text = error.message || codeOf(error)
  if (codeOf(error) === 'EPROTO' && text.includes('wrong version number')) return 'no TLS is spoken there'
  if (url.startsWith('ws:') && codeOf(error) === 'ECONNRESET') return `${text}; is TLS spoken there (wss://)?`
  return text
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : 'no reason given'
}

function inWords(error: Error): string {
  switch (codeOf(error)) {
    case 'EADDRINUSE':
      return 'the port is in use by another process'
    case 'EACCES':
      return 'this user may not use the port'
    case 'EADDRNOTAVAIL':
      return 'this machine has no such address'
    default:
      return error.message
  }
}
